"""Tabu search of spins: the best flip that is not forbidden, and starts that mix good answers.

F. Glover, Z. Lu, J.-K. Hao, "Diversification-driven tabu search for unconstrained binary quadratic
problems", 4OR 8 (2010); Q. Wu, J.-K. Hao, "A memetic approach for the max-cut problem", PPSN 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import SpinSearch, check_options

CARD = SolverCard(
    name="tabu",
    takes=("Ising",),
    word="classical",
    help="tabu search of spins with restarts from mixtures of good answers",
    unit="flips",
)


@dataclass(frozen=True, slots=True)
class TabuOptions:
    """How it remembers.

    Attributes:
        tenure: flips for which a spin is forbidden, and as many as 10 more at random; a twentieth of the
            spins when None.
        patience: flips without a better answer until the next start; 20 for each spin when None.
        elite: good answers that are kept, at least 2.
    """

    tenure: int | None = None
    patience: int | None = None
    elite: int = 10


def start(problem: Ising, options: TabuOptions | None, *, seed: int, hint: np.ndarray | None) -> SpinSearch:
    """Begin, from the hint where there is one."""
    from qrealm._solvers import Tabu

    chosen: TabuOptions = check_options(
        "tabu", options, TabuOptions, positive=("tenure", "patience", "elite")
    )
    if chosen.elite < 2:
        raise ProblemError(f"tabu got elite={chosen.elite!r}; two answers at least are needed to mix")
    spins = problem.num_variables
    if not spins:
        return SpinSearch(problem, None)
    starts, neighbours, weights = problem.neighbours
    kernel = Tabu(
        starts,
        neighbours,
        weights,
        problem.linear,
        hint=np.zeros(0, dtype=np.int8) if hint is None else np.ascontiguousarray(hint, dtype=np.int8),
        tenure=max(1, spins // 20) if chosen.tenure is None else int(chosen.tenure),
        patience=max(1000, 20 * spins) if chosen.patience is None else int(chosen.patience),
        elite=int(chosen.elite),
        seed=seed,
    )
    return SpinSearch(problem, kernel)
