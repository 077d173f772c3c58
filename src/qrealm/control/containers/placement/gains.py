"""What moves gain: each alone where that is true, else together with those that it hangs together with.

A part of the objective that one node or one wish decides, say a wish that two be apart, may be the same
before and after all moves and another one where only one of them is made. The gain of that one move is then
no gain of the plan. So moves are put into groups: within a group they change what the others gain, or one of
them cannot be without the others; between groups nothing is shared. The gains of all groups add up to the
gain of the whole plan, in whatever order they are made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.placement.standing import Standing
from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import TOLERANCE, load_of

IntArray = NDArray[np.int32]

ROUNDING = 1e-12
"""Share of what was added up that may be left where nothing should be."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What a group of moves changes.

    Attributes:
        members: names of the containers that move, those too that have had no node.
        parts: changes of the objective by part, where there are any; what the moves cost is left out.
        costs: what the moves cost in the objective.
    """

    members: tuple[str, ...]
    parts: Mapping[str, float]
    costs: float

    @property
    def change(self) -> float:
        """Of the objective, without what the moves cost; below 0 it is better."""
        return math.fsum(self.parts.values())


def gains_of(problem: Assignment, answer: IntArray) -> tuple[Gain, ...]:
    """The groups of all that is elsewhere in an answer than now, and what each changes.

    Args:
        problem: as for `Standing`.
        answer: index of each item's bin, -1 for none.
    """
    names = [item.name for item in problem.items]
    standing = Standing(problem, problem.arrays.current)
    found = []
    for group in groups_of(problem, answer):
        changes: dict[str, list[float]] = {}
        for item in group:
            here, there = int(problem.arrays.current[item]), int(answer[item])
            prices = standing.prices(names[item])
            for part, values in prices.parts.items():
                told = changes.setdefault(part, [])
                told += [float(values[there])] if there >= 0 else []
                told += [-float(values[here])] if here >= 0 else []
            standing.put(names[item], there)
        sums = {part: _sum(values) for part, values in changes.items()}
        costs = sums.pop("moves", 0.0)
        members = tuple(names[item] for item in group)
        found.append(Gain(members, {part: value for part, value in sums.items() if value}, costs))
    return tuple(found)


def groups_of(problem: Assignment, answer: IntArray) -> list[list[int]]:
    """Indices of all items that are elsewhere in an answer than now, those together that hang together."""
    arrays = problem.arrays
    moved = np.flatnonzero(arrays.current != answer).tolist()
    sets = _Sets(moved)
    for tied in _tied_by_nodes(problem, answer, moved):
        sets.join(tied)
    for tied in _tied_by_rules(problem, answer):
        sets.join(tied)
    return sets.all()


def _tied_by_nodes(problem: Assignment, answer: IntArray, moved: list[int]) -> Iterable[list[int]]:
    """Moves that share a node, where they change each other's effect on it or need each other's room."""
    arrays, objective = problem.arrays, problem.objective
    before, after = load_of(problem, arrays.current), load_of(problem, answer)
    room = arrays.capacity * (1 + TOLERANCE)
    stays = np.zeros(len(problem.bins), dtype=np.bool_)
    same = (arrays.current == answer) & (answer >= 0)
    stays[answer[same]] = True
    leaving: dict[int, list[int]] = {}
    coming: dict[int, list[int]] = {}
    for item in moved:
        leaving.setdefault(int(arrays.current[item]), []).append(item)
        coming.setdefault(int(answer[item]), []).append(item)
    for node in sorted((leaving.keys() | coming.keys()) - {-1}):
        out, into = leaving.get(node, []), coming.get(node, [])
        # A variance is of second degree: any two that change one node's load change each other's effect.
        # Whether a node is in use is not touched by them where somebody stays there.
        if objective.balance or (objective.bins and not stays[node]):
            yield out + into
            continue
        for item in out:
            if (after[node] + arrays.demand[item] > room[node]).any():
                yield [item, *into]
        for item in into:
            if (before[node] + arrays.demand[item] > room[node]).any():
                yield [item, *out]
    if objective.balance:
        yield from _tied_by_means(problem, answer, moved)


def _tied_by_means(problem: Assignment, answer: IntArray, moved: list[int]) -> Iterable[list[int]]:
    """Moves that change the mean use of a resource, as those between unequal nodes do: it is part of the
    variance, and so they change each other's effect wherever they are."""
    arrays = problem.arrays
    room = arrays.capacity
    shares = np.divide(1.0, room, out=np.zeros_like(room), where=room > 0)
    # Of no node, which -1 stands for, it takes nothing.
    shares = np.vstack([shares, np.zeros((1, room.shape[1]))])
    items = np.asarray(moved, dtype=np.int64)
    net = arrays.demand[items] * (shares[answer[items]] - shares[arrays.current[items]])
    for column in range(room.shape[1]):
        yield items[net[:, column] != 0.0].tolist()


def _tied_by_rules(problem: Assignment, answer: IntArray) -> Iterable[list[int]]:
    """Moves that share a wish, or a demand not to be together, where the one decides what the other does."""
    current = problem.arrays.current
    for rule in problem.arrays.rules:
        touched: dict[int, list[int]] = {}
        staying: set[int] = set()
        moved, placed = [], False
        for item in rule.items.tolist():
            ends = [int(rule.domains[bin_]) if bin_ >= 0 else -1 for bin_ in (current[item], answer[item])]
            placed = placed or ends[0] >= 0
            if ends[0] == ends[1]:
                staying.add(ends[0])
                continue
            moved.append(item)
            for domain in ends:
                touched.setdefault(domain, []).append(item)
        for domain, items in touched.items():
            # One that stays there settles whether others share with it: each that comes or goes counts alone.
            if domain >= 0 and domain not in staying:
                yield items
        if rule.rule.kind == "together" and not placed:
            # The first of them costs nothing, wherever it goes.
            yield moved


def _sum(values: list[float]) -> float:
    """The sum, and 0 where nothing but rounding is left."""
    total = math.fsum(values)
    return total if abs(total) > ROUNDING * math.fsum(map(abs, values)) else 0.0


class _Sets:
    """Disjoint sets of items."""

    def __init__(self, items: Iterable[int]) -> None:
        self._set_of = {item: [item] for item in items}

    def join(self, items: list[int]) -> None:
        """Put the sets of these into one."""
        for item in items[1:]:
            one, other = self._set_of[items[0]], self._set_of[item]
            if one is not other:
                large, small = (one, other) if len(one) >= len(other) else (other, one)
                large.extend(small)
                self._set_of.update(dict.fromkeys(small, large))

    def all(self) -> list[list[int]]:
        """The sets, each sorted, by their first items."""
        return sorted(sorted(each) for each in {id(each): each for each in self._set_of.values()}.values())
