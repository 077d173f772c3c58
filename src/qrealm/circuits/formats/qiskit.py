"""Qiskit's QuantumCircuit, in and out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from qrealm.base.errors import CircuitError, MissingExtraError, UnsupportedError, WriteError
from qrealm.circuits.building import capture
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.formats.frameworks import comes_from
from qrealm.circuits.gate_rows import GPHASE, UNITARY
from qrealm.circuits.gates import Gate, find_gate
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.operations import (
    BARRIER,
    DELAY,
    DELAY_DT,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    NANOSECONDS,
    RESET,
    Condition,
    Instruction,
)
from qrealm.circuits.parameters import Parameter, ParameterExpression

_STANDARD = "qiskit.circuit.library.standard_gates"
_OTHER_MEANING = frozenset({"ms", "zz", "unitary", "v"})
_LOOP_TURNS_MAX = 100_000
_DEPTH_MAX = 100


def is_qiskit(source: Any) -> bool:
    """Whether it is a qiskit QuantumCircuit."""
    return comes_from(source, "qiskit") and hasattr(source, "qregs") and hasattr(source, "clbits")


def read(source: Any) -> Circuit:
    """Reads a QuantumCircuit: registers, parameters, controlled gates, matrices, initialize, if, switch, for.

    Raises:
        UnsupportedError: an instruction that has neither a definition nor a matrix, or a while loop.
        CircuitError: a parameter that is not finite, or the like.
    """
    circuit = Circuit(source.num_qubits, source.num_clbits if source.clbits else None, name=source.name or "")
    _registers(circuit, source)
    circuit.global_phase = _param(source.global_phase)
    _Reader(circuit, {bit: i for i, bit in enumerate(source.clbits)}).body(
        source, tuple(range(source.num_qubits)), tuple(range(source.num_clbits)), (), 0
    )
    circuit._cache.clear()
    return circuit


def _registers(circuit: Circuit, source: Any) -> None:
    places = {bit: i for i, bit in enumerate(source.clbits)}
    rows = [(register.name, [places[bit] for bit in register]) for register in source.cregs]
    flat = [place for _, bits in rows for place in bits]
    if flat and flat == list(
        range(len(source.clbits))
    ):  # registers that share bits or leave gaps stay unnamed
        circuit._num_clbits = 0
        for name, bits in rows:
            circuit.add_register(name, len(bits))


class _Reader:
    def __init__(self, circuit: Circuit, bits: dict[Any, int]) -> None:
        self.circuit = circuit
        self.bits = bits

    def body(
        self,
        source: Any,
        wires: tuple[int, ...],
        clbits: tuple[int, ...],
        controls: tuple[int, ...],
        depth: int,
    ) -> None:
        """Adds the instructions of a circuit whose qubit i is ``wires[i]``."""
        if depth > _DEPTH_MAX:
            raise UnsupportedError(f"definitions are nested more than {_DEPTH_MAX} deep", source="Qiskit")
        qubits = dict(zip(source.qubits, wires, strict=True))
        inner = dict(zip(source.clbits, clbits, strict=True))
        for item in source.data:
            self.add(
                item.operation,
                tuple(qubits[q] for q in item.qubits),
                tuple(inner[c] for c in item.clbits),
                controls,
                depth,
            )

    def add(
        self, op: Any, wires: tuple[int, ...], clbits: tuple[int, ...], controls: tuple[int, ...], depth: int
    ) -> None:
        circuit, name = self.circuit, op.name
        if name == "measure":
            circuit.measure(wires, clbits)
        elif name == "reset":
            circuit.reset(wires)
        elif name == "barrier":
            circuit.barrier(*wires)
        elif name == "initialize":
            circuit.initialize(_state(op.params, len(wires)), wires)
        elif name in ("if_else", "switch_case", "for_loop"):
            getattr(self, name)(op, wires, clbits, depth)
        elif name in ("while_loop", "break_loop", "continue_loop", "store", "box"):
            raise UnsupportedError(
                f"Qiskit's {name} cannot be executed here",
                source="Qiskit",
                rule="gates, measure, reset, initialize, if, switch and for",
            )
        elif name == "delay":
            self.delay(op, wires)
        else:
            self.gate(op, wires, controls, depth)

    def delay(self, op: Any, wires: tuple[int, ...]) -> None:
        unit = op.unit
        if unit != "dt" and unit not in NANOSECONDS:
            raise UnsupportedError(
                f"a delay of {op.duration!s:.60} cannot be executed here",
                source="Qiskit",
                rule="a delay is a number or a parameter of s, ms, us, ns, ps or dt",
            )
        time = _param(op.duration)
        for qubit in wires:
            if unit == "dt":
                self.circuit.append(DELAY_DT, (qubit,), (time,))
            else:
                self.circuit.append(DELAY, (qubit,), (time * NANOSECONDS[unit],))

    def gate(self, op: Any, wires: tuple[int, ...], controls: tuple[int, ...], depth: int) -> None:
        row = _row(op)
        if row is not None and not (row is GPHASE and controls):
            params = [_param(value) for value in op.params]
            self.circuit.append(row, wires, params, controls=controls)
        elif row is GPHASE:
            self.circuit.append(row, (), [_param(op.params[0])], controls=controls)
        elif (
            op.name == "u" and len(op.params) == 4 and controls
        ):  # what Qiskit makes of a CU under more controls
            self.circuit.append(
                "cu", (controls[-1], *wires), [_param(v) for v in op.params], controls=controls[:-1]
            )
        elif op.name == "unitary" and len(wires) <= MATRIX_QUBITS_MAX:
            self.circuit.unitary(np.asarray(op.params[0]), wires, controls=controls)
        elif hasattr(op, "base_gate"):
            self.controlled(op, wires, controls, depth)
        elif getattr(op, "definition", None) is not None:
            inner = op.definition
            phase = _param(inner.global_phase)
            if isinstance(phase, ParameterExpression) or phase != 0.0:
                self.circuit.append(GPHASE, (), (phase,), controls=controls)
            self.body(inner, wires, (0,) * inner.num_clbits, controls, depth + 1)
        elif hasattr(op, "to_matrix") and len(wires) <= MATRIX_QUBITS_MAX:
            self.circuit.unitary(np.asarray(op.to_matrix()), wires, controls=controls)
        else:
            raise UnsupportedError(
                f"Qiskit's {op.name} on {len(wires)} qubits has no definition and no small matrix",
                source="Qiskit",
                rule="an instruction is a known gate, or defined by gates",
            )

    def controlled(self, op: Any, wires: tuple[int, ...], controls: tuple[int, ...], depth: int) -> None:
        count = op.num_ctrl_qubits
        flips = [wires[i] for i in range(count) if not op.ctrl_state >> i & 1]
        for qubit in flips:
            self.circuit.x(qubit)
        self.gate(op.base_gate, wires[count:], controls + wires[:count], depth + 1)
        for qubit in flips:
            self.circuit.x(qubit)

    def if_else(self, op: Any, wires: tuple[int, ...], clbits: tuple[int, ...], depth: int) -> None:
        bits, value = self.condition(op.condition)
        branches = [
            capture(self.circuit, partial(self.body, block, wires, clbits, (), depth + 1))
            if block is not None
            else ()
            for block in op.params
        ]
        self.circuit._branch(Condition(bits, value), branches[0], branches[1] if len(branches) > 1 else ())

    def switch_case(self, op: Any, wires: tuple[int, ...], clbits: tuple[int, ...], depth: int) -> None:
        target = self.target(op.target)
        otherwise: tuple[Instruction, ...] = ()
        for labels, block in reversed(list(op.cases_specifier())):
            then = capture(self.circuit, partial(self.body, block, wires, clbits, (), depth + 1))
            for label in labels:
                if not isinstance(label, int):
                    otherwise = then
                else:
                    test = Condition(target, int(label))
                    otherwise = capture(self.circuit, partial(self.circuit._branch, test, then, otherwise))
        self.circuit._ops.extend(otherwise)
        self.circuit._special += sum(not isinstance(inner, Gate) for inner, _, _ in otherwise)

    def for_loop(self, op: Any, wires: tuple[int, ...], clbits: tuple[int, ...], depth: int) -> None:
        values, parameter, block = op.params
        if len(values) > _LOOP_TURNS_MAX:
            raise UnsupportedError(
                f"a loop of {len(values)} turns", source="Qiskit", rule=f"at most {_LOOP_TURNS_MAX}"
            )
        for value in values:
            turn = block if parameter is None else block.assign_parameters({parameter: value})
            self.body(turn, wires, clbits, (), depth + 1)

    def condition(self, condition: Any) -> tuple[tuple[int, ...], int]:
        if not isinstance(condition, tuple):
            raise UnsupportedError(
                "a condition that is an expression cannot be executed here",
                source="Qiskit",
                rule="a condition compares a bit or a register with a value",
            )
        return self.target(condition[0]), int(condition[1])

    def target(self, target: Any) -> tuple[int, ...]:
        try:
            return (self.bits[target],) if target in self.bits else tuple(self.bits[bit] for bit in target)
        except (TypeError, KeyError) as problem:
            raise UnsupportedError(
                "a condition on something that is not a bit or register of the circuit",
                source="Qiskit",
                rule="a condition compares a bit or a register",
            ) from problem


def _row(op: Any) -> Gate | None:
    """The row of the gate table, for gates of Qiskit's own standard library with all controls 1."""
    kind = getattr(op, "base_class", type(op))  # the shared object of a gate has a class without a module
    if not str(kind.__module__).startswith(_STANDARD) or op.name in _OTHER_MEANING:
        return None
    if hasattr(op, "ctrl_state") and op.ctrl_state != (1 << op.num_ctrl_qubits) - 1:
        return None
    try:
        row = find_gate(op.name)
    except CircuitError:
        return None  # named otherwise: its definition tells
    fits = op.num_qubits == row.num_qubits or (row.variadic and op.num_qubits > row.num_qubits)
    return row if fits and len(op.params) == row.num_params else None


def _param(value: Any) -> Any:
    """A number, or our expression for Qiskit's."""
    parameters = list(getattr(value, "parameters", ()))
    if not parameters:
        return float(value)
    text = str(value)
    if len(parameters) == 1 and text == parameters[0].name:  # no expression to be read
        return Parameter(text)
    names: dict[str, Parameter] = {}
    for index, parameter in enumerate(sorted(parameters, key=lambda p: -len(p.name))):
        stand_in = f"qrealm_{index}_"
        names[stand_in] = Parameter(parameter.name)
        text = re.sub(rf"(?<!\w){re.escape(parameter.name)}(?![\w\[])", stand_in, text)
    return evaluate(text, (), lookup=names.get)


def _state(params: Sequence[Any], count: int) -> Any:
    if params and isinstance(params[0], str):
        return "".join(reversed([str(letter) for letter in params]))
    if len(params) == 1 and 1 << count != 1:
        return format(int(np.real(params[0])), f"0{count}b")
    return np.asarray(params, dtype=np.complex128)


# ---- writing -----------------------------------------------------------------------------------------


def write(circuit: Circuit) -> Any:
    """A QuantumCircuit with the same registers, parameters and conditions.

    Raises:
        MissingExtraError: Qiskit is not installed.
        WriteError: an open parameter in a gate that Qiskit has no name for.
    """
    try:
        from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
        from qiskit.circuit import Parameter as QiskitParameter
    except ImportError as problem:
        raise MissingExtraError("to_qiskit()", package="qiskit", extra="qiskit") from problem
    rows = [ClassicalRegister(r.size, r.name) for r in circuit.registers]
    named = sum(r.size for r in circuit.registers)
    if circuit.num_clbits > named:
        rows.append(ClassicalRegister(circuit.num_clbits - named, "c" if not rows else "c_rest"))
    result = (
        QuantumCircuit(QuantumRegister(circuit.num_qubits, "q"), *rows, name=circuit.name or None)
        if circuit.num_qubits
        else QuantumCircuit(*rows)
    )
    writer = _Writer({p.name: QiskitParameter(p.name) for p in circuit.parameters})
    result.global_phase = writer.param(circuit.global_phase)
    for instruction in circuit:
        writer.add(result, instruction)
    return result


class _Writer:
    def __init__(self, parameters: dict[str, Any]) -> None:
        from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping

        self.parameters = parameters
        self.classes = {
            name: type(gate) if not hasattr(gate, "base_class") else gate.base_class
            for name, gate in get_standard_gate_name_mapping().items()
        }

    def param(self, value: Any) -> Any:
        return value.evaluate(self.parameters) if isinstance(value, ParameterExpression) else value

    def add(self, result: Any, instruction: Instruction) -> None:
        op, qubits, args = instruction
        if isinstance(op, Gate) and op.name == "cu" and len(qubits) > 2:
            # Qiskit cannot control a CU further: a phase on the controls and a CU3 say the same.
            self.add(result, (GPHASE, qubits[:-1], args[3:]))
            self.add(result, (find_gate("cu3"), qubits, args[:3]))
        elif op in DELAYS:
            self.delay(result, op is DELAY, qubits, args[0])
        elif isinstance(op, Gate):
            result.append(self.gate(op, len(qubits), args), list(qubits))
        elif op is MEASURE:
            result.measure(qubits[0], args[0])
        elif op is RESET:
            result.reset(qubits[0])
        elif op is BARRIER:
            result.barrier(*qubits)
        elif op is INITIALIZE:
            state = args[0]
            result.initialize(state.bits if state.amplitudes is None else state.amplitudes, list(qubits))
        elif op is IF:
            self.branch(result, *args)
        else:
            raise WriteError(
                f"a Qiskit circuit has no place for the noise of {op.name!r}", hint="write it without"
            )

    def delay(self, result: Any, in_ns: bool, qubits: tuple[int, ...], duration: Any) -> None:
        time = self.param(duration)
        if not in_ns and isinstance(time, float):
            if not time.is_integer():
                raise WriteError(f"Qiskit has whole numbers of dt only, and the circuit a delay of {time} dt")
            time = int(time)
        result.delay(time, list(qubits), unit="ns" if in_ns else "dt")

    def branch(
        self,
        result: Any,
        condition: Condition,
        then: tuple[Instruction, ...],
        otherwise: tuple[Instruction, ...],
    ) -> None:
        blocks = []
        for body in (then, otherwise):
            block = result.copy_empty_like()
            block.global_phase = 0
            for instruction in body:
                self.add(block, instruction)
            blocks.append(block)
        test = self.test(result, condition)
        if otherwise:
            result.if_else(test, blocks[0], blocks[1], result.qubits, result.clbits)
        else:
            result.if_test(test, blocks[0], result.qubits, result.clbits)

    def test(self, result: Any, condition: Condition) -> Any:
        bits = [result.clbits[c] for c in condition.clbits]
        if len(bits) == 1:
            return (bits[0], bool(condition.value))
        for register in result.cregs:
            if list(register) == bits:
                return (register, condition.value)
        raise WriteError(
            "a condition on bits that are no register", hint="put them into one with add_register"
        )

    def gate(self, op: Gate, count: int, args: tuple[Any, ...]) -> Any:
        from qiskit.circuit.library import GlobalPhaseGate, UnitaryGate

        if op is UNITARY:
            size, made = args[0].num_qubits, UnitaryGate(np.array(args[0].array))
        elif op is GPHASE and count == 0:
            return GlobalPhaseGate(self.param(args[0]))
        elif op is GPHASE:
            size, made = 1, self.classes["p"](self.param(args[0]))  # phase on controls is a controlled phase
        elif op.name in self.classes:
            size, made = op.num_qubits, self.classes[op.name](*(self.param(a) for a in args))
        elif op.variadic:
            base = op.name.removeprefix("mc")
            size, made = 1, self.classes[base](*(self.param(a) for a in args))
        elif op.name in ("c3x", "c4x"):
            size, made = 1, self.classes["x"]()
        elif any(isinstance(a, ParameterExpression) for a in args):
            raise WriteError(
                f"Qiskit has no gate {op.name}, and its parameters are open", hint="bind them first"
            )
        else:
            size, made = op.targets, UnitaryGate(op.matrix(*args), label=op.name)
        return made.control(count - size, annotated=False) if count > size else made


__all__ = ["is_qiskit", "read", "write"]
