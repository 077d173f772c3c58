"""`EstimatorV2` against Qiskit's own estimator, closed forms, and its promise about standard errors."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2, real_amplitudes
from qiskit.primitives import BackendEstimatorV2, StatevectorEstimator
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from scipy.optimize import minimize

from e2e.providers.qiskit_cases import SIGMAS, ansatz, observable, teleportation
from engines.nodes import wait_until
from qrealm.base.errors import CancelledRunError, RequestError
from qrealm.circuits.noise import NoiseModel, ReadoutError, depolarizing
from qrealm.faces.providers.qiskit import EstimatorOptions, EstimatorV2, QrealmProvider


@pytest.mark.parametrize("seed", range(4))
def test_exact_values_are_those_of_qiskit(seed: int) -> None:
    circuit = ansatz(seed, 4, 25)
    rng = np.random.default_rng(seed)
    observables = [[observable(10 * seed + row, 4, 5)] for row in range(3)]
    values = rng.uniform(-3, 3, (2, 1, 5, 4))
    pub = (circuit, observables, values)
    ours, theirs = EstimatorV2().run([pub]).result()[0], StatevectorEstimator().run([pub]).result()[0]
    assert ours.data.evs.shape == theirs.data.evs.shape == (2, 3, 5)
    assert np.abs(ours.data.evs - theirs.data.evs).max() < 1e-10
    assert ours.data.stds.shape == (2, 3, 5)
    assert not ours.data.stds.any()


def test_observables_that_go_with_the_values() -> None:
    """Equal shapes: each observable meets one row of values, and only what is asked for is run."""
    circuit = ansatz(3, 4, 20)
    observables = [observable(number % 4, 4, 3) for number in range(12)]
    values = np.random.default_rng(3).uniform(-3, 3, (12, 4))
    pub = (circuit, observables, values)
    ours, theirs = EstimatorV2().run([pub]).result()[0], StatevectorEstimator().run([pub]).result()[0]
    assert np.abs(ours.data.evs - theirs.data.evs).max() < 1e-10


def test_one_value_is_a_number() -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 1)
    data = EstimatorV2().run([(circuit, "ZI")]).result()[0].data
    assert data.evs.shape == ()
    assert float(data.evs) == pytest.approx(np.cos(0.4), abs=1e-12)


def test_kinds_of_observables() -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    kinds = [
        "IZ",
        Pauli("-IX"),
        SparsePauliOp(["IZ", "II"], [0.5, 2]),
        {"IZ": 1.5, "ZZ": 0.5},
        SparseObservable.from_list([("00", 1.0), ("I+", 0.5)]),
        {"1I": 1.0, "II": 0.25},
    ]
    evs = EstimatorV2().run([(circuit, kinds)]).result()[0].data.evs
    c, s = np.cos(0.4), np.sin(0.4)
    zero, plus = (1 + c) / 2, (1 + s) / 2
    assert evs == pytest.approx([c, -s, 0.5 * c + 2, 2 * c, zero + plus / 2, 0.25], abs=1e-12)


def test_layouts_of_transpiled_circuits() -> None:
    source = efficient_su2(4, reps=1)
    backend = QrealmProvider().get_backend()
    values = np.random.default_rng(4).uniform(-3, 3, source.num_parameters)
    wanted = observable(4, 4, 6)
    for circuit in (
        transpile(source, backend, optimization_level=3, seed_transpiler=2),
        transpile(source, backend, initial_layout=[2, 0, 3, 1]),
        transpile(source, basis_gates=["rz", "sx", "cz"], coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]]),
        generate_preset_pass_manager(2, backend).run(source),
    ):
        pub = (circuit, wanted.apply_layout(circuit.layout), values)
        ours = EstimatorV2(backend).run([pub]).result()[0].data.evs
        theirs = StatevectorEstimator().run([(source, wanted, values)]).result()[0].data.evs
        assert abs(ours - theirs) < 1e-10


def test_idle_qubits_of_a_wide_device() -> None:
    circuit = QuantumCircuit(150)
    circuit.ry(0.4, 70)
    circuit.cx(70, 149)
    circuit.barrier()
    kinds = [
        SparsePauliOp.from_sparse_list([("ZZ", [0, 70], 1), ("XZ", [1, 70], 5), ("Z", [2], 2)], 150),
        SparseObservable.from_sparse_list(
            [("0Z", [3, 149], 1), ("+Z", [4, 149], 1), ("1Z", [5, 149], 7)], 150
        ),
        SparseObservable.from_sparse_list([("r-", [3, 4], 1), ("Y", [5], 1)], 150),
        SparsePauliOp.from_sparse_list([("Y", [9], 1)], 150),
    ]
    wanted = [np.cos(0.4) + 2, 1.5 * np.cos(0.4), 0.25, 0]
    assert EstimatorV2().run([(circuit, kinds)]).result()[0].data.evs == pytest.approx(wanted, abs=1e-12)
    evs = EstimatorV2(seed=3).run([(circuit, kinds)], precision=0.05).result()[0].data.evs
    assert (np.abs(evs - wanted) < SIGMAS * 0.05).all()
    empty = EstimatorV2().run([(QuantumCircuit(100), "Z" * 100)]).result()[0].data.evs
    assert empty == pytest.approx(1)


def test_branches_are_averaged_exactly() -> None:
    theta = Parameter("theta")
    points = np.linspace(0, 3, 7)
    evs = EstimatorV2().run([(teleportation(theta), "ZII", points[:, None])]).result()[0].data.evs
    assert evs == pytest.approx(np.cos(points), abs=1e-12)


@pytest.mark.parametrize("precision", [0.1, 0.01])
def test_sampled_values_keep_the_precision(precision: float) -> None:
    """Standard errors never above the target, and right: 200 estimates scatter as they say."""
    circuit = ansatz(5, 4, 20)
    values = np.random.default_rng(5).uniform(-3, 3, 4)
    wanted = SparsePauliOp(["ZZII", "IXXI", "YIIY", "IIII"], [0.5, -0.7, 0.3, 1.0])
    exact = float(EstimatorV2().run([(circuit, wanted, values)]).result()[0].data.evs)
    many = np.broadcast_to(values, (200, 4))
    found = EstimatorV2(seed=5).run([(circuit, wanted, many)], precision=precision).result()[0]
    evs, stds = found.data.evs, found.data.stds
    assert found.metadata["target_precision"] == precision
    # The sample's variance divides by shots - 1, so at worst it exceeds the bound by that much.
    assert stds.max() <= precision * (1 + 1 / found.metadata["shots"])
    assert stds.min() > precision / 10
    deviations = (evs - exact) / stds
    # Mean and mean square of 200 standard normal numbers: deviations sqrt(1/200) and sqrt(2/200).
    assert abs(deviations.mean()) < SIGMAS * np.sqrt(1 / 200)
    assert abs((deviations**2).mean() - 1) < SIGMAS * np.sqrt(2 / 200)


def test_number_of_shots_follows_from_the_precision() -> None:
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])

    def shots(wanted: object) -> int:
        return EstimatorV2(seed=1).run([(circuit, wanted)], precision=0.1).result()[0].metadata["shots"]

    assert shots("IX") == shots("IZ") == 100, "1 / 0.1^2, whatever the value"
    assert shots(SparsePauliOp(["ZI", "ZZ"], [2, -1])) == 900, "one basis: (2 + 1)^2"
    assert shots(SparsePauliOp(["ZI", "XI"], [2, -1])) == 500, "two bases: 2^2 + 1^2"
    data = EstimatorV2(seed=1).run([(circuit, ["IX", "IZ"], None, 0.05)]).result()[0].data
    assert data.evs[0] == 1
    assert data.stds[0] == 0
    assert abs(data.evs[1]) < SIGMAS * 0.05
    assert data.stds[1] == pytest.approx(0.05, rel=0.02)


def test_sampled_values_of_branches() -> None:
    theta = 0.9
    found = EstimatorV2(seed=2).run([(teleportation(theta), "ZII")], precision=0.02).result()[0]
    assert found.metadata["shots"] == 2500
    assert found.data.evs == pytest.approx(np.cos(theta), abs=1e-6)
    coin = QuantumCircuit(1, 1)
    coin.h(0)
    coin.measure(0, 0)
    with coin.if_test((0, 1)):
        coin.h(0)
    data = EstimatorV2(seed=2).run([(coin, "Z")], precision=0.02).result()[0].data
    assert abs(data.evs - 0.5) < SIGMAS * 0.01  # 1 or 0 with even odds
    assert data.stds == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("detector", [False, True])
def test_noise_shrinks_values(measured: bool, detector: bool) -> None:
    """Depolarizing by p multiplies what it acts on by 1 - p; the detector's errors stay out."""
    noise = NoiseModel().after_gates(depolarizing(0.05, 1), "ry").after_gates(depolarizing(0.1, 2), "cx")
    if detector:
        noise.readout(ReadoutError.flips(0.2, 0.1))
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2) if measured else QuantumCircuit(2)
    circuit.ry(theta, 0)
    circuit.cx(0, 1)
    if measured:
        circuit.measure([0, 1], [0, 1])
    points = np.linspace(0, 3, 4)
    wanted = [0.95 * 0.9 * np.cos(points), np.full(4, 0.9)]
    estimator = EstimatorV2(seed=3, options={"noise": noise})
    pub = (circuit, [["IZ"], ["ZZ"]], points[:, None])
    assert np.abs(estimator.run([pub]).result()[0].data.evs - wanted).max() < 1e-12
    data = estimator.run([pub], precision=0.02).result()[0].data
    assert (np.abs(data.evs - wanted) < SIGMAS * data.stds).all()
    assert data.stds.max() <= 0.0201


def test_a_wide_preparation() -> None:
    state = np.zeros(256)
    state[[1, 255]] = 0.6, 0.8
    circuit = QuantumCircuit(8)
    circuit.initialize(state, range(8))
    wanted = SparsePauliOp(["IIIIIIIZ", "ZIIIIIII"])
    exact = 0.36 * (-1 + 1) + 0.64 * (-1 - 1)
    for precision in (0, 0.05):
        evs = EstimatorV2(seed=1).run([(circuit, wanted)], precision=precision).result()[0].data.evs
        assert evs == pytest.approx(exact, abs=1e-9)


def test_seeds_and_options() -> None:
    pub = (ansatz(0, 4, 10), "ZZZZ", np.zeros((3, 4)), 0.1)

    def evs(estimator: EstimatorV2) -> np.ndarray:
        return np.concatenate([each.data.evs for each in estimator.run([pub, pub]).result()])

    estimator = EstimatorV2(seed=3)
    assert np.array_equal(evs(estimator), evs(estimator))
    assert len(set(evs(estimator))) > 3, "each estimate has shots of its own"
    assert not np.array_equal(evs(estimator), evs(EstimatorV2(seed=4)))
    quick = EstimatorV2("statevector", default_precision=0.5, options=EstimatorOptions(seed=1))
    assert quick.run([pub[:3]]).result()[0].metadata["target_precision"] == 0.5
    backend = QrealmProvider(seed_simulator=3, precision="double").get_backend()
    assert EstimatorV2(backend).options == EstimatorOptions(seed=3, state_precision="double")
    single = EstimatorV2(options={"state_precision": "single"}).run([pub[:3]]).result()[0].data.evs
    double = EstimatorV2().run([pub[:3]]).result()[0].data.evs
    assert 0 < np.abs(single - double).max() < 1e-5


def test_what_is_refused() -> None:
    circuit = QuantumCircuit(1)
    with pytest.raises(ValueError, match="number of qubits"):
        EstimatorV2().run([(circuit, "ZZ")])
    with pytest.raises(ValueError, match="non-negative"):
        EstimatorV2().run([(circuit, "Z")], precision=-1)
    for wrong in (float("nan"), float("inf"), "low"):
        with pytest.raises((RequestError, TypeError), match="precision"):
            EstimatorV2().run([(circuit, "Z")], precision=wrong)
    with pytest.raises(RequestError, match=r"precision is nan"):
        EstimatorV2().run([(circuit, "Z", [], float("nan"))])
    with pytest.raises(RequestError, match=r"precision is 1e-09; the smallest .* is 9\.54e-07"):  # 2^-20
        EstimatorV2().run([(circuit, "Z")], precision=1e-9).result()
    with pytest.raises(RequestError, match="default_shots"):
        EstimatorV2(options={"default_shots": 5})


def test_cancelling_stops_a_run() -> None:
    circuit = efficient_su2(12, reps=4)
    values = np.zeros((200_000, circuit.num_parameters))
    job = EstimatorV2().run([(circuit, "Z" * 12, values)])
    wait_until(job.running)
    assert job.cancel()
    with pytest.raises(CancelledRunError):
        job.result(timeout=60)
    assert job.cancelled()


def heisenberg(num_qubits: int) -> SparsePauliOp:
    """The open Heisenberg chain, sum of XX + YY + ZZ over neighbours."""
    terms = [(pauli * 2, [q, q + 1], 1.0) for q in range(num_qubits - 1) for pauli in "XYZ"]
    return SparsePauliOp.from_sparse_list(terms, num_qubits)


def test_a_variational_loop_finds_the_ground_state() -> None:
    energy = heisenberg(3)
    lowest = np.linalg.eigvalsh(energy.to_matrix())[0]
    circuit = real_amplitudes(3, reps=3)
    estimator = EstimatorV2()

    def cost(point: np.ndarray) -> float:
        return float(estimator.run([(circuit, energy, point)]).result()[0].data.evs)

    start = np.random.default_rng(1).uniform(-1, 1, circuit.num_parameters)
    found = minimize(cost, start, method="L-BFGS-B")
    assert found.fun == pytest.approx(lowest, abs=1e-4)
    assert found.fun >= lowest - 1e-9


def test_qiskits_own_estimator_runs_on_our_backend() -> None:
    circuit = ansatz(6, 3, 15)
    wanted = observable(6, 3, 4)
    values = np.random.default_rng(6).uniform(-3, 3, (4, 4))
    theirs = BackendEstimatorV2(backend=QrealmProvider().get_backend(), options={"seed_simulator": 5})
    data = theirs.run([(circuit, wanted, values)], precision=0.01).result()[0].data
    exact = EstimatorV2().run([(circuit, wanted, values)]).result()[0].data.evs
    assert (np.abs(data.evs - exact) < SIGMAS * data.stds).all()
