"""Greedy packing: items one by one, largest first, each where it fits best; and greedy descent for spins.

Sizes of an item with several demands: ``l2`` the root of the sum of squares of the demands divided by the
mean capacity; ``l1`` their sum; ``max`` the largest. Rules of choice: ``first`` the first bin in use with
room, ``best`` the fullest, ``worst`` the emptiest, ``dot`` the one whose free room points most in the
item's direction, ``norm`` the one whose free room is left smallest in the weighted norm of R. Panigrahy, K.
Talwar, L. Uyeda, U. Wieder, "Heuristics for vector bin packing" (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from qrealm.optimize.problems import Assignment, Ising
from qrealm.optimize.problems.arrays import AssignmentArrays, FloatArray, IntArray
from qrealm.optimize.problems.evaluate import TOLERANCE, evaluate, violations
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

Choice = Literal["first", "best", "worst", "dot", "norm"]
Size = Literal["l1", "l2", "max"]
CHOICES: tuple[Choice, ...] = ("first", "best", "worst", "dot", "norm")
SIZES: tuple[Size, ...] = ("l2", "l1", "max")

CARD = SolverCard(
    name="greedy",
    takes=("Assignment", "Ising"),
    word="classical",
    help="largest item first, each where it fits best; spins by steepest descent",
    unit="passes over the items",
    seeded=False,
)


@dataclass(frozen=True, slots=True)
class GreedyOptions:
    """One rule of choice and one size; all of them in turn when None."""

    choice: Choice | None = None
    size: Size | None = None
    decreasing: bool = True


def start(
    problem: Assignment | Ising, options: GreedyOptions | None, *, seed: int, hint: np.ndarray | None
) -> Search:
    """Begin; nothing here is random."""
    del seed, hint
    if isinstance(problem, Ising):
        return DescentSearch(problem)
    return GreedySearch(problem, options or GreedyOptions())


class DescentSearch:
    """Spins set one by one, the one with the strongest field first, each against its field."""

    bound = -math.inf

    def __init__(self, problem: Ising) -> None:
        self._problem = problem
        self.best: Candidate | None = None
        self.work = 0

    @property
    def done(self) -> bool:
        """After its one pass."""
        return self.best is not None

    def advance(self, work: int, seconds_left: float) -> None:
        """The one pass."""
        del work, seconds_left
        starts, neighbours, weights = self._problem.neighbours
        fields = self._problem.linear.copy()
        spins = np.zeros(self._problem.num_variables, dtype=np.int8)
        strength = np.abs(fields)
        for _ in range(len(spins)):
            chosen = int(np.argmax(strength))
            spins[chosen] = -1 if fields[chosen] > 0 else 1
            strength[chosen] = -1.0
            edges = slice(starts[chosen], starts[chosen + 1])
            touched = neighbours[edges]
            fields[touched] += weights[edges] * float(spins[chosen])
            undecided = touched[spins[touched] == 0]
            strength[undecided] = np.abs(fields[undecided])
        self.best = Candidate(spins, self._problem.energy(spins))
        self.work += 1


class GreedySearch:
    """One pass over the items for each pair of a size and a rule of choice; the best pass counts."""

    bound = -math.inf

    def __init__(self, problem: Assignment, options: GreedyOptions) -> None:
        self._problem = problem
        self._decreasing = options.decreasing
        self._passes = [
            (size, choice)
            for choice in CHOICES
            for size in SIZES
            if options.choice in (None, choice) and options.size in (None, size)
        ]
        self.best: Candidate | None = None
        self.work = 0

    @property
    def done(self) -> bool:
        """After every pair had its pass."""
        return self.work >= len(self._passes)

    def advance(self, work: int, seconds_left: float) -> None:
        """So many passes more."""
        del seconds_left
        for size, choice in self._passes[self.work : self.work + work]:
            answer = _Packer(self._problem, size, choice, self._decreasing).pack()
            self.work += 1
            if violations(self._problem, answer):
                continue
            value = evaluate(self._problem, answer).value
            if self.best is None or value < self.best.value:
                self.best = Candidate(answer, value)


class _Packer:
    """One pass."""

    def __init__(self, problem: Assignment, size: Size, choice: Choice, decreasing: bool) -> None:
        arrays = problem.arrays
        self._arrays = arrays
        self._choice = choice
        self._problem = problem
        mean = arrays.capacity.mean(axis=0) if len(arrays.capacity) else np.ones(len(arrays.resources))
        self._scale = 1.0 / np.where(mean > 0, mean, 1.0)
        self._order = _order(arrays, self._scale, size, decreasing)
        self._free = arrays.capacity * (1 + TOLERANCE)
        self._used = np.zeros(len(arrays.capacity), dtype=bool)
        self._counts = [np.zeros(rule.num_domains, dtype=np.int64) for rule in arrays.rules]
        self._rules_of: dict[int, list[int]] = {}
        for number, rule in enumerate(arrays.rules):
            for item in rule.items.tolist():
                self._rules_of.setdefault(item, []).append(number)
        # Many demands in few bins: a resource that is scarce weighs more (Panigrahy's "average sum" weights).
        self._weights = arrays.demand.sum(axis=0) * self._scale

    def pack(self) -> IntArray:
        """The placement; items that found no bin have -1."""
        answer = np.full(len(self._order), -1, dtype=np.int32)
        for item in self._order.tolist():
            bins = self._bins_for(item)
            if not len(bins):
                continue
            chosen = int(bins[np.argmin(self._scores(item, bins))])
            answer[item] = chosen
            self._free[chosen] -= self._arrays.demand[item]
            self._used[chosen] = True
            for number in self._rules_of.get(item, ()):
                self._counts[number][self._arrays.rules[number].domains[chosen]] += 1
        return answer

    def _bins_for(self, item: int) -> np.ndarray:
        """Bins that it may go to; those in use first where that is the aim, the others only if none has
        room."""
        fits = (
            np.all(self._free >= self._arrays.demand[item], axis=1)
            & self._arrays.allowed[self._arrays.allowed_set[item]]
        )
        for number in self._rules_of.get(item, ()):
            rule, counts = self._arrays.rules[number], self._counts[number]
            if rule.rule.weight is None:
                fits &= _domains_kept(rule.rule.kind, counts, rule.rule.skew)[rule.domains]
        opened = fits & self._used
        objective = self._problem.objective
        if opened.any() and (objective.bins > 0 or objective.cost > 0):
            return np.flatnonzero(opened)
        if self._arrays.equal_bins and not opened.any():
            return np.flatnonzero(fits)[:1]
        return np.flatnonzero(fits)

    def _scores(self, item: int, bins: np.ndarray) -> FloatArray:
        """The smallest is taken; ties go to the first bin."""
        if self._choice == "first":
            return np.arange(len(bins), dtype=np.float64)
        demand = self._arrays.demand[item] * self._scale
        free = self._free[bins] * self._scale
        if self._choice == "dot":
            return cast(FloatArray, -(free @ (demand * self._weights)))
        left: FloatArray = (free - demand) ** 2 @ self._weights
        if self._choice == "norm":
            return left
        room: FloatArray = free.sum(axis=1)
        return room if self._choice == "best" else -room


def _order(arrays: AssignmentArrays, scale: FloatArray, size: Size, decreasing: bool) -> np.ndarray:
    """Items that cost more to leave out first, then the larger ones; equal ones in their own order."""
    share = arrays.demand * scale
    sizes = {"l1": share.sum(axis=1), "l2": (share**2).sum(axis=1), "max": share.max(axis=1, initial=0.0)}[
        size
    ]
    return np.lexsort((-sizes if decreasing else np.zeros(len(sizes)), -arrays.left_out_price))


def _domains_kept(kind: str, counts: np.ndarray, skew: int) -> np.ndarray:
    """Domains where one item more keeps a rule that is a demand."""
    if kind == "together":
        return np.asarray(counts > 0) if counts.any() else np.ones(len(counts), dtype=bool)
    if kind == "apart":
        return np.asarray(counts == 0)
    return np.asarray(counts + 1 - counts.min() <= max(1, skew))
