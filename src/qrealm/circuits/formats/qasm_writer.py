"""OpenQASM 3 and 2, out. Qubits are one register q; classical registers keep their names."""

from __future__ import annotations

import re
from typing import Any

from qrealm.base.errors import WriteError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.qasm_words import BASE, QELIB, STDGATES, definition2, definition3
from qrealm.circuits.formats.two_level import decompose
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.operations import (
    BARRIER,
    DELAY,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    RESET,
    Condition,
    Instruction,
)
from qrealm.circuits.parameters import Parameter, ParameterExpression
from qrealm.circuits.segments import preparation

Branches = tuple[Condition, tuple[Instruction, ...], tuple[Instruction, ...]]
"""The arguments of an IF: the condition, the body, the other branch."""

_LEGAL = re.compile(r"[A-Za-z_]\w*")
_RESERVED = frozenset(
    "q U pi tau euler gphase ctrl negctrl inv pow input output const bit qubit int uint float angle bool "
    "complex gate def if else for while in return let box barrier reset measure include OPENQASM qreg "
    "creg opaque extern duration stretch delay end break continue switch case default true false sin cos "
    "tan exp ln log sqrt".split()
) | set(GATES)


def write_qasm3(circuit: Circuit) -> str:
    """See `Circuit.to_qasm3`."""
    return _Writer3(circuit).text()


def write_qasm2(circuit: Circuit) -> str:
    """See `Circuit.to_qasm2`."""
    return _Writer2(circuit).text()


def _bit_names(circuit: Circuit) -> tuple[list[tuple[str, int]], list[str]]:
    """Registers to declare (name, size), and what each classical bit is called."""
    taken: set[str] = set()
    rows = []
    spans = [(register.start, _legal(register.name, taken), register.size) for register in circuit.registers]
    place = 0
    for start, name, size in [*spans, (circuit.num_clbits, "", 0)]:
        if start > place:  # bits of no register, before all registers or after
            rows.append((_legal("c", taken), start - place))
        rows += [(name, size)] if name else []
        place = start + size
    return rows, [f"{name}[{i}]" for name, size in rows for i in range(size)]


def _legal(name: str, taken: set[str]) -> str:
    """The name, changed where OpenQASM does not allow it or it is taken."""
    base = re.sub(r"\W", "_", name, flags=re.ASCII)
    base = base if _LEGAL.fullmatch(base) and base not in _RESERVED else f"r_{base}"
    result, number = base, 1
    while result in taken:
        number += 1
        result = f"{base}_{number}"
    taken.add(result)
    return result


class _Writer3:
    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.registers, self.bits = _bit_names(circuit)
        taken = {name for name, _ in self.registers}
        self.names = {p.name: Parameter(_legal(p.name, taken)) for p in circuit.parameters}
        self.definitions: dict[str, str] = {}
        self.lines: list[str] = []

    def text(self) -> str:
        circuit = self.circuit
        for instruction in circuit:
            self.add(instruction, "")
        head = ["OPENQASM 3.0;", 'include "stdgates.inc";', *self.definitions.values()]
        head += [f"input float[64] {p.name};" for p in self.names.values()]
        head += [f"qubit[{circuit.num_qubits}] q;"] if circuit.num_qubits else []
        head += [f"bit[{size}] {name};" for name, size in self.registers if size]
        if isinstance(circuit.global_phase, ParameterExpression) or circuit.global_phase != 0.0:
            head.append(f"gphase({self.angle(circuit.global_phase)});")
        return "\n".join([*head, *self.lines]) + "\n"

    def angle(self, value: Any) -> str:
        return (
            str(value.substitute(self.names))
            if isinstance(value, ParameterExpression)
            else repr(float(value))
        )

    def add(self, instruction: Instruction, indent: str) -> None:
        op, qubits, args = instruction
        listed = ", ".join(f"q[{q}]" for q in qubits)
        if op in DELAYS:
            self.lines.append(f"{indent}{self.delay(op is DELAY, args[0])} {listed};")
        elif op is UNITARY:
            self.matrix(args[0].array, qubits, args[0].num_qubits, indent)
        elif (
            isinstance(op, Gate)
            and op.name == "rv"
            and not any(isinstance(a, ParameterExpression) for a in args)
        ):
            self.matrix(op.matrix(*args), qubits, 1, indent)
        elif isinstance(op, Gate):
            self.lines.append(f"{indent}{self.call(op, len(qubits), args)} {listed}".rstrip() + ";")
        elif op is MEASURE:
            self.lines.append(f"{indent}{self.bits[args[0]]} = measure {listed};")
        elif op is RESET or op is BARRIER:
            self.lines.append(f"{indent}{op.name} {listed};")
        elif op is IF:
            self.branch((args[0], args[1], args[2]), indent)
        elif op is INITIALIZE:
            self.lines.extend(f"{indent}reset q[{q}];" for q in qubits)
            state = args[0]
            if state.amplitudes is None:
                ones = [q for q, bit in zip(qubits, reversed(state.bits), strict=True) if bit == "1"]
                self.lines.extend(f"{indent}x q[{q}];" for q in ones)
            elif len(qubits) <= MATRIX_QUBITS_MAX:
                self.matrix(preparation(state.amplitudes).array, qubits, len(qubits), indent)
            else:
                raise WriteError(
                    f"OpenQASM has no words for a state of {len(qubits)} qubits",
                    hint=f"at most {MATRIX_QUBITS_MAX} qubits can be written as gates",
                )
        else:
            raise WriteError(
                f"OpenQASM has no words for the noise of {op.name!r}", hint="write the circuit without it"
            )

    def delay(self, in_ns: bool, duration: Any) -> str:
        if isinstance(duration, ParameterExpression):
            raise WriteError(
                f"OpenQASM 3 has delays of given times, and the circuit one of {duration}",
                hint="bind it first",
            )
        time = float(duration)
        number = str(int(time)) if time.is_integer() and time < 1e15 else repr(time)
        return f"delay[{number}{'ns' if in_ns else 'dt'}]"

    def matrix(self, array: Any, qubits: tuple[int, ...], size: int, indent: str) -> None:
        outer, targets = qubits[: len(qubits) - size], qubits[len(qubits) - size :]
        for op, wires, params in decompose(array, targets):
            self.add((op, outer + wires, params), indent)

    def call(self, op: Gate, count: int, args: tuple[Any, ...]) -> str:
        word, extra = op.name, count - op.num_qubits
        if op.name == "rv":  # its lowering needs numbers
            raise WriteError("OpenQASM has no words for rv with open parameters", hint="bind them first")
        if op.name not in STDGATES and op is not GPHASE:
            simple = next(
                (g for g in GATES.values() if op.controls and not g.controls and g.matrix is op.matrix), None
            )
            if simple is not None:  # a controlled row is its base under controls
                word, extra = simple.name, count - simple.num_qubits
            word = BASE.get(word, word)
            row = GATES[word.removeprefix("inv @ ")] if word != "U" else None
            if row is not None and row.name not in STDGATES:
                self.definitions.update(definition3(row))
        controls = f"ctrl({extra}) @ " if extra > 1 else "ctrl @ " if extra else ""
        angles = f"({', '.join(self.angle(a) for a in args)})" if args else ""
        return f"{controls}{word}{angles}"

    def branch(self, args: Branches, indent: str) -> None:
        condition, then, otherwise = args
        test = self.test(condition)
        if test is None:  # bits that are no register: one after the other
            first, rest = condition.clbits[0], Condition(condition.clbits[1:], condition.value >> 1)
            inner: Instruction = (IF, (), (rest, then, otherwise))
            self.branch((Condition((first,), condition.value & 1), (inner,), otherwise), indent)
            return
        self.lines.append(f"{indent}if ({test}) {{")
        for instruction in then:
            self.add(instruction, indent + "  ")
        if otherwise:
            self.lines.append(f"{indent}}} else {{")
            for instruction in otherwise:
                self.add(instruction, indent + "  ")
        self.lines.append(f"{indent}}}")

    def test(self, condition: Condition) -> str | None:
        if len(condition.clbits) == 1:
            return f"{self.bits[condition.clbits[0]]} == {condition.value}"
        return self.whole(condition)

    def whole(self, condition: Condition) -> str | None:
        """The condition as a comparison of a register; None where it is none."""
        start = 0
        for name, size in self.registers:
            if condition.clbits == tuple(range(start, start + size)):
                return f"{name} == {condition.value}"
            start += size
        return None


class _Writer2(_Writer3):
    def text(self) -> str:
        circuit = self.circuit
        if circuit.parameters:
            raise WriteError("OpenQASM 2 has no open parameters", hint="bind them, or use to_qasm3()")
        for instruction in circuit:
            self.add(instruction, "")
        head = ["OPENQASM 2.0;", 'include "qelib1.inc";', *self.definitions.values()]
        head += [f"qreg q[{circuit.num_qubits}];"] if circuit.num_qubits else []
        head += [f"creg {name}[{size}];" for name, size in self.registers if size]
        return "\n".join([*head, *self.lines]) + "\n"  # a global phase has no words, and no effect

    def add(self, instruction: Instruction, indent: str) -> None:
        op, qubits, args = instruction
        if op in DELAYS:
            raise WriteError("OpenQASM 2 has no delays", hint="use to_qasm3(), or leave them out")
        if op is MEASURE:
            self.lines.append(f"{indent}measure q[{qubits[0]}] -> {self.bits[args[0]]};")
        elif op is GPHASE and not qubits:
            return
        else:
            super().add(instruction, indent)

    def call(self, op: Gate, count: int, args: tuple[Any, ...]) -> str:
        name, extra = op.name, count - op.num_qubits
        if extra or name in ("mcx", "mcy", "mcz", "mcp", "mcrx", "mcry", "mcrz", "gphase"):
            name = self.with_controls(op, count - op.targets)
        word = QELIB.get(name, "")
        if not word:
            definition = definition2(name)
            if not definition:
                raise WriteError(
                    f"OpenQASM 2 has no words for {op.name} on {count} qubits", hint="use to_qasm3()"
                )
            self.definitions[name] = definition
            word = name
        return f"{word}({', '.join(self.angle(a) for a in args)})" if args else word

    def with_controls(self, op: Gate, controls: int) -> str:
        """The row with these controls built in."""
        if op is GPHASE:
            return {1: "p", 2: "cp"}.get(controls, "none")
        for row in GATES.values():
            if row.controls == controls and row.matrix is op.matrix and not row.variadic:
                return row.name
        return "none"

    def branch(self, args: Branches, indent: str) -> None:
        condition, then, otherwise = args
        test = self.whole(condition)
        if test is None or otherwise or indent:
            raise WriteError(
                "OpenQASM 2 compares whole registers, without else and without nesting", hint="use to_qasm3()"
            )
        if len(then) > 1 and any(op is MEASURE for op, _, _ in then):
            raise WriteError(
                "OpenQASM 2 tests anew before every statement, and a branch measures", hint="use to_qasm3()"
            )
        start = len(self.lines)
        for instruction in then:
            self.add(instruction, "")
        self.lines[start:] = [f"if({test}) {line}" for line in self.lines[start:]]
