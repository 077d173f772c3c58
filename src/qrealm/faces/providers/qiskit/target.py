"""What a backend can do, as Qiskit's `Target`: found by asking the reader, so it cannot promise more."""

from __future__ import annotations

from functools import cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, ForLoopOp, IfElseOp, Measure, Parameter, Reset, SwitchCaseOp
from qiskit.circuit.library import Initialize, MCPhaseGate, MCXGate, UnitaryGate
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.transpiler import Target

from qrealm.base.errors import QrealmError
from qrealm.circuits import read

_ANY_WIDTH = {
    "initialize": Initialize,
    "mcphase": MCPhaseGate,
    "mcx": MCXGate,
    "unitary": UnitaryGate,
}
_CONTROL_FLOW = {"for_loop": ForLoopOp, "if_else": IfElseOp, "switch_case": SwitchCaseOp}


@cache
def native_gates() -> tuple[tuple[str, Any], ...]:
    """(name, gate) of each gate of Qiskit's standard library that is one row of the gate table."""
    mapping = get_standard_gate_name_mapping()
    return tuple((name, gate) for name, gate in mapping.items() if _is_native(gate))


def build_target(description: str, num_qubits: int) -> Target:
    """Every gate, measurement and kind of control flow that is read as it is, on any of the qubits.

    Args:
        description: one line for people.
        num_qubits: the widest circuit that the backend takes, whatever the memory.
    """
    target = Target(description, num_qubits)
    for name, gate in native_gates():
        target.add_instruction(gate, name=name)
    target.add_instruction(Measure())
    target.add_instruction(Reset())
    target.add_instruction(Delay(Parameter("t")))
    for name, kind in (_ANY_WIDTH | _CONTROL_FLOW).items():
        target.add_instruction(kind, name=name)
    return target


def _is_native(gate: Any) -> bool:
    """Whether the reader makes one operation of it (a phase of the whole circuit for a global phase)."""
    if gate.name in ("measure", "reset", "delay"):
        return False
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    try:
        found = read(circuit)
    except QrealmError:
        return False
    names = [operation.name for operation, _, _ in found]
    return "unitary" not in names and len(names) + bool(found.parameters and not names) == 1
