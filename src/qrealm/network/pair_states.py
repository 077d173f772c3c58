"""Two-qubit states of entangled pairs: what two ends find when they measure them, and what a listener does.

The first end has qubit 0, the low bit of a basis index; the second end has qubit 1. Bases are numbered: 0
is Z, 1 is X.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError, StateError

Z, X = 0, 1
_TOLERANCE = 1e-9
_TURNS = (np.eye(2), np.array([[1, 1], [1, -1]]) / np.sqrt(2))


def bell_pair() -> NDArray[np.complex128]:
    """Density matrix of (|00⟩ + |11⟩)/√2, of shape (4, 4)."""
    state = np.zeros((4, 4), dtype=np.complex128)
    state[np.ix_((0, 3), (0, 3))] = 0.5
    return state


def checked_pair(state: Any) -> NDArray[np.complex128]:
    """`state` as an array, once it is known to be a density matrix of two qubits.

    Raises:
        StateError: not of shape (4, 4), not finite, not Hermitian, its trace is not 1, or it has an
            eigenvalue below 0; each by more than 1e-9.
    """
    matrix = np.asarray(state, dtype=np.complex128)
    if matrix.shape != (4, 4):
        raise StateError(f"the state of a pair has shape {matrix.shape}; a pair has a matrix of shape (4, 4)")
    if not np.isfinite(matrix).all():
        raise StateError("the state of a pair has an entry that is not finite")
    if np.abs(matrix - matrix.conj().T).max() > _TOLERANCE:
        raise StateError("the state of a pair is not Hermitian; a density matrix is")
    if abs(np.trace(matrix).real - 1.0) > _TOLERANCE:
        raise StateError(f"the state of a pair has trace {np.trace(matrix).real:g}; a density matrix has 1")
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -_TOLERANCE:
        raise StateError(f"the state of a pair has the eigenvalue {lowest:g}; none may be below 0")
    return matrix


def outcome_probabilities(state: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Probability of each joint outcome, of shape (2, 2, 4).

    Entry [a, b, i]: the first end measures in basis a, the second in basis b, and they find the bits i & 1
    and i >> 1.
    """
    found = np.empty((2, 2, 4))
    for first in (Z, X):
        for second in (Z, X):
            turn = np.kron(_TURNS[second], _TURNS[first])
            found[first, second] = np.einsum("ij,jk,ik->i", turn, state, turn).real
    found = np.clip(found, 0.0, None)
    return np.asarray(found / found.sum(axis=2, keepdims=True))


def correlations(state: NDArray[np.complex128]) -> tuple[float, float]:
    """⟨ZZ⟩ and ⟨XX⟩."""
    found = outcome_probabilities(state)
    same_z, same_x = (float(found[basis, basis, 0] + found[basis, basis, 3]) for basis in (Z, X))
    return 2 * same_z - 1, 2 * same_x - 1


def opposite_bases(state: NDArray[np.complex128]) -> tuple[bool, bool]:
    """Whether the ends find opposite bits rather than equal ones, in Z and in X."""
    in_z, in_x = correlations(state)
    return in_z < 0, in_x < 0


def error_rates(
    state: NDArray[np.complex128], opposite: tuple[bool, bool] = (False, False)
) -> tuple[float, float]:
    """Share of bits that differ from what the relation promises, in Z and in X."""
    in_z, in_x = correlations(state)
    return (1 + in_z if opposite[Z] else 1 - in_z) / 2, (1 + in_x if opposite[X] else 1 - in_x) / 2


def intercepted(state: NDArray[np.complex128], share: float) -> NDArray[np.complex128]:
    """The state of pairs of which somebody measures `share`.

    The listener measures the second end's qubit in Z or X, each with probability 1/2, and sends on a qubit in
    the state that they found. As a channel: ρ → (1 - share) ρ + share (𝒵(ρ) + 𝒳(ρ))/2, where 𝒵 and 𝒳 remove
    what does not commute with the measured operator. On perfect pairs the error rate becomes share / 4.

    Raises:
        RequestError: `share` is no number from 0 to 1.
    """
    if isinstance(share, bool) or not isinstance(share, Real) or not 0.0 <= share <= 1.0:
        raise RequestError(f"a listener on the share {share!r} of the pairs; a share is from 0 to 1")
    z_second = np.diag([1.0, 1.0, -1.0, -1.0])
    x_second = np.kron(np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2))
    # Measuring the operator P and forgetting the outcome is ρ → (ρ + PρP)/2.
    measured = (2 * state + z_second @ state @ z_second + x_second @ state @ x_second) / 4
    return np.asarray((1 - share) * state + share * measured, dtype=np.complex128)
