"""Quantum volume (A. W. Cross et al., arXiv:1811.12926)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import NoisyRunOptions, check_options, check_whole
from qrealm.base import limits
from qrealm.base.errors import InternalError
from qrealm.circuits import Circuit
from qrealm.simulate.request import check_seed, draw_seed
from qrealm.simulate.run import run

HEAVY_THRESHOLD = 2 / 3
"""A device passes a width when its heavy outputs are more probable than this by two standard deviations."""

IDEAL_HEAVY_PROBABILITY = (1 + math.log(2)) / 2
"""0.8466: what an ideal device gives on wide random circuits (S. Aaronson and L. Chen, arXiv:1612.05903)."""

CIRCUITS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class QuantumVolumeResult:
    """How often random circuits of equal width and depth gave heavy outputs.

    An output is heavy when its ideal probability is above the median of its circuit's.

    Attributes:
        num_qubits: width and depth.
        num_circuits: random circuits.
        shots: of each.
        heavy_output_probability: mean over the circuits, from the shots.
        standard_deviation: of that mean, sqrt(h (1 - h) / circuits) as in the paper's algorithm 1.
        confidence: that the true mean is above 2/3, from the normal distribution.
        passed: whether the mean less two standard deviations is above 2/3: a confidence of 0.977.
        quantum_volume: 2^width when passed, else 1.
        heavy_probabilities: of each circuit, from the shots, shape (circuits,).
        ideal_heavy_probability: exact mean of the ideal heavy-output probability of the same circuits.
        execution_time: seconds.
    """

    num_qubits: int
    num_circuits: int
    shots: int
    heavy_output_probability: float
    standard_deviation: float
    confidence: float
    passed: bool
    quantum_volume: int
    heavy_probabilities: NDArray[np.float64]
    ideal_heavy_probability: float
    execution_time: float


def quantum_volume_circuit(num_qubits: int, *, depth: int | None = None, seed: int | None = None) -> Circuit:
    """A model circuit: in each layer the qubits are paired at random, each pair gets a random SU(4).

    Args:
        num_qubits: from 2.
        depth: layers; as many as qubits when None.
        seed: the same seed gives the same circuit.

    Raises:
        RequestError: a number is out of range.
    """
    generator = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
    return _model_circuit(num_qubits, depth, generator)


def run_quantum_volume(
    num_qubits: int,
    num_circuits: int = 100,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> QuantumVolumeResult:
    """Measure whether heavy outputs of random circuits are probable enough for a width.

    What is heavy is computed from the exact state; `options` say how the shots are taken.

    Args:
        num_qubits: width and depth, from 2.
        num_circuits: random circuits; the paper asks for at least 100.
        shots: of each, at least 1.
        seed: of circuits and shots.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: a number is out of range.
        TooLargeError: the state does not fit in memory.
    """
    check_options(run_quantum_volume, options, NoisyRunOptions)
    begun = perf_counter()
    trials = check_whole("num_circuits", num_circuits, 1, CIRCUITS_MAX)
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    generator = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
    measured, ideal = np.empty(trials), np.empty(trials)
    for trial in range(trials):
        circuit = _model_circuit(num_qubits, None, generator)
        heavy, ideal[trial] = _heavy_outputs(circuit)
        outcomes, draws = run_noisy(circuit, shots, int(generator.integers(1 << 63)), **options).outcomes
        measured[trial] = np.asarray(draws) @ heavy[np.asarray(outcomes)] / shots
    mean = float(measured.mean())
    deviation = math.sqrt(mean * (1 - mean) / trials)
    distance = mean - HEAVY_THRESHOLD
    passed = distance > 2 * deviation
    sure = math.copysign(1.0, distance)  # all circuits alike: nothing is left to chance
    return QuantumVolumeResult(
        num_qubits=num_qubits,
        num_circuits=trials,
        shots=shots,
        heavy_output_probability=mean,
        standard_deviation=deviation,
        confidence=0.5 * (1 + (math.erf(distance / (deviation * math.sqrt(2))) if deviation else sure)),
        passed=passed,
        quantum_volume=1 << num_qubits if passed else 1,
        heavy_probabilities=measured,
        ideal_heavy_probability=float(ideal.mean()),
        execution_time=perf_counter() - begun,
    )


def _model_circuit(num_qubits: int, depth: int | None, generator: np.random.Generator) -> Circuit:
    width = check_whole("num_qubits", num_qubits, 2, limits.QUBITS_MAX)
    layers = width if depth is None else check_whole("depth", depth, 1, 1_000_000)
    circuit = Circuit(width, name="quantum volume")
    for _ in range(layers):
        order = generator.permutation(width).tolist()
        for first, second in zip(order[0::2], order[1::2], strict=False):
            circuit.unitary(_random_unitary(generator), (first, second))
    return circuit


def _random_unitary(generator: np.random.Generator) -> NDArray[np.complex128]:
    """A 4 by 4 unitary from the Haar measure (F. Mezzadri, math-ph/0609050); its determinant is a global
    phase."""
    ginibre = generator.normal(size=(4, 4)) + 1j * generator.normal(size=(4, 4))
    q, r = np.linalg.qr(ginibre)
    phases = np.diagonal(r) / np.abs(np.diagonal(r))
    return np.asarray(q * phases, dtype=np.complex128)


def _heavy_outputs(circuit: Circuit) -> tuple[NDArray[np.bool_], float]:
    """(whether each output is heavy, shape (2^n,); the exact probability of any of them)."""
    state = run(circuit, 0, return_statevector=True, precision="double").statevector
    if state is None:
        raise InternalError("a run with return_statevector=True kept no state")
    probabilities = np.abs(state) ** 2
    heavy = probabilities > np.median(probabilities)
    return heavy, float(probabilities[heavy].sum())
