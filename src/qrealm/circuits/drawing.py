"""Circuits as text: one line of wires per qubit, columns packed to the left, wrapped to the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    RESET,
    Instruction,
    State,
)
from qrealm.circuits.parameters import ParameterExpression

if TYPE_CHECKING:
    from qrealm.circuits.circuit import Circuit

WIDTH_MIN = 40
_LABEL_MAX = 24


@dataclass(frozen=True, slots=True)
class _Style:
    wire: str
    control: str
    link: str
    cross: str
    barrier: str
    swap: str
    target: str


_UNICODE = _Style("─", "●", "│", "┼", "░", "╳", "⊕")
_ASCII = _Style("-", "o", "|", "+", ":", "x", "X")


@dataclass(slots=True)
class _Column:
    cells: dict[int, str]  # qubit -> what stands on its wire
    spans: list[tuple[int, int]]  # vertical links from a qubit down to another
    width: int


def draw(circuit: Circuit, *, width: int, ascii_only: bool) -> str:
    """See `Circuit.draw`."""
    style = _ASCII if ascii_only else _UNICODE
    page = max(width, WIDTH_MIN)
    if circuit.num_qubits == 0:
        return "(no qubits)"
    columns = _columns(circuit, style)
    names = [f"q{q}" for q in range(circuit.num_qubits)]
    margin = max(len(name) for name in names) + 2
    pages: list[list[_Column]] = [[]]
    used = margin
    for column in columns:
        if used + column.width + 1 > page and pages[-1]:
            pages.append([])
            used = margin
        pages[-1].append(column)
        used += column.width + 1
    blocks = [
        _block(part, names, margin, style, last=index == len(pages) - 1) for index, part in enumerate(pages)
    ]
    return "\n\n".join(blocks)


def _columns(circuit: Circuit, style: _Style) -> list[_Column]:
    """Puts every instruction into the first column where its qubits, and those between them, are free."""
    columns: list[_Column] = []
    free = [0] * circuit.num_qubits
    for instruction in circuit:
        qubits = instruction[1]
        if not qubits:
            continue
        cells = _cells(instruction, style)
        low, high = min(qubits), max(qubits)
        covered = range(low, high + 1)
        place = max(free[q] for q in covered)
        if place == len(columns):
            columns.append(_Column({}, [], 1))
        column = columns[place]
        column.cells.update(cells)
        if low != high:
            column.spans.append((low, high))
        column.width = max(column.width, max(len(cell) for cell in cells.values()))
        for q in covered:
            free[q] = place + 1
    return columns


def _cells(instruction: Instruction, style: _Style) -> dict[int, str]:
    op, qubits, args = instruction
    if op in DELAYS:
        word = f"[wait {_angle(args[0])} {'ns' if op is DELAYS[0] else 'dt'}]"
        return dict.fromkeys(qubits, word)
    if isinstance(op, Gate):
        targets = args[0].num_qubits if op is UNITARY else op.targets
        split = len(qubits) - targets
        cells = dict.fromkeys(qubits[:split], style.control)
        cells.update(_targets(op, qubits[split:], args, split > 0, style))
        return cells
    if op is MEASURE:
        return {qubits[0]: f"M{args[0]}"}
    if op is RESET:
        return {qubits[0]: "|0>"}
    if op is BARRIER:
        return dict.fromkeys(qubits, style.barrier)
    if op is INITIALIZE:
        state: State = args[0]
        if state.bits is not None:
            return {q: f"|{bit}>" for q, bit in zip(qubits, reversed(state.bits), strict=True)}
        return {q: f"[psi {i}]" if len(qubits) > 1 else "[psi]" for i, q in enumerate(qubits)}
    if op is IF:
        return _if_cells(qubits, args)
    word = args[0].name if op is CHANNEL else op.name
    return dict.fromkeys(qubits, word if len(word) <= _LABEL_MAX else word[: _LABEL_MAX - 1] + "~")


def _targets(
    op: Gate, qubits: tuple[int, ...], args: tuple[Any, ...], controlled: bool, style: _Style
) -> dict[int, str]:
    base = _base(op)
    if base == "x" and controlled:
        return {qubits[0]: style.target}
    if base == "swap":
        return dict.fromkeys(qubits, style.swap)
    if base in ("z", "gphase") and controlled and not args:
        return dict.fromkeys(qubits, style.control)
    word = base.upper() if len(base) <= 4 else base
    if args and op is not UNITARY:
        word += f"({','.join(_angle(a) for a in args)})"
    word = word if len(word) <= _LABEL_MAX else word[: _LABEL_MAX - 1] + "~"
    if len(qubits) == 1:
        return {qubits[0]: f"[{word}]"}
    return {q: f"[{i} {word}]" for i, q in enumerate(qubits)}


def _base(op: Gate) -> str:
    """The name of what a controlled gate does to its targets."""
    from qrealm.circuits.gate_rows import GATES

    if not op.controls:
        return op.name
    return next((g.name for g in GATES.values() if not g.controls and g.matrix is op.matrix), op.name[1:])


def _if_cells(qubits: tuple[int, ...], args: tuple[Any, ...]) -> dict[int, str]:
    condition, then, otherwise = args
    bits = ",".join(f"c{c}" for c in condition.clbits)
    cells = {}
    for q in qubits:
        words = [_inner(branch, q) for branch in (then, otherwise)]
        word = (
            f"[if {bits}={condition.value}: {words[0] or '-'}"
            + (f" else {words[1]}" if words[1] else "")
            + "]"
        )
        cells[q] = word if len(word) <= 2 * _LABEL_MAX else word[: 2 * _LABEL_MAX - 2] + "~]"
    return cells


def _inner(branch: tuple[Instruction, ...], qubit: int) -> str:
    return " ".join(op.name.upper() for op, qubits, _ in branch if qubit in qubits)


def _angle(value: Any) -> str:
    return str(value) if isinstance(value, ParameterExpression) else f"{value:.4g}"


def _block(columns: list[_Column], names: list[str], margin: int, style: _Style, *, last: bool) -> str:
    """One page: a line for each qubit, and a line of links between two neighbours where there is one."""
    lines = []
    for q, name in enumerate(names):
        wire = f"{name}: ".rjust(margin)
        below = " " * margin
        for column in columns:
            cell = column.cells.get(q)
            if cell is None:
                crossed = any(low < q < high for low, high in column.spans)
                cell = style.cross if crossed else style.wire
            wire += style.wire + _centred(cell, column.width, style.wire)
            linked = any(low <= q < high for low, high in column.spans)
            below += " " + _centred(style.link if linked else " ", column.width, " ")
        lines.append(wire + (style.wire if last else " »" if style is _UNICODE else " >"))
        if q + 1 < len(names):
            lines.append(below.rstrip())
    return "\n".join(lines)


def _centred(text: str, width: int, fill: str) -> str:
    left = (width - len(text)) // 2
    return fill * left + text + fill * (width - len(text) - left)
