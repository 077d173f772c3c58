"""Quantum annealing, simulated by path-integral Monte Carlo: a transverse field that goes down to nothing.

R. Martonak, G. E. Santoro, E. Tosatti, "Quantum annealing by the path-integral Monte Carlo method: the
two-dimensional random Ising model", Phys. Rev. B 66 (2002). The quantum spins at a temperature become 32
classical copies (Trotter slices) in a ring. A classical computation: no quantum speed-up is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import SpinSearch, check_options, field_spread, weakest_and_mean

SLICES = 32

CARD = SolverCard(
    name="quantum_annealing",
    takes=("Ising",),
    word="quantum (simulated)",
    help="quantum annealing of spins by path-integral Monte Carlo, 32 Trotter slices",
    unit="sweeps of all slices",
)


@dataclass(frozen=True, slots=True)
class QuantumAnnealingOptions:
    """The path through the transverse field.

    Attributes:
        temperature: of the quantum system, in units of energy; from the weights when None.
        transverse_field: at the start, in units of energy; it ends at 0. From the weights when None.
        first_sweeps: of the first path. growth: each is so much longer than the one before.
        sweeps_max: of the longest path.
    """

    temperature: float | None = None
    transverse_field: float | None = None
    first_sweeps: int = 40
    growth: float = 2.0
    sweeps_max: int = 2**15


def start(
    problem: Ising, options: QuantumAnnealingOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin from chance; a strong field knows no hint."""
    from qrealm._solvers import PathIntegral

    del hint
    chosen: QuantumAnnealingOptions = check_options(
        "quantum_annealing",
        options,
        QuantumAnnealingOptions,
        positive=("temperature", "transverse_field", "first_sweeps", "growth", "sweeps_max"),
    )
    if not problem.num_variables:
        return SpinSearch(problem, None)
    starts, neighbours, weights = problem.neighbours
    spread, (_, mean) = field_spread(problem), weakest_and_mean(problem)
    field = max(spread, mean) if chosen.transverse_field is None else chosen.transverse_field
    kernel = PathIntegral(
        starts,
        neighbours,
        weights,
        problem.linear,
        temperature=0.4 * spread / SLICES if chosen.temperature is None else chosen.temperature,
        transverse_field=field,
        first_sweeps=max(4, int(chosen.first_sweeps)),
        growth=float(chosen.growth),
        sweeps_max=int(chosen.sweeps_max),
        seed=seed,
    )
    return SpinSearch(problem, kernel)
