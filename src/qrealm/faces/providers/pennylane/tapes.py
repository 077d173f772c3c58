"""PennyLane's tapes as qrealm circuits, with trainable parameters left open.

PennyLane's first wire is the most significant bit of an index, so it becomes the last qubit of the circuit:
then amplitudes and outcomes are the same numbers in both, and nothing is ever transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pennylane as qml

from qrealm.base.errors import UnsupportedError
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.formats.pennylane import GATE_NAMES
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.noise import Channel

OPEN_FORMS = frozenset({*GATE_NAMES, "Rot", "GlobalPhase", "MultiControlledX"})
"""What becomes gates of the table, whatever its parameters; controls may be added to each."""

CHANNEL_QUBITS_MAX = 3
"""Qubits that one of qrealm's channels can act on."""

NOTHING = frozenset({"Barrier", "WireCut", "Snapshot"})
"""What does nothing to a state."""


@dataclass(slots=True)
class TapeCircuit:
    """A tape's operations as a circuit.

    Attributes:
        circuit: qubit ``n - 1 - i`` for wire i of the order; bit i for mid-circuit measurement i.
        values: for each trainable parameter of the circuit, in the tape's order, what it is now.
        measured: the mid-circuit measurements, in order.
    """

    circuit: Circuit
    values: list[float] = field(default_factory=list)
    measured: list[Any] = field(default_factory=list)


def wire_order(tape: Any) -> Any:
    """A tape's wires, most significant first: ascending when they are 0 to n - 1, else as they appear."""
    wires = tape.wires
    if set(wires) == set(range(len(wires))):
        return qml.wires.Wires(range(len(wires)))
    return wires


def is_open_form(op: Any) -> bool:
    """Whether an operation becomes gates whose parameters can stay open."""
    if op.name in OPEN_FORMS:
        return True
    return isinstance(op, qml.ops.Controlled) and is_open_form(op.base)


def is_convertible(op: Any) -> bool:
    """Whether `convert` takes an operation as it is; the others have to be decomposed.

    A preparation is taken too where it comes first: further on, PennyLane means gates by it.
    """
    if op.name in NOTHING or is_open_form(op):
        return True
    if isinstance(op, qml.ops.Controlled):
        return is_convertible(op.base)
    if isinstance(op, qml.operation.Channel):
        return 1 <= len(op.wires) <= CHANNEL_QUBITS_MAX
    if not op.has_matrix or not 1 <= len(op.wires) <= MATRIX_QUBITS_MAX:
        return False
    # A wide matrix is slower than the gates that it stands for.
    return len(op.wires) <= 2 or isinstance(op, qml.QubitUnitary) or not op.has_decomposition


def convert(tape: Any, order: Any, operations: Sequence[Any], open_parameters: bool = False) -> TapeCircuit:
    """Operations of a tape on the wires of `order`.

    Args:
        operations: of the tape, possibly with more after them.
        open_parameters: whether trainable parameters become parameters ``p0``, ``p1``... of the circuit.

    Raises:
        UnsupportedError: an operation without a gate, matrix or preparation of ours.
    """
    measured = [op for op in operations if isinstance(op, qml.ops.MidMeasure)]
    found = TapeCircuit(Circuit(max(1, len(order)), len(measured)), measured=measured)
    trainable = set(tape.trainable_params) if open_parameters else set()
    walk = _Walk(found, {wire: len(order) - 1 - index for index, wire in enumerate(order)})
    position = 0
    for op in operations:
        values: list[Any] = []
        for value in op.data:
            if position in trainable:
                values.append(Parameter(f"p{len(found.values)}"))
                found.values.append(float(value))
            else:
                values.append(value)
            position += 1
        walk.add(op, values, ())
    return found


def append_plain(circuit: Circuit, name: str, qubits: tuple[int, ...], names: Sequence[str]) -> None:
    """Append an operation called as in `GATE_NAMES`, or ``Rot``, its parameters open under these names."""
    values = [Parameter(each) for each in names]
    _Walk(TapeCircuit(circuit), {}).named(name, qubits, values, ())


class _Walk:
    def __init__(self, found: TapeCircuit, places: dict[Any, int]) -> None:
        self.found = found
        self.circuit = found.circuit
        self.places = places
        self.bits = {op.hash: index for index, op in enumerate(found.measured)}

    def add(self, op: Any, values: Sequence[Any], controls: tuple[int, ...]) -> None:
        name = op.name
        wires = tuple(self.places[wire] for wire in op.wires)
        if name in GATE_NAMES or name == "Rot":
            self.named(name, wires, values, controls)
        elif name == "GlobalPhase":
            self.circuit.append("gphase", (), (-1.0 * _number(values[0]),), controls=controls)
        elif name in NOTHING:
            return
        elif name == "MultiControlledX":
            own = tuple(self.places[wire] for wire in op.control_wires)
            target = [wire for wire in op.wires if wire not in op.control_wires]
            self.flipped(
                op, own, lambda: self.circuit.append("x", [self.places[target[0]]], controls=controls + own)
            )
        elif isinstance(op, qml.ops.Controlled):
            own = tuple(self.places[wire] for wire in op.control_wires)
            self.flipped(op, own, lambda: self.add(op.base, values, controls + own))
        elif isinstance(op, qml.ops.MidMeasure):
            self.measure(op, wires[0])
        elif isinstance(op, qml.ops.Conditional):
            self.conditional(op)
        elif isinstance(op, qml.operation.StatePrepBase) and not controls:
            self.prepare(op, wires)
        elif isinstance(op, qml.operation.Channel) and not controls:
            kraus = [np.asarray(qml.math.toarray(matrix)) for matrix in op.kraus_matrices()]
            self.circuit.append(Channel(kraus, name), wires[::-1])
        elif op.has_matrix and 1 <= len(wires) <= MATRIX_QUBITS_MAX:
            self.circuit.unitary(np.asarray(qml.matrix(op)), wires[::-1], controls=controls)
        else:
            raise UnsupportedError(
                f"PennyLane's {name} on {len(wires)} wires has no gate, small matrix or preparation here",
                source="PennyLane",
            )

    def named(
        self, name: str, wires: tuple[int, ...], values: Sequence[Any], controls: tuple[int, ...]
    ) -> None:
        """A gate of the table, or a few that PennyLane has one name for."""
        if name == "Rot":
            for gate, value in zip(("rz", "ry", "rz"), values, strict=True):
                self.circuit.append(gate, wires, (_number(value),), controls=controls)
        else:
            self.circuit.append(GATE_NAMES[name], wires, [_number(v) for v in values], controls=controls)

    def flipped(self, op: Any, own: tuple[int, ...], add: Callable[[], Any]) -> None:
        """What `add` adds, acting when the controls have the wanted values."""
        flips = [q for q, value in zip(own, op.control_values, strict=True) if not value]
        self.circuit.x(flips)
        add()
        self.circuit.x(flips)

    def prepare(self, op: Any, wires: tuple[int, ...]) -> None:
        if isinstance(op, qml.BasisState):
            bits = "".join(str(int(bit)) for bit in np.ravel(qml.math.toarray(op.parameters[0])))
            self.circuit.initialize(bits, wires[::-1])
            return
        state = np.ravel(qml.math.toarray(op.state_vector(wire_order=op.wires)))
        self.circuit.initialize(state.astype(np.complex128), wires[::-1])

    def measure(self, op: Any, wire: int) -> None:
        self.circuit.measure(wire, self.bits[op.hash])
        if op.reset:
            self.circuit.reset(wire)

    def conditional(self, op: Any) -> None:
        body = Circuit(self.circuit.num_qubits, self.circuit.num_clbits)
        inner = TapeCircuit(body, measured=self.found.measured)
        walk = _Walk(inner, self.places)
        walk.add(op.base, op.base.data, ())
        missing = [each for each in op.meas_val.measurements if each.hash not in self.bits]
        if missing:
            raise UnsupportedError(
                "a condition reads a measurement that is not on the tape", source="PennyLane"
            )
        read = [self.bits[each.hash] for each in op.meas_val.measurements]
        for branch, holds in op.meas_val.items():
            if holds:
                value = sum(bit << index for index, bit in enumerate(branch))
                self.circuit.if_(read, value, body)


def _number(value: Any) -> Any:
    """A float, or the open parameter itself."""
    return value if isinstance(value, Parameter) else float(qml.math.toarray(value))


def pauli_terms(sentence: Any, order: Any) -> list[tuple[str, complex]]:
    """A Pauli sentence's terms for `qrealm.PauliSum`."""
    last = len(order) - 1
    places = {wire: last - index for index, wire in enumerate(order)}
    return [
        (" ".join(f"{letter}{places[wire]}" for wire, letter in word.items()) or "I", complex(coefficient))
        for word, coefficient in sentence.items()
    ]


__all__ = [
    "TapeCircuit",
    "append_plain",
    "convert",
    "is_convertible",
    "is_open_form",
    "pauli_terms",
    "wire_order",
]
