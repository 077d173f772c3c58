"""Vector bin packing: annealing of the overflow of a fixed number of bins, and exact covers by full bins.

The number of bins is fixed one below the best packing known. Items shift and swap, one for one and one for
two, so that the overflow (what loads exceed capacities by, as shares of the capacity, summed) gets small, by
simulated annealing in runs that double in length; at overflow 0 the packing is kept and a bin is taken away.
Half of the moves bring an item beside one that it fits with, where that is so for few pairs.

Where the proven bound leaves the bins no room to waste, that is looked at first: bins which are full to
within what is left to waste are listed, and an exact cover of the items by them is searched for. Such
packings, planted in test sets made of triples, are found at once; annealing alone misses them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qrealm.base.errors import InfeasibleError, ProblemError
from qrealm.optimize.bounds import bins_needed
from qrealm.optimize.problems import Assignment
from qrealm.optimize.problems.evaluate import TOLERANCE
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

RESOURCES_MAX = 64
SCALE_MAX = 2**20
# Sums over all items and resources stay within 32 bits.
TOTAL_MAX = 2**30
DECIMALS_MAX = 6
# Relative: for the rounding of a double, and far below the tolerance of a capacity.
ROUNDING = 1e-12


def _refusal(problem: Assignment) -> str:
    objective, arrays = problem.objective, problem.arrays
    if problem.rules:
        return "packing takes no rules"
    if problem.may_leave_out:
        return "packing places every item; this problem may leave items out"
    if problem.placement_cost is not None or not arrays.equal_bins or not arrays.allowed.all():
        return "packing needs bins that are equal: in capacities, costs, labels that count, and what is there"
    if objective.balance or objective.fragmentation or objective.bins + objective.cost <= 0:
        return "packing makes the number of bins small, or their cost, and nothing else"
    if len(arrays.resources) > RESOURCES_MAX:
        return f"packing takes up to {RESOURCES_MAX} resources; this problem has {len(arrays.resources)}"
    return ""


CARD = SolverCard(
    name="packing",
    takes=("Assignment",),
    word="classical",
    help="equal bins, as few as possible: overflow annealing and exact covers by full bins",
    unit="4096 proposals",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class PackingOptions:
    """How it searches.

    Attributes:
        hottest, coldest: first and last temperature of a run, as shares of a bin's capacity.
        unevenness: reward for the sum over the bins of the square of how full they are: it keeps free room
            in one piece.
        full_bins: whether to look for an exact cover by full bins first.
    """

    hottest: float = 0.003
    coldest: float = 0.00001
    unevenness: float = 0.01
    full_bins: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.coldest <= self.hottest < math.inf):
            raise ProblemError(
                f"packing got temperatures from {self.hottest!r} to {self.coldest!r}; they must be above 0, "
                "the hottest not below the coldest"
            )
        if not (0 <= self.unevenness < math.inf):
            raise ProblemError(
                f"packing got unevenness={self.unevenness!r}; it must be finite and at least 0"
            )


def start(
    problem: Assignment, options: PackingOptions | None, *, seed: int, hint: np.ndarray | None
) -> Search:
    """Begin. Raises InfeasibleError for an item that no bin can hold, or too few bins."""
    return PackingSearch(problem, options or PackingOptions(), seed, hint)


class PackingSearch:
    """The kernel at work, in the words of the problem."""

    def __init__(
        self, problem: Assignment, options: PackingOptions, seed: int, hint: np.ndarray | None
    ) -> None:
        from qrealm._solvers import PackingSearch as Kernel

        arrays = problem.arrays
        least = max(1, bins_needed(problem))
        if problem.items:
            _check_feasible(problem, least)
        room = arrays.capacity[0] if len(arrays.capacity) else np.zeros(len(arrays.resources))
        demand, capacity = whole_numbers(arrays.demand, room)
        usable = np.zeros(0, dtype=np.int32) if hint is None else np.asarray(hint, dtype=np.int32)
        if (usable < 0).any():
            usable = usable[:0]
        self.kernel = Kernel(
            demand,
            capacity,
            least,
            seed,
            np.ascontiguousarray(usable),
            options.hottest,
            options.coldest,
            options.unevenness,
            options.full_bins,
        )
        cost = float(arrays.bin_cost[0]) if len(arrays.bin_cost) else 0.0
        self._price = problem.objective.bins + problem.objective.cost * cost
        self._num_items, self._num_bins = len(problem.items), len(problem.bins)
        self._best: Candidate | None = None
        self._best_bins = math.inf
        self.bound = self._price * least if problem.items else 0.0
        self.work = 0

    @property
    def best(self) -> Candidate | None:
        """Bins are numbered from 0 in no special order."""
        if not self._num_items:
            return Candidate(np.zeros(0, dtype=np.int32), 0.0)
        bins = self.kernel.best_bins
        if bins < self._best_bins and bins <= self._num_bins:
            answer = self.kernel.best()
            if len(answer):
                self._best = Candidate(answer, self._price * bins)
                self._best_bins = bins
        return self._best

    @property
    def done(self) -> bool:
        """Whether the packing has no more bins than the bound."""
        return bool(self.kernel.done)

    def advance(self, work: int, seconds_left: float) -> None:
        """So many batches of proposals; the first call looks for full bins."""
        self.work += self.kernel.advance(work, seconds_left)


def _check_feasible(problem: Assignment, least: int) -> None:
    arrays = problem.arrays
    if least > len(problem.bins):
        raise InfeasibleError(
            f"the items need at least {least} bins; there are {len(problem.bins)}",
            conflict=(f"every item must have a bin, of which there are {len(problem.bins)}",),
        )
    if (arrays.demand < 0).any():
        return  # what is too large alone may fit beside an item that brings room
    excess = arrays.demand > arrays.capacity[0] * (1 + TOLERANCE)
    if excess.any():
        item, resource = (int(index) for index in np.argwhere(excess)[0])
        name, kind = problem.items[item].name, arrays.resources[resource]
        text = (
            f"item {name!r} needs {arrays.demand[item, resource]:g} of {kind}; a bin has "
            f"{arrays.capacity[0, resource]:g}"
        )
        raise InfeasibleError(text, conflict=(text,))


def whole_numbers(demand: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Demands (n, d) and the capacity (d,) as int32, each resource on a scale of its own.

    Exact where all numbers of a resource are decimal fractions that the scale can hold; else demands are
    rounded up and the capacity down, so that what fits in whole numbers fits.
    """
    num_resources = len(room)
    numbers = np.zeros(demand.shape, dtype=np.int32)
    capacity = np.zeros(num_resources, dtype=np.int32)
    for resource in range(num_resources):
        column = demand[:, resource]
        largest = max(float(room[resource]), float(np.abs(column).max(initial=0.0)))
        if largest == 0:
            continue
        share = max(1.0, float(np.abs(column).sum()) / largest)
        scale = min(SCALE_MAX, int(TOTAL_MAX / (share * num_resources)))
        unit = _common_unit(column, float(room[resource]))
        if unit is not None and largest / unit <= scale:
            times = int(scale // round(largest / unit))
            numbers[:, resource] = np.rint(column / unit).astype(np.int64) * times
            capacity[resource] = round(float(room[resource]) / unit) * times
        else:
            sizes = column / largest * scale
            numbers[:, resource] = np.ceil(sizes - ROUNDING * np.abs(sizes))
            capacity[resource] = math.floor(float(room[resource]) / largest * scale * (1 + ROUNDING))
    return numbers, capacity


def _common_unit(column: np.ndarray, room: float) -> float | None:
    """The largest unit of which all are whole multiples, a decimal fraction; None when there is none."""
    values = np.append(column, room)
    if ROUNDING * float(np.abs(values).sum()) > TOLERANCE / 10 * room and (column < 0).any():
        return None  # demands that cancel may leave more rounding than a capacity forgives
    for decimals in range(DECIMALS_MAX + 1):
        times = values * 10.0**decimals
        if np.all(np.abs(times - np.rint(times)) <= ROUNDING * np.abs(times)):
            whole = np.rint(times).astype(np.int64)
            return float(np.gcd.reduce(whole)) / 10.0**decimals
    return None
