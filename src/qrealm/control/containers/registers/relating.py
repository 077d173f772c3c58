"""Relations as maps between states, and the trees that they make of containers.

A relation takes state i of k to (a i + b) mod k with a = 1 or -1. Such maps can be chained and inverted, so
any two containers of a tree are related. `entangle` keeps every tree rooted: a container is the second of at
most one relation, the root of none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.values import Relation


@dataclass(frozen=True, slots=True)
class StateMap:
    """i becomes (sign i + shift) mod num_states; an index that stands for no state stays what it is."""

    num_states: int
    sign: int = 1
    shift: int = 0

    def __call__(self, index: int) -> int:
        """The image of a state."""
        return (self.sign * index + self.shift) % self.num_states if index < self.num_states else index

    def then(self, after: StateMap) -> StateMap:
        """This map, and then another."""
        return StateMap(
            self.num_states, self.sign * after.sign, (after.sign * self.shift + after.shift) % self.num_states
        )

    def inverse(self) -> StateMap:
        """The map back."""
        return StateMap(self.num_states, self.sign, -self.sign * self.shift % self.num_states)

    def same_as(self, other: StateMap) -> bool:
        """Whether both take every state to the same."""
        return all(self(i) == other(i) for i in range(self.num_states))

    def has_fixed_state(self) -> bool:
        """Whether some state is taken to itself."""
        return any(self(i) == i for i in range(self.num_states))

    def table(self) -> NDArray[np.uint32]:
        """The image of every index of the qubits, shape (2^q,)."""
        size = 1 << (self.num_states - 1).bit_length()
        return np.array([self(i) for i in range(size)], dtype=np.uint32)


def map_of(relation: Relation, num_states: int) -> StateMap:
    """From the state of the first to that of the second."""
    if relation.mode == "opposite":
        return StateMap(num_states, -1, num_states - 1)
    return StateMap(num_states, 1, relation.shift % num_states if relation.mode == "spread" else 0)


def reversed_relation(relation: Relation, num_states: int) -> Relation:
    """The same relation, with the first following the second."""
    shift = -relation.shift % num_states if relation.mode == "spread" else 0
    return replace(relation, first=relation.second, second=relation.first, shift=shift)


def neighbours_of(relations: Iterable[Relation]) -> dict[str, list[Relation]]:
    """The relations of each container, in the order given."""
    found: dict[str, list[Relation]] = {}
    for relation in relations:
        found.setdefault(relation.first, []).append(relation)
        found.setdefault(relation.second, []).append(relation)
    return found


def way_between(relations: Sequence[Relation], ends: Sequence[str]) -> list[str]:
    """A way along relations from one of the ends to another, both included; empty where there is none."""
    around = neighbours_of(relations)
    for end in ends:
        ways, seen = [[end]], {end}
        for way in ways:
            for relation in around.get(way[-1], ()):
                other = relation.second if relation.first == way[-1] else relation.first
                if other in ends and other != end:
                    return [*way, other]
                if other not in seen:
                    seen.add(other)
                    ways.append([*way, other])
    return []


def rooted(
    root: str, relations: Sequence[Relation], num_states: int, left_out: Relation | None = None
) -> list[tuple[Relation, Relation]]:
    """The tree around a container: each of its relations as it is, and as it points away from the root.

    Breadth first, so that whoever is followed comes before who follows.

    Args:
        left_out: a relation that is not gone along.
    """
    around = neighbours_of(relations)
    found: list[tuple[Relation, Relation]] = []
    seen, waiting = {root}, [root]
    while waiting:
        here = waiting.pop(0)
        for relation in around.get(here, ()):
            other = relation.second if relation.first == here else relation.first
            if relation is left_out or other in seen:
                continue
            away = relation if relation.first == here else reversed_relation(relation, num_states)
            found.append((relation, away))
            seen.add(other)
            waiting.append(other)
    return found


def maps_from(
    root: str, tree: Iterable[tuple[Relation, Relation]], num_states: int
) -> Mapping[str, StateMap]:
    """From the root's state to that of each container of its tree, itself included."""
    found = {root: StateMap(num_states)}
    for _, away in tree:
        found[away.second] = found[away.first].then(map_of(away, num_states))
    return found


def roots_of(containers: Iterable[str], relations: Sequence[Relation]) -> list[str]:
    """Those that follow nobody, in the order given."""
    followers = {relation.second for relation in relations}
    return [container for container in containers if container not in followers]
