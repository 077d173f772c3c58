"""Bounds that cost next to nothing: known before any solver starts.

Packing: the items' total demand of each resource over the capacity of a bin, rounded up; and items that
pairwise do not fit into one bin. Spins and bits: every field and coupling at its best.
"""

from __future__ import annotations

import math

import numpy as np

from qrealm.optimize.problems import Assignment, Ising, MaxCut, Problem, Qubo
from qrealm.optimize.problems.evaluate import TOLERANCE


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
    """All parts are at least 0; bins and their costs have the bound of `bins_needed` and of the cheapest
    bins."""
    if problem.may_leave_out or not problem.items:
        return 0.0
    needed = bins_needed(problem)
    cheapest = float(np.sort(problem.arrays.bin_cost)[:needed].sum())
    placing = (
        0.0
        if problem.placement_cost is None
        else float(problem.placement_cost.min(axis=1, initial=math.inf).sum())
    )
    return problem.objective.bins * needed + problem.objective.cost * (cheapest + placing)


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
    return max(least, _pairwise(arrays.demand, arrays.capacity.max(axis=0)))


def _pairwise(demand: np.ndarray, room: np.ndarray) -> int:
    """Items, greedily collected, no two of which fit together into the largest bin."""
    order = np.argsort(-(demand / np.where(room > 0, room, 1.0)).max(axis=1))
    chosen: list[int] = []
    for item in order.tolist():
        together = demand[chosen] + demand[item]
        if np.all((together > room * (1 + TOLERANCE)).any(axis=1)):
            chosen.append(item)
    return len(chosen)
