"""Bounds that cost next to nothing: known before any solver starts.

Packing: the items' total demand of each resource over the capacity of a bin, rounded up; items that
pairwise do not fit into one bin; and, for equal bins, dual feasible functions of S. P. Fekete, J. Schepers,
"New classes of fast lower bounds for bin packing problems" (2001): sizes are exaggerated so that no bin gets
more than full, and the total rounded up. A mean of several resources is a size as well. Spins and bits:
every field and coupling at its best.
"""

from __future__ import annotations

import math

import numpy as np

from qrealm.optimize.problems import Assignment, Ising, MaxCut, Problem, Qubo
from qrealm.optimize.problems.evaluate import TOLERANCE

CLIQUE_ITEMS_MAX = 600
CLIQUE_STARTS = 3
ROUNDING_MAX = 12
PAIRS_MAX = 64
THRESHOLDS_MAX = 64
# Sizes looked at, over all thresholds.
WORK_MAX = 2_000_000


def first_bound(problem: Problem) -> float:
    """No answer can cost less than this."""
    if isinstance(problem, Assignment):
        return _assignment_bound(problem)
    ising = problem if isinstance(problem, Ising) else problem.to_ising()
    loosest = -float(np.abs(ising.linear).sum()) - float(np.abs(ising.couplings.values).sum()) + ising.offset
    return max(loosest, _qubo_bound(problem)) if isinstance(problem, Qubo | MaxCut) else loosest


def _qubo_bound(problem: Qubo | MaxCut) -> float:
    qubo = problem if isinstance(problem, Qubo) else problem.to_qubo()
    return (
        float(np.minimum(qubo.linear, 0).sum())
        + float(np.minimum(qubo.couplings.values, 0).sum())
        + qubo.offset
    )


def _assignment_bound(problem: Assignment) -> float:
    """All parts but the placement costs are at least 0; bins and their costs have the bound of
    `bins_needed` and of the cheapest bins, each item the cheapest of its bins or of being left out."""
    if not problem.items:
        return 0.0
    if problem.may_leave_out:
        return float(np.minimum(_cheapest_places(problem), problem.arrays.left_out_price).sum())
    needed = bins_needed(problem)
    cheapest = float(np.sort(problem.arrays.bin_cost)[:needed].sum())
    placing = float(_cheapest_places(problem).sum())
    return problem.objective.bins * needed + problem.objective.cost * cheapest + placing


def _cheapest_places(problem: Assignment) -> np.ndarray:
    """What placing each item costs at least, shape (items,); 0 for one that may go nowhere."""
    if problem.placement_cost is None or not problem.bins:
        return np.zeros(len(problem.items))
    arrays = problem.arrays
    least = np.full(len(problem.items), math.inf)
    for number, row in enumerate(arrays.allowed):
        members = np.flatnonzero(arrays.allowed_set == number)
        if row.any():
            least[members] = problem.placement_cost[np.ix_(members, np.flatnonzero(row))].min(axis=1)
    # One that may go nowhere is left out or makes the problem infeasible: 0 is below both prices.
    return problem.objective.cost * np.where(np.isfinite(least), least, 0.0)


def bins_needed(problem: Assignment) -> int:
    """So many bins at least are in use in every placement of all items."""
    arrays = problem.arrays
    if not len(arrays.demand) or not len(arrays.capacity):
        return 0
    least = 1
    for resource in range(len(arrays.resources)):
        largest_first = np.sort(arrays.capacity[:, resource])[::-1] * (1 + TOLERANCE)
        total = float(arrays.demand[:, resource].sum())
        reached = np.cumsum(largest_first)
        least = max(least, int(np.searchsorted(reached, total * (1 - TOLERANCE))) + 1)
    if (arrays.demand < 0).any():  # two items may share a bin thanks to a third that brings room
        return least
    least = max(least, _pairwise(arrays.demand, arrays.capacity.max(axis=0)))
    if not np.all(arrays.capacity == arrays.capacity[0]):
        return least
    return max(least, _exaggerated(_sizes(arrays.demand, arrays.capacity[0])))


def _sizes(demand: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Rows of sizes of which no bin holds more than 1, (rows, items): single resources, means of two, of
    all."""
    scarce = room > 0
    # A little smaller than exact, for what capacities forgive.
    single = (demand[:, scarce] / (room[scarce] * (1 + 2 * TOLERANCE))).T
    count = len(single)
    if count < 2:
        return single
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)][:PAIRS_MAX]
    return np.concatenate(
        [single, [(single[i] + single[j]) / 2 for i, j in pairs], single.mean(axis=0)[None]]
    )


def _exaggerated(sizes: np.ndarray) -> int:
    """The best bound of a family of dual feasible functions of every row of sizes."""
    best = 0.0
    if not sizes.size or sizes.max() > 1:
        return 0  # an item that no bin holds: said elsewhere
    for k in range(1, ROUNDING_MAX + 1):
        best = max(best, float(_rounded(sizes, k).sum(axis=1).max()))
    count = max(1, min(sizes.shape[1], THRESHOLDS_MAX, WORK_MAX // sizes.size))
    for row in sizes:
        small = np.unique(row[(row > 0) & (row <= 0.5)])
        if not len(small):
            continue
        # Just above a size, up to which items then count nothing, and at sizes, which then count still.
        chosen = small[np.linspace(0, len(small) - 1, min(count, len(small))).astype(int)]
        for threshold in np.unique(np.append(chosen, [1 / 3, 0.25, 0.2])).tolist():
            kept = np.where(row > 1 - threshold, 1.0, np.where(row < threshold, 0.0, row))
            best = max(best, float(kept.sum()), float(_stepped(row, threshold).sum()))
    return math.ceil(best * (1 - TOLERANCE))


def _rounded(sizes: np.ndarray, k: int) -> np.ndarray:
    """Sizes down to multiples of 1/k, except those where (k + 1) times the size is whole."""
    times = (k + 1) * sizes
    down = np.floor(times)
    return np.where(np.abs(times - np.rint(times)) < 1e-12, sizes, down / k)


def _stepped(row: np.ndarray, threshold: float) -> np.ndarray:
    """Items from the threshold to one half all count as the smallest that they can be, larger ones as what
    is left beside them."""
    steps = math.floor(1 / threshold + 1e-12)
    beside = np.floor((1 - row) / threshold + 1e-12) / steps
    return np.where(row > 0.5, 1.0 - beside, np.where(row >= threshold, 1.0 / steps, 0.0))


def _pairwise(demand: np.ndarray, room: np.ndarray) -> int:
    """Items, greedily collected, no two of which fit together into the largest bin."""
    limit = room * (1 + TOLERANCE)
    shares = demand / np.where(room > 0, room, 1.0)
    order = np.argsort(-shares.max(axis=1, initial=0.0))[:CLIQUE_ITEMS_MAX]
    apart = np.zeros((len(order), len(order)), dtype=bool)
    for resource in range(len(room)):
        column = demand[order, resource]
        apart |= column[:, None] + column[None, :] > limit[resource]
    np.fill_diagonal(apart, False)
    best = 0
    for first in np.argsort(-apart.sum(axis=1), kind="stable")[:CLIQUE_STARTS].tolist():
        size, still = 1, apart[first].copy()
        choice = apart[:, still].sum(axis=1)
        while still.any():
            # The one that leaves the most to choose from is next.
            chosen = int(np.argmax(np.where(still, choice, -1)))
            size, gone = size + 1, still & ~apart[chosen]
            still &= apart[chosen]
            choice -= apart[:, gone].sum(axis=1)
        best = max(best, size)
    return best
