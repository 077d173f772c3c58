"""Moves are carried out one after the other, each when its target has room: which order that takes, and which
moves wait for each other for ever, as two that would change places between full nodes."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.placement.gains import groups_of
from qrealm.control.containers.placement.pruning import pruned
from qrealm.control.containers.placement.standing import Standing
from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import evaluate, violations

IntArray = NDArray[np.int32]
Found = tuple[IntArray, str]
"""An answer, and what found it."""

_ASKED_AGAIN_MAX = 2


def in_turns(problem: Assignment, answer: IntArray) -> tuple[list[int], list[int]]:
    """The items that change their bin, each when its target has room, and those for which none ever has."""
    current = problem.arrays.current
    standing = Standing(problem, current)
    partners = _kept_apart(problem)
    waiting: dict[int, set[int]] = defaultdict(set)
    turns: list[int] = []
    ready = np.flatnonzero((answer >= 0) & (answer != current)).tolist()  # sorted, and so a heap
    while ready:
        item = heapq.heappop(ready)
        target = int(answer[item])
        if not standing.prices(problem.items[item].name).fits[target]:
            waiting[target].add(item)
            continue
        standing.put(problem.items[item].name, target)
        turns.append(item)
        # Whom this may have let in: those who want its old place, and those who keep away from it.
        freed = waiting.pop(int(current[item]), set())
        for other in partners.get(item, ()):
            if other in waiting[int(answer[other])]:
                waiting[int(answer[other])].remove(other)
                freed.add(other)
        for other in freed:
            heapq.heappush(ready, other)
    return turns, sorted(item for items in waiting.values() for item in items)


def _kept_apart(problem: Assignment) -> dict[int, set[int]]:
    """By item those that must not share a node with it."""
    found: dict[int, set[int]] = defaultdict(set)
    for rule in problem.arrays.rules:
        if rule.rule.weight is None:
            items = rule.items.tolist()
            for item in items:
                found[item] |= set(items) - {item}
    return found


def carried_out(
    problem: Assignment, found: Found, asked_again: Callable[[Assignment], Found | None]
) -> Found:
    """An answer without moves that no order can carry out.

    Args:
        found: keeps all demands, and moves nothing that does not pay.
        asked_again: another answer, where what was stuck may not go where it wanted; None for none.
    """
    stuck = _stuck(problem, found[0])
    if not stuck:
        return found
    answers, narrowed = [_without_stuck(problem, found)], problem
    for _ in range(_ASKED_AGAIN_MAX):
        narrowed = _closed_to(narrowed, {item: problem.bins[found[0][item]].name for item in stuck})
        other = asked_again(narrowed)
        if other is None:
            break
        found = (pruned(problem, other[0]), other[1])
        answers.append(_without_stuck(problem, found))
        stuck = _stuck(problem, found[0])
        if not stuck:
            break
    return min(answers, key=lambda each: evaluate(problem, each[0]).value)


def _stuck(problem: Assignment, answer: IntArray) -> list[int]:
    return [item for item in in_turns(problem, answer)[1] if problem.arrays.current[item] >= 0]


def _without_stuck(problem: Assignment, found: Found) -> Found:
    """Without moves that are stuck, and without those that do not pay alone then. One that a demand sends
    away stays in: what can be done of it is."""
    answer, solver = found
    while stuck := _stuck(problem, answer):
        back = _back_home(problem, answer, stuck)
        if back is None:
            break
        answer = pruned(problem, back)
    return answer, solver


def _back_home(problem: Assignment, answer: IntArray, stuck: Sequence[int]) -> IntArray | None:
    """The answer with all of these where they are, else with those of one group of moves; None where each
    way breaks a demand."""
    groups = [[item for item in group if item in set(stuck)] for group in groups_of(problem, answer)]
    for group in (list(stuck), *groups):
        trial = answer.copy()
        trial[group] = problem.arrays.current[group]
        if group and not violations(problem, trial):
            return trial
    return None


def _closed_to(problem: Assignment, targets: Mapping[int, str]) -> Assignment:
    """The same where some items may not go to one bin each, those left out that could go nowhere then."""
    every = [place.name for place in problem.bins]
    items = list(problem.items)
    for item, target in targets.items():
        before = items[item].allowed
        if allowed := tuple(name for name in (every if before is None else before) if name != target):
            items[item] = replace(items[item], allowed=allowed)
    return replace(problem, items=tuple(items))
