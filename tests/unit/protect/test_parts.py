"""Folding, extrapolation, inverses of channels and readout correction, each against what theory says."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import ChannelError, RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import (
    Channel,
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    coherent,
    depolarizing,
    pauli_channel,
    phase_damping,
    thermal_relaxation,
)
from qrealm.protect import ReadoutCorrection, fold, readout_corrected
from qrealm.protect.extrapolation import extrapolate
from qrealm.protect.quasi import Step, _transfer_of, inverse_of, transfer_matrix
from reference.dense import DenseSimulator


def state_of(circuit):
    return DenseSimulator.run(circuit.packed()).state


@pytest.mark.parametrize("how", ["gates", "circuit"])
@pytest.mark.parametrize("factor", [1, 1.4, 2, 3, 4.3, 5])
def test_folding_keeps_the_state_and_multiplies_the_gates(how, factor):
    circuit = Circuit(3)
    for layer in range(4):
        circuit.u(0.3 * layer, 0.2, 0.9, 0).ry(0.7, 1).t(2).cx(0, 1).ccx(0, 1, 2).iswap(1, 2)
    folded = fold(circuit, factor, how, seed=3)
    assert np.abs(state_of(folded) - state_of(circuit)).max() < 1e-9
    assert len(folded) == pytest.approx(factor * len(circuit), abs=1.01)


def test_folding_leaves_measurements_where_they_are():
    circuit = Circuit(2).h(0).cx(0, 1).measure_all()
    assert fold(circuit, 3, "circuit").terminal_measurements == {0: 0, 1: 1}
    with pytest.raises(RequestError, match="1 or more"):
        fold(circuit, 0.5)
    with pytest.raises(RequestError, match="half-way"):
        fold(Circuit(1).h(0).measure(0).h(0), 3)


def test_polynomials_are_extrapolated_exactly():
    x = [1.0, 2.0, 3.0]
    line = extrapolate(x, [0.9 - 0.1 * v for v in x], [0.0] * 3, "linear")
    assert line.value == pytest.approx(0.9)
    curve = extrapolate(x, [0.9 - 0.1 * v + 0.02 * v**2 for v in x], [0.0] * 3, "richardson")
    assert curve.value == pytest.approx(0.9)
    # Richardson's weights for 1, 2, 3 are 3, -3, 1 (arXiv:1612.02058, eq. 4).
    assert curve.weights == pytest.approx((3, -3, 1))
    assert extrapolate(x, [1.0] * 3, [0.1] * 3, "richardson").standard_error == pytest.approx(
        0.1 * math.sqrt(19)
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_decays_are_extrapolated_exactly(sign):
    x = [1.0, 2.0, 4.0]
    found = extrapolate(x, [sign * 0.8 * math.exp(-0.3 * v) for v in x], [1e-3] * 3, "exponential")
    assert found.value == pytest.approx(sign * 0.8)
    # The stated error is that of small changes in the values.
    shaken = np.random.default_rng(1).normal(0, 1e-3, (4000, 3))
    values = [
        extrapolate(x, sign * 0.8 * np.exp(-0.3 * np.array(x)) + row, [1e-3] * 3, "exponential").value
        for row in shaken
    ]
    assert found.standard_error == pytest.approx(np.std(values), rel=0.1)
    with pytest.raises(RequestError, match="both signs"):
        extrapolate(x, [0.1, -0.1, 0.1], [1e-3] * 3, "exponential")


@pytest.mark.parametrize(
    "channel, gamma",
    [
        # For p = 3/4 e: gamma = (1 + p/2) / (1 - p), from the eigenvalue 1 - e of the three Paulis.
        (depolarizing(0.1), (1 + 0.1 / 2) / (1 - 0.1)),
        (phase_damping(0.19), 1 / 0.9),
        (pauli_channel({"X": 0.1}), 1 / 0.8),
        # (1 + g) / (1 - g): R. Takagi, arXiv:2006.12509, eq. (35).
        (amplitude_damping(0.1), 1.1 / 0.9),
        (coherent(np.diag([1, 1j])), 1.0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_inverses_cost_what_theory_says(channel, gamma):
    assert inverse_of(channel).gamma == pytest.approx(gamma, rel=1e-6)


@pytest.mark.parametrize(
    "channel",
    [
        depolarizing(0.1),
        depolarizing(0.05, 2),
        amplitude_damping(0.1, 0.2),
        thermal_relaxation(100, 130, 7),
        pauli_channel({"XY": 0.03, "ZI": 0.1}),
        amplitude_damping(0.1).tensor(phase_damping(0.2)),
        depolarizing(0.02, 3),
    ],
    ids=lambda channel: f"{channel.name}{channel.num_qubits}",
)
def test_inverses_undo_their_channel(channel):
    inverse = inverse_of(channel)
    total = np.zeros((4**channel.num_qubits,) * 2)
    for weight, steps in zip(inverse.weights, inverse.steps, strict=True):
        matrix = np.eye(1)
        for step in steps:
            matrix = np.kron(_transfer_of(step), matrix)
        total += weight * matrix
    undone = total @ transfer_matrix(channel.superoperator())
    assert np.abs(undone - np.eye(len(undone))).max() < 1e-7
    assert sum(inverse.weights) == pytest.approx(1, abs=1e-7)


def test_what_loses_everything_cannot_be_undone():
    with pytest.raises(ChannelError, match="amplitude_damping"):
        inverse_of(amplitude_damping(1.0))
    with pytest.raises(ChannelError, match="depolarizing"):
        inverse_of(depolarizing(1.0))
    with pytest.raises(ChannelError, match="no Pauli channel"):
        inverse_of(Channel([np.diag(np.exp(1j * np.arange(8)))], "three"))


def test_the_words_make_24_different_gates():
    from qrealm.protect.quasi import _FRESH, _SEEDS

    gates = {tuple(np.round(_transfer_of(Step(False, word)), 6).ravel() + 0.0) for word in _SEEDS}
    assert len(gates) == 24
    fresh = {tuple(np.round(_transfer_of(Step(True, word)), 6).ravel() + 0.0) for word in _FRESH}
    assert len(fresh) == 6


DETECTOR = NoiseModel().readout(ReadoutError.flips(0.03, 0.08)).readout(ReadoutError.flips(0.1, 0.15), [1])


def test_readout_errors_are_undone():
    """GHZ: <Z0 Z1> = 1 and <X0 X1 X2> = 1, whatever the detector; five standard errors."""
    ghz = Circuit(3).h(0).cx(0, 1).cx(1, 2)
    found = readout_corrected(
        ghz, "Z0 Z1 + X0 X1 X2 + 0.25", DETECTOR, seed=2, shots=40_000, calibration_shots=40_000
    )
    # The calibration's own error is not in the standard error: the same number of shots, so a factor of 2.
    assert found.value == pytest.approx(2.25, abs=10 * found.standard_error)
    assert abs(found.unmitigated - 2.25) > 0.5
    assert found.shots == 2 * 40_000 + 4 * 40_000
    assert found.overhead == pytest.approx(most_overhead(), rel=0.1)


def most_overhead():
    """Largest stand-in of a parity: the product of (1 + |e01 - e10|) / (1 - e01 - e10) over the bits."""
    single = [(1 + abs(a - b)) / (1 - a - b) for a, b in ((0.03, 0.08), (0.1, 0.15), (0.03, 0.08))]
    return math.prod(single) ** 2


def test_counts_are_corrected():
    """A basis state that is read with errors comes back, and probabilities are none below 0."""
    correction = ReadoutCorrection(
        [
            ([0], ReadoutError.flips(0.03, 0.08)),
            ([1], ReadoutError.flips(0.1, 0.15)),
            ([2], ReadoutError.flips(0.03, 0.08)),
        ]
    )
    counts = qrealm.run(Circuit(3).x(0).x(2), shots=100_000, seed=5, noise=DETECTOR).counts
    quasi = correction.quasi_probabilities(counts)
    assert quasi["101"] == pytest.approx(1, abs=0.02)
    assert sum(quasi.values()) == pytest.approx(1)
    probabilities = correction.probabilities(counts)
    assert min(probabilities.values()) >= 0
    assert sum(probabilities.values()) == pytest.approx(1)
    assert probabilities["101"] > 0.97


def test_qubits_that_err_together_are_calibrated_together():
    """Bits 0 and 1 are flipped together in a fifth of the shots: single corrections cannot see it."""
    both = np.array([[0.8, 0, 0, 0.2], [0, 0.8, 0.2, 0], [0, 0.2, 0.8, 0], [0.2, 0, 0, 0.8]])

    def runner(circuit, shots, seed):
        noisy = circuit.copy()
        noisy.append(ReadoutError(both), [0, 1])
        return qrealm.run(noisy, shots=shots, seed=seed).counts

    state = Circuit(2).ry(1.0, 0)
    exact = math.cos(1.0)
    grouped = readout_corrected(state, "Z0", runner=runner, groups=[[0, 1]], shots=100_000, seed=1)
    assert grouped.value == pytest.approx(exact, abs=0.03)
    assert grouped.unmitigated == pytest.approx(0.6 * exact, abs=0.02)


def test_impossible_corrections_are_refused():
    with pytest.raises(RequestError, match="none is named twice"):
        ReadoutCorrection([([0], ReadoutError.flips(0.1, 0.1)), ([0], ReadoutError.flips(0.1, 0.1))])
    with pytest.raises(RequestError, match="tells nothing"):
        ReadoutCorrection([([0], ReadoutError.flips(0.5, 0.5))])
    with pytest.raises(RequestError, match="either noise"):
        readout_corrected(Circuit(1).h(0), "Z0")
    with pytest.raises(RequestError, match="gates and then measurements"):
        readout_corrected(Circuit(1).h(0).reset(0), "Z0", DETECTOR)
