"""Simulated annealing of placements with moves of their own: the general solver of assignments.

Items shift, swap, push others on (ejection chains), leave a bin together so that it is empty, or go as a
group where a rule wants them together. Capacities and demands of rules may be missed on the way, at a price
that hovers where they are just kept and only grows towards the end of a run; where items may be left out,
demands are kept always. Runs get longer and longer; every other one is cool and keeps most of the best
answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems import Assignment
from qrealm.optimize.problems.assignment import RULE_KINDS
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

# Numbers of items of each rule in each of its domains.
COUNTS_MAX = 2**28


def _refusal(problem: Assignment) -> str:
    counts = sum(rule.num_domains for rule in problem.arrays.rules)
    if counts > COUNTS_MAX:
        return f"placement_annealing counts items in {COUNTS_MAX} domains of rules; this problem has {counts}"
    return ""


CARD = SolverCard(
    name="placement_annealing",
    takes=("Assignment",),
    word="classical",
    help="items on bins by annealing: shifts, swaps, ejection chains, emptied bins; all rules and objectives",
    unit="1024 proposals",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class PlacementAnnealingOptions:
    """How it searches.

    Attributes:
        hottest: temperature at which a run begins, as a share of what a shift typically changes.
        coldest: temperature at which it ends, as a share of the smaller changes.
    """

    hottest: float = 1.0
    coldest: float = 0.01

    def __post_init__(self) -> None:
        if not (0 < self.coldest < math.inf and 0 < self.hottest < math.inf):
            raise ProblemError(
                f"placement_annealing got temperatures from {self.hottest!r} to {self.coldest!r}; both must "
                "be above 0 and finite"
            )


def start(
    problem: Assignment, options: PlacementAnnealingOptions | None, *, seed: int, hint: np.ndarray | None
) -> Search:
    """Begin, from the hint where there is one. Raises InfeasibleError for an item that no bin may have."""
    return PlacementAnnealingSearch(problem, options or PlacementAnnealingOptions(), seed, hint)


class PlacementAnnealingSearch:
    """The kernel at work, in the words of the problem."""

    bound = -math.inf

    def __init__(
        self, problem: Assignment, options: PlacementAnnealingOptions, seed: int, hint: np.ndarray | None
    ) -> None:
        from qrealm._solvers import AssignmentAnnealing as Kernel

        usable = np.zeros(0, dtype=np.int32) if hint is None else np.ascontiguousarray(hint, dtype=np.int32)
        self._problem = problem
        self.kernel = Kernel(
            **kernel_arrays(problem),
            seed=seed,
            hint=usable,
            hottest=options.hottest,
            coldest=options.coldest,
        )
        self._best: Candidate | None = None
        self._kernel_value = math.inf
        self.work = 0

    @property
    def best(self) -> Candidate | None:
        """Checked again, independently of the kernel, and valued by the definition."""
        if self.kernel.found and self.kernel.best_value < self._kernel_value:
            self._kernel_value = self.kernel.best_value
            answer = self.kernel.best()
            if self._holds(answer):
                value = evaluate(self._problem, answer).value
                if self._best is None or value < self._best.value:
                    self._best = Candidate(answer, value)
        return self._best

    def _holds(self, answer: np.ndarray) -> bool:
        """Whether an answer keeps all demands."""
        return not violations(self._problem, answer)

    @property
    def done(self) -> bool:
        """Never, unless there is nothing to place."""
        return not (self._problem.items and self._problem.bins)

    def advance(self, work: int, seconds_left: float) -> None:
        """So many batches of proposals."""
        self.work += self.kernel.advance(work, seconds_left)


def kernel_arrays(problem: Assignment) -> dict[str, Any]:
    """The problem as the kernel reads it; rules over the same label share the table of their domains."""
    arrays, objective = problem.arrays, problem.objective
    tables: dict[str, int] = {}
    domains: list[tuple[list[int], int]] = []
    rules = []
    for rule in arrays.rules:
        if rule.rule.over not in tables:
            tables[rule.rule.over] = len(domains)
            domains.append((rule.domains.tolist(), rule.num_domains))
        weight, kind = rule.rule.weight, RULE_KINDS.index(rule.rule.kind)
        table = tables[rule.rule.over]
        rules.append((kind, weight is None, weight or 0.0, rule.rule.skew, table, rule.items.tolist()))
    cost = problem.placement_cost if objective.cost else None
    return {
        "demand": np.ascontiguousarray(arrays.demand),
        "capacity": np.ascontiguousarray(arrays.capacity),
        "bin_cost": arrays.bin_cost,
        "left_out_price": arrays.left_out_price,
        "allowed_set": arrays.allowed_set,
        "allowed": np.ascontiguousarray(arrays.allowed).view(np.uint8),
        "current": arrays.current,
        "move_price": arrays.move_price,
        "placement_cost": np.zeros((0, 0)) if cost is None else np.ascontiguousarray(cost),
        "weights": [
            objective.bins,
            objective.cost,
            objective.balance,
            objective.fragmentation,
            objective.moves,
        ],
        "may_leave_out": problem.may_leave_out,
        "domains": domains,
        "rules": rules,
    }
