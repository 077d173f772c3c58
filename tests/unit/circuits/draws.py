"""Random circuits over the gate table, from a seed."""

from __future__ import annotations

import numpy as np

from qrealm.circuits import Circuit
from qrealm.circuits.gate_rows import GATES


def random_unitary(rng: np.random.Generator, num_qubits: int) -> np.ndarray:
    """A unitary from the QR decomposition of a random complex matrix."""
    size = 1 << num_qubits
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def random_circuit(
    seed: int, num_qubits: int = 5, length: int = 30, *, leave_out: tuple[str, ...] = ()
) -> Circuit:
    """Gates of the table (but for `leave_out`) on random qubits, some under one or two added controls."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits, global_phase=float(rng.uniform(-3, 3)))
    names = [name for name in GATES if name not in leave_out]
    while len(circuit) < length:
        gate = GATES[names[rng.integers(len(names))]]
        if gate.name == "unitary":
            size = int(rng.integers(1, 3))
            circuit.unitary(random_unitary(rng, size), rng.permutation(num_qubits)[:size].tolist())
            continue
        count = gate.num_qubits + (int(rng.integers(0, 2)) if gate.variadic else 0)
        if count > num_qubits:
            continue
        wires = rng.permutation(num_qubits).tolist()
        extra = int(rng.integers(0, min(3, num_qubits - count + 1))) if "controls" not in leave_out else 0
        circuit.append(
            gate,
            wires[:count],
            rng.uniform(-3, 3, gate.num_params).tolist(),
            controls=wires[count : count + extra],
        )
    return circuit
