"""Any unitary matrix as controlled one-qubit gates: what formats without matrices can say.

A matrix is a product of two-level rotations (Givens), each on two basis states; a walk along a Gray code
brings the two states to differ in one qubit (Nielsen and Chuang, Quantum Computation and Quantum
Information, section 4.5).
"""

from __future__ import annotations

import cmath
import math

import numpy as np

from qrealm.circuits.gate_rows import GATES, GPHASE
from qrealm.circuits.matrices import ComplexMatrix
from qrealm.circuits.operations import Instruction

_SMALL = 1e-13


def decompose(matrix: ComplexMatrix, qubits: tuple[int, ...]) -> list[Instruction]:
    """Instructions (X, multi-controlled U and phases) whose product is `matrix`, phase included."""
    size = len(matrix)
    work = np.array(matrix)
    steps: list[tuple[int, int, ComplexMatrix]] = []
    order = [i ^ (i >> 1) for i in range(size)]  # Gray code: neighbours differ in one bit
    for column in range(size - 1):
        for row in range(size - 1, column, -1):
            upper, lower = order[row - 1], order[row]
            a, b = work[upper, order[column]], work[lower, order[column]]
            if abs(b) < _SMALL:
                continue
            norm = math.hypot(abs(a), abs(b))
            rotation = np.array([[a.conjugate(), b.conjugate()], [-b, a]], dtype=np.complex128) / norm
            work[[upper, lower]] = rotation @ work[[upper, lower]]
            steps.append((upper, lower, rotation.conj().T))
    found: list[Instruction] = []
    for index in range(size):  # what is left is diagonal
        angle = cmath.phase(complex(work[index, index]))
        if abs(angle) > _SMALL:
            found.extend(_around(qubits, index, [(GPHASE, qubits, (angle,))]))
    for upper, lower, block in reversed(steps):
        found.extend(_two_level(qubits, upper, lower, block))
    return found


def _two_level(qubits: tuple[int, ...], upper: int, lower: int, block: ComplexMatrix) -> list[Instruction]:
    bit = (upper ^ lower).bit_length() - 1
    if upper >> bit & 1:
        upper, lower, block = lower, upper, block[::-1, ::-1]
    controls = tuple(q for i, q in enumerate(qubits) if i != bit)
    theta = 2 * math.atan2(abs(block[1, 0]), abs(block[0, 0]))
    alpha = cmath.phase(complex(block[0, 0])) if abs(block[0, 0]) > _SMALL else 0.0
    phi = (cmath.phase(complex(block[1, 0])) if abs(block[1, 0]) > _SMALL else 0.0) - alpha
    if abs(block[0, 0]) > _SMALL:
        lam = cmath.phase(complex(block[1, 1])) - alpha - phi
    else:
        lam = cmath.phase(-complex(block[0, 1])) - alpha
    inner: list[Instruction] = [(GATES["u"], (*controls, qubits[bit]), (theta, phi, lam))]
    if abs(alpha) > _SMALL:
        inner.append((GPHASE, controls, (alpha,)))
    return _around(controls, _without(upper, bit), inner)


def _without(index: int, bit: int) -> int:
    """The index with one bit taken out."""
    return (index >> (bit + 1)) << bit | index & ((1 << bit) - 1)


def _around(controls: tuple[int, ...], state: int, inner: list[Instruction]) -> list[Instruction]:
    """`inner`, acting when the controls are in `state` rather than all ones."""
    flips: list[Instruction] = [(GATES["x"], (q,), ()) for i, q in enumerate(controls) if not state >> i & 1]
    return [*flips, *inner, *flips]
