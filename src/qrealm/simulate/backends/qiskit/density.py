"""Moves a density matrix with Qiskit Aer's simulator of density matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RunError
from qrealm.simulate.sparse_density_steps import Step


def evolve_dense(matrix: NDArray[np.complex128], steps: Sequence[Step]) -> NDArray[np.complex128]:
    """A matrix of shape (2^n, 2^n) after these steps, computed by Aer's density_matrix method.

    Raises:
        RunError: Aer says that it failed.
    """
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import UnitaryGate
    from qiskit.quantum_info import DensityMatrix, Kraus
    from qiskit_aer import AerSimulator
    from qiskit_aer.library import SaveDensityMatrix, SetDensityMatrix

    num_qubits = len(matrix).bit_length() - 1
    wires = list(range(num_qubits))
    circuit = QuantumCircuit(num_qubits)
    circuit.append(SetDensityMatrix(DensityMatrix(matrix)), wires)
    for step in steps:
        kraus = step.kraus()
        gate = UnitaryGate(kraus[0]) if len(kraus) == 1 else Kraus(list(kraus)).to_instruction()
        circuit.append(gate, list(step.qubits))
    circuit.append(SaveDensityMatrix(num_qubits), wires)
    # Aer leaves out results below its threshold, 1e-10 unless told otherwise.
    simulator = AerSimulator(method="density_matrix", precision="double", zero_threshold=1e-16)
    result = simulator.run(circuit, shots=1).result()
    if not result.success:
        raise RunError(f"Qiskit Aer did not move the register: {result.status}")
    return np.asarray(result.data(0)["density_matrix"], dtype=np.complex128)
