"""Cirq's programs as qrealm circuits: every measurement keeps bits of its own, so that no record is lost.

Cirq's first qubit is the most significant bit of an index, so it becomes the last one of the circuit: then
amplitudes, basis states and masks are the same numbers in both, and nothing is ever transposed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import UnsupportedError
from qrealm.circuits import Circuit, read
from qrealm.circuits.noise import Channel

CONDITION_BITS_MAX = 12
"""Measured bits in a condition that is worked out value by value."""

_DEPTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement: where its bits are, and what becomes of them before they are recorded.

    Attributes:
        key: the measurement's key.
        clbits: classical bit of each measured qubit, in the measurement's order.
        flips: 0 or 1 for each bit: whether the recorded value is the other one.
        confusion: Cirq's readout errors: positions of bits to a matrix of probabilities.
    """

    key: Any
    clbits: tuple[int, ...]
    flips: tuple[int, ...]
    confusion: Mapping[tuple[int, ...], NDArray[np.float64]]


@dataclass(slots=True)
class Translation:
    """A program's circuit and its records.

    Attributes:
        circuit: qubit ``n - 1 - i`` for Cirq's qubit i.
        records: in the order of execution.
        measured_last: qubit to classical bit, where nothing follows the measurement on that qubit.
    """

    circuit: Circuit
    records: list[Record] = field(default_factory=list)
    measured_last: dict[int, int] = field(default_factory=dict)

    def of_key(self, key: Any) -> list[Record]:
        """The measurements of one key, in order."""
        return [record for record in self.records if record.key == key]


def translate(program: Any, qubits: Sequence[Any]) -> Translation:
    """A Cirq circuit on the given qubits, most significant first. Open symbols stay open.

    Raises:
        UnsupportedError: qudits, loops, a condition on too many bits, or a gate that has neither a matrix nor
            a decomposition.
        ChannelError: a channel on more qubits than qrealm's have.
    """
    if any(qubit.dimension != 2 for qubit in qubits):
        raise UnsupportedError("a circuit of qudits", source="Cirq", rule="every qudit has two levels")
    places = {qubit: len(qubits) - 1 - index for index, qubit in enumerate(qubits)}
    width = sum(len(op.qubits) for op in unrolled(program) if measures(op))
    found = Translation(Circuit(len(qubits), width))
    _Walk(found, places).all(program.all_operations())
    return found


def unrolled(program: Any) -> list[Any]:
    """All operations, those inside circuit operations and decompositions of measurements too."""
    found: list[Any] = []
    stack = list(program.all_operations())[::-1]
    while stack:
        op = stack.pop()
        inner = _opened(op.untagged)
        if inner is None:
            found.append(op.untagged)
        else:
            stack.extend(reversed(inner))
    return found


def _opened(op: Any) -> list[Any] | None:
    """What an operation consists of, where it must be looked into; None for the others."""
    if isinstance(op, cirq.CircuitOperation):
        if op.repeat_until is not None:
            raise UnsupportedError(
                "a circuit operation that repeats until a condition holds",
                source="Cirq",
                rule="the number of repetitions is known before the run",
            )
        return list(op.mapped_circuit(deep=True).all_operations())
    if isinstance(op.gate, cirq.PauliMeasurementGate):
        return list(cirq.decompose_once(op))
    return None


def measures(op: Any) -> bool:
    """Whether it is a plain measurement."""
    return isinstance(op.gate, cirq.MeasurementGate)


def _is_channel(op: Any) -> bool:
    """Whether an operation is noise."""
    if isinstance(op.gate, cirq.ResetChannel) or cirq.is_parameterized(op):
        return False
    return bool(cirq.has_kraus(op)) and not cirq.has_unitary(op)


class _Walk:
    """Goes through operations in order; plain gates are collected and read together."""

    def __init__(self, found: Translation, places: Mapping[Any, int], depth: int = 0) -> None:
        self.found = found
        self.places = places
        self.depth = depth
        self.gates: list[Any] = []
        self.bits = 0

    def all(self, ops: Any) -> None:
        for op in ops:
            self.add(op.untagged)
        self.flush()

    def add(self, op: Any) -> None:
        inner = _opened(op)
        if inner is not None:
            for part in inner:
                self.add(part.untagged)
        elif isinstance(op, cirq.ClassicallyControlledOperation):
            self.flush()
            self.conditional(op)
        elif measures(op):
            self.flush()
            self.measure(op)
        elif isinstance(op.gate, cirq.StatePreparationChannel):
            self.flush()
            self.on(op, lambda wires: self.found.circuit.initialize(op.gate.state, wires))
        elif _is_channel(op):
            self.flush()
            channel = Channel(cirq.kraus(op), str(op.gate))
            self.on(op, lambda wires: self.found.circuit.append(channel, wires))
        else:
            self.gates.append(op)

    def on(self, op: Any, add: Callable[[list[int]], Any]) -> None:
        """What `add` adds on an operation's qubits, given least significant first."""
        wires = [self.places[qubit] for qubit in op.qubits][::-1]
        add(wires)
        for wire in wires:
            self.found.measured_last.pop(wire, None)

    def flush(self) -> None:
        """Adds the collected gates to the circuit."""
        if not self.gates:
            return
        part = cirq.Circuit(self.gates)
        self.gates = []
        wires = [self.places[qubit] for qubit in sorted(part.all_qubits())]
        self.found.circuit.compose(read(part), wires)
        for wire in wires:
            self.found.measured_last.pop(wire, None)

    def measure(self, op: Any) -> None:
        wires = [self.places[qubit] for qubit in op.qubits]
        clbits = tuple(range(self.bits, self.bits + len(wires)))
        self.bits += len(wires)
        self.found.circuit.measure(wires, clbits)
        flips = tuple(int(turned) for turned in op.gate.full_invert_mask())
        key = cirq.measurement_key_obj(op)
        self.found.records.append(Record(key, clbits, flips, dict(op.gate.confusion_map)))
        self.found.measured_last.update(zip(wires, clbits, strict=True))

    def conditional(self, op: Any) -> None:
        if self.depth > _DEPTH_MAX:
            raise UnsupportedError(f"conditions are nested more than {_DEPTH_MAX} deep", source="Cirq")
        circuit = self.found.circuit
        inner = Translation(Circuit(circuit.num_qubits, circuit.num_clbits), self.found.records)
        _Walk(inner, self.places, self.depth + 1).all([op.without_classical_controls()])
        body = inner.circuit
        for condition in op.classical_controls:
            body = self.under(condition, body)
        circuit.compose(body)
        for qubit in op.qubits:
            self.found.measured_last.pop(self.places[qubit], None)

    def under(self, condition: Any, body: Circuit) -> Circuit:
        """`body`, when the condition holds."""
        empty = Circuit(body.num_qubits, body.num_clbits)
        result = empty.copy()
        read_from = [self.meant(condition, key) for key in condition.keys]
        if isinstance(condition, cirq.KeyCondition):  # true when not zero, on any number of bits
            (record,) = read_from
            zero = sum(flip << i for i, flip in enumerate(record.flips))
            result.if_(record.clbits, zero, empty, body)
            return result
        clbits = tuple(bit for record in read_from for bit in record.clbits)
        if len(clbits) > CONDITION_BITS_MAX:
            raise UnsupportedError(
                f"the condition {condition} reads {len(clbits)} bits",
                source="Cirq",
                rule=f"at most {CONDITION_BITS_MAX}, but for a bare key",
            )
        for value in _true_values(condition, self.found, read_from):
            result.if_(clbits, value, body)
        return result

    def meant(self, condition: Any, key: Any) -> Record:
        """The measurement that a condition reads for a key."""
        records = self.found.of_key(key)
        index = getattr(condition, "index", -1)
        if not -len(records) <= index < len(records):
            raise UnsupportedError(
                f"the condition {condition} reads the key {str(key)!r}, measured {len(records)} times so far",
                source="Cirq",
                rule="a key is measured before it is read",
            )
        record = records[index]
        if record.confusion:
            raise UnsupportedError(
                f"the condition {condition} reads a measurement with a confusion map",
                source="Cirq",
                rule="readout errors are put on records, after the run",
            )
        return record


def _true_values(condition: Any, found: Translation, read_from: Sequence[Record]) -> list[int]:
    """The values of the raw bits (of all of `read_from` in turn, first bit lowest) that make it true."""
    values = []
    width = sum(len(record.clbits) for record in read_from)
    for raw in itertools.product((0, 1), repeat=width):
        rest = iter(raw)
        recorded = {id(record): tuple(next(rest) ^ flip for flip in record.flips) for record in read_from}
        store = cirq.ClassicalDataDictionaryStore(
            _records={
                key: [recorded.get(id(each), (0,) * len(each.clbits)) for each in found.of_key(key)]
                for key in condition.keys
            }
        )
        if condition.resolve(store):
            values.append(sum(bit << i for i, bit in enumerate(raw)))
    return values


__all__ = ["CONDITION_BITS_MAX", "Record", "Translation", "measures", "translate", "unrolled"]
