"""A circuit as the steps that a density matrix takes: whatever is linear in one piece, and what is decided
between the pieces.

Resets, preparations and noise are linear. So are measurements whose outcome nobody looks at, when no samples
are wanted: they only take the coherences away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    IF,
    INITIALIZE,
    MEASURE,
    READOUT,
    RESET,
    Instruction,
    State,
    contains,
)
from qrealm.circuits.pack import PackedCircuit
from qrealm.circuits.segments import final_measurements, split_readout
from qrealm.simulate.backends.density_matrix.doubled import FORGET, Doubler, packable
from qrealm.simulate.backends.density_matrix.doubled import RESET as RESET_CHANNEL


@dataclass(frozen=True, slots=True, eq=False)
class Evolution:
    """Gates, channels, resets: one program on 2n wires.

    Attributes:
        packed: the program.
        log_scale: log of the factor by which its result is to be multiplied.
    """

    packed: PackedCircuit
    log_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Puts qubits that are |0...0> into a state too wide for one matrix.

    Attributes:
        qubits: the first one is the least significant bit of an index.
        amplitudes: complex128, shape (2^k,).
    """

    qubits: tuple[int, ...]
    amplitudes: NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Decision:
    """A measurement whose outcome matters.

    Attributes:
        qubits: measured at once; the first one is the low bit of an outcome.
        clbits: where the outcome goes.
        live: mask of the classical bits that are looked at later.
    """

    qubits: tuple[int, ...]
    clbits: tuple[int, ...]
    live: int


@dataclass(frozen=True, slots=True)
class Detection:
    """Classical bits that are misread before something looks at them.

    Attributes:
        error: what happens.
        clbits: to which bits, the error's least significant one first.
        live: mask of the classical bits that are looked at later.
    """

    error: ReadoutError
    clbits: tuple[int, ...]
    live: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Steps that depend on classical bits.

    Attributes:
        clbits: the bits to compare, least significant first.
        value: what they are compared with.
        then, otherwise: the steps.
        live: mask of the classical bits that are looked at later.
    """

    clbits: tuple[int, ...]
    value: int
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    live: int

    def matches(self, clbits: int) -> bool:
        """Whether `then` is to be taken with these classical bits."""
        return sum((clbits >> bit & 1) << place for place, bit in enumerate(self.clbits)) == self.value


Step = Evolution | Load | Decision | Detection | Fork


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A circuit as steps.

    Attributes:
        steps: in order.
        final: qubit -> classical bit, measured after all of them; empty when the steps have it all, or
            nothing is measured.
        measured: whether anything is.
        decisions: measurements and misread bits that one way through it meets, at most.
        live_bits: most classical bits that matter at once.
        loads: whether a state must be built as an array.
    """

    steps: tuple[Step, ...]
    final: dict[int, int]
    measured: bool
    decisions: int
    live_bits: int
    loads: bool


def course(circuit: Circuit, sampled: bool) -> Course:
    """The steps of a bound circuit.

    Args:
        sampled: whether every outcome is recorded; otherwise only those that a condition looks at matter.
    """
    instructions, _ = split_readout(circuit.instructions)
    measured = contains(instructions, MEASURE)
    final = final_measurements(instructions)
    if final is not None:
        kept: Sequence[Instruction] = [each for each in instructions if each[0] is not MEASURE]
    else:
        kept, final = _last_apart(instructions)
        if not sampled:
            kept = _without_last(kept)
    builder = _Builder(circuit.num_qubits, sampled)
    steps = builder.steps(kept, 0)
    return Course(steps, final, measured, _decisions(steps), builder.live_bits, _count(steps, Load) > 0)


def _last_apart(instructions: Sequence[Instruction]) -> tuple[Sequence[Instruction], dict[int, int]]:
    """(what comes before the measurements that end the circuit together, qubit -> classical bit of these)."""
    begin = len(instructions)
    while begin and instructions[begin - 1][0] in (MEASURE, BARRIER):
        begin -= 1
    final: dict[int, int] = {}
    for place in range(begin, len(instructions)):
        op, qubits, args = instructions[place]
        if op is MEASURE:
            if qubits[0] in final or args[0] in final.values():
                final, begin = {}, place
            final[qubits[0]] = args[0]
    return instructions[:begin], final


def _without_last(instructions: Sequence[Instruction]) -> Sequence[Instruction]:
    """Without measurements that end a branch which ends the circuit: values are those before them."""
    if not instructions or instructions[-1][0] is not IF:
        return instructions
    _, qubits, (condition, *branches) = instructions[-1]
    shorter = tuple(tuple(_without_last(_last_apart(branch)[0])) for branch in branches)
    return [*instructions[:-1], (IF, qubits, (condition, *shorter))]


class _Builder:
    def __init__(self, num_qubits: int, sampled: bool) -> None:
        self._n = num_qubits
        self._sampled = sampled
        self._touched: set[int] = set()  # all others are still |0>
        self._written = 0
        self.live_bits = 0

    def steps(self, instructions: Sequence[Instruction], live_after: int) -> tuple[Step, ...]:
        """The steps of a list of instructions, of whose classical bits `live_after` are looked at later."""
        lives = _liveness(instructions, live_after)
        found: list[Step] = []
        doubler = Doubler(self._n)
        for (op, qubits, args), live in zip(instructions, lives, strict=True):
            if isinstance(op, Gate):
                doubler.gate(op, qubits, args)
                self._touched.update(qubits)
            elif op is CHANNEL:
                doubler.channel(args[0], qubits)
                self._touched.update(qubits)
            elif op is RESET:
                for qubit in self._touched.intersection(qubits):
                    doubler.channel(RESET_CHANNEL, (qubit,))
                self._touched.difference_update(qubits)
            elif op is INITIALIZE:
                self._prepare(doubler, found, args[0], qubits)
            elif op is MEASURE and not self._sampled and not live >> args[0] & 1:
                doubler.channel(FORGET, qubits)
            elif op is not BARRIER:
                _close(doubler, found)
                self._decide(found, (op, qubits, args), live)
        _close(doubler, found)
        return tuple(found)

    def _prepare(self, doubler: Doubler, found: list[Step], state: State, qubits: tuple[int, ...]) -> None:
        fresh = self._touched.isdisjoint(qubits)
        self._touched.update(qubits)
        if packable(state):
            doubler.prepare(state, qubits, fresh)
            return
        assert state.amplitudes is not None  # bit strings are packable
        if not fresh:
            for qubit in qubits:
                doubler.channel(RESET_CHANNEL, (qubit,))
        _close(doubler, found)
        found.append(Load(qubits, state.amplitudes))

    def _decide(self, found: list[Step], instruction: Instruction, live: int) -> None:
        op, qubits, args = instruction
        if op is MEASURE:
            last = found[-1] if found else None
            if isinstance(last, Decision) and qubits[0] not in last.qubits and args[0] not in last.clbits:
                found[-1] = Decision(last.qubits + qubits, last.clbits + args, live)
            else:
                found.append(Decision(qubits, args, live))
            self._written |= 1 << args[0]
            self._touched.add(qubits[0])
        elif op is READOUT:
            if self._sampled or live & _mask(args[1:]):
                found.append(Detection(args[0], args[1:], live))
                self._written |= _mask(args[1:])
        elif op is IF:
            condition, *branches = args
            before = set(self._touched)
            after = set(before)
            inner = []
            for branch in branches:
                self._touched = set(before)
                inner.append(self.steps(branch, live))
                after |= self._touched
            self._touched = after
            found.append(Fork(condition.clbits, condition.value, inner[0], inner[1], live))
        self.live_bits = max(self.live_bits, (live & self._written).bit_count())


def _close(doubler: Doubler, found: list[Step]) -> None:
    if len(doubler):
        found.append(Evolution(*doubler.packed()))


def _liveness(instructions: Sequence[Instruction], after: int) -> list[int]:
    """For each instruction the mask of classical bits that are looked at after it."""
    found: list[int] = []
    live = after
    for op, _, args in reversed(instructions):
        found.append(live)
        live = _live_before(op, args, live)
    return found[::-1]


def _live_before(op: object, args: tuple[object, ...], live: int) -> int:
    if op is MEASURE:
        return live & ~_mask(args)
    if op is READOUT:
        bits = _mask(args[1:])
        return live | bits if live & bits else live
    if op is IF:
        condition, then, otherwise = args
        inner = _start_live(then, live) | _start_live(otherwise, live)  # type: ignore[arg-type]
        return inner | _mask(condition.clbits)  # type: ignore[attr-defined]
    return live


def _start_live(instructions: Sequence[Instruction], live: int) -> int:
    for op, _, args in reversed(instructions):
        live = _live_before(op, args, live)
    return live


def _mask(clbits: Sequence[object]) -> int:
    return sum(1 << int(bit) for bit in clbits)  # type: ignore[call-overload]


def _decisions(steps: Sequence[Step]) -> int:
    total = 0
    for step in steps:
        if isinstance(step, Fork):
            total += max(_decisions(step.then), _decisions(step.otherwise))
        elif isinstance(step, Decision | Detection):
            total += 1
    return total


def told(courses: Sequence[Course]) -> dict[str, object]:
    """An account of the steps for metadata, JSON-ready."""
    return {
        "evolutions": sum(_count(each.steps, Evolution) for each in courses),
        "kernel_operations": sum(_operations(each.steps) for each in courses),
        "decisions": max((each.decisions for each in courses), default=0),
        "states": max((1 << each.live_bits for each in courses), default=1),
    }


def _count(steps: Sequence[Step], kind: type) -> int:
    inner = sum(_count(s.then, kind) + _count(s.otherwise, kind) for s in steps if isinstance(s, Fork))
    return inner + sum(isinstance(step, kind) for step in steps)


def _operations(steps: Sequence[Step]) -> int:
    total = 0
    for step in steps:
        if isinstance(step, Evolution):
            total += len(step.packed)
        elif isinstance(step, Fork):
            total += _operations(step.then) + _operations(step.otherwise)
    return total
