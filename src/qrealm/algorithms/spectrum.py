"""Exact values of small Pauli sums: the lowest eigenvalue, and all values of a diagonal one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.options import check_whole
from qrealm.base.errors import ObservableError
from qrealm.circuits import PauliSum

QUBITS_EXACT_MAX = 20
"""2^20 values: 8 MiB, and a fraction of a second for each term."""

_DENSE_QUBITS_MAX = 6
_TOLERANCE = 1e-11  # of the residual, relative: the eigenvalue is far closer where the gap is not tiny

_FACTOR_BYTES_MAX = 1 << 30
"""Factors of a product are kept for all products up to this size; beyond it they are made again each time."""


def as_hamiltonian(source: PauliSum | str) -> PauliSum:
    """A Hermitian Pauli sum that acts on something. Raises ObservableError."""
    hamiltonian = PauliSum(source)
    if not hamiltonian.is_hermitian:
        raise ObservableError(
            f"the Hamiltonian {hamiltonian!s:.80} is not Hermitian; it needs real coefficients"
        )
    if hamiltonian.num_qubits == 0:
        raise ObservableError(f"the Hamiltonian {hamiltonian!s:.80} is a constant; it must act on a qubit")
    return hamiltonian


def is_diagonal(hamiltonian: PauliSum) -> bool:
    """Whether it has only I and Z."""
    return not hamiltonian.masks()[0].any()


def diagonal_values(hamiltonian: PauliSum, indices: NDArray[np.uint64] | None = None) -> NDArray[np.float64]:
    """Values of a diagonal Pauli sum for basis indices (all of them when None), same shape."""
    x_masks, z_masks, coefficients = hamiltonian.masks()
    if x_masks.any():
        raise ObservableError(f"{hamiltonian!s:.80} is not diagonal; the rule is terms of I and Z only")
    if indices is None:
        width = check_whole("the number of qubits", hamiltonian.num_qubits, 0, QUBITS_EXACT_MAX)
        indices = np.arange(1 << width, dtype=np.uint64)
    values = np.zeros(indices.shape)
    for mask, coefficient in zip(z_masks, coefficients, strict=True):
        values += coefficient * _signs(indices & mask)
    return values


def ground_energy(hamiltonian: PauliSum | str, num_qubits: int | None = None) -> float:
    """The lowest eigenvalue, without forming the matrix above 6 qubits (Lanczos, SciPy's eigsh).

    Args:
        hamiltonian: a Hermitian Pauli sum, or its text.
        num_qubits: up to 20; one more than the highest qubit in it when None. More do not change it.

    Raises:
        ObservableError: it cannot be read, or is not Hermitian.
        RequestError: too many qubits, or fewer than it acts on.
    """
    terms = as_hamiltonian(hamiltonian)
    width = terms.num_qubits if num_qubits is None else num_qubits
    check_whole("num_qubits", width, terms.num_qubits, QUBITS_EXACT_MAX)
    if is_diagonal(terms):
        return float(diagonal_values(terms).min())
    size = 1 << width
    operator = _Operator(terms, size)
    if width <= _DENSE_QUBITS_MAX:
        matrix = np.array([operator.applied(row) for row in np.eye(size, dtype=np.complex128)]).T
        return float(np.linalg.eigvalsh(matrix)[0])
    from scipy.sparse.linalg import LinearOperator, eigsh

    linear = LinearOperator((size, size), matvec=lambda v: operator.applied(v.ravel()), dtype=np.complex128)
    first = np.random.default_rng(0).normal(size=size).astype(np.complex128)  # any start that sees all states
    lowest: Any = eigsh(linear, k=1, which="SA", v0=first, tol=_TOLERANCE, return_eigenvectors=False)
    return float(lowest[0])


class _Operator:
    """A Pauli sum as something that multiplies vectors: one flip of bits and one factor for each x mask."""

    def __init__(self, terms: PauliSum, size: int) -> None:
        self._indices = np.arange(size, dtype=np.uint64)
        groups: dict[int, list[tuple[np.uint64, complex]]] = {}
        for x, z, coefficient in zip(*terms.masks(), strict=True):
            # A string is i^(number of Y) X^x Z^z.
            phase = (1, 1j, -1, -1j)[int(x & z).bit_count() % 4]
            groups.setdefault(int(x), []).append((z, complex(coefficient * phase)))
        self._groups = groups
        kept = len(groups) * size * 16 <= _FACTOR_BYTES_MAX
        self._factors = {x: self._factor(x) for x in groups} if kept else {}

    def _factor(self, x: int) -> NDArray[np.complex128] | complex:
        """What entry b of the product takes from entry b ^ x, shape (2^n,), or a number for all b."""
        parts = self._groups[x]
        if all(z == 0 for z, _ in parts):
            return sum(value for _, value in parts)
        factor = np.zeros(len(self._indices), dtype=np.complex128)
        for z, value in parts:
            factor += value * _signs((self._indices ^ np.uint64(x)) & z)
        return factor

    def applied(self, vector: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The sum times a vector."""
        result = np.zeros(len(vector), dtype=np.complex128)
        for x in self._groups:
            factor = self._factors[x] if self._factors else self._factor(x)
            result += factor * (vector[self._indices ^ np.uint64(x)] if x else vector)
        return result


def _signs(masked: NDArray[np.uint64]) -> NDArray[np.float64]:
    """-1 for an odd number of bits, 1 for an even one."""
    folded = masked.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(shift)
    return 1.0 - 2.0 * (folded & np.uint64(1)).astype(np.float64)
