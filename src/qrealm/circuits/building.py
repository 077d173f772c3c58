"""Checks made when something is added to a circuit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import GateShapeError, ParameterError, QubitError
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate, Matrix, find_gate
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.operations import CHANNEL, READOUT, Condition, Instruction

if TYPE_CHECKING:
    from qrealm.circuits.circuit import Circuit


def append_checked(
    circuit: Circuit,
    name: str | Gate | Channel | ReadoutError,
    qubits: Sequence[int],
    params: Sequence[Any],
    controls: Sequence[int],
    control_state: int | str | None,
) -> None:
    """What `Circuit.append` does."""
    if isinstance(name, Channel | ReadoutError):
        append_noise(circuit, name, qubits)
        return
    gate = name if isinstance(name, Gate) else find_gate(name)
    try:
        wires = check_qubits(circuit, (*controls, *qubits), gate.name)
    except TypeError:
        raise QubitError(
            f"{gate.name} got {qubits!r:.60} as qubits; the rule is a list of integers"
        ) from None
    values = check_params(circuit, gate, params)
    extra = len(wires) - len(qubits)
    check_shape(gate, values, len(wires) - extra)
    if gate is GPHASE and not wires:
        circuit.gphase(values[0])
        return
    flips = _flips(wires[:extra], control_state)
    for qubit in flips:
        circuit._ops.append((GATES["x"], (qubit,), ()))
    circuit._ops.append((gate, wires, values))
    for qubit in flips:
        circuit._ops.append((GATES["x"], (qubit,), ()))
    circuit._cache.clear()


def append_noise(circuit: Circuit, noise: Channel | ReadoutError, lines: Sequence[int]) -> None:
    """A channel on qubits, or a readout error on classical bits. Raises GateShapeError or QubitError."""
    if isinstance(noise, Channel):
        wires = check_qubits(circuit, tuple(lines), noise.name)
        if len(wires) != noise.num_qubits:
            raise GateShapeError(
                f"{noise.name} got {counted(len(wires), 'qubit')}; the rule is exactly {noise.num_qubits}"
            )
        circuit._special_op((CHANNEL, wires, (noise,)))
        return
    bits = tuple(check_clbit(circuit, bit, noise.name) for bit in lines)
    if len(set(bits)) != noise.num_bits:
        raise GateShapeError(
            f"{noise.name} got the classical bits {list(bits)}; the rule is exactly {noise.num_bits}, "
            "none twice"
        )
    circuit._special_op((READOUT, (), (noise, *bits)))


def check_shape(gate: Gate, params: tuple[Any, ...], count: int) -> None:
    """Raises GateShapeError unless `gate` can stand on `count` qubits."""
    need = params[0].num_qubits if gate is UNITARY else gate.controls + gate.targets
    if count == need or (gate.variadic and count > need):
        return
    rule = f"at least {need}" if gate.variadic else f"exactly {need}"
    raise GateShapeError(
        f"{gate.name} got {counted(count, 'qubit')}; the rule is {rule}",
        hint=f"{gate.name}: {gate.help}"
        if gate is not UNITARY
        else "a matrix of shape (2^k, 2^k) acts on k qubits",
    )


def counted(number: int, what: str) -> str:
    """``1 qubit``, ``2 qubits``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def check_params(circuit: Circuit, gate: Gate, params: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters as floats, expressions or a `Matrix`; raises GateShapeError or ParameterError."""
    try:
        values = tuple(params)
    except TypeError:
        raise ParameterError(
            f"{gate.name} got {params!r:.60} as parameters; the rule is a list of numbers"
        ) from None
    if len(values) != len(gate.params):
        names = f" ({', '.join(gate.params)})" if gate.params else ""
        raise GateShapeError(
            f"{gate.name} got {counted(len(values), 'parameter')}; the rule is {len(gate.params)}{names}"
        )
    if gate is UNITARY:
        return (values[0] if isinstance(values[0], Matrix) else Matrix(values[0]),)
    checked = []
    for label, value in zip(gate.params, values, strict=True):
        try:
            checked.append(circuit._parameter(value))
        except ParameterError as problem:
            raise ParameterError(f"{gate.name}({label}): {problem.message}", hint=problem.hint) from None
    return tuple(checked)


def check_qubits(circuit: Circuit, qubits: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """The qubits as integers; raises QubitError when one is out of range, named twice or not an integer."""
    count = circuit.num_qubits
    wires: list[int] = []
    for qubit in qubits:
        try:
            number = operator.index(qubit)
        except TypeError:
            raise QubitError(f"{what} got the qubit {qubit!r:.60}; the rule is an integer") from None
        if not 0 <= number < count:
            raise QubitError(
                f"{what} got qubit {number}; the rule is 0 to {count - 1} in a circuit of "
                f"{counted(count, 'qubit')}",
                hint="qubits are counted from 0",
            )
        wires.append(number)
    if len(set(wires)) != len(wires):
        raise QubitError(f"{what} got the qubits {wires}; the rule is that none is named twice")
    return tuple(wires)


def check_clbit(circuit: Circuit, clbit: Any, what: str) -> int:
    """The classical bit as an integer; a circuit that may grows to hold it. Raises QubitError."""
    from qrealm.circuits.circuit import CLBITS_MAX

    try:
        number = operator.index(clbit)
    except TypeError:
        raise QubitError(f"{what} got the classical bit {clbit!r:.60}; the rule is an integer") from None
    limit = CLBITS_MAX if circuit._grows else circuit._num_clbits
    if not 0 <= number < limit:
        raise QubitError(
            f"{what} got classical bit {number}; the rule is 0 to {limit - 1}",
            hint="give the circuit enough classical bits: Circuit(num_qubits, num_clbits)",
        )
    if number >= circuit._num_clbits:
        circuit._num_clbits = number + 1
    return number


def capture(circuit: Circuit, fill: Callable[[], None]) -> tuple[Instruction, ...]:
    """The instructions that `fill` adds, taken out of the circuit again: the body of a condition."""
    kept, special = circuit._ops, circuit._special
    circuit._ops = []
    try:
        fill()
        return tuple(circuit._ops)
    finally:
        circuit._ops, circuit._special = kept, special


def _flips(controls: tuple[int, ...], state: int | str | None) -> list[int]:
    if state is None:
        return []
    count = len(controls)
    if isinstance(state, str):
        if len(state) != count or set(state) - {"0", "1"}:
            raise GateShapeError(f"control_state got {state!r:.60}; the rule is {count} characters 0 or 1")
        state = int(state, 2) if state else 0
    if not isinstance(state, int) or not 0 <= state < 1 << count:
        raise GateShapeError(f"control_state got {state!r:.60}; the rule is 0 to {(1 << count) - 1}")
    return [qubit for bit, qubit in enumerate(controls) if not state >> bit & 1]


class ConditionBlock:
    """``with circuit.if_(...)``: what is added inside becomes the body."""

    def __init__(self, circuit: Circuit, condition: Condition, *, done: bool) -> None:
        self._circuit = circuit
        self._condition = condition
        self._done = done
        self._start = 0

    def __enter__(self) -> Circuit:
        if self._done:
            raise ParameterError(
                "if_ got a body already, so it opens no block", hint="leave out either of the two"
            )
        self._start = len(self._circuit._ops)
        return self._circuit

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        circuit = self._circuit
        body = tuple(circuit._ops[self._start :])
        del circuit._ops[self._start :]
        circuit._special -= sum(not isinstance(op, Gate) for op, _, _ in body)
        circuit._cache.clear()
        if kind is None:
            circuit._branch(self._condition, body, ())
