"""`DensitySimulator`: ρ as a matrix, one Kraus sum after another. The definition, written down.

Qubit q is bit q of a basis index, for rows and columns. It shares nothing with the package but the packed
form of gates, which `dense.unpack` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dense import Op, Packed, full_matrix, unpack
from .ops import PAULIS, Matrix


def spread(matrix: Any, qubits: Sequence[int], num_qubits: int) -> Matrix:
    """A matrix on some qubits, the first the low bit, as one on all of them."""
    return full_matrix(Op("spread", (), tuple(qubits), np.asarray(matrix, dtype=complex)), num_qubits)


class DensitySimulator:
    """ρ of `num_qubits` qubits, |0…0⟩⟨0…0| at first. Meant for up to 6 qubits."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.rho: NDArray[np.complex128] = np.zeros((2**num_qubits,) * 2, dtype=complex)
        self.rho[0, 0] = 1

    def gates(self, packed: Packed) -> None:
        """U ρ U† for every op of a packed circuit."""
        for op in unpack(packed):
            matrix = full_matrix(op, self.num_qubits)
            self.rho = matrix @ self.rho @ matrix.conj().T

    def kraus(self, operators: Sequence[Any], qubits: Sequence[int]) -> None:
        """Σ K ρ K†."""
        whole = [spread(each, qubits, self.num_qubits) for each in operators]
        self.rho = sum((k @ self.rho @ k.conj().T for k in whole), np.zeros_like(self.rho))

    def reset(self, qubit: int) -> None:
        """The qubit replaced by |0⟩."""
        self.kraus([[[1, 0], [0, 0]], [[0, 1], [0, 0]]], [qubit])

    def project(self, qubit: int, outcome: int) -> float:
        """Keeps what has this outcome, without normalising it; returns its probability."""
        self.kraus([np.diag([1 - outcome, outcome])], [qubit])
        return float(np.trace(self.rho).real)

    def probabilities(self) -> NDArray[np.float64]:
        """Of every basis state."""
        return np.diag(self.rho).real.copy()

    def expectation(self, paulis: dict[int, str]) -> float:
        """Tr(P ρ) of the Pauli string with `paulis[q]` on qubit q."""
        whole = np.eye(2**self.num_qubits, dtype=complex)
        for qubit, name in paulis.items():
            whole = whole @ spread(PAULIS[name], [qubit], self.num_qubits)
        return float(np.trace(whole @ self.rho).real)


def superoperator_of(kraus: Sequence[Any]) -> Matrix:
    """The matrix that takes entry ρ[i, j], at index i + size j, to the channel's result, entry by entry."""
    operators = [np.asarray(each, dtype=complex) for each in kraus]
    size = len(operators[0])
    found = np.zeros((size * size, size * size), dtype=complex)
    for i, j in product(range(size), repeat=2):
        unit = np.zeros((size, size), dtype=complex)
        unit[i, j] = 1
        image = sum((k @ unit @ k.conj().T for k in operators), np.zeros_like(unit))
        for a, b in product(range(size), repeat=2):
            found[a + size * b, i + size * j] = image[a, b]
    return found
