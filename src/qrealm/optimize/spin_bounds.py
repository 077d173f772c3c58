"""Bounds of spins: no answer's energy is below them.

Cycles: going around a cycle on which an odd number of couplings want their spins apart, one coupling at
least stays unpaid. Cycles that share no weight add up.

Semidefinite: ``sᵀCs >= -sum(u) + n · min(0, smallest eigenvalue of C + diag(u))`` for spins s and any
vector u, as ``sᵀ diag(u) s = sum(u)``: the dual of the relaxation of Goemans and Williamson. A field is a
coupling to one more spin. The eigenvalue is LAPACK's, less a margin for its rounding.
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.spin_arrays import whole_weights

FloatArray = NDArray[np.float64]

# The eigenvalues of a dense matrix of this size take a few seconds.
DENSE_MAX = 2500
# Rounding of LAPACK's eigenvalues, as a part of the matrix's norm and for each row; far above what it is.
EIGENVALUE_MARGIN = 1e-14
WHOLE_MAX = 2**20
CYCLE_LENGTH_MAX = 12
# Couplings that the search for cycles looks at, in all: about half a second.
CYCLE_STEPS_MAX = 1_000_000


@cache
def _lapack() -> ThreadpoolController:
    """The libraries of this process that have threads of their own, looked for once."""
    return ThreadpoolController()


def semidefinite_bound(problem: Ising, lengths: FloatArray) -> float:
    """The bound of u = half the lengths of the fields at the vectors of the relaxation.

    Args:
        lengths: shape (spins + 1,), any numbers: the bound is right for all, and good for those of the
            relaxation's best vectors.
    """
    size = problem.num_variables + 1
    matrix = np.zeros((size, size))
    pairs = problem.couplings
    matrix[pairs.rows, pairs.cols] = matrix[pairs.cols, pairs.rows] = pairs.values / 2
    matrix[-1, :-1] = matrix[:-1, -1] = problem.linear / 2
    used = np.any(matrix != 0, axis=1)
    shift = np.where(used, np.asarray(lengths, dtype=np.float64) / 2, 0.0)
    matrix[np.diag_indices(size)] = shift
    kept = matrix[np.ix_(used, used)]
    if not len(kept):
        return problem.offset
    norm = float(np.abs(kept).sum(axis=1).max())
    # One thread: those of LAPACK wait for each other where solvers keep the cores busy.
    with _lapack().limit(limits=1):
        values = np.linalg.eigvalsh(kept)
    smallest = float(values[0]) - EIGENVALUE_MARGIN * len(kept) * norm
    total = float(shift.sum())
    rounding = 1e-13 * (abs(total) + abs(problem.offset))
    return round_up(problem, -total + len(kept) * min(0.0, smallest) - rounding + problem.offset)


def round_up(problem: Ising, bound: float) -> float:
    """The smallest energy from the bound on that spins can have, where the weights are whole numbers times
    a unit; else the bound itself."""
    whole = whole_weights(problem, WHOLE_MAX)
    if whole is None or not math.isfinite(bound):
        return bound
    loosest = int(np.abs(whole.weights, dtype=np.int64).sum()) // 2 + int(np.abs(whole.fields).sum())
    # Energies are offset - unit * (loosest - 2 * k) for whole k: what is unpaid counts twice.
    steps = (bound - problem.offset) / whole.unit + loosest
    slack = 1e-9 * max(1.0, abs(steps))
    unpaid = max(0, math.ceil((steps - slack) / 2))
    return float(problem.offset + whole.unit * (2 * unpaid - loosest))


def cycle_bound(problem: Ising) -> float:
    """The bound of cycles, found greedily, the shortest first; -sum(|weights|) and what they add."""
    pairs = problem.couplings
    ghost = problem.num_variables
    capacity: list[dict[int, float]] = [{} for _ in range(ghost + 1)]
    wants_apart: dict[tuple[int, int], bool] = {}
    fields = [(node, ghost, weight) for node, weight in enumerate(problem.linear.tolist()) if weight]
    edges = list(zip(pairs.rows.tolist(), pairs.cols.tolist(), pairs.values.tolist(), strict=True)) + fields
    total = sum(abs(weight) for _, _, weight in edges)
    if len(edges) > CYCLE_STEPS_MAX:
        return float(problem.offset - total)
    for first, second, weight in edges:
        capacity[first][second] = capacity[second][first] = abs(weight)
        wants_apart[first, second] = wants_apart[second, first] = weight > 0
    unpaid = _paid_by_nobody(capacity, wants_apart, 1e-12 * total)
    bound = problem.offset - total + 2 * unpaid
    return round_up(problem, bound - 1e-12 * (total + abs(problem.offset)))


def _paid_by_nobody(
    capacity: list[dict[int, float]], wants_apart: dict[tuple[int, int], bool], least: float
) -> float:
    """Sum of what the cycles leave unpaid. Takes it out of `capacity`; what is below `least` is nothing."""
    unpaid, steps = 0.0, 0
    for longest in range(3, CYCLE_LENGTH_MAX + 1):
        for node in range(len(capacity)):
            while len(capacity[node]) > 1 and steps < CYCLE_STEPS_MAX:
                cycle, looked_at = _frustrated_cycle(node, longest, capacity, wants_apart)
                steps += looked_at
                if not cycle:
                    break
                share = min(capacity[first][second] for first, second in cycle)
                unpaid += share
                for first, second in cycle:
                    left = capacity[first][second] - share
                    if left > least:
                        capacity[first][second] = capacity[second][first] = left
                    else:
                        del capacity[first][second], capacity[second][first]
    return unpaid


def _frustrated_cycle(
    start: int, longest: int, capacity: list[dict[int, float]], wants_apart: dict[tuple[int, int], bool]
) -> tuple[list[tuple[int, int]], int]:
    """Edges of a shortest closed walk from `start` on which an odd number want their spins apart, without
    an edge twice, empty when there is none of at most so many edges; and how many were looked at."""
    goal = (start, True)
    came_from: dict[tuple[int, bool], tuple[int, bool]] = {(start, False): (start, False)}
    queue = deque([((start, False), 0)])
    looked_at = 0
    while queue and goal not in came_from:
        (node, odd), steps = queue.popleft()
        # Walks that go further cannot come back in time.
        if steps >= longest:
            break
        looked_at += len(capacity[node])
        for neighbour in capacity[node]:
            reached = (neighbour, odd ^ wants_apart[node, neighbour])
            if reached not in came_from:
                came_from[reached] = (node, odd)
                queue.append((reached, steps + 1))
    if goal not in came_from:
        return [], looked_at
    walk, place = [], goal
    while place != (start, False):
        before = came_from[place]
        walk.append((min(before[0], place[0]), max(before[0], place[0])))
        place = before
    return (walk if len(set(walk)) == len(walk) else []), looked_at
