"""Noisy estimates of a Pauli sum: a circuit for every measured basis, its counts, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum, read
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise import NoiseModel
from qrealm.circuits.operations import BARRIER, CHANNEL, MEASURE
from qrealm.circuits.transform import rebuilt
from qrealm.simulate.observables import MeasuredBasis, measured_bases, parse_observable
from qrealm.simulate.run import run

Counts = Mapping[str, int]
Runner = Callable[[Circuit, int, int], Counts]
"""(circuit, shots, seed) -> counts of its classical bits, bit 0 rightmost: how circuits are run."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over shots and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Question:
    """A circuit that measures qubits along some axes, and the terms that its counts answer.

    Attributes:
        circuit: measures qubit q into classical bit q.
        terms: (mask of the bits whose parity is read, coefficient).
    """

    circuit: Circuit
    terms: tuple[tuple[int, float], ...]


def plain(circuit: Any) -> Circuit:
    """The gates of a circuit without its measurements.

    Raises:
        RequestError: it decides something half-way.
    """
    found = circuit if isinstance(circuit, Circuit) else read(circuit)
    if found.terminal_measurements is None or any(
        not isinstance(op, Gate) and op not in (MEASURE, BARRIER, CHANNEL) for op, _, _ in found
    ):
        raise RequestError("mitigation needs a circuit of gates and then measurements")
    bare = Circuit(found.num_qubits, name=found.name, global_phase=found.global_phase)
    return rebuilt(bare, [each for each in found if each[0] is not MEASURE])


def questions(circuit: Circuit, observable: PauliSum) -> tuple[list[Question], float]:
    """(the circuits to run, the observable's constant)."""
    bases, constants = measured_bases((("", observable),))
    return [_question(circuit, basis) for basis in bases], constants[0]


def _question(circuit: Circuit, basis: MeasuredBasis) -> Question:
    turned = circuit.copy()
    axes = basis.x_mask | basis.z_mask
    wanted = [qubit for qubit in range(circuit.num_qubits) if axes >> qubit & 1]
    for qubit in wanted:
        if basis.x_mask >> qubit & 1:
            if basis.z_mask >> qubit & 1:
                turned.sdg(qubit)
            turned.h(qubit)
    turned.measure(wanted, wanted)
    return Question(turned, tuple((mask, coefficient) for _, mask, coefficient in basis.terms))


def answer(question: Question, counts: Counts) -> Estimate:
    """The sum of a question's terms."""
    shots = sum(counts.values())
    readings = np.array([_reading(question, int(key.replace(" ", ""), 2)) for key in counts])
    weights = np.array(list(counts.values())) / shots
    mean = float(weights @ readings)
    variance = float(weights @ (readings - mean) ** 2)
    return Estimate(mean, math.sqrt(variance / max(1, shots - 1)))


def _reading(question: Question, value: int) -> float:
    return sum(
        coefficient * (1 - 2 * ((value & mask).bit_count() & 1)) for mask, coefficient in question.terms
    )


def runner_for(noise: NoiseModel | None, backend: str | None, options: Mapping[str, Any]) -> Runner:
    """Runs circuits with a noise model on a backend."""

    def with_noise(circuit: Circuit, shots: int, seed: int) -> Counts:
        return run(circuit, shots=shots, seed=seed, noise=noise, backend=backend, **options).counts

    return with_noise


def estimate(
    circuit: Circuit, observable: PauliSum, shots: int, seed: int, runner: Runner
) -> tuple[Estimate, int]:
    """(the plain noisy estimate, shots taken): `shots` in every measured basis."""
    asked, constant = questions(circuit, observable)
    seeds = np.random.SeedSequence(seed).generate_state(max(1, len(asked)), np.uint64).tolist()
    value, variance = constant, 0.0
    for question, each in zip(asked, seeds, strict=True):
        found = answer(question, runner(question.circuit, shots, each))
        value += found.value
        variance += found.standard_error**2
    return Estimate(value, math.sqrt(variance)), shots * len(asked)


def observable_of(source: PauliSum | str, circuit: Circuit) -> PauliSum:
    """A Hermitian Pauli sum on the circuit's qubits. Raises ObservableError."""
    return parse_observable(source, circuit.num_qubits)
