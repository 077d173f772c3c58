"""`QrealmLayer`: values against `qrealm.run`, gradients against finite differences and the parameter-shift
rule."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from qrealm.base.errors import (
    NotUnitaryError,
    ObservableError,
    ParameterError,
    RequestError,
    UnknownBackendError,
)
from qrealm.circuits import Circuit, Parameter, PauliSum
from qrealm.simulate.run import run

torch = pytest.importorskip("torch")

from qrealm.faces.providers.torch import QrealmLayer  # noqa: E402

OBSERVABLES = ["Z0 Z1 + 0.5 X2", "Y1", "Z2"]


def ansatz() -> Circuit:
    """Data and weights mixed in expressions, under controls, and out of order."""
    x, y = Parameter("x"), Parameter("y")
    a, b, c = (Parameter(name) for name in "abc")
    circuit = Circuit(3).ry(b, 2).rx(x, 0).ry(2 * y + a, 1).cx(0, 1)
    return circuit.crz(c * x, 1, 2).rzz(b**2, 0, 2).u(a, y, 0.3, 1).cry(c, 2, 0)


def layer(**options) -> QrealmLayer:
    return QrealmLayer(ansatz(), OBSERVABLES, inputs=["y", "x"], seed=3, **options)


def test_values_are_those_of_run() -> None:
    model = layer().double()
    data = torch.tensor(np.random.default_rng(1).uniform(-2, 2, (5, 2)))
    values = model(data)
    assert values.shape == (5, 3)
    assert values.dtype == torch.float64
    assert model.weight_names == ("b", "a", "c")
    trained = dict(zip(model.weight_names, model.weights.tolist(), strict=True))
    for row, point in zip(values.tolist(), data.tolist(), strict=True):
        result = run(ansatz(), 0, observables=OBSERVABLES,
                     parameters={"y": point[0], "x": point[1], **trained})  # fmt: skip
        assert row == pytest.approx(list(result.expectation_values.values()), abs=1e-12)


def test_gradcheck() -> None:
    model = layer().double()
    data = torch.tensor([[0.3, -0.8], [1.2, 0.4], [0.0, 2.0]], dtype=torch.float64, requires_grad=True)

    def function(inputs, weights):
        return torch.func.functional_call(model, {"weights": weights}, (inputs,))

    assert torch.autograd.gradcheck(function, (data, model.weights), eps=1e-6, atol=1e-7)


def test_gradients_are_those_of_the_parameter_shift_rule() -> None:
    theta = Parameter("theta")
    model = QrealmLayer(Circuit(2).ry(theta, 0).cx(0, 1), "Z0 Z1 + Z1 + 2 X0 X1", initial_weights=[0.4])
    model.double()
    (value,) = model()
    value.backward()
    with torch.no_grad():
        shifted = []
        for step in (math.pi / 2, -math.pi / 2):
            moved = copy.deepcopy(model)
            moved.weights += step
            shifted.append(moved().item())
    assert float(model.weights.grad) == pytest.approx((shifted[0] - shifted[1]) / 2, abs=1e-9)


def test_one_adjoint_pass_for_each_row_in_one_call(monkeypatch) -> None:
    from qrealm.faces.providers import torch as provider

    calls = []
    original = provider.gradients

    def counted(*args, **options):
        calls.append((len(args[1]), args[3]))
        return original(*args, **options)

    monkeypatch.setattr(provider, "gradients", counted)
    model = layer()
    values = model(torch.rand(4, 2))
    values.square().sum().backward()
    assert calls == [(4, ("b", "a", "c"))]  # nothing asks for gradients of the inputs
    calls.clear()
    values = model(torch.rand(4, 2))
    (values * torch.tensor([[0.0], [1.0], [0.0], [2.0]])).sum().backward()
    assert calls == [(2, ("b", "a", "c"))]  # rows without any influence are left out


def test_shapes_and_types() -> None:
    model = layer()
    assert model(torch.rand(2)).shape == (3,)
    assert model(torch.rand(4, 5, 2)).shape == (4, 5, 3)
    assert model(torch.rand(0, 2)).shape == (0, 3)
    assert model(torch.rand(4, 2)).dtype == torch.float32
    assert model.double()(torch.rand(4, 2, dtype=torch.float64)).dtype == torch.float64
    data = torch.rand(6, 2, requires_grad=True)
    layer()(data).sum().backward()
    assert data.grad.shape == (6, 2)
    assert data.grad.dtype == torch.float32
    empty = torch.rand(0, 2, requires_grad=True)
    layer()(empty).sum().backward()
    assert empty.grad.shape == (0, 2)


def test_precision() -> None:
    data = torch.rand(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    single, double = (layer(precision=p).double()(data).detach() for p in ("single", "double"))
    assert 1e-12 < (single - double).abs().max() < 1e-5


def test_in_a_network() -> None:
    torch.manual_seed(2)
    model = torch.nn.Sequential(torch.nn.Linear(4, 2), layer(), torch.nn.Linear(3, 1)).double()
    data = torch.rand(6, 4, dtype=torch.float64)
    target = torch.rand(6, 1, dtype=torch.float64)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(data), target)
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 5
    assert "qubits=3, inputs=2, weights=3, observables=3" in repr(model)


def test_a_ground_state_is_found() -> None:
    # Two coupled spins, H = -Z0 Z1 - h (X0 + X1): the lowest of the 4 energies is -sqrt(1 + 4 h^2).
    field = 0.7
    circuit = Circuit(2)
    for q in range(2):
        circuit.ry(Parameter(f"a{q}"), q)
    circuit.cx(0, 1).ry(Parameter("b0"), 0).ry(Parameter("b1"), 1)
    model = QrealmLayer(circuit, f"-1 Z0 Z1 - {field} X0 - {field} X1", seed=1).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        energy = model().sum()
        energy.backward()
        optimizer.step()
    assert energy.item() == pytest.approx(-math.sqrt(1 + 4 * field**2), abs=1e-4)


def test_seeds_states_and_copies() -> None:
    assert torch.equal(layer().weights, layer().weights)
    torch.manual_seed(1)
    first = QrealmLayer(ansatz(), OBSERVABLES, inputs=["x", "y"])
    torch.manual_seed(1)
    assert torch.equal(first.weights, QrealmLayer(ansatz(), OBSERVABLES, inputs=["x", "y"]).weights)
    assert first.weights.abs().max() <= math.pi
    other = layer()
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.weights, first.weights)
    again = pickle.loads(pickle.dumps(first))
    data = torch.rand(2, 2)
    assert torch.equal(again(data), first(data))


def test_initial_weights_and_parameters_given_as_objects() -> None:
    x, a = Parameter("x"), Parameter("a")
    circuit = Circuit(1).rx(x, 0).rx(a, 0)
    model = QrealmLayer(circuit, PauliSum("Z0"), inputs=[x], weights=[a],
                        initial_weights=torch.tensor([0.5], dtype=torch.float64))  # fmt: skip
    assert model.weights.dtype == torch.float64
    assert model(torch.tensor([[0.2]], dtype=torch.float64)).item() == pytest.approx(math.cos(0.7))


@pytest.mark.parametrize(
    "options,words",
    [
        ({"inputs": ["x"]}, None),
        ({"inputs": ["z"]}, "unknown: \\['z'\\]"),
        ({"inputs": ["x"], "weights": ["a", "b", "c"]}, "left out: \\['y'\\]"),
        ({"inputs": ["x", "y"], "weights": ["x", "a", "b", "c"]}, "named twice: \\['x'\\]"),
        ({"inputs": "x"}, "list of parameters"),
        ({"initial_weights": [1.0]}, "shape \\(1,\\)"),
    ],
)
def test_parameters_are_checked(options, words) -> None:
    if words is None:
        assert QrealmLayer(ansatz(), "Z0", **options).weight_names == ("b", "y", "a", "c")
        return
    with pytest.raises(ParameterError, match=words):
        QrealmLayer(ansatz(), "Z0", **options)


def test_mistakes_are_told() -> None:
    with pytest.raises(ParameterError, match=r"\(\.\.\., 2\)"):
        layer()(torch.rand(3, 3))
    with pytest.raises(ParameterError, match=r"\(\.\.\., 2\)"):
        layer()()
    with pytest.raises(ObservableError, match="qubit 3"):
        QrealmLayer(ansatz(), "Z3")
    with pytest.raises(RequestError, match="no observables"):
        QrealmLayer(ansatz(), [])
    with pytest.raises(RequestError, match="precision"):
        QrealmLayer(ansatz(), "Z0", precision="half")
    with pytest.raises(NotUnitaryError, match="half-way"):
        QrealmLayer(Circuit(1, 1).measure(0).h(0), "Z0")


def test_inputs_are_tensors_arrays_and_lists_of_real_numbers() -> None:
    model, rows = layer(), [[0.1, 0.2], [0.3, -0.4]]
    wanted = model(torch.tensor(rows))
    assert torch.equal(model(rows), wanted)
    assert torch.allclose(model(np.array(rows)).float(), wanted, atol=1e-6)
    assert model(np.array([[1, 2]])).dtype is torch.float32
    for wrong in (torch.tensor([[1j, 0]]), np.array([[1j, 0]]), [["a", "b"]]):
        with pytest.raises(ParameterError, match="real numbers"):
            model(wrong)


@pytest.mark.parametrize(
    "options,problem,words",
    [
        ({"backend": "nope"}, UnknownBackendError, "nope"),
        ({"seed": -1}, RequestError, "seed is -1"),
        ({"seed": 1.5}, RequestError, "seed is 1.5"),
        ({"initial_weights": [1j, 0, 0, 0]}, ParameterError, "complex"),
        ({"initial_weights": [math.nan, 0, 0, 0]}, ParameterError, "not finite"),
        ({"initial_weights": ["a", 0, 0, 0]}, ParameterError, "real numbers"),
    ],
)
def test_options_are_checked_when_the_layer_is_made(options, problem, words) -> None:
    with pytest.raises(problem, match=words):
        QrealmLayer(ansatz(), "Z0", inputs=["x"], **options)


def test_there_are_no_second_derivatives() -> None:
    data = torch.rand(1, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(layer()(data).sum(), data, create_graph=True)
    with pytest.raises(RequestError, match="second derivatives"):
        slope.sum().backward()


def test_a_graph_of_gradients_may_go_around_the_layer() -> None:
    model, scale = layer(), torch.tensor(2.0, requires_grad=True)
    values = model(torch.rand(2, 2)).detach()
    (slope,) = torch.autograd.grad((scale**2 * values).sum() + model(torch.rand(2, 2)).sum(), scale,
                                   create_graph=True)  # fmt: skip
    slope.backward()
    assert float(scale.grad) == pytest.approx(2 * float(values.sum()), abs=1e-6)
