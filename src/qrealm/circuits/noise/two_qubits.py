"""Any gate on two qubits as at most three CX and gates on one qubit.

The Cartan decomposition U = (A x B) exp(i (a XX + b YY + c ZZ)) (C x D) in the magic basis (B. Kraus and
J. I. Cirac, quant-ph/0011050), and the circuits of three CX (F. Vatan and C. Williams, quant-ph/0308006).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qrealm.circuits import matrices as m
from qrealm.circuits.matrices import ComplexMatrix

_R = math.sqrt(0.5)
_MAGIC = np.array(
    [[_R, 1j * _R, 0, 0], [0, 0, 1j * _R, _R], [0, 0, 1j * _R, -_R], [_R, -1j * _R, 0, 0]],
    dtype=np.complex128,
)
_MIXES = tuple((math.cos(angle), math.sin(angle)) for angle in (0.4, 0.9, 1.3, 1.9, 2.4, 2.8))
_SMALL = 1e-9
_QUARTER = math.pi / 4
_H, _S, _SX = m.h(), m.s(), m.sx()


class Cartan(NamedTuple):
    """U = e^{i phase} (left[1] x left[0]) exp(i (a XX + b YY + c ZZ)) (right[1] x right[0]).

    Attributes:
        angles: (a, b, c), each from -pi/4 to pi/4.
        left, right: 2 by 2 matrices on the first qubit, the least significant, and the second.
    """

    angles: tuple[float, float, float]
    left: tuple[ComplexMatrix, ComplexMatrix]
    right: tuple[ComplexMatrix, ComplexMatrix]


Part = tuple[int, ComplexMatrix] | None
"""A matrix on qubit 0 or 1; None is a CX from qubit 0 to qubit 1."""

_CX, _CZ = m.controlled(m.x(), 1), m.controlled(m.z(), 1)


def cartan(matrix: ComplexMatrix) -> Cartan:
    """The decomposition of a unitary of shape (4, 4)."""
    turned = _MAGIC.conj().T @ (matrix / np.linalg.det(matrix) ** 0.25) @ _MAGIC
    vectors = _real_eigenvectors(turned.T @ turned)
    if np.linalg.det(vectors) < 0:
        vectors[:, 0] *= -1
    phases = np.angle(np.diagonal(vectors.T @ (turned.T @ turned) @ vectors)) / 2
    outer = np.real(turned @ vectors @ np.diag(np.exp(-1j * phases)))
    if np.linalg.det(outer) < 0:
        phases[0] += math.pi
        outer[:, 0] *= -1
    phases = phases - phases.mean()
    angles = [(phases[0] + phases[2]) / 2, (phases[1] + phases[2]) / 2, (phases[0] + phases[1]) / 2]
    left = _local(_MAGIC @ outer @ _MAGIC.conj().T)
    right = _local(_MAGIC @ vectors.T @ _MAGIC.conj().T)
    for place, letter in enumerate("XYZ"):  # a half turn is that Pauli on both qubits
        turns = round(angles[place] / (2 * _QUARTER))
        angles[place] -= turns * 2 * _QUARTER
        if turns % 2:
            left = (left[0] @ m.PAULIS[letter], left[1] @ m.PAULIS[letter])
    return Cartan((float(angles[0]), float(angles[1]), float(angles[2])), left, right)


def parts(matrix: ComplexMatrix) -> list[Part]:
    """What does the same as `matrix` but for a global phase, in order, with as few CX as can be."""
    found = cartan(matrix)
    middle = _interaction(found.angles)
    return [*_both(found.right), *middle, *_both(found.left)]


def plain_parts(matrix: ComplexMatrix) -> list[Part]:
    """As `parts`, but CX, CZ and what is diagonal come in the form that people write: with fewer gates on one
    qubit."""
    if np.abs(matrix - _CX).max() < _SMALL:
        return [None]
    if np.abs(matrix - _CZ).max() < _SMALL:
        return [(1, _H), None, (1, _H)]
    if np.abs(matrix - np.diag(np.diagonal(matrix))).max() < _SMALL:
        phases = np.angle(np.diagonal(matrix))
        first, second = phases[1] - phases[0], phases[2] - phases[0]
        both = phases[3] - phases[2] - first  # e^{i both} where both are 1
        middle = _interaction((0.0, 0.0, math.remainder(both, 2 * math.pi) / 4))
        return [(0, m.rz(first + both / 2)), (1, m.rz(second + both / 2)), *_turned(both), *middle]
    return parts(matrix)


def _turned(both: float) -> list[Part]:
    """What taking off whole turns of e^{i both n1 n2} leaves: nothing, or Z on both qubits."""
    turns = round((both - math.remainder(both, 2 * math.pi)) / (2 * math.pi))
    return _both((m.z(), m.z())) if turns % 2 else []


def _interaction(angles: tuple[float, float, float]) -> list[Part]:
    """exp(i (a XX + b YY + c ZZ))."""
    a, b, c = (0.0 if abs(angle) < _SMALL else angle for angle in angles)
    zeros = (a, b, c).count(0.0)
    if zeros == 3:
        return []
    if zeros == 0:
        return _three(a, b, c)
    if b:  # axes turned so that what is left is on X and Z
        turn, first, last = (_S, b, c) if a == 0 else (_SX, a, b)
        back = turn.conj().T
        return [*_both((back, back)), *_interaction((first, 0.0, last)), *_both((turn, turn))]
    whole = a + c
    if zeros == 2 and abs(abs(whole) - _QUARTER) < _SMALL:
        to_z = [] if c else _both((_H, _H))
        turn = m.rz(-math.copysign(math.pi / 2, whole))
        return [*to_z, (1, _H), None, (1, _H), *_both((turn, turn)), *to_z]
    # CX turns XX into X on the control, and ZZ into Z on the target.
    return [None, (0, m.rx(-2 * a)), (1, m.rz(-2 * c)), None]


def _three(a: float, b: float, c: float) -> list[Part]:
    """With three CX; those from the second qubit to the first stand between Hadamard gates."""
    reverse = [*_both((_H, _H)), None, *_both((_H, _H))]
    half = math.pi / 2
    return [
        (1, m.rz(-half)),
        *reverse,
        (0, m.rz(half - 2 * c)),
        (1, m.ry(2 * a - half)),
        None,
        (1, m.ry(half - 2 * b)),
        *reverse,
        (0, m.rz(half)),
    ]


def _both(pair: tuple[ComplexMatrix, ComplexMatrix]) -> list[Part]:
    return [(0, pair[0]), (1, pair[1])]


def _real_eigenvectors(unitary: ComplexMatrix) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Real orthonormal eigenvectors of a symmetric unitary matrix, whose real and imaginary part commute.

    A mix of both parts may make different eigenvalues equal, so several are tried.
    """
    best: tuple[float, np.ndarray[tuple[int, int], np.dtype[np.float64]]] | None = None
    for a, b in _MIXES:
        mixed = a * unitary.real + b * unitary.imag
        vectors = np.linalg.eigh((mixed + mixed.T) / 2)[1]
        turned = vectors.T @ unitary @ vectors
        error = float(np.abs(turned - np.diag(np.diagonal(turned))).max())
        if best is None or error < best[0]:
            best = error, vectors
    assert best is not None
    return best[1]


def _local(matrix: ComplexMatrix) -> tuple[ComplexMatrix, ComplexMatrix]:
    """(A, B) of a product B x A; both are unitary."""
    split = matrix.reshape(2, 2, 2, 2)  # row of the second, of the first, columns likewise
    second, first = np.unravel_index(int(np.abs(matrix).argmax()), matrix.shape)
    row, column = divmod(int(second), 2), divmod(int(first), 2)
    a = split[row[0], :, column[0], :]
    b = split[:, row[1], :, column[1]]
    return a / math.sqrt(abs(np.linalg.det(a))), b / math.sqrt(abs(np.linalg.det(b)))


__all__ = ["Cartan", "Part", "cartan", "parts", "plain_parts"]
