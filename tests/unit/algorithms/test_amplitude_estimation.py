"""Amplitude estimation: the operator's eigenphases, and how often the intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms.amplitude_estimation import (
    grover_operator,
    run_amplitude_estimation,
    run_iterative_amplitude_estimation,
)
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from reference.dense import DenseSimulator


def statevector(circuit):
    """The reference simulator's state."""
    return DenseSimulator.run(circuit.packed()).state


TWO_QUBITS = Circuit(2).ry(1.1, 0).ry(0.7, 1).cx(0, 1)
TRUE_OF_TWO = float(abs(statevector(TWO_QUBITS)[3]) ** 2)


def rotation(a):
    return Circuit(1).ry(2 * math.asin(math.sqrt(a)), 0)


@pytest.mark.parametrize("power", [0, 1, 2, 5])
def test_operator_turns_by_twice_the_angle(power):
    circuit = TWO_QUBITS.copy().compose(grover_operator(TWO_QUBITS, [0, 1]).power(power))
    angle = math.asin(math.sqrt(TRUE_OF_TWO))
    assert abs(statevector(circuit)[3]) ** 2 == pytest.approx(
        math.sin((2 * power + 1) * angle) ** 2, abs=1e-12
    )
    columns = [
        statevector(
            Circuit(2).x([q for q in range(2) if x >> q & 1]).compose(grover_operator(TWO_QUBITS, [0, 1]))
        )
        for x in range(4)
    ]
    phases = np.sort(np.angle(np.linalg.eigvals(np.array(columns).T)))
    assert np.abs(np.abs(phases) - 2 * angle).min(axis=0) < 1e-9
    assert np.isclose(phases, 2 * angle).any()
    assert np.isclose(phases, -2 * angle).any()


@pytest.mark.parametrize("a", [0.02, 0.3, 0.5, 0.83])
@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_say(a, confidence):
    runs = 100
    least = runs * confidence - 4 * math.sqrt(runs * confidence * (1 - confidence))  # 4 standard deviations
    iterative = [
        run_iterative_amplitude_estimation(rotation(a), 0, 0.01, confidence=confidence, seed=seed)
        for seed in range(runs)
    ]
    canonical = [
        run_amplitude_estimation(rotation(a), 0, 4, confidence=confidence, shots=50, seed=seed)
        for seed in range(runs)
    ]
    for found in (iterative, canonical):
        held = sum(low <= a <= high for low, high in (each.confidence_interval for each in found))
        assert held >= least
    assert all(high - low <= 0.02 for low, high in (each.confidence_interval for each in iterative))


def test_intervals_hold_with_few_shots_a_round():
    """Three shots often are all good or all bad, so that an interval ends at a whole turn; 4 standard
    deviations."""
    amplitudes = [math.sin(math.pi * t / 49) ** 2 for t in range(1, 25)]
    held = 0
    for seed, a in enumerate(amplitudes * 8):
        found = run_iterative_amplitude_estimation(rotation(a), 0, 0.02, confidence=0.9, shots=3, seed=seed)
        low, high = found.confidence_interval
        assert 0 <= low <= high <= 1
        held += low <= a <= high
    runs = 8 * len(amplitudes)
    assert held >= 0.9 * runs - 4 * math.sqrt(runs * 0.9 * 0.1)


@pytest.mark.parametrize("a", [0.0, 1.0])
def test_certain_amplitudes(a):
    for found in (
        run_iterative_amplitude_estimation(rotation(a), 0, 0.01, seed=1),
        run_amplitude_estimation(rotation(a), 0, 4, seed=1, shots=200),
    ):
        low, high = found.confidence_interval
        assert 0 <= low <= found.estimate <= high <= 1
        assert low - 1e-12 <= a <= high + 1e-12
        assert found.estimate == pytest.approx(a, abs=0.01)


def test_precision_grows_with_the_calls_not_with_their_root():
    coarse = run_iterative_amplitude_estimation(TWO_QUBITS, [0, 1], 1e-2, seed=3)
    fine = run_iterative_amplitude_estimation(TWO_QUBITS, [0, 1], 1e-4, seed=3)
    assert abs(fine.estimate - TRUE_OF_TWO) <= 1e-4
    assert fine.confidence_interval[1] - fine.confidence_interval[0] <= 2e-4
    # Classical sampling would need 10^4 times the shots; Heisenberg scaling asks for about 100.
    assert 10 < fine.oracle_calls / coarse.oracle_calls < 1000
    assert fine.oracle_calls == 100 * sum(fine.powers)
    again = run_iterative_amplitude_estimation(TWO_QUBITS, [0, 1], 1e-4, seed=3)
    assert (again.estimate, again.powers) == (fine.estimate, fine.powers)


def test_canonical_estimate_of_two_qubits():
    found = run_amplitude_estimation(TWO_QUBITS, [0, 1], 6, shots=1000, seed=2)
    low, high = found.confidence_interval
    assert low <= TRUE_OF_TWO <= high
    assert high - low < 0.005
    assert found.powers == (1, 2, 4, 8, 16, 32)
    assert found.oracle_calls == 63_000


def test_one_shot_is_enough_for_an_interval():
    found = run_amplitude_estimation(TWO_QUBITS, [0, 1], 5, shots=1, seed=2)
    low, high = found.confidence_interval
    assert low < found.estimate < high


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"objective": 2}, "objective is 2"),
        ({"objective": [0, 0]}, "none twice"),
        ({"objective": []}, "at least"),
        ({"accuracy": 0.5}, "accuracy"),
        ({"accuracy": math.nan}, "accuracy"),
        ({"confidence": 1.0}, "confidence"),
        ({"preparation": Circuit(1, 1).measure(0, 0)}, "measures"),
        ({"preparation": "ry"}, "must be a qrealm"),
    ],
)
def test_refuses(change, fault):
    arguments = {"preparation": TWO_QUBITS, "objective": 0, "accuracy": 0.01, **change}
    with pytest.raises(RequestError, match=fault):
        run_iterative_amplitude_estimation(**arguments)
