"""An assignment as flat arrays, which is what solvers and kernels read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ProblemError

if TYPE_CHECKING:
    from qrealm.optimize.problems.assignment import Assignment, Bin, Item, Rule

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

# Beyond this a sum of leaving-out prices is no longer exact in double precision.
PRICE_MAX = 2.0**52
BIN = "bin"
"""The domain of a rule that speaks of the bins themselves, not of a label that several bins share."""


@dataclass(frozen=True, eq=False)
class RuleArrays:
    """One rule: items by index, and the domain of every bin.

    Attributes:
        items: shape (members,).
        domains: domain of each bin, shape (bins,), from 0 to `num_domains` - 1.
    """

    rule: Rule
    items: IntArray
    domains: IntArray
    num_domains: int


@dataclass(frozen=True, eq=False)
class AssignmentArrays:
    """What `Assignment.arrays` is. n items, m bins, d resources.

    Attributes:
        resources: names, sorted; the columns of the next two.
        demand: (n, d). capacity: (m, d).
        bin_cost: (m,).
        left_out_price: price of leaving each item out, (n,): its weight times a factor by which an item of
            a higher priority outweighs all those of lower ones together.
        allowed_set: row of `allowed` that each item has, (n,); equal sets share a row.
        allowed: whether the bins of each set may be used, (sets, m).
        current: bin of each item now, (n,); -1 for none.
        move_price: price of not being there, (n,); 0 where there is no current bin.
        rules: see `RuleArrays`.
        equal_bins: whether bins differ by their names only, as far as items, rules and costs can tell.
    """

    resources: tuple[str, ...]
    demand: FloatArray
    capacity: FloatArray
    bin_cost: FloatArray
    left_out_price: FloatArray
    allowed_set: IntArray
    allowed: BoolArray
    current: IntArray
    move_price: FloatArray
    rules: tuple[RuleArrays, ...]
    equal_bins: bool


def build_arrays(problem: Assignment) -> AssignmentArrays:
    """The arrays of a checked problem."""
    items, bins = problem.items, problem.bins
    names = {name for item in items for name in item.demand} | {name for b in bins for name in b.capacity}
    resources = tuple(sorted(names))
    index = {place.name: number for number, place in enumerate(bins)}
    allowed_set, allowed = _allowed(items, bins, index)
    current = np.array([-1 if i.current is None else index[i.current] for i in items], dtype=np.int32)
    move_price = np.array([i.move_cost for i in items], dtype=np.float64) * (current >= 0)
    capacity = _table([place.capacity for place in bins], resources)
    rules = tuple(_rule(problem, rule) for rule in problem.rules)
    return AssignmentArrays(
        resources=resources,
        demand=_table([item.demand for item in items], resources),
        capacity=capacity,
        bin_cost=np.array([place.cost for place in bins], dtype=np.float64),
        left_out_price=_left_out_prices(items),
        allowed_set=allowed_set,
        allowed=allowed,
        current=current,
        move_price=move_price,
        rules=rules,
        equal_bins=_are_equal(problem, capacity, allowed, rules),
    )


def _table(rows: Sequence[Mapping[str, float]], resources: tuple[str, ...]) -> FloatArray:
    table = np.zeros((len(rows), len(resources)))
    for row, amounts in enumerate(rows):
        table[row] = [amounts.get(name, 0.0) for name in resources]
    return table


def _allowed(
    items: tuple[Item, ...], bins: tuple[Bin, ...], index: dict[str, int]
) -> tuple[IntArray, BoolArray]:
    rows: dict[tuple[object, ...], int] = {}
    sets: list[BoolArray] = []
    chosen = np.zeros(len(items), dtype=np.int32)
    for number, item in enumerate(items):
        key = (tuple(sorted(item.needs.items())), item.allowed)
        if key not in rows:
            rows[key] = len(sets)
            row = np.array(
                [all(place.labels.get(k) == v for k, v in item.needs.items()) for place in bins],
                dtype=np.bool_,
            )
            if item.allowed is not None:
                named = np.zeros(len(bins), dtype=np.bool_)
                named[[index[name] for name in item.allowed]] = True
                row = row & named
            sets.append(row)
        chosen[number] = rows[key]
    return chosen, np.array(sets, dtype=np.bool_).reshape(len(sets), len(bins))


def _left_out_prices(items: tuple[Item, ...]) -> FloatArray:
    prices = np.zeros(len(items))
    below = 0.0
    for rank, priority in enumerate(sorted({item.priority for item in items})):
        members = [number for number, item in enumerate(items) if item.priority == priority]
        weights = np.array([items[number].weight for number in members])
        smallest = min((w for w in weights if w > 0), default=1.0)
        # The least of these items costs more than all the items of lower priorities: also one of weight 0.
        factor, least = ((1.0 + below) / smallest, 1.0 + below) if rank else (1.0, 0.0)
        prices[members] = np.where(weights > 0, weights * factor, least)
        below += float(prices[members].sum())
    if below > PRICE_MAX:
        raise ProblemError(
            f"so many priorities differ that leaving all items out would cost {below:.3g}; sums "
            f"above {PRICE_MAX:.3g} are not exact",
            hint="use fewer different priorities: equal ones are weighed by their weights",
        )
    return prices


def _rule(problem: Assignment, rule: Rule) -> RuleArrays:
    position = {item.name: number for number, item in enumerate(problem.items)}
    domain_of: dict[object, int] = {}
    domains = np.zeros(len(problem.bins), dtype=np.int32)
    for number, place in enumerate(problem.bins):
        # A tuple cannot be taken for a label's value: it stands for the bin itself.
        own: object = (place.name,)
        key = own if rule.over == BIN else place.labels.get(rule.over, own)
        domains[number] = domain_of.setdefault(key, len(domain_of))
    members = np.array([position[name] for name in rule.items], dtype=np.int32)
    return RuleArrays(rule, members, domains, len(domain_of))


def _are_equal(
    problem: Assignment, capacity: FloatArray, allowed: BoolArray, rules: tuple[RuleArrays, ...]
) -> bool:
    if not problem.bins:
        return True
    return bool(
        np.all(capacity == capacity[0])
        and len({place.cost for place in problem.bins}) == 1
        and np.all(allowed == allowed[:, :1])
        and all(item.current is None for item in problem.items)
        and problem.placement_cost is None
        and all(rule.num_domains in (1, len(problem.bins)) for rule in rules)
    )
