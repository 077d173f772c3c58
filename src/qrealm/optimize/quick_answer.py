"""An answer of spins or bits for when no solver had the time to find one: all of them are answers."""

from __future__ import annotations

import numpy as np

from qrealm.optimize.problems import Ising, MaxCut, Qubo
from qrealm.optimize.problems.binary import Couplings
from qrealm.optimize.solvers.protocol import Candidate

QUICK = "quick"
"""What a result calls the finder of such an answer."""
ROUNDS_MAX = 16
TIES_SEED = 0


def quick_answer(problem: Qubo | Ising | MaxCut) -> Candidate:
    """All spins up, or all bits 0, and a descent from there, in the words of the problem.

    In each of a few rounds the variables flip that gain by it, and more than each of their neighbours: so
    no two neighbours flip at once, and the value falls by all their gains. Time and memory are linear in
    variables and couplings.
    """
    linear, couplings = _spins(problem)
    spins = np.ones(problem.num_variables)
    # By number, ties along a chain would let one variable flip in each round; shuffled, a third of them do.
    rank = np.random.default_rng(TIES_SEED).permutation(problem.num_variables)
    tie = rank[couplings.rows] < rank[couplings.cols]
    for _ in range(ROUNDS_MAX):
        gain = 2 * spins * (linear + _fields(couplings, spins))
        ranked = _best_of_neighbours(gain, couplings, tie)
        chosen = (gain > 0) & ranked
        if not chosen.any():
            break
        spins[chosen] *= -1
    answer = (1 - spins) / 2 if isinstance(problem, Qubo) else spins
    return Candidate(answer.astype(np.int8), problem.energy(answer))


def _spins(problem: Qubo | Ising | MaxCut) -> tuple[np.ndarray, Couplings]:
    ising = problem if isinstance(problem, Ising) else problem.to_ising()
    return ising.linear, ising.couplings


def _fields(couplings: Couplings, spins: np.ndarray) -> np.ndarray:
    rows, cols, values = couplings.rows, couplings.cols, couplings.values
    count = len(spins)
    return np.bincount(rows, values * spins[cols], count) + np.bincount(cols, values * spins[rows], count)


def _best_of_neighbours(gain: np.ndarray, couplings: Couplings, tie: np.ndarray) -> np.ndarray:
    """Whether each gains more than all its neighbours; `tie`: pairs whose first wins a tie."""
    rows, cols = couplings.rows, couplings.cols
    first_wins = (gain[rows] > gain[cols]) | ((gain[rows] == gain[cols]) & tie)
    best = np.ones(len(gain), dtype=bool)
    best[cols[first_wins]] = False
    best[rows[~first_wins]] = False
    return best
