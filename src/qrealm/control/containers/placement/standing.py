"""What every node would cost one container, with all others where a placement has them.

The same numbers as differences of `qrealm.optimize.problems.evaluate`, against which they are tested, for
all nodes at once. Only the parts of the objectives that placement here uses are known: bins, balance, moves
and wishes of the kinds together and apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import TOLERANCE, load_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
PART_OF = {"together": "affinity", "apart": "anti-affinity"}


@dataclass(frozen=True, slots=True)
class Prices:
    """What one container would change on each of m nodes.

    Attributes:
        parts: by name of the part its change on each node, shape (m,).
        lacks: by resource how much of it each node lacks, shape (m,); 0 where it has enough.
        barred: which nodes have an item that it must not share a node with, shape (m,).
    """

    parts: dict[str, FloatArray]
    lacks: dict[str, FloatArray]
    barred: NDArray[np.bool_]

    @property
    def change(self) -> FloatArray:
        """Of the objective, shape (m,)."""
        whole: FloatArray = np.sum(list(self.parts.values()), axis=0)
        return whole

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Which nodes have room, and nothing that bars it; shape (m,)."""
        short: NDArray[np.bool_] = np.any([lack > 0 for lack in self.lacks.values()], axis=0)
        return ~(short | self.barred)


class Standing:
    """A placement, one container of which is looked at after the other.

    Args:
        problem: items, bins, rules that are wishes, and demands of the kind apart.
        answer: index of each item's bin, -1 for none; shape (items,).
    """

    def __init__(self, problem: Assignment, answer: IntArray) -> None:
        self.problem = problem
        self.answer = answer.astype(np.int32).copy()
        self._load = load_of(problem, self.answer)
        placed = self.answer[self.answer >= 0]
        self._counts = np.bincount(placed, minlength=len(problem.bins))
        self._index = {item.name: number for number, item in enumerate(problem.items)}
        self._rules_of: dict[int, list[int]] = {}
        for number, rule in enumerate(problem.arrays.rules):
            for item in rule.items.tolist():
                self._rules_of.setdefault(item, []).append(number)

    def index(self, name: str) -> int:
        """Index of an item."""
        return self._index[name]

    def held(self, node: int) -> tuple[str, ...]:
        """Names of the items on a node."""
        return tuple(self.problem.items[number].name for number in np.flatnonzero(self.answer == node))

    def put(self, name: str, node: int) -> None:
        """Place an item elsewhere, or nowhere (-1)."""
        item = self._index[name]
        before = int(self.answer[item])
        demand = self.problem.arrays.demand[item]
        if before >= 0:
            self._load[before] -= demand
            self._counts[before] -= 1
        if node >= 0:
            self._load[node] += demand
            self._counts[node] += 1
        self.answer[item] = node

    def prices(self, name: str) -> Prices:
        """What each node would change compared with the container being nowhere, all others staying."""
        item = self._index[name]
        arrays, objective = self.problem.arrays, self.problem.objective
        here, demand = int(self.answer[item]), arrays.demand[item]
        load, counts = self._load.copy(), self._counts.copy()
        if here >= 0:
            load[here] -= demand
            counts[here] -= 1
        parts: dict[str, FloatArray] = {}
        if objective.bins:
            parts["bins"] = objective.bins * (counts == 0)
        if objective.balance:
            parts["balance"] = objective.balance * _balance(load, arrays.capacity, demand)
        moved = np.arange(len(counts)) != arrays.current[item]
        if objective.moves and arrays.current[item] >= 0:
            parts["moves"] = objective.moves * arrays.move_price[item] * moved
        barred = np.zeros(len(counts), dtype=np.bool_)
        for number in self._rules_of.get(item, ()):
            rule = arrays.rules[number]
            others = self.answer[rule.items[rule.items != item]]
            held = np.bincount(rule.domains[others[others >= 0]], minlength=rule.num_domains)
            kind = rule.rule.kind
            if rule.rule.weight is None:
                barred |= (held > 0)[rule.domains]
                continue
            misses = (held == 0) & bool(held.any()) if kind == "together" else held > 0
            part = PART_OF[kind]
            change: FloatArray = rule.rule.weight * misses[rule.domains].astype(np.float64)
            parts[part] = parts[part] + change if part in parts else change
        missing = load + demand - arrays.capacity * (1 + TOLERANCE)
        lacks: dict[str, FloatArray] = {
            r: np.maximum(0.0, missing[:, k]) for k, r in enumerate(arrays.resources)
        }
        return Prices(parts, lacks, barred)


def _balance(load: FloatArray, capacity: FloatArray, demand: FloatArray) -> FloatArray:
    """Change of the mean variance of the nodes' use, for each node that takes the demand."""
    if not capacity.size:
        return np.zeros(len(capacity))
    room = capacity > 0
    use = np.divide(load, capacity, out=np.zeros_like(load), where=room)
    more = np.divide(np.broadcast_to(demand, capacity.shape), capacity, out=np.zeros_like(load), where=room)
    count = len(capacity)
    squares = (2 * use + more) * more / count
    means = (2 * use.sum(axis=0) + more) * more / count**2
    change: FloatArray = (squares - means).mean(axis=1)
    return change
