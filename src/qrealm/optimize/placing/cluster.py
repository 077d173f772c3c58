"""A running cluster as a value: nodes, items, what runs where."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems.assignment import BIN, FEWEST_BINS, Assignment, Bin, Item, Objective, Rule

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """What is there and what runs where, at one moment. Never changed: `place` and `replace` give the next.

    Attributes:
        nodes: places for items.
        items: all that run or wait, in the order in which they arrived.
        where: the node's name of every item that runs; the others wait. Taken from the items' `current`
            when None.
        rules: affinity, anti-affinity, spread. They may name items that are not there, or not yet.
        objective: what to make small.
        closed: names of nodes that take nothing new.
        seed: decides between nodes that are equally good, and nothing else.
    """

    nodes: tuple[Bin, ...]
    items: tuple[Item, ...] = ()
    where: Mapping[str, str] | None = None
    rules: tuple[Rule, ...] = ()
    objective: Objective = FEWEST_BINS
    closed: frozenset[str] = field(default_factory=frozenset)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", all_of(Bin, self.nodes, "the nodes of a cluster"))
        object.__setattr__(self, "items", all_of(Item, self.items, "the items of a cluster"))
        object.__setattr__(self, "rules", all_of(Rule, self.rules, "the rules of a cluster"))
        object.__setattr__(self, "seed", _whole(self.seed))
        object.__setattr__(self, "closed", frozenset(self.closed))
        where = self.where
        if where is None:
            where = {item.name: item.current for item in self.items if item.current is not None}
        object.__setattr__(self, "where", MappingProxyType(dict(where)))
        check_new("node", self.nodes, ())
        check_new("item", self.items, ())
        check_demands(self.items)
        nodes = {node.name for node in self.nodes}
        items = {item.name for item in self.items}
        for item, node in where.items():
            if item not in items or node not in nodes:
                raise ProblemError(
                    f"a cluster has {item!r} running on {node!r}; the cluster has no such "
                    f"{'node' if item in items else 'item'}"
                )
        if strange := sorted(self.closed - nodes):
            raise ProblemError(f"a cluster closes node {strange[0]!r}, which it does not have")
        check_rules(self.rules)

    @property
    def running(self) -> Mapping[str, str]:
        """The node's name of every item that runs."""
        assert self.where is not None
        return self.where

    @property
    def waiting(self) -> tuple[Item, ...]:
        """Items without a node."""
        return tuple(item for item in self.items if item.name not in self.running)

    def problem(self) -> Assignment:
        """The same as a problem for `solve` and `evaluate`: where items run now is their `current`."""
        nodes = {node.name for node in self.nodes}
        labels = {label for node in self.nodes for label in node.labels}
        present = {item.name for item in self.items}
        items = []
        for item in self.items:
            allowed = None if item.allowed is None else tuple(name for name in item.allowed if name in nodes)
            items.append(replace(item, current=self.running.get(item.name), allowed=allowed))
        rules = []
        for rule in self.rules:
            # Where no node has the label, each is a domain of its own.
            over = rule.over if rule.over in labels else BIN
            rules.append(replace(rule, items=tuple(n for n in rule.items if n in present), over=over))
        return Assignment(tuple(items), self.nodes, tuple(rules), self.objective, may_leave_out=True)

    def answer(self) -> np.ndarray:
        """What runs where as an answer to `problem`, int32 of shape (items,)."""
        index = {node.name: number for number, node in enumerate(self.nodes)}
        running = self.running
        return np.array(
            [index[running[i.name]] if i.name in running else -1 for i in self.items], dtype=np.int32
        )

    def derive(self, **changes: Any) -> Cluster:
        """A copy with other fields, which are known to be right and not checked again."""
        new = object.__new__(Cluster)
        for name in self.__dataclass_fields__:
            object.__setattr__(new, name, changes.get(name, getattr(self, name)))
        return new

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return state | {"where": dict(self.running)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, MappingProxyType(value) if name == "where" else value)


def all_of(kind: type[T], things: Iterable[T], what: str) -> tuple[T, ...]:
    """The things as a tuple. Raises ProblemError when they are no sequence, or one is of another type."""
    if not isinstance(things, Iterable):
        raise ProblemError(f"{what} are {things!r:.60}; they must be a sequence of {kind.__name__}")
    found = tuple(things)
    for thing in found:
        if not isinstance(thing, kind):
            raise ProblemError(f"{what} have {thing!r:.60} among them; each must be of type {kind.__name__}")
    return found


def _whole(seed: Any) -> int:
    try:
        if isinstance(seed, bool):
            raise TypeError
        return operator.index(seed)
    except TypeError:
        raise ProblemError(f"the seed of a cluster is {seed!r:.60}; it must be a whole number") from None


def check_demands(items: Iterable[Item]) -> None:
    """Raises ProblemError for a demand below 0: its item would bring room with it, and others that use the
    room would be left on an overfull node when the item ends or is evicted."""
    for item in items:
        for resource, amount in item.demand.items():
            if amount < 0:
                raise ProblemError(
                    f"item {item.name!r} of a cluster has a demand of {amount:g} {resource}; in a running "
                    "cluster it must not be negative: when the item ends, its node would be overfull",
                    hint="give what the item brings to the capacity of its node, or use solve",
                )


def check_new(kind: str, things: Iterable[Item] | Iterable[Bin], known: Iterable[str]) -> None:
    """Raises ProblemError when a name comes twice."""
    seen = set(known)
    for thing in things:
        if thing.name in seen:
            raise ProblemError(f"two {kind}s are called {thing.name!r}; names must be unique")
        seen.add(thing.name)


def check_rules(rules: tuple[Rule, ...]) -> None:
    """Raises ProblemError for rules that contradict each other, or that items placed one after the other
    cannot keep."""
    names = dict.fromkeys(name for rule in rules for name in rule.items)
    anywhere = Bin("anywhere", {}, {rule.over: "" for rule in rules if rule.over != BIN})
    # A problem made of nothing but the rules: it refuses those that no placement can keep.
    Assignment(tuple(Item(name, {}) for name in names), (anywhere,), rules)
    for rule in rules:
        if rule.kind == "spread" and rule.weight is None and rule.skew < 1:
            raise ProblemError(
                "a spread that is a demand has skew 0 in a running cluster; its first item would break it",
                hint="give it a skew of 1, or a weight, so that it is a wish",
            )
