"""`qrealm.gradient` against closed forms and the parameter-shift rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import NotUnitaryError, ObservableError, ParameterError, TooLargeError


def test_one_rotation_is_a_cosine() -> None:
    """<Z> after RY(theta) is cos(theta); its derivative -sin(theta)."""
    theta = qrealm.Parameter("theta")
    circuit = qrealm.Circuit(1).ry(theta, 0)
    found = qrealm.gradient(circuit, "Z0", [0.7])
    assert found.value == pytest.approx(math.cos(0.7), abs=1e-12)
    assert found["theta"] == pytest.approx(-math.sin(0.7), abs=1e-12)
    assert found[theta] == found["theta"]


def test_the_chain_rule_of_expressions() -> None:
    a, b = qrealm.Parameter("a"), qrealm.Parameter("b")
    circuit = qrealm.Circuit(1).ry(2 * a + b * b, 0).ry(a * b, 0)
    found = qrealm.gradient(circuit, "3 Z0", {"a": 0.3, "b": -0.8})
    angle = 2 * 0.3 + 0.64 - 0.24
    assert found.derivatives == pytest.approx(
        [-3 * math.sin(angle) * (2 - 0.8), -3 * math.sin(angle) * (-1.6 + 0.3)], abs=1e-12
    )
    assert found.parameters == ("a", "b")


def ansatz() -> tuple[qrealm.Circuit, int]:
    """Every gate that takes parameters, on five qubits, each with a parameter of its own."""
    circuit = qrealm.Circuit(5)
    count = 0

    def parameter() -> qrealm.Parameter:
        nonlocal count
        count += 1
        return qrealm.Parameter(f"p{count}")

    for q in range(5):
        circuit.h(q).ry(parameter(), q)
    circuit.rx(parameter(), 0).rz(parameter(), 1).p(parameter(), 2)
    circuit.u(parameter(), parameter(), parameter(), 3)
    circuit.rxx(parameter(), 0, 1).ryy(parameter(), 1, 2).rzz(parameter(), 2, 3).rzx(parameter(), 3, 4)
    circuit.crx(parameter(), 0, 4).cry(parameter(), 1, 3).crz(parameter(), 2, 0).cp(parameter(), 4, 1)
    circuit.swap(0, 3).iswap(1, 4).ccx(0, 1, 2).x(4)
    for q in range(5):
        circuit.rx(parameter(), q)
    return circuit, count


@pytest.mark.parametrize("precision", ["single", "double"])
def test_every_parametrised_gate(precision: str) -> None:
    """Central differences with h = 1e-4 have an error near h^2 = 1e-8."""
    circuit, count = ansatz()
    values = np.random.default_rng(4).uniform(-3, 3, count)
    observable = "Z0 Z1 + 0.5 X2 - 1.5 Y3 X4 + 0.2 Z2"
    found = qrealm.gradient(circuit, observable, values, precision=precision)
    step = 1e-4
    shifts = [values + sign * step * row for row in np.eye(count) for sign in (1, -1)]
    results = qrealm.sweep(circuit, shifts, observables=observable, precision="double")
    energies = np.array([next(iter(result.expectation_values.values())) for result in results])
    wanted = (energies[::2] - energies[1::2]) / (2 * step)
    assert found.derivatives == pytest.approx(wanted, abs=2e-5 if precision == "single" else 1e-7)


def test_some_parameters_only() -> None:
    circuit, count = ansatz()
    values = np.linspace(-1, 1, count)
    whole = qrealm.gradient(circuit, "Z0 + X1", values)
    some = qrealm.gradient(circuit, "Z0 + X1", values, ["p3", "p9"])
    assert some.parameters == ("p3", "p9")
    assert some.derivatives == pytest.approx([whole["p3"], whole["p9"]], abs=1e-12)


def test_final_measurements_are_left_out() -> None:
    circuit = qrealm.Circuit(1).ry(qrealm.Parameter("t"), 0).measure_all()
    assert qrealm.gradient(circuit, "Z0", [0.5]).value == pytest.approx(math.cos(0.5), abs=1e-12)


def test_what_is_refused() -> None:
    circuit = qrealm.Circuit(2).ry(qrealm.Parameter("t"), 0)
    with pytest.raises(ParameterError):
        qrealm.gradient(circuit, "Z0", [0.1, 0.2])
    with pytest.raises(ParameterError):
        qrealm.gradient(circuit, "Z0", {"u": 0.1})
    with pytest.raises(ParameterError, match="gradient by"):
        qrealm.gradient(circuit, "Z0", [0.1], ["u"])
    with pytest.raises(ObservableError):
        qrealm.gradient(circuit, "Z7", [0.1])
    half_way = qrealm.Circuit(2).ry(qrealm.Parameter("t"), 0).measure(0).h(0)
    with pytest.raises(NotUnitaryError, match="half-way"):
        qrealm.gradient(half_way, "Z0", [0.1])
    wide = qrealm.Circuit(33).ry(qrealm.Parameter("t"), 0)
    with pytest.raises(TooLargeError, match="GiB"):
        qrealm.gradient(wide, "Z0", [0.1], backend="statevector")
    assert qrealm.gradient(wide, "Z0", [0.1])["t"] == pytest.approx(-math.sin(0.1), abs=1e-12)


@pytest.mark.parametrize("observable", ["Z0 Z1", "0.5 X3 + Z2 Z18 - 2 Y9 + 0.25 I", "Z17"])
def test_a_local_observable_needs_only_its_light_cone(observable: str) -> None:
    """The same derivatives as of the whole circuit, zero where the observable does not depend on the gate."""
    circuit = qrealm.Circuit(20)
    shared = qrealm.Parameter("shared")
    for layer in range(3):
        for q in range(20):
            circuit.ry(qrealm.Parameter(f"y{layer}_{q}"), q).rz(shared * (1 + q), q)
        for q in range(layer % 2, 19, 2):
            circuit.cx(q, q + 1)
    values = np.random.default_rng(3).uniform(-2, 2, len(circuit.parameters))
    whole = qrealm.gradient(circuit, observable, values, backend="statevector")
    found = qrealm.gradient(circuit, observable, values)
    assert found.parameters == whole.parameters
    assert found.value == pytest.approx(whole.value, abs=1e-11)
    assert np.abs(found.derivatives - whole.derivatives).max() < 1e-10
    assert np.count_nonzero(found.derivatives) < 50
    some = qrealm.gradient(
        circuit, observable, dict(zip(whole.parameters, values, strict=True)), ["y0_17", shared]
    )
    assert some.derivatives == pytest.approx([whole["y0_17"], whole["shared"]], abs=1e-10)
