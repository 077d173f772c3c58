"""The circuit that this machine is measured with: layers of rotations and neighbour gates."""

from __future__ import annotations

import math

import numpy as np

from qrealm.circuits import Circuit

LAYERS_DEFAULT = 10


def layered_circuit(num_qubits: int, layers: int = LAYERS_DEFAULT, seed: int = 1) -> Circuit:
    """RY and RZ by seeded angles on every qubit, then CX along a line, `layers` times: a hardware-efficient
    ansatz."""
    angles = np.random.default_rng(seed).uniform(0, 2 * math.pi, size=(layers, num_qubits, 2)).tolist()
    circuit = Circuit(num_qubits, name=f"{layers} layers on {num_qubits} qubits")
    for layer in angles:
        for qubit, (first, second) in enumerate(layer):
            circuit.ry(first, qubit)
            circuit.rz(second, qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit
