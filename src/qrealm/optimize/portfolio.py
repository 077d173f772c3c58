"""Several solvers under one clock: the best answer of all, the best bound of all, and who found what when.

A worker thread takes the searches that it has in turns, a slice of a few hundredths of a second each; the
kernels let go of Python's lock while they work. Searches do not hear of each other after their start, so
each does the same whatever
the slices are: with `work` given, the result repeats; with a clock, only the moment of the cut can differ.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from qrealm.base.errors import (
    InfeasibleError,
    MissingExtraError,
    ProblemError,
    QrealmError,
    SolverRefusalError,
)
from qrealm.optimize.problems import Assignment, Problem
from qrealm.optimize.quick_answer import QUICK, quick_answer
from qrealm.optimize.result import Contender, Improvement, OptimizeResult, Progress, ProgressCallback
from qrealm.optimize.solvers import Adapted, begin, card_of
from qrealm.optimize.solvers.protocol import Cancellable, Candidate, Search

SLICE_SECONDS = 0.02
PROGRESS_SECONDS = 0.1
CLOSE_ENOUGH = 1e-9
# What is for a start only must leave the clock to those that improve on it.
FIRST_SHARE = 0.1
# What is not sliced keeps the time itself; after so much more of it, it is ended.
GRACE_SHARE = 0.05
GRACE_SECONDS_MIN = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """A solver that is to take part.

    Attributes:
        solver: its name.
        options: of its own class, its defaults when None.
        share: of the time of its thread, relative to the others there.
        first: whether it runs before the others begin, to its end or for FIRST_SHARE of the time; they then
            start from its answer.
    """

    solver: str
    options: object = None
    share: float = 1.0
    first: bool = False


@dataclass(slots=True)
class _Runner:
    """A search with its books."""

    entry: Entry
    seed: int
    search: Search | None = None
    adapted: Adapted | None = None
    seconds: float = 0.0
    slice_work: int = 1
    work_max: int | None = None
    note: str = ""
    refusal: QrealmError | None = None

    @property
    def label(self) -> str:
        return f"{self.entry.solver}#{self.seed}"

    @property
    def found(self) -> Candidate | None:
        """Its best answer, in the words of the problem that was asked."""
        best = None if self.search is None else self.search.best
        if best is None or self.adapted is None:
            return None
        return Candidate(self.adapted.to_answer(best.answer), best.value)

    @property
    def value(self) -> float:
        best = None if self.search is None else self.search.best
        return math.inf if best is None else best.value

    def cancel(self) -> None:
        """End a search that is not sliced."""
        if isinstance(self.search, Cancellable):
            self.search.cancel()

    @property
    def ended(self) -> bool:
        return (
            self.search is None
            or self.search.done
            or (self.work_max is not None and self.search.work >= self.work_max)
        )

    def advance(self, seconds_left: float) -> None:
        """One slice; the next one is sized so that it lasts about SLICE_SECONDS."""
        assert self.search is not None
        work = self.slice_work
        if self.work_max is not None:
            work = min(work, self.work_max - self.search.work)
        started = perf_counter()
        self.search.advance(work, seconds_left)
        spent = perf_counter() - started
        self.seconds += spent
        if spent < SLICE_SECONDS / 2:
            self.slice_work = min(self.slice_work * 2, 2**40)
        elif spent > SLICE_SECONDS * 2:
            self.slice_work = max(1, int(self.slice_work * SLICE_SECONDS / spent))


@dataclass(frozen=True, slots=True)
class _Clock:
    """Start, seconds asked for, seconds that count, the value to stop at, whether it repeats another run."""

    started: float
    seconds: float
    limit: float
    target: float | None
    repeating: bool

    def seconds_left(self) -> float:
        return self.limit - (perf_counter() - self.started)


@dataclass(slots=True)
class _Board:
    """What is known so far, shared by the threads."""

    started: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    answer: np.ndarray | None = None
    value: float = math.inf
    bound: float = -math.inf
    found_by: str = ""
    history: list[Improvement] = field(default_factory=list)
    failure: BaseException | None = None

    def post(self, runner: _Runner, clock: _Clock) -> None:
        """Take over what a search found, and stop at a closed gap or a met target."""
        assert runner.search is not None
        assert runner.adapted is not None
        best, bound = runner.search.best, runner.search.bound
        with self.lock:
            better = best is not None and best.value < self.value
            if not better and bound <= self.bound:
                return
            if better and best is not None:
                self.answer = runner.adapted.to_answer(best.answer)
                self.value, self.found_by = best.value, runner.entry.solver
            self.bound = max(self.bound, min(bound, self.value))
            now = perf_counter() - self.started
            self.history.append(Improvement(now, self.value, self.bound, runner.entry.solver))
            goal = self.bound if clock.target is None else max(self.bound, clock.target)
            # A repeated search does all the work that it did before, or another may win a tie.
            if not clock.repeating and self.value <= goal + CLOSE_ENOUGH * max(1.0, abs(self.value)):
                self.stop.set()


def run_portfolio(
    problem: Problem,
    entries: Sequence[Entry],
    *,
    seconds: float,
    seed: int,
    threads: int,
    target: float | None = None,
    work: Mapping[str, int] | None = None,
    progress: ProgressCallback | None = None,
    first_bound: float = -math.inf,
) -> OptimizeResult:
    """Run solvers side by side until the time is over, the gap is closed, the target met or all are done.

    Args:
        seconds: wall-clock limit.
        threads: workers; a solver that cannot be sliced has one of its own beside them.
        work: units for each contender, as `OptimizeResult.work` has them: repeats a result exactly, without
            a clock.
        first_bound: a bound that is known already.

    Raises:
        InfeasibleError: no answer was found; its `proven` says whether there can be none.
    """
    board = _Board(perf_counter(), bound=first_bound)
    runners = [_Runner(entry, (seed + number) % 2**64) for number, entry in enumerate(entries)]
    if work is not None:
        for runner, units in zip(runners, _units(work, runners), strict=True):
            runner.work_max = units
    repeating = work is not None
    clock = _Clock(board.started, seconds, math.inf if repeating else seconds, target, repeating)
    interrupted = False
    for stage in (True, False):
        staged = [runner for runner in runners if runner.entry.first == stage]
        if not board.stop.is_set():
            own = replace(clock, limit=FIRST_SHARE * clock.limit) if stage else clock
            interrupted = _run_stage(problem, staged, board, own, threads, progress) or interrupted
    if board.failure is not None and not isinstance(board.failure, InfeasibleError):
        raise board.failure
    winner = _winner(runners)
    found = None if winner is None else winner.found
    if found is None and not isinstance(problem, Assignment) and any(runner.search for runner in runners):
        found = quick_answer(problem)
        board.bound = min(board.bound, found.value)
        now = perf_counter() - board.started
        board.history.append(Improvement(now, found.value, board.bound, QUICK))
    if found is None:
        raise _nothing_found(board, runners, clock)
    return OptimizeResult(
        problem=problem,
        answer=found.answer,
        value=found.value,
        bound=min(board.bound, found.value),
        solver=QUICK if winner is None else winner.entry.solver,
        seconds=perf_counter() - board.started,
        seed=seed,
        threads=threads,
        history=tuple(board.history),
        contenders=tuple(_contender(runner) for runner in runners),
        interrupted=interrupted,
    )


def _units(work: Mapping[str, int], runners: Sequence[_Runner]) -> list[int]:
    """How much each is to do again. Raises ProblemError for work of another run."""
    labels = [runner.label for runner in runners]
    strange = [label for label in work if label not in labels]
    if strange:
        raise ProblemError(
            f"work speaks of {strange[0]!r:.60}; this run has {', '.join(labels)}",
            hint="repeat with the solver, seed and threads of the run that the work is of",
        )
    for label, units in work.items():
        if isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 0:
            raise ProblemError(f"the work of {label} is {units!r:.60}; it must be a whole number from 0")
    return [int(work.get(label, 0)) for label in labels]


def _begin(problem: Problem, runners: Sequence[_Runner], board: _Board) -> None:
    """Start searches; one that refuses leaves a note."""
    for runner in runners:
        try:
            runner.search, runner.adapted = begin(
                problem,
                runner.entry.solver,
                seed=runner.seed,
                options=runner.entry.options,
                hint=board.answer,
            )
        except (SolverRefusalError, MissingExtraError) as refusal:
            runner.note, runner.refusal = refusal.message, refusal


def _run_stage(
    problem: Problem,
    runners: Sequence[_Runner],
    board: _Board,
    clock: _Clock,
    threads: int,
    progress: ProgressCallback | None,
) -> bool:
    """Start these searches from the best answer so far and run them; whether Ctrl-C ended it."""
    _begin(problem, runners, board)
    live = [runner for runner in runners if runner.search is not None]
    sliced = [runner for runner in live if card_of(runner.entry.solver).sliced]
    # What cannot be sliced would keep its thread from the others: it has one of its own.
    whole = [[runner] for runner in live if not card_of(runner.entry.solver).sliced]
    teams = [sliced[number::threads] for number in range(threads)] + whole
    workers = [_Worker(team, board, clock) for team in teams if team]
    for worker in workers:
        worker.start()
    return _wait(workers, live, board, clock, progress)


def _winner(runners: Sequence[_Runner]) -> _Runner | None:
    """Who has the best answer; of several, the first in the portfolio, whoever came first in time."""
    found = [runner for runner in runners if runner.found is not None]
    return min(found, key=lambda runner: runner.value) if found else None


class _Worker(threading.Thread):
    """A thread that says itself when it has ended: Ctrl-C in `join` makes Python 3.11 take one for dead that
    still runs."""

    def __init__(self, team: list[_Runner], board: _Board, clock: _Clock) -> None:
        super().__init__(daemon=True)
        self._team, self._board, self._clock = team, board, clock
        self.ended = threading.Event()

    def run(self) -> None:
        """Work until there is nothing more to do."""
        try:
            _work(self._team, self._board, self._clock)
        finally:
            self.ended.set()


def _work(team: list[_Runner], board: _Board, clock: _Clock) -> None:
    """One thread: always the search that is furthest behind its share."""
    try:
        while not board.stop.is_set():
            left = clock.seconds_left()
            open_runners = [runner for runner in team if not runner.ended]
            if left <= 0 or not open_runners:
                return
            runner = min(open_runners, key=lambda r: r.seconds / r.entry.share)
            runner.advance(left)
            board.post(runner, clock)
    except BaseException as failure:  # noqa: BLE001 - carried to the caller's thread, which raises it
        board.failure = failure
        board.stop.set()


def _wait(
    workers: Sequence[_Worker],
    live: Sequence[_Runner],
    board: _Board,
    clock: _Clock,
    progress: ProgressCallback | None,
) -> bool:
    """Tell progress until the workers are done; whether Ctrl-C ended it."""
    interrupted = False
    grace = max(GRACE_SECONDS_MIN, GRACE_SHARE * clock.seconds)
    while not all(worker.ended.is_set() for worker in workers):
        try:
            for worker in workers:
                worker.ended.wait(PROGRESS_SECONDS / len(workers))
            if progress is not None:
                with board.lock:
                    now = perf_counter() - board.started
                    news = Progress(now, clock.seconds, board.value, board.bound, board.found_by)
                progress(news)
        except KeyboardInterrupt:
            interrupted = True
            board.stop.set()
        if board.stop.is_set() or clock.seconds_left() < -grace:
            for runner in live:
                runner.cancel()
    return interrupted


def _nothing_found(board: _Board, runners: Sequence[_Runner], clock: _Clock) -> QrealmError:
    if isinstance(board.failure, InfeasibleError):
        return board.failure
    notes = [f"{runner.entry.solver}: {runner.note}" for runner in runners if runner.note]
    if all(runner.search is None for runner in runners):
        if len({runner.entry.solver for runner in runners}) == 1 and runners[0].refusal is not None:
            return runners[0].refusal
        return SolverRefusalError("no solver takes this problem", hint="; ".join(notes))
    if clock.repeating:
        return ProblemError(
            "no answer is found with this work", hint="give the whole work of a result that has an answer"
        )
    seconds = perf_counter() - board.started
    return InfeasibleError(
        f"no answer that keeps all demands was found in {seconds:.3g} s; none is proven not to exist",
        proven=False,
        hint="give it more time, let items be left out (may_leave_out=True), or loosen a demand",
    )


def _contender(runner: _Runner) -> Contender:
    search = runner.search
    return Contender(
        solver=runner.entry.solver,
        seed=runner.seed,
        value=runner.value,
        bound=-math.inf if search is None else search.bound,
        seconds=runner.seconds,
        work=0 if search is None else search.work,
        note=runner.note,
    )
