"""Matrices of the gates on their targets, written out from their definitions.

A matrix on k qubits has shape (2^k, 2^k), complex128; the first qubit is the least significant bit of
a row or column index. Angles are in radians, except the IonQ gates, whose angles are in turns.
Sources: OpenQASM 3 specification (stdgates.inc), Qiskit circuit library, IonQ native gates guide.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ComplexMatrix = NDArray[np.complex128]
MatrixFunction = Callable[..., ComplexMatrix]

_R = math.sqrt(0.5)


def _make(rows: Sequence[Sequence[complex]]) -> ComplexMatrix:
    return np.array(rows, dtype=np.complex128)


def constant(rows: Sequence[Sequence[complex]] | ComplexMatrix) -> MatrixFunction:
    """A function of no parameters that returns a fresh copy of `rows`."""
    matrix = np.array(rows, dtype=np.complex128)
    return lambda: matrix.copy()


PAULI_I = _make([[1, 0], [0, 1]])
PAULI_X = _make([[0, 1], [1, 0]])
PAULI_Y = _make([[0, -1j], [1j, 0]])
PAULI_Z = _make([[1, 0], [0, -1]])
PAULIS = {"I": PAULI_I, "X": PAULI_X, "Y": PAULI_Y, "Z": PAULI_Z}


def pauli_string(letters: str) -> ComplexMatrix:
    """Matrix of a Pauli string; letter i acts on qubit i. The empty string is the 1 x 1 identity."""
    matrix: ComplexMatrix = np.ones((1, 1), dtype=np.complex128)
    for letter in letters:
        matrix = np.kron(PAULIS[letter], matrix).astype(np.complex128, copy=False)
    return matrix


def _rotation(letters: str) -> MatrixFunction:
    pauli = pauli_string(letters)
    identity = np.eye(len(pauli), dtype=np.complex128)

    def matrix(theta: float) -> ComplexMatrix:
        return math.cos(theta / 2) * identity - 1j * math.sin(theta / 2) * pauli

    return matrix


rx, ry, rz = _rotation("X"), _rotation("Y"), _rotation("Z")
rxx, ryy, rzz, rzx = _rotation("XX"), _rotation("YY"), _rotation("ZZ"), _rotation("ZX")

identity = constant([[1, 0], [0, 1]])
x, y, z = constant(PAULI_X), constant(PAULI_Y), constant(PAULI_Z)
h = constant([[_R, _R], [_R, -_R]])
s, sdg = constant([[1, 0], [0, 1j]]), constant([[1, 0], [0, -1j]])
t = constant([[1, 0], [0, cmath.exp(0.25j * math.pi)]])
tdg = constant([[1, 0], [0, cmath.exp(-0.25j * math.pi)]])
sx = constant([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]])
sxdg = constant([[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]])
sy = constant([[0.5 + 0.5j, -0.5 - 0.5j], [0.5 + 0.5j, 0.5 + 0.5j]])
sydg = constant([[0.5 - 0.5j, 0.5 - 0.5j], [-0.5 + 0.5j, 0.5 - 0.5j]])
swap = constant([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
iswap = constant([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
iswapdg = constant([[1, 0, 0, 0], [0, 0, -1j, 0], [0, -1j, 0, 0], [0, 0, 0, 1]])
siswap = constant([[1, 0, 0, 0], [0, _R, _R * 1j, 0], [0, _R * 1j, _R, 0], [0, 0, 0, 1]])
siswapdg = constant([[1, 0, 0, 0], [0, _R, -_R * 1j, 0], [0, -_R * 1j, _R, 0], [0, 0, 0, 1]])
dcx = constant([[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
ecr = constant([[0, _R, 0, _R * 1j], [_R, 0, -_R * 1j, 0], [0, _R * 1j, 0, _R], [-_R * 1j, 0, _R, 0]])


def gphase(gamma: float) -> ComplexMatrix:
    """e^{iγ} on no qubits."""
    return _make([[cmath.exp(1j * gamma)]])


def p(lam: float) -> ComplexMatrix:
    """diag(1, e^{iλ})."""
    return _make([[1, 0], [0, cmath.exp(1j * lam)]])


def u(theta: float, phi: float, lam: float) -> ComplexMatrix:
    """OpenQASM 3's U(θ, φ, λ)."""
    c, s_ = math.cos(theta / 2), math.sin(theta / 2)
    return _make(
        [[c, -cmath.exp(1j * lam) * s_], [cmath.exp(1j * phi) * s_, cmath.exp(1j * (phi + lam)) * c]]
    )


def u2(phi: float, lam: float) -> ComplexMatrix:
    """U(π/2, φ, λ)."""
    return u(math.pi / 2, phi, lam)


def cu(theta: float, phi: float, lam: float, gamma: float) -> ComplexMatrix:
    """e^{iγ} U(θ, φ, λ): what the target of CU sees when the control is 1."""
    return cmath.exp(1j * gamma) * u(theta, phi, lam)


def r(theta: float, phi: float) -> ComplexMatrix:
    """exp(-iθ/2 (cos φ X + sin φ Y))."""
    c, s_ = math.cos(theta / 2), math.sin(theta / 2)
    return _make([[c, -1j * cmath.exp(-1j * phi) * s_], [-1j * cmath.exp(1j * phi) * s_, c]])


def rv(vx: float, vy: float, vz: float) -> ComplexMatrix:
    """exp(-i (vx X + vy Y + vz Z) / 2): a rotation by |v| about v."""
    angle = math.sqrt(vx * vx + vy * vy + vz * vz)
    scale = math.sin(angle / 2) / angle if angle else 0.5
    return math.cos(angle / 2) * PAULI_I - 1j * scale * (vx * PAULI_X + vy * PAULI_Y + vz * PAULI_Z)


def xx_plus_yy(theta: float, beta: float) -> ComplexMatrix:
    """exp(-iθ/4 (XX + YY)) in the frame turned by RZ(β) on the first qubit."""
    c, s_ = math.cos(theta / 2), math.sin(theta / 2)
    low, high = -1j * s_ * cmath.exp(-1j * beta), -1j * s_ * cmath.exp(1j * beta)
    return _make([[1, 0, 0, 0], [0, c, low, 0], [0, high, c, 0], [0, 0, 0, 1]])


def xx_minus_yy(theta: float, beta: float) -> ComplexMatrix:
    """exp(-iθ/4 (XX - YY)) in the frame turned by RZ(β) on the first qubit."""
    c, s_ = math.cos(theta / 2), math.sin(theta / 2)
    low, high = -1j * s_ * cmath.exp(-1j * beta), -1j * s_ * cmath.exp(1j * beta)
    return _make([[c, 0, 0, low], [0, 1, 0, 0], [0, 0, 1, 0], [high, 0, 0, c]])


def rccx() -> ComplexMatrix:
    """Margolus's relative-phase Toffoli gate."""
    matrix = np.eye(8, dtype=np.complex128)
    matrix[5, 5] = -1
    matrix[3, 3] = matrix[7, 7] = 0
    matrix[3, 7], matrix[7, 3] = -1j, 1j
    return matrix


def rcccx() -> ComplexMatrix:
    """The relative-phase X gate with three controls of Maslov (arXiv:1508.03273)."""
    matrix = np.eye(16, dtype=np.complex128)
    matrix[3, 3], matrix[11, 11] = 1j, -1j
    matrix[7, 7] = matrix[15, 15] = 0
    matrix[7, 15], matrix[15, 7] = 1, -1
    return matrix


def gpi(phi: float) -> ComplexMatrix:
    """IonQ's GPI; φ in turns."""
    return _make([[0, cmath.exp(-2j * math.pi * phi)], [cmath.exp(2j * math.pi * phi), 0]])


def gpi2(phi: float) -> ComplexMatrix:
    """IonQ's GPI2; φ in turns."""
    return r(math.pi / 2, 2 * math.pi * phi)


def ms(phi0: float, phi1: float, theta: float) -> ComplexMatrix:
    """IonQ's partially entangling Mølmer-Sørensen gate; all in turns; θ = 1/4 entangles fully."""
    axes = [math.cos(a) * PAULI_X + math.sin(a) * PAULI_Y for a in (2 * math.pi * phi0, 2 * math.pi * phi1)]
    angle = math.pi * theta
    return math.cos(angle) * np.eye(4) - 1j * math.sin(angle) * np.kron(axes[1], axes[0])


def zz(theta: float) -> ComplexMatrix:
    """IonQ's native ZZ; θ in turns."""
    return rzz(2 * math.pi * theta)


def controlled(matrix: ComplexMatrix, controls: int) -> ComplexMatrix:
    """The matrix that applies `matrix` when `controls` leading (least significant) qubits are all 1."""
    ones = (1 << controls) - 1
    result = np.eye(len(matrix) << controls, dtype=np.complex128)
    rows = (np.arange(len(matrix)) << controls) | ones
    result[np.ix_(rows, rows)] = matrix
    return result
