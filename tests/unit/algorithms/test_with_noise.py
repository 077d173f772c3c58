"""Noise under the algorithms: counts follow it, and exact values of a pure state are not told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms import (
    hardware_efficient_ansatz,
    run_ghz,
    run_grover,
    run_iterative_amplitude_estimation,
    run_maxcut,
    run_phase_estimation,
    run_qft,
    run_quantum_volume,
    run_shor,
    run_teleportation,
    run_vqe,
    run_w,
)
from qrealm.base.errors import BackendRefusalError, ChannelError, RequestError
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.noise import PRESETS, Device, NoiseModel, ReadoutError, depolarizing
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


# ---- devices ------------------------------------------------------------------------------------------


def noisy_device(pair_error, coupling=None, num_qubits=5):
    """Errors of gates on two qubits alone."""
    return Device.uniform(
        "five", num_qubits, t1_ns=math.inf, t2_ns=math.inf, gate_ns=0.0, gate_error=0.0, pair_ns=0.0,
        pair_error=pair_error, read_1_given_0=0.0, read_0_given_1=0.0, coupling=coupling,
    )  # fmt: skip


def test_a_device_a_name_and_a_model_mean_the_same():
    given = ("ibmq_manila", PRESETS["ibmq_manila"](), NoiseModel.from_device("ibmq_manila"))
    found = [run_grover(3, 5, seed=1, noise=noise).counts for noise in given]
    assert found[0] == found[1] == found[2]
    with pytest.raises(ChannelError, match="did you mean ibmq_manila"):
        run_grover(3, 5, noise="ibmq_manilla")
    with pytest.raises(RequestError, match="noise got 3"):
        run_grover(3, 5, noise=3)


def test_ghz_on_a_fully_coupled_device():
    """Two qubits, one CX: an average error e is depolarising with p = 4 e / 3, which leaves 1 - p/2."""
    found = run_ghz(2, shots=20_000, seed=1, noise=noisy_device(0.09))
    assert near(found.success_probability, 1 - 0.12 / 2, 20_000)


def test_qft_on_a_device():
    """Controlled phase and swap are one gate on two qubits after merging: three CX on the whole state."""
    found = run_qft(2, 1, seed=1, noise=noisy_device(0.03))
    kept = 0.96**3
    pure = (found.fidelity - 0.25 * (1 - kept)) / kept
    assert pure == pytest.approx(1.0, abs=1e-9)


def test_quantum_volume_on_a_device():
    """Width 2: two unitaries on one pair are one, of three CX."""
    found = run_quantum_volume(2, 40, shots=2000, seed=1, noise=noisy_device(0.03))
    expected = mixed(0.96**3, found.ideal_heavy_probability, 2)
    assert abs(found.heavy_output_probability - expected) < 5 * math.sqrt(0.25 / (40 * 2000))


@pytest.mark.parametrize("coupling", [None, frozenset({(0, 1), (1, 2), (2, 3), (3, 4)})])
def test_energies_on_a_device_without_errors_are_the_exact_ones(coupling):
    """Compiled, routed, renumbered, with open parameters: the energy landscape is that of the ansatz."""
    device = noisy_device(0.0, coupling)
    hamiltonian = "Z0 Z3 - 0.5 X1 X2 + 0.3 Y0 Z2 + 0.2 Z1"
    ansatz = hardware_efficient_ansatz(4, 1).cx(0, 3).cx(1, 3)
    start = np.linspace(-1, 1, len(ansatz.parameters))
    options = {"optimizer": "COBYLA", "initial_values": start, "iterations_max": 20, "seed": 1}
    clean = run_vqe(hamiltonian, ansatz, **options)
    found = run_vqe(hamiltonian, ansatz, noise=device, **options)
    assert np.allclose(found.history[:5], clean.history[:5], atol=1e-9)
    assert found.parameters.keys() == clean.parameters.keys()


def test_maxcut_on_a_device():
    """Noise lowers the cut, to no less than random cuts have."""
    clean = run_maxcut([(0, 1), (1, 2)], 1, starts=2, seed=1)
    path = {"graph": [(0, 1), (1, 2)], "starts": 2, "seed": 1, "tolerance": 1e-5}
    costs = [run_maxcut(**path, noise=noisy_device(error)).expected_cost for error in (0.0, 0.02, 0.1)]
    assert costs[0] == pytest.approx(clean.expected_cost, abs=1e-6)
    assert costs[0] > costs[1] > costs[2] > 1.0
    # One edge: both CX of RZZ depolarise the whole state of the pair.
    single = run_maxcut([(0, 1)], 1, starts=2, seed=1, tolerance=1e-6, noise=noisy_device(0.03))
    assert single.expected_cost == pytest.approx(0.5 + 0.5 * 0.96**2, abs=1e-6)


def test_teleportation_on_a_line():
    """A detector that errs sends the wrong correction: each bit is one Pauli."""
    flips = Device.uniform(
        "line", 3, t1_ns=math.inf, t2_ns=math.inf, gate_ns=0.0, gate_error=0.0, pair_ns=0.0, pair_error=0.0,
        read_1_given_0=0.1, read_0_given_1=0.1, coupling=frozenset({(0, 1), (1, 2)}),
    )  # fmt: skip
    sent = run_teleportation((1, 0), shots=100, seed=1, noise=flips)
    assert sent.fidelity == pytest.approx(0.9, abs=1e-12)  # X wrong turns |0> round, Z does nothing
    plus = run_teleportation((math.sqrt(0.5), math.sqrt(0.5)), shots=100, seed=1, noise=flips)
    assert plus.fidelity == pytest.approx(0.9, abs=1e-12)  # Z wrong turns |+> round


def test_phase_estimation_and_shor_on_devices():
    unitary = Circuit(1).p(2 * np.pi * 3 / 8, 0)
    found = run_phase_estimation(unitary, 3, "1", shots=4000, seed=1, noise="ibmq_manila")
    assert found.phase == 3 / 8
    assert 0.4 < found.counts["011"] / 4000 < 0.95
    with pytest.raises(ChannelError, match="11 qubits; the device ibmq_manila has 5"):
        run_shor(15, seed=1, noise="ibmq_manila")


def test_only_qubits_in_use_are_simulated():
    """Ion traps have 25 qubits and neutral atoms 32; three of them fit a density matrix."""
    for name in ("ionq_aria", "infleqtion_2024"):
        found = run_qft(3, 2, seed=1, noise=name)
        assert 0.9 < found.fidelity < 0.999
        assert found.density_matrix.shape == (8, 8)
