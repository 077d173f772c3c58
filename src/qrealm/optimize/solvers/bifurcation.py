"""Simulated bifurcation: spins as classical particles that must decide for one side.

H. Goto, K. Endo, M. Suzuki, Y. Sakai, T. Kanao, Y. Hamakawa, R. Hidaka, M. Yamasaki, K. Tatsumura,
"High-performance combinatorial optimization based on classical mechanics", Sci. Adv. 7 (2021). Ballistic:
forces by positions; discrete: forces by signs. 32 agents side by side, restarted ever more slowly. Known to
be weak where each spin has few neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import SolverCard
from qrealm.optimize.solvers.spin_arrays import SpinSearch, check_options, field_spread

Kind = Literal["in turn", "ballistic", "discrete"]

POWER_STEPS = 30
# Of the longest step that is stable.
STEP_SHARE = 0.6

CARD = SolverCard(
    name="bifurcation",
    takes=("Ising",),
    word="quantum-inspired",
    help="simulated bifurcation, ballistic or discrete, 32 agents at once",
    unit="time steps of all agents",
)


@dataclass(frozen=True, slots=True)
class BifurcationOptions:
    """How the particles move.

    Attributes:
        kind: ``"discrete"``, ``"ballistic"``, or ``"in turn"``: a run of one, then one of the other.
        time_step: of the symplectic Euler method; as long as it is stable, at most 1, when None.
        strength: of the forces between particles, over the spread of the fields; 0.5 is the paper's.
        first_steps: of the first run. growth: each run is so much longer than the one before.
        steps_max: of the longest run.
    """

    kind: Kind = "in turn"
    time_step: float | None = None
    strength: float = 0.7
    first_steps: int = 100
    growth: float = 2.0
    steps_max: int = 2**15


def stable_step(problem: Ising, strength: float) -> float:
    """A time step that the stiffest mode of the particles, 1 + strength * the largest eigenvalue, stands."""
    pairs = problem.couplings
    mode = np.random.default_rng(0).normal(size=problem.num_variables)
    largest = 0.0
    for _ in range(POWER_STEPS):
        image = np.bincount(pairs.rows, pairs.values * mode[pairs.cols], problem.num_variables)
        image += np.bincount(pairs.cols, pairs.values * mode[pairs.rows], problem.num_variables)
        largest = float(np.linalg.norm(image))
        if largest == 0:
            break
        mode = image / largest
    return min(1.0, STEP_SHARE * 2 / math.sqrt(1 + strength * largest))


def start(
    problem: Ising, options: BifurcationOptions | None, *, seed: int, hint: np.ndarray | None
) -> SpinSearch:
    """Begin from near the middle; a hint is of no use."""
    from qrealm._solvers import Bifurcation

    del hint
    chosen: BifurcationOptions = check_options(
        "bifurcation",
        options,
        BifurcationOptions,
        positive=("time_step", "strength", "first_steps", "growth", "steps_max"),
    )
    if chosen.kind not in get_args(Kind):
        raise ProblemError(f"bifurcation got kind={chosen.kind!r}; it is one of {', '.join(get_args(Kind))}")
    if not problem.num_variables:
        return SpinSearch(problem, None)
    starts, neighbours, weights = problem.neighbours
    strength = chosen.strength / field_spread(problem)
    kernel = Bifurcation(
        starts,
        neighbours,
        weights,
        problem.linear,
        discrete=chosen.kind != "ballistic",
        in_turn=chosen.kind == "in turn",
        time_step=stable_step(problem, strength) if chosen.time_step is None else chosen.time_step,
        strength=strength,
        first_steps=max(1, int(chosen.first_steps)),
        growth=float(chosen.growth),
        steps_max=int(chosen.steps_max),
        seed=seed,
    )
    return SpinSearch(problem, kernel)
