"""What a circuit can hold besides gates, and the form of an instruction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qrealm.base.errors import StateError
from qrealm.circuits.gates import Gate, register
from qrealm.circuits.matrices import identity

STATE_TOLERANCE = 1e-6
"""Largest distance of an initial state's norm from 1; the state is then normalised exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """Something that is not a gate. Compared by identity: there is one object per kind."""

    name: str
    help: str

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (operation, (self.name,))


MEASURE = Operation("measure", "Measures a qubit into a classical bit; the argument is the bit.")
RESET = Operation("reset", "Puts a qubit into |0>.")
BARRIER = Operation("barrier", "Keeps a drawing's columns apart; simulation ignores it.")
INITIALIZE = Operation("initialize", "Puts qubits into a given state; the argument is a `State`.")
CHANNEL = Operation("channel", "Noise on qubits; the argument is a `noise.Channel`.")
READOUT = Operation("readout", "Misreads classical bits: a `noise.ReadoutError`, then the bits.")
IF = Operation("if", "Arguments: a `Condition`, the body's instructions, the other branch's instructions.")

OPERATIONS = {o.name: o for o in (MEASURE, RESET, BARRIER, INITIALIZE, CHANNEL, READOUT, IF)}


def _waits(name: str, help_: str, param: str) -> Gate:
    return Gate(
        name,
        help_,
        1,
        lambda _: identity(),
        params=(param,),
        lower=lambda _: (),
        inverse="id",  # no wait can be undone: the inverse circuit has none
        inverse_params=lambda _: (),
        diagonal=True,
    )


# Waits are gates that do nothing, so that all that takes gates takes them, open parameters included.
DELAY = _waits("delay", "Waits for a time in nanoseconds; only noise notices.", "duration_ns")
DELAY_DT = _waits("delay_dt", "Waits for a time in cycles of a device's clock.", "duration_dt")
DELAYS = (DELAY, DELAY_DT)
register(DELAYS)

NANOSECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1.0, "ps": 1e-3}
"""Units of time in nanoseconds."""

Instruction = tuple[Gate | Operation, tuple[int, ...], tuple[Any, ...]]
"""What, on which qubits (controls first), and the arguments."""


def operation(name: str) -> Operation:
    """The operation of this name."""
    return OPERATIONS[name]


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether classical bits, the first one least significant, equal a value."""

    clbits: tuple[int, ...]
    value: int


class State:
    """A state of k qubits, by its amplitudes or by a bit string. Compared by value, read-only.

    Args:
        value: a bit string such as ``"0110"`` (the first qubit rightmost), or 2^k amplitudes of norm 1.

    Raises:
        StateError: neither, or of wrong length or norm.
    """

    __slots__ = ("amplitudes", "bits", "num_qubits")

    def __init__(self, value: str | Sequence[complex] | np.ndarray[Any, Any]) -> None:
        self.bits: str | None = None
        self.amplitudes: np.ndarray[Any, np.dtype[np.complex128]] | None = None
        if isinstance(value, str):
            if not value or set(value) - {"0", "1"}:
                raise StateError(
                    f"initialize got the text {value[:40]!r}; the rule is 0s and 1s, qubit 0 rightmost"
                )
            self.bits, self.num_qubits = value, len(value)
            return
        try:
            amplitudes = np.array(value, dtype=np.complex128)
        except (TypeError, ValueError, OverflowError) as problem:
            raise StateError(f"initialize needs amplitudes or a bit string: {problem}") from None
        size = amplitudes.size
        if amplitudes.ndim != 1 or size < 2 or size & (size - 1):
            raise StateError(
                f"initialize got an array of shape {amplitudes.shape}; the rule is (2^k,) for k qubits"
            )
        norm = float(np.linalg.norm(amplitudes))
        if not math.isclose(norm, 1.0, abs_tol=STATE_TOLERANCE):
            raise StateError(
                f"initialize got amplitudes of norm {norm:.6g}; the rule is 1 within {STATE_TOLERANCE:g}",
                hint="divide them by numpy.linalg.norm(amplitudes)",
            )
        amplitudes /= norm
        amplitudes.setflags(write=False)
        self.amplitudes, self.num_qubits = amplitudes, size.bit_length() - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State) or self.bits != other.bits:
            return False
        if self.amplitudes is None or other.amplitudes is None:
            return self.amplitudes is other.amplitudes
        return np.array_equal(self.amplitudes, other.amplitudes)

    def __hash__(self) -> int:
        return hash(self.bits if self.amplitudes is None else self.amplitudes.tobytes())

    def __repr__(self) -> str:
        return f"State({self.bits!r})" if self.bits is not None else f"State({self.num_qubits} qubits)"

    def __reduce__(self) -> tuple[object, ...]:
        return (State, (self.bits if self.amplitudes is None else np.array(self.amplitudes),))


def qubits_of(instructions: Sequence[Instruction]) -> tuple[int, ...]:
    """Every qubit that the instructions touch, ascending."""
    return tuple(sorted({qubit for _, qubits, _ in instructions for qubit in qubits}))


def contains(instructions: Iterable[Instruction], op: Operation) -> bool:
    """Whether an operation stands among the instructions, or inside a condition."""
    return any(
        each is op or (each is IF and (contains(args[1], op) or contains(args[2], op)))
        for each, _, args in instructions
    )


def clbits_of(op: Gate | Operation, args: tuple[Any, ...]) -> tuple[int, ...]:
    """Every classical bit that an instruction reads or writes."""
    if op is MEASURE:
        return args
    if op is READOUT:
        return args[1:]
    if op is IF:
        inner = [clbit for branch in args[1:] for o, _, a in branch for clbit in clbits_of(o, a)]
        return tuple({*args[0].clbits, *inner})
    return ()
