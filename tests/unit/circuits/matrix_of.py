"""The matrix of a circuit, by the reference simulator, column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit, PackedCircuit
from reference.dense import DenseSimulator


def matrix_of(circuit: Circuit | PackedCircuit) -> NDArray[np.complex128]:
    """The (2^n, 2^n) matrix of the gates of a circuit without open parameters."""
    packed = circuit.packed() if isinstance(circuit, Circuit) else circuit
    size = 1 << packed.num_qubits
    columns = []
    for index in range(size):
        simulator = DenseSimulator(packed.num_qubits)
        simulator.state[:] = 0
        simulator.state[index] = 1
        simulator.apply(packed)
        columns.append(simulator.state.copy())
    return np.array(columns).T


def assert_same_up_to_phase(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> None:
    """Two unitaries agree but for a global phase."""
    assert a.shape == b.shape
    overlap = np.trace(a.conj().T @ b) / len(a)
    assert abs(abs(overlap) - 1) < 1e-9, f"overlap {abs(overlap)}"
