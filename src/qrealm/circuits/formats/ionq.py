"""IonQ's JSON: ``ionq.circuit.v0`` and later, gate sets `qis` (angles in radians) and `native` (in turns)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qrealm.base.errors import QrealmError, SchemaError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.gates import Gate, find_gate

_QIS_NAMES = {"zz": "rzz", "xx": "rxx", "yy": "ryy", "not": "x", "cnot": "cx"}
_NATIVE = frozenset({"gpi", "gpi2", "ms", "zz", "nop"})
_ITEM = frozenset(
    {"gate", "target", "targets", "control", "controls", "rotation", "phase", "phases", "angle"}
)


def is_ionq(source: Mapping[str, Any]) -> bool:
    """Whether it looks like IonQ's JSON: a job, or its input."""
    return (
        "circuit" in source
        or "circuits" in source
        or (isinstance(source.get("input"), Mapping) and is_ionq(source["input"]))
        or (str(source.get("format", "")).startswith("ionq."))
    )


def read_ionq(source: Mapping[str, Any], name: str = "<dict>") -> Circuit:
    """Reads IonQ's JSON; without measurements all qubits are measured, as IonQ does.

    Raises:
        SchemaError: a field is missing, unknown or wrong; several circuits in one job.
    """
    body = source.get("input", source)
    if not isinstance(body, Mapping):
        raise _wrong(name, "input is not an object", "input")
    if "circuits" in body:
        raise _wrong(name, "a job of several circuits", "circuits", "read them one by one")
    items = body.get("circuit")
    if not isinstance(items, (list, tuple)):
        raise _wrong(
            name,
            "the field 'circuit' is missing or not a list",
            "circuit",
            '{"qubits": 2, "circuit": [{"gate": "h", "target": 0}]}',
        )
    gateset = body.get("gateset", "qis")
    if gateset not in ("qis", "native"):
        raise _wrong(name, f"the gate set {gateset!r:.40} is not known", "gateset", "qis or native")
    checked = [_wires(name, item, f"circuit[{index}]") for index, item in enumerate(items)]
    largest = max((max(wires, default=-1) for wires, _ in checked), default=-1)
    try:
        circuit = Circuit(body.get("qubits", largest + 1), name=str(source.get("name") or ""))
    except QrealmError as problem:
        raise _wrong(name, problem.message, "qubits", problem.hint) from problem
    for index, (item, (wires, controls)) in enumerate(zip(items, checked, strict=True)):
        try:
            _add(circuit, item, wires, controls, gateset == "native")
        except QrealmError as problem:
            raise _wrong(name, problem.message, f"circuit[{index}]", problem.hint) from problem
    return circuit


def _wires(name: str, item: Any, where: str) -> tuple[list[int], int]:
    """Controls then targets, and how many of them are controls."""
    if not isinstance(item, Mapping) or not isinstance(item.get("gate"), str):
        raise _wrong(name, "a gate is an object with the field 'gate'", where, '{"gate": "h", "target": 0}')
    unknown = [key for key in item if key not in _ITEM]
    if unknown:
        raise _wrong(
            name,
            f"the field {unknown[0]!r:.60} is not known",
            where,
            f"fields are {', '.join(sorted(_ITEM))}",
        )
    found: list[list[int]] = []
    for one, many in (("control", "controls"), ("target", "targets")):
        value = item.get(many, item.get(one, []))
        wires = list(value) if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(q, int) and not isinstance(q, bool) for q in wires):
            raise _wrong(name, f"{one} is {value!r:.60}", where, "qubits are integers")
        found.append(wires)
    return found[0] + found[1], len(found[0])


def _add(circuit: Circuit, item: Mapping[str, Any], wires: list[int], controls: int, native: bool) -> None:
    word = item["gate"].lower()
    if native and word not in _NATIVE:
        raise SchemaError(
            f"{word[:40]!r} is not a native gate", hint=f"native gates are {', '.join(sorted(_NATIVE))}"
        )
    if word == "nop":
        return
    gate = find_gate(word if native else _QIS_NAMES.get(word, word))
    params = _params(item, gate, native)
    while controls < gate.controls:  # cnot and its kin may give the control as the first target
        controls += 1
    if controls > gate.controls and not gate.variadic:
        extra = controls - gate.controls
        circuit.append(gate, wires[extra:], params, controls=wires[:extra])
    else:
        circuit.append(gate, wires, params)


def _params(item: Mapping[str, Any], gate: Gate, native: bool) -> list[Any]:
    if not native:
        return [item["rotation"]] if "rotation" in item else [item["phase"]] if "phase" in item else []
    if gate.name == "ms":
        phases = item.get("phases", [])
        return [*(phases if isinstance(phases, (list, tuple)) else [phases]), item.get("angle", 0.25)]
    if gate.name == "zz":
        return [item.get("angle", item.get("phase"))]
    return [item["phase"]] if "phase" in item else []


def _wrong(source: str, message: str, where: str, hint: str = "") -> SchemaError:
    return SchemaError(f"{where}: {message}", source=source, rule="ionq.circuit.v0", hint=hint)
