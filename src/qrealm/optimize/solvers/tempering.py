"""Parallel tempering of spins: copies at a ladder of temperatures that exchange places.

K. Hukushima, K. Nemoto, "Exchange Monte Carlo method and application to spin glass simulations", J. Phys.
Soc. Jpn. 65 (1996). Where the weights are small multiples of one number, 512 copies stand in the bits of
one word; else 32 stand side by side in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import (
    SpinSearch,
    check_options,
    packed_weights,
    temperature_range,
)

RUNGS_PACKED, RUNGS_LANES = 64, 32

CARD = SolverCard(
    name="tempering",
    takes=("Ising",),
    word="classical",
    help="parallel tempering of spins: ladders of temperatures with replica exchange",
    unit="sweeps of all copies",
)


@dataclass(frozen=True, slots=True)
class TemperingOptions:
    """The ladder.

    Attributes:
        hot, cold: its ends, in units of energy; from the weights when None. Temperatures between them are
            in a geometric series.
        rungs: how many there are, a power of 2 from 2 to 64 (packed) or 32; 32 when None.
        sweeps_between: sweeps between two exchanges.
        packed: whether copies stand in the bits of words; where that can be done when None.
    """

    hot: float | None = None
    cold: float | None = None
    rungs: int | None = None
    sweeps_between: int = 2
    packed: bool | None = None


def start(
    problem: Ising, options: TemperingOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin from chance; the heat would forget a hint."""
    from qrealm._solvers import LanesTempering, PackedTempering

    del hint
    chosen: TemperingOptions = check_options(
        "tempering", options, TemperingOptions, positive=("hot", "cold", "rungs", "sweeps_between")
    )
    if not problem.num_variables:
        return SpinSearch(problem, None)
    whole = packed_weights(problem, chosen.packed)
    most = RUNGS_LANES if whole is None else RUNGS_PACKED
    rungs = RUNGS_LANES if chosen.rungs is None else int(chosen.rungs)
    if not 2 <= rungs <= most or rungs & (rungs - 1):
        raise ProblemError(f"tempering got rungs={rungs}; it takes a power of 2 from 2 to {most} here")
    hot, cold = temperature_range(problem, chosen.hot, chosen.cold)
    starts, neighbours, weights = problem.neighbours
    ladder = {"rungs": rungs, "sweeps_between": max(1, int(chosen.sweeps_between)), "seed": seed}
    if whole is None:
        kernel = LanesTempering(starts, neighbours, weights, problem.linear, hot=hot, cold=cold, **ladder)
        return SpinSearch(problem, kernel)
    return SpinSearch(
        problem,
        PackedTempering(
            starts,
            neighbours,
            whole.weights,
            whole.fields,
            hot=hot / whole.unit,
            cold=cold / whole.unit,
            **ladder,
        ),
    )
