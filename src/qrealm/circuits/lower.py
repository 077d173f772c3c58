"""How the gates that are no kernel operation themselves are made of kernel operations.

Each function takes the gate's parameters, numbers or expressions, and returns operations in the order of
application; targets are positions among the gate's own. The tests of the gate table multiply them out.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

from qrealm.circuits import matrices as m
from qrealm.circuits.gates import LoweredOp
from qrealm.circuits.kernel_ops import OpCode as K

_HALF_PI = math.pi / 2
_TURN = 2 * math.pi


def rccx() -> tuple[LoweredOp, ...]:
    """The relative-phase Toffoli gate."""
    # Y where both controls are 1, Z where only the first is: CCY, then CZ with CCZ undoing it for both.
    return (
        LoweredOp(K.Y, (2,), inner=(0, 1)),
        LoweredOp(K.Z, (2,), inner=(0, 1)),
        LoweredOp(K.Z, (2,), inner=(0,)),
    )


def rcccx() -> tuple[LoweredOp, ...]:
    """The relative-phase X with three controls."""
    # iZ where the first two are 1; then iX on top where the third is 1 too: iX · iZ = -XZ = iY.
    return (
        LoweredOp(K.GPHASE, (), (_HALF_PI,), inner=(0, 1)),
        LoweredOp(K.Z, (3,), inner=(0, 1)),
        LoweredOp(K.X, (3,), inner=(0, 1, 2)),
        LoweredOp(K.GPHASE, (), (_HALF_PI,), inner=(0, 1, 2)),
    )


def plus(theta: Any, beta: Any) -> tuple[LoweredOp, ...]:
    """xx_plus_yy."""
    # A CX brings |01> and |10> together on one qubit, where the gate is one controlled rotation.
    return (
        LoweredOp(K.X, (1,), inner=(0,), free=True),
        LoweredOp(K.U, (0,), (theta, -beta - _HALF_PI, beta + _HALF_PI), inner=(1,)),
        LoweredOp(K.X, (1,), inner=(0,), free=True),
    )


def minus(theta: Any, beta: Any) -> tuple[LoweredOp, ...]:
    """xx_minus_yy."""
    # The same for |00> and |11>, with the second qubit turned over.
    around = (LoweredOp(K.X, (1,), inner=(0,), free=True), LoweredOp(K.X, (1,), free=True))
    return (
        *around,
        LoweredOp(K.U, (0,), (theta, beta - _HALF_PI, _HALF_PI - beta), inner=(1,)),
        *reversed(around),
    )


def ms(phi0: Any, phi1: Any, theta: Any) -> tuple[LoweredOp, ...]:
    """IonQ's Mølmer-Sørensen gate."""
    return (
        LoweredOp(K.P, (0,), (phi0 * -_TURN,), free=True),
        LoweredOp(K.P, (1,), (phi1 * -_TURN,), free=True),
        LoweredOp(K.RXX, (0, 1), (theta * _TURN,)),
        LoweredOp(K.P, (0,), (phi0 * _TURN,), free=True),
        LoweredOp(K.P, (1,), (phi1 * _TURN,), free=True),
    )


def rv(vx: Any, vy: Any, vz: Any) -> tuple[LoweredOp, ...]:
    """A rotation about a vector."""
    # exp(-i v·σ/2) = e^{-i(φ+λ)/2} U(θ, φ, λ), read off the matrix; so v must be numbers by now.
    a, b = m.rv(float(vx), float(vy), float(vz))[:, 0]
    theta = 2 * math.atan2(abs(b), abs(a))
    alpha, beta = cmath.phase(a), cmath.phase(b) if abs(b) else 0.0
    return (LoweredOp(K.GPHASE, (), (alpha,)), LoweredOp(K.U, (0,), (theta, beta - alpha, -beta - alpha)))


def ecr() -> tuple[LoweredOp, ...]:
    """The echoed cross-resonance gate."""
    return (LoweredOp(K.RZX, (0, 1), (_HALF_PI,)), LoweredOp(K.X, (0,)))


def dcx() -> tuple[LoweredOp, ...]:
    """CX one way, then the other."""
    return (LoweredOp(K.X, (1,), inner=(0,)), LoweredOp(K.X, (0,), inner=(1,)))


def cu(theta: Any, phi: Any, lam: Any, gamma: Any) -> tuple[LoweredOp, ...]:
    """Controlled U with a phase of its own."""
    return (LoweredOp(K.GPHASE, (), (gamma,)), LoweredOp(K.U, (0,), (theta, phi, lam)))
