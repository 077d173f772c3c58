"""Moves are carried out one after the other, each when its target has room: which order that takes, and which
moves wait for each other for ever, as two that would change places between full nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.placement.pruning import pruned
from qrealm.control.containers.placement.standing import Standing
from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import evaluate, violations

IntArray = NDArray[np.int32]

_ASKED_AGAIN_MAX = 2


def in_turns(problem: Assignment, answer: IntArray) -> tuple[list[int], list[int]]:
    """The items that change their bin, each when its target has room, and those for which none ever has."""
    standing = Standing(problem, problem.arrays.current)
    left = np.flatnonzero((answer >= 0) & (answer != problem.arrays.current)).tolist()
    turns: list[int] = []
    while left:
        fitting = (item for item in left if standing.prices(problem.items[item].name).fits[answer[item]])
        item = next(fitting, None)
        if item is None:
            break
        left.remove(item)
        turns.append(item)
        standing.put(problem.items[item].name, int(answer[item]))
    return turns, left


def carried_out(
    problem: Assignment, answer: IntArray, asked_again: Callable[[Assignment], IntArray | None]
) -> IntArray:
    """An answer without moves that no order can carry out.

    Args:
        answer: keeps all demands, and moves nothing that does not pay.
        asked_again: another answer, where what was stuck may not go where it wanted; None for none.
    """
    found = _without_stuck(problem, answer)
    narrowed = problem
    for _ in range(_ASKED_AGAIN_MAX):
        stuck = _stuck(problem, answer)
        if not stuck:
            break
        narrowed = _closed_to(narrowed, {item: problem.bins[answer[item]].name for item in stuck})
        other = asked_again(narrowed)
        if other is None:
            break
        answer = pruned(problem, other)
        found = min(found, _without_stuck(problem, answer), key=lambda each: evaluate(problem, each).value)
    return found


def _stuck(problem: Assignment, answer: IntArray) -> list[int]:
    return [item for item in in_turns(problem, answer)[1] if problem.arrays.current[item] >= 0]


def _without_stuck(problem: Assignment, answer: IntArray) -> IntArray:
    """Without moves that are stuck, and without those that do not pay alone then."""
    current = problem.arrays.current
    while stuck := _stuck(problem, answer):
        trial = answer.copy()
        trial[stuck] = current[stuck]
        if violations(problem, trial):
            return answer  # a demand that the moves would meet only together: what can be done of them is
        answer = pruned(problem, trial)
    return answer


def _closed_to(problem: Assignment, targets: Mapping[int, str]) -> Assignment:
    """The same where some items may not go to one bin each."""
    every = [place.name for place in problem.bins]
    items = list(problem.items)
    for item, target in targets.items():
        before = items[item].allowed
        allowed = tuple(name for name in (every if before is None else before) if name != target)
        items[item] = replace(items[item], allowed=allowed)
    return replace(problem, items=tuple(items))
