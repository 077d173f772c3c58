"""Items on bins: containers on nodes, jobs on machines, qubits on processors, clients on tasks.

Every item has a demand for each resource, every bin a capacity of each. A placement gives each item one
bin, or none where the problem lets items be left out. What a placement costs is defined in
`qrealm.optimize.problems.evaluate`, in one place and slowly; solvers keep the same number up to date move
by move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems.arrays import BIN as BIN
from qrealm.optimize.problems.arrays import AssignmentArrays, build_arrays
from qrealm.optimize.problems.checks import (
    amount_of,
    check_labels,
    check_name,
    check_numbers,
    names_of,
    number_of,
    table_of,
    whole_of,
)

RuleKind = Literal["together", "apart", "spread"]
RULE_KINDS: tuple[RuleKind, ...] = ("together", "apart", "spread")


PRIORITY_SIZE_MAX = 2**31 - 1
SKEW_MAX = 2**31 - 1
BINS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Item:
    """Something to place.

    Attributes:
        name: unique among the items.
        demand: amount of each resource that it takes from its bin; a resource not named takes 0. Below 0 it
            brings room with it.
        weight: value that is lost when it is left out. Counts only where the problem may leave items out.
        priority: items of a higher priority are never left out for the sake of items of a lower one,
            whatever they weigh.
        needs: labels that its bin must have, as ``{"disk": "ssd"}``.
        allowed: names of the only bins that it may go to; None for all.
        current: the bin where it is now; None when it is nowhere.
        move_cost: price of placing it elsewhere than `current`.
    """

    name: str
    demand: Mapping[str, float]
    weight: float = 1.0
    priority: int = 0
    needs: Mapping[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] | None = None
    current: str | None = None
    move_cost: float = 0.0

    def __post_init__(self) -> None:
        check_name("an item", self.name)
        who = f"of item {self.name!r}"
        demand = table_of(f"the demand {who}", self.demand)
        amounts = {name: number_of(f"the demand {who} of {name}", x) for name, x in demand.items()}
        object.__setattr__(self, "demand", amounts)
        object.__setattr__(self, "weight", amount_of(f"the weight {who}", self.weight))
        object.__setattr__(self, "move_cost", amount_of(f"the move_cost {who}", self.move_cost))
        priority = whole_of(f"the priority {who}", self.priority, -PRIORITY_SIZE_MAX, PRIORITY_SIZE_MAX)
        object.__setattr__(self, "priority", priority)
        check_labels(f"the needs {who}", self.needs)
        if self.allowed is not None:
            object.__setattr__(self, "allowed", names_of(f"the allowed {who}", self.allowed))
        if self.current is not None:
            check_name(f"the current bin {who}", self.current)


@dataclass(frozen=True, slots=True)
class Bin:
    """A place for items.

    Attributes:
        name: unique among the bins.
        capacity: amount of each resource that it has; a resource not named has 0.
        labels: such as ``{"zone": "a"}``: what items need and rules speak of.
        cost: price of using it at all.
    """

    name: str
    capacity: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    cost: float = 1.0

    def __post_init__(self) -> None:
        check_name("a bin", self.name)
        who = f"of bin {self.name!r}"
        capacity = table_of(f"the capacity {who}", self.capacity)
        amounts = {name: amount_of(f"the capacity {who} of {name}", x) for name, x in capacity.items()}
        object.__setattr__(self, "capacity", amounts)
        check_labels(f"the labels {who}", self.labels)
        object.__setattr__(self, "cost", amount_of(f"the cost {who}", self.cost))


@dataclass(frozen=True, slots=True)
class Rule:
    """A wish or a demand about where several items go with respect to each other.

    A *domain* is one bin (``over="bin"``, even where bins have a label of that name) or all bins that share
    the value of the label `over`; a bin without the label is a domain of its own. Items left out count
    nowhere.

    Attributes:
        kind: ``"together"``: as few domains as possible; amount = domains used - 1.
            ``"apart"``: at most one item in a domain; amount = sum over the domains of (items - 1).
            ``"spread"``: equally many in all domains; amount = largest - smallest number - `skew`,
            at least 0.
        items: their names.
        over: ``"bin"`` or a label.
        weight: price of each unit of the amount; None makes the rule a demand, whose amount must be 0.
        skew: difference that a spread may have for nothing.
    """

    kind: RuleKind
    items: tuple[str, ...]
    over: str = BIN
    weight: float | None = None
    skew: int = 1

    def __post_init__(self) -> None:
        if self.kind not in RULE_KINDS:
            raise ProblemError(f"a rule is of kind {self.kind!r}; it must be one of {', '.join(RULE_KINDS)}")
        who = f"of a rule of kind {self.kind}"
        object.__setattr__(self, "items", names_of(f"the items {who}", self.items))
        if len(set(self.items)) != len(self.items):
            raise ProblemError(f"a rule of kind {self.kind} names an item twice: {', '.join(self.items)}")
        check_name(f"the over {who}", self.over)
        if self.weight is not None:
            object.__setattr__(self, "weight", amount_of(f"the weight {who}", self.weight))
        object.__setattr__(self, "skew", whole_of(f"the skew {who}", self.skew, 0, SKEW_MAX))


def together(*items: str, over: str = BIN, weight: float | None = None) -> Rule:
    """Items that belong in one domain: affinity."""
    return Rule("together", items, over, weight)


def apart(*items: str, over: str = BIN, weight: float | None = None) -> Rule:
    """Items that must not share a domain: anti-affinity."""
    return Rule("apart", items, over, weight)


def spread(*items: str, over: str, skew: int = 1, weight: float | None = None) -> Rule:
    """Items to be spread evenly over failure domains."""
    return Rule("spread", items, over, weight, skew)


@dataclass(frozen=True, slots=True)
class Objective:
    """What a good placement is: a weighted sum, to be made small. Each part is defined by a formula in
    `evaluate`.

    Attributes:
        bins: times the number of bins in use.
        cost: times the sum of the costs of the bins in use, and of the placement costs.
        balance: times the variance over all bins of their use, averaged over the resources.
        fragmentation: times the free share of bins in use that another resource's shortage strands.
        moves: times the sum of the move costs of items that are not where they were.
    """

    bins: float = 0.0
    cost: float = 0.0
    balance: float = 0.0
    fragmentation: float = 0.0
    moves: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, amount_of(f"the objective's {name}", getattr(self, name)))


FEWEST_BINS = Objective(bins=1.0)
LEAST_COST = Objective(cost=1.0)
BALANCE = Objective(balance=1.0)
LEAST_FRAGMENTATION = Objective(fragmentation=1.0)
OBJECTIVES = {
    "bins": FEWEST_BINS,
    "cost": LEAST_COST,
    "balance": BALANCE,
    "fragmentation": LEAST_FRAGMENTATION,
}


@dataclass(frozen=True)
class Assignment:
    """Items, bins and what a good placement is.

    Attributes:
        items, bins: in an order that answers keep to: an answer is an array with the bin's index of each
            item, -1 for an item that is left out.
        rules: affinity, anti-affinity, spread.
        objective: what to make small.
        may_leave_out: whether items may be left out; each then costs its weight, times a factor by which
            one of a higher priority outweighs everything below it.
        placement_cost: price of each item in each bin, shape (items, bins); counts in the objective's cost.
    """

    items: tuple[Item, ...]
    bins: tuple[Bin, ...]
    rules: tuple[Rule, ...] = ()
    objective: Objective = FEWEST_BINS
    may_leave_out: bool = False
    placement_cost: np.ndarray | None = field(default=None, compare=False)
    name: str = ""

    def __post_init__(self) -> None:
        for what in ("items", "bins", "rules"):
            _check_kinds(what, getattr(self, what))
            object.__setattr__(self, what, tuple(getattr(self, what)))
        if not isinstance(self.objective, Objective):
            raise ProblemError(
                f"an Assignment's objective is {self.objective!r:.60}; it must be an Objective"
            )
        _check_names("item", [item.name for item in self.items])
        _check_names("bin", [place.name for place in self.bins])
        if self.placement_cost is not None:
            cost = np.array(self.placement_cost, dtype=np.float64)
            if cost.shape != (len(self.items), len(self.bins)):
                raise ProblemError(
                    f"placement_cost has shape {cost.shape}; it must have shape "
                    f"({len(self.items)}, {len(self.bins)}) (items, bins)"
                )
            check_numbers("placement_cost", cost)
            cost.setflags(write=False)
            object.__setattr__(self, "placement_cost", cost)
        _check_known(self)

    @classmethod
    def packing(
        cls,
        demands: Sequence[Sequence[float]] | np.ndarray,
        capacity: Sequence[float] | np.ndarray,
        *,
        num_bins: int | None = None,
        name: str = "",
    ) -> Assignment:
        """Vector bin packing: items into as few equal bins as possible.

        Args:
            demands: shape (items, resources).
            capacity: of every bin, shape (resources,).
            num_bins: bins that there are; as many as items when None.
        """
        sizes = np.asarray(demands, dtype=np.float64)
        room = np.asarray(capacity, dtype=np.float64)
        if sizes.ndim != 2 or room.ndim != 1 or sizes.shape[1] != len(room):
            raise ProblemError(
                f"Assignment.packing got demands of shape {sizes.shape} and a capacity of shape "
                f"{room.shape}; they must be (items, resources) and (resources,)"
            )
        resources = [f"r{index}" for index in range(len(room))]
        capacities = dict(zip(resources, room.tolist(), strict=True))
        rows = (dict(zip(resources, row, strict=True)) for row in sizes.tolist())
        items = tuple(Item(f"item{index}", demand) for index, demand in enumerate(rows))
        count = len(items) if num_bins is None else whole_of("num_bins", num_bins, 0, BINS_MAX)
        return cls(items, tuple(Bin(f"bin{index}", capacities) for index in range(count)), name=name)

    @cached_property
    def arrays(self) -> AssignmentArrays:
        """The same as flat arrays: what solvers and kernels read. Built once."""
        return build_arrays(self)

    def placement(self, answer: Sequence[int] | np.ndarray) -> dict[str, str | None]:
        """The name of each item's bin, None for an item that is left out."""
        return {
            item.name: self.bins[index].name if index >= 0 else None
            for item, index in zip(self.items, np.asarray(answer).tolist(), strict=True)
        }

    def answer(self, placement: Mapping[str, str | None]) -> np.ndarray:
        """The array of bin indices, int32 of shape (items,), of a placement by names."""
        index = {place.name: number for number, place in enumerate(self.bins)}
        missing = [item.name for item in self.items if item.name not in placement]
        unknown = sorted({name for name in placement.values() if name is not None} - index.keys())
        if missing or unknown:
            raise ProblemError(
                "a placement must have every item and known bins; it lacks "
                f"{', '.join(missing) or 'no item'} and has unknown bins {', '.join(unknown) or 'none'}"
            )
        chosen = (placement[item.name] for item in self.items)
        return np.array([-1 if name is None else index[name] for name in chosen], dtype=np.int32)


def _check_kinds(what: str, values: Any) -> None:
    kind = {"items": Item, "bins": Bin, "rules": Rule}[what]
    strange = next((value for value in values if not isinstance(value, kind)), None)
    if strange is not None:
        raise ProblemError(
            f"an Assignment's {what} hold {strange!r:.60}; each must be of class {kind.__name__}"
        )


def _check_names(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ProblemError(f"two {kind}s are called {name!r}; names must be unique")
        seen.add(name)


def _check_known(problem: Assignment) -> None:
    items = {item.name for item in problem.items}
    bins = {place.name for place in problem.bins}
    for item in problem.items:
        places = [*(item.allowed or ()), *([] if item.current is None else [item.current])]
        unknown = [name for name in places if name not in bins]
        if unknown:
            raise ProblemError(
                f"item {item.name!r} speaks of bin {unknown[0]!r}, which the problem does not have"
            )
    for rule in problem.rules:
        strange = [name for name in rule.items if name not in items]
        if strange:
            raise ProblemError(
                f"a rule of kind {rule.kind} speaks of item {strange[0]!r}, which the problem does not have"
            )
        if rule.over != BIN and not any(rule.over in place.labels for place in problem.bins):
            raise ProblemError(f"a rule of kind {rule.kind} goes over label {rule.over!r}, which no bin has")
    _check_contradictions(problem.rules)


def _check_contradictions(rules: tuple[Rule, ...]) -> None:
    """Two demands that no placement can meet at once: the same two items together in a bin and apart in
    one."""
    joined = [(set(r.items), r.over) for r in rules if r.kind == "together" and r.weight is None]
    for rule in rules:
        if rule.kind != "apart" or rule.weight is not None:
            continue
        for group, over in joined:
            both = sorted(group & set(rule.items))
            if len(both) > 1 and (over in (BIN, rule.over)):
                raise ProblemError(
                    f"items {both[0]!r} and {both[1]!r} must be together in one {over} and apart over "
                    f"{rule.over}; no placement can do both",
                    hint="drop one of the two rules, or give it a weight so that it is a wish",
                )
