"""PennyLane's tape, out. Qubit i becomes wire i; the global phase is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrealm.base.errors import MissingExtraError, ParameterError, WriteError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.pennylane import GATE_NAMES
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    RESET,
    Condition,
    Instruction,
    State,
)

_INVERSES = {"sdg": "S", "tdg": "T", "sxdg": "SX", "iswapdg": "ISWAP", "siswapdg": "SISWAP"}


def write(circuit: Circuit) -> Any:
    """A `pennylane.tape.QuantumScript` of operations: wire i for qubit i, no measurement process at its end.

    Measurements become `pennylane.measure`, conditions `pennylane.cond`. Wires without a gate get an
    identity, so that they are not lost.

    Raises:
        MissingExtraError: PennyLane is not installed.
        ParameterError: a parameter is open; PennyLane has none.
        WriteError: misread bits, a delay, a measurement under a condition, or a state on qubits that were
            used before.
    """
    try:
        import pennylane as qml
    except ImportError as problem:
        raise MissingExtraError("to_pennylane()", package="pennylane", extra="pennylane") from problem
    if circuit.parameters:
        names = ", ".join(parameter.name for parameter in circuit.parameters[:5])
        raise ParameterError(
            f"a PennyLane tape has numbers only; the circuit's parameters {names} are open",
            hint="circuit.bind({...}) first",
        )
    return qml.tape.QuantumScript(_Writer(qml, circuit).operations())


class _Writer:
    def __init__(self, qml: Any, circuit: Circuit) -> None:
        self.qml = qml
        self.circuit = circuit
        self.measured: dict[int, Any] = {}  # classical bit -> PennyLane's measurement value
        self.touched: set[int] = set()
        # One entry for each matrix on targets: controls are added by `ctrl`.
        self.kinds = {
            GATES[name].matrix: getattr(qml, kind)
            for kind, name in GATE_NAMES.items()
            if not GATES[name].controls and hasattr(qml, kind)
        }
        self.inverses = {GATES[name].matrix: getattr(qml, kind) for name, kind in _INVERSES.items()}

    def operations(self) -> list[Any]:
        qml = self.qml
        found: list[Any] = []
        with qml.QueuingManager.stop_recording():
            if self.circuit.global_phase != 0.0:
                found.append(qml.GlobalPhase(-float(self.circuit.global_phase)))
            for instruction in self.circuit:
                found += self.written(instruction)
            used = {wire for op in found for wire in op.wires}
            found += [qml.Identity(q) for q in range(self.circuit.num_qubits) if q not in used]
        return found

    def written(self, instruction: Instruction) -> list[Any]:
        op, qubits, args = instruction
        touched_before = self.touched.intersection(qubits)
        if op is not BARRIER:
            self.touched.update(qubits)
        if isinstance(op, Gate):
            return [self.gate(op, qubits, args)]
        if op is MEASURE:
            return [self.measure(qubits[0], args[0])]
        if op is RESET:
            return [self.measured_op(qubits[0], reset=True)]
        if op is BARRIER:
            return [self.qml.Barrier(list(qubits))]
        if op is INITIALIZE:
            return self.initial(qubits, args[0], touched_before)
        if op is IF:
            return self.branch(args[0], args[1], args[2])
        if op is CHANNEL:
            return [self.qml.QubitChannel([np.array(k) for k in args[0].kraus], wires=list(qubits[::-1]))]
        raise WriteError(
            f"a PennyLane tape cannot hold {op.name!r}", hint="leave misread bits out of the circuit"
        )

    # ---- gates ---------------------------------------------------------------------------------------

    def gate(self, op: Gate, qubits: tuple[int, ...], args: tuple[Any, ...]) -> Any:
        qml = self.qml
        if op in DELAYS:
            raise WriteError(
                f"PennyLane has no waits, and the circuit a delay on qubit {qubits[-1]}",
                hint="leave it out; NoiseModel.apply turns what happens meanwhile into channels",
            )
        size = args[0].num_qubits if op is UNITARY else op.targets
        split = len(qubits) - size
        controls, targets = list(qubits[:split]), list(qubits[split:])
        if op is GPHASE:
            base = qml.GlobalPhase(-args[0])
        elif op.matrix in self.kinds:
            base = self.kinds[op.matrix](*args, wires=targets)
        elif op.matrix in self.inverses:
            base = qml.adjoint(self.inverses[op.matrix](wires=targets))
        else:
            # PennyLane's first wire is the most significant bit.
            base = qml.QubitUnitary(np.array(op.matrix(*args)), wires=targets[::-1])
        return qml.ctrl(base, controls) if controls else base

    def initial(self, qubits: tuple[int, ...], state: State, used: set[int]) -> list[Any]:
        """Resets of the qubits that were used, then the state."""
        qml = self.qml
        wires = list(reversed(qubits))
        found = [self.measured_op(q, reset=True) for q in qubits if q in used]
        if state.amplitudes is None:
            assert state.bits is not None  # a state is one or the other
            return found + [qml.X(q) for q, bit in zip(wires, state.bits, strict=True) if bit == "1"]
        if used:
            raise WriteError(
                "PennyLane prepares states on unused wires only; the circuit prepares one on qubits "
                f"{sorted(used)}, which it used before",
                hint="prepare it first, or write it as gates",
            )
        return [qml.StatePrep(np.array(state.amplitudes), wires=wires)]

    # ---- measurements and conditions -----------------------------------------------------------------

    def measure(self, qubit: int, clbit: int) -> Any:
        made = self.measured_op(qubit, reset=False)
        self.measured[clbit] = self.qml.ops.MeasurementValue([made])
        return made

    def measured_op(self, qubit: int, *, reset: bool) -> Any:
        return self.qml.measure(qubit, reset=reset).measurements[0]

    def branch(
        self, condition: Condition, then: tuple[Instruction, ...], otherwise: tuple[Instruction, ...]
    ) -> list[Any]:
        holds = self.test(condition)
        if isinstance(holds, bool):  # bits that were never measured are 0
            return [part for each in (then if holds else otherwise) for part in self.written(each)]
        found = []
        for test, body in ((holds, then), (~holds, otherwise)):
            for instruction in body:
                found += self.under(test, instruction)
        return found

    def under(self, test: Any, instruction: Instruction) -> list[Any]:
        """An instruction, when the test holds."""
        op, qubits, args = instruction
        if op is BARRIER:
            return []
        if op is IF:
            inner = self.test(args[0])
            found = []
            for body, negated in ((args[1], False), (args[2], True)):
                if isinstance(inner, bool):
                    both = test if inner != negated else None
                else:
                    both = test & (~inner if negated else inner)
                for each in body if both is not None else ():
                    found += self.under(both, each)
            return found
        if not isinstance(op, Gate):
            raise WriteError(
                f"PennyLane cannot {op.name} under a condition", hint="leave only gates in conditions"
            )
        self.touched.update(qubits)
        return [self.qml.ops.Conditional(test, self.gate(op, qubits, args))]

    def test(self, condition: Condition) -> Any:
        """Whether all bits have their values: a measurement value, or a bool where that is certain."""
        result: Any = True
        for index, bit in enumerate(condition.clbits):
            wanted = condition.value >> index & 1
            if bit not in self.measured:
                if wanted:
                    return False
                continue
            value = self.measured[bit] if wanted else ~self.measured[bit]
            result = value if result is True else result & value
        return result


__all__ = ["write"]
