"""Simulated annealing of spins: many copies cooled together, once and again, each time more slowly.

S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by simulated annealing", Science 220 (1983). Where
the weights are small multiples of one number, 512 copies stand in the bits of one word, see
kernels/optimize/spins_packed.h; else 32 stand side by side in single precision. The first cooling is short,
so that there is an answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import (
    SpinSearch,
    check_options,
    packed_weights,
    temperature_range,
)

CARD = SolverCard(
    name="annealing",
    takes=("Ising",),
    word="classical",
    help="simulated annealing of spins, many copies at once, restarted ever more slowly",
    unit="sweeps of all copies",
)


@dataclass(frozen=True, slots=True)
class AnnealingOptions:
    """How it cools.

    Attributes:
        hot, cold: first and last temperature, in units of energy; from the weights when None.
        first_sweeps: of the first cooling. growth: each cooling is so much longer than the one before.
        sweeps_max: of the longest cooling.
        packed: whether copies stand in the bits of words; where that can be done when None.
    """

    hot: float | None = None
    cold: float | None = None
    first_sweeps: int = 40
    growth: float = 2.0
    sweeps_max: int = 2**17
    packed: bool | None = None


def start(
    problem: Ising, options: AnnealingOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin; cooling starts from chance, so a hint is of no use."""
    from qrealm._solvers import LanesAnnealing, PackedAnnealing

    del hint
    chosen: AnnealingOptions = check_options(
        "annealing",
        options,
        AnnealingOptions,
        positive=("hot", "cold", "first_sweeps", "growth", "sweeps_max"),
    )
    if not problem.num_variables:
        return SpinSearch(problem, None)
    hot, cold = temperature_range(problem, chosen.hot, chosen.cold)
    starts, neighbours, weights = problem.neighbours
    schedule = {
        "first_sweeps": max(4, int(chosen.first_sweeps)),
        "growth": float(chosen.growth),
        "sweeps_max": int(chosen.sweeps_max),
        "seed": seed,
    }
    whole = packed_weights(problem, chosen.packed)
    if whole is None:
        kernel = LanesAnnealing(starts, neighbours, weights, problem.linear, hot=hot, cold=cold, **schedule)
        return SpinSearch(problem, kernel)
    return SpinSearch(
        problem,
        PackedAnnealing(
            starts,
            neighbours,
            whole.weights,
            whole.fields,
            hot=hot / whole.unit,
            cold=cold / whole.unit,
            **schedule,
        ),
    )
