"""Cirq's Circuit, in. Qubits are numbered in the order in which Cirq sorts them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from qrealm.base.errors import UnsupportedError
from qrealm.circuits.building import capture
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.formats.frameworks import comes_from
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.operations import Condition

_DEPTH_MAX = 100


def is_cirq(source: Any) -> bool:
    """Whether it is a cirq Circuit or FrozenCircuit."""
    return comes_from(source, "cirq") and hasattr(source, "all_operations") and hasattr(source, "moments")


def read(source: Any) -> Circuit:
    """Reads a cirq Circuit. Measurement keys become registers; the first qubit of a key is its lowest bit.

    Raises:
        UnsupportedError: qudits, channels, conditions that are not on one key, gates without a decomposition.
    """
    import cirq

    qubits = sorted(source.all_qubits())
    if any(q.dimension != 2 for q in qubits):
        raise UnsupportedError("a circuit of qudits", source="Cirq", rule="every qudit has two levels")
    circuit = Circuit(len(qubits))
    reader = _Reader(cirq, circuit, {q: i for i, q in enumerate(qubits)})
    for op in source.all_operations():
        reader.add(op, 0)
    circuit._cache.clear()
    return circuit


class _Reader:
    def __init__(self, cirq: Any, circuit: Circuit, places: dict[Any, int]) -> None:
        self.cirq = cirq
        self.circuit = circuit
        self.places = places
        self.keys: dict[str, tuple[int, ...]] = {}

    def add(self, op: Any, depth: int) -> None:
        cirq, circuit = self.cirq, self.circuit
        if depth > _DEPTH_MAX:
            raise UnsupportedError(f"decompositions are nested more than {_DEPTH_MAX} deep", source="Cirq")
        op = op.untagged
        wires = tuple(self.places[q] for q in op.qubits)
        if isinstance(op, cirq.ClassicallyControlledOperation):
            self.conditional(op, depth)
        elif isinstance(op.gate, cirq.MeasurementGate):
            self.measure(op, wires)
        elif isinstance(op.gate, cirq.WaitGate):
            self.wait(op.gate, wires)
        elif isinstance(op.gate, cirq.ResetChannel):
            circuit.reset(wires)
        elif isinstance(op, cirq.ControlledOperation) and self.controlled(op):
            return
        elif not self.named(op.gate, wires, ()):
            self.general(op, wires, depth)

    def wait(self, gate: Any, wires: tuple[int, ...]) -> None:
        """A wait of several qubits begins on all of them at once."""
        if len(wires) > 1:
            self.circuit.barrier(wires)
        self.circuit.delay(_real(gate.duration.total_nanos()), wires)

    def measure(self, op: Any, wires: tuple[int, ...]) -> None:
        key = self.cirq.measurement_key_name(op)
        if key not in self.keys:
            self.keys[key] = self.circuit.add_register(key, len(wires)).clbits
        bits = self.keys[key]
        if len(bits) != len(wires) or op.gate.confusion_map:
            raise UnsupportedError(
                f"the measurement {key!r} is repeated with another size, or has a confusion map",
                source="Cirq",
                rule="a key is measured alike each time, without confusion",
            )
        flips = [qubit for qubit, turned in zip(wires, op.gate.full_invert_mask(), strict=True) if turned]
        self.circuit.x(flips).measure(wires, bits).x(
            flips
        )  # an inverted outcome is that of the flipped qubit

    def conditional(self, op: Any, depth: int) -> None:
        body = capture(self.circuit, lambda: self.add(op.without_classical_controls(), depth + 1))
        for control in op.classical_controls:
            key = getattr(control, "key", None)
            bits = self.keys.get(str(key)) if key is not None else None
            if bits is None or getattr(control, "index", -1) != -1:
                raise UnsupportedError(
                    f"the condition {control} cannot be executed here",
                    source="Cirq",
                    rule="a condition is a measurement key, true when it is not zero",
                )
            # Cirq's condition is "not zero".
            body = capture(self.circuit, partial(self.circuit._branch, Condition(bits, 0), (), body))
        self.circuit._ops.extend(body)
        self.circuit._special += len(body)

    def controlled(self, op: Any) -> bool:
        """Adds a controlled operation whose controls are plain bits and whose base has a name or matrix."""
        values = getattr(op.control_values, "vals", None)
        if values is None or any(len(v) != 1 for v in values):
            return False
        controls = tuple(self.places[q] for q in op.controls)
        flips = [q for q, value in zip(controls, values, strict=True) if tuple(value) == (0,)]
        base, wires = op.sub_operation.untagged, tuple(self.places[q] for q in op.sub_operation.qubits)
        start = len(self.circuit)
        if flips:
            self.circuit.x(flips)
        if not self.named(base.gate, wires, controls):
            matrix = self.cirq.unitary(base, None)
            if matrix is None or not 1 <= len(wires) <= MATRIX_QUBITS_MAX:
                del self.circuit._ops[start:]
                return False
            self.circuit.unitary(_little(matrix), wires, controls=controls)
        if flips:
            self.circuit.x(flips)
        return True

    def named(self, gate: Any, wires: tuple[int, ...], controls: tuple[int, ...]) -> bool:
        """Adds a gate of Cirq's that the gate table has too; phases included. False when there is none."""
        cirq = self.cirq
        found: list[tuple[str, list[Any]]] = []
        powers = {
            cirq.XPowGate: "rx",
            cirq.YPowGate: "ry",
            cirq.ZPowGate: "rz",
            cirq.XXPowGate: "rxx",
            cirq.YYPowGate: "ryy",
            cirq.ZZPowGate: "rzz",
        }
        for kind, name in powers.items():
            if isinstance(gate, kind):
                exponent, shift = _real(gate.exponent), gate.global_shift
                # An eigenvalue gate is a rotation by pi t, times e^{i pi t (1/2 + shift)}.
                found = [(name, [exponent * math.pi])]
                if shift != -0.5:
                    found.append(("gphase", [exponent * (math.pi * (0.5 + shift))]))
        plain = {
            "X": cirq.X,
            "Y": cirq.Y,
            "Z": cirq.Z,
            "H": cirq.H,
            "S": cirq.S,
            "T": cirq.T,
            "CX": cirq.CNOT,
            "CZ": cirq.CZ,
            "SWAP": cirq.SWAP,
            "ISWAP": cirq.ISWAP,
            "CCX": cirq.TOFFOLI,
            "CCZ": cirq.CCZ,
            "CSWAP": cirq.FREDKIN,
            "ID": cirq.I,
        }
        for name, known in plain.items():
            if gate == known:
                found = [(name, [])]
        if isinstance(gate, cirq.CZPowGate) and not found and gate.global_shift == 0:
            found = [("cp", [_real(gate.exponent) * math.pi])]
        for name, params in found:
            if name == "gphase":
                self.circuit.append(name, (), params, controls=controls)
            else:
                self.circuit.append(name, wires, params, controls=controls)
        return bool(found)

    def general(self, op: Any, wires: tuple[int, ...], depth: int) -> None:
        cirq = self.cirq
        if isinstance(op.gate, cirq.GlobalPhaseGate):
            self.circuit.gphase(float(np.angle(complex(op.gate.coefficient))))
            return
        if not cirq.is_parameterized(op) and 1 <= len(wires) <= MATRIX_QUBITS_MAX and cirq.has_unitary(op):
            self.circuit.unitary(_little(cirq.unitary(op)), wires)
            return
        parts = cirq.decompose_once(op, None)
        if parts is None:
            raise UnsupportedError(
                f"Cirq's {str(op)[:80]} has no unitary and no decomposition",
                source="Cirq",
                rule="gates, measurements and resets; channels are noise, not gates",
            )
        for part in parts:
            self.add(part, depth + 1)


def _real(value: Any) -> Any:
    """A number, or our expression for a sympy one."""
    if isinstance(value, (int, float, np.number)):
        return float(value)
    return evaluate(str(value), None, caret_is_power=False)


def _little(matrix: Any) -> Any:
    """From Cirq's order, first qubit most significant, to ours."""
    count = len(matrix).bit_length() - 1
    order = [*range(count - 1, -1, -1), *range(2 * count - 1, count - 1, -1)]
    return np.asarray(matrix).reshape((2,) * (2 * count)).transpose(order).reshape(matrix.shape)
