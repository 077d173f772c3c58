"""Moves that do not pay are taken back, whoever proposed them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.placement.gains import groups_of
from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import evaluate, violations

IntArray = NDArray[np.int32]

# Smaller gains are rounding.
GAIN_MIN = 1e-9
# Up to so many moves, two at a time are tried as well.
PAIRED_MOVES_MAX = 40


def pruned(problem: Assignment, answer: IntArray) -> IntArray:
    """The answer without the moves that the objective is not larger without: all of them, single ones, two at
    a time, and those whose gain is told together, until all that is left pays for itself."""
    current = problem.arrays.current
    best, value = answer.astype(np.int32), evaluate(problem, answer).value
    while len(moved := np.flatnonzero((current >= 0) & (best != current))):
        groups = [[item for item in group if current[item] >= 0] for group in groups_of(problem, best)]
        for back in _sets(moved.tolist(), groups):
            trial = best.copy()
            trial[list(back)] = current[list(back)]
            worth = evaluate(problem, trial).value
            if worth <= value + GAIN_MIN and not violations(problem, trial):
                best, value = trial, min(value, worth)
                break
        else:
            break
    return best


def _sets(moved: list[int], groups: list[list[int]]) -> Iterable[tuple[int, ...]]:
    """What is taken back at once."""
    pairs = itertools.combinations(moved, 2) if len(moved) <= PAIRED_MOVES_MAX else iter(())
    # Single ones and pairs are tried anyway.
    larger = (tuple(group) for group in groups if 2 < len(group) < len(moved))
    return itertools.chain([tuple(moved)], ((item,) for item in moved), pairs, larger)
