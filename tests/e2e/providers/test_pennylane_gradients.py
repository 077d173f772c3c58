"""Gradients through the PennyLane device, beside parameter shifts on PennyLane's own simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest

qml = pytest.importorskip("pennylane")

from pennylane import numpy as pnp  # noqa: E402
from pennylane.devices import ExecutionConfig  # noqa: E402

from qrealm.faces.providers.pennylane import QrealmDevice  # noqa: E402

DATA = np.array([0.2, -0.6, 1.1])


def ansatz(weights, scale) -> None:
    """Gates with one and several parameters, some under controls, some that are decomposed."""
    qml.AngleEmbedding(DATA, [0, 1, 2])
    qml.RX(weights[0] * scale, 0)
    qml.Rot(weights[1], weights[2], 0.3, 1)
    qml.CRY(weights[3], [1, 2])
    qml.ctrl(qml.RZ(weights[4], 0), [1, 2], control_values=[1, 0])
    qml.IsingXY(weights[5], [0, 2])
    qml.MultiRZ(weights[6] ** 2, [0, 1, 2])
    qml.U3(0.1, weights[7], weights[8], 0)
    qml.ctrl(qml.GlobalPhase(weights[9]), 0)
    qml.adjoint(qml.RX(weights[10], 1))
    qml.PauliRot(weights[11], "XYZ", [0, 1, 2])
    qml.Hadamard(0)


def one_value(weights, scale):
    ansatz(weights, scale)
    return qml.expval(qml.Z(0) @ qml.X(1) + 0.5 * qml.Y(2))


def three_values(weights, scale):
    ansatz(weights, scale)
    return [
        qml.expval(qml.Hermitian(np.array([[1, 0.5j], [-0.5j, 2]]), 1)),
        qml.expval(qml.Projector([1], [2])),
        qml.expval(qml.Y(0) @ qml.Z(2)),
    ]


WEIGHTS = pnp.array(np.linspace(-1, 2, 12), requires_grad=True)
SCALE = pnp.array(1.3, requires_grad=True)


def exact(function):
    """The oracle: parameter shifts on PennyLane's own simulator."""
    return qml.QNode(function, qml.device("default.qubit", wires=3), diff_method="parameter-shift")


@pytest.mark.parametrize("method", ["best", "adjoint", "device", "parameter-shift"])
def test_gradient_of_one_value(method) -> None:
    node = qml.QNode(one_value, QrealmDevice(3), diff_method=method)
    ours, others = qml.grad(node)(WEIGHTS, SCALE), qml.grad(exact(one_value))(WEIGHTS, SCALE)
    for one, other in zip(ours, others, strict=True):
        assert np.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("vjp", [True, False])
@pytest.mark.parametrize("on_execution", [True, False])
def test_jacobian_of_several_values(vjp, on_execution) -> None:
    node = qml.QNode(
        three_values,
        QrealmDevice(3),
        diff_method="adjoint",
        device_vjp=vjp,
        grad_on_execution=on_execution and not vjp,
    )

    def stacked(of):
        return lambda weights, scale: pnp.stack(of(weights, scale))

    ours = qml.jacobian(stacked(node))(WEIGHTS, SCALE)
    others = qml.jacobian(stacked(exact(three_values)))(WEIGHTS, SCALE)
    for one, other in zip(ours, others, strict=True):
        assert np.allclose(one, other, atol=1e-9)


def test_adjoint_is_what_the_device_chooses() -> None:
    device = QrealmDevice(3)
    chosen = device.setup_execution_config(ExecutionConfig(gradient_method="best"))
    assert chosen.gradient_method == "adjoint"
    assert chosen.use_device_jacobian_product
    assert device.supports_derivatives()
    assert device.supports_vjp(ExecutionConfig(gradient_method="adjoint"))
    assert not device.supports_derivatives(ExecutionConfig(gradient_method="backprop"))
    shots = qml.tape.QuantumScript([qml.RX(0.1, 0)], [qml.expval(qml.Z(0))], shots=10)
    states = qml.tape.QuantumScript([qml.RX(0.1, 0)], [qml.state()])
    for tape in (shots, states):
        assert not device.supports_derivatives(ExecutionConfig(gradient_method="adjoint"), tape)


def test_one_adjoint_pass_serves_all_measurements_of_a_vjp(monkeypatch) -> None:
    calls = counted_rows(monkeypatch)
    node = qml.QNode(three_values, QrealmDevice(3), diff_method="adjoint", device_vjp=True)
    qml.grad(lambda weights: pnp.sum(pnp.stack(node(weights, 1.0))))(WEIGHTS)
    assert calls == [1]


def counted_rows(monkeypatch) -> list[int]:
    """Rows of each call for gradients from here on."""
    from qrealm.faces.providers.pennylane import derivatives

    calls: list[int] = []
    original = derivatives.gradients

    def counted(*args, **options):
        calls.append(len(args[1]))
        return original(*args, **options)

    monkeypatch.setattr(derivatives, "gradients", counted)
    return calls


def test_tapes_of_one_structure_go_together(monkeypatch) -> None:
    """They differ in numbers, trained or not; one with other gates and one with other trainable parameters
    are apart."""
    calls = counted_rows(monkeypatch)
    device, oracle = QrealmDevice(), qml.device("default.qubit")
    first, second, third = (tape([0, 2], shift) for shift in (0.0, 0.4, -1.1))
    other = qml.tape.QuantumScript([qml.RY(0.3, "a")], [qml.expval(qml.X("a"))], trainable_params=[0])
    batch = (first, other, second, tape([1], 0.2), third)
    config = ExecutionConfig(gradient_method="adjoint")
    ours, others = device.compute_derivatives(batch, config), oracle.compute_derivatives(batch, config)
    for mine, wanted in zip(ours, others, strict=True):
        assert np.allclose(mine, wanted, atol=1e-9)
        assert np.shape(mine) == np.shape(wanted)
    assert sorted(calls) == [1, 2, 6]


def test_a_structure_kept_from_before_takes_new_numbers_and_observables() -> None:
    """Beside central differences, whose error is about 1e-8."""
    device, oracle = QrealmDevice(), qml.device("default.qubit")

    def script(angles, factor):
        gates = [qml.Rot(*angles[:3], 1), qml.IsingXX(angles[3], [1, 0]), qml.U3(*angles[4:], 0)]
        observable = factor * qml.Y(0) @ qml.X(1) + 0.5 * qml.Z(1)
        return qml.tape.QuantumScript(gates, [qml.expval(observable)], trainable_params=[0, 3, 5])

    for number in range(3):
        angles = np.random.default_rng(number).uniform(-2, 2, 7)
        ours = device.compute_derivatives((script(angles, 1 + number),), ExecutionConfig())
        for place, found in zip((0, 3, 5), ours[0], strict=True):
            step = 1e-4 * np.eye(7)[place]
            ends = oracle.execute((script(angles + step, 1 + number), script(angles - step, 1 + number)))
            assert found == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-7)


def tape(trainable, shift=0.0):
    x, y, z = 0.3 + shift, -0.7 - shift, 1.2 + 2 * shift
    operations = [qml.RX(x, "a"), qml.RY(y, "b"), qml.CNOT(["a", "b"]), qml.RZ(z, "b"), qml.Hadamard("b")]
    measured = [qml.expval(qml.Z("b")), qml.expval(qml.X("a") @ qml.Y("b"))]
    return qml.tape.QuantumScript(operations, measured, trainable_params=trainable)


@pytest.mark.parametrize("trainable", [[0, 1, 2], [2], [0, 2]])
def test_derivatives_of_batches_of_tapes(trainable) -> None:
    device, oracle = QrealmDevice(), qml.device("default.qubit")
    batch = (tape(trainable), tape(trainable))
    config = ExecutionConfig(gradient_method="adjoint")
    ours, others = device.compute_derivatives(batch, config), oracle.compute_derivatives(batch, config)
    assert np.allclose(ours, others, atol=1e-9)
    assert np.shape(ours) == np.shape(others)
    results, again = device.execute_and_compute_derivatives(batch, config)
    assert np.allclose(again, others, atol=1e-9)
    assert np.allclose(results, oracle.execute(batch), atol=1e-9)

    tangents = [tuple(np.arange(1.0, len(trainable) + 1))] * 2
    assert np.allclose(
        device.compute_jvp(batch, tangents, config), oracle.compute_jvp(batch, tangents, config), atol=1e-9
    )
    values, products = device.execute_and_compute_jvp(batch, tangents, config)
    assert np.allclose(values, results, atol=1e-9)
    assert np.shape(products) == np.shape(oracle.compute_jvp(batch, tangents, config))

    cotangents = [(0.4, -1.5), (0.0, 2.0)]
    assert np.allclose(
        device.compute_vjp(batch, cotangents, config),
        oracle.compute_vjp(batch, cotangents, config),
        atol=1e-9,
    )
    batched = [np.array([[0.4, 1.0, 0.0], [-1.5, 0.5, 0.0]])] * 2
    assert np.allclose(
        device.compute_vjp(batch, batched, config), oracle.compute_vjp(batch, batched, config), atol=1e-9
    )


def test_gradients_with_shots_use_parameter_shifts() -> None:
    shots = 20_000
    node = qml.set_shots(
        qml.QNode(lambda x: (qml.RX(x, 0), qml.expval(qml.Z(0)))[1], QrealmDevice(1, seed=2)), shots
    )
    slope = qml.grad(node)(pnp.array(0.4, requires_grad=True))
    assert abs(slope + math.sin(0.4)) < 5 / math.sqrt(2 * shots)


def test_second_derivatives_use_parameter_shifts() -> None:
    node = qml.QNode(
        lambda x: (qml.RX(x, 0), qml.expval(qml.Z(0)))[1],
        QrealmDevice(1),
        diff_method="parameter-shift",
        max_diff=2,
    )
    second = qml.grad(qml.grad(node))(pnp.array(0.4, requires_grad=True))
    assert second == pytest.approx(-math.cos(0.4), abs=1e-9)


def test_second_derivatives_of_the_methods_that_the_device_chooses() -> None:
    def value(x):
        qml.RX(x, 0)
        qml.RY(0.3 * x, 1)
        qml.CNOT([0, 1])
        return qml.expval(qml.Z(1))

    def second(device, method):
        node = qml.QNode(value, device, diff_method=method, max_diff=2)
        return qml.grad(qml.grad(node))(pnp.array(0.7, requires_grad=True))

    wanted = second(qml.device("default.qubit", wires=2), "best")
    assert abs(wanted) > 0.1
    assert second(QrealmDevice(wires=2), "best") == pytest.approx(wanted, abs=1e-9)
    with pytest.raises(qml.exceptions.QuantumFunctionError, match="does not support adjoint"):
        second(QrealmDevice(wires=2), "adjoint")


def test_torch_interface() -> None:
    torch = pytest.importorskip("torch")
    node = qml.QNode(three_values, QrealmDevice(3), interface="torch")
    weights = torch.tensor(np.array(WEIGHTS), requires_grad=True)
    torch.stack(node(weights, 1.3)).sum().backward()
    others = qml.jacobian(lambda w: pnp.stack(exact(three_values)(w, 1.3)))(WEIGHTS).sum(axis=0)
    assert np.allclose(weights.grad.numpy(), others, atol=1e-9)


def test_states_that_are_prepared_are_differentiated_around() -> None:
    def circuit(x):
        qml.StatePrep(np.arange(1, 5) / np.sqrt(30), [0, 1])
        qml.RX(x, 0)
        qml.CNOT([0, 1])
        return qml.expval(qml.Y(1) + qml.X(0))

    x = pnp.array(0.7, requires_grad=True)
    ours = qml.grad(qml.QNode(circuit, QrealmDevice(2), diff_method="adjoint"))(x)
    assert ours == pytest.approx(
        float(qml.grad(qml.QNode(circuit, qml.device("default.qubit", wires=2)))(x)), abs=1e-9
    )
