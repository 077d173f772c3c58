"""The PennyLane device ``qrealm.qubit`` beside ``default.qubit``, which is the oracle here.

Sampled values are compared within 5 standard deviations, with fixed seeds.
"""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from qrealm.base.errors import RequestError, UnknownBackendError
from reference.random_circuits import random_unitary

qml = pytest.importorskip("pennylane")

from pennylane import numpy as pnp  # noqa: E402
from pennylane.exceptions import DeviceError  # noqa: E402

from qrealm.faces.providers.pennylane import QrealmDevice  # noqa: E402

SHOTS = 10_000


def both(wires=None, **options):
    """Our device and the oracle."""
    return QrealmDevice(wires=wires, seed=3, **options), qml.device("default.qubit", wires=wires, seed=5)


def run_both(function, *args, wires=None, shots=None, **qnode_options):
    """The results of a quantum function on both devices."""
    results = []
    for device in both(wires):
        node = qml.QNode(function, device, **qnode_options)
        results.append(qml.set_shots(node, shots)(*args) if shots else node(*args))
    return results


def assert_close(ours, others, tolerance: float = 1e-9) -> None:
    if isinstance(others, (tuple, list)):
        assert len(ours) == len(others)
        for one, other in zip(ours, others, strict=True):
            assert_close(one, other, tolerance)
    else:
        assert np.shape(ours) == np.shape(others)
        assert np.allclose(ours, others, atol=tolerance)


# ---- exact results -----------------------------------------------------------------------------------


def entangle(a=0.3, b=0.8, wires=(0, 1, 2)) -> None:
    qml.RX(a, wires[0])
    qml.Rot(0.1, b, 0.3, wires[1])
    qml.CNOT([wires[0], wires[1]])
    qml.ctrl(qml.RY(0.4, wires[2]), [wires[0], wires[1]], control_values=[1, 0])
    qml.IsingXY(0.7, [wires[1], wires[2]])


def expectation_values():
    entangle()
    return [
        qml.expval(qml.Z(0) @ qml.X(2)),
        qml.expval(qml.Hamiltonian([0.5, -1.2], [qml.Y(1), qml.Z(0) @ qml.Z(2)])),
        qml.expval(qml.Hermitian(np.diag([1, 2, 3, 4]) + np.fliplr(np.diag([1j, 2, 2, -1j])), [2, 0])),
        qml.expval(qml.Projector([1, 0], [0, 2])),
        qml.expval(qml.Hadamard(1)),
        qml.expval(qml.Identity(0)),
        qml.var(qml.Y(1) + 0.3 * qml.Z(0)),
        qml.var(qml.Hermitian(np.array([[1, 2j], [-2j, 0.5]]), 1)),
    ]


def states_and_what_is_told_of_them():
    entangle()
    return [
        qml.state(),
        qml.density_matrix([2, 0]),
        qml.purity([1]),
        qml.vn_entropy([0, 2]),
        qml.mutual_info([0], [2]),
        qml.probs([2, 0]),
        qml.probs(op=qml.X(1) @ qml.Y(0)),
        qml.probs(),
    ]


def templates():
    shape = qml.StronglyEntanglingLayers.shape(2, 3)
    weights = np.random.default_rng(2).uniform(0, 3, shape)
    qml.AmplitudeEmbedding(np.arange(1, 9), [2, 1, 0], normalize=True)
    qml.StronglyEntanglingLayers(weights, [0, 1, 2])
    qml.QFT([0, 2, 1])
    qml.adjoint(qml.S)(1)
    qml.pow(qml.X(0), 0.3)
    qml.MultiControlledX([0, 1, 2], control_values=[0, 1])
    qml.ctrl(qml.GlobalPhase(0.3), 1, control_values=[0])
    qml.QubitUnitary(random_unitary(np.random.default_rng(3), 3), [2, 0, 1])
    qml.DoubleExcitation(0.4, [0, 1, 2, 3])
    qml.BasisState([1, 0], [0, 2])  # half-way: gates that flip
    qml.Barrier()
    return qml.state()


@pytest.mark.parametrize("function", [expectation_values, states_and_what_is_told_of_them, templates])
@pytest.mark.parametrize("wires", [None, 4])
def test_exact_results(function, wires) -> None:
    assert_close(*run_both(function, wires=wires))


def test_wires_of_any_label_and_order() -> None:
    def circuit():
        entangle(wires=("b", 7, "a"))
        return qml.state(), qml.probs(["a", "b"]), qml.expval(qml.Z(7) @ qml.Y("a"))

    for wires in (["a", "b", 7], [7, "idle", "b", "a"], None):
        assert_close(*run_both(circuit, wires=wires))


def test_sparse_hamiltonians_and_wide_projectors() -> None:
    matrix = qml.Hamiltonian([1.0, 0.5], [qml.Z(0) @ qml.X(1), qml.Y(2)]).sparse_matrix()

    def circuit():
        entangle()
        return qml.expval(qml.SparseHamiltonian(matrix, [0, 1, 2])), qml.expval(
            qml.Projector([1, 0, 0, 0, 0, 0, 0], range(7))
        )

    assert_close(*run_both(circuit, wires=7))


def test_precision_and_threads() -> None:
    def circuit():
        entangle()
        return qml.state()

    single = qml.QNode(circuit, QrealmDevice(3, precision="single", threads=2))()
    exact = qml.QNode(circuit, qml.device("default.qubit", wires=3))()
    assert 1e-12 < np.abs(single - exact).max() < 1e-5


def test_parameter_broadcasting() -> None:
    batch = np.linspace(0, 2, 5)

    def circuit(x):
        qml.RX(x, 0)
        qml.CNOT([0, 1])
        qml.RY(0.3, 1)
        return qml.expval(qml.Z(1)), qml.probs([0, 1])

    assert_close(*run_both(circuit, batch, wires=2))
    sampled, exact = run_both(circuit, batch, wires=2, shots=SHOTS)
    assert_close(sampled, exact, 5 * math.sqrt(2 / SHOTS))


# ---- with shots --------------------------------------------------------------------------------------


def test_sampled_statistics() -> None:
    def circuit():
        entangle()
        return [
            qml.expval(qml.Z(0) @ qml.X(2)),
            qml.expval(qml.Hamiltonian([0.5, -1.2], [qml.Y(1), qml.Z(0) @ qml.Z(2)])),
            qml.var(qml.Y(1)),
            qml.probs([2, 0]),
            qml.expval(qml.Hermitian(np.array([[1, 0.5j], [-0.5j, -1]]), 1)),
        ]

    exact = qml.QNode(circuit, qml.device("default.qubit", wires=3))()
    sampled = qml.set_shots(qml.QNode(circuit, QrealmDevice(3, seed=1)), SHOTS)()
    spreads = [1, 1.7, 1, 0.5, 1.2]  # standard deviation of one shot, at most
    for one, other, spread in zip(sampled, exact, spreads, strict=True):
        assert_close(one, other, 5 * spread / math.sqrt(SHOTS))


def test_shapes_of_samples_and_counts() -> None:
    def circuit():
        entangle()
        return [
            qml.sample(wires=[2, 0]),
            qml.sample(qml.Z(0) @ qml.Z(1)),
            qml.counts(wires=[1], all_outcomes=True),
            qml.counts(qml.X(2)),
            qml.sample(),
        ]

    ours, others = run_both(circuit, wires=3, shots=500)
    assert [np.shape(each) for each in ours] == [np.shape(each) for each in others]
    assert set(ours[2]) == {"0", "1"}
    assert set(ours[3]) == set(others[3])
    assert sum(ours[2].values()) == sum(ours[3].values()) == 500


def test_samples_are_in_no_order() -> None:
    @qml.set_shots(2000)
    @qml.qnode(QrealmDevice(1, seed=8))
    def circuit():
        qml.Hadamard(0)
        return qml.sample(wires=0)

    bits = np.ravel(circuit())
    changes = int(np.sum(bits[1:] != bits[:-1]))
    assert abs(changes - 999.5) < 5 * math.sqrt(1999) / 2  # each neighbour differs with probability 1/2


def test_shot_vectors() -> None:
    def circuit():
        entangle()
        return qml.expval(qml.Z(0)), qml.counts(wires=[0, 1])

    ours, others = run_both(circuit, wires=3, shots=(100, 100, 400))
    assert len(ours) == len(others) == 3
    assert [sum(counts.values()) for _, counts in ours] == [100, 100, 400]


def test_classical_shadows() -> None:
    def bits_and_recipes():
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.classical_shadow([0, 1])

    bits, recipes = run_both(bits_and_recipes, wires=2, shots=300)[0]
    assert bits.shape == recipes.shape == (300, 2)
    alike = (recipes == 2).all(axis=1)  # both measured along Z: the outcomes of a Bell pair agree
    assert alike.any()
    assert (bits[alike, 0] == bits[alike, 1]).all()

    @qml.set_shots(SHOTS)
    @qml.qnode(QrealmDevice(2, seed=4))
    def estimate():
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.shadow_expval(qml.X(0) @ qml.X(1))

    assert abs(estimate() - 1) < 5 * 3 / math.sqrt(SHOTS)  # a snapshot gives 0 or ±9, 9 times in 81


def test_seeds() -> None:
    def circuit():
        entangle()
        return qml.sample(wires=[0, 1, 2])

    def drawn(seed, threads):
        return qml.set_shots(qml.QNode(circuit, QrealmDevice(3, seed=seed, threads=threads)), 200)()

    assert np.array_equal(drawn(7, 1), drawn(7, 2))
    assert not np.array_equal(drawn(7, 1), drawn(8, 1))
    assert not np.array_equal(drawn(None, 1), drawn(None, 1))


# ---- measurements half-way ---------------------------------------------------------------------------


def dynamic(x):
    qml.RY(x, 0)
    m0 = qml.measure(0, reset=True)
    qml.cond(m0, qml.RX, qml.RY)(0.7, 1)
    qml.Hadamard(0)
    m1 = qml.measure(0)
    qml.cond(m0 + m1 == 1, qml.X)(2)
    qml.cond(m1 & ~m0, lambda: qml.RY(1.0, 2))()
    return m0, m1


def dynamic_values(x):
    m0, m1 = dynamic(x)
    return [
        qml.expval(qml.Z(2)),
        qml.expval(qml.X(1) @ qml.Z(2)),
        qml.expval(2 * m0 - m1),
        qml.probs(op=[m0, m1]),
        qml.probs([0, 2]),
    ]


def test_measurements_half_way_are_deferred_without_shots() -> None:
    assert_close(*run_both(dynamic_values, 0.9))


@pytest.mark.parametrize("method", ["device", "deferred", None])
def test_measurements_half_way_with_shots(method) -> None:
    exact = qml.QNode(dynamic_values, qml.device("default.qubit"))(0.9)
    node = qml.QNode(dynamic_values, QrealmDevice(seed=6), mcm_method=method)
    assert_close(qml.set_shots(node, SHOTS)(0.9), exact, 5 * 1.5 / math.sqrt(SHOTS))


def test_counts_and_samples_of_measured_values() -> None:
    def circuit(x):
        m0, m1 = dynamic(x)
        return qml.counts([m0, m1]), qml.sample(m0), qml.counts(m0 + m1), qml.sample([m1, m0])

    ours, others = run_both(circuit, 0.9, shots=400)
    assert [np.shape(each) for each in ours] == [np.shape(each) for each in others]
    assert set(ours[0]) == set(others[0])
    assert set(ours[2]) == set(others[2])


def test_postselection() -> None:
    def circuit():
        qml.RY(0.8, 0)
        qml.CNOT([0, 1])
        qml.RX(0.3, 1)
        m = qml.measure(0, postselect=1)
        qml.cond(m, qml.RY)(0.2, 1)
        return qml.expval(qml.Z(1)), qml.probs([1])

    ours, others = run_both(circuit)
    assert_close(ours, others)
    share = math.sin(0.4) ** 2
    for options in ({}, {"mcm_method": "deferred", "postselect_mode": "fill-shots"}):
        node = qml.set_shots(qml.QNode(circuit, QrealmDevice(seed=2), **options), SHOTS)
        assert_close(node(), others, 5 / math.sqrt(SHOTS * (1 if options else share)))

    def kept():
        qml.RY(0.8, 0)
        m = qml.measure(0, postselect=1)
        return qml.sample(m)

    found = qml.set_shots(qml.QNode(kept, QrealmDevice(seed=2)), SHOTS)()
    assert (found == 1).all()
    assert abs(len(found) - SHOTS * share) < 5 * math.sqrt(SHOTS * share * (1 - share))


def test_nothing_left_after_postselection() -> None:
    @qml.set_shots(20)
    @qml.qnode(QrealmDevice(1))
    def circuit():
        qml.measure(0, postselect=1)
        return qml.expval(qml.Z(0)), qml.counts(wires=0), qml.probs([0])

    value, counts, probabilities = circuit()
    assert np.isnan(value)
    assert counts == {}
    assert np.isnan(probabilities).all()


# ---- channels ----------------------------------------------------------------------------------------


def noisy():
    qml.RY(0.8, 0)
    qml.CNOT([0, 1])
    qml.AmplitudeDamping(0.3, 1)
    qml.DepolarizingChannel(0.1, 0)
    qml.QubitChannel(
        [np.kron(np.eye(2), k) for k in qml.AmplitudeDamping.compute_kraus_matrices(0.4)], [0, 2]
    )
    qml.Hadamard(2)
    qml.ThermalRelaxationError(0.1, 1.2, 1.3, 0.1, 1)
    qml.IsingXY(0.4, [1, 2])


def exact_with_noise():
    noisy()
    return [
        qml.expval(qml.Z(0) @ qml.X(2)),
        qml.expval(qml.Hermitian(np.diag([1.0, 2, 3, 4]), [2, 0])),
        qml.var(qml.Y(1) + qml.Z(2)),
        qml.probs([2, 0]),
        qml.probs(op=qml.X(1)),
        qml.density_matrix([1, 2]),
        qml.purity([0]),
        qml.vn_entropy([1]),
        qml.mutual_info([0], [2]),
    ]


def test_channels() -> None:
    ours = qml.QNode(exact_with_noise, QrealmDevice(3))()
    assert_close(ours, qml.QNode(exact_with_noise, qml.device("default.mixed", wires=3))())
    whole = qml.QNode(lambda: (noisy(), qml.state())[1], QrealmDevice(3))()
    assert_close(whole, qml.QNode(lambda: (noisy(), qml.state())[1], qml.device("default.mixed", wires=3))())
    share = qml.QNode(lambda: (noisy(), qml.probs([2, 0]))[1], QrealmDevice(3, seed=4))
    assert_close(qml.set_shots(share, SHOTS)(), ours[3], 5 * 0.5 / math.sqrt(SHOTS))


def test_gradients_with_channels_use_parameter_shifts() -> None:
    def circuit(x):
        qml.RX(x, 0)
        qml.BitFlip(0.2, 0)
        return qml.expval(qml.Z(0))

    slope = qml.grad(qml.QNode(circuit, QrealmDevice(1)))(pnp.array(0.4))
    assert slope == pytest.approx(-0.6 * math.sin(0.4), abs=1e-9)


# ---- what is refused ---------------------------------------------------------------------------------


def test_mistakes_are_told() -> None:
    device = QrealmDevice(2)
    with pytest.raises(RequestError, match="precision"):
        QrealmDevice(2, precision="half")
    with pytest.raises(UnknownBackendError, match="nope"):
        QrealmDevice(2, backend="nope")
    with pytest.raises(RequestError, match="seed"):
        QrealmDevice(2, seed="lucky")
    with pytest.raises(qml.exceptions.WireError):
        qml.QNode(lambda: (qml.X(5), qml.expval(qml.Z(0)))[1], device)()
    with pytest.raises(DeviceError, match="one-shot"):
        qml.set_shots(qml.QNode(dynamic_values, QrealmDevice(), mcm_method="one-shot"), 5)(0.1)
    with pytest.raises(DeviceError, match="not supported"):
        qml.QNode(lambda: (qml.Displacement(0.1, 0, 0), qml.expval(qml.Z(0)))[1], device)()
    with pytest.raises(DeviceError, match="not accepted"):
        qml.QNode(lambda: qml.sample(wires=0), device)()
    with pytest.raises(DeviceError, match="execution options"):
        device.setup_execution_config(qml.devices.ExecutionConfig(device_options={"threads": 2}))


def test_devices_can_be_copied_and_pickled() -> None:
    def circuit():
        entangle()
        return qml.sample(wires=[0, 1, 2])

    device = QrealmDevice(3, seed=7)
    qml.grad(qml.QNode(lambda x: (qml.RX(x, 0), qml.expval(qml.Z(0)))[1], device))(pnp.array(0.1))
    twins = [copy.deepcopy(device), pickle.loads(pickle.dumps(device))]
    samples = [qml.set_shots(qml.QNode(circuit, each), 50)() for each in (device, *twins)]
    assert all(np.array_equal(samples[0], each) for each in samples)


def test_name_wires_and_tracking() -> None:
    device = QrealmDevice(2)
    assert device.name == "qrealm.qubit"
    assert list(device.wires) == [0, 1]
    with qml.Tracker(device) as tracker:
        qml.QNode(lambda: qml.expval(qml.X(0)), device)()
    assert tracker.totals["simulations"] == 1
    assert pnp.isclose(tracker.history["results"][0], 0)
