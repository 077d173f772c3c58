"""A running cluster that is told what happens, and decides.

The same as `place` and `replace` for those who do not want to hand a whole cluster over each time: the
kernel's state lives on from one call to the next.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.placing.cluster import Cluster, all_of, check_demands, check_new
from qrealm.optimize.placing.decisions import Decisions, Names
from qrealm.optimize.problems.assignment import BIN, RULE_KINDS, Bin, Item, Rule

CANDIDATES = 4
CANDIDATES_MAX = 8
# Amounts are rounded to this share of the largest capacity, so that sums are exact in double precision.
GRID_BITS = 44
# Items that have left are forgotten when there are so many.
LEFT_MAX = 10_000
# What one item may take of its node, in capacities: sums over 2^31 items stay within the kernel's numbers.
SHARE_MAX = 2.0**40


@dataclass(frozen=True, eq=False)
class Layout:
    """The resources of nodes and items, those of nodes, what amounts of each are rounded to, and 1 / the mean
    capacity."""

    resources: tuple[str, ...]
    offered: frozenset[str]
    grid: tuple[float, ...]
    scale: np.ndarray

    def has_changed(self, other: Layout) -> bool:
        """Whether a kernel that was made for the other cannot be used any more."""
        return (self.resources, self.grid) != (other.resources, other.grid)


def layout_of(nodes: Sequence[Bin], extra: Iterable[str]) -> Layout:
    """The layout of so many nodes, and resources that items speak of."""
    largest: dict[str, float] = {}
    total: dict[str, float] = {}
    for node in nodes:
        for name, amount in node.capacity.items():
            largest[name] = max(amount, largest.get(name, 0.0))
            total[name] = total.get(name, 0.0) + amount
    resources = tuple(sorted(largest.keys() | set(extra)))
    exponents = (math.frexp(largest.get(name, 0.0) or 1.0)[1] for name in resources)
    means = [total.get(name, 0.0) / max(1, len(nodes)) or 1.0 for name in resources]
    grid = tuple(math.ldexp(1.0, exponent - GRID_BITS) for exponent in exponents)
    return Layout(resources, frozenset(largest), grid, 1.0 / np.array(means))


class Placer:
    """Holds what runs where and decides about what comes. For one thread at a time.

    Args:
        cluster: what there is at the start.
        candidates: how many nodes each decision remembers, the chosen one first; 1 to 8.
    """

    _layout: Layout

    def __init__(self, cluster: Cluster, *, candidates: int = CANDIDATES) -> None:
        if not isinstance(cluster, Cluster):
            raise ProblemError(f"a placer got {cluster!r:.60}; it takes a Cluster")
        if not 1 <= candidates <= CANDIDATES_MAX:
            raise ProblemError(f"Placer got candidates={candidates}; it must be from 1 to {CANDIDATES_MAX}")
        self.candidates = candidates
        self._in_step = False
        self._load(cluster)

    @property
    def cluster(self) -> Cluster:
        """What there is now, as a value. Takes time in proportion to the number of items."""
        items = tuple(item for item in self._items if item is not None)
        where = self._kernel.where().tolist()
        names = self._node_names
        running = {
            item.name: names[node]
            for item, node in zip(self._items, where, strict=True)
            if node >= 0 and item
        }
        return self._base.derive(
            nodes=tuple(self._nodes[number] for number in self._node_ids.values()),
            items=items,
            where=MappingProxyType(running),
            closed=frozenset(self._closed),
        )

    def where(self, item: str) -> str | None:
        """The node's name of an item; None when it waits."""
        number = self._kernel.where_of(self._item(item))
        return self._node_names[number] if number >= 0 else None

    def arrive(self, items: Iterable[Item], *, largest_first: bool = True, evict: bool = True) -> Decisions:
        """Place items that are new: those of high priority first, then the largest, then as given.

        Args:
            largest_first: False keeps the given order among items of the same priority.
            evict: whether items of lower priority may have to go for one that fits nowhere.
        """
        new = all_of(Item, items, "the items that arrive")
        numbers = self._add_items(new)
        self._begin()
        return self._decide(numbers, largest_first, evict)

    def leave(self, names: Iterable[str]) -> None:
        """Items end."""
        leaving = list(names)
        numbers = [self._item(name) for name in leaving]
        if len(set(numbers)) != len(numbers):
            raise ProblemError("an item leaves twice in one call")
        self._kernel.take(np.array(numbers, dtype=np.int32))
        extra = False
        for name, number in zip(leaving, numbers, strict=True):
            item = self._items[number]
            extra = extra or (item is not None and not self._layout.offered.issuperset(item.demand))
            self._items[number] = None
            del self._item_ids[name]
            self._waiting.pop(number, None)
        self._num_left += len(numbers)
        if extra or self._num_left > max(LEFT_MAX, len(self._item_ids)):
            self._load(self.cluster)

    def add_nodes(self, nodes: Iterable[Bin]) -> None:
        """Nodes come, empty. Items that wait are placed by `retry`."""
        new = all_of(Bin, nodes, "the nodes that come")
        check_new("node", new, self._node_ids)
        layout = layout_of([*self._present(), *new], self._extra)
        if layout.has_changed(self._layout):
            cluster = self.cluster
            self._load(cluster.derive(nodes=(*cluster.nodes, *new)))
            return
        self._layout = layout
        self._add_nodes(new)
        for number, rule in enumerate(self._base.rules):
            self._kernel.set_domains(number, self._domains(number, rule))

    def remove_nodes(self, names: Iterable[str], *, evict: bool = True) -> Decisions:
        """Nodes are gone; what ran there, and what waits, is placed on the others."""
        going = list(dict.fromkeys(names))
        for name in going:
            self._node(name)
        layout = layout_of(self._present(without=going), self._extra)
        if layout.has_changed(self._layout):
            self._load(self.cluster, layout)
        self._layout = layout
        gone = [self._node(name) for name in going]
        self._begin()
        displaced = sorted(item for node in gone for item in self._kernel.items_of(node))
        self._kernel.take(np.array(displaced, dtype=np.int32))
        self._kernel.remove_bins(gone)
        for name in going:
            self._closed.discard(name)
            del self._node_ids[name]
        return self._decide([*displaced, *self._waiting], True, evict)

    def drain(self, names: Iterable[str], *, evict: bool = True) -> Decisions:
        """Nodes are closed; what runs there moves to others where it can, and stays where it cannot."""
        nodes = [self._node(name) for name in dict.fromkeys(names)]
        self._begin()
        for node in nodes:
            self._kernel.close_bin(node, True)
            self._closed.add(self._node_names[node])
        moving = sorted(item for node in nodes for item in self._kernel.items_of(node))
        return self._decide(moving, True, evict)

    def open(self, names: Iterable[str]) -> None:
        """Nodes that were closed take items again."""
        for name, node in [(name, self._node(name)) for name in names]:
            self._kernel.close_bin(node, False)
            self._closed.discard(name)

    def retry(self, *, evict: bool = True) -> Decisions:
        """Try again to place what waits."""
        self._begin()
        return self._decide(list(self._waiting), True, evict)

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Everything inside counts as one step: an item pays for being moved once, and not at all when its
        node is gone."""
        self._kernel.begin()
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """Other rules from now on. Nothing moves by that."""
        self._load(replace(self.cluster, rules=tuple(rules)))

    def rebalance(self, moves_max: int, *, gain_min: float = 0.0, seconds: float = math.inf) -> Decisions:
        """Moves that pay: of single items, and of all items of a node when that empties it.

        Args:
            moves_max: at most so many.
            gain_min: what each must lower the objective by, beyond its own `move_cost`; for a node that is
                emptied, on average.
            seconds: no more after that time. Only with a time is the answer not the same each time.
        """
        if moves_max < 0 or not gain_min >= 0 or not seconds >= 0:
            raise ProblemError(
                f"rebalance got moves_max={moves_max}, gain_min={gain_min}, seconds={seconds}; none may be "
                "negative"
            )
        self._begin()
        return Decisions([self._kernel.rebalance(moves_max, gain_min, seconds)], self._names())

    # The kernel's state.

    def _begin(self) -> None:
        if not self._in_step:
            self._kernel.begin()

    def _load(self, cluster: Cluster, layout: Layout | None = None, extra: Iterable[str] = ()) -> None:
        from qrealm import _solvers

        self._base = cluster
        self._items: list[Item | None] = []
        self._item_names: list[str] = []
        self._item_ids: dict[str, int] = {}
        self._item_class: list[int] = []
        self._nodes: list[Bin] = []
        self._node_names: list[str] = []
        self._node_ids: dict[str, int] = {}
        self._waiting: dict[int, None] = {}
        self._closed = set(cluster.closed)
        self._num_left = 0
        self._classes: dict[tuple[Any, ...], int] = {}
        self._demands: list[np.ndarray] = []
        self._sets: dict[tuple[Any, ...], int] = {}
        self._domain_ids: list[dict[object, int]] = [{} for _ in cluster.rules]
        self._extra = {name for item in cluster.items for name in item.demand}.union(extra)
        self._layout = layout or layout_of(cluster.nodes, self._extra)
        objective = cluster.objective
        weights = np.array(
            [objective.bins, objective.cost, objective.balance, objective.fragmentation, objective.moves]
        )
        self._kernel: Any = _solvers.Cluster(len(self._layout.resources), weights, self.candidates)
        self._least_room = np.full(len(self._layout.resources), math.inf)
        self._add_nodes(cluster.nodes)
        for name in self._closed:
            self._kernel.close_bin(self._node_ids[name], True)
        self._rules_of: dict[str, tuple[int, ...]] = {}
        for number, rule in enumerate(cluster.rules):
            weight = 0.0 if rule.weight is None else rule.weight
            self._kernel.add_rule(
                RULE_KINDS.index(rule.kind),
                rule.weight is None,
                weight,
                rule.skew,
                self._domains(number, rule),
            )
            for name in rule.items:
                self._rules_of[name] = (*self._rules_of.get(name, ()), number)
        numbers = self._add_items(cluster.items)
        running = cluster.running
        placed = [n for n, item in zip(numbers, cluster.items, strict=True) if item.name in running]
        nodes = [self._node_ids[running[self._item_names[number]]] for number in placed]
        # Few clusters have nodes so small, or items so large, that each must be looked at.
        if any((demand > SHARE_MAX * self._least_room).any() for demand in self._demands):
            for number, node in zip(placed, nodes, strict=True):
                _check_share(cluster.items[number], self._nodes[node])
        self._kernel.put(np.array(placed, dtype=np.int32), np.array(nodes, dtype=np.int32))
        for number in placed:
            del self._waiting[number]
        self._kernel.begin()

    def _present(self, without: Iterable[str] = ()) -> list[Bin]:
        gone = set(without)
        return [self._nodes[number] for name, number in self._node_ids.items() if name not in gone]

    def _add_nodes(self, nodes: Sequence[Bin]) -> None:
        for node in nodes:
            self._node_ids[node.name] = len(self._nodes)
            self._nodes.append(node)
            self._node_names.append(node.name)
        resources = self._layout.resources
        capacity = np.array(
            [[node.capacity.get(name, 0.0) for name in resources] for node in nodes], dtype=np.float64
        ).reshape(len(nodes), len(resources))
        rooms = np.where(capacity > 0, capacity, math.inf).min(axis=0, initial=math.inf)
        self._least_room = np.minimum(self._least_room, rooms)
        key = str(self._base.seed).encode()
        digests = (hashlib.blake2b(node.name.encode(), digest_size=8, key=key).digest() for node in nodes)
        rank = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
        allowed = [[_is_allowed(node, *wanted) for node in nodes] for wanted in self._sets]
        rows = np.array(allowed, dtype=np.uint8).reshape(len(self._sets), len(nodes))
        self._kernel.add_bins(capacity, np.array([node.cost for node in nodes], dtype=np.float64), rank, rows)

    def _domains(self, number: int, rule: Rule) -> np.ndarray:
        ids = self._domain_ids[number]
        # A tuple cannot be taken for a label's value: it stands for the node itself.
        label = None if rule.over == BIN else rule.over
        keys: list[object] = [
            node.labels.get(label, (node.name,)) if label is not None else (node.name,)
            for node in self._nodes
        ]
        return np.array([ids.setdefault(key, len(ids)) for key in keys], dtype=np.int32)

    def _add_items(self, items: Sequence[Item]) -> list[int]:
        """Numbers of items that are new; they wait until they are placed."""
        ids = self._item_ids
        fresh = {item.name for item in items}
        if len(fresh) != len(items) or any(name in ids for name in fresh):
            check_new("item", items, ids)
        classes = self._classes_of(items)
        if classes is None:
            self._load(self.cluster, extra=[name for item in items for name in item.demand])
            return self._add_items(items)
        priorities = [item.priority for item in items]
        first = self._kernel.add_items(
            np.array(classes, dtype=np.int32),
            np.array(priorities, dtype=np.int32),
            np.array([item.weight for item in items], dtype=np.float64),
            np.array([item.move_cost for item in items], dtype=np.float64),
        )
        names = [item.name for item in items]
        numbers = list(range(first, first + len(items)))
        self._items.extend(items)
        self._item_class.extend(classes)
        self._item_names.extend(names)
        self._item_ids.update(zip(names, numbers, strict=True))
        self._waiting.update(dict.fromkeys(numbers))
        return numbers

    def _classes_of(self, items: Sequence[Item]) -> list[int] | None:
        """Items of one class are equal but for name, priority and prices. None when one has a demand of a
        resource that is not known yet."""
        found = []
        known, rules_of = self._classes, self._rules_of
        for item in items:
            key = (
                tuple(item.demand.items()),
                tuple(item.needs.items()),
                item.allowed,
                rules_of.get(item.name, ()),
            )
            number = known.get(key)
            if number is None:
                if not item.demand.keys() <= set(self._layout.resources):
                    return None
                number = known[key] = self._add_class(item, key[3])
            found.append(number)
        return found

    def _add_class(self, item: Item, rules: tuple[int, ...]) -> int:
        check_demands([item])
        wanted = (tuple(sorted(item.needs.items())), item.allowed)
        if wanted not in self._sets:
            row = [_is_allowed(node, *wanted) for node in self._nodes]
            self._sets[wanted] = self._kernel.add_set(np.array(row, dtype=np.uint8))
        demand = np.array([item.demand.get(name, 0.0) for name in self._layout.resources], dtype=np.float64)
        grid = np.array(self._layout.grid)
        self._demands.append(demand)
        number: int = self._kernel.add_class(np.round(demand / grid) * grid, self._sets[wanted], list(rules))
        return number

    def _decide(self, numbers: list[int], largest_first: bool, evict: bool) -> Decisions:
        if len(numbers) > 1:
            priority = np.array([getattr(self._items[number], "priority", 0) for number in numbers])
            of = np.array([self._item_class[number] for number in numbers])
            shares = np.array(self._demands) * self._layout.scale
            sizes = np.sqrt((shares**2).sum(axis=1)) if largest_first else np.zeros(len(shares))
            order = np.lexsort((np.array(numbers), -sizes[of], -priority))
            numbers = np.array(numbers)[order].tolist()
        arrays: Mapping[str, np.ndarray] = self._kernel.place(numbers, evict)
        waiting = self._waiting
        for item, chosen in zip(arrays["item"].tolist(), arrays["chosen"].tolist(), strict=True):
            if chosen >= 0:
                waiting.pop(item, None)
            else:
                waiting[item] = None
        return Decisions([arrays], self._names())

    def _names(self) -> Names:
        return Names(self._item_names, self._node_names, self._layout.resources)

    def _item(self, name: str) -> int:
        if name not in self._item_ids:
            raise ProblemError(f"the cluster has no item {name!r}")
        return self._item_ids[name]

    def _node(self, name: str) -> int:
        if name not in self._node_ids:
            raise ProblemError(f"the cluster has no node {name!r}")
        return self._node_ids[name]


def _check_share(item: Item, node: Bin) -> None:
    for resource, amount in item.demand.items():
        room = node.capacity.get(resource, 0.0)
        if room > 0 and amount > SHARE_MAX * room:
            raise ProblemError(
                f"item {item.name!r} takes {amount:g} {resource} of node {node.name!r}, which has {room:g}; "
                f"an item that runs may take up to {SHARE_MAX:.3g} times what its node has"
            )


def _is_allowed(node: Bin, needs: tuple[tuple[str, str], ...], allowed: tuple[str, ...] | None) -> bool:
    if allowed is not None and node.name not in allowed:
        return False
    return all(node.labels.get(label) == value for label, value in needs)
