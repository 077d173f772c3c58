"""Gate calls of OpenQASM: definitions, modifiers, and their expansion into instructions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from qrealm.circuits.building import check_shape, counted
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Gate, Matrix
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.matrices import controlled
from qrealm.circuits.operations import Instruction
from qrealm.circuits.parameters import ParameterExpression, real
from qrealm.circuits.transform import inverted

Fail = Callable[[str, str], Exception]
GateInstructions = list[Instruction]

EXPANSION_MAX = 100_000
"""Most instructions that one call may become: definitions that call each other grow exponentially."""

_COMPARE_MAX = 200  # gates of a definition that is compared with the table

_MODIFIER = re.compile(r"\s*(ctrl|negctrl|inv|pow)\s*(?:\(([^@]*)\))?\s*@")


@dataclass(frozen=True, slots=True)
class Call:
    """A gate or definition, its modifiers (outermost first), parameters, and the qubits of each operand."""

    gate: Gate | Macro
    marks: tuple[tuple[str, float], ...]
    params: tuple[Any, ...]
    qubits: list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Macro:
    """A gate definition; qubits of its calls are positions among its own."""

    name: str
    formal: tuple[str, ...]
    num_qubits: int
    calls: tuple[Call, ...]


def modifiers(text: str, fail: Fail) -> tuple[tuple[tuple[str, float], ...], str]:
    """The modifiers in front of a call, and the rest of the text."""
    marks = []
    while (found := _MODIFIER.match(text)) is not None:
        word, inside = found.groups()
        number = 1.0
        if inside is not None and inside.strip():
            value = evaluate(inside)
            if isinstance(value, ParameterExpression):
                raise fail(f"{word}({inside.strip()[:40]}) is not a number", "modifiers take numbers")
            number = value
        if word in ("ctrl", "negctrl") and (number != int(number) or not 1 <= number <= 4096):
            raise fail(f"{word}({inside}) is not a number of controls", "an integer from 1")
        if (word == "pow") != (inside is not None) and word in ("pow", "inv"):
            raise fail(f"cannot read the modifier {found.group().strip()!r}", "inv @  and  pow(number) @")
        marks.append((word, number))
        text = " " * found.end() + text[found.end() :]
    return tuple(marks), text


def parameters(text: str, value: Callable[[str], Any]) -> tuple[Any, ...]:
    """The values of a parameter list."""
    if not text.strip():
        return ()
    if "(" not in text:
        return tuple(value(part) for part in text.split(","))
    parts, level, begin = [], 0, 0
    for position, letter in enumerate(text):
        level += (letter == "(") - (letter == ")")
        if letter == "," and level == 0:
            parts.append(text[begin:position])
            begin = position + 1
    return tuple(value(part) for part in (*parts, text[begin:]))


def expand(call: Call, params: tuple[Any, ...], wires: tuple[int, ...], fail: Fail) -> GateInstructions:
    """The instructions of a call on `wires`."""
    held = sum(int(number) for word, number in call.marks if word in ("ctrl", "negctrl"))
    found = _base(call.gate, params, wires[held:], fail)
    for word, number in reversed(call.marks):
        if word == "inv":
            found = [inverted(*i) for i in reversed(found)]  # type: ignore[arg-type]
        elif word == "pow":
            found = _power(found, number, wires[held:], fail)
        else:
            added = wires[held - int(number) : held]
            held -= int(number)
            found = [(gate, added + qubits, values) for gate, qubits, values in found]
            if word == "negctrl":
                flips: GateInstructions = [(GATES["x"], (qubit,), ()) for qubit in added]
                found = [*flips, *found, *flips]
        if len(found) > EXPANSION_MAX:
            raise fail("the call expands to too many gates", f"at most {EXPANSION_MAX}")
    return found


def is_table_gate(macro: Macro, fail: Fail) -> bool:
    """Whether a definition says, at three points, just what the gate table has under its name."""
    row = GATES.get(macro.name)
    if row is None or row.num_params != len(macro.formal) or row.num_qubits != macro.num_qubits:
        return False
    wires = tuple(range(macro.num_qubits))
    for scale in (0.3, 0.7, 1.1):
        point = tuple(scale * (index + 1) for index in range(row.num_params))
        found = _base(macro, point, wires, fail)
        if len(found) > _COMPARE_MAX or not np.allclose(
            _dense(found, wires), row.full_matrix(point), atol=1e-9
        ):
            return False
    return True


def _base(
    gate: Gate | Macro, params: tuple[Any, ...], wires: tuple[int, ...], fail: Fail
) -> GateInstructions:
    names = gate.formal if isinstance(gate, Macro) else gate.params
    if len(params) != len(names):
        listed = f" ({', '.join(names)})" if names else ""
        given = counted(len(params), "parameter")
        raise fail(f"{gate.name} got {given}", f"{gate.name} takes {len(names)}{listed}")
    if isinstance(gate, Gate):
        if gate is UNITARY:
            raise fail("unitary cannot be called by name", "OpenQASM has no matrices")
        check_shape(gate, params, len(wires))
        return [(gate, wires, params)]
    if len(wires) != gate.num_qubits:
        raise fail(f"{gate.name} got {counted(len(wires), 'qubit')}", f"{gate.name} takes {gate.num_qubits}")
    bound = dict(zip(gate.formal, params, strict=True))
    found: GateInstructions = []
    for call in gate.calls:
        values = tuple(_substitute(p, bound) for p in call.params)
        found.extend(expand(call, values, tuple(wires[group[0]] for group in call.qubits), fail))
        if len(found) > EXPANSION_MAX:
            raise fail(f"{gate.name} expands to too many gates", f"at most {EXPANSION_MAX}")
    return found


def _substitute(value: Any, given: dict[str, Any]) -> Any:
    if not isinstance(value, ParameterExpression):
        return value
    bound = value.substitute(given)
    return bound if bound.parameters else real(bound)


def _power(found: GateInstructions, exponent: float, wires: tuple[int, ...], fail: Fail) -> GateInstructions:
    if exponent == int(exponent):
        if exponent < 0:
            found = [inverted(*i) for i in reversed(found)]  # type: ignore[arg-type]
        if len(found) * abs(exponent) > EXPANSION_MAX:
            raise fail(f"pow({exponent:g}) expands to too many gates", f"at most {EXPANSION_MAX}")
        return found * int(abs(exponent))
    if len(found) == 1 and isinstance(found[0][0], Gate) and found[0][0].scales:
        gate, qubits, params = found[0]
        return [(gate, qubits, tuple(p * exponent for p in params))]
    if not 1 <= len(wires) <= MATRIX_QUBITS_MAX or any(
        isinstance(p, ParameterExpression) for i in found for p in i[2]
    ):
        raise fail(
            f"pow({exponent:g}) of this gate is not known",
            "fractional powers of up to 6 qubits, parameters bound",
        )
    return [(UNITARY, wires, (Matrix(_fractional(_dense(found, wires), exponent)),))]


def _dense(found: GateInstructions, wires: tuple[int, ...]) -> Any:
    """Matrix of a few gates on `wires`, the first one least significant."""
    count = len(wires)
    total = np.eye(1 << count, dtype=np.complex128).reshape((2,) * count + (-1,))
    for gate, qubits, params in found:
        size = params[0].num_qubits if gate is UNITARY else gate.targets  # type: ignore[union-attr]
        matrix = controlled(gate.matrix(*params), len(qubits) - size)  # type: ignore[union-attr]
        axes = [count - 1 - wires.index(q) for q in reversed(qubits)]
        block = matrix.reshape((2,) * (2 * len(qubits)))
        total = np.moveaxis(
            np.tensordot(block, total, (range(len(qubits), 2 * len(qubits)), axes)), range(len(qubits)), axes
        )
    return total.reshape(1 << count, 1 << count)


def _fractional(matrix: Any, exponent: float) -> Any:
    """Principal power of a unitary matrix."""
    # U = A + iB with commuting Hermitian A and B, so a general combination of the two has U's eigenvectors.
    dagger = matrix.conj().T
    _, vectors = np.linalg.eigh((matrix + dagger) / 2 + 0.7390851332151607 * (matrix - dagger) / 2j)
    phases = np.angle(np.einsum("ji,jk,ki->i", vectors.conj(), matrix, vectors))
    phases[np.isclose(phases, -np.pi, atol=1e-9)] = np.pi  # -1 has one principal phase, whatever its rounding
    return (vectors * np.exp(1j * exponent * phases)) @ vectors.conj().T
