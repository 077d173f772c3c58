"""The dict form, as a dict or as JSON text; docs/circuits.md has the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qrealm.base.errors import CircuitError, QrealmError, SchemaError
from qrealm.circuits.building import capture, check_shape
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate, Matrix, find_gate
from qrealm.circuits.noise.record import channel_record, read_channel, read_readout, readout_record
from qrealm.circuits.operations import (
    CHANNEL,
    IF,
    INITIALIZE,
    MEASURE,
    OPERATIONS,
    READOUT,
    Instruction,
    State,
)
from qrealm.circuits.parameters import ANGLE_MAX, ParameterExpression

_TOP = frozenset({"format", "name", "num_qubits", "num_clbits", "registers", "global_phase", "gates"})
_ITEM = frozenset(
    {
        "type",
        "qubits",
        "params",
        "controls",
        "control_state",
        "clbits",
        "matrix",
        "state",
        "value",
        "gates",
        "else",
        "if",
        "name",
        "kraus",
        "assignment",
    }
)
_DEPTH_MAX = 50


def is_dict_form(source: Mapping[str, Any]) -> bool:
    """Whether it looks like the dict form."""
    return "num_qubits" in source or "gates" in source


def read_dict(source: Mapping[str, Any], name: str = "<dict>") -> Circuit:
    """Reads the dict form.

    Raises:
        SchemaError: a field is missing, unknown or wrong; the rule names it.
    """
    unknown = [key for key in source if key not in _TOP]
    if unknown:
        raise _wrong(
            name, f"the field {unknown[0]!r:.60} is not known", "", f"fields are {', '.join(sorted(_TOP))}"
        )
    for key in ("num_qubits", "gates"):
        if key not in source:
            raise _wrong(name, f"the field {key!r} is missing", "", '{"num_qubits": 2, "gates": [...]}')
    if not isinstance(source["gates"], (list, tuple)):
        raise _wrong(name, f"gates is a {type(source['gates']).__name__}", "gates", "a list of objects")
    try:
        circuit = Circuit(
            source["num_qubits"],
            source.get("num_clbits"),
            name=str(source.get("name", "")),
            global_phase=_number(source.get("global_phase", 0.0)),
        )
        _registers(circuit, source.get("registers", ()))
    except CircuitError as problem:
        raise _wrong(name, problem.message, "the head", problem.hint) from problem
    _Items(circuit, name).read(source["gates"], "gates", 0)
    circuit._cache.clear()
    return circuit


def _registers(circuit: Circuit, rows: Any) -> None:
    """Names bits: within `num_clbits` where that was given, as a file written by `write` has it."""
    if not isinstance(rows, (list, tuple)):
        raise SchemaError("registers is not a list", rule='registers: [{"name": "c", "size": 2}]')
    if not rows:
        return
    declared = circuit.num_clbits
    circuit._num_clbits = 0
    for row in rows:
        if not isinstance(row, Mapping) or "name" not in row or "size" not in row:
            raise SchemaError("a register needs name and size", rule='registers: [{"name": "c", "size": 2}]')
        circuit.add_register(row["name"], row["size"])
    circuit._num_clbits = max(declared, circuit._num_clbits)


class _Items:
    """Reads the list of gates; remembers what it has checked, since programs repeat themselves."""

    def __init__(self, circuit: Circuit, name: str) -> None:
        self.circuit = circuit
        self.name = name
        self.gates: dict[str, Gate] = {}
        self.shapes: set[tuple[Gate, int, int]] = set()
        self.wires: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def read(self, items: Any, where: str, depth: int) -> None:
        ops, gates, shapes, wires = self.circuit._ops, self.gates, self.shapes, self.wires
        for index, item in enumerate(items):
            try:
                params = item.get("params", ())
                gate = gates[item["type"]]
                qubits = wires[tuple(item["qubits"])]
                if len(item) == (3 if "params" in item else 2) and (gate, len(qubits), len(params)) in shapes:
                    for value in params:
                        if value.__class__ is not float or not -ANGLE_MAX <= value <= ANGLE_MAX:
                            break
                    else:
                        ops.append((gate, qubits, tuple(params)))
                        continue
            except (KeyError, AttributeError, TypeError):
                pass  # not seen before, or wrong: the careful way finds out which
            try:
                self.careful(item, depth)
            except SchemaError as problem:
                if problem.rule.startswith("gates") or problem.rule.startswith("else"):
                    problem.rule = f"{where}[{index}].{problem.rule}"
                    raise
                raise _wrong(
                    self.name, problem.message, f"{where}[{index}]", problem.hint or problem.rule
                ) from problem
            except QrealmError as problem:
                raise _wrong(self.name, problem.message, f"{where}[{index}]", problem.hint) from problem

    def careful(self, item: Any, depth: int) -> None:
        if not isinstance(item, Mapping):
            raise SchemaError(f"a gate is a {type(item).__name__}", hint='{"type": "H", "qubits": [0]}')
        unknown = [key for key in item if key not in _ITEM]
        if unknown:
            raise SchemaError(
                f"the field {unknown[0]!r:.60} is not known", hint=f"fields are {', '.join(sorted(_ITEM))}"
            )
        kind = item.get("type")
        if not isinstance(kind, str):
            raise SchemaError(
                "the field 'type' is missing or not a text", hint='{"type": "H", "qubits": [0]}'
            )
        if "if" in item:
            self.guarded(item, depth)
        elif kind.lower() in OPERATIONS:
            self.operation(kind.lower(), item, depth)
        else:
            self.gate(kind, item)

    def gate(self, kind: str, item: Mapping[str, Any]) -> None:
        gate = find_gate(kind)
        qubits = _sequence(item, "qubits", gate.targets == 0 and gate is not UNITARY)
        params = [_number(value) for value in _sequence(item, "params", True)]
        if gate is UNITARY:
            if "matrix" not in item:
                raise SchemaError(
                    "a unitary needs the field 'matrix'", hint="rows of numbers or [real, imaginary]"
                )
            params = [_matrix(item["matrix"])]
        controls = _sequence(item, "controls", True)
        before = len(self.circuit._ops)
        self.circuit.append(gate, qubits, params, controls=controls, control_state=item.get("control_state"))
        if not controls and len(self.circuit._ops) == before + 1:
            checked, values = self.circuit._ops[-1][1:]
            check_shape(gate, values, len(checked))
            self.gates[kind] = gate
            self.shapes.add((gate, len(checked), len(values)))
            if all(type(q) is int for q in qubits):
                self.wires[checked] = checked

    def operation(self, kind: str, item: Mapping[str, Any], depth: int) -> None:
        circuit = self.circuit
        if kind == "if":
            self.branch(item, item.get("gates", ()), item.get("else", ()), depth)
        elif kind == "measure":
            circuit.measure(
                _sequence(item, "qubits"), _sequence(item, "clbits") if "clbits" in item else None
            )
        elif kind == "reset":
            circuit.reset(_sequence(item, "qubits"))
        elif kind == "barrier":
            circuit.barrier(*_sequence(item, "qubits", True))
        elif kind == "channel":
            circuit.append(read_channel(item), _sequence(item, "qubits"))
        elif kind == "readout":
            circuit.append(read_readout(item), _sequence(item, "clbits"))
        else:
            state = item.get("state")
            circuit.initialize(state if isinstance(state, str) else _vector(state), _sequence(item, "qubits"))

    def guarded(self, item: Mapping[str, Any], depth: int) -> None:
        condition = item["if"]
        if not isinstance(condition, Mapping):
            raise SchemaError("the field 'if' is not an object", hint='"if": {"clbits": [0], "value": 1}')
        bare = {key: value for key, value in item.items() if key != "if"}
        self.branch(condition, [bare], (), depth)

    def branch(self, condition: Mapping[str, Any], then: Any, other: Any, depth: int) -> None:
        if depth >= _DEPTH_MAX:
            raise SchemaError(f"conditions are nested more than {_DEPTH_MAX} deep")
        test = self.circuit._condition(_sequence(condition, "clbits"), condition.get("value", 1))
        self.circuit._branch(test, self.capture(then, "gates", depth), self.capture(other, "else", depth))

    def capture(self, items: Any, where: str, depth: int) -> tuple[Instruction, ...]:
        if not isinstance(items, (list, tuple)):
            raise SchemaError(f"the field {where!r} is not a list")
        return capture(self.circuit, lambda: self.read(items, where, depth + 1))


def _sequence(item: Mapping[str, Any], key: str, optional: bool = False) -> list[Any]:
    if key not in item:
        if optional:
            return []
        raise SchemaError(f"the field {key!r} is missing", hint=f'"{key}": [0]')
    value = item[key]
    if isinstance(value, np.ndarray):
        return list(value.tolist())
    if not isinstance(value, (list, tuple, range)):
        raise SchemaError(f"the field {key!r} is a {type(value).__name__}", hint=f'a list: "{key}": [0]')
    return list(value)


def _number(value: Any) -> Any:
    return evaluate(value) if isinstance(value, str) else value


def _complex(value: Any) -> complex:
    if (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(v, (int, float)) for v in value)
    ):
        return _finite(*value)
    if isinstance(value, (int, float, complex, np.number)):
        return _finite(value)
    raise SchemaError(f"{value!r:.60} is not a complex number", hint="a number, or [real, imaginary]")


def _finite(*parts: Any) -> complex:
    try:
        return complex(*parts)
    except OverflowError:
        raise SchemaError(
            f"{parts!r:.60} is too large for a number", hint="a number, or [real, imaginary]"
        ) from None


def _vector(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return values
    if not isinstance(values, (list, tuple)):
        raise SchemaError(f"{values!r:.60} is not a state", hint='bits such as "01", or a list of amplitudes')
    return [_complex(value) for value in values]


def _matrix(rows: Any) -> Matrix:
    if isinstance(rows, (np.ndarray, Matrix)):
        return rows if isinstance(rows, Matrix) else Matrix(rows)
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in rows):
        raise SchemaError(
            "matrix is not a list of rows", hint="[[0, 1], [1, 0]], entries numbers or [real, imaginary]"
        )
    return Matrix([[_complex(value) for value in row] for row in rows])


def _wrong(source: str, message: str, where: str, hint: str) -> SchemaError:
    return SchemaError(
        f"{where}: {message}" if where else message, source=source, hint=hint, rule=where or "the dict form"
    )


def write(circuit: Circuit) -> dict[str, Any]:
    """The dict form of a circuit; only values that JSON has."""
    result: dict[str, Any] = {"num_qubits": circuit.num_qubits}
    if circuit.name:
        result["name"] = circuit.name
    if circuit.num_clbits and not circuit._grows:
        result["num_clbits"] = circuit.num_clbits
    if circuit.registers:
        result["registers"] = [{"name": r.name, "size": r.size} for r in circuit.registers]
    if circuit.global_phase != 0.0:
        result["global_phase"] = _plain(circuit.global_phase)
    result["gates"] = [_item(instruction) for instruction in circuit]
    return result


def _item(instruction: Instruction) -> dict[str, Any]:
    op, qubits, args = instruction
    item: dict[str, Any] = {"type": op.name.upper()}
    if isinstance(op, Gate):
        size = args[0].num_qubits if op is UNITARY else op.num_qubits
        extra = 0 if op.variadic else len(qubits) - size
        item["qubits"] = list(qubits[extra:])
        if extra:
            item["controls"] = list(qubits[:extra])
        if op is UNITARY:
            item["matrix"] = [[[z.real, z.imag] for z in row] for row in args[0].array.tolist()]
        elif args:
            item["params"] = [_plain(value) for value in args]
    elif op is IF:
        item["clbits"], item["value"] = list(args[0].clbits), args[0].value
        item["gates"] = [_item(i) for i in args[1]]
        if args[2]:
            item["else"] = [_item(i) for i in args[2]]
    elif op is CHANNEL:
        item["qubits"] = list(qubits)
        item |= channel_record(args[0])
    elif op is READOUT:
        item["clbits"] = list(args[1:])
        item |= readout_record(args[0])
    else:
        item["qubits"] = list(qubits)
        if op is MEASURE:
            item["clbits"] = list(args)
        elif op is INITIALIZE:
            item["state"] = _state(args[0])
    return item


def _state(state: State) -> Any:
    return state.bits if state.amplitudes is None else [[z.real, z.imag] for z in state.amplitudes.tolist()]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, ParameterExpression) else value


__all__ = ["is_dict_form", "read_dict", "write"]
