"""New circuits from old ones, and what can be counted in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import GateShapeError, NotUnitaryError, ParameterError, QubitError
from qrealm.circuits.building import check_clbit, check_qubits
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate, Matrix, Params
from qrealm.circuits.operations import (
    BARRIER,
    IF,
    INITIALIZE,
    MEASURE,
    READOUT,
    Condition,
    Instruction,
    State,
    clbits_of,
)
from qrealm.circuits.parameters import ParameterExpression, real

if TYPE_CHECKING:
    from qrealm.circuits.circuit import Circuit


def count(instructions: Iterable[Instruction]) -> dict[str, int]:
    """Names and how often they occur, most frequent first."""
    return dict(Counter(op.name for op, _, _ in instructions).most_common())


def depth(instructions: Iterable[Instruction]) -> int:
    """Longest chain of instructions through shared qubits or bits; barriers order, and add nothing."""
    level: dict[int, int] = {}
    for op, qubits, args in instructions:
        lines: tuple[int, ...] = qubits
        if not isinstance(op, Gate):
            lines = (*qubits, *(~clbit for clbit in clbits_of(op, args)))  # bits count downwards from -1
        end = 0 if op is BARRIER else 1
        if lines:
            end += max([level.get(line, 0) for line in lines])
        for line in lines:
            level[line] = end
    return max(level.values(), default=0)


def feed(update: Callable[[bytes], object], instructions: Iterable[Instruction]) -> None:
    """Gives a canonical form of the instructions to a hash."""
    for op, qubits, args in instructions:
        update(f"{op.name}{qubits}".encode())
        for arg in args:
            if isinstance(arg, Matrix):
                update(arg.array.tobytes())
            elif hasattr(arg, "digest_bytes"):  # noise
                update(arg.digest_bytes())
            elif isinstance(arg, State):
                update(arg.bits.encode() if arg.bits is not None else arg.amplitudes.tobytes())  # type: ignore[union-attr]
            elif isinstance(arg, tuple):
                update(b"{")
                feed(update, arg)
                update(b"}")
            elif isinstance(arg, Condition):
                update(f"{arg.clbits}=={arg.value}".encode())
            else:
                update(f",{arg}".encode())
        update(b"\n")


def inverted(gate: Gate, qubits: tuple[int, ...], params: Params) -> Instruction:
    """The instruction that undoes a gate."""
    if gate is UNITARY:
        return (gate, qubits, (params[0].dagger(),))
    if gate.inverse is None:
        matrix = Matrix(gate.matrix(*(float(p) for p in params)).conj().T)
        return (UNITARY, qubits, (matrix,))
    if gate.inverse_order is not None:
        split = len(qubits) - gate.targets
        qubits = qubits[:split] + tuple(qubits[split + i] for i in gate.inverse_order)
    values = gate.inverse_params(*params) if gate.inverse_params is not None else params
    return (GATES[gate.inverse], qubits, values)


def inverse(circuit: Circuit) -> Circuit:
    """See `Circuit.inverse`."""
    twin = _blank(circuit, circuit.num_qubits)
    for op, qubits, args in reversed(_gates(circuit, "inverse")):
        twin._ops.append(inverted(op, qubits, args) if isinstance(op, Gate) else (op, qubits, args))
    twin._special, twin._parameters = circuit._special, dict(circuit._parameters)
    twin.global_phase = -circuit.global_phase
    return twin


def control(circuit: Circuit, controls: int) -> Circuit:
    """See `Circuit.control`."""
    if not isinstance(controls, int) or controls < 0:
        raise GateShapeError(f"control got {controls!r:.60} controls; the rule is an integer from 0")
    twin = _blank(circuit, circuit.num_qubits + controls)
    added = tuple(range(controls))
    for op, qubits, args in _gates(circuit, "control"):
        shifted = tuple(q + controls for q in qubits)
        twin._ops.append((op, added + shifted if isinstance(op, Gate) else shifted, args))
    twin._special, twin._parameters = circuit._special, dict(circuit._parameters)
    phase = circuit.global_phase
    if controls == 0:
        twin.global_phase = phase
    elif isinstance(phase, ParameterExpression) or phase != 0.0:
        twin._ops.append((GPHASE, added, (phase,)))
    return twin


def power(circuit: Circuit, exponent: int) -> Circuit:
    """See `Circuit.power`."""
    if not isinstance(exponent, int) or abs(exponent) * max(1, len(circuit)) > 10_000_000:
        raise GateShapeError(
            f"power got {exponent!r:.60}; the rule is an integer, with at most 10,000,000 instructions "
            "in the result"
        )
    base = circuit if exponent >= 0 else inverse(circuit)
    twin = _blank(circuit, circuit.num_qubits)
    twin._ops = list(_gates(base, "power")) * abs(exponent)
    twin._special, twin._parameters = base._special * abs(exponent), dict(base._parameters)
    twin.global_phase = base.global_phase * abs(exponent)
    return twin


def bind(circuit: Circuit, values: Mapping[Any, Any]) -> Circuit:
    """See `Circuit.bind`."""
    named = {
        getattr(key, "name", key): value if isinstance(value, ParameterExpression) else real(value)
        for key, value in values.items()
    }
    wrong = [name for name in named if name not in circuit._parameters]
    if wrong:
        raise ParameterError(
            f"bind got {wrong}; the circuit's parameters are {list(circuit._parameters)}",
            hint="give parameters by their names",
        )
    twin = circuit.copy()
    twin._cache.clear()
    twin._parameters.clear()
    twin._ops = [_bound(twin, instruction, named) for instruction in circuit._ops]
    phase = circuit.global_phase
    twin.global_phase = phase.substitute(named) if isinstance(phase, ParameterExpression) else phase
    return twin


def _bound(twin: Circuit, instruction: Instruction, named: Mapping[str, Any]) -> Instruction:
    op, qubits, args = instruction
    if op is IF:
        then, otherwise = (tuple(_bound(twin, i, named) for i in branch) for branch in args[1:])
        return (op, qubits, (args[0], then, otherwise))
    if not any(isinstance(arg, ParameterExpression) for arg in args):
        return instruction
    try:
        return (
            op,
            qubits,
            tuple(
                twin._parameter(a.substitute(named)) if isinstance(a, ParameterExpression) else a
                for a in args
            ),
        )
    except ParameterError as problem:
        raise ParameterError(
            f"bind: {op.name} on {list(qubits)}: {problem.message}", hint=problem.hint
        ) from None


def moved(
    circuit: Circuit, other: Circuit, qubits: Sequence[int] | None, clbits: Sequence[int] | None
) -> list[Instruction]:
    """The instructions of `other` on the qubits and bits of `circuit`."""
    wires = check_qubits(circuit, tuple(range(other.num_qubits) if qubits is None else qubits), "compose")
    if len(wires) != other.num_qubits:
        raise QubitError(
            f"compose got {len(wires)} qubits for a circuit of {other.num_qubits}; "
            "the rule is as many as it has"
        )
    places = tuple(range(other.num_clbits) if clbits is None else clbits)
    if len(places) != other.num_clbits or len(set(places)) != len(places):
        raise QubitError(
            f"compose got the classical bits {list(places)} for a circuit with {other.num_clbits}; "
            "the rule is as many as it has, none twice"
        )
    bits = tuple(check_clbit(circuit, place, "compose") for place in places)
    return [_moved(instruction, wires, bits) for instruction in other._ops]


def _moved(instruction: Instruction, wires: tuple[int, ...], bits: tuple[int, ...]) -> Instruction:
    op, qubits, args = instruction
    if op is MEASURE:
        args = (bits[args[0]],)
    elif op is READOUT:
        args = (args[0], *(bits[bit] for bit in args[1:]))
    elif op is IF:
        condition = Condition(tuple(bits[c] for c in args[0].clbits), args[0].value)
        then, otherwise = (tuple(_moved(i, wires, bits) for i in branch) for branch in args[1:])
        args = (condition, then, otherwise)
        return (op, tuple(sorted(wires[q] for q in qubits)), args)
    return (op, tuple(wires[q] for q in qubits), args)


def body(circuit: Circuit, branch: Circuit) -> tuple[Instruction, ...]:
    """The instructions of a branch, checked against the circuit that it goes into."""
    wires = tuple(range(branch.num_qubits))
    found = list(moved(circuit, branch, wires, None))
    circuit._parameters.update(branch._parameters)
    if isinstance(branch.global_phase, ParameterExpression) or branch.global_phase != 0.0:
        found.append((GPHASE, (), (branch.global_phase,)))
    return tuple(found)


def _gates(circuit: Circuit, method: str) -> list[Instruction]:
    for op, qubits, _ in circuit._ops:
        if not isinstance(op, Gate) and op is not BARRIER:
            hint = (
                "give the state's preparation as gates"
                if op is INITIALIZE
                else "leave measurements for the end"
            )
            raise NotUnitaryError(
                f"{method}() needs a circuit of gates; it has {op.name} on qubits {list(qubits)}", hint=hint
            )
    return circuit._ops


def rebuilt(circuit: Circuit, instructions: Iterable[Instruction]) -> Circuit:
    """A circuit of the same qubits, bits and registers with other instructions, which are not checked."""
    twin = circuit.copy()
    twin._cache.clear()
    twin._ops = list(instructions)
    twin._special = sum(not isinstance(op, Gate) for op, _, _ in twin._ops)
    return twin


def _blank(circuit: Circuit, num_qubits: int) -> Circuit:
    return type(circuit)(num_qubits, None if circuit._grows else circuit._num_clbits, name=circuit.name)
