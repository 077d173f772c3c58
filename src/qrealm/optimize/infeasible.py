"""Why a problem has no answer: the smallest set of demands found that contradict each other, in words.

Contradictions that can be seen at once come first; then, in the time given, the exact solver is asked
which items and rules can be dropped (QuickXplain: U. Junker, "QuickXplain: preferred explanations and
relaxations for over-constrained problems", 2004), and which resources and wishes for places do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from qrealm.optimize.infeasible_checks import NAMES_MAX, first_contradiction, item_text, rule_text
from qrealm.optimize.linear_model import PAIRS_MAX, AssignmentModel, Row, assignment_model
from qrealm.optimize.problems import Assignment, Item, Objective
from qrealm.optimize.problems.evaluate import TOLERANCE
from qrealm.optimize.solvers.highs import INFEASIBLE, LIMIT, HighsProcess

# Of the time, what the first question may take: whether there is an answer at all.
FIRST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Conflict:
    """Demands that cannot hold together: a proof that there is no answer.

    Attributes:
        demands: in words.
        irreducible: whether it is known that without any one item or rule there would be an answer.
    """

    demands: tuple[str, ...]
    irreducible: bool = False


def find_conflict(problem: Assignment, seconds: float = 0.0) -> Conflict | None:
    """Proof that no placement keeps all demands; None when none was found, which proves nothing.

    Args:
        problem: an assignment. Where items may be left out there is always an answer.
        seconds: for the exact solver; with 0 only what can be seen at once is looked at.
    """
    if problem.may_leave_out:
        return None
    demanded = tuple(rule for rule in problem.rules if rule.weight is None)
    hard = problem if len(demanded) == len(problem.rules) else replace(problem, rules=demanded)
    texts = first_contradiction(hard)
    if texts:
        return Conflict(texts)
    if seconds <= 0 or len(problem.items) * len(problem.bins) > PAIRS_MAX:
        return None
    with HighsProcess() as process:
        return _Filter(_bare(hard), process, perf_counter() + seconds).run(seconds)


def _bare(problem: Assignment) -> Assignment:
    """Without prices and current places."""
    return replace(
        problem,
        items=tuple(replace(item, current=None, move_cost=0.0) for item in problem.items),
        objective=Objective(moves=0.0),
        placement_cost=None,
    )


class _Filter:
    """Drops what is not needed for the contradiction. Items are numbered first, then rules."""

    def __init__(self, problem: Assignment, process: HighsProcess, end: float) -> None:
        self._problem = problem
        self._process = process
        self._end = end
        self._model = assignment_model(problem)
        self._undecided = False

    def run(self, seconds: float) -> Conflict | None:
        everything = list(range(len(self._problem.items) + len(self._problem.rules)))
        first_end, self._end = self._end, perf_counter() + FIRST_SHARE * seconds
        if not self._contradict(everything, self._model):
            return None
        self._end = first_end
        self._undecided = False
        kept = sorted(self._explain([], False, everything))
        num_items = len(self._problem.items)
        items = [number for number in kept if number < num_items]
        texts = [item_text(item) for item in self._without_needless_places(items, kept)]
        texts += [
            rule_text(self._problem.rules[number - num_items]) for number in kept if number >= num_items
        ]
        texts += self._resources(kept)
        return Conflict(tuple(texts), not self._undecided)

    def _explain(self, background: list[int], grown: bool, candidates: list[int]) -> list[int]:
        if grown and self._contradict(background, self._model):
            return []
        if len(candidates) == 1:
            return candidates
        half = len(candidates) // 2
        first, second = candidates[:half], candidates[half:]
        needed = self._explain(background + first, True, second)
        return self._explain(background + needed, bool(needed), first) + needed

    def _contradict(self, kept: Sequence[int], model: AssignmentModel) -> bool:
        """Whether these items and rules alone have no answer; False as well when that was not decided."""
        left = self._end - perf_counter()
        if left <= 0:
            self._undecided = True
            return False
        num_items = len(self._problem.items)
        chosen = set(kept)
        loose = [Row(row.columns, row.coefficients, 0.0, 1.0) for row in model.model.rows[:num_items]]
        rows = [model.model.rows[i] if i in chosen else loose[i] for i in range(num_items)]
        dropped: set[int] = set()
        for number, (first, last) in enumerate(model.rule_rows):
            if num_items + number not in chosen:
                dropped.update(range(first, last))
        rest = range(num_items, len(model.model.rows))
        rows += [model.model.rows[at] for at in rest if at not in dropped]
        found = self._process.solve(replace(model.model.without_cost(), rows=tuple(rows)), left)
        self._undecided = self._undecided or found.status == LIMIT
        return found.status == INFEASIBLE

    def _without_needless_places(self, items: list[int], kept: list[int]) -> list[Item]:
        """The items, each without its needs and allowed bins where they do not matter."""
        current = list(self._problem.items)
        for number in items:
            item = current[number]
            if not item.needs and item.allowed is None:
                continue
            freed = [*current[:number], replace(item, needs={}, allowed=None), *current[number + 1 :]]
            if self._contradict(kept, assignment_model(replace(self._problem, items=tuple(freed)))):
                current = freed
        self._problem = replace(self._problem, items=tuple(current))
        return [current[number] for number in items]

    def _resources(self, kept: list[int]) -> list[str]:
        """What bins have of the resources that matter."""
        texts = []
        for resource in self._problem.arrays.resources:
            items = tuple(_without(item, resource) for item in self._problem.items)
            less = replace(self._problem, items=items)
            if self._contradict(kept, assignment_model(less)):
                self._problem = less
                continue
            texts.append(self._room_text(resource, kept))
        return texts

    def _room_text(self, resource: str, kept: list[int]) -> str:
        """What each bin has; where they are many, how many are large enough for each of the items."""
        bins = self._problem.bins
        rooms = np.array([place.capacity.get(resource, 0.0) for place in bins])
        low, high = float(rooms.min()), float(rooms.max())
        if low == high:
            return f"the {len(bins)} bins have {low:g} {resource} each"
        if len(bins) <= NAMES_MAX:
            each = ", ".join(
                f"{place.name!r} {room:g}" for place, room in zip(bins, rooms.tolist(), strict=True)
            )
            return f"the {len(bins)} bins have {low:g} to {high:g} {resource}: {each}"
        items = [self._problem.items[number] for number in kept if number < len(self._problem.items)]
        amounts = sorted({item.demand.get(resource, 0.0) for item in items}, reverse=True)
        enough = [
            (amount, int((rooms * (1 + TOLERANCE) >= amount).sum())) for amount in amounts if amount > 0
        ]
        counts = ", ".join(f"{count} of them {amount:g} or more" for amount, count in enough[:NAMES_MAX])
        return f"the {len(bins)} bins have {low:g} to {high:g} {resource} each" + (counts and f", {counts}")


def _without(item: Item, resource: str) -> Item:
    return replace(item, demand={name: x for name, x in item.demand.items() if name != resource})
