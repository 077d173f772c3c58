"""Noisy estimates of a Pauli sum: a circuit for every measured basis, its counts, and what they say."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum, read
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise import NoiseModel
from qrealm.circuits.operations import CHANNEL, MEASURE
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


def plain(circuit: Any, *, own_noise: bool = False) -> Circuit:
    """The gates of a circuit without its measurements.

    Args:
        own_noise: whether channels that stand in the circuit itself are allowed.

    Raises:
        RequestError: it decides something half-way, or has noise of its own.
    """
    found = circuit if isinstance(circuit, Circuit) else read(circuit)
    allowed = ("measure", "barrier", "delay", "channel")
    for op, _, _ in found:
        if op is CHANNEL and not own_noise:
            raise RequestError(
                "the circuit has noise of its own, which is no error to be mitigated",
                hint="take it out, or say it as rules of a NoiseModel",
            )
        if not isinstance(op, Gate) and op.name not in allowed:
            raise RequestError(
                f"mitigation needs a circuit of gates and then measurements; this one has {op.name}"
            )
    if found.terminal_measurements is None:
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


class Reader(Protocol):
    """What a read outcome counts for a parity: see `ReadoutCorrection.parity`."""

    def parity(self, mask: int, value: int) -> float:
        """A stand-in for ±1."""
        ...


def readings(
    question: Question, counts: Counts, reader: Reader | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(what each outcome says of each term, shape (terms, outcomes); shares of the outcomes)."""
    values = [int(key.replace(" ", ""), 2) for key in counts]
    parity = _parity if reader is None else reader.parity
    table = np.array([[c * parity(mask, value) for value in values] for mask, c in question.terms])
    return table, np.array(list(counts.values())) / sum(counts.values())


def answer(question: Question, counts: Counts, reader: Reader | None = None) -> Estimate:
    """The sum of a question's terms."""
    table, shares = readings(question, counts, reader)
    summed = table.sum(axis=0)
    mean = float(shares @ summed)
    variance = float(shares @ (summed - mean) ** 2)
    return Estimate(mean, math.sqrt(variance / max(1, sum(counts.values()) - 1)))


def _parity(mask: int, value: int) -> float:
    return 1.0 - 2.0 * ((value & mask).bit_count() & 1)


def one_runner(
    noise: NoiseModel | None, runner: Runner | None, backend: str | None, options: Mapping[str, Any]
) -> Runner:
    """The caller's runner, or one that simulates the noise. Raises RequestError unless one is given."""
    if (noise is None) == (runner is None):
        raise RequestError("mitigation needs either noise, to simulate with, or runner, to run elsewhere")
    return runner if runner is not None else runner_for(noise, backend, options)


def checked_count(value: object, what: str, least: int = 1) -> int:
    """A whole number. Raises RequestError."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RequestError(f"{what} is {value!r:.60}; the rule is an integer from {least}") from None
    if number < least:
        raise RequestError(f"{what} is {number}; the rule is an integer from {least}")
    return number


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
    for question, each in zip(asked, seeds[: len(asked)], strict=True):
        found = answer(question, runner(question.circuit, shots, each))
        value += found.value
        variance += found.standard_error**2
    return Estimate(value, math.sqrt(variance)), shots * len(asked)


def observable_of(source: PauliSum | str, circuit: Circuit) -> PauliSum:
    """A Hermitian Pauli sum on the circuit's qubits. Raises ObservableError."""
    return parse_observable(source, circuit.num_qubits)
