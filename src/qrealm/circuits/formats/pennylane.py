"""PennyLane's tapes and QNodes, in. Wires that are integers are numbered in ascending order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qrealm.base.errors import SourceKindError, UnsupportedError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.frameworks import comes_from
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX

_DEPTH_MAX = 100
GATE_NAMES = {
    "Identity": "id",
    "PauliX": "x",
    "PauliY": "y",
    "PauliZ": "z",
    "Hadamard": "h",
    "S": "s",
    "T": "t",
    "SX": "sx",
    "RX": "rx",
    "RY": "ry",
    "RZ": "rz",
    "PhaseShift": "p",
    "U1": "p",
    "U2": "u2",
    "U3": "u",
    "CNOT": "cx",
    "CY": "cy",
    "CZ": "cz",
    "CH": "ch",
    "SWAP": "swap",
    "ISWAP": "iswap",
    "SISWAP": "siswap",
    "ECR": "ecr",
    "CSWAP": "cswap",
    "Toffoli": "ccx",
    "CCZ": "ccz",
    "CRX": "crx",
    "CRY": "cry",
    "CRZ": "crz",
    "ControlledPhaseShift": "cp",
    "IsingXX": "rxx",
    "IsingYY": "ryy",
    "IsingZZ": "rzz",
}
"""PennyLane's names of operations whose parameters and order of wires are the gate table's."""


def is_pennylane(source: Any) -> bool:
    """Whether it is a QuantumScript (tape) or a QNode."""
    return comes_from(source, "pennylane") and (
        hasattr(source, "operations") or hasattr(source, "qtape") or hasattr(source, "func")
    )


def read(source: Any, *args: Any, **kwargs: Any) -> Circuit:
    """Reads a tape, or a QNode called with `args` and `kwargs`, without what is measured at the end.

    Raises:
        SourceKindError: a QNode that cannot be called so, or arguments for a tape.
        UnsupportedError: a channel, a qudit operation, a condition on a mid-circuit measurement.
    """
    import pennylane as qml

    tape = source
    if hasattr(source, "func") and not hasattr(source, "operations"):
        try:
            tape = qml.workflow.construct_tape(source)(*args, **kwargs)
        except TypeError as problem:
            raise SourceKindError(
                f"the QNode cannot be called with these arguments: {problem}",
                hint="read(qnode, *args, **kwargs) takes what the QNode takes",
            ) from problem
    elif args or kwargs:
        raise SourceKindError(
            "read() got arguments for a PennyLane tape", hint="only a QNode takes arguments"
        )
    wires = list(tape.wires)
    device = getattr(source, "device", None)
    if device is not None and getattr(device, "wires", None) is not None:
        wires = list(device.wires)
    if all(isinstance(w, int) for w in wires):
        wires.sort()
    circuit = Circuit(len(wires))
    reader = _Reader(qml, circuit, {wire: i for i, wire in enumerate(wires)})
    for op in tape.operations:
        reader.add(op, (), 0)
    circuit._cache.clear()
    return circuit


class _Reader:
    def __init__(self, qml: Any, circuit: Circuit, places: dict[Any, int]) -> None:
        self.qml = qml
        self.circuit = circuit
        self.places = places

    def add(self, op: Any, controls: tuple[int, ...], depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise UnsupportedError(
                f"decompositions are nested more than {_DEPTH_MAX} deep", source="PennyLane"
            )
        name, wires = op.name, tuple(self.places[w] for w in op.wires)
        if name in GATE_NAMES:
            self.circuit.append(GATE_NAMES[name], wires, self.params(op), controls=controls)
            return
        special: dict[str, Callable[[], None]] = {
            "Barrier": lambda: None,
            "WireCut": lambda: None,
            "Snapshot": lambda: None,
            "GlobalPhase": lambda: self.phase(-self.params(op)[0], controls),
            "MultiControlledX": lambda: self.controlled("x", op, (), controls),
            "Rot": lambda: self.rot(op, wires, controls),
            "BasisState": lambda: self.state(op, wires),
            "StatePrep": lambda: self.state(op, wires),
            "MidMeasureMP": lambda: self.measure(op, wires),
        }
        if name in special:
            special[name]()
        elif hasattr(op, "control_wires") and hasattr(op, "base") and hasattr(op, "control_values"):
            self.symbolic(op, controls, depth)
        else:
            self.general(op, wires, controls, depth)

    def params(self, op: Any) -> list[float]:
        values = []
        for value in op.parameters:
            array = np.asarray(self.qml.math.toarray(value) if not isinstance(value, (int, float)) else value)
            if array.ndim:
                raise UnsupportedError(
                    f"PennyLane's {op.name} with a batch of {array.shape} parameters",
                    source="PennyLane",
                    rule="one circuit at a time; read them one by one",
                )
            values.append(float(array))
        return values

    def phase(self, angle: float, controls: tuple[int, ...]) -> None:
        self.circuit.append("gphase", (), (angle,), controls=controls)

    def rot(self, op: Any, wires: tuple[int, ...], controls: tuple[int, ...]) -> None:
        phi, theta, omega = self.params(op)
        for name, angle in (("rz", phi), ("ry", theta), ("rz", omega)):
            self.circuit.append(name, wires, (angle,), controls=controls)

    def controlled(self, base: str, op: Any, params: Any, controls: tuple[int, ...]) -> None:
        own = tuple(self.places[w] for w in op.control_wires)
        target = tuple(self.places[w] for w in op.wires if w not in set(op.control_wires))
        self.flipped(op, own, lambda: self.circuit.append(base, target, params, controls=controls + own))

    def symbolic(self, op: Any, controls: tuple[int, ...], depth: int) -> None:
        own = tuple(self.places[w] for w in op.control_wires)
        self.flipped(op, own, lambda: self.add(op.base, controls + own, depth + 1))

    def flipped(self, op: Any, own: tuple[int, ...], add: Callable[[], Any]) -> None:
        flips = [q for q, value in zip(own, op.control_values, strict=True) if not value]
        self.circuit.x(flips)
        add()
        self.circuit.x(flips)

    def state(self, op: Any, wires: tuple[int, ...]) -> None:
        if op.name == "BasisState":
            bits = "".join(str(int(bit)) for bit in np.asarray(op.parameters[0]).ravel())
            self.circuit.initialize(bits, tuple(reversed(wires)))  # PennyLane writes the first wire leftmost
        else:
            self.circuit.initialize(np.asarray(op.parameters[0], dtype=np.complex128), tuple(reversed(wires)))

    def measure(self, op: Any, wires: tuple[int, ...]) -> None:
        if getattr(op, "postselect", None) is not None:
            raise UnsupportedError(
                "a measurement with postselection", source="PennyLane", rule="outcomes are drawn"
            )
        self.circuit.measure(wires[0], self.circuit.num_clbits)
        if op.reset:
            self.circuit.reset(wires[0])

    def general(self, op: Any, wires: tuple[int, ...], controls: tuple[int, ...], depth: int) -> None:
        if getattr(op, "has_matrix", False) and 1 <= len(wires) <= MATRIX_QUBITS_MAX:
            matrix = np.asarray(self.qml.matrix(op))
            if matrix.ndim == 2:
                # PennyLane's first wire is the most significant bit.
                self.circuit.unitary(matrix, tuple(reversed(wires)), controls=controls)
                return
        if getattr(op, "has_decomposition", False):
            for part in op.decomposition():
                self.add(part, controls, depth + 1)
            return
        raise UnsupportedError(
            f"PennyLane's {op.name} has no matrix and no decomposition",
            source="PennyLane",
            rule="gates, preparations and measurements; channels are noise, not gates",
        )
