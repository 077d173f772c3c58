"""Values that leave this package: registers, and the segments that a simulator executes in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.pack import PackedCircuit


@dataclass(frozen=True, slots=True)
class Register:
    """Classical bits under a name: bits `start` to `start + size - 1`, the first one least significant."""

    name: str
    start: int
    size: int

    @property
    def clbits(self) -> tuple[int, ...]:
        """Its classical bits, least significant first."""
        return tuple(range(self.start, self.start + self.size))


@dataclass(frozen=True, slots=True)
class UnitarySegment:
    """Gates only."""

    packed: PackedCircuit


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measures `qubits[i]` into `clbits[i]`, all at once; no qubit and no classical bit twice."""

    qubits: tuple[int, ...]
    clbits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """Puts a qubit into |0>: measures it, forgets the outcome, and flips it when it was 1."""

    qubit: int


@dataclass(frozen=True, slots=True, eq=False)
class Initialize:
    """Prepares a state on qubits that are in |0...0> and entangled with nothing.

    Attributes:
        qubits: k of them, the first one is the least significant bit of an index.
        amplitudes: complex128, shape (2^k,), norm 1.
    """

    qubits: tuple[int, ...]
    amplitudes: NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Noise:
    """A channel on as many qubits as it has, its first one first."""

    channel: Channel
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Misread:
    """Classical bits that are read wrongly, the error's least significant one first."""

    error: ReadoutError
    clbits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """Executes `segments` when the bits equal `value`, else `otherwise`.

    Attributes:
        clbits: the bits to compare, least significant first.
        value: what they are compared with, from 0 to 2^len(clbits) - 1.
    """

    clbits: tuple[int, ...]
    value: int
    segments: tuple[Segment, ...]
    otherwise: tuple[Segment, ...] = ()


Segment = UnitarySegment | Measurement | Reset | Initialize | Noise | Misread | Conditional
