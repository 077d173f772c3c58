"""Circuits and bounds that the tests of the Qiskit provider share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, random_unitary

SIGMAS = 5
"""Standard deviations allowed everywhere: with fixed seeds a test either passes always or never."""


def ansatz(seed: int, num_qubits: int, gates: int) -> QuantumCircuit:
    """A random circuit with 4 parameters, some of them in expressions, and no measurement."""
    rng = np.random.default_rng(seed)
    parameters = [Parameter(name) for name in ("alpha", "beta", "theta_1", "x")]
    circuit = QuantumCircuit(num_qubits, name=f"ansatz{seed}", global_phase=0.3)
    for index in range(gates):
        a, b, c = (int(q) for q in rng.permutation(num_qubits)[:3])
        symbol = parameters[index % 4]
        angle = (symbol, 2 * symbol + 0.1, symbol * parameters[0] - 1.5, -symbol / 3)[int(rng.integers(4))]
        kind = int(rng.integers(10))
        if kind == 0:
            circuit.h(a)
        elif kind == 1:
            circuit.rx(angle, a)
        elif kind == 2:
            circuit.ry(angle, a)
        elif kind == 3:
            circuit.u(angle, 0.2, -angle, a)
        elif kind == 4:
            circuit.cx(a, b)
        elif kind == 5:
            circuit.crz(angle, a, b)
        elif kind == 6:
            circuit.rzz(angle, a, b)
        elif kind == 7:
            circuit.ccx(a, b, c)
        elif kind == 8:
            circuit.unitary(random_unitary(4, seed=seed + index), [a, b])
        else:
            circuit.append(circuit_gate(angle), [b, a])
    for parameter in parameters:  # every one is there, whatever was drawn
        circuit.ry(parameter, 0)
    return circuit


def circuit_gate(angle: Any) -> Any:
    """A gate of one's own, with a phase, that the reader has to open."""
    inner = QuantumCircuit(2, name="mine", global_phase=0.7)
    inner.rxx(angle, 0, 1)
    inner.sx(1)
    return inner.to_gate()


def several_registers(source: QuantumCircuit) -> QuantumCircuit:
    """The circuit measured into registers of 1, 0 and the other bits, in mixed order, one bit left alone."""
    count = source.num_qubits
    qubits = QuantumRegister(count, "q")
    first, empty = ClassicalRegister(1, "first"), ClassicalRegister(0, "empty")
    rest = ClassicalRegister(count, "rest")
    circuit = QuantumCircuit(qubits, first, empty, rest, metadata={"from": source.name})
    circuit.compose(source, inplace=True)
    circuit.measure(count - 1, first[0])
    for qubit in range(count - 1):
        circuit.measure(qubit, rest[count - 1 - qubit])  # rest[0] stays 0
    return circuit


def teleportation(theta: Any) -> QuantumCircuit:
    """Ry(theta)|0> carried from qubit 0 to qubit 2, measured into `out`; `sent` has the two bits."""
    sent, out = ClassicalRegister(2, "sent"), ClassicalRegister(1, "out")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), sent, out)
    circuit.ry(theta, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], sent)
    with circuit.if_test((sent[1], 1)):
        circuit.x(2)
    with circuit.if_test((sent[0], 1)):
        circuit.z(2)
    circuit.measure(2, out[0])
    return circuit


def observable(seed: int, num_qubits: int, terms: int) -> SparsePauliOp:
    """A random Hermitian sum of Pauli strings."""
    rng = np.random.default_rng(seed)
    labels = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(terms)]
    return SparsePauliOp(labels, rng.normal(size=terms))


def assert_drawn_from(counts: Mapping[str, int], probabilities: Mapping[str, float]) -> None:
    """Each outcome's share within `SIGMAS` standard deviations of its probability; none that cannot be."""
    shots = sum(counts.values())
    for key in counts.keys() | probabilities.keys():
        probability = probabilities.get(key, 0.0)
        allowed = SIGMAS * np.sqrt(probability * (1 - probability) / shots)
        assert abs(counts.get(key, 0) / shots - probability) <= allowed + 1e-7, key
