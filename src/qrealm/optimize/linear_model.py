"""Problems as mixed integer linear models: what exact solvers read, proofs of infeasibility and conversions.

One column for each pair of an item and a bin that it fits; the parts of the objective and the rules of
`qrealm.optimize.problems.evaluate` as further columns and rows. The variance of the balance is no linear
part: it is bounded from below by tangents, which a solver adds where its answers are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qrealm.optimize.problems import Assignment, Qubo
from qrealm.optimize.problems.arrays import RuleArrays
from qrealm.optimize.problems.evaluate import TOLERANCE, load_of

PAIRS_MAX = 1_000_000
STRONG_LINKS_MAX = 50_000
DECIMALS_MAX = 6
WHOLE_MAX = 2.0**40
FIRST_TANGENTS = (-0.4, -0.2, -0.1, 0.0, 0.1, 0.2, 0.4)
FloatArray = np.ndarray
# Asked before each row; True ends the building.
Stop = Callable[[], bool]


class BuildStoppedError(Exception):
    """The time was over before a model was built."""


def never() -> bool:
    """A model is built to its end."""
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """``low <= sum of coefficients times columns <= high``."""

    columns: np.ndarray
    coefficients: np.ndarray
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Make ``cost @ x + offset`` small, within bounds and rows; columns marked whole are integers."""

    cost: FloatArray
    low: FloatArray
    high: FloatArray
    whole: np.ndarray
    rows: tuple[Row, ...]
    offset: float = 0.0

    def with_rows(self, rows: Sequence[Row]) -> LinearModel:
        """The same with rows more."""
        return replace(self, rows=self.rows + tuple(rows))

    def without_cost(self) -> LinearModel:
        """Only whether there is an answer."""
        return replace(self, cost=np.zeros_like(self.cost), offset=0.0)


@dataclass(slots=True)
class _Builder:
    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    offset: float = 0.0
    stop: Stop = never

    def columns(
        self, cost: FloatArray, *, low: float = 0.0, high: float = 1.0, whole: bool = True
    ) -> np.ndarray:
        first, count = len(self.cost), len(cost)
        self.cost.extend(np.asarray(cost, dtype=np.float64).tolist())
        self.low.extend([low] * count)
        self.high.extend([high] * count)
        self.whole.extend([whole] * count)
        return np.arange(first, first + count)

    def column(self, cost: float, *, low: float = 0.0, high: float = 1.0, whole: bool = True) -> int:
        return int(self.columns(np.array([cost]), low=low, high=high, whole=whole)[0])

    def row(
        self,
        columns: Sequence[int] | np.ndarray,
        coefficients: Sequence[float] | np.ndarray,
        low: float,
        high: float,
    ) -> None:
        if self.stop():
            raise BuildStoppedError
        self.rows.append(
            Row(np.asarray(columns, dtype=np.int64), np.asarray(coefficients, dtype=np.float64), low, high)
        )

    def build(self) -> LinearModel:
        return LinearModel(
            np.array(self.cost),
            np.array(self.low),
            np.array(self.high),
            np.array(self.whole, dtype=bool),
            tuple(self.rows),
            self.offset,
        )


@dataclass(frozen=True, eq=False)
class AssignmentModel:
    """An assignment as a linear model, and the way between their answers.

    Attributes:
        pair: column of each item in each bin, shape (items, bins); -1 where it cannot be.
        balance: columns of the shares (bins, resources), of their squares' bounds, of their means
            (resources,); None where balance does not count.
        rule_rows: first and last + 1 of the rows of each rule. The first rows of all are the items'.
    """

    problem: Assignment
    model: LinearModel
    pair: np.ndarray
    balance: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    rule_rows: tuple[tuple[int, int], ...] = ()

    def answer(self, values: FloatArray) -> np.ndarray:
        """Bin of each item, int32; -1 for none."""
        chosen = np.where(self.pair >= 0, values[np.maximum(self.pair, 0)], 0.0)
        if not chosen.shape[1]:
            return np.full(len(chosen), -1, dtype=np.int32)
        bins = chosen.argmax(axis=1)
        return np.where(chosen.max(axis=1) > 0.5, bins, -1).astype(np.int32)

    def covers(self, answer: np.ndarray) -> list[Row]:
        """Rows against bins that an answer overfills by less than a solver's own tolerance can see."""
        arrays = self.problem.arrays
        load = load_of(self.problem, answer)
        rows = []
        for place in np.flatnonzero((load > arrays.capacity * (1 + TOLERANCE)).any(axis=1)).tolist():
            held = self.pair[np.flatnonzero(answer == place), place]
            rows.append(Row(held, np.ones(len(held)), -np.inf, len(held) - 1.0))
        return rows

    def tangents(self, answer: np.ndarray) -> list[Row]:
        """Rows that make the balance exact at an answer."""
        if self.balance is None:
            return []
        arrays = self.problem.arrays
        share = _shares(arrays.capacity) * load_of(self.problem, answer)
        distance = share - share.mean(axis=0)
        at = np.ndindex(*distance.shape)
        return [_tangent(self.balance, b, r, float(distance[b, r])) for b, r in at]


def _tangent(balance: tuple[np.ndarray, np.ndarray, np.ndarray], b: int, r: int, at: float) -> Row:
    share, square, mean = balance
    # square >= 2 at (share - mean) - at²
    return Row(
        np.array([square[b, r], share[b, r], mean[r]]),
        np.array([1.0, -2 * at, 2 * at]),
        -at * at,
        np.inf,
    )


def _shares(capacity: FloatArray) -> FloatArray:
    shares: FloatArray = np.divide(1.0, capacity, out=np.zeros_like(capacity), where=capacity > 0)
    return shares


def possible_pairs(problem: Assignment) -> np.ndarray:
    """Which items may go to which bins and fit there alone, bool of shape (items, bins)."""
    arrays = problem.arrays
    possible = np.zeros((0, len(problem.bins)), dtype=np.bool_)
    if problem.items:
        possible = arrays.allowed[arrays.allowed_set]
    if not (arrays.demand < 0).any():  # else an item may fit beside one that brings room
        for resource in range(len(arrays.resources)):
            limit = arrays.capacity[:, resource] * (1 + TOLERANCE)
            possible &= arrays.demand[:, resource][:, None] <= limit[None, :]
    return possible


def assignment_model(
    problem: Assignment, *, break_symmetry: bool = True, stop: Stop = never
) -> AssignmentModel:
    """The model of an assignment; of equal bins only one order is left when `break_symmetry`. Raises
    BuildStoppedError when `stop` says so."""
    arrays, objective = problem.arrays, problem.objective
    n, m = len(problem.items), len(problem.bins)
    possible = possible_pairs(problem)
    ordered = break_symmetry and arrays.equal_bins and m > 1
    if ordered:
        # Bins are numbered by the largest item that they hold: so the k-th item is in one of the first k.
        share = (arrays.demand * _shares(arrays.capacity[:1])).max(axis=1, initial=0.0)
        rank = np.empty(n, dtype=np.int64)
        rank[np.argsort(-share, kind="stable")] = np.arange(n)
        possible &= np.arange(m)[None, :] <= rank[:, None]
    builder = _Builder(stop=stop)
    price = np.zeros((n, m)) - (arrays.left_out_price[:, None] if problem.may_leave_out else 0.0)
    if problem.placement_cost is not None:
        price = price + objective.cost * problem.placement_cost
    moved = (arrays.current[:, None] >= 0) & (np.arange(m)[None, :] != arrays.current[:, None])
    price = price + objective.moves * arrays.move_price[:, None] * moved
    if problem.may_leave_out:
        builder.offset = float(arrays.left_out_price.sum())
    pair = np.full((n, m), -1, dtype=np.int64)
    pair[possible] = builder.columns(price[possible])
    for item in range(n):
        held = pair[item][pair[item] >= 0]
        builder.row(held, np.ones(len(held)), 0.0 if problem.may_leave_out else 1.0, 1.0)
    opening = objective.bins + objective.cost * arrays.bin_cost
    in_use = builder.columns(opening) if opening.any() or ordered else None
    _add_capacities(builder, problem, pair, in_use)
    if in_use is not None:
        _add_links(builder, pair, in_use, ordered)
    rule_rows = []
    for rule in arrays.rules:
        first = len(builder.rows)
        _add_rule(builder, pair, rule)
        rule_rows.append((first, len(builder.rows)))
    _add_fragmentation(builder, problem, pair)
    balance = _add_balance(builder, problem, pair)
    return AssignmentModel(problem, builder.build(), pair, balance, tuple(rule_rows))


def whole_scale(values: FloatArray) -> float | None:
    """The power of ten that makes all values whole; None when there is none."""
    for decimals in range(DECIMALS_MAX + 1):
        times = values * 10.0**decimals
        if np.abs(times).max(initial=0.0) > WHOLE_MAX:
            return None
        if np.all(np.abs(times - np.rint(times)) <= 1e-9 * np.maximum(1.0, np.abs(times))):
            return 10.0**decimals
    return None


def _add_capacities(
    builder: _Builder, problem: Assignment, pair: np.ndarray, in_use: np.ndarray | None
) -> None:
    arrays = problem.arrays
    for resource in range(len(arrays.resources)):
        demand, capacity = arrays.demand[:, resource], arrays.capacity[:, resource]
        scale = whole_scale(np.concatenate([demand, capacity]))
        negative = bool((demand < 0).any())
        for place in range(len(problem.bins)):
            here = (pair[:, place] >= 0) & (demand != 0)
            room = float(capacity[place])
            if not here.any() or (not negative and demand[here].sum() <= room and in_use is None):
                continue
            if scale is not None:
                amounts, limit = np.rint(demand[here] * scale), float(round(room * scale))
            else:
                factor = 1.0 / room if room > 0 else 1.0 / np.abs(demand[here]).max()
                amounts, limit = demand[here] * factor, room * (1 + TOLERANCE) * factor
            columns = pair[here, place]
            if in_use is not None and limit > 0:
                builder.row([*columns, in_use[place]], [*amounts, -limit], -np.inf, 0.0)
            else:
                builder.row(columns, amounts, -np.inf, limit)


def _add_links(builder: _Builder, pair: np.ndarray, in_use: np.ndarray, ordered: bool) -> None:
    """A bin with an item is in use; of equal bins, the first ones are."""
    strong = np.count_nonzero(pair >= 0) <= STRONG_LINKS_MAX
    for place, use in enumerate(in_use.tolist()):
        held = pair[:, place][pair[:, place] >= 0]
        if strong:
            for column in held.tolist():
                builder.row([column, use], [1.0, -1.0], -np.inf, 0.0)
        elif len(held):
            builder.row([*held, use], [*np.ones(len(held)), -float(len(held))], -np.inf, 0.0)
        if ordered and place:
            builder.row([use, in_use[place - 1]], [1.0, -1.0], -np.inf, 0.0)


def _add_rule(builder: _Builder, pair: np.ndarray, rule: RuleArrays) -> None:
    weight = rule.rule.weight
    if len(rule.items) == 0:
        return
    members = pair[rule.items]
    inside = [
        [row[(rule.domains == domain) & (row >= 0)] for row in members] for domain in range(rule.num_domains)
    ]
    size = float(len(rule.items))
    if rule.rule.kind == "spread":
        most = builder.column(0.0, high=size)
        least = builder.column(0.0, high=size)
        for domain in inside:
            held = np.concatenate(domain)
            builder.row([*held, most], [*np.ones(len(held)), -1.0], -np.inf, 0.0)
            builder.row([*held, least], [*np.ones(len(held)), -1.0], 0.0, np.inf)
        if weight is None:
            builder.row([most, least], [1.0, -1.0], -np.inf, float(rule.rule.skew))
        else:
            amount = builder.column(weight, high=size)
            builder.row([most, least, amount], [1.0, -1.0, -1.0], -np.inf, float(rule.rule.skew))
        return
    if rule.rule.kind == "apart":
        for domain in inside:
            held = np.concatenate(domain)
            if len(held) < 2:
                continue
            if weight is None:
                builder.row(held, np.ones(len(held)), -np.inf, 1.0)
            else:
                excess = builder.column(weight, high=size)
                builder.row([*held, excess], [*np.ones(len(held)), -1.0], -np.inf, 1.0)
        return
    used = builder.columns(np.zeros(rule.num_domains))
    for domain, column in zip(inside, used.tolist(), strict=True):
        for held in domain:
            if len(held):
                builder.row([*held, column], [*np.ones(len(held)), -1.0], -np.inf, 0.0)
    if weight is None:
        builder.row(used, np.ones(len(used)), -np.inf, 1.0)
    else:
        amount = builder.column(weight, high=size)
        builder.row([*used, amount], [*np.ones(len(used)), -1.0], -np.inf, 1.0)


def _share_row(
    problem: Assignment, pair: np.ndarray, place: int, resource: int
) -> tuple[np.ndarray, np.ndarray]:
    arrays = problem.arrays
    here = (pair[:, place] >= 0) & (arrays.demand[:, resource] != 0)
    room = arrays.capacity[place, resource]
    amounts = arrays.demand[here, resource] / room if room > 0 else np.zeros(np.count_nonzero(here))
    return pair[here, place], amounts


def _add_fragmentation(builder: _Builder, problem: Assignment, pair: np.ndarray) -> None:
    """Largest less smallest share of each bin: both are 0 in a bin that is not in use."""
    weight, num_resources = problem.objective.fragmentation, len(problem.arrays.resources)
    if not weight or not num_resources:
        return
    per_bin = weight / len(problem.bins)
    for place in range(len(problem.bins)):
        largest = builder.column(per_bin, high=np.inf, whole=False)
        smallest = builder.column(-per_bin, low=-np.inf, whole=False)
        for resource in range(num_resources):
            held, amounts = _share_row(problem, pair, place, resource)
            builder.row([*held, largest], [*amounts, -1.0], -np.inf, 0.0)
            builder.row([*held, smallest], [*amounts, -1.0], 0.0, np.inf)


def _add_balance(
    builder: _Builder, problem: Assignment, pair: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    weight = problem.objective.balance
    m, d = len(problem.bins), len(problem.arrays.resources)
    if not weight or not m or not d:
        return None
    share = builder.columns(np.zeros(m * d), low=-np.inf, high=np.inf, whole=False).reshape(m, d)
    square = builder.columns(np.full(m * d, weight / (m * d)), high=np.inf, whole=False).reshape(m, d)
    mean = builder.columns(np.zeros(d), low=-np.inf, high=np.inf, whole=False)
    balance = (share, square, mean)
    for resource in range(d):
        builder.row([*share[:, resource], mean[resource]], [*np.ones(m), -float(m)], 0.0, 0.0)
        for place in range(m):
            held, amounts = _share_row(problem, pair, place, resource)
            builder.row([*held, share[place, resource]], [*amounts, -1.0], 0.0, 0.0)
            builder.rows.extend(_tangent(balance, place, resource, at) for at in FIRST_TANGENTS)
    return balance


def qubo_model(problem: Qubo, *, stop: Stop = never) -> LinearModel:
    """Bits, and a column for each pair that both of them being 1 makes 1. Raises BuildStoppedError when
    `stop` says so."""
    builder = _Builder(offset=problem.offset, stop=stop)
    bits = builder.columns(problem.linear)
    couplings = problem.couplings
    both = builder.columns(couplings.values, whole=False)
    for i, j, value, column in zip(
        bits[couplings.rows].tolist(),
        bits[couplings.cols].tolist(),
        couplings.values.tolist(),
        both.tolist(),
        strict=True,
    ):
        if value > 0:
            builder.row([i, j, column], [1.0, 1.0, -1.0], -np.inf, 1.0)
        else:
            builder.row([column, i], [1.0, -1.0], -np.inf, 0.0)
            builder.row([column, j], [1.0, -1.0], -np.inf, 0.0)
    return builder.build()
