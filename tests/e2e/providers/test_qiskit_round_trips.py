"""Qiskit to qrealm and back: the same unitary, global phase included."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qiskit")

from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit import ParameterVector as QiskitParameterVector
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator

from e2e.providers.qiskit_cases import ansatz, several_registers, teleportation
from qrealm.circuits import Parameter, read
from unit.circuits import draws

TOLERANCE = 1e-9


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), width=st.integers(1, 5), depth=st.integers(1, 8))
def test_qiskit_and_back(seed: int, width: int, depth: int) -> None:
    source = random_circuit(width, depth, max_operands=min(width, 4), seed=seed)
    source.global_phase = seed % 7 / 3
    back = read(source).to_qiskit()
    assert np.abs(Operator(back).data - Operator(source).data).max() < TOLERANCE


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_ours_to_qiskit_and_back(seed: int) -> None:
    source = draws.random_circuit(seed % 10_000, 4, 20).to_qiskit()
    back = read(source).to_qiskit()
    assert np.abs(Operator(back).data - Operator(source).data).max() < TOLERANCE


def test_bare_parameters_are_known_from_expressions() -> None:
    vector, odd, x = QiskitParameterVector("θ", 2), QiskitParameter("2*x"), QiskitParameter("x")
    source = QuantumCircuit(1)
    for angle in (vector[0], vector[1], odd, 2 * x):
        source.rx(angle, 0)
    found = read(source)
    angles = [params[0] for _, _, params in found]
    assert angles[:3] == [Parameter("θ[0]"), Parameter("θ[1]"), Parameter("2*x")]
    assert angles[3] == 2 * Parameter("x")


@pytest.mark.parametrize("seed", range(6))
def test_open_parameters_stay_open(seed: int) -> None:
    source = ansatz(seed, 4, 25)
    back = read(source).to_qiskit()
    assert [p.name for p in back.parameters] == [p.name for p in source.parameters]
    values = np.random.default_rng(seed).uniform(-3, 3, 4)
    difference = (
        Operator(back.assign_parameters(values)).data - Operator(source.assign_parameters(values)).data
    )
    assert np.abs(difference).max() < TOLERANCE


BOUND = ansatz(0, 4, 10).assign_parameters([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    "source", [several_registers(BOUND), teleportation(0.3)], ids=["registers", "conditions"]
)
def test_registers_and_conditions_come_back(source) -> None:
    first = read(source)
    second = read(first.to_qiskit())
    assert second == first
    assert [(r.name, r.size) for r in first.registers] == [(c.name, c.size) for c in source.cregs]
