"""What may happen to a density matrix: operators, relaxation, a fresh preparation, a permutation.

Each step says which qubits it acts on, and gives Kraus operators: matrices of shape (2^k, 2^k) on its k
qubits, the first the least significant bit, with Σ K†K = 1. A simulator may know a shorter way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]


class Step(Protocol):
    """One change of a density matrix."""

    @property
    def qubits(self) -> tuple[int, ...]:
        """Those that it acts on; the first is the least significant bit of its matrices."""
        ...

    def kraus(self) -> tuple[Matrix, ...]:
        """ρ becomes Σ K ρ K†; a single one is unitary."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Operators:
    """Kraus operators as they are; one unitary matrix is a gate."""

    matrices: tuple[Matrix, ...]
    qubits: tuple[int, ...]

    def kraus(self) -> tuple[Matrix, ...]:
        """Its matrices."""
        return self.matrices


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """Thermal relaxation towards a distribution over the basis states of its qubits.

    ρ becomes a D(ρ) + (1 - a) diag(π) ⊗ Tr ρ, where a is the share of populations that is kept, D multiplies
    what is off the diagonal in these qubits by b/a, and b is the share of coherences that is kept. It is
    completely positive for 0 ≤ b ≤ a ≤ 1: a mixture of doing nothing, of full dephasing and of preparing
    diag(π).

    Attributes:
        distribution: π, shape (2^k,), sum 1.
        populations_kept: a = e^(-t/T1).
        coherences_kept: b = e^(-t/T2).
    """

    distribution: NDArray[np.float64]
    populations_kept: float
    coherences_kept: float
    qubits: tuple[int, ...]

    def kraus(self) -> tuple[Matrix, ...]:
        """√b 1, √(a-b) |i⟩⟨i|, √((1-a) π_j) |j⟩⟨i|."""
        size = len(self.distribution)
        a, b = self.populations_kept, self.coherences_kept
        found = [np.sqrt(b) * np.eye(size, dtype=np.complex128)]
        found += [_unit(size, i, i, np.sqrt(a - b)) for i in range(size) if a > b]
        found += [
            _unit(size, j, i, np.sqrt((1 - a) * float(self.distribution[j])))
            for j in np.flatnonzero(self.distribution * (1 - a)).tolist()
            for i in range(size)
        ]
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """Whatever its qubits were, they are in this pure state afterwards, and entangled with nothing.

    Attributes:
        amplitudes: ψ, shape (2^k,), norm 1.
    """

    amplitudes: Matrix
    qubits: tuple[int, ...]

    def kraus(self) -> tuple[Matrix, ...]:
        """|ψ⟩⟨i| for every i."""
        size = len(self.amplitudes)
        found = []
        for i in range(size):
            matrix = np.zeros((size, size), dtype=np.complex128)
            matrix[:, i] = self.amplitudes
            found.append(matrix)
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Permutation:
    """Basis state i of its qubits becomes basis state ``table[i]``.

    Attributes:
        table: shape (2^k,), uint32, each of 0 … 2^k - 1 once.
    """

    table: NDArray[np.uint32]
    qubits: tuple[int, ...]

    def kraus(self) -> tuple[Matrix, ...]:
        """The permutation matrix."""
        size = len(self.table)
        matrix = np.zeros((size, size), dtype=np.complex128)
        matrix[self.table, np.arange(size)] = 1
        return (matrix,)


def _unit(size: int, row: int, col: int, value: float) -> Matrix:
    matrix = np.zeros((size, size), dtype=np.complex128)
    matrix[row, col] = value
    return matrix
