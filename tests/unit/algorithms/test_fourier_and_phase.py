"""The Fourier transform and phase estimation against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms.fourier import qft_circuit, run_qft
from qrealm.algorithms.phase_estimation import (
    iterative_phase_estimation_circuit,
    outcome_distribution,
    phase_estimation_circuit,
    run_phase_estimation,
)
from qrealm.base.errors import MatrixError, RequestError
from qrealm.circuits import Circuit
from reference.dense import DenseSimulator


def statevector(circuit):
    """The reference simulator's state."""
    return DenseSimulator.run(circuit.packed()).state


@pytest.mark.parametrize("n, x", [(1, 1), (3, 5), (6, 0), (6, 41)])
@pytest.mark.parametrize("inverse", [False, True])
def test_qft_amplitudes(n, x, inverse):
    size = 1 << n
    found = run_qft(n, x, inverse=inverse, shots=0)
    turns = x * np.arange(size) / size * (-1 if inverse else 1)
    assert np.abs(found.state - np.exp(2j * np.pi * turns) / math.sqrt(size)).max() < 1e-12
    assert np.abs(found.probabilities - 1 / size).max() < 1e-12
    off = found.phases - 2 * np.pi * turns
    assert np.abs(off - 2 * np.pi * np.round(off / (2 * np.pi))).max() < 1e-12


def test_qft_without_swaps_leaves_the_bits_reversed():
    plain, swapped = qft_circuit(4, swaps=False), qft_circuit(4)
    x = Circuit(4).x([0, 2])
    reversed_bits = [int(f"{y:04b}"[::-1], 2) for y in range(16)]
    state = statevector(x.copy().compose(plain))
    assert np.abs(state[reversed_bits] - statevector(x.copy().compose(swapped))).max() < 1e-12
    assert "swap" not in plain.count_ops()


def test_qft_and_inverse_cancel():
    circuit = Circuit(5).x([1, 4]).compose(qft_circuit(5)).compose(qft_circuit(5, inverse=True))
    assert abs(statevector(circuit)[18] - 1) < 1e-12


def test_qft_counts_are_uniform():
    counts = run_qft(3, 6, shots=8000, seed=2).counts
    assert sum(counts.values()) == 8000
    # 5 standard deviations of a binomial with p = 1/8
    assert all(abs(count - 1000) < 5 * math.sqrt(875) for count in counts.values())
    with pytest.raises(RequestError, match="input_value"):
        run_qft(3, 8)


@pytest.mark.parametrize("phase", [0.0, 0.25, 1 / 3, 0.3141, 0.999])
def test_textbook_distribution(phase):
    found = run_phase_estimation(Circuit(1).p(2 * np.pi * phase, 0), 5, "1", shots=100, seed=1)
    assert np.abs(found.probabilities - outcome_distribution(phase, 5)).max() < 1e-12
    assert outcome_distribution(phase, 5).sum() == pytest.approx(1, abs=1e-12)


def test_distribution_is_the_sum_it_stands_for():
    y, k = np.arange(16), np.arange(16)
    direct = np.abs(np.exp(2j * np.pi * np.outer(0.3141 - y / 16, k)).sum(axis=1) / 16) ** 2
    assert np.abs(direct - outcome_distribution(0.3141, 4)).max() < 1e-12


@pytest.mark.parametrize("method", ["textbook", "iterative"])
def test_sampled_distribution(method):
    phase, shots = 0.3141, 20_000
    found = run_phase_estimation(
        Circuit(1).p(2 * np.pi * phase, 0), 4, "1", method=method, shots=shots, seed=4
    )
    expected = shots * outcome_distribution(phase, 4)
    counts = np.array([found.counts.get(f"{y:04b}", 0) for y in range(16)])
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 15 + 5 * math.sqrt(30)  # mean 15, variance 30: 5 standard deviations
    assert found.phase == 5 / 16
    assert found.phase_radians == pytest.approx(2 * np.pi * 5 / 16)
    assert found.resolution == 1 / 16
    assert found.circuit.num_qubits == (5 if method == "textbook" else 2)


@pytest.mark.parametrize("method", ["textbook", "iterative"])
def test_exact_phases_are_certain_whatever_describes_the_unitary(method):
    rng = np.random.default_rng(7)
    vectors, _ = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
    eigenphases = np.array([11, 3, 20, 6]) / 32
    matrix = (vectors * np.exp(2j * np.pi * eigenphases)) @ vectors.conj().T
    for number, phase in enumerate(eigenphases):
        found = run_phase_estimation(matrix, 5, vectors[:, number], method=method, shots=50, seed=1)
        assert found.counts == {f"{round(phase * 32):05b}": 50}
        assert found.phase == phase


def test_a_global_phase_of_the_circuit_counts():
    unitary = Circuit(1).gphase(2 * np.pi * 3 / 8)
    assert run_phase_estimation(unitary, 3, shots=10, seed=1).phase == 3 / 8


def test_superposition_of_eigenstates_gives_both_phases():
    unitary = Circuit(1).p(np.pi / 2, 0)  # phases 0 and 1/4
    found = run_phase_estimation(
        unitary, 2, Circuit(1).ry(2 * math.asin(math.sqrt(0.3)), 0), shots=10, seed=1
    )
    assert found.probabilities == pytest.approx([0.7, 0.3, 0, 0], abs=1e-12)


def test_phase_estimation_refuses():
    with pytest.raises(RequestError, match="method"):
        run_phase_estimation(Circuit(1).t(0), 3, method="fast")
    with pytest.raises(RequestError, match="measures"):
        phase_estimation_circuit(Circuit(1, 1).measure(0, 0), 3)
    with pytest.raises(RequestError, match="eigenstate's circuit has 2 qubits"):
        phase_estimation_circuit(Circuit(1).t(0), 3, Circuit(2))
    with pytest.raises(MatrixError):
        phase_estimation_circuit([[1, 0], [0, 2]], 3)
    with pytest.raises(RequestError, match="Circuit or a square matrix"):
        phase_estimation_circuit(3, 3)
    with pytest.raises(RequestError, match="num_counting_qubits"):
        iterative_phase_estimation_circuit(Circuit(1).t(0), 0)
