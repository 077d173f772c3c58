"""Simulated annealing of spins: 512 copies cooled together, once and again, each time more slowly.

S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by simulated annealing", Science 220 (1983). The
copies stand in the bits of one word, see kernels/optimize/spins_packed.h. The first cooling is short, so
that there is an answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import (
    SpinSearch,
    check_options,
    field_spread,
    packed_weights,
    weakest_and_mean,
)


def _refusal(problem: Ising) -> str:
    if problem.num_variables and packed_weights(problem) is None:
        return "annealing counts weights in bits: they must be small multiples of one number"
    return ""


CARD = SolverCard(
    name="annealing",
    takes=("Ising",),
    word="classical",
    help="simulated annealing of spins, 512 copies in the bits of one word, restarted ever more slowly",
    unit="sweeps of all copies",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class AnnealingOptions:
    """How it cools.

    Attributes:
        hot, cold: first and last temperature, in units of energy; from the weights when None.
        first_sweeps: of the first cooling. growth: each cooling is so much longer than the one before.
        sweeps_max: of the longest cooling.
    """

    hot: float | None = None
    cold: float | None = None
    first_sweeps: int = 40
    growth: float = 2.0
    sweeps_max: int = 2**17


def temperatures(problem: Ising, hot: float | None, cold: float | None) -> tuple[float, float]:
    """First and last temperature in units of energy: at the first the strongest fields are just felt, at
    the last the weakest rules."""
    weakest, mean = weakest_and_mean(problem)
    return (
        0.6 * field_spread(problem) if hot is None else hot,
        0.1 * weakest + 0.2 * mean if cold is None else cold,
    )


def start(
    problem: Ising, options: AnnealingOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin; cooling starts from chance, so a hint is of no use."""
    from qrealm._solvers import PackedAnnealing

    del hint
    chosen: AnnealingOptions = check_options(
        "annealing",
        options,
        AnnealingOptions,
        positive=("hot", "cold", "first_sweeps", "growth", "sweeps_max"),
    )
    whole = packed_weights(problem)
    if whole is None:
        return SpinSearch(problem, None)
    hot, cold = temperatures(problem, chosen.hot, chosen.cold)
    starts, neighbours, _ = problem.neighbours
    kernel = PackedAnnealing(
        starts,
        neighbours,
        whole.weights,
        whole.fields,
        hot=hot / whole.unit,
        cold=cold / whole.unit,
        first_sweeps=max(4, int(chosen.first_sweeps)),
        growth=float(chosen.growth),
        sweeps_max=int(chosen.sweeps_max),
        seed=seed,
    )
    return SpinSearch(problem, kernel)
