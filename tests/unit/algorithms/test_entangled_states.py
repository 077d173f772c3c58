"""GHZ and W states, teleportation: amplitudes against the definitions, depth against its bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms.entangled_states import ghz_circuit, run_ghz, run_w, w_circuit
from qrealm.algorithms.teleportation import run_teleportation, teleportation_circuit
from qrealm.base.errors import RequestError, StateError
from reference.dense import DenseSimulator


def statevector(circuit):
    """The reference simulator's state."""
    return DenseSimulator.run(circuit.packed()).state


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9])
def test_ghz_is_its_definition(n):
    state = np.zeros(1 << n, dtype=complex)
    state[0] = state[-1] = 1 / math.sqrt(2)
    assert np.abs(statevector(ghz_circuit(n)) - state).max() < 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9])
def test_w_is_its_definition(n):
    state = np.zeros(1 << n, dtype=complex)
    state[[1 << q for q in range(n)]] = 1 / math.sqrt(n)
    assert np.abs(statevector(w_circuit(n)) - state).max() < 1e-12


@pytest.mark.parametrize("n", [2, 7, 64, 1000])
def test_depths_are_logarithmic(n):
    levels = math.ceil(math.log2(n))
    assert ghz_circuit(n).depth() == 1 + levels
    assert w_circuit(n).depth() == 1 + 2 * levels


def test_runs_tell_counts_and_fidelity():
    ghz = run_ghz(5, shots=4000, seed=3)
    assert set(ghz.counts) == {"00000", "11111"}
    assert abs(ghz.counts["00000"] - 2000) < 5 * math.sqrt(1000)  # 5 standard deviations
    assert ghz.success_probability == 1.0
    assert ghz.fidelity == pytest.approx(1, abs=1e-12)
    w = run_w(5, shots=5000, seed=3)
    assert set(w.counts) == {"00001", "00010", "00100", "01000", "10000"}
    assert all(abs(count - 1000) < 5 * math.sqrt(800) for count in w.counts.values())
    assert w.fidelity == pytest.approx(1, abs=1e-12)
    assert run_w(5, shots=5000, seed=3).counts == w.counts


def test_refuses_what_is_no_size():
    with pytest.raises(RequestError):
        run_ghz(3, shots=0)
    with pytest.raises(RequestError, match="num_qubits"):
        ghz_circuit(0)
    with pytest.raises(RequestError, match="must be an integer"):
        w_circuit(2.5)


STATES = [(1, 0), (0, 1), (0.6, 0.8j), (0.6j, -0.8), (math.sqrt(0.3), math.sqrt(0.7) * np.exp(2.1j))]


@pytest.mark.parametrize("state", STATES)
def test_teleportation_delivers_any_state(state):
    sent = run_teleportation(state, shots=4000, seed=11)
    a, b = state
    bloch = (2 * (np.conj(a) * b).real, 2 * (np.conj(a) * b).imag, abs(a) ** 2 - abs(b) ** 2)
    assert sent.received_bloch == pytest.approx(bloch, abs=1e-12)
    assert sent.fidelity == pytest.approx(1, abs=1e-12)
    # The sender's outcomes tell nothing of the state: each has probability 1/4; 5 standard deviations.
    assert set(sent.counts) == {"00", "01", "10", "11"}
    assert all(abs(count - 1000) < 5 * math.sqrt(750) for count in sent.counts.values())


def test_teleportation_needs_both_corrections():
    whole = teleportation_circuit((0.6, 0.8j))
    assert whole.count_ops()["if"] == 2
    assert whole.terminal_measurements is None


@pytest.mark.parametrize("state", [(1, 1), (1, 0, 0), "ab", (math.nan, 0), 3])
def test_teleportation_refuses_what_is_no_state(state):
    with pytest.raises(StateError, match="two amplitudes"):
        run_teleportation(state)
