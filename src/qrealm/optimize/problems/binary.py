"""Problems over bits and spins: QUBO, Ising and the largest cut, and the conversions between them.

Energies are to be made small. Bits and spins are tied by ``s = 1 - 2x``: bit 0 is spin +1, bit 1 is spin
-1, as a qubit's Z is. Conversions keep every energy: ``qubo.energy(x) == qubo.to_ising().energy(1 - 2x)``
up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems.checks import check_numbers

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

VARIABLES_MAX = 2**27


@dataclass(frozen=True, eq=False)
class Couplings:
    """Pairs of variables with a weight each: ``rows < cols``, sorted, no pair twice, no zero."""

    rows: IndexArray
    cols: IndexArray
    values: FloatArray

    @classmethod
    def merge(
        cls, what: str, num_variables: int, rows: Any, cols: Any, values: Any
    ) -> tuple[Couplings, FloatArray]:
        """Sort, add up what is given twice or the other way round, drop zeros.

        Returns the pairs, and what stood on the diagonal, shape (num_variables,). Raises ProblemError for
        indices out of range and weights that are not finite; `what` names the problem.
        """
        first, second = np.asarray(rows, dtype=np.int64), np.asarray(cols, dtype=np.int64)
        weights = np.asarray(values, dtype=np.float64)
        if not (first.shape == second.shape == weights.shape and first.ndim == 1):
            raise ProblemError(
                f"{what} got pairs of shapes {first.shape}, {second.shape} and weights of shape "
                f"{weights.shape}; all three must be equally long and flat"
            )
        check_numbers(what, weights)
        low, high = np.minimum(first, second), np.maximum(first, second)
        if len(low) and (low.min() < 0 or high.max() >= num_variables):
            bad = int(low.min()) if low.min() < 0 else int(high.max())
            raise ProblemError(f"{what} speaks of variable {bad}; there are {num_variables}, from 0")
        diagonal = np.zeros(num_variables)
        same = low == high
        np.add.at(diagonal, low[same], weights[same])
        key, place = np.unique(low[~same] * num_variables + high[~same], return_inverse=True)
        sums = np.zeros(len(key))
        np.add.at(sums, place, weights[~same])
        key, sums = key[sums != 0], sums[sums != 0]
        return (
            cls(
                (key // max(num_variables, 1)).astype(np.int32),
                (key % max(num_variables, 1)).astype(np.int32),
                sums,
            ),
            diagonal,
        )

    def neighbours(self, num_variables: int) -> tuple[IndexArray, IndexArray, FloatArray]:
        """Both directions of every pair, row by row: starts (n + 1,), neighbours (2 pairs,), weights (2
        pairs,)."""
        # Lower neighbours first: as the pairs are sorted, a stable sort by rows sorts both.
        rows = np.concatenate([self.cols, self.rows])
        cols = np.concatenate([self.rows, self.cols])
        order = np.argsort(rows, kind="stable")
        starts = np.zeros(num_variables + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=num_variables), out=starts[1:])
        return starts, cols[order].astype(np.int32), np.concatenate([self.values, self.values])[order]

    def energy(self, values: FloatArray) -> float:
        """Sum over the pairs of weight times the product of the two values."""
        return float(np.sum(self.values * values[self.rows] * values[self.cols]))


def _vector(what: str, values: Any) -> FloatArray:
    vector = np.array(values, dtype=np.float64)
    if vector.ndim != 1 or not np.all(np.isfinite(vector)):
        raise ProblemError(f"{what} must be a flat array of finite numbers; it has shape {vector.shape}")
    vector.setflags(write=False)
    return vector


def _answer(what: str, values: Any, num_variables: int, allowed: tuple[int, int]) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape != (num_variables,) or not np.all(np.isin(vector, allowed)):
        raise ProblemError(
            f"{what} got an answer of shape {vector.shape}; it takes {num_variables} values, each "
            f"{allowed[0]} or {allowed[1]}"
        )
    return vector


@dataclass(frozen=True, eq=False)
class _Quadratic:
    linear: FloatArray
    couplings: Couplings
    offset: float = 0.0
    name: str = ""

    @property
    def num_variables(self) -> int:
        """How many bits or spins there are."""
        return len(self.linear)

    @cached_property
    def neighbours(self) -> tuple[IndexArray, IndexArray, FloatArray]:
        """See `Couplings.neighbours`."""
        return self.couplings.neighbours(self.num_variables)

    @classmethod
    def from_parts(
        cls, linear: Any, rows: Any, cols: Any, values: Any, *, offset: float = 0.0, name: str = ""
    ) -> Self:
        """From the linear part, shape (variables,), and pairs as three columns: ends and weights."""
        first = _vector(f"{cls.__name__}'s linear part", linear)
        check_numbers(f"{cls.__name__}'s linear part", first)
        couplings, diagonal = Couplings.merge(cls.__name__, len(first), rows, cols, values)
        return cls._with_diagonal(first, couplings, diagonal, float(offset), name)

    @classmethod
    def _with_diagonal(
        cls, linear: FloatArray, couplings: Couplings, diagonal: FloatArray, offset: float, name: str
    ) -> Self:
        """What a pair of a variable with itself adds: x² = x for bits."""
        return cls(_vector(f"{cls.__name__}'s linear part", linear + diagonal), couplings, offset, name)


@dataclass(frozen=True, eq=False)
class Qubo(_Quadratic):
    """Quadratic unconstrained binary optimization.

    ``energy(x) = sum_i linear_i x_i + sum_(i<j) couplings_ij x_i x_j + offset`` for bits x, to be made small.
    """

    @classmethod
    def build(
        cls,
        num_variables: int,
        terms: Mapping[tuple[int, int], float],
        *,
        offset: float = 0.0,
        name: str = "",
    ) -> Self:
        """From a dict ``{(i, j): weight}``; ``(i, i)`` is the linear term of bit i, as x_i² = x_i."""
        pairs = np.array(list(terms), dtype=np.int64).reshape(-1, 2)
        weights = list(terms.values())
        zero = np.zeros(num_variables)
        return cls.from_parts(zero, pairs[:, 0], pairs[:, 1], weights, offset=offset, name=name)

    @classmethod
    def from_matrix(cls, matrix: Any, *, offset: float = 0.0, name: str = "") -> Self:
        """From a square matrix Q with ``energy(x) = xᵀ Q x + offset``."""
        square = np.asarray(matrix, dtype=np.float64)
        if square.ndim != 2 or square.shape[0] != square.shape[1]:
            raise ProblemError(f"Qubo.from_matrix got a matrix of shape {square.shape}; it must be square")
        rows, cols = np.nonzero(square)
        zero = np.zeros(len(square))
        return cls.from_parts(zero, rows, cols, square[rows, cols], offset=offset, name=name)

    def energy(self, bits: Any) -> float:
        """Energy of one answer of 0s and 1s, shape (num_variables,)."""
        x = _answer("Qubo.energy", bits, self.num_variables, (0, 1))
        return float(self.linear @ x) + self.couplings.energy(x) + self.offset

    def to_ising(self) -> Ising:
        """The same energies over spins ``s = 1 - 2x``."""
        quarter = self.couplings.values / 4
        fields = -self.linear / 2
        np.subtract.at(fields, self.couplings.rows, quarter)
        np.subtract.at(fields, self.couplings.cols, quarter)
        offset = self.offset + float(self.linear.sum()) / 2 + float(quarter.sum())
        couplings = Couplings(self.couplings.rows, self.couplings.cols, quarter)
        return Ising(_vector("Ising's fields", fields), couplings, offset, self.name)


@dataclass(frozen=True, eq=False)
class Ising(_Quadratic):
    """Spins in fields with couplings.

    ``energy(s) = sum_i linear_i s_i + sum_(i<j) couplings_ij s_i s_j + offset`` for spins s of +1 and -1,
    to be made small.
    """

    @classmethod
    def build(
        cls,
        fields: Any,
        terms: Mapping[tuple[int, int], float],
        *,
        offset: float = 0.0,
        name: str = "",
    ) -> Self:
        """From the fields, shape (spins,), and a dict ``{(i, j): coupling}``; ``(i, i)`` adds to the
        offset, as s_i² = 1."""
        pairs = np.array(list(terms), dtype=np.int64).reshape(-1, 2)
        weights = list(terms.values())
        return cls.from_parts(fields, pairs[:, 0], pairs[:, 1], weights, offset=offset, name=name)

    @classmethod
    def _with_diagonal(
        cls, linear: FloatArray, couplings: Couplings, diagonal: FloatArray, offset: float, name: str
    ) -> Self:
        """What a pair of a variable with itself adds: s² = 1 for spins."""
        return cls(linear, couplings, offset + float(diagonal.sum()), name)

    def energy(self, spins: Any) -> float:
        """Energy of one answer of +1s and -1s, shape (num_variables,)."""
        s = _answer("Ising.energy", spins, self.num_variables, (-1, 1))
        return float(self.linear @ s) + self.couplings.energy(s) + self.offset

    def to_qubo(self) -> Qubo:
        """The same energies over bits ``x = (1 - s) / 2``."""
        four = 4 * self.couplings.values
        linear = -2 * self.linear
        np.subtract.at(linear, self.couplings.rows, four / 2)
        np.subtract.at(linear, self.couplings.cols, four / 2)
        offset = self.offset + float(self.linear.sum()) + float(self.couplings.values.sum())
        couplings = Couplings(self.couplings.rows, self.couplings.cols, four)
        return Qubo(_vector("Qubo's linear part", linear), couplings, offset, self.name)


@dataclass(frozen=True, eq=False)
class MaxCut:
    """The partition of a graph's nodes in two parts with the largest weight of edges between them.

    Its energy, to be made small like all energies here, is minus the cut.
    """

    num_nodes: int
    edges: Couplings
    name: str = ""

    @classmethod
    def build(cls, num_nodes: int, rows: Any, cols: Any, weights: Any = None, *, name: str = "") -> Self:
        """From the ends of the edges, counted from 0, and their weights (all 1 when None). Loops are never
        cut."""
        ends = np.asarray(rows)
        edges, _ = Couplings.merge(
            "MaxCut.build", num_nodes, ends, cols, np.ones(len(ends)) if weights is None else weights
        )
        return cls(num_nodes, edges, name)

    @property
    def num_variables(self) -> int:
        """As many spins as nodes."""
        return self.num_nodes

    def cut(self, spins: Any) -> float:
        """Weight of the edges whose ends have different spins, shape (num_nodes,)."""
        s = _answer("MaxCut.cut", spins, self.num_nodes, (-1, 1))
        return float(np.sum(self.edges.values * (s[self.edges.rows] != s[self.edges.cols])))

    def energy(self, spins: Any) -> float:
        """Minus the cut."""
        return -self.cut(spins)

    def to_ising(self) -> Ising:
        """The same energies: half the sum of weight · (s_i s_j - 1)."""
        half = Couplings(self.edges.rows, self.edges.cols, self.edges.values / 2)
        return Ising(np.zeros(self.num_nodes), half, -float(self.edges.values.sum()) / 2, self.name)

    def to_qubo(self) -> Qubo:
        """The same energies over bits."""
        return self.to_ising().to_qubo()
