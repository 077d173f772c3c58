"""Many gradients in one call: each row is what `qrealm.gradient` gives, wherever it is computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import NotUnitaryError, ObservableError, ParameterError, RequestError
from qrealm.simulate.gradient import gradients


def ansatz(num_qubits: int = 4) -> qrealm.Circuit:
    """Plain parameters, shared ones, and angles that are expressions of them."""
    a, b, c = (qrealm.Parameter(name) for name in "abc")
    circuit = qrealm.Circuit(num_qubits)
    for q in range(num_qubits):
        circuit.ry(a, q).rz(qrealm.Parameter(f"z{q}"), q)
    for q in range(num_qubits - 1):
        circuit.cx(q, q + 1).rx(2 * b - c, q + 1)
    return circuit.rzz(b * c, 0, 1).ry(-c, 0).rz(a.sin(), 1)


def rows(circuit: qrealm.Circuit, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-3, 3, (count, len(circuit.parameters)))


def test_one_rotation_is_a_cosine() -> None:
    """<Z> after RY(theta) is cos(theta); its derivative -sin(theta)."""
    points = np.linspace(-3, 3, 50)
    found = gradients(qrealm.Circuit(1).ry(qrealm.Parameter("theta"), 0), points[:, None], "Z0")
    assert np.abs(found.values - np.cos(points)).max() < 1e-12
    assert np.abs(found.derivatives[:, 0] + np.sin(points)).max() < 1e-12
    assert found.parameters == ("theta",)


@pytest.mark.parametrize("options", [{}, {"threads": 1}, {"threads": 3}, {"precision": "single"}])
def test_rows_are_single_gradients(options: dict[str, object]) -> None:
    circuit = ansatz()
    points = rows(circuit, 21)
    points[3] = 0
    found = gradients(circuit, points, "Z0 Z1 + 0.5 X2 - Y3", ["c", "a"], **options)
    assert found.derivatives.shape == (21, 2)
    assert found.parameters == ("c", "a")
    bound = 1e-5 if options.get("precision") else 1e-12
    for row, point in enumerate(points):
        one = qrealm.gradient(circuit, "Z0 Z1 + 0.5 X2 - Y3", point, ["c", "a"])
        assert found.values[row] == pytest.approx(one.value, abs=bound)
        assert found.derivatives[row] == pytest.approx(one.derivatives, abs=bound)


def test_an_observable_for_each_row() -> None:
    circuit = ansatz()
    points, observables = rows(circuit, 3), ["Z0", "X1 X2 + 2 Z0", "3 Y3"]
    found = gradients(circuit, points, observables)
    for row, (point, observable) in enumerate(zip(points, observables, strict=True)):
        one = qrealm.gradient(circuit, observable, point)
        assert found.values[row] == pytest.approx(one.value, abs=1e-12)
        assert found.derivatives[row] == pytest.approx(one.derivatives, abs=1e-12)


def test_weights_of_several_observables() -> None:
    """A row's gradient is linear in its weights."""
    circuit = ansatz()
    points = rows(circuit, 5)
    weights = np.random.default_rng(2).normal(size=(5, 2))
    weights[1] = 0
    found = gradients(circuit, points, ["Z0 Z1", "X3 + Z0 Z1"], weights=weights)
    first, second = gradients(circuit, points, "Z0 Z1"), gradients(circuit, points, "X3 + Z0 Z1")
    assert found.values == pytest.approx(
        weights[:, 0] * first.values + weights[:, 1] * second.values, abs=1e-12
    )
    wanted = weights[:, :1] * first.derivatives + weights[:, 1:] * second.derivatives
    assert np.abs(found.derivatives - wanted).max() < 1e-12
    assert not found.derivatives[1].any()


def test_light_cones_row_by_row() -> None:
    """A wide circuit whose observable sees little of it, which no state holds whole."""
    circuit = qrealm.Circuit(50)
    for q in range(50):
        circuit.ry(qrealm.Parameter(f"t{q}"), q)
    for q in range(0, 48, 2):
        circuit.cx(q, q + 1)
    points = rows(circuit, 3)
    found = gradients(circuit, points, "Z1")
    assert found.values == pytest.approx(np.cos(points[:, 0]) * np.cos(points[:, 1]), abs=1e-12)
    assert found.derivatives[:, 1] == pytest.approx(-np.cos(points[:, 0]) * np.sin(points[:, 1]), abs=1e-12)
    assert not found.derivatives[:, 2:].any()


def test_rows_by_name_and_no_rows() -> None:
    circuit = qrealm.Circuit(1).ry(qrealm.Parameter("t"), 0)
    found = gradients(circuit, [{"t": 0.5}, [0.7]], "Z0")
    assert found.values == pytest.approx([math.cos(0.5), math.cos(0.7)], abs=1e-12)
    none = gradients(circuit, np.zeros((0, 1)), "Z0")
    assert none.values.shape == (0,)
    assert none.derivatives.shape == (0, 1)


def test_mistakes() -> None:
    circuit = qrealm.Circuit(1).ry(qrealm.Parameter("t"), 0)
    with pytest.raises(RequestError, match="2 observables for 3"):
        gradients(circuit, np.zeros((3, 1)), ["Z0", "X0"])
    with pytest.raises(RequestError, match="weights of shape"):
        gradients(circuit, np.zeros((3, 1)), ["Z0", "X0"], weights=np.ones((2, 2)))
    with pytest.raises(RequestError, match="parameter sets"):
        gradients(circuit, {"t": 0.1}, "Z0")
    with pytest.raises(ParameterError, match="one column"):
        gradients(circuit, np.zeros((3, 2)), "Z0")
    with pytest.raises(ParameterError, match="finite"):
        gradients(circuit, np.array([[0.1], [np.nan]]), "Z0")
    with pytest.raises(ParameterError):
        gradients(circuit, [{"x": 0.1}], "Z0")
    with pytest.raises(ObservableError):
        gradients(circuit, np.zeros((3, 1)), "Z5")
    with pytest.raises(NotUnitaryError, match="gradients"):
        gradients(qrealm.Circuit(1, 1).measure(0, 0).h(0), np.zeros((3, 0)), "Z0")
    steep = qrealm.Circuit(1).ry(qrealm.Parameter("t").sqrt(), 0)
    with pytest.raises(ParameterError, match="derivative of sqrt"):
        gradients(steep, np.array([[1.0], [0.0]]), "Z0")
