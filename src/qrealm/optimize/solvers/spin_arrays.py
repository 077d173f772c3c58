"""An Ising problem as the spin kernels read it, and the search that holds such a kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ProblemError, SolverRefusalError
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import Candidate

Int32Array = NDArray[np.int32]

# What the packed kernel counts in bits: heavier weights cost it more, and its temperatures have an end.
PACKED_WEIGHT_MAX = 63
PACKED_TOTAL_MAX = 8000
PACKED_SPREAD_MAX = 50.0
# A weight that is that near to a whole number is one.
WHOLE_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class WholeWeights:
    """Fields and couplings times a factor that makes them whole numbers, with no divisor in common.

    Attributes:
        unit: energy that 1 stands for.
        weights: couplings in the order of `Ising.neighbours`. fields: one for each spin.
    """

    unit: float
    weights: Int32Array
    fields: Int32Array


def whole_weights(problem: Ising, weight_max: int) -> WholeWeights | None:
    """None where there is no factor that keeps all |weights| to `weight_max`."""
    values = np.concatenate([problem.couplings.values, problem.linear])
    sizes = np.abs(values)
    largest = float(sizes.max(initial=0.0))
    if largest == 0:
        return _whole(problem, 1.0)
    smallest = float(sizes.min(where=sizes > 0, initial=np.inf))
    # The smallest stands for 1, 2, 3, ...: each is tried.
    for part in range(1, min(weight_max, 256) + 1):
        factor = part / smallest
        if largest * factor > weight_max * (1 + WHOLE_TOLERANCE):
            return None
        scaled = values * factor
        whole = np.rint(scaled)
        if np.all(np.abs(scaled - whole) <= WHOLE_TOLERANCE * np.maximum(1, np.abs(whole))):
            return _whole(problem, smallest / part)
    return None


def _whole(problem: Ising, unit: float) -> WholeWeights:
    return WholeWeights(
        unit,
        np.rint(problem.neighbours[2] / unit).astype(np.int32),
        np.rint(problem.linear / unit).astype(np.int32),
    )


def packed_weights(problem: Ising, wanted: bool | None = None) -> WholeWeights | None:
    """Weights that the packed kernel can count; None where it cannot, or is not wanted.

    Raises SolverRefusalError where it cannot and is wanted.
    """
    whole = None if wanted is False else _countable(problem)
    if whole is None and wanted:
        raise SolverRefusalError(
            "packed=True counts weights in bits: they must be small multiples of one number",
            hint="leave packed out",
        )
    return whole


def _countable(problem: Ising) -> WholeWeights | None:
    whole = whole_weights(problem, PACKED_WEIGHT_MAX)
    if whole is None or not problem.num_variables:
        return None
    totals = _sums_at_spins(problem, np.abs(problem.couplings.values)) + np.abs(problem.linear)
    spread = field_spread(problem)
    if max(float(totals.max()) / PACKED_TOTAL_MAX, spread / PACKED_SPREAD_MAX) > whole.unit:
        return None
    return whole


def _sums_at_spins(problem: Ising, values: NDArray[np.float64]) -> NDArray[Any]:
    """For each spin the sum of its couplings' values."""
    pairs, spins = problem.couplings, problem.num_variables
    return np.bincount(pairs.rows, values, spins) + np.bincount(pairs.cols, values, spins)


def field_spread(problem: Ising) -> float:
    """How strong the field at a spin is when all others are random: the root of the mean square."""
    pairs, fields = problem.couplings, problem.linear
    touched = fields != 0
    touched[pairs.rows] = True
    touched[pairs.cols] = True
    # Not as a product of vectors: BLAS would wake its threads for it, which takes longer.
    squares = 2 * float(np.square(pairs.values).sum()) + float(np.square(fields).sum())
    return math.sqrt(squares / int(touched.sum())) if squares else 1.0


def weakest_and_mean(problem: Ising) -> tuple[float, float]:
    """Smallest and mean |weight| of couplings and fields that are not 0; 1 where there is none."""
    values = np.abs(np.concatenate([problem.couplings.values, problem.linear]))
    values = values[values > 0]
    return (float(values.min()), float(values.mean())) if len(values) else (1.0, 1.0)


def temperature_range(problem: Ising, hot: float | None, cold: float | None) -> tuple[float, float]:
    """Highest and lowest temperature in units of energy, where they are not given.

    At the highest, order just begins: near the spread of the fields where a spin has many neighbours (as in
    the Sherrington-Kirkpatrick model), at about half of it where it has few; the numbers between are what
    did best on random, planar and toroidal graphs. At the lowest hardly anything moves.
    """
    weakest, mean = weakest_and_mean(problem)
    spread = field_spread(problem)
    neighbours = (spread / mean) ** 2
    share = min(0.95, max(0.5, 0.45 + 0.02 * neighbours))
    return (share * spread if hot is None else hot, 0.1 * weakest + 0.2 * mean if cold is None else cold)


def check_options(solver: str, options: Any, kind: type, positive: tuple[str, ...]) -> Any:
    """The options, or their defaults. Raises ProblemError for another class, and for a named field that is
    set and not above 0."""
    if options is None:
        return kind()
    if not isinstance(options, kind):
        raise ProblemError(f"{solver} got options of {type(options).__name__}; it takes {kind.__name__}")
    for field in positive:
        value = getattr(options, field)
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise ProblemError(f"{solver} got {field}={value!r}; it must be above 0 and finite")
    return options


class SpinKernel(Protocol):
    """What the compiled searches have in common."""

    improvements: int

    def advance(self, work: int) -> None:
        """So many units of work more."""

    def best_spins(self) -> NDArray[np.int8]:
        """The best answer so far."""


class SpinSearch:
    """A kernel at work on an Ising problem; its answers are measured by the problem itself."""

    bound = -math.inf

    def __init__(self, problem: Ising, kernel: SpinKernel | None) -> None:
        self._problem = problem
        self._kernel = kernel
        self._seen = 0
        self.best: Candidate | None = None
        self.work = 0
        if kernel is None:  # nothing to search
            self._take(np.ones(problem.num_variables, dtype=np.int8))

    @property
    def done(self) -> bool:
        """Only where there is no spin: a heuristic never knows."""
        return self._kernel is None

    @property
    def kernel(self) -> Any:
        """The compiled search."""
        return self._kernel

    def advance(self, work: int, seconds_left: float) -> None:
        """So many units more."""
        del seconds_left
        if self._kernel is None:
            return
        self._kernel.advance(work)
        self.work += work
        if self._kernel.improvements != self._seen:
            self._seen = self._kernel.improvements
            self._take(self._kernel.best_spins())

    def _take(self, spins: NDArray[np.int8]) -> None:
        value = self._problem.energy(spins)
        if self.best is None or value < self.best.value:
            self.best = Candidate(spins, value)
