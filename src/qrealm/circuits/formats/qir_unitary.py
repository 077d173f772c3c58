"""Matrices and states as one-qubit rotations and CX, up to a global phase.

Matrices by the quantum Shannon decomposition (Shende, Bullock and Markov, IEEE Trans. CAD 25, 1000 (2006)):
a cosine-sine decomposition leaves multiplexed rotations and matrices of half the size. States by the
multiplexed rotations of Möttönen et al., Quantum Inf. Comput. 5, 467 (2005).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.matrices import ComplexMatrix

Step = tuple[str, tuple[float, ...], tuple[int, ...]]
"""A basis gate: its name, its angles in radians, its qubits (controls first)."""

Angles = NDArray[np.float64]

_ROUNDING = 1e-15
_SMALL = 1e-14
_MIXES = tuple((math.cos(angle), math.sin(angle)) for angle in (0.4, 0.9, 1.3, 1.9, 2.4, 2.8))


def about(name: str, angle: float, qubit: int) -> list[Step]:
    """A rotation; nothing when the angle is 0 but for rounding."""
    return [(name, (float(angle),), (qubit,))] if abs(angle) > _ROUNDING else []


def euler(matrix: ComplexMatrix) -> tuple[float, float, float, float]:
    """(alpha, theta, phi, lam) with matrix = e^{i alpha} U(theta, phi, lam), U as OpenQASM's."""
    (a, b), (c, d) = matrix
    theta = 2 * math.atan2(abs(c), abs(a))
    if abs(a) > abs(c):
        alpha = cmath.phase(a)
        phi = cmath.phase(c) - alpha if abs(c) > _SMALL else 0.0
        lam = cmath.phase(d) - alpha - phi
    else:  # alpha is what is left: the first entry may be too small to have a phase
        alpha = cmath.phase(a) if abs(a) > _SMALL else 0.0
        phi, lam = cmath.phase(c) - alpha, cmath.phase(-b) - alpha
    return alpha, theta, phi, lam


def shannon(matrix: ComplexMatrix, qubits: Sequence[int]) -> list[Step]:
    """A unitary of shape (2^k, 2^k) on k qubits, the first one the least significant bit of an index."""
    if len(qubits) == 1:
        _, theta, phi, lam = euler(matrix)
        return [*about("rz", lam, qubits[0]), *about("ry", theta, qubits[0]), *about("rz", phi, qubits[0])]
    if np.abs(matrix - np.diag(np.diagonal(matrix))).max() <= _SMALL:
        return _diagonal(np.angle(np.diagonal(matrix)), qubits)
    *rest, top = qubits
    left, angles, right = cosine_sine(matrix)
    return [
        *_two_cases(*right, rest, top),
        *multiplexed("ry", 2 * angles, rest, top),
        *_two_cases(*left, rest, top),
    ]


def _diagonal(phases: Angles, qubits: Sequence[int]) -> list[Step]:
    """diag(e^{i phases}): differences turn the last qubit, means stay for the others."""
    if not qubits:
        return []
    *rest, top = qubits
    low, high = phases[: len(phases) // 2], phases[len(phases) // 2 :]
    return [*multiplexed("rz", high - low, rest, top), *_diagonal((high + low) / 2, rest)]


def prepare(amplitudes: ComplexMatrix, qubits: Sequence[int]) -> list[Step]:
    """Takes |0...0> to a state: amplitudes of shape (2^k,) and norm 1 on k qubits, the first one lowest."""
    if not qubits:
        return []
    first, *rest = qubits
    low, high = amplitudes[0::2], amplitudes[1::2]
    norms = np.hypot(np.abs(low), np.abs(high))
    turned = 2 * np.arctan2(np.abs(high), np.abs(low))
    phases = np.angle(high) - np.angle(low)
    merged = norms * np.exp(0.5j * (np.angle(high) + np.angle(low)))
    return [
        *prepare(merged, rest),
        *multiplexed("ry", turned, rest, first),
        *multiplexed("rz", phases, rest, first),
    ]


def multiplexed(name: str, angles: Angles, controls: Sequence[int], target: int) -> list[Step]:
    """A rotation by angles[j] where the controls, the first one lowest, are in state j: 2^k rotations and CX.

    Each CX turns later rotations round, so that along a Gray code every state of the controls collects the
    angles with signs of its own: a Walsh-Hadamard transform.
    """
    if not np.any(np.abs(angles) > _SMALL):
        return []
    spread = np.array(angles, dtype=np.float64)
    size = len(spread)
    for bit in range(len(controls)):
        halves = spread.reshape(-1, 2, 1 << bit)
        spread = np.stack([halves[:, 0] + halves[:, 1], halves[:, 0] - halves[:, 1]], axis=1).reshape(size)
    spread /= size
    found: list[Step] = []
    for index in range(size):
        found += about(name, float(spread[index ^ (index >> 1)]), target)
        if controls:
            turned = (index + 1) & -(index + 1)  # the bit in which the next code differs; the last one closes
            bit = min(turned.bit_length() - 1, len(controls) - 1)
            found.append(("cx", (), (controls[bit], target)))
    return found


def cosine_sine(
    matrix: ComplexMatrix,
) -> tuple[tuple[ComplexMatrix, ComplexMatrix], Angles, tuple[ComplexMatrix, ComplexMatrix]]:
    """(L0, L1), angles, (R0, R1): matrix = (L0 + L1) [[cos, -sin], [sin, cos]] (R0 + R1), where + puts two
    blocks on the diagonal.

    The sines of small angles cannot be read off the cosines, which are 1 to rounding there; for these columns
    the lower block decides (Van Loan, Numer. Math. 46, 479 (1985)).
    """
    half = len(matrix) // 2
    upper, lower = matrix[:half, :half], matrix[half:, :half]
    l0, cosines, r0_dagger = np.linalg.svd(upper)
    l0, cosines = l0[:, ::-1].copy(), cosines[::-1].copy()  # ascending: large sines first
    r0 = r0_dagger[::-1].conj().T.copy()
    l1, triangle = np.linalg.qr(lower @ r0)
    sines = np.diagonal(triangle).copy()
    split = int(np.searchsorted(cosines, math.sqrt(0.5)))
    if split < half:
        inner, sines[split:], turn_dagger = np.linalg.svd(triangle[split:, split:])
        turn = turn_dagger.conj().T
        l1[:, split:] = l1[:, split:] @ inner
        r0[:, split:] = r0[:, split:] @ turn
        outer, scaled = np.linalg.qr(cosines[split:, None] * turn)
        lengths = np.diagonal(scaled)
        l0[:, split:] = l0[:, split:] @ (outer * (lengths / np.abs(lengths)))
        cosines[split:] = np.abs(lengths)
    sizes = np.abs(sines)
    l1 = l1 * np.where(sizes > 0, sines / np.where(sizes > 0, sizes, 1.0), 1.0)
    r1 = -sizes[:, None] * (l0.conj().T @ matrix[:half, half:])
    r1 += cosines[:, None] * (l1.conj().T @ matrix[half:, half:])
    return (l0, l1), np.arctan2(sizes, cosines), (r0.conj().T, r1)


def _two_cases(zero: ComplexMatrix, one: ComplexMatrix, rest: Sequence[int], top: int) -> list[Step]:
    """`zero` on the rest where `top` is 0, `one` where it is 1.

    That is V on the rest, then RZ of `top` multiplexed by the rest, then W, where zero = W D V, one = W D* V.
    """
    values, w = _eigen(zero @ one.conj().T)
    roots = np.exp(0.5j * np.angle(values))
    v = roots[:, None] * (w.conj().T @ one)
    return [
        *shannon(v, rest),
        *multiplexed("rz", -2 * np.angle(roots), rest, top),
        *shannon(w, rest),
    ]


def _eigen(unitary: ComplexMatrix) -> tuple[ComplexMatrix, ComplexMatrix]:
    """Eigenvalues and orthonormal eigenvectors of a unitary matrix.

    A mix of its Hermitian and its anti-Hermitian part has the same eigenvectors, and `eigh` gives orthonormal
    ones also where eigenvalues are equal. A mix may make different ones equal, so several are tried.
    """
    cosine, sine = (unitary + unitary.conj().T) / 2, (unitary - unitary.conj().T) / 2j
    best: tuple[float, ComplexMatrix, ComplexMatrix] | None = None
    for a, b in _MIXES:
        vectors = np.linalg.eigh(a * cosine + b * sine)[1]
        turned = vectors.conj().T @ unitary @ vectors
        error = float(np.abs(turned - np.diag(np.diagonal(turned))).max())
        if best is None or error < best[0]:
            best = error, np.diagonal(turned).copy(), vectors
        if error < _SMALL * 10:
            break
    assert best is not None
    return best[1], best[2]


__all__ = ["Step", "about", "cosine_sine", "euler", "multiplexed", "prepare", "shannon"]
