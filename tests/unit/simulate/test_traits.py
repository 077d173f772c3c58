"""What cards are told of a circuit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.circuits import Circuit
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.noise import ReadoutError, amplitude_damping, depolarizing, mixed_unitary
from qrealm.simulate.plan.traits import is_clifford, traits
from reference.dense import DenseSimulator

CLIFFORD = ["x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "iswap", "ecr", "dcx"]
NOT_CLIFFORD = ["t", "tdg", "ch", "csx", "cs", "ccx", "cswap"]


@pytest.mark.parametrize("name", CLIFFORD)
def test_clifford_gates_are_known(name):
    gate = GATES[name]
    assert is_clifford(gate, (), gate.num_qubits)


@pytest.mark.parametrize("name", NOT_CLIFFORD)
def test_other_gates_are_not(name):
    gate = GATES[name]
    assert not is_clifford(gate, (), gate.num_qubits)


@pytest.mark.parametrize("name", ["rx", "ry", "rz", "p", "rxx", "ryy", "rzz"])
def test_quarter_turns_are_clifford_gates(name):
    gate = GATES[name]
    assert all(is_clifford(gate, (quarter * math.pi / 2,), gate.num_qubits) for quarter in range(-4, 9))
    assert not is_clifford(gate, (math.pi / 4,), gate.num_qubits)
    assert not is_clifford(gate, (math.pi / 2 + 1e-6,), gate.num_qubits)


def test_controlled_quarter_turns_are_told_apart():
    """CRZ(pi) = S† and CZ is one, CRZ(pi/2) is none; CP(pi) = CZ."""
    assert is_clifford(GATES["crz"], (math.pi,), 2)
    assert not is_clifford(GATES["crz"], (math.pi / 2,), 2)
    assert is_clifford(GATES["cp"], (math.pi,), 2)


def test_matrices_are_looked_at():
    hadamard = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    assert traits(Circuit(1).unitary(hadamard, 0)).non_clifford is None
    assert traits(Circuit(1).unitary(np.diag([1, 1j**0.5]), 0)).non_clifford == "unitary on qubit 0"


def test_the_first_gate_that_is_none_is_named():
    circuit = Circuit(4).h(0).cx(0, 1).rz(0.3, 3).t(2)
    assert traits(circuit).non_clifford == "rz(0.3) on qubit 3"


def test_gates_inside_conditions_count():
    circuit = Circuit(2).h(0).measure(0)
    with circuit.if_(0):
        circuit.t(1)
    facts = traits(circuit)
    assert facts.gates == 2
    assert facts.non_clifford == "t on qubit 1"
    assert facts.mid_circuit
    assert facts.branch_points == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_on_entanglement_holds(seed):
    """The Schmidt rank of a random circuit over every cut is at most what the bound says."""
    generator = np.random.default_rng(seed)
    circuit = Circuit(6)
    for _ in range(int(generator.integers(2, 9))):
        a, b = (int(q) for q in generator.choice(6, 2, replace=False))
        kind = generator.integers(4)
        angle = float(generator.uniform(0, 6))
        circuit.ry(angle, a).rx(angle, b)
        circuit.append(("cx", "swap", "rxx", "cz")[kind], [a, b], [angle] if kind == 2 else [])
    state = DenseSimulator.run(circuit.packed()).state
    ranks = [np.linalg.matrix_rank(state.reshape(1 << (6 - cut), 1 << cut), tol=1e-9) for cut in range(1, 6)]
    assert math.log2(max(ranks)) <= traits(circuit).schmidt_log2 + 1e-9


def test_a_ladder_is_little_entangled_and_all_joined():
    circuit = Circuit(40).h(0)
    for qubit in range(39):
        circuit.cx(qubit, qubit + 1)
    facts = traits(circuit)
    assert facts.schmidt_log2 == 1
    assert facts.largest_group == 40
    assert traits(Circuit(6).cx(0, 5).cx(1, 2).h(3)).largest_group == 2


def test_noise_is_sorted_by_what_can_run_it():
    circuit = Circuit(2).h(0)
    assert traits(circuit).channels == 0
    circuit.append(depolarizing(0.1, 2), [0, 1])
    assert traits(circuit).channel_qubits == 2
    assert traits(circuit).non_pauli is None
    circuit.append(mixed_unitary([(0.5, np.eye(2)), (0.5, np.diag([1, 1j]))], "drift"), [1])
    facts = traits(circuit)
    assert facts.non_pauli == "the channel 'drift' on qubit 1"
    assert facts.state_dependent is None
    circuit.append(amplitude_damping(0.2), [0])
    assert traits(circuit).state_dependent == "the channel 'amplitude_damping' on qubit 0"


def test_misread_bits_matter_only_where_something_looks_at_them():
    circuit = Circuit(2).h(0).measure(0)
    circuit.append(ReadoutError.flips(0.1, 0.1), [0])
    assert not traits(circuit).misread
    with circuit.if_(0):
        circuit.x(1)
    assert traits(circuit).misread
