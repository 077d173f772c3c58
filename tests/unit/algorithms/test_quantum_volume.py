"""Quantum volume: the circuits' law, the ideal heavy-output probability, and the verdict."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms.quantum_volume import (
    IDEAL_HEAVY_PROBABILITY,
    quantum_volume_circuit,
    run_quantum_volume,
)
from qrealm.base.errors import RequestError
from reference.dense import DenseSimulator


def test_ideal_device_gives_the_asymptotic_probability():
    found = run_quantum_volume(6, 100, shots=500, seed=1)
    assert pytest.approx(0.8466, abs=1e-4) == IDEAL_HEAVY_PROBABILITY
    # Exact values of single circuits scatter by about 0.03 at this width: 5 standard deviations of the mean,
    # and 0.006 for the width being finite.
    assert found.ideal_heavy_probability == pytest.approx(IDEAL_HEAVY_PROBABILITY, abs=5 * 0.003 + 0.006)
    # 50,000 shots: 5 standard deviations of the sampled mean around the exact one
    assert abs(found.heavy_output_probability - found.ideal_heavy_probability) < 5 * math.sqrt(0.13 / 50_000)
    assert found.passed
    assert found.quantum_volume == 64
    assert found.confidence > 0.977
    h = found.heavy_output_probability
    assert found.standard_deviation == pytest.approx(math.sqrt(h * (1 - h) / 100))
    assert found.heavy_probabilities.shape == (100,)
    assert found.heavy_probabilities.mean() == pytest.approx(h)


def test_few_circuits_are_not_enough():
    found = run_quantum_volume(3, 3, shots=200, seed=1)
    assert not found.passed
    assert found.quantum_volume == 1
    assert 0.5 < found.confidence < 0.977


def test_heavy_is_above_the_median_of_the_reference():
    found = run_quantum_volume(4, 1, shots=20_000, seed=9)
    circuit = quantum_volume_circuit(4, seed=9)
    weights = np.abs(DenseSimulator.run(circuit.packed()).state) ** 2
    exact = np.sort(weights)[8:].sum()  # 16 outputs: the heavy ones are the eight most probable
    assert found.ideal_heavy_probability == pytest.approx(exact, abs=1e-12)
    spread = math.sqrt(exact * (1 - exact) / 20_000)
    assert abs(found.heavy_output_probability - exact) < 5 * spread


def test_model_circuits():
    circuit = quantum_volume_circuit(5, seed=3)
    assert circuit.count_ops() == {"unitary": 10}  # floor(5/2) pairs in each of 5 layers
    assert quantum_volume_circuit(5, seed=3) == circuit
    assert quantum_volume_circuit(5, seed=4) != circuit
    assert quantum_volume_circuit(4, depth=7, seed=3).count_ops() == {"unitary": 14}
    with pytest.raises(RequestError, match="num_qubits"):
        quantum_volume_circuit(1)
    with pytest.raises(RequestError, match="num_circuits"):
        run_quantum_volume(2, 0)


def test_unitaries_are_haar_random():
    """Mean of |tr U|^2 is 1 and of |tr U|^4 is 2 for the Haar measure on U(4) (Diaconis and Shahshahani)."""
    circuit = quantum_volume_circuit(2, depth=4000, seed=1)
    traces = np.array([abs(np.trace(args[0].array)) ** 2 for _, _, args in circuit])
    assert traces.mean() == pytest.approx(1, abs=5 / math.sqrt(4000))  # the variance is 2 - 1
    assert (traces**2).mean() == pytest.approx(2, abs=5 * math.sqrt(20 / 4000))  # E|tr|^8 - 4 = 24 - 4
