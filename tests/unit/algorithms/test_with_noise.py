"""Noise under the algorithms: counts follow it, and exact values of a pure state are not told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms import (
    run_ghz,
    run_grover,
    run_iterative_amplitude_estimation,
    run_maxcut,
    run_phase_estimation,
    run_qft,
    run_quantum_volume,
    run_teleportation,
    run_vqe,
    run_w,
)
from qrealm.base.errors import BackendRefusalError, RequestError
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


SHARE = 0.03
ALL = NoiseModel().after_gates(depolarizing(SHARE)).after_gates(depolarizing(SHARE, 2))


def mixed(kept: float, pure: float, outcomes: int) -> float:
    """A probability in kept rho + (1 - kept) 1/d, of outcomes among which d is counted."""
    return kept * pure + (1 - kept) / outcomes


def test_grover_under_global_depolarising():
    """A channel on all three qubits after each CCZ: two in each iteration."""
    noise = NoiseModel().after_gates(depolarizing(0.05, 3), "ccz")
    for iterations in (1, 2, 6):
        clean = run_grover(3, 5, iterations, seed=1).probability
        found = run_grover(3, 5, iterations, shots=20_000, seed=2, noise=noise)
        assert near(found.probability, mixed(0.95 ** (2 * iterations), clean, 8), 20_000)


@pytest.mark.parametrize("inverse", [False, True])
def test_qft_under_global_depolarising(inverse):
    """On two qubits the controlled phase and the swap have a channel each on the whole state."""
    noise = NoiseModel().after_gates(depolarizing(SHARE, 2)).readout(ReadoutError.flips(FLIP, FLIP))
    found = run_qft(2, 3, inverse=inverse, shots=20_000, seed=1, noise=noise)
    assert found.fidelity == pytest.approx(mixed((1 - SHARE) ** 2, 1.0, 4), abs=1e-12)
    assert found.state is None
    assert found.phases is None
    assert found.density_matrix.trace() == pytest.approx(1.0)
    assert np.allclose(found.probabilities, 0.25)
    assert all(near(found.counts[text] / 20_000, 0.25, 20_000) for text in ("00", "01", "10", "11"))
    pure = run_qft(2, 3, inverse=inverse, seed=1)
    overlap = np.vdot(pure.state, found.density_matrix @ pure.state).real
    assert overlap == pytest.approx(found.fidelity, abs=1e-12)
    assert pure.fidelity == 1.0


def test_qft_beyond_a_density_matrix_has_counts_only():
    found = run_qft(11, 3, shots=50, seed=1, noise=ALL)
    assert found.density_matrix is None
    assert found.probabilities is None
    assert sum(found.counts.values()) == 50
    drawn = run_qft(3, 3, shots=50, seed=1, noise=ALL, backend="trajectories")
    assert drawn.density_matrix is None
    assert drawn.fidelity is None
    with pytest.raises(BackendRefusalError, match="trajectories"):
        run_qft(3, 3, shots=0, noise=ALL, backend="trajectories")


def test_ghz_under_depolarising():
    """Two qubits: the CX's channel leaves 1/4 in each of four outcomes, two of which are wanted."""
    noise = NoiseModel().after_gates(depolarizing(0.2, 2), "cx")
    assert near(run_ghz(2, shots=20_000, seed=1, noise=noise).success_probability, 0.9, 20_000)


def test_amplitude_estimation_sees_the_noisy_amplitude():
    """RY then a channel: a becomes (1 - p) a + p/2. So many shots that the first round is enough."""
    noise = NoiseModel().after_gates(depolarizing(0.3, 1), "ry")
    amplitude = math.sin(0.4) ** 2
    found = run_iterative_amplitude_estimation(
        Circuit(1).ry(0.8, 0), 0, 0.02, shots=100_000, confidence=0.9999, seed=1, noise=noise
    )
    assert found.powers == (0,)
    low, high = found.confidence_interval
    assert low < 0.7 * amplitude + 0.15 < high
    assert not low < amplitude < high


def test_quantum_volume_under_depolarising():
    """Width 2: two unitaries, each with a channel on the whole state; half of the outputs are heavy."""
    noise = NoiseModel().after_gates(depolarizing(0.1, 2))
    found = run_quantum_volume(2, 50, shots=2000, seed=1, noise=noise)
    expected = mixed(0.81, found.ideal_heavy_probability, 2)
    deviation = math.sqrt(expected * (1 - expected) / (50 * 2000))
    assert abs(found.heavy_output_probability - expected) < 5 * deviation


RING = [(v, (v + 1) % 6) for v in range(6)]


@pytest.mark.parametrize("backend", ["auto", "trajectories"])
def test_qaoa_of_a_ring_under_depolarised_mixers(backend):
    """One layer cuts 3/4 of the ring; a channel on both ends of an edge after the mixer shrinks <ZZ> by
    (1 - p)^2, so the cut is n (1/2 + (1 - p)^2 / 4)."""
    noise = NoiseModel().after_gates(depolarizing(0.1, 1), "rx")
    found = run_maxcut(RING, 1, starts=2, shots=2000, seed=3, noise=noise, tolerance=1e-5, backend=backend)
    expected = 6 * (0.5 + 0.81 / 4)
    sampled = backend == "trajectories"
    assert (found.standard_error > 0) is sampled
    # Five standard errors; COBYLA under sampling noise stops a little short of the maximum.
    slack = 5 * found.standard_error + (0.1 if sampled else 1e-6)
    assert found.expected_cost == pytest.approx(expected, abs=slack)
    assert found.approximation_ratio == pytest.approx(found.expected_cost / 6)
    assert not any(operation.name == "channel" for operation, _, _ in found.circuit)
    assert max(found.history) >= found.expected_cost - 1e-9 or sampled


def test_qaoa_noise_takes_the_angles_and_the_readout():
    """The detector alone changes the samples, not the exact cost."""
    clean = run_maxcut(RING, 1, starts=2, seed=3)
    found = run_maxcut(
        RING, 1, initial_angles=([clean.gammas[0]], [clean.betas[0]]), seed=3, shots=20_000, noise=DETECTOR
    )
    assert found.expected_cost == pytest.approx(clean.expected_cost, abs=1e-6)
    cuts = {text: sum(text[a] != text[b] for a, b in RING) for text in found.counts}
    mean = sum(cuts[text] * count for text, count in found.counts.items()) / 20_000
    square = sum(cuts[text] ** 2 * count for text, count in found.counts.items()) / 20_000
    # Each edge: <ZZ> shrinks by (1 - 2 f)^2.
    expected = 3 + (1 - 2 * FLIP) ** 2 * (clean.expected_cost - 3)
    assert abs(mean - expected) < 5 * math.sqrt((square - mean**2) / 20_000)
