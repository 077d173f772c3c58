"""Moves a density matrix with Cirq's simulator of density matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.sparse_density_steps import Step


def evolve_dense(matrix: NDArray[np.complex128], steps: Sequence[Step]) -> NDArray[np.complex128]:
    """A matrix of shape (2^n, 2^n) after these steps, computed by `cirq.DensityMatrixSimulator`."""
    import cirq

    wires = cirq.LineQubit.range(len(matrix).bit_length() - 1)

    def operation(step: Step) -> Any:
        kraus = step.kraus()
        gate = cirq.MatrixGate(kraus[0]) if len(kraus) == 1 else cirq.KrausChannel(kraus)
        return gate.on(*(wires[qubit] for qubit in reversed(step.qubits)))  # its first is the high bit

    circuit = cirq.Circuit(operation(step) for step in steps)
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    answer = simulator.simulate(circuit, qubit_order=wires[::-1], initial_state=matrix)
    return np.asarray(answer.final_density_matrix, dtype=np.complex128)
