"""Exact answers by mixed integer programming: scipy's HiGHS, in a process of its own.

Assignments become the model of `qrealm.optimize.linear_model`; where balance counts, its tangents are added
at every answer until they meet the value (outer approximation: M. Duran, I. Grossmann, 1986). Bits and cuts
become linear by a column for each product. Proofs hold to HiGHS's tolerance of 1e-6.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from time import perf_counter

import numpy as np

from qrealm.base.errors import InfeasibleError
from qrealm.optimize.linear_model import (
    PAIRS_MAX,
    AssignmentModel,
    BuildStoppedError,
    LinearModel,
    Row,
    assignment_model,
    qubo_model,
)
from qrealm.optimize.problems import Assignment, Qubo
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers.greedy import first_answer
from qrealm.optimize.solvers.highs import INFEASIBLE, LIMIT, OPTIMAL, HighsProcess
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

COUPLINGS_MAX = 200_000
# Beyond this ratio of prices, double precision and HiGHS's tolerances prove nothing.
PRICE_RATIO_MAX = 1e9
PROVEN_TO = 1e-6
# The first look is short: so there is an answer soon, whatever ends the second.
FIRST_LOOK_SECONDS = 1.0
FIRST_LOOK_SHARE = 0.1


def refusal_of_size(problem: Assignment | Qubo, name: str) -> str:
    """Why a problem is too large for a model; empty when it is not."""
    if isinstance(problem, Qubo):
        count = len(problem.couplings.values)
        if count > COUPLINGS_MAX:
            return f"{name} takes up to {COUPLINGS_MAX} couplings; this problem has {count}"
        return ""
    pairs = len(problem.items) * len(problem.bins)
    if pairs > PAIRS_MAX:
        return f"{name} takes up to {PAIRS_MAX} pairs of an item and a bin; this problem has {pairs}"
    prices = problem.arrays.left_out_price if problem.may_leave_out else np.zeros(0)
    positive = prices[prices > 0]
    if len(positive) and positive.max() > PRICE_RATIO_MAX * min(1.0, positive.min()):
        return f"{name} compares prices up to {PRICE_RATIO_MAX:g} times each other; priorities here go beyond"
    return ""


def _refusal(problem: Assignment | Qubo) -> str:
    return refusal_of_size(problem, "exact")


CARD = SolverCard(
    name="exact",
    takes=("Assignment", "Qubo"),
    word="classical",
    help="mixed integer programming with HiGHS: an optimum and its proof, for small problems",
    unit="whole runs, counted when they end in a proof that no clock had a part in",
    sliced=False,
    seeded=False,
    exact=True,
    refusal=_refusal,
)


def start(problem: Assignment | Qubo, options: None, *, seed: int, hint: np.ndarray | None) -> Search:
    """Begin; nothing here is random. The hint, or a greedy answer, is what there is until a better one is
    found."""
    del options, seed
    return AssignmentExact(problem, hint) if isinstance(problem, Assignment) else QuboExact(problem, hint)


class _Exact(ABC):
    """Stages of one search: a short look, then all the time that is left."""

    def __init__(self) -> None:
        self._process = HighsProcess()
        self._end = math.inf
        # Whether the clock changed what is done: a cut first answer or a cut look.
        self._cut = False
        self.best: Candidate | None = None
        self.bound = -math.inf
        self.work = 0
        self.done = False

    def cancel(self) -> None:
        """End it; from any thread."""
        self._process.cancel()

    def offer(self, answer: np.ndarray, value: float) -> None:
        """Keep an answer if it is the best."""
        if self.best is None or value < self.best.value:
            self.best = Candidate(answer, value)

    def advance(self, work: int, seconds_left: float) -> None:
        """All of it."""
        del work
        self._end = perf_counter() + seconds_left
        first = max(FIRST_LOOK_SECONDS, FIRST_LOOK_SHARE * seconds_left)
        with self._process:
            self._process.open()
            if self.best is None:
                # So that there is an answer whatever ends the search.
                self._begin(seconds_left)
            try:
                while not self.done:
                    left = self._end - perf_counter()
                    if left <= 0 or not self._look(min(first, left), left):
                        if first >= left:
                            break
                        first = math.inf
            except BuildStoppedError:
                self.done = False
        self.work = int(self.done and not self._cut)
        self.done = True

    def _is_over(self) -> bool:
        return self._process.cancelled or perf_counter() >= self._end

    @abstractmethod
    def _begin(self, seconds: float) -> None:
        """Find a first answer."""

    @abstractmethod
    def _look(self, seconds: float, seconds_max: float) -> bool:
        """Solve once; False when the time was too short."""


class QuboExact(_Exact):
    """A search over bits."""

    def __init__(self, problem: Qubo, hint: np.ndarray | None) -> None:
        super().__init__()
        self._problem = problem
        self._model: LinearModel | None = None
        if hint is not None:
            self.offer(np.asarray(hint, dtype=np.int8), problem.energy(hint))

    def _begin(self, seconds: float) -> None:
        bits, whole = first_answer(self._problem, seconds)
        self._cut = not whole
        if bits is not None:
            self.offer(bits, self._problem.energy(bits))

    def _look(self, seconds: float, seconds_max: float) -> bool:
        if self._model is None:
            self._model = qubo_model(self._problem, stop=self._is_over)
        found = self._process.solve(self._model, seconds, seconds_max)
        self._cut |= found.status == LIMIT
        self.bound = max(self.bound, found.bound)
        if found.values is not None:
            bits = np.rint(found.values[: self._problem.num_variables]).astype(np.int8)
            self.offer(bits, self._problem.energy(bits))
        if self.best is not None:
            if found.status == OPTIMAL:
                self.bound, self.done = self.best.value, True
            self.bound = min(self.bound, self.best.value)
        return found.status != LIMIT


class AssignmentExact(_Exact):
    """A search over placements."""

    def __init__(self, problem: Assignment, hint: np.ndarray | None) -> None:
        super().__init__()
        self._problem = problem
        self._model: AssignmentModel | None = None
        self._cuts: list[Row] = []
        if hint is not None and not violations(problem, hint):
            self.offer(np.asarray(hint, dtype=np.int32), evaluate(problem, hint).value)

    def _begin(self, seconds: float) -> None:
        answer, whole = first_answer(self._problem, seconds)
        self._cut = not whole
        if answer is not None:
            self.offer(answer, evaluate(self._problem, answer).value)

    def _look(self, seconds: float, seconds_max: float) -> bool:
        if self._model is None:
            self._model = assignment_model(self._problem, stop=self._is_over)
        found = self._process.solve(self._model.model.with_rows(self._cuts), seconds, seconds_max)
        self._cut |= found.status == LIMIT
        if found.status == INFEASIBLE:
            raise InfeasibleError("no placement keeps all demands: proven by mixed integer programming")
        self.bound = max(self.bound, found.bound)
        if found.values is not None:
            self._take(found.values, found.status == OPTIMAL)
        if self.best is not None:
            self.bound = min(self.bound, self.best.value)
        return found.status != LIMIT

    def _take(self, values: np.ndarray, optimal: bool) -> None:
        assert self._model is not None
        answer = self._model.answer(values)
        covers = self._model.covers(answer)
        if covers:
            self._cuts.extend(covers)
            return
        value = evaluate(self._problem, answer).value
        self.offer(answer, value)
        assert self.best is not None
        close = PROVEN_TO * max(1.0, abs(value))
        if optimal and (self._model.balance is None or self.best.value - self.bound <= close):
            self.bound, self.done = self.best.value, True
        else:
            self._cuts.extend(self._model.tangents(answer))
