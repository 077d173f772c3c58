"""`solve`: one door to all solvers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from qrealm.base.errors import InfeasibleError, ProblemError
from qrealm.base.machine import cores_default
from qrealm.optimize.bounds import first_bound
from qrealm.optimize.choose import entries_for
from qrealm.optimize.infeasible import Conflict, find_conflict
from qrealm.optimize.portfolio import Entry, run_portfolio
from qrealm.optimize.problems import Assignment, Ising, MaxCut, Problem, Qubo
from qrealm.optimize.result import OptimizeResult, ProgressCallback
from qrealm.optimize.solvers import AUTO, card_of
from qrealm.simulate.request import check_seed, check_threads, draw_seed

SECONDS_MAX = 30 * 86400.0
# For a proof that there is no answer, when none was found.
EXPLAIN_SECONDS = 2.0
EXPLAIN_SHARE = 0.25


def solve(
    problem: Problem,
    *,
    solver: str = AUTO,
    seconds: float = 5.0,
    seed: int | None = None,
    threads: int | None = None,
    options: Any = None,
    target: float | None = None,
    work: Mapping[str, int] | None = None,
    progress: ProgressCallback | None = None,
) -> OptimizeResult:
    """The best answer that can be found in the time, with a proven bound.

    Args:
        problem: an Assignment, Qubo, Ising or MaxCut.
        solver: ``"auto"`` runs a portfolio; else the name of one, on every thread with another seed.
        seconds: wall-clock limit. Ctrl-C ends it earlier, with the best answer so far. Where no answer was
            found, up to a quarter of it more, or two seconds, is spent on a proof that there is none.
        seed: the same seed, threads and work give the same answer; drawn when None, and in the result.
        threads: all cores when None.
        options: of the solver's own class; only with a solver by name.
        target: stop at a value this small.
        work: `OptimizeResult.work` of another run: repeats it exactly, however long that takes. Its labels
            must be those of this run: the same solver, seed and threads.
        progress: called every tenth of a second from the calling thread.

    Raises:
        ProblemError: the problem is not one, or an option is out of range.
        InfeasibleError: no answer keeps all demands; it says whether that is proven, and what conflicts.
        SolverRefusalError: the named solver cannot take this problem.
        MissingExtraError: the named solver needs a package that is not installed.
    """
    _check(problem, seconds, target)
    chosen_seed = draw_seed() if seed is None else check_seed(seed)
    count = check_threads(threads) or cores_default()
    bound = first_bound(problem)
    if solver == AUTO:
        if options is not None:
            raise ProblemError("solve got options without a solver; name the solver that they are for")
        entries = entries_for(problem, count)
    else:
        card_of(solver)
        # One that does not use its seed would only do the same again.
        entries = [Entry(solver, options)] * (count if card_of(solver).seeded else 1)
    try:
        return run_portfolio(
            problem,
            entries,
            seconds=seconds,
            seed=chosen_seed,
            threads=count,
            target=target,
            work=work,
            progress=progress,
            first_bound=bound,
        )
    except InfeasibleError as nothing:
        if not isinstance(problem, Assignment) or nothing.conflict:
            raise
        conflict = find_conflict(problem, max(EXPLAIN_SECONDS, EXPLAIN_SHARE * seconds))
        if conflict is None:
            raise
        raise _infeasible(conflict) from nothing


def _check(problem: Problem, seconds: float, target: float | None) -> None:
    if not isinstance(problem, Assignment | Qubo | Ising | MaxCut):
        raise ProblemError(
            f"solve got a {type(problem).__name__}; it takes an Assignment, Qubo, Ising or MaxCut"
        )
    if not (isinstance(seconds, int | float) and 0 < seconds <= SECONDS_MAX and math.isfinite(seconds)):
        raise ProblemError(f"solve got seconds={seconds!r}; it must be above 0 and at most {SECONDS_MAX:g}")
    number = isinstance(target, int | float | np.number) and not isinstance(target, bool)
    if target is not None and not (number and math.isfinite(target)):
        raise ProblemError(f"solve got target={target!r:.60}; it must be a finite number, or None")
    conflict = find_conflict(problem) if isinstance(problem, Assignment) else None
    if conflict is not None:
        raise _infeasible(conflict)


def _infeasible(conflict: Conflict) -> InfeasibleError:
    return InfeasibleError(
        f"no placement keeps all demands: {'; '.join(conflict.demands)}",
        conflict=conflict.demands,
        hint="loosen one of these, or let items be left out (may_leave_out=True)",
    )
