"""The matrix of every kernel op, written down from formulas and not from qrealm's own gate table.

Sources: M. Nielsen and I. Chuang, Quantum Computation and Quantum Information (2010), sections 1.3.1, 4.2
and 4.3, for the Pauli, Hadamard, S, T and rotation matrices; the OpenQASM 3 specification, "Built-in
gates", for U; for the two-qubit rotations the definition exp(-i θ/2 · P ⊗ P) itself, evaluated as
cos(θ/2)·1 - i·sin(θ/2)·P ⊗ P, which holds because P ⊗ P squares to one.

A matrix acts on qubits (q0, q1, …) with q0 the least significant bit of the row and column index, so the
operator "A on q0 and B on q1" is np.kron(B, A).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

IDENTITY: Matrix = np.eye(2, dtype=complex)
PAULI_X: Matrix = np.array([[0, 1], [1, 0]], dtype=complex)
PAULI_Y: Matrix = np.array([[0, -1j], [1j, 0]], dtype=complex)
PAULI_Z: Matrix = np.array([[1, 0], [0, -1]], dtype=complex)
PAULIS: dict[str, Matrix] = {"I": IDENTITY, "X": PAULI_X, "Y": PAULI_Y, "Z": PAULI_Z}


def rotation(generator: Matrix, theta: float) -> Matrix:
    """exp(-i θ/2 · generator) for a generator that squares to one (Nielsen and Chuang, exercise 4.2)."""
    return math.cos(theta / 2) * np.eye(len(generator)) - 1j * math.sin(theta / 2) * generator


def universal(theta: float, phi: float, lam: float) -> Matrix:
    """U(θ, φ, λ) of OpenQASM 3."""
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    return np.array(
        [
            [cos, -cmath.exp(1j * lam) * sin],
            [cmath.exp(1j * phi) * sin, cmath.exp(1j * (phi + lam)) * cos],
        ]
    )


def _swap() -> Matrix:
    return np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex)


def _iswap() -> Matrix:
    """exp(+i π/4 (XX + YY)): exchanges |01⟩ and |10⟩ with a factor i."""
    return np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class KernelOp:
    """One op of the kernel: its code, how many targets and parameters it takes, its matrix from the
    parameters.

    `matrix` is None for MATRIX alone, whose entries come with the circuit; its `num_targets` is then
    meaningless and -1.
    """

    name: str
    code: int
    num_targets: int
    num_params: int
    matrix: Callable[..., Matrix] | None


def _fixed(matrix: Sequence[Sequence[complex]]) -> Callable[[], Matrix]:
    return lambda: np.array(matrix, dtype=complex)


_HALF = math.sqrt(0.5)
_EIGHTH = cmath.exp(1j * math.pi / 4)

MATRIX = 22

KERNEL_OPS: tuple[KernelOp, ...] = (
    KernelOp("GPHASE", 0, 0, 1, lambda theta: np.array([[cmath.exp(1j * theta)]])),
    KernelOp("X", 1, 1, 0, lambda: PAULI_X.copy()),
    KernelOp("Y", 2, 1, 0, lambda: PAULI_Y.copy()),
    KernelOp("Z", 3, 1, 0, lambda: PAULI_Z.copy()),
    KernelOp("H", 4, 1, 0, _fixed([[_HALF, _HALF], [_HALF, -_HALF]])),
    KernelOp("S", 5, 1, 0, _fixed([[1, 0], [0, 1j]])),
    KernelOp("SDG", 6, 1, 0, _fixed([[1, 0], [0, -1j]])),
    KernelOp("T", 7, 1, 0, _fixed([[1, 0], [0, _EIGHTH]])),
    KernelOp("TDG", 8, 1, 0, _fixed([[1, 0], [0, _EIGHTH.conjugate()]])),
    # The square root of X with eigenvalues 1 and i, so that SX · SX = X without a phase.
    KernelOp("SX", 9, 1, 0, _fixed([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]])),
    KernelOp("SXDG", 10, 1, 0, _fixed([[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]])),
    KernelOp("RX", 11, 1, 1, lambda theta: rotation(PAULI_X, theta)),
    KernelOp("RY", 12, 1, 1, lambda theta: rotation(PAULI_Y, theta)),
    KernelOp("RZ", 13, 1, 1, lambda theta: rotation(PAULI_Z, theta)),
    KernelOp("P", 14, 1, 1, lambda theta: np.diag([1, cmath.exp(1j * theta)])),
    KernelOp("U", 15, 1, 3, universal),
    KernelOp("SWAP", 16, 2, 0, _swap),
    KernelOp("ISWAP", 17, 2, 0, _iswap),
    KernelOp("RXX", 18, 2, 1, lambda theta: rotation(np.kron(PAULI_X, PAULI_X), theta)),
    KernelOp("RYY", 19, 2, 1, lambda theta: rotation(np.kron(PAULI_Y, PAULI_Y), theta)),
    KernelOp("RZZ", 20, 2, 1, lambda theta: rotation(np.kron(PAULI_Z, PAULI_Z), theta)),
    # Targets (a, b): Z on a, the low bit, and X on b.
    KernelOp("RZX", 21, 2, 1, lambda theta: rotation(np.kron(PAULI_X, PAULI_Z), theta)),
    KernelOp("MATRIX", MATRIX, -1, 1, None),
)

OP_BY_CODE: dict[int, KernelOp] = {op.code: op for op in KERNEL_OPS}
OP_BY_NAME: dict[str, KernelOp] = {op.name: op for op in KERNEL_OPS}
