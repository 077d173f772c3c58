"""PennyLane's lightning.qubit in both precisions; the tape is built before, the device runs it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case

OPERATIONS = {
    "h": "Hadamard",
    "x": "PauliX",
    "t": "T",
    "rx": "RX",
    "ry": "RY",
    "rz": "RZ",
    "u3": "U3",
    "cx": "CNOT",
    "cz": "CZ",
    "cp": "ControlledPhaseShift",
    "swap": "SWAP",
    "rzz": "IsingZZ",
}


class Lightning:
    """`lightning.qubit` on a tape; threads are set by OMP_NUM_THREADS before it is imported."""

    def __init__(self, case: Case, threads: int, *, precision: Literal["single", "double"]) -> None:
        import pennylane

        wires = list(range(case.num_qubits))
        operations = [
            getattr(pennylane, OPERATIONS[gate.name])(*gate.params, wires=list(gate.qubits))
            for gate in case.gates
        ]
        dtype = np.complex64 if precision == "single" else np.complex128
        self._device = pennylane.device("lightning.qubit", wires=case.num_qubits, c_dtype=dtype)
        self._sampled = pennylane.tape.QuantumScript(operations, [pennylane.sample(wires=wires)], shots=1000)
        # PennyLane's first wire is the high bit; the reversed order makes qubit 0 the low one.
        self._exact = pennylane.tape.QuantumScript(operations, [pennylane.state()])
        self._num_qubits = case.num_qubits

    def run(self) -> object:
        return self._device.execute(self._sampled)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        state = np.asarray(self._device.execute(self._exact))
        return state.reshape((2,) * self._num_qubits).transpose().reshape(-1)
