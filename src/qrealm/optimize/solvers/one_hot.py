"""The states of a small Assignment for QAOA: every choice of a bin for every item, with its cost.

Of the 2^(items · bins) states of one-hot qubits only those with one option for each item are kept, of which
there are as many as the product of the numbers of options. A mixer that keeps them is in the kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import InfeasibleError
from qrealm.optimize.problems import Assignment
from qrealm.optimize.problems.evaluate import TOLERANCE

FloatArray = NDArray[np.float64]


def options_of(problem: Assignment) -> list[NDArray[np.int32]]:
    """Of each item: the bins that it may go to, and -1 where it may be left out."""
    arrays = problem.arrays
    out = np.array([-1] if problem.may_leave_out else [], dtype=np.int32)
    return [
        np.concatenate([np.flatnonzero(arrays.allowed[row]).astype(np.int32), out])
        for row in arrays.allowed_set
    ]


def count_states(problem: Assignment) -> int:
    """How many choices there are."""
    return math.prod(len(options) for options in options_of(problem))


@dataclass(frozen=True, eq=False)
class OneHotTable:
    """All choices of a problem.

    Attributes:
        options: see `options_of`; state x has option ``x // stride % len(options)`` of each item, the first
            item's stride being 1.
        values: cost of each state as `evaluate` has it, shape (states,).
        feasible: whether it keeps all demands.
    """

    options: list[NDArray[np.int32]]
    values: FloatArray
    feasible: NDArray[np.bool_]

    def answer(self, state: int) -> NDArray[np.int32]:
        """The bin of each item."""
        chosen = []
        for options in self.options:
            chosen.append(int(options[state % len(options)]))
            state //= len(options)
        return np.array(chosen, dtype=np.int32)

    @property
    def lowest(self) -> float:
        """The least cost of a state that keeps all demands."""
        return float(self.values[self.feasible].min())

    def penalized(self) -> FloatArray:
        """Costs, with those that break a demand half the spread of the others above the highest of them."""
        kept = self.values[self.feasible]
        low, high = float(kept.min()), float(kept.max())
        return np.where(self.feasible, self.values, high + max((high - low) / 2, 0.5 * (high == low)))


def build_table(problem: Assignment) -> OneHotTable:
    """Costs and demands of all states at once. Raises InfeasibleError when no state keeps all demands: a
    proof, as all were tried."""
    table = _Table(problem, options_of(problem))
    values, feasible = table.costs()
    if not feasible.any():
        raise InfeasibleError(
            f"none of the {len(values)} placements keeps all demands",
            conflict=(f"all {len(problem.items)} items with all {len(problem.bins)} bins and rules",),
        )
    return OneHotTable(table.options, values, feasible)


class _Table:
    """Sums over the items of something that depends on the item and its option, for all states."""

    def __init__(self, problem: Assignment, options: list[NDArray[np.int32]]) -> None:
        self._problem, self.options = problem, options
        self._states = math.prod(len(each) for each in options)

    def _sum(self, parts: list[FloatArray]) -> FloatArray:
        """Of one array for each item, one number for each of its options."""
        return reduce(lambda total, part: np.add.outer(part, total).ravel(), parts, np.zeros(1))

    def _amount_in(self, wanted: NDArray[np.bool_], amounts: FloatArray) -> FloatArray:
        """Sum of the amounts of the items whose bin is wanted, shape (states,)."""
        marks = np.append(wanted, False)  # the last one is for bin -1
        return self._sum(
            [marks[options] * amount for options, amount in zip(self.options, amounts, strict=True)]
        )

    def costs(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """(cost, whether all demands are kept) of each state."""
        problem, arrays = self._problem, self._problem.arrays
        values = self._sum([self._own_cost(item, options) for item, options in enumerate(self.options)])
        feasible = np.ones(self._states, dtype=bool)
        num_bins, resources = arrays.capacity.shape
        share_sum = np.zeros((resources, self._states)) if problem.objective.balance else None
        ones = np.ones(len(problem.items))
        for place in range(num_bins):
            here = np.arange(num_bins) == place
            in_use = self._amount_in(here, ones) > 0
            price = problem.objective.bins + problem.objective.cost * float(arrays.bin_cost[place])
            values += price * in_use
            most, least = np.zeros(self._states), np.ones(self._states)
            for resource in range(resources):
                capacity = float(arrays.capacity[place, resource])
                load = self._amount_in(here, arrays.demand[:, resource])
                feasible &= load <= capacity * (1 + TOLERANCE)
                share = load / capacity if capacity > 0 else np.zeros(self._states)
                np.maximum(most, share, out=most)
                np.minimum(least, share, out=least)
                if share_sum is not None:
                    share_sum[resource] += share
                    values += problem.objective.balance * share**2 / (num_bins * resources)
            if resources:
                values += problem.objective.fragmentation * (most - least) * in_use / max(1, num_bins)
        if share_sum is not None:
            values -= problem.objective.balance * (share_sum**2).sum(axis=0) / (num_bins**2 * resources)
        self._add_rules(values, feasible)
        return values, feasible

    def _own_cost(self, item: int, options: NDArray[np.int32]) -> FloatArray:
        """What an option costs whatever the others choose."""
        problem, arrays = self._problem, self._problem.arrays
        cost = np.zeros(len(options))
        placed = options >= 0
        if problem.placement_cost is not None:
            cost[placed] += problem.objective.cost * problem.placement_cost[item, options[placed]]
        if arrays.current[item] >= 0:
            moved = placed & (options != arrays.current[item])
            cost[moved] += problem.objective.moves * float(arrays.move_price[item])
        cost[~placed] += float(arrays.left_out_price[item])
        return cost

    def _add_rules(self, values: FloatArray, feasible: NDArray[np.bool_]) -> None:
        for rule in self._problem.arrays.rules:
            members = np.zeros(len(self._problem.items))
            members[rule.items] = 1.0
            domains_used, excess = np.zeros(self._states), np.zeros(self._states)
            most, least = np.zeros(self._states), np.full(self._states, np.inf)
            for domain in range(rule.num_domains):
                count = self._amount_in(rule.domains == domain, members)
                domains_used += count > 0
                excess += np.maximum(count - 1, 0)
                np.maximum(most, count, out=most)
                np.minimum(least, count, out=least)
            amount = {
                "together": np.maximum(domains_used - 1, 0),
                "apart": excess,
                "spread": np.maximum(most - np.where(np.isinf(least), 0, least) - rule.rule.skew, 0),
            }[rule.rule.kind]
            if rule.rule.weight is None:
                feasible &= amount == 0
            else:
                values += rule.rule.weight * amount
