"""Every placement tried, where there are few: the answer is optimal, and its own bound."""

from __future__ import annotations

import itertools
import math

import numpy as np

from qrealm.base.errors import InfeasibleError
from qrealm.optimize import Assignment
from qrealm.optimize.problems.evaluate import evaluate, violations

PLACEMENTS_MAX = 1024
# Differences below this are rounding: what is where it was, and then the first node, is as good.
TIE = 1e-11


def count_placements(problem: Assignment) -> int:
    """How many placements there are with every item somewhere, room left aside."""
    return math.prod(len(_choices(problem, number)) for number in range(len(problem.items)))


def best_placement(problem: Assignment) -> tuple[np.ndarray, float]:
    """The best of all placements and its value; of equal ones the one with the fewest moves, then the first.

    Raises:
        InfeasibleError: none keeps all demands.
    """
    best: np.ndarray | None = None
    least, fewest = math.inf, 0
    current = problem.arrays.current
    for numbers in itertools.product(*(_choices(problem, n) for n in range(len(problem.items)))):
        answer = np.array(numbers, dtype=np.int32)
        value = evaluate(problem, answer).value
        moves = int(np.count_nonzero((current >= 0) & (answer != current)))
        better = value < least - TIE or (value <= least + TIE and moves < fewest)
        if better and not violations(problem, answer):
            best, least, fewest = answer, value, moves
    if best is None:
        raise InfeasibleError("no placement keeps all demands: all of them were tried")
    return best, least


def _choices(problem: Assignment, item: int) -> list[int]:
    """The bins that an item may go to."""
    arrays = problem.arrays
    found: list[int] = np.flatnonzero(arrays.allowed[arrays.allowed_set[item]]).tolist()
    return found
