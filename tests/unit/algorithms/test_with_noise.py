"""Noise under the algorithms: counts follow it, and exact values of a pure state are not told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms import (
    run_ghz,
    run_grover,
    run_phase_estimation,
    run_quantum_volume,
    run_teleportation,
    run_vqe,
    run_w,
)
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.noise import NoiseModel, ReadoutError, depolarizing
from qrealm.simulate.backends import QuantumBackend

FLIP = 0.05
DETECTOR = NoiseModel().readout(ReadoutError.flips(FLIP, FLIP))


def near(share, probability, shots):
    """Within 5 standard deviations of a binomial."""
    return abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / shots)


def test_ghz():
    found = run_ghz(4, shots=20_000, seed=1, noise=DETECTOR)
    assert found.fidelity is None
    assert near(found.success_probability, (1 - FLIP) ** 4 + FLIP**4, 20_000)


def test_w():
    found = run_w(3, shots=20_000, seed=1, noise=DETECTOR)
    # One excitation is read if nothing flips, or if it flips away and one of two others flips in.
    expected = (1 - FLIP) ** 3 + FLIP * 2 * FLIP * (1 - FLIP)
    assert near(found.success_probability, expected, 20_000)


def test_grover_takes_the_probability_from_the_shots():
    clean = run_grover(4, 9, seed=1)
    found = run_grover(4, 9, shots=20_000, seed=1, noise=DETECTOR)
    assert found.probability == found.counts["1001"] / 20_000
    other = (1 - clean.probability) / 15  # each other item, which distance d makes flip^d
    expected = clean.probability * (1 - FLIP) ** 4
    expected += sum(other * math.comb(4, d) * FLIP**d * (1 - FLIP) ** (4 - d) for d in range(1, 5))
    assert near(found.probability, expected, 20_000)


def test_phase_estimation():
    unitary = Circuit(1).p(2 * np.pi * 3 / 8, 0)
    found = run_phase_estimation(unitary, 3, "1", shots=20_000, seed=1, noise=DETECTOR)
    assert found.probabilities is None
    assert found.phase == 3 / 8
    assert near(found.counts["011"] / 20_000, (1 - FLIP) ** 3, 20_000)


@pytest.mark.parametrize("shots", [0, 20_000])
def test_vqe_goes_down_to_the_lowest_noisy_energy(shots):
    """Depolarizing after RY shrinks <Z> = cos(theta) by 1 - p, so the lowest energy is p - 1."""
    share = 0.2
    noise = NoiseModel().after_gates(depolarizing(share, 1), "ry")
    found = run_vqe(
        "Z0", Circuit(1).ry(Parameter("t"), 0), optimizer="COBYLA", initial_values=[2.0], shots=shots, seed=1,
        noise=noise, tolerance=1e-3,
    )  # fmt: skip
    # Five standard errors, and COBYLA's distance from the minimum.
    assert found.energy == pytest.approx(share - 1, abs=5 * found.standard_error + 2e-3)
    assert (found.standard_error > 0) is (shots > 0)
    assert not any(operation.name == "channel" for operation, _, _ in found.ansatz)
    with pytest.raises(RequestError, match="L-BFGS-B follows gradients"):
        run_vqe("Z0", noise=noise)


@pytest.mark.skipif("density_matrix" not in list(QuantumBackend), reason="needs the density matrix")
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_teleportation_through_depolarized_pairs(share):
    """Either CX that is depolarized leaves the receiver with the mixed state, whose fidelity is 1/2."""
    noise = NoiseModel().after_gates(depolarizing(share, 2), "cx")
    sent = run_teleportation((0.6, 0.8j), shots=100, seed=1, noise=noise)
    assert sent.fidelity == pytest.approx(0.5 + 0.5 * (1 - share) ** 2, abs=1e-12)


def test_quantum_volume_needs_a_good_detector():
    clean = run_quantum_volume(4, 60, shots=500, seed=1)
    found = run_quantum_volume(
        4, 60, shots=500, seed=1, noise=NoiseModel().readout(ReadoutError.flips(0.15, 0.15))
    )
    assert found.ideal_heavy_probability == clean.ideal_heavy_probability
    # Where the detector errs in any bit the output is heavy about half the time.
    whole = 0.85**4
    expected = whole * clean.ideal_heavy_probability + (1 - whole) / 2
    assert found.heavy_output_probability == pytest.approx(expected, abs=0.04)
    assert clean.passed
    assert not found.passed
    assert found.quantum_volume == 1
