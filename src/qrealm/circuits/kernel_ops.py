"""The few operations that the kernel knows. Every gate of the table lowers to these."""

from __future__ import annotations

from enum import IntEnum


class OpCode(IntEnum):
    """Code of a kernel operation; the numbers are part of the kernel's interface.

    Any of them takes any number of positive controls. Angles are in radians.
    """

    GPHASE = 0  # no target; e^{iθ}, with controls a multi-controlled phase
    X = 1
    Y = 2
    Z = 3
    H = 4
    S = 5
    SDG = 6
    T = 7
    TDG = 8
    SX = 9
    SXDG = 10
    RX = 11
    RY = 12
    RZ = 13  # diag(e^{-iθ/2}, e^{iθ/2})
    P = 14  # diag(1, e^{iθ})
    U = 15  # θ, φ, λ
    SWAP = 16
    ISWAP = 17
    RXX = 18
    RYY = 19
    RZZ = 20
    RZX = 21  # targets (a, b): exp(-iθ/2 Z_a X_b)
    MATRIX = 22  # one parameter: the index of its matrix


MATRIX_QUBITS_MAX = 6
"""Largest number of targets of a MATRIX operation: 64 x 64 complex128 fill one first-level cache."""
