"""Expectation values, exact and sampled, against the reference."""

from __future__ import annotations

import numpy as np
import pytest

import qrealm
from qrealm.simulate.layered import layered_circuit
from qrealm.simulate.observables import measured_bases, parities, parse_observables
from reference.dense import DenseSimulator

OBSERVABLE = "0.5 X0 Y1 Z2 - 1.5 Z0 Z3 + 2 Y2 + 0.25 X0 X1 - 3"


def reference_value(circuit: qrealm.Circuit) -> float:
    state = DenseSimulator.run(circuit.packed())
    return (
        0.5 * state.expectation({0: "X", 1: "Y", 2: "Z"})
        - 1.5 * state.expectation({0: "Z", 3: "Z"})
        + 2 * state.expectation({2: "Y"})
        + 0.25 * state.expectation({0: "X", 1: "X"})
        - 3
    )


@pytest.mark.parametrize("precision, tolerance", [("single", 1e-5), ("double", 1e-11)])
def test_exact_values_agree_with_the_reference(precision, tolerance):
    circuit = layered_circuit(4, 3)
    result = qrealm.run(circuit, shots=0, observables=OBSERVABLE, precision=precision)
    assert result.expectation_values[OBSERVABLE] == pytest.approx(reference_value(circuit), abs=tolerance)
    assert result.standard_errors == {OBSERVABLE: 0.0}


def test_sampled_values_are_within_their_standard_errors():
    circuit = layered_circuit(4, 3)
    expected = reference_value(circuit)
    distances = []
    for seed in range(40):
        result = qrealm.run(circuit, shots=500, seed=seed, observables=OBSERVABLE, sampled=True)
        distances.append(
            (result.expectation_values[OBSERVABLE] - expected) / result.standard_errors[OBSERVABLE]
        )
    # Forty standard normal deviates: their root mean square is 1 ± 0.11.
    assert 0.6 < np.sqrt(np.mean(np.square(distances))) < 1.45
    assert abs(np.mean(distances)) < 4 / np.sqrt(40)


def test_values_have_names():
    circuit = qrealm.Circuit(2).h(0).cx(0, 1)
    named = qrealm.run(circuit, shots=0, observables={"pair": "Z0 Z1", "one": qrealm.PauliSum("Z0")})
    assert named.expectation_values == pytest.approx({"pair": 1.0, "one": 0.0})
    listed = qrealm.run(circuit, shots=0, observables=["Z0 Z1", qrealm.PauliSum("X0 X1")])
    assert list(listed.expectation_values) == ["Z0 Z1", "X0 X1"]
    constant = qrealm.run(circuit, shots=0, observables={"two": "2", "nothing": qrealm.PauliSum()})
    assert constant.expectation_values == pytest.approx({"two": 2.0, "nothing": 0.0})


def test_terms_that_agree_share_a_basis():
    named = parse_observables(["Z0 Z1 + Z1 Z2 + 0.5", "X0 + Y2", "X0 Y2"], 3)
    bases, constants = measured_bases(named)
    assert constants == [0.5, 0.0, 0.0]
    assert len(bases) == 2
    assert sum(len(basis.terms) for basis in bases) == 5


def test_parities():
    values = np.array([0, 1, 0b1011, 2**63, 2**63 + 1], dtype=np.uint64)
    assert parities(values, 2**64 - 1).tolist() == [0, 1, 1, 1, 0]
    assert parities(values, 0b10).tolist() == [0, 0, 1, 0, 0]
    assert values.tolist()[2] == 0b1011  # left as it was
