"""What every backend promises (`simulate/backends/protocol.py`), against the dense reference. A new backend
adds a row to the registry and a two-line subclass here."""

from __future__ import annotations

from abc import ABC

import numpy as np
import pytest

from qrealm.base.errors import BackendRefusalError, CircuitError, ResourceError
from qrealm.circuits import Circuit, PauliSum
from qrealm.simulate.backends import BACKENDS, QuantumBackend
from qrealm.simulate.backends.protocol import State, SteeredBackend, is_steered
from qrealm.simulate.estimate import estimate
from qrealm.simulate.plan.auto import refusal
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import Precision
from qrealm.simulate.request import make_request
from qrealm.simulate.run import run
from reference.dense import DenseSimulator

NUM_QUBITS = 5
PLAIN = {
    "shots": 1,
    "seed": 1,
    "precision": None,
    "threads": None,
    "return_statevector": False,
    "observables": None,
    "amplitudes": None,
    "sampled": False,
    "bit_order": "little",
    "backend": QuantumBackend.AUTO,
}
"""The options of a run that asks for nothing special."""
TOLERANCE = {Precision.SINGLE: 1e-5, Precision.DOUBLE: 1e-11}


def example() -> Circuit:
    """Dense, diagonal, permuting and controlled gates on five qubits, with no symmetry to hide behind."""
    circuit = Circuit(NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        circuit.u(0.3 + qubit, 0.7 * qubit, -0.2, qubit)
    return circuit.ccx(0, 3, 4).swap(1, 2).rzz(0.4, 0, 2).iswap(3, 1).cp(1.1, 4, 0).ry(0.5, 2).cx(2, 0)


def clifford_example() -> Circuit:
    """Clifford gates alone, and no symmetry: every backend can run it."""
    circuit = Circuit(NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        circuit.h(qubit)
    circuit.cx(0, 3).s(3).cz(1, 2).swap(1, 4).sx(0).cy(2, 0).sdg(4).h(2).iswap(3, 1).x(4).cx(4, 2)
    return circuit.h(1).s(1).h(1)


class BackendContract(ABC):
    """What every backend promises through `qrealm.run`; a subclass says which backend."""

    name: QuantumBackend

    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        for package in BACKENDS[self.name].card.packages:
            pytest.importorskip(package)

    @pytest.fixture(params=[clifford_example, example], ids=["clifford", "general"])
    def circuit(self, request: pytest.FixtureRequest) -> Circuit:
        """A circuit that it can run."""
        circuit: Circuit = request.param()
        wants = make_request(NUM_QUBITS, **PLAIN).wants
        if refusal(BACKENDS[self.name].card, traits(circuit), wants):
            pytest.skip(f"{self.name} does not run it")
        return circuit

    def test_the_row_has_its_name_and_tells_what_it_is(self) -> None:
        card = BACKENDS[self.name].card
        assert card.name == self.name
        assert card.qubits_max >= NUM_QUBITS
        assert card.summary
        assert bool(card.packages) == bool(card.extra)

    def test_counts_follow_the_amplitudes_and_the_seed(self, circuit: Circuit) -> None:
        truth = np.abs(DenseSimulator.run(circuit.packed()).state) ** 2
        shots = 20_000
        result = run(circuit, shots=shots, seed=5, backend=self.name)
        assert result.counts == run(circuit, shots=shots, seed=5, threads=2, backend=self.name).counts
        assert result.counts != run(circuit, shots=shots, seed=6, backend=self.name).counts
        assert sum(result.counts.values()) == shots
        share = np.zeros(32)
        for key, count in result.counts.items():
            share[int(key, 2)] = count / shots
        # Five standard deviations of each binomial share, 32 of them.
        assert (np.abs(share - truth) < 5 * np.sqrt(truth / shots) + 1e-3).all()
        assert result.metadata["backend"] == self.name
        assert result.metadata["memory_bytes"] > 0

    def test_exact_values(self, circuit: Circuit) -> None:
        observables = {"a": "Z0", "b": "0.5 X1 - Y2 Z4", "c": "Z0 Z1 Z2 Z3 Z4 + 2"}
        reference = DenseSimulator.run(circuit.packed())
        found = run(circuit, shots=0, observables=observables, backend=self.name).expectation_values
        assert found["a"] == pytest.approx(reference.expectation({0: "Z"}), abs=1e-5)
        want = 0.5 * reference.expectation({1: "X"}) - reference.expectation({2: "Y", 4: "Z"})
        assert found["b"] == pytest.approx(want, abs=1e-5)
        parity = reference.expectation(dict.fromkeys(range(NUM_QUBITS), "Z"))
        assert found["c"] == pytest.approx(parity + 2, abs=1e-5)

    def test_registers_and_unmeasured_qubits(self) -> None:
        circuit = Circuit(3)
        circuit.add_register("a", 2)
        circuit.add_register("b", 1)
        circuit.x(0).x(2).measure([2, 0, 1], [0, 2, 1])
        assert run(circuit, shots=10, seed=1, backend=self.name).counts == {"1 01": 10}

    def test_it_refuses_before_it_allocates(self) -> None:
        with pytest.raises((BackendRefusalError, CircuitError, ResourceError)):
            run(Circuit(200).h(range(200)).t(range(200)), shots=0, return_statevector=True, backend=self.name)

    def test_the_card_tells_memory_and_time(self, circuit: Circuit) -> None:
        told = estimate(circuit, backend=self.name)
        assert told.backend == self.name
        assert told.memory_bytes > 0
        assert 0 < told.seconds < 60


class SteeredContract(BackendContract):
    """What backends promise that hold amplitudes, against the dense reference."""

    @pytest.fixture
    def backend(self) -> SteeredBackend:
        backend = BACKENDS[self.name].load()
        assert is_steered(backend)
        return backend

    @pytest.fixture(params=list(Precision), ids=str)
    def precision(self, request: pytest.FixtureRequest, backend: SteeredBackend) -> Precision:
        if request.param not in backend.card.precisions:
            pytest.skip(f"{self.name} does not hold {request.param} states")
        return request.param

    @pytest.fixture
    def state(self, backend: SteeredBackend, precision: Precision) -> State:
        state = backend.start(NUM_QUBITS, precision)
        state.apply(backend.compile(example().packed(), precision), threads=2)
        return state

    @pytest.fixture
    def truth(self) -> np.ndarray:
        return DenseSimulator.run(example().packed()).state

    def test_the_card_is_the_backends(self, backend: SteeredBackend) -> None:
        assert backend.card is BACKENDS[self.name].card
        assert backend.card.name == self.name
        assert backend.card.qubits_max >= NUM_QUBITS

    def test_a_program_tells_its_work(self, backend: SteeredBackend, precision: Precision) -> None:
        work = backend.compile(example().packed(), precision).work(100)
        assert work.state_bytes >= precision.amplitude_bytes << NUM_QUBITS
        assert work.gates == len(example().packed())
        assert work.shots == 100
        assert work.flops > 0

    def test_a_state_starts_in_zero(self, backend: SteeredBackend, precision: Precision) -> None:
        array = backend.start(NUM_QUBITS, precision).to_array(1)
        assert array[0] == 1
        assert not array[1:].any()

    def test_amplitudes(self, state: State, truth: np.ndarray, precision: Precision) -> None:
        array = state.to_array(2)
        assert array.dtype == (np.complex64 if precision is Precision.SINGLE else np.complex128)
        assert np.abs(array - truth).max() < TOLERANCE[precision]
        chosen = np.array([3, 0, 31], dtype=np.uint64)
        assert np.abs(state.amplitudes(chosen) - truth[[3, 0, 31]]).max() < TOLERANCE[precision]

    def test_a_loaded_state_goes_on(
        self, backend: SteeredBackend, truth: np.ndarray, precision: Precision
    ) -> None:
        state = backend.start(NUM_QUBITS, precision)
        state.load(truth)
        state.apply(backend.compile(Circuit(NUM_QUBITS).x(4).packed(), precision), threads=1)
        assert np.abs(state.to_array(1) - truth[np.arange(32) ^ 16]).max() < TOLERANCE[precision]

    def test_probabilities_have_the_first_qubit_as_low_bit(self, state: State, precision: Precision) -> None:
        want = DenseSimulator.run(example().packed()).probabilities([3, 0])
        assert state.probabilities([3, 0], 2) == pytest.approx(want, abs=10 * TOLERANCE[precision])

    def test_expectation_values(self, state: State, precision: Precision) -> None:
        x_masks, z_masks, _ = PauliSum("Z0 + X1 + Y2 Z4 + X0 X3").masks()
        reference = DenseSimulator.run(example().packed())
        want = {0: "Z"}, {1: "X"}, {2: "Y", 4: "Z"}, {0: "X", 3: "X"}
        masks = zip(x_masks.tolist(), z_masks.tolist(), strict=True)
        found = dict(zip(masks, state.expectation(x_masks, z_masks, 2), strict=True))
        for string in want:
            x = sum(1 << q for q, p in string.items() if p in "XY")
            z = sum(1 << q for q, p in string.items() if p in "YZ")
            assert found[x, z] == pytest.approx(reference.expectation(string), abs=10 * TOLERANCE[precision])

    def test_samples_follow_the_probabilities_and_the_seed(self, state: State, truth: np.ndarray) -> None:
        shots = state.sample(20_000, 5, 1)
        assert np.array_equal(shots, state.sample(20_000, 5, 2))
        assert not np.array_equal(shots, state.sample(20_000, 6, 2))
        share = np.bincount(shots.astype(np.int64), minlength=32) / 20_000
        # Five standard deviations of each binomial share, 32 of them.
        assert (np.abs(share - np.abs(truth) ** 2) < 5 * np.sqrt(np.abs(truth) ** 2 / 20_000) + 1e-3).all()

    def test_counts_are_ascending_and_follow_the_seed(
        self, backend: SteeredBackend, truth: np.ndarray, precision: Precision
    ) -> None:
        program = backend.compile(example().packed(), precision)
        values, counts = program.counts(20_000, 5, 1)
        again = program.counts(20_000, 5, 2)
        assert np.array_equal(values, again[0])
        assert np.array_equal(counts, again[1])
        assert (np.diff(values.astype(np.int64)) > 0).all()
        assert counts.sum() == 20_000
        share = np.zeros(32)
        share[values.astype(np.int64)] = counts / 20_000
        assert (np.abs(share - np.abs(truth) ** 2) < 5 * np.sqrt(np.abs(truth) ** 2 / 20_000) + 1e-3).all()

    def test_collapse_and_copy(self, state: State, truth: np.ndarray, precision: Precision) -> None:
        kept = state.copy()
        ones = (np.arange(32) >> 2 & 1) == 1
        probability = state.collapse(2, 1, 2)
        assert probability == pytest.approx(float((np.abs(truth[ones]) ** 2).sum()), abs=1e-5)
        want = np.where(ones, truth, 0) / np.sqrt(probability)
        assert np.abs(state.to_array(1) - want).max() < 10 * TOLERANCE[precision]
        assert np.abs(kept.to_array(1) - truth).max() < TOLERANCE[precision]

    def test_gradient_is_the_derivative(self, backend: SteeredBackend, precision: Precision) -> None:
        """<Z> after RY(a) RY(b) is cos(a + b)."""
        packed = Circuit(NUM_QUBITS).ry(0.3, 1).ry(0.4, 1).packed()
        terms = PauliSum("2 Z1").masks()
        wanted = np.array([1, 0], dtype=np.uint8)
        value, slopes = backend.compile(packed, precision).gradient(terms, wanted, 1)
        assert value == pytest.approx(2 * np.cos(0.7), abs=1e-5)
        assert slopes == pytest.approx([-2 * np.sin(0.7), 0], abs=1e-5)


class TestStateVector(SteeredContract):
    name = QuantumBackend.STATEVECTOR


class TestDensityMatrix(BackendContract):
    name = QuantumBackend.DENSITY_MATRIX


class TestMPS(BackendContract):
    name = QuantumBackend.MPS


class TestTensorNetwork(BackendContract):
    name = QuantumBackend.TENSOR_NETWORK


class TestTrajectories(BackendContract):
    name = QuantumBackend.TRAJECTORIES


class TestStabilizer(BackendContract):
    name = QuantumBackend.STABILIZER


class TestGPU(SteeredContract):
    name = QuantumBackend.GPU


class TestQiskit(BackendContract):
    name = QuantumBackend.QISKIT


class TestCirq(BackendContract):
    name = QuantumBackend.CIRQ


class TestPennyLane(BackendContract):
    name = QuantumBackend.PENNYLANE


def test_every_row_of_the_registry_is_under_contract() -> None:
    suites = {*BackendContract.__subclasses__(), *SteeredContract.__subclasses__()} - {SteeredContract}
    assert {suite.name for suite in suites} == set(BACKENDS)
