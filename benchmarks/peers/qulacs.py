"""Qulacs from PyPI; double precision only. Its optimizer fuses gates before the run, which is not timed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case, Gate


def _adders() -> dict[str, Callable[..., None]]:
    """How each gate is added to a qulacs circuit. Its rotations turn the other way, hence the signs."""
    import qulacs.gate

    def add_controlled_phase(circuit: qulacs.QuantumCircuit, gate: Gate) -> None:
        control, target = gate.qubits
        phase = qulacs.gate.to_matrix_gate(qulacs.gate.U1(target, gate.params[0]))
        phase.add_control_qubit(control, 1)
        circuit.add_gate(phase)

    return {
        "h": lambda circuit, gate: circuit.add_H_gate(*gate.qubits),
        "x": lambda circuit, gate: circuit.add_X_gate(*gate.qubits),
        "t": lambda circuit, gate: circuit.add_T_gate(*gate.qubits),
        "rx": lambda circuit, gate: circuit.add_RX_gate(gate.qubits[0], -gate.params[0]),
        "ry": lambda circuit, gate: circuit.add_RY_gate(gate.qubits[0], -gate.params[0]),
        "rz": lambda circuit, gate: circuit.add_RZ_gate(gate.qubits[0], -gate.params[0]),
        "u3": lambda circuit, gate: circuit.add_U3_gate(gate.qubits[0], *gate.params),
        "cx": lambda circuit, gate: circuit.add_CNOT_gate(*gate.qubits),
        "cz": lambda circuit, gate: circuit.add_CZ_gate(*gate.qubits),
        "cp": add_controlled_phase,
        "swap": lambda circuit, gate: circuit.add_SWAP_gate(*gate.qubits),
        "rzz": lambda circuit, gate: circuit.add_multi_Pauli_rotation_gate(
            list(gate.qubits), [3, 3], -gate.params[0]
        ),
    }


class Qulacs:
    """A `QuantumCircuit` on a fresh `QuantumState`; threads are set by OMP_NUM_THREADS before it is
    imported."""

    def __init__(self, case: Case, threads: int, *, fused_qubits_max: int) -> None:
        import qulacs
        from qulacs.circuit import QuantumCircuitOptimizer

        self._num_qubits = case.num_qubits
        self._new_state = qulacs.QuantumState
        self._circuit = qulacs.QuantumCircuit(case.num_qubits)
        adders = _adders()
        for gate in case.gates:
            adders[gate.name](self._circuit, gate)
        if fused_qubits_max:
            QuantumCircuitOptimizer().optimize(self._circuit, fused_qubits_max)

    def run(self) -> object:
        state = self._new_state(self._num_qubits)
        self._circuit.update_quantum_state(state)
        return state.sampling(1000)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        state = self._new_state(self._num_qubits)
        self._circuit.update_quantum_state(state)
        return np.asarray(state.get_vector())
