"""The reference simulator against closed forms and against its own definition, entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reference.dense import DenseSimulator, full_matrix, unpack
from reference.ops import KERNEL_OPS, MATRIX, OP_BY_NAME, PAULI_X, PAULIS, universal
from reference.random_circuits import CircuitBuilder, random_circuit, random_unitary, replayable

NAMED_OPS = [op for op in KERNEL_OPS if op.code != MATRIX]


@pytest.mark.parametrize("op", NAMED_OPS, ids=lambda op: op.name)
def test_every_named_op_is_unitary(op):
    matrix = op.matrix(*(0.3 + 0.4 * k for k in range(op.num_params)))
    assert matrix.shape == (2**op.num_targets,) * 2
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), atol=1e-15)


def test_op_codes_are_the_kernels_numbering():
    assert [op.code for op in KERNEL_OPS] == list(range(23))


@pytest.mark.parametrize(
    "root, power, square",
    [
        ("S", 2, "Z"),
        ("T", 2, "S"),
        ("SX", 2, "X"),
        ("H", 2, "I"),
        ("TDG", 2, "SDG"),
        ("T", 8, "I"),
        ("SXDG", 2, "X"),
    ],
)
def test_powers(root, power, square):
    expected = np.eye(2) if square == "I" else OP_BY_NAME[square].matrix()
    np.testing.assert_allclose(np.linalg.matrix_power(OP_BY_NAME[root].matrix(), power), expected, atol=1e-15)


@pytest.mark.parametrize("name", ["S", "T", "SX"])
def test_dagger_is_the_inverse(name):
    product = OP_BY_NAME[name].matrix() @ OP_BY_NAME[name + "DG"].matrix()
    np.testing.assert_allclose(product, np.eye(2), atol=1e-15)


@pytest.mark.parametrize(
    "axis, angles",
    [
        ("RX", lambda theta: (theta, -math.pi / 2, math.pi / 2)),
        ("RY", lambda theta: (theta, 0.0, 0.0)),
    ],
)
def test_rotations_are_special_cases_of_u(axis, angles):
    """OpenQASM 3, stdgates: rx(θ) = U(θ, -π/2, π/2) and ry(θ) = U(θ, 0, 0), without a phase."""
    np.testing.assert_allclose(OP_BY_NAME[axis].matrix(0.7), universal(*angles(0.7)), atol=1e-15)


def test_u_equals_rz_ry_rz_up_to_its_phase():
    """Nielsen and Chuang, theorem 4.1: U = e^{i(φ+λ)/2} Rz(φ) Ry(θ) Rz(λ)."""
    theta, phi, lam = 0.7, -1.3, 2.1
    rz, ry = OP_BY_NAME["RZ"].matrix, OP_BY_NAME["RY"].matrix
    expected = np.exp(0.5j * (phi + lam)) * rz(phi) @ ry(theta) @ rz(lam)
    np.testing.assert_allclose(universal(theta, phi, lam), expected, atol=1e-15)


@pytest.mark.parametrize(
    "name, low, high",
    [("RXX", "X", "X"), ("RYY", "Y", "Y"), ("RZZ", "Z", "Z"), ("RZX", "Z", "X")],
)
def test_two_qubit_rotations_are_exponentials(name, low, high):
    """The matrix exponential by diagonalisation, not by the cosine formula that `ops` uses."""
    theta = 0.9
    values, vectors = np.linalg.eigh(np.kron(PAULIS[high], PAULIS[low]))
    expected = (vectors * np.exp(-0.5j * theta * values)) @ vectors.conj().T
    np.testing.assert_allclose(OP_BY_NAME[name].matrix(theta), expected, atol=1e-14)


def test_iswap_is_an_exponential():
    generator = np.kron(PAULIS["X"], PAULIS["X"]) + np.kron(PAULIS["Y"], PAULIS["Y"])
    values, vectors = np.linalg.eigh(generator)
    expected = (vectors * np.exp(0.25j * math.pi * values)) @ vectors.conj().T
    np.testing.assert_allclose(OP_BY_NAME["ISWAP"].matrix(), expected, atol=1e-14)


def test_bell_state():
    circuit = CircuitBuilder(2).add("H", [0]).add("X", [1], controls=[0]).build()
    np.testing.assert_allclose(
        DenseSimulator.run(circuit).state, np.array([1, 0, 0, 1]) / math.sqrt(2), atol=1e-15
    )


@pytest.mark.parametrize("num_qubits", [1, 3, 6])
def test_ghz_state(num_qubits):
    builder = CircuitBuilder(num_qubits).add("H", [0])
    for q in range(num_qubits - 1):
        builder.add("X", [q + 1], controls=[q])
    simulator = DenseSimulator.run(builder.build())
    expected = np.zeros(2**num_qubits)
    expected[0] = expected[-1] = math.sqrt(0.5)
    np.testing.assert_allclose(simulator.state, expected, atol=1e-15)
    assert simulator.expectation(dict.fromkeys(range(num_qubits), "X")) == pytest.approx(1)
    np.testing.assert_allclose(simulator.probabilities([num_qubits - 1]), [0.5, 0.5], atol=1e-15)


@pytest.mark.parametrize("num_qubits", [2, 5])
def test_qft_is_the_discrete_fourier_transform(num_qubits):
    """Nielsen and Chuang, section 5.1: |x⟩ goes to Σ_y e^{2πi xy/N} |y⟩ / √N."""
    size = 2**num_qubits
    for x in range(size):
        builder = CircuitBuilder(num_qubits)
        for q in range(num_qubits):
            if (x >> q) & 1:
                builder.add("X", [q])
        for i in reversed(range(num_qubits)):
            builder.add("H", [i])
            for j in reversed(range(i)):
                builder.add("P", [i], params=[math.pi / 2 ** (i - j)], controls=[j])
        for i in range(num_qubits // 2):
            builder.add("SWAP", [i, num_qubits - 1 - i])
        expected = np.exp(2j * math.pi * x * np.arange(size) / size) / math.sqrt(size)
        np.testing.assert_allclose(DenseSimulator.run(builder.build()).state, expected, atol=1e-14)


def test_w_state():
    """|W_n⟩ = (|10…0⟩ + … + |0…01⟩)/√n: qubit k passes on the part of the excitation that is not its own."""
    n = 5
    builder = CircuitBuilder(n).add("X", [0])
    for k in range(n - 1):
        keep = 1 / math.sqrt(n - k)
        builder.add("RY", [k + 1], params=[2 * math.acos(keep)], controls=[k])
        builder.add("X", [k], controls=[k + 1])
    expected = np.zeros(2**n)
    expected[[1 << k for k in range(n)]] = 1 / math.sqrt(n)
    np.testing.assert_allclose(DenseSimulator.run(builder.build()).state, expected, atol=1e-15)


@pytest.mark.parametrize("theta", np.linspace(0, 4 * math.pi, 9))
def test_rabi_oscillation(theta):
    """A pulse of area θ on |0⟩ leaves P(1) = sin²(θ/2) and ⟨Y⟩ = -sin θ (rotation about x)."""
    simulator = DenseSimulator.run(CircuitBuilder(1).add("RX", [0], params=[theta]).build())
    np.testing.assert_allclose(
        simulator.probabilities(), [math.cos(theta / 2) ** 2, math.sin(theta / 2) ** 2], atol=1e-15
    )
    assert simulator.expectation({0: "Y"}) == pytest.approx(-math.sin(theta), abs=1e-14)
    assert simulator.expectation({0: "Z"}) == pytest.approx(math.cos(theta), abs=1e-14)


def test_controlled_global_phase_is_a_phase_on_all_ones():
    builder = CircuitBuilder(3)
    for q in range(3):
        builder.add("H", [q])
    builder.add("GPHASE", [], params=[0.6], controls=[2, 0, 1])
    expected = np.full(8, 8**-0.5, dtype=complex)
    expected[7] *= np.exp(0.6j)
    np.testing.assert_allclose(DenseSimulator.run(builder.build()).state, expected, atol=1e-15)


def test_toffoli_truth_table():
    for index in range(8):
        builder = CircuitBuilder(3)
        for q in range(3):
            if (index >> q) & 1:
                builder.add("X", [q])
        state = DenseSimulator.run(builder.add("X", [1], controls=[2, 0]).build()).state
        expected = index ^ 2 if index & 5 == 5 else index
        assert np.flatnonzero(state).tolist() == [expected]


def test_matrix_takes_its_first_qubit_as_the_low_bit():
    on_first = np.kron(np.eye(2), PAULI_X)
    simulator = DenseSimulator.run(CircuitBuilder(3).add_matrix(on_first, [2, 0]).build())
    assert np.flatnonzero(simulator.state).tolist() == [0b100]


def test_marginal_probabilities_follow_the_order_asked_for():
    simulator = DenseSimulator.run(CircuitBuilder(3).add("X", [2]).build())
    assert simulator.probabilities([2, 0]).tolist() == [0, 1, 0, 0]
    assert simulator.probabilities([0, 2]).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("seed", range(40))
def test_tensordot_agrees_with_the_matrix_written_out(seed):
    num_qubits = 1 + seed % 6
    circuit = random_circuit(seed, num_qubits, 30)
    with replayable(seed, num_qubits=num_qubits):
        expected = np.zeros(2**num_qubits, dtype=complex)
        expected[0] = 1
        for op in unpack(circuit):
            expected = full_matrix(op, num_qubits) @ expected
        simulator = DenseSimulator.run(circuit)
        np.testing.assert_allclose(simulator.state, expected, atol=1e-13)
        assert simulator.probabilities().sum() == pytest.approx(1, abs=1e-12)


def test_random_circuits_reach_every_op_and_every_number_of_controls():
    circuit = random_circuit(1, 7, 4000)
    assert set(circuit.codes.tolist()) == {op.code for op in KERNEL_OPS}
    assert set(circuit.num_controls[circuit.codes == OP_BY_NAME["X"].code].tolist()) == set(range(7))
    sizes = {op.matrix.shape[0] for op in unpack(circuit) if op.name == "MATRIX"}
    assert sizes == {2, 4, 8, 16, 32, 64}


def test_random_circuits_are_the_same_for_the_same_seed():
    first, second = random_circuit(5, 4, 50), random_circuit(5, 4, 50)
    np.testing.assert_array_equal(first.qubits, second.qubits)
    np.testing.assert_array_equal(first.params, second.params)
    assert not np.array_equal(first.codes, random_circuit(6, 4, 50).codes)


def test_random_unitary_is_unitary():
    matrix = random_unitary(np.random.default_rng(3), 4)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(16), atol=1e-14)


def test_a_failure_names_its_seed():
    with pytest.raises(ValueError, match="broken") as caught, replayable(17, num_qubits=3):
        raise ValueError("broken")
    assert caught.value.__notes__ == ["replay with seed=17, num_qubits=3"]
