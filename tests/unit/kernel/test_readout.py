"""What is read from a state: samples, probabilities, expectation values, collapse, copies, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm import _kernels
from reference.dense import DenseSimulator, unpack
from reference.random_circuits import CircuitBuilder, ReferenceCircuit, random_circuit, replayable
from unit.kernel.kernel_grid import (
    TOLERANCE,
    chi_square,
    evolved,
    instruction_sets,
    plan,
    precisions,
    reference,
)

PASSES = _kernels.PLANNER_PASSES
ALL = sum(PASSES.values())


def pauli_value(state: np.ndarray, x: int, z: int) -> float:
    """<P> from its definition: P|y> = i^{|x&z|} (-1)^{y.z} |y xor x>."""
    y = np.arange(len(state))
    odd = np.zeros(len(state), dtype=int)
    for qubit in range(z.bit_length()):
        odd ^= (y & z) >> qubit & 1
    signs = 1 - 2 * odd
    image = np.zeros_like(state)
    image[y ^ x] = 1j ** (x & z).bit_count() * signs * state
    return float(np.vdot(state, image).real)


@precisions
@instruction_sets
@pytest.mark.parametrize("num_qubits", [1, 5, 9, 12])
def test_counts_follow_the_probabilities(num_qubits: int, isa: str, single: bool) -> None:
    """Pearson's statistic over its degrees of freedom: mean 1, standard deviation sqrt(2 / degrees)."""
    for seed in range(3):
        circuit = random_circuit(seed, num_qubits, num_ops=30, controls_max=2, matrix_qubits_max=3)
        probabilities = np.abs(reference(circuit)) ** 2
        probabilities[probabilities < 1e-12] = 0
        for passes in (0, *PASSES.values(), *(ALL - bit for bit in PASSES.values()), ALL):
            with replayable(seed, passes=passes):
                made = plan(circuit, single=single, isa=isa, passes=passes, tile_qubits=10)
                values, counts = _kernels.run_counts(made, 20_000, seed, 2)
                assert counts.sum() == 20_000
                degrees = max(np.count_nonzero(probabilities * 20_000 >= 5), 1)
                assert chi_square(values, counts, probabilities) < 1 + 6 * np.sqrt(2 / degrees) + 6 / degrees


def test_counts_do_not_depend_on_threads_but_on_the_seed() -> None:
    circuit = random_circuit(8, 17, num_ops=60, names=["H", "RX", "RZZ", "X"], controls_max=1)
    made = plan(circuit, single=True)
    values, counts = _kernels.run_counts(made, 5000, 11, 1)
    for threads in (2, 3, 5):
        again = _kernels.run_counts(made, 5000, 11, threads)
        assert np.array_equal(values, again[0])
        assert np.array_equal(counts, again[1])
    other = _kernels.run_counts(made, 5000, 12, 1)
    assert not (
        len(other[0]) == len(values) and np.array_equal(other[0], values) and np.array_equal(other[1], counts)
    )


def test_independent_groups_are_told_apart() -> None:
    builder = CircuitBuilder(40)
    for q in range(0, 40, 2):
        builder.add("RY", [q], params=[0.3 * q]).add("X", [q + 1], controls=[q]).add(
            "RX", [q + 1], params=[1.0]
        )
    made = plan(builder.build(), single=True)
    assert made.describe()["components"] >= 10
    assert made.describe()["state_bytes"] < 1 << 20
    values, counts = _kernels.run_counts(made, 40_000, 1, 2)
    for q in range(0, 40, 2):
        ones = counts[(values >> np.uint64(q) & np.uint64(1)) == 1].sum() / 40_000
        want = np.sin(0.15 * q) ** 2
        assert abs(ones - want) < 5 * np.sqrt(0.25 / 40_000)


def test_ghz_needs_no_memory_and_only_two_outcomes() -> None:
    builder = CircuitBuilder(50).add("H", [0])
    for q in range(49):
        builder.add("X", [q + 1], controls=[q])
    values, counts = _kernels.run_counts(plan(builder.build(), single=True), 10_000, 3, 1)
    assert values.tolist() == [0, 2**50 - 1]
    assert abs(int(counts[0]) - 5000) < 5 * 50


@precisions
def test_state_samples_come_in_order_of_shots(single: bool) -> None:
    circuit = random_circuit(4, 10, num_ops=60, controls_max=1, matrix_qubits_max=2)
    state = evolved(circuit, single=single)
    shots = state.sample(2000, 9, 1)
    assert np.array_equal(shots, state.sample(2000, 9, 2))
    assert np.array_equal(shots[:500], state.sample(500, 9, 2)), "a shot depends on its number alone"
    assert not np.array_equal(np.sort(shots), shots)


@precisions
def test_marginals(single: bool) -> None:
    for seed, qubits in enumerate(([0], [3, 1], [8, 0, 5, 2], list(range(9)), [])):
        circuit = random_circuit(seed, 9, num_ops=40, controls_max=2, matrix_qubits_max=2)
        want = DenseSimulator.run(circuit).probabilities(qubits)
        got = evolved(circuit, single=single).probabilities(qubits, 2)
        assert np.abs(got - want).max() < 10 * TOLERANCE[single]


@precisions
@instruction_sets
def test_expectation_values(isa: str, single: bool) -> None:
    for seed, num_qubits in enumerate((1, 3, 6, 10, 13)):
        circuit = random_circuit(seed, num_qubits, num_ops=50, controls_max=2, matrix_qubits_max=2)
        state = reference(circuit)
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 2**num_qubits, 40).astype(np.uint64)
        z = rng.integers(0, 2**num_qubits, 40).astype(np.uint64)
        x[:20] = 0  # many strings that move nothing share one pass
        got = evolved(circuit, single=single, isa=isa).expectation(x, z, 2)
        want = [pauli_value(state, int(a), int(b)) for a, b in zip(x, z, strict=True)]
        with replayable(seed):
            assert np.abs(got - want).max() < 10 * TOLERANCE[single]


@precisions
def test_collapse(single: bool) -> None:
    for seed in range(5):
        circuit = random_circuit(seed, 8, num_ops=40, controls_max=1, matrix_qubits_max=2)
        want = reference(circuit)
        state = evolved(circuit, single=single)
        qubit = seed % 8
        ones = (np.arange(256) >> qubit & 1) == 1
        probability = float((np.abs(want[ones]) ** 2).sum())
        outcome = probability > 0.5
        kept = np.where(ones == outcome, want, 0)
        backup = state.copy()
        assert state.collapse(qubit, outcome, 2) == pytest.approx(max(probability, 1 - probability), abs=1e-5)
        assert np.abs(state.to_array() - kept / np.linalg.norm(kept)).max() < 10 * TOLERANCE[single]
        assert state.norm() == pytest.approx(1, abs=1e-5)
        assert np.abs(backup.to_array() - want).max() < TOLERANCE[single], "a copy is independent"


def shifted(circuit: ReferenceCircuit, index: int, by: float) -> ReferenceCircuit:
    params = circuit.params.copy()
    params[index] += by
    return ReferenceCircuit(**{**circuit.__dict__, "params": params})


@precisions
@pytest.mark.parametrize("num_qubits", [1, 2, 5, 8])
def test_gradients_are_the_differences_of_the_reference(num_qubits: int, single: bool) -> None:
    """Central differences of the reference: error h^2 times a third derivative, near 1e-9 for h = 1e-4."""
    step = 1e-4
    for seed in range(4):
        circuit = random_circuit(seed, num_qubits, num_ops=25, controls_max=2, matrix_qubits_max=2)
        matrices = {
            int(circuit.param_offsets[i]) for i, op in enumerate(unpack(circuit)) if op.name == "MATRIX"
        }
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 2**num_qubits, 5).astype(np.uint64)
        z = rng.integers(0, 2**num_qubits, 5).astype(np.uint64)
        weights = rng.normal(size=5)

        def energy(c: ReferenceCircuit) -> float:
            state = reference(c)
            values = [pauli_value(state, int(a), int(b)) for a, b in zip(x, z, strict=True)]  # noqa: B023
            return float(np.dot(weights, values))  # noqa: B023

        wanted = np.array(
            [i not in matrices and i % 4 != 3 for i in range(len(circuit.params))], dtype=np.uint8
        )
        made = plan(circuit, single=single, tile_qubits=10)
        value, got = _kernels.gradient(made, x, z, weights, wanted, 2)
        tolerance = 1e-3 if single else 1e-6
        with replayable(seed):
            assert value == pytest.approx(energy(circuit), abs=tolerance)
            for i in np.flatnonzero(wanted):
                want = (energy(shifted(circuit, i, step)) - energy(shifted(circuit, i, -step))) / (2 * step)
                assert got[i] == pytest.approx(want, abs=tolerance)
            assert not got[wanted == 0].any(), "what was not asked for is not computed"


@instruction_sets
def test_gradients_on_every_instruction_set(isa: str) -> None:
    circuit = random_circuit(2, 6, num_ops=40, names=["RX", "RZZ", "U", "RXX", "P"], controls_max=1)
    x, z = np.array([0, 5, 33], dtype=np.uint64), np.array([63, 4, 1], dtype=np.uint64)
    wanted = np.ones(len(circuit.params), dtype=np.uint8)
    weights = np.array([0.3, -2.0, 1e6])
    best = _kernels.gradient(plan(circuit, single=False), x, z, weights, wanted, 1)
    for single in (True, False):
        value, got = _kernels.gradient(plan(circuit, single=single, isa=isa), x, z, weights, wanted, 2)
        assert value == pytest.approx(best[0], rel=1e-5 if single else 1e-12, abs=10 if single else 1e-6)
        assert np.abs(got - best[1]).max() < (20 if single else 1e-6)


@precisions
@pytest.mark.parametrize("layers", [37, 120])
def test_gradients_of_deep_circuits_stay_finite(layers: int, single: bool) -> None:
    """RY near pi/2 defers a factor of sqrt(2) a gate: 480 of them would overflow many times over."""
    builder = CircuitBuilder(4)
    for layer in range(layers):
        for q in range(4):
            builder.add("RY", [q], params=[np.pi / 2 + 0.001 * layer])
        for q in range(4):
            builder.add("X", [(q + 1) % 4], controls=[q])
    circuit = builder.build()
    one, weights = np.array([0], dtype=np.uint64), np.array([1e20])
    wanted = np.ones(len(circuit.params), dtype=np.uint8)
    value, got = _kernels.gradient(plan(circuit, single=single), one, one + np.uint64(1), weights, wanted, 1)
    exact, slopes = _kernels.gradient(
        plan(circuit, single=False, passes=0), one, one + np.uint64(1), weights, wanted, 1
    )
    assert value / 1e20 == pytest.approx(exact / 1e20, abs=1e-4)
    assert np.isfinite(got).all()
    assert np.abs(got - slopes).max() / 1e20 < 1e-4


@precisions
def test_a_thousand_measurements_leave_a_normal_state(single: bool) -> None:
    state = evolved(CircuitBuilder(3).add("H", [1]).build(), single=single)
    hadamard = plan(CircuitBuilder(3).add("H", [0]).build(), single=single)
    for i in range(1000):
        state.apply(hadamard, 1)
        assert state.collapse(0, bool(i % 2), 1) == pytest.approx(0.5, abs=1e-4)
    assert state.norm() == pytest.approx(1, abs=1e-4)


def test_gradient_over_several_tiles_and_threads() -> None:
    circuit = random_circuit(1, 13, num_ops=60, names=["RX", "RY", "RZ", "RZZ", "P", "U"], controls_max=1)
    x, z = np.array([0, 3], dtype=np.uint64), np.array([5, 0], dtype=np.uint64)
    wanted = np.ones(len(circuit.params), dtype=np.uint8)
    whole = _kernels.gradient(plan(circuit, single=False), x, z, np.array([1.0, 0.5]), wanted, 1)
    tiled = _kernels.gradient(
        plan(circuit, single=False, tile_qubits=10), x, z, np.array([1.0, 0.5]), wanted, 1
    )
    threaded = _kernels.gradient(
        plan(circuit, single=False, tile_qubits=10), x, z, np.array([1.0, 0.5]), wanted, 3
    )
    assert np.abs(whole[1] - tiled[1]).max() < 1e-11
    assert np.array_equal(tiled[1], threaded[1])
