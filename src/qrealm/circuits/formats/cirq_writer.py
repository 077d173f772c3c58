"""Cirq's Circuit, out. Qubit i becomes ``cirq.LineQubit(i)``; the global phase is kept."""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qrealm.base.errors import MissingExtraError, WriteError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.cirq import _little
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    DELAY,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    RESET,
    Condition,
    Instruction,
    State,
    qubits_of,
)
from qrealm.circuits.parameters import ParameterExpression
from qrealm.circuits.segments import preparation


def write(circuit: Circuit) -> Any:
    """A `cirq.Circuit` that does the same.

    Measurements of whole registers, in order, become one key with the register's name; others get a key for
    each bit, such as ``"c[1]"``. Qubits without a gate get an identity, so that they are not lost. Barriers
    are left out: Cirq has none. Delays become `cirq.WaitGate`.

    Raises:
        MissingExtraError: Cirq is not installed.
        WriteError: misread bits, a measurement under a condition, an open parameter in `rv`, or a delay in
            cycles of a clock.
    """
    try:
        import cirq
    except ImportError as problem:
        raise MissingExtraError("to_cirq()", package="cirq", extra="cirq") from problem
    return cirq.Circuit(_Writer(cirq, circuit).operations())


class _Writer:
    def __init__(self, cirq: Any, circuit: Circuit) -> None:
        self.cirq = cirq
        self.circuit = circuit
        self.qubits = cirq.LineQubit.range(circuit.num_qubits)
        self.blocks = [(r.name, r.clbits) for r in circuit.registers]
        named = sum(r.size for r in circuit.registers)
        if circuit.num_clbits > named:
            name = "c" if all(r.name != "c" for r in circuit.registers) else "c_rest"
            loose = set(range(circuit.num_clbits)) - {bit for r in circuit.registers for bit in r.clbits}
            self.blocks.append((name, tuple(sorted(loose))))
        # Where the present value of a classical bit is recorded: key, position in it, bits of it.
        self.recorded: dict[int, tuple[str, int, int]] = {}
        self.touched: set[int] = set()
        self.gates = self.named()

    def operations(self) -> list[Any]:
        found: list[Any] = []
        if isinstance(self.circuit.global_phase, ParameterExpression) or self.circuit.global_phase != 0.0:
            found += self.phase(self.circuit.global_phase, ())
        pending: list[tuple[int, int]] = []
        for instruction in self.circuit:
            op, qubits, args = instruction
            if op is MEASURE:
                pending.append((qubits[0], args[0]))
                continue
            found += self.measured(pending)
            pending = []
            found += self.written(instruction, ())
        found += self.measured(pending)
        used = {qubit for op in found for qubit in op.qubits}
        return found + [self.cirq.I(qubit) for qubit in self.qubits if qubit not in used]

    def written(self, instruction: Instruction, conditions: tuple[Any, ...]) -> list[Any]:
        """An instruction that is no measurement, under Cirq's conditions."""
        op, qubits, args = instruction
        if op is IF:
            return self.branch(args[0], args[1], args[2], conditions)
        if isinstance(op, Gate):
            found = self.gate(op, qubits, args)
        elif op is RESET:
            found = [self.cirq.reset(self.qubits[qubits[0]])]
        elif op is INITIALIZE:
            found = self.initial(qubits, args[0], bool(conditions))
        elif op is CHANNEL:
            kraus = [_little(matrix) for matrix in args[0].kraus]
            found = [self.cirq.KrausChannel(kraus).on(*(self.qubits[q] for q in qubits))]
        elif op is BARRIER:
            return []
        else:
            raise WriteError(
                f"a Cirq circuit cannot hold {op.name!r} here",
                hint="leave measurements out of conditions, and misread bits out of the circuit",
            )
        self.touched.update(qubits)
        # A phase alone, under a condition, changes nothing that can be seen.
        found = [each for each in found if each.qubits or not conditions]
        return [each.with_classical_controls(*conditions) for each in found] if conditions else found

    # ---- gates ---------------------------------------------------------------------------------------

    def gate(self, op: Gate, qubits: tuple[int, ...], args: tuple[Any, ...]) -> list[Any]:
        size = args[0].num_qubits if op is UNITARY else op.targets
        split = len(qubits) - size
        if op in DELAYS:
            return self.wait(op is DELAY, qubits, args[0])
        controls = [self.qubits[q] for q in qubits[:split]]
        targets = [self.qubits[q] for q in qubits[split:]]
        if op is GPHASE:
            return self.phase(args[0], qubits)
        plain = self.gates.get(op.matrix)
        opened = any(isinstance(value, ParameterExpression) for value in args)
        if plain is not None:
            found = [gate.on(*targets) for gate in plain(*[self.angle(value) for value in args])]
        elif opened:
            return self.rotations(op, qubits[:split], qubits[split:], args)
        else:
            matrix = self.cirq.MatrixGate(_little(op.matrix(*args)), name=op.name)
            found = [matrix.on(*targets)]
        return [each.controlled_by(*controls) for each in found] if controls else found

    def wait(self, in_ns: bool, qubits: tuple[int, ...], duration: Any) -> list[Any]:
        """A delay on each of the qubits."""
        if not in_ns:
            raise WriteError(
                f"Cirq has waits in units of time, and the circuit a delay of {duration} dt",
                hint="write it in nanoseconds: circuit.delay(duration_ns, qubit)",
            )
        gate = self.cirq.WaitGate(self.cirq.Duration(nanos=self.angle(duration)))
        return [gate.on(self.qubits[q]) for q in qubits]

    def named(self) -> dict[Any, Callable[..., list[Any]]]:
        """From a matrix of the gate table to Cirq's gates on the targets, in order, given the parameters."""
        cirq, turns = self.cirq, self.turns
        plain = {
            "id": cirq.I, "x": cirq.X, "y": cirq.Y, "z": cirq.Z, "h": cirq.H, "s": cirq.S, "t": cirq.T,
            "sdg": cirq.S**-1, "tdg": cirq.T**-1, "sx": cirq.X**0.5, "sxdg": cirq.X**-0.5,
            "sy": cirq.Y**0.5, "sydg": cirq.Y**-0.5, "swap": cirq.SWAP, "iswap": cirq.ISWAP,
            "iswapdg": cirq.ISWAP**-1, "siswap": cirq.ISWAP**0.5, "siswapdg": cirq.ISWAP**-0.5,
        }  # fmt: skip
        angled: dict[str, Callable[..., list[Any]]] = {
            "rx": lambda a: [cirq.rx(a)],
            "ry": lambda a: [cirq.ry(a)],
            "rz": lambda a: [cirq.rz(a)],
            "p": lambda a: [cirq.Z ** turns(a)],
            "rxx": lambda a: [cirq.XXPowGate(exponent=turns(a), global_shift=-0.5)],
            "ryy": lambda a: [cirq.YYPowGate(exponent=turns(a), global_shift=-0.5)],
            "rzz": lambda a: [cirq.ZZPowGate(exponent=turns(a), global_shift=-0.5)],
            "u": lambda a, b, c: [cirq.Z ** turns(c), cirq.ry(a), cirq.Z ** turns(b)],
        }
        made: dict[Any, Callable[..., list[Any]]] = {
            GATES[name].matrix: partial(list, (gate,)) for name, gate in plain.items()
        }
        return {**made, **{GATES[name].matrix: make for name, make in angled.items()}}

    def turns(self, value: Any) -> Any:
        """An angle as the exponent of one of Cirq's powers."""
        return value / math.pi

    def angle(self, value: Any) -> Any:
        """A float as it is; an expression as the same one of Cirq's symbols."""
        if not isinstance(value, ParameterExpression):
            return value
        if value.op == "constant":
            return value.args[0]
        if value.op == "parameter":
            return self.cirq.ParamResolver({}).value_of(value.args[0])
        parts = [self.angle(each) for each in value.args]
        rules: dict[str, Callable[..., Any]] = {
            "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
            "**": operator.pow, "neg": operator.neg, "sqrt": lambda a: a**0.5,
        }  # fmt: skip
        if value.op not in rules:
            raise WriteError(
                f"the open parameter {value} of a gate has {value.op}, which is not written to Cirq",
                hint="bind the parameters first, or give the function's value a parameter of its own",
            )
        return rules[value.op](*parts)

    def phase(self, gamma: Any, qubits: Sequence[int]) -> list[Any]:
        """A phase when all the qubits are 1."""
        if qubits:
            *controls, target = (self.qubits[q] for q in qubits)
            gate = (self.cirq.Z ** self.turns(self.angle(gamma))).on(target)
            return [gate.controlled_by(*controls) if controls else gate]
        if isinstance(gamma, ParameterExpression):
            return self.phase_of_symbols(gamma)
        return [self.cirq.global_phase_operation(cmath.exp(1j * gamma))]

    def phase_of_symbols(self, gamma: ParameterExpression) -> list[Any]:
        """A global phase that is still open: of a qubit, since sympy coefficients cannot be read back."""
        if not self.qubits:
            raise WriteError("Cirq has no open global phase without qubits", hint="bind the parameters first")
        exponent = self.turns(self.angle(gamma))
        return [
            (self.cirq.Z**exponent).on(self.qubits[0]),
            self.cirq.X(self.qubits[0]),
            (self.cirq.Z**exponent).on(self.qubits[0]),
            self.cirq.X(self.qubits[0]),
        ]

    def rotations(
        self, op: Gate, controls: tuple[int, ...], targets: tuple[int, ...], args: tuple[Any, ...]
    ) -> list[Any]:
        """A gate with open parameters as a product of Pauli rotations."""
        if not op.rotations:
            raise WriteError(
                f"Cirq has no gate {op.name}, and its parameters are open", hint="bind them first"
            )
        found = []
        for factor in op.rotations:
            angle = factor.coefficient * (1.0 if factor.parameter is None else args[factor.parameter])
            letters = [(q, letter) for q, letter in zip(targets, factor.pauli, strict=True) if letter != "I"]
            if not letters:
                found += self.phase(-1.0 * angle, controls)
                continue
            before, after = self.to_z(letters)
            made: Any = self.cirq.rz(self.angle(2.0 * angle))
            if len(letters) == 2:
                made = self.cirq.ZZPowGate(exponent=self.turns(self.angle(2.0 * angle)), global_shift=-0.5)
            turn = made.on(*(self.qubits[q] for q, _ in letters))
            found += [
                *before,
                turn.controlled_by(*(self.qubits[q] for q in controls)) if controls else turn,
                *after,
            ]
        return found

    def to_z(self, letters: Sequence[tuple[int, str]]) -> tuple[list[Any], list[Any]]:
        """Gates that turn the axes to Z, and back."""
        turned = {"X": (self.cirq.H, self.cirq.H), "Y": (self.cirq.X**0.5, self.cirq.X**-0.5)}
        pairs = [(turned[letter], self.qubits[q]) for q, letter in letters if letter in turned]
        return [there.on(q) for (there, _), q in pairs], [back.on(q) for (_, back), q in pairs]

    def initial(self, qubits: tuple[int, ...], state: State, conditional: bool) -> list[Any]:
        """Resets of the qubits that were used, then the state."""
        lines = [self.qubits[q] for q in qubits]
        found = [self.cirq.reset(self.qubits[q]) for q in qubits if q in self.touched or conditional]
        if state.amplitudes is None:
            assert state.bits is not None  # a state is one or the other
            return found + [
                self.cirq.X(q) for q, bit in zip(lines, reversed(state.bits), strict=True) if bit == "1"
            ]
        if len(qubits) <= MATRIX_QUBITS_MAX:
            matrix = _little(preparation(state.amplitudes).array)
            return [*found, self.cirq.MatrixGate(matrix, name="initialize").on(*lines)]
        return [self.cirq.StatePreparationChannel(state.amplitudes).on(*reversed(lines))]

    # ---- measurements and conditions -----------------------------------------------------------------

    def measured(self, pairs: Sequence[tuple[int, int]]) -> list[Any]:
        """Measurements that follow each other: (qubit, classical bit) each."""
        found = []
        position = 0
        while position < len(pairs):
            name, clbits = next((n, b) for n, b in self.blocks if pairs[position][1] in b)
            part = pairs[position : position + len(clbits)]
            if tuple(bit for _, bit in part) != clbits or len({q for q, _ in part}) < len(part):
                part = pairs[position : position + 1]
                clbits, name = (part[0][1],), f"{name}[{clbits.index(part[0][1])}]"
            found.append(self.cirq.measure(*(self.qubits[q] for q, _ in part), key=name))
            for place, bit in enumerate(clbits):
                self.recorded[bit] = (name, place, len(clbits))
            self.touched.update(q for q, _ in part)
            position += len(part)
        return found

    def branch(
        self,
        condition: Condition,
        then: tuple[Instruction, ...],
        otherwise: tuple[Instruction, ...],
        outer: tuple[Any, ...],
    ) -> list[Any]:
        tests = self.tests(condition)
        found: list[Any] = []
        if tests is not None:
            holds = tuple(self.test(*each, True) for each in tests)
            for instruction in then:
                found += self.written(instruction, outer + holds)
        # Not all of them hold: the first that fails is the first, or the second, and so on.
        for index, failed in enumerate(tests or ()):
            before = tuple(self.test(*each, True) for each in (tests or ())[:index])
            for instruction in otherwise:
                found += self.written(instruction, (*outer, *before, self.test(*failed, False)))
        if tests is None:
            for instruction in otherwise:
                found += self.written(instruction, outer)
        self.touched.update(qubits_of((*then, *otherwise)))
        return found

    def tests(self, condition: Condition) -> list[tuple[str, int, int, int]] | None:
        """(key, bits of it, mask, value) of each key that is read; None when it can never hold.

        A bit that was never measured is 0.
        """
        merged: dict[str, tuple[int, int, int]] = {}
        for index, bit in enumerate(condition.clbits):
            wanted = condition.value >> index & 1
            if bit not in self.recorded:
                if wanted:
                    return None
                continue
            key, place, width = self.recorded[bit]
            _, mask, value = merged.get(key, (width, 0, 0))
            shift = width - 1 - place  # Cirq reads a key's first qubit as its highest bit
            merged[key] = (width, mask | 1 << shift, value | wanted << shift)
        return [(key, *rest) for key, rest in merged.items()]

    def test(self, key: str, width: int, mask: int, value: int, holds: bool) -> Any:
        """Whether the masked bits of a key equal a value, or (`holds` False) do not."""
        if width == 1 and value == int(holds):
            return self.cirq.KeyCondition(self.cirq.MeasurementKey(key))
        return self.cirq.BitMaskKeyCondition(
            self.cirq.MeasurementKey(key), target_value=value, equal_target=holds, bitmask=mask
        )


__all__ = ["write"]
