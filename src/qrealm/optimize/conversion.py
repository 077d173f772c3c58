"""Assignments as bits without demands: what QAOA, annealers of spins and other QUBO solvers take.

A bit for each pair of an item and a bin that it fits, as in `qrealm.optimize.linear_model`; whole numbers in
binary; for every row a penalty that is 0 where the row holds and at least the penalty's weight where it does
not. The weight is above the difference between the dearest and the cheapest setting of all bits, so the best
bits keep every demand whenever there is an answer that does. Balance is quadratic as it is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from qrealm.base.errors import SolverRefusalError
from qrealm.optimize.linear_model import AssignmentModel, LinearModel, Row, assignment_model
from qrealm.optimize.problems import Assignment, Qubo
from qrealm.optimize.problems.evaluate import violations

BITS_MAX = 100_000
ROW_BITS_MAX = 4096


@dataclass(frozen=True, eq=False)
class AssignmentQubo:
    """An assignment as a Qubo, and the way back.

    Attributes:
        qubo: its energy is the assignment's value wherever no penalty is paid and all auxiliary bits fit.
        penalty: what breaking any row costs at least.
        num_pairs: the first bits are the pairs of items and bins; the others are auxiliary.
    """

    problem: Assignment
    qubo: Qubo
    penalty: float
    num_pairs: int
    _model: AssignmentModel
    _columns: tuple[_Whole, ...]

    def decode(self, bits: np.ndarray) -> np.ndarray:
        """Bin of each item, int32; -1 for an item with no bit set, or with several."""
        values = np.zeros(max(1, len(self._model.model.cost)))  # there may be no pair at all
        values[: self.num_pairs] = np.asarray(bits)[: self.num_pairs]
        answer = self._model.answer(values)
        chosen = np.where(self._model.pair >= 0, values[np.maximum(self._model.pair, 0)], 0.0)
        several = chosen.sum(axis=1) > 1
        return np.where(several, -1, answer).astype(np.int32)

    def keeps_demands(self, bits: np.ndarray) -> bool:
        """Whether the bits stand for a placement that keeps all demands."""
        return not violations(self.problem, self.decode(bits))


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole number in bits: low + sum of weights times bits."""

    low: float
    bits: tuple[int, ...]
    weights: tuple[float, ...]


class _Bits:
    """The quadratic form under construction."""

    def __init__(self) -> None:
        self.count = 0
        self.offset = 0.0
        self.terms: dict[tuple[int, int], float] = defaultdict(float)

    def number(self, low: float, high: float) -> _Whole:
        """Bits for a whole number from low to high: each of these can be written, and no other."""
        weights: list[float] = []
        left = round(high - low)
        while left > 0:
            weight = min(2 ** len(weights), left)
            weights.append(float(weight))
            left -= weight
        first, self.count = self.count, self.count + len(weights)
        if self.count > BITS_MAX:
            raise SolverRefusalError(f"this assignment needs more than {BITS_MAX} bits")
        return _Whole(low, tuple(range(first, self.count)), tuple(weights))

    def add_linear(self, number: _Whole, weight: float) -> None:
        """weight · number"""
        self.offset += weight * number.low
        for bit, value in zip(number.bits, number.weights, strict=True):
            self.terms[bit, bit] += weight * value

    def add_square(self, parts: Iterable[tuple[_Whole, float]], constant: float, weight: float) -> None:
        """weight · (sum of coefficients times numbers + constant)²"""
        sums: dict[int, float] = defaultdict(float)
        for number, coefficient in parts:
            constant += coefficient * number.low
            for bit, value in zip(number.bits, number.weights, strict=True):
                sums[bit] += coefficient * value
        terms = [(bit, value) for bit, value in sums.items() if value]
        if len(terms) > ROW_BITS_MAX:
            raise SolverRefusalError(f"a demand ties {len(terms)} bits together; up to {ROW_BITS_MAX} can be")
        self.offset += weight * constant * constant
        for at, (bit, value) in enumerate(terms):
            self.terms[bit, bit] += weight * value * (value + 2 * constant)
            for other, second in terms[:at]:
                self.terms[min(bit, other), max(bit, other)] += 2 * weight * value * second


def to_qubo(problem: Assignment, *, penalty: float | None = None) -> AssignmentQubo:
    """An assignment as a Qubo whose best bits are its best placement.

    Args:
        problem: demands and capacities must be whole numbers or decimal fractions, up to 6 places.
        penalty: what breaking a demand costs; None for one that is provably large enough.

    Raises:
        SolverRefusalError: fragmentation counts, whose shares are no whole numbers; demands are no decimal
            fractions; or too many bits.
    """
    if problem.objective.fragmentation:
        raise SolverRefusalError("to_qubo takes no fragmentation: its shares are no whole numbers")
    linear = assignment_model(replace(problem, objective=replace(problem.objective, balance=0.0)))
    model = linear.model
    _check_whole(model)
    bits = _Bits()
    columns = tuple(bits.number(low, high) for low, high in zip(model.low, model.high, strict=True))
    num_pairs = int(np.count_nonzero(linear.pair >= 0))
    span = float(np.abs(model.cost * (model.high - model.low)).sum())
    for column, cost in zip(columns, model.cost.tolist(), strict=True):
        if cost:
            bits.add_linear(column, cost)
    bits.offset += model.offset
    span += _add_balance(bits, problem, linear, columns)
    # Above every difference of prices: no saving pays for a broken demand.
    price = span + max(1.0, 1e-6 * span) if penalty is None else float(penalty)
    if not (math.isfinite(price) and price > 0):
        raise SolverRefusalError(f"to_qubo got penalty={penalty!r}; it must be above 0 and finite")
    for row in model.rows:
        _add_row(bits, model, columns, row, price)
    qubo = Qubo.build(bits.count, dict(bits.terms), offset=bits.offset, name=problem.name)
    return AssignmentQubo(problem, qubo, price, num_pairs, linear, columns)


def _check_whole(model: LinearModel) -> None:
    for row in model.rows:
        if not np.all(row.coefficients == np.rint(row.coefficients)):
            raise SolverRefusalError(
                "to_qubo needs demands and capacities that are whole numbers or decimal fractions",
                hint="round the demands up and the capacities down",
            )


def _add_balance(
    bits: _Bits, problem: Assignment, linear: AssignmentModel, columns: tuple[_Whole, ...]
) -> float:
    """The variance as a square of bits; returns the most that it can be."""
    weight = problem.objective.balance
    arrays = problem.arrays
    m, d = len(problem.bins), len(arrays.resources)
    if not weight or not m or not d:
        return 0.0
    largest = 0.0
    for resource in range(d):
        everything = []
        for place in range(m):
            room = arrays.capacity[place, resource]
            held = np.flatnonzero(linear.pair[:, place] >= 0)
            parts = [
                (columns[linear.pair[item, place]], float(arrays.demand[item, resource] / room))
                for item in held.tolist()
                if room > 0
            ]
            bits.add_square(parts, 0.0, weight / (m * d))
            largest += weight / (m * d) * sum(abs(share) for _, share in parts) ** 2
            everything += parts
        bits.add_square(everything, 0.0, -weight / (m * m * d))
        largest += weight / (m * m * d) * sum(abs(share) for _, share in everything) ** 2
    return largest


def _add_row(bits: _Bits, model: LinearModel, columns: tuple[_Whole, ...], row: Row, price: float) -> None:
    """The penalty of one row."""
    numbers = [columns[at] for at in row.columns.tolist()]
    coefficients = row.coefficients.tolist()
    ends = [row.coefficients * model.low[row.columns], row.coefficients * model.high[row.columns]]
    least, most = float(np.minimum(*ends).sum()), float(np.maximum(*ends).sum())
    low = max(least, math.ceil(row.low - 1e-9)) if math.isfinite(row.low) else least
    high = min(most, math.floor(row.high + 1e-9)) if math.isfinite(row.high) else most
    if low <= least and high >= most:
        return
    binary = all(len(number.bits) == 1 and number.low == 0 for number in numbers)
    if binary and set(coefficients) == {1.0} and low <= 0 and high == 1:
        # At most one: a price for each pair.
        for at, one in enumerate(numbers):
            for other in numbers[:at]:
                key = tuple(sorted((one.bits[0], other.bits[0])))
                bits.terms[key[0], key[1]] += price
        return
    if binary and coefficients == [1.0, -1.0] and low <= least and high == 0:
        # The first only with the second.
        first, second = numbers[0].bits[0], numbers[1].bits[0]
        bits.terms[first, first] += price
        bits.terms[min(first, second), max(first, second)] -= price
        return
    parts = list(zip(numbers, coefficients, strict=True))
    if high > low:
        parts.append((bits.number(low, high), -1.0))
        bits.add_square(parts, 0.0, price)
    else:
        bits.add_square(parts, -low, price)
