"""Qiskit Aer's state-vector method, with its own gate fusion."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case

# Where Qiskit's method has another name than the case's gate.
METHODS = {"u3": "u"}


class Aer:
    """`AerSimulator(method="statevector")`; the circuit is run as it is, without the transpiler."""

    def __init__(self, case: Case, threads: int, *, precision: Literal["single", "double"]) -> None:
        from qiskit import QuantumCircuit
        from qiskit_aer import AerSimulator

        self._circuit = QuantumCircuit(case.num_qubits)
        for gate in case.gates:
            add = getattr(self._circuit, METHODS.get(gate.name, gate.name))
            add(*gate.params, *gate.qubits)
        self._measured = self._circuit.measure_all(inplace=False)
        self._simulator = AerSimulator(
            method="statevector", precision=precision, max_parallel_threads=threads
        )

    def run(self) -> object:
        result = self._simulator.run(self._measured, shots=1000).result()
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        return result.get_counts()

    def amplitudes(self) -> NDArray[np.complexfloating]:
        circuit = self._circuit.copy()
        circuit.save_statevector()
        return np.asarray(self._simulator.run(circuit).result().get_statevector())
