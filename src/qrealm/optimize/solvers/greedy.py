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
from time import perf_counter
from typing import Literal, cast

import numpy as np

from qrealm.optimize.problems import Assignment, Ising, Qubo
from qrealm.optimize.problems.arrays import AssignmentArrays, FloatArray, IntArray
from qrealm.optimize.problems.evaluate import TOLERANCE, evaluate, violations
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

Choice = Literal["first", "best", "worst", "dot", "norm"]
Size = Literal["l1", "l2", "max"]
CHOICES: tuple[Choice, ...] = ("first", "best", "worst", "dot", "norm")
SIZES: tuple[Size, ...] = ("l2", "l1", "max")
_ALL = 2**62

CARD = SolverCard(
    name="greedy",
    takes=("Assignment", "Ising"),
    word="classical",
    help="largest item first, each where it fits best; spins by steepest descent",
    unit="items or spins",
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


def first_answer(problem: Assignment | Qubo, seconds: float) -> tuple[np.ndarray | None, bool]:
    """An answer to begin with, found by one pass and, in a tenth of the time, by further ones; None where
    the passes place too little or the time is too short. And whether the clock cut nothing."""
    end = perf_counter() + seconds
    if isinstance(problem, Qubo):
        spins = DescentSearch(problem.to_ising())
        spins.advance(_ALL, seconds)
        return None if spins.best is None else ((1 - spins.best.answer) // 2).astype(np.int8), spins.done
    greedy = GreedySearch(problem, GreedyOptions(size="l2"))
    while greedy.best is None and not greedy.done and perf_counter() < end:
        greedy.advance(greedy.pass_work, end - perf_counter())
    greedy.advance(_ALL, end - 0.9 * seconds - perf_counter())
    return None if greedy.best is None else greedy.best.answer, greedy.done


class DescentSearch:
    """Spins set one by one, the one with the strongest field first, each against its field.

    The strengths lie in blocks of about the square root of their number, each with its largest one known: so
    a step looks at the blocks that it touched, and not at all spins.
    """

    bound = -math.inf

    def __init__(self, problem: Ising) -> None:
        self._problem = problem
        self._fields = problem.linear.copy()
        count = problem.num_variables
        self._spins = np.zeros(count, dtype=np.int8)
        width = max(1, math.isqrt(count))
        # What is decided, and what only fills the last block, is weaker than any field.
        self._strength = np.full((-(-count // width), width), -1.0)
        self._flat = self._strength.reshape(-1)
        self._flat[:count] = np.abs(self._fields)
        self._strongest = self._strength.max(axis=1, initial=-1.0)
        self.best: Candidate | None = None
        self.work = 0

    @property
    def done(self) -> bool:
        """After its one pass."""
        return self.best is not None

    def advance(self, work: int, seconds_left: float) -> None:
        """So many spins more."""
        end = perf_counter() + seconds_left
        for _ in range(min(work, len(self._spins) + 1 - self.work)):
            if perf_counter() >= end:
                return
            if self.work < len(self._spins):
                self._decide()
            else:
                self.best = Candidate(self._spins, self._problem.energy(self._spins))
            self.work += 1

    def _decide(self) -> None:
        """Set the spin with the strongest field."""
        starts, neighbours, weights = self._problem.neighbours
        fields, spins, width = self._fields, self._spins, self._strength.shape[1]
        block = int(self._strongest.argmax())
        chosen = block * width + int(self._strength[block].argmax())
        spins[chosen] = -1 if fields[chosen] > 0 else 1
        self._flat[chosen] = -1.0
        self._strongest[block] = self._strength[block].max()
        edges = slice(starts[chosen], starts[chosen + 1])
        touched = neighbours[edges]
        fields[touched] += weights[edges] * float(spins[chosen])
        undecided = touched[spins[touched] == 0]
        self._flat[undecided] = np.abs(fields[undecided])
        if len(undecided) > len(self._strongest):
            self._strength.max(axis=1, out=self._strongest)
        else:
            blocks = undecided // width
            self._strongest[blocks] = self._strength[blocks].max(axis=1)


class GreedySearch:
    """One pass over the items for each pair of a size and a rule of choice; the best pass counts."""

    bound = -math.inf

    def __init__(self, problem: Assignment, options: GreedyOptions) -> None:
        self._problem = problem
        self._decreasing = options.decreasing
        even = problem.objective.balance > 0 and not (problem.objective.bins or problem.objective.cost)
        # The rule that suits the objective first: the clock may leave time for no other.
        self._passes = [
            (size, choice)
            for choice in sorted(CHOICES, key=lambda choice: even and choice != "worst")
            for size in SIZES
            if options.choice in (None, choice) and options.size in (None, size)
        ]
        self._packer: _Packer | None = None
        self.best: Candidate | None = None
        self.work = 0

    @property
    def pass_work(self) -> int:
        """Units of work in one pass."""
        return len(self._problem.items) + 1

    @property
    def done(self) -> bool:
        """After every pair had its pass."""
        return self.work >= len(self._passes) * self.pass_work

    def advance(self, work: int, seconds_left: float) -> None:
        """So many items more."""
        end = perf_counter() + seconds_left
        for _ in range(min(work, len(self._passes) * self.pass_work - self.work)):
            if perf_counter() >= end:
                return
            self._step()
            self.work += 1

    def _step(self) -> None:
        """Place one item, or value the pass when all are placed."""
        if self._packer is None:
            size, choice = self._passes[self.work // self.pass_work]
            self._packer = _Packer(self._problem, size, choice, self._decreasing)
        if self._packer.place_next():
            return
        answer, self._packer = self._packer.answer, None
        if not violations(self._problem, answer):
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
        self._next = 0
        # Items that found no bin have -1.
        self.answer: IntArray = np.full(len(self._order), -1, dtype=np.int32)
        self._free = arrays.capacity * (1 + TOLERANCE)
        self._used = np.zeros(len(arrays.capacity), dtype=bool)
        self._counts = [np.zeros(rule.num_domains, dtype=np.int64) for rule in arrays.rules]
        self._rules_of: dict[int, list[int]] = {}
        for number, rule in enumerate(arrays.rules):
            for item in rule.items.tolist():
                self._rules_of.setdefault(item, []).append(number)
        # Many demands in few bins: a resource that is scarce weighs more (Panigrahy's "average sum" weights).
        self._weights = arrays.demand.sum(axis=0) * self._scale

    def place_next(self) -> bool:
        """Place one item more, or find no bin for it; False when there is none left."""
        if self._next == len(self._order):
            return False
        item = int(self._order[self._next])
        self._next += 1
        bins = self._bins_for(item)
        if not len(bins):
            return True
        chosen = int(bins[np.argmin(self._scores(item, bins))])
        self.answer[item] = chosen
        self._free[chosen] -= self._arrays.demand[item]
        self._used[chosen] = True
        for number in self._rules_of.get(item, ()):
            self._counts[number][self._arrays.rules[number].domains[chosen]] += 1
        return True

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
