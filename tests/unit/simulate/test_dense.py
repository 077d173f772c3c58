"""The plain-NumPy answers that `verify` trusts, against the dense reference and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import NotUnitaryError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import ReadoutError, amplitude_damping, depolarizing
from qrealm.simulate import dense
from qrealm.simulate.verify_circuits import standard
from reference.dense import DenseSimulator


@pytest.mark.parametrize("case", [case for case in standard(6) if case.is_pure], ids=lambda case: case.name)
def test_states_and_values_are_those_of_the_reference(case):
    """Two simulators with gate matrices of their own: one from the gate table, one from textbooks."""
    reference = DenseSimulator.run(case.circuit.packed())
    assert case.state is not None
    assert np.abs(case.state - reference.state).max() < 1e-12
    for text, value in case.values.items():
        want = reference.expectation({int(word[1:]): word[0] for word in text.split()})
        assert value == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("qubits", [4, 7])
def test_closed_forms_of_wide_circuits(qubits):
    for case in standard(qubits):
        if case.known_probabilities is not None:
            state = np.abs(DenseSimulator.run(case.circuit.packed()).state) ** 2
            found = {int(index): state[index] for index in np.flatnonzero(state > 1e-12)}
            assert found == pytest.approx(dict(case.known_probabilities))


def test_teleportation_moves_the_state():
    case = next(case for case in standard(4) if "teleportation" in case.name)
    ones = sum(share for bits, share in case.probabilities.items() if bits >> 2)
    # <X> of RZ(0.4) RY(0.7) |0> is sin 0.7 cos 0.4; the H turns it into Z.
    assert 1 - 2 * ones == pytest.approx(np.sin(0.7) * np.cos(0.4))
    assert sum(case.probabilities.values()) == pytest.approx(1)


def test_noise_by_closed_forms():
    circuit = Circuit(2).x(0).h(1)
    circuit.append(amplitude_damping(0.3), [0])
    circuit.append(depolarizing(0.2, 2), [0, 1])
    rho = dense.mixed_state(circuit)
    assert np.trace(rho) == pytest.approx(1)
    assert dense.pauli_value(rho, "ZI") == pytest.approx(0.8 * (0.3 - 0.7))
    assert dense.pauli_value(rho, "IX") == pytest.approx(0.8)
    assert dense.pauli_value(rho, "ZX") == pytest.approx(0.8 * (0.3 - 0.7))


def test_misread_bits_and_resets():
    circuit = Circuit(2, 2).x(0).x(1).measure(0, 0)
    circuit.append(ReadoutError([[1.0, 0.2], [0.0, 0.8]]), [0])
    with circuit.if_(0, 0):
        circuit.reset(1)
    circuit.measure(1, 1)
    assert dense.outcome_probabilities(circuit) == pytest.approx({0b00: 0.2, 0b11: 0.8})


def test_prepared_states():
    circuit = Circuit(2).x(1).initialize([0.6, 0.8], [1])
    assert dense.outcome_probabilities(circuit) == pytest.approx({0: 0.36, 2: 0.64})


def test_a_state_vector_has_no_noise():
    circuit = Circuit(1)
    circuit.append(depolarizing(0.1), [0])
    with pytest.raises(NotUnitaryError, match="channel"):
        dense.final_state(circuit)
