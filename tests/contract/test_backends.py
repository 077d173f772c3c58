"""What every backend promises (`simulate/backends/protocol.py`), against the dense reference. A new backend
adds a row to the registry and a two-line subclass here."""

from __future__ import annotations

import pickle
from abc import ABC
from typing import Any

import numpy as np
import pytest

from qrealm.base.errors import BackendRefusalError, CircuitError, ParameterError, RequestError, ResourceError
from qrealm.circuits import Circuit, Parameter, PauliSum
from qrealm.circuits.noise import NoiseModel, ReadoutError, amplitude_damping, depolarizing
from qrealm.simulate.backends import BACKENDS, QuantumBackend
from qrealm.simulate.backends.protocol import State, SteeredBackend, is_steered
from qrealm.simulate.estimate import estimate
from qrealm.simulate.plan.auto import refusal
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import Precision
from qrealm.simulate.request import make_request
from qrealm.simulate.results import Result
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
    refuses: frozenset[str] = frozenset()
    """What it cannot do, by the names in `_asked`; all else it must do right."""

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

    # ---- right, or refused by name -------------------------------------------------------------------

    def _asked(self, what: str, circuit: Circuit, **options: Any) -> Result | None:
        """The run; None where the backend refuses, as it says that it does."""
        if what not in self.refuses:
            return run(circuit, seed=11, backend=self.name, **options)
        with pytest.raises((BackendRefusalError, RequestError), match=f"the {self.name} backend"):
            run(circuit, seed=11, backend=self.name, **options)
        return None

    def _shares(self, what: str, circuit: Circuit, want: dict[str, float], **options: Any) -> None:
        """Counts follow probabilities, by five standard deviations of each share, and the seed."""
        shots = 4000
        found = self._asked(what, circuit, shots=shots, **options)
        if found is None:
            return
        assert set(found.counts) <= {key for key, share in want.items() if share}
        for key, share in want.items():
            spread = 5 * np.sqrt(share * (1 - share) / shots)
            assert found.counts.get(key, 0) / shots == pytest.approx(share, abs=spread + 1e-9)
        again = run(circuit, shots=shots, seed=11, backend=self.name, threads=2, **options)
        assert found.counts == again.counts

    def test_pauli_noise(self) -> None:
        """Depolarizing by 0.2 takes <Z> = -1 to -0.8."""
        noise = NoiseModel().after_gates(depolarizing(0.2), "x")
        self._shares("noise", Circuit(1).x(0), {"1": 0.9, "0": 0.1}, noise=noise)
        self._value("noise", Circuit(1).x(0), "Z0", -0.8, noise=noise)

    def test_damping(self) -> None:
        """1 decays with probability 0.3."""
        noise = NoiseModel().after_gates(amplitude_damping(0.3), "x")
        self._shares("damping", Circuit(1).x(0), {"1": 0.7, "0": 0.3}, noise=noise)
        self._value("damping", Circuit(1).x(0), "Z0", -0.4, noise=noise)

    def _value(self, what: str, circuit: Circuit, term: str, want: float, **options: Any) -> None:
        """A value is exact, or an average over shots with its standard error: five of them."""
        found = self._asked(what, circuit, shots=20_000, observables=term, **options)
        if found is not None:
            spread = 5 * found.standard_errors[term] + 1e-5
            assert found.expectation_values[term] == pytest.approx(want, abs=spread)

    def test_a_measurement_half_way(self) -> None:
        """H, measured, H, measured: two fair bits that know nothing of each other."""
        circuit = Circuit(1, 2).h(0).measure(0, 0).h(0).measure(0, 1)
        self._shares("half-way", circuit, dict.fromkeys(("00", "01", "10", "11"), 0.25))

    def test_a_reset_of_an_entangled_qubit(self) -> None:
        circuit = Circuit(2, 2).h(0).cx(0, 1).reset(0).measure([0, 1], [0, 1])
        self._shares("half-way", circuit, {"00": 0.5, "10": 0.5})

    def test_a_reset_of_a_fresh_qubit_is_nothing(self) -> None:
        circuit = Circuit(2).reset(1).h(0)
        self._shares("fresh reset", circuit, {"00": 0.5, "01": 0.5})
        self._value("fresh reset", circuit, "X0", 1.0)

    def test_a_condition(self) -> None:
        circuit = Circuit(2, 2).h(0).measure(0, 0)
        with circuit.if_(0):
            circuit.x(1)
        self._shares("half-way", circuit.measure(1, 1), {"00": 0.5, "11": 0.5})

    def test_conditions_inside_conditions(self) -> None:
        """Bits 0 and 1 are both 1, written in the other order: the outer condition holds, the inner does
        not, its other branch does; and the other branch of one that holds does not."""
        circuit = Circuit(5, 5).x(0).measure(0, 1).measure(0, 0)
        outer = Circuit(5, 5).x(1)
        outer.if_(0, 0, Circuit(5, 5).x(2), Circuit(5, 5).x(3))
        inner = Circuit(5, 5)
        inner.if_(0, 1, Circuit(5, 5).x(4))
        circuit.if_(1, 1, outer, inner)
        circuit.measure([1, 2, 3, 4], [1, 2, 3, 4])
        self._shares("half-way", circuit, {"01011": 1.0})

    def test_a_condition_on_a_bit_that_nothing_has_measured(self) -> None:
        """It is 0: what stands inside comes about, measurements and conditions too."""
        circuit = Circuit(3, 3).x(0)
        inside = Circuit(3, 3).measure(0, 1)
        inside.if_(1, 1, Circuit(3, 3).x(1))
        circuit.if_(2, 0, inside, Circuit(3, 3).x(2))
        circuit.if_([1, 2], 3, Circuit(3, 3).x(2))
        circuit.if_(1, 1, Circuit(3, 3).x(0))
        self._shares("half-way", circuit.measure([1, 2], [0, 2]), {"011": 1.0})

    def test_a_value_after_a_measurement_half_way(self) -> None:
        """<Z1> is fair, <Z0 Z1> certain."""
        circuit = Circuit(2, 1).h(0).measure(0, 0).cx(0, 1).h(0).h(0)
        self._value("value half-way", circuit, "Z0 Z1", 1.0)
        self._value("value half-way", circuit, "Z1", 0.0)

    def test_a_bit_misread_before_it_decides(self) -> None:
        """1 is read as 0 with probability 0.25, and then nothing happens to the other qubit."""
        circuit = Circuit(2, 2).x(0).measure(0, 0)
        circuit.append(ReadoutError.flips(0.0, 0.25), [0])
        with circuit.if_(0):
            circuit.x(1)
        self._shares("misread", circuit.measure(1, 1), {"11": 0.75, "00": 0.25})

    def test_a_faulty_detector(self) -> None:
        noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.3))
        want = {"01": 0.7 * 0.9, "00": 0.3 * 0.9, "11": 0.7 * 0.1, "10": 0.3 * 0.1}
        self._shares("detector", Circuit(2).x(0), want, noise=noise)

    def test_values_from_samples(self) -> None:
        """Those of a Bell pair are certain; that of one of its qubits is fair."""
        for term, want in (("Z0 Z1", 1.0), ("X0 X1", 1.0), ("Y0 Y1", -1.0), ("Z0", 0.0)):
            self._value("sampled", Circuit(2).h(0).cx(0, 1), term, want, sampled=True)

    def test_states_and_amplitudes(self, circuit: Circuit) -> None:
        truth = DenseSimulator.run(circuit.packed()).state
        card = BACKENDS[self.name].card
        for precision, bound in (("single", 1e-5), ("double", 1e-10)):
            options: dict[str, Any] = {"shots": 0, "precision": precision}
            whole = self._asked("state", circuit, return_statevector=True, **options)
            chosen = self._asked("state", circuit, amplitudes=["00011", "11111"], **options)
            if whole is None or chosen is None:
                continue
            assert whole.statevector is not None
            assert whole.metadata["precision"] == precision
            phase = 1.0 if card.global_phase else np.vdot(whole.statevector, truth)
            assert np.abs(phase * whole.statevector - truth).max() < bound
            some = np.array(list(chosen.amplitudes().values()))
            phase = 1.0 if card.global_phase else np.exp(1j * np.angle(np.vdot(some, truth[[3, 31]])))
            assert np.abs(phase * some - truth[[3, 31]]).max() < bound

    def test_a_density_matrix(self) -> None:
        """A Bell pair's, on the corners."""
        circuit = Circuit(2).h(0).cx(0, 1)
        found = self._asked("density matrix", circuit, shots=0, return_density_matrix=True)
        if found is not None:
            want = np.zeros((4, 4))
            want[np.ix_([0, 3], [0, 3])] = 0.5
            assert np.abs(found.density_matrix - want).max() < 1e-6

    def test_precision_is_kept(self, circuit: Circuit) -> None:
        want = DenseSimulator.run(circuit.packed()).expectation({0: "Z", 3: "X"})
        for precision, bound in (("single", 1e-5), ("double", 1e-10)):
            found = run(circuit, shots=0, observables="Z0 X3", precision=precision, backend=self.name)
            assert found.metadata["precision"] == precision
            assert found.expectation_values["Z0 X3"] == pytest.approx(want, abs=bound)

    def test_open_parameters_are_refused(self) -> None:
        circuit = Circuit(2).h(0).rx(Parameter("angle"), 1)
        for options in ({"shots": 10}, {"shots": 0, "observables": "Z0"}):
            with pytest.raises(ParameterError, match="not bound yet: angle"):
                run(circuit, backend=self.name, **options)

    def test_a_result_can_be_pickled(self) -> None:
        found = run(Circuit(2).h(0).cx(0, 1), shots=100, seed=1, observables="Z0 Z1", backend=self.name)
        again = pickle.loads(pickle.dumps(found))
        assert again.to_dict() == found.to_dict()
        assert again.metadata["backend"] == self.name


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


PURE = frozenset({"noise", "damping", "density matrix"})
"""What pure states are not for."""
PEER = frozenset({"sampled", "misread", "value half-way"})
"""What other simulators are not asked for."""


class TestStateVector(SteeredContract):
    name = QuantumBackend.STATEVECTOR
    refuses = PURE


class TestDensityMatrix(BackendContract):
    name = QuantumBackend.DENSITY_MATRIX
    refuses = frozenset({"state"})


class TestMPS(BackendContract):
    name = QuantumBackend.MPS
    refuses = PURE


class TestTensorNetwork(BackendContract):
    name = QuantumBackend.TENSOR_NETWORK
    refuses = PURE | PEER | {"half-way"}


class TestTrajectories(BackendContract):
    name = QuantumBackend.TRAJECTORIES
    refuses = frozenset({"state", "density matrix"})


class TestStabilizer(BackendContract):
    name = QuantumBackend.STABILIZER
    refuses = frozenset({"damping", "density matrix"})


class TestGPU(SteeredContract):
    name = QuantumBackend.GPU
    refuses = PURE | {"misread"}


class TestQiskit(BackendContract):
    name = QuantumBackend.QISKIT
    refuses = PEER


class TestCirq(BackendContract):
    name = QuantumBackend.CIRQ
    refuses = PURE | PEER


class TestPennyLane(BackendContract):
    name = QuantumBackend.PENNYLANE
    refuses = PURE | PEER | {"half-way"}


def test_every_row_of_the_registry_is_under_contract() -> None:
    suites = {*BackendContract.__subclasses__(), *SteeredContract.__subclasses__()} - {SteeredContract}
    assert {suite.name for suite in suites} == set(BACKENDS)
