"""Angles moved downhill step by step, and the best of what the states they prepare are measured to be.

The classical half of the quantum solvers: L-BFGS (D. C. Liu, J. Nocedal, Math. Program. 45, 1989) with
bisection to the weak Wolfe conditions, written as a coroutine, so that a search can be left and resumed at
any evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qrealm.optimize.solvers.protocol import Candidate

FloatArray = NDArray[np.float64]
Descent = Generator[FloatArray, tuple[float, FloatArray], tuple[float, FloatArray]]
Script = Generator[FloatArray, tuple[float, FloatArray], None]

_KEPT = 10  # steps whose curvature is remembered
_DECREASE, _CURVATURE = 1e-4, 0.9  # of the Wolfe conditions
_LINE_EVALUATIONS_MAX = 12
_FIRST_STEP = 0.1
CLOSE_ENOUGH = 1e-9


class States(Protocol):
    """States with angles, whose mean cost is to be made small."""

    @property
    def bound(self) -> float:
        """No answer can cost less; -inf when nothing is known."""

    def gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Mean cost and its derivatives."""

    def sample(self, angles: FloatArray, shots: int, seed: int) -> Candidate | None:
        """The best of so many measurements that keeps all demands."""


class VariationalSearch:
    """A search that follows a script of evaluations and measures where the script says so.

    Args:
        states: whose angles are moved.
        script: gets the function that measures at a point, yields points, and is sent (value, gradient).
        shots, seed: of each measurement.
    """

    def __init__(
        self,
        states: States,
        script: Callable[[Callable[[FloatArray], None]], Script],
        *,
        shots: int,
        seed: int,
    ) -> None:
        self.states = states
        self._shots, self._seeds = shots, np.random.default_rng([seed, 1])
        self._steps = script(self._measure)
        self._point: FloatArray | None = None
        self.best: Candidate | None = None
        self.bound = states.bound
        self.history: list[float] = []
        self._ended = False

    @property
    def work(self) -> int:
        """Evaluations of value and gradient."""
        return len(self.history)

    @property
    def done(self) -> bool:
        """Whether the best answer meets the bound, or the script is over."""
        if self._ended:
            return True
        return self.best is not None and self.best.value <= self.bound + CLOSE_ENOUGH * max(
            1.0, abs(self.best.value)
        )

    def advance(self, work: int, seconds_left: float) -> None:
        """So many evaluations; fewer when the time ends or there is nothing left to do."""
        end = perf_counter() + seconds_left
        for _ in range(work):
            if self.done or perf_counter() >= end:
                return
            try:
                if self._point is None:
                    self._point = next(self._steps)
                value, slopes = self.states.gradient(self._point)
                self.history.append(value)
                if not self.done:
                    self._point = self._steps.send((value, slopes))
            except StopIteration:
                self._ended = True

    def _measure(self, point: FloatArray) -> None:
        found = self.states.sample(point, self._shots, int(self._seeds.integers(2**63)))
        if found is not None and (self.best is None or found.value < self.best.value):
            self.best = found


def descend(start: FloatArray, *, iterations_max: int, tolerance: float) -> Descent:
    """L-BFGS from `start`: yields points, is sent (value, gradient), returns the lowest value and its point.

    Args:
        tolerance: ends when no derivative is larger, or a step gains less than this share of the value.
    """
    point = start
    value, slopes = yield point
    steps: list[tuple[FloatArray, FloatArray]] = []
    for _ in range(iterations_max):
        if float(np.abs(slopes).max(initial=0.0)) <= tolerance:
            break
        direction = _direction(slopes, steps)
        if float(direction @ slopes) >= 0:
            steps.clear()
            direction = _direction(slopes, steps)
        found = yield from _line(point, value, slopes, direction)
        if found is None:
            break
        new_value, new_point, new_slopes = found
        moved, bent = new_point - point, new_slopes - slopes
        if float(moved @ bent) > 1e-12 * float(bent @ bent):
            steps = [*steps[-_KEPT + 1 :], (moved, bent)]
        gain = value - new_value
        point, value, slopes = new_point, new_value, new_slopes
        if gain <= tolerance * max(1.0, abs(value)):
            break
    return value, point


def _direction(slopes: FloatArray, steps: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Minus the gradient times an estimate of the inverse Hessian: the two-loop recursion."""
    direction = -slopes
    if not steps:
        return direction * (_FIRST_STEP / float(np.linalg.norm(slopes)))
    shares = []
    for moved, bent in reversed(steps):
        share = float(moved @ direction) / float(moved @ bent)
        shares.append(share)
        direction = direction - share * bent
    moved, bent = steps[-1]
    direction = direction * (float(moved @ bent) / float(bent @ bent))
    for (moved, bent), share in zip(steps, reversed(shares), strict=True):
        direction = direction + (share - float(bent @ direction) / float(moved @ bent)) * moved
    return direction


def _line(
    point: FloatArray, value: float, slopes: FloatArray, direction: FloatArray
) -> Generator[FloatArray, tuple[float, FloatArray], tuple[float, FloatArray, FloatArray] | None]:
    """A point on the line that is low and flat enough; None when none lower was found."""
    slope = float(slopes @ direction)
    low, high, step = 0.0, math.inf, 1.0
    best = None
    for _ in range(_LINE_EVALUATIONS_MAX):
        there = point + step * direction
        new_value, new_slopes = yield there
        if new_value < value and (best is None or new_value < best[0]):
            best = (new_value, there, new_slopes)
        if new_value > value + _DECREASE * step * slope:
            high = step
        elif float(new_slopes @ direction) < _CURVATURE * slope:
            low = step
        else:
            break
        step = (low + high) / 2 if math.isfinite(high) else 2 * low
    return best


def interpolated(angles: FloatArray) -> FloatArray:
    """Angles for one layer more, shape (p,) to (p + 1,): INTERP of L. Zhou et al., arXiv:1812.01041,
    appendix B."""
    layers = len(angles)
    place = np.arange(layers + 1)
    padded = np.concatenate(([0.0], angles, [0.0]))
    return np.asarray(place / layers * padded[:-1] + (layers - place) / layers * padded[1:])
