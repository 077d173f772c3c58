"""The semidefinite relaxation: spins as unit vectors, answers by random planes, and a proven bound.

M. X. Goemans, D. P. Williamson, "Improved approximation algorithms for maximum cut and satisfiability
problems using semidefinite programming", J. ACM 42 (1995); the vectors by P.-W. Wang, W.-C. Chang, J. Z.
Kolter, "The Mixing method: low-rank coordinate descent for semidefinite programming with diagonal
constraints", arXiv 1706.00476. The bound is computed after 10, 20, 40, ... sweeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import SpinSearch, check_options
from qrealm.optimize.spin_bounds import DENSE_MAX, cycle_bound, semidefinite_bound

FIRST_BOUND_SWEEPS = 10
SWEEPS_MAX = 10 * 2**9


def _refusal(problem: Ising) -> str:
    if problem.num_variables > DENSE_MAX:
        return f"semidefinite takes up to {DENSE_MAX} spins; there are {problem.num_variables}"
    return ""


CARD = SolverCard(
    name="semidefinite",
    takes=("Ising",),
    word="classical",
    help="the semidefinite relaxation of spins: a proven bound, and answers by random planes",
    unit="turns of every vector",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class SemidefiniteOptions:
    """How far it goes.

    Attributes:
        rank: entries of a vector; enough for the exact relaxation when None.
        sweeps_max: after so many it is done.
    """

    rank: int | None = None
    sweeps_max: int = SWEEPS_MAX


class SemidefiniteSearch(SpinSearch):
    """The vectors at work; every time their sweeps have doubled, a bound."""

    def __init__(self, problem: Ising, kernel: object, sweeps_max: int) -> None:
        super().__init__(problem, kernel)  # type: ignore[arg-type]
        self.bound = cycle_bound(problem)
        self._sweeps_max = sweeps_max
        self._next_bound = FIRST_BOUND_SWEEPS

    @property
    def done(self) -> bool:
        """After the last sweep."""
        return super().done or self.work >= self._sweeps_max

    def advance(self, work: int, seconds_left: float) -> None:
        """So many sweeps more, with the bounds that fall due."""
        left = min(work, self._sweeps_max - self.work)
        while left > 0:
            part = min(left, self._next_bound - self.work)
            super().advance(part, seconds_left)
            left -= part
            if self.work == self._next_bound:
                self.bound = max(self.bound, semidefinite_bound(self._problem, self.kernel.lengths()))
                self._next_bound *= 2


def start(
    problem: Ising, options: SemidefiniteOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin from random vectors; a hint is of no use."""
    from qrealm._solvers import Mixing

    del hint
    chosen: SemidefiniteOptions = check_options(
        "semidefinite", options, SemidefiniteOptions, positive=("rank", "sweeps_max")
    )
    if not problem.num_variables:
        return SpinSearch(problem, None)
    # Beyond sqrt(2 n) every local minimum is the relaxation's own.
    enough = math.ceil(math.sqrt(2 * (problem.num_variables + 1))) + 1
    starts, neighbours, weights = problem.neighbours
    kernel = Mixing(
        starts,
        neighbours,
        weights,
        problem.linear,
        rank=enough if chosen.rank is None else int(chosen.rank),
        seed=seed,
    )
    return SemidefiniteSearch(problem, kernel, int(chosen.sweeps_max))
