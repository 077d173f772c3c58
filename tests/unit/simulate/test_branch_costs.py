"""What measurements half-way and damping cost, as the cards tell it, against what they took."""

from __future__ import annotations

import pytest

from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, amplitude_damping
from qrealm.simulate.backends import BACKENDS
from qrealm.simulate.plan.branches import branches
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import Rates, Wants

RATES = Rates(3.2e-6, 5.4e-7, 1.4e10, 1.6e11, 1.8e-8)
"""Of the machine on which the figures here were taken: two cores of an Intel Xeon (Sapphire Rapids)."""


def wants(shots: int) -> Wants:
    return Wants(shots, None, False, False, 0, 0, False, 1e-6)


def rounds(qubits: int, times: int) -> Circuit:
    """RY, a chain of CX, every second qubit measured, over and over; in the end all."""
    circuit = Circuit(qubits, qubits)
    for each in range(times):
        for qubit in range(qubits):
            circuit.ry(0.3 + 0.1 * each, qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
        for qubit in range(0, qubits, 2):
            circuit.measure(qubit, qubit)
    return circuit.measure(range(qubits), range(qubits))


@pytest.mark.parametrize(
    "backend, circuit, shots, seconds",
    [
        ("statevector", rounds(8, 3), 1000, 0.03),
        ("statevector", rounds(12, 4), 1000, 0.17),
        ("statevector", rounds(16, 3), 200, 0.45),
        ("statevector", rounds(20, 3), 200, 6.9),
        ("trajectories", rounds(12, 4), 1000, 0.24),
        ("trajectories", rounds(20, 3), 200, 6.4),
    ],
)
def test_deciding_costs_what_it_took_within_a_factor_of_three(backend, circuit, shots, seconds):
    told = BACKENDS[backend].card.cost(traits(circuit), wants(shots), RATES).seconds
    assert seconds / 3 < told < 3 * seconds


@pytest.mark.parametrize(
    "qubits, shots, seconds", [(20, 10, 0.06), (22, 10, 0.2), (24, 10, 2.3), (28, 10, 47.0)]
)
def test_damping_costs_what_it_took_within_a_factor_of_three(qubits, shots, seconds):
    """Two layers with damping by 0.01 after every gate."""
    circuit = Circuit(qubits)
    for layer in range(2):
        for qubit in range(qubits):
            circuit.u(0.3, 0.2, 0.1, qubit)
        for qubit in range(layer % 2, qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
    noisy = NoiseModel().after_gates(amplitude_damping(0.01)).apply(circuit)
    told = BACKENDS["trajectories"].card.cost(traits(noisy), wants(shots), RATES).seconds
    assert seconds / 3 < told < 3 * seconds


def test_a_chain_takes_over_from_the_state_vector_where_collapses_cost():
    """20 qubits in three rounds: 2.8 s on a chain, 6.9 s on the state vector."""
    facts = traits(rounds(20, 3))
    chain, vector = (BACKENDS[name].card.cost(facts, wants(200), RATES) for name in ("mps", "statevector"))
    assert chain.seconds < vector.seconds


def test_branches_of_fair_coins():
    """Two coins, a gate between them: a thousand shots find both ways, then all four; every qubit is
    projected once in each."""
    circuit = Circuit(2, 2).h(0).measure(0, 0).h(1).measure(1, 1).x(0).x(1)
    walk = branches(traits(circuit), 1000.0)
    assert walk.ways == pytest.approx(4)
    assert walk.partings == walk.collapses == pytest.approx(6)
    assert walk.share == pytest.approx(1 / 4 + 2 * 1 / 4 + 4 * 2 / 4)


def test_a_qubit_measured_twice_at_the_end_decides_once():
    """The second time nothing is open, but the first is a decision half-way."""
    assert traits(Circuit(1, 2).h(0).measure(0, 0).measure(0, 1)).branch_points == 1
    assert traits(Circuit(2, 2).h(0).measure(0, 0).measure(1, 1)).branch_points == 0
