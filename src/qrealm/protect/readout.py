"""Readout correction: measure how the detector errs, and undo it in the counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.noise import NoiseModel, ReadoutError
from qrealm.protect.measuring import (
    Question,
    Runner,
    answer,
    checked_count,
    estimate,
    observable_of,
    one_runner,
    plain,
    questions,
)
from qrealm.protect.outcome import Mitigated
from qrealm.simulate.request import check_seed

GROUP_QUBITS_MAX = 6

REDRAWN = 40
"""Calibrations drawn to see how much theirs matters: enough for a standard error that is right to a tenth."""


class ReadoutCorrection:
    """The detector's errors, by groups of qubits that err independently of each other.

    Args:
        groups: (qubits, what their detector does); no qubit twice. The first qubit is the error's least
            significant bit.
        shots: with which each column was measured; 0 when it is known exactly.

    Raises:
        RequestError: a qubit in two groups, or a matrix that cannot be undone.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[int], ReadoutError]], shots: int = 0) -> None:
        self.shots = shots
        self.groups = tuple((tuple(qubits), error) for qubits, error in groups)
        named = [qubit for qubits, _ in self.groups for qubit in qubits]
        if len(set(named)) != len(named):
            raise RequestError(f"the groups name {sorted(named)}; the rule is that none is named twice")
        self._inverse: list[NDArray[np.float64]] = []
        for qubits, error in self.groups:
            if error.num_bits != len(qubits):
                raise RequestError(f"the error on {list(qubits)} reads {error.num_bits} bits")
            if np.linalg.cond(error.assignment) > 1e6:
                raise RequestError(
                    f"the detector of {list(qubits)} tells nothing: its assignment matrix cannot be inverted"
                )
            self._inverse.append(np.asarray(np.linalg.inv(error.assignment), dtype=np.float64))

    @classmethod
    def calibrate(
        cls,
        num_qubits: int,
        runner: Runner,
        *,
        shots: int = 10_000,
        seed: int = 0,
        groups: Sequence[Sequence[int]] | None = None,
    ) -> tuple[ReadoutCorrection, int]:
        """(the correction, shots taken): prepares basis states and looks at what is read.

        Args:
            num_qubits: of the circuits to correct.
            runner: runs circuits.
            groups: qubits that may err together, up to 6; every qubit alone when None. All groups are
                measured at once, so 2^k circuits do for groups of k qubits.
        """
        parts = (
            [tuple(group) for group in groups] if groups is not None else [(q,) for q in range(num_qubits)]
        )
        widest = max((len(part) for part in parts), default=0)
        if widest > GROUP_QUBITS_MAX:
            raise RequestError(f"a group has {widest} qubits; the rule is at most {GROUP_QUBITS_MAX}")
        read = [np.zeros((1 << len(part), 1 << len(part))) for part in parts]
        seeds = np.random.SeedSequence(seed).generate_state(1 << widest, np.uint64).tolist()
        for state, each in enumerate(seeds):
            prepared = Circuit(num_qubits)
            for part in parts:
                for place, qubit in enumerate(part):
                    if state >> place & 1:
                        prepared.x(qubit)
            counts = runner(prepared.measure_all(), shots, each)
            for part, matrix in zip(parts, read, strict=True):
                true = state & ((1 << len(part)) - 1)
                for key, count in counts.items():
                    matrix[_bits(int(key.replace(" ", ""), 2), part), true] += count
        found = [ReadoutError(matrix / matrix.sum(axis=0), "calibrated") for matrix in read]
        return cls(list(zip(parts, found, strict=True)), shots), shots << widest

    def redrawn(self, generator: np.random.Generator) -> ReadoutCorrection:
        """What another calibration with as many shots might have found."""
        groups = []
        for qubits, error in self.groups:
            columns = [
                generator.multinomial(self.shots, column) / self.shots for column in error.assignment.T
            ]
            groups.append((qubits, ReadoutError(np.array(columns).T, error.name)))
        return ReadoutCorrection(groups, self.shots)

    def parity(self, mask: int, value: int) -> float:
        """What a read basis state counts for the parity of some bits: an unbiased stand-in for ±1.

        Args:
            mask: bits whose parity is wanted; bit q is qubit q's.
            value: the bits that were read.
        """
        product = 1.0
        for (qubits, _), inverse in zip(self.groups, self._inverse, strict=True):
            inner = _bits(mask, qubits)
            if inner:
                product *= float(_signs(inner, len(qubits)) @ inverse[:, _bits(value, qubits)])
        covered = sum(1 << qubit for qubits, _ in self.groups for qubit in qubits)
        return product * (1 - 2 * ((value & mask & ~covered).bit_count() & 1))

    def quasi_probabilities(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Shares of the outcomes that were read, with the detector's errors undone; some may be negative.

        Only outcomes that were read at least once are kept, as in P. Nation et al., "Scalable mitigation of
        measurement errors on quantum computers", arXiv:2108.12518: exact when all that can happen was read.
        """
        if not counts or not sum(counts.values()):
            raise RequestError("the counts are empty; there is nothing to correct")
        keys = list(counts)
        values = [int(key.replace(" ", ""), 2) for key in keys]
        shares = np.array([counts[key] for key in keys], dtype=np.float64)
        shares /= shares.sum()
        matrix = np.ones((len(values), len(values)))
        for qubits, error in self.groups:
            places = np.array([_bits(value, qubits) for value in values])
            matrix *= error.assignment[np.ix_(places, places)]
        matrix /= matrix.sum(axis=0)
        solved = np.linalg.solve(matrix, shares)
        return dict(zip(keys, solved.tolist(), strict=True))

    def probabilities(self, counts: Mapping[str, int]) -> dict[str, float]:
        """The probabilities nearest to `quasi_probabilities` (J. Smolin, J. Gambetta and G. Smith,
        arXiv:1106.5458)."""
        quasi = self.quasi_probabilities(counts)
        keys = sorted(quasi, key=lambda key: quasi[key])
        missing, kept = 0.0, len(keys)
        result: dict[str, float] = {}
        for key in keys:
            if kept > 1 and quasi[key] + missing / kept < 0:
                missing += quasi[key]
                kept -= 1
                result[key] = 0.0
            else:
                result[key] = quasi[key] + missing / kept
        return {key: result[key] for key in counts}

    def overhead(self, qubits: Sequence[int]) -> float:
        """How many times more shots a parity of these qubits needs for the same standard error, at most."""
        wanted = sum(1 << qubit for qubit in qubits)
        norm = 1.0
        for (group, _), inverse in zip(self.groups, self._inverse, strict=True):
            inner = _bits(wanted, group)
            if inner:
                norm *= float(np.abs(_signs(inner, len(group)) @ inverse).max())
        return norm**2


def readout_corrected(
    circuit: Any,
    observable: PauliSum | str,
    noise: NoiseModel | None = None,
    *,
    correction: ReadoutCorrection | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    shots: int = 10_000,
    calibration_shots: int = 10_000,
    seed: int = 0,
    backend: str | None = None,
    runner: Runner | None = None,
    **options: Any,
) -> Mitigated:
    """An expectation value without the detector's errors.

    Args:
        circuit, observable, noise, shots, seed, backend, runner, options: as for `zero_noise_extrapolation`.
        correction: from an earlier calibration; calibrates first when None.
        groups, calibration_shots: for the calibration.

    Raises:
        RequestError: neither noise nor runner, or a detector that cannot be undone.
    """
    run_one = one_runner(noise, runner, backend, options)
    shots, calibration_shots = (
        checked_count(shots, "shots"),
        checked_count(calibration_shots, "calibration_shots"),
    )
    body = plain(circuit, own_noise=True)
    asked = observable_of(observable, body)
    first, second, third = np.random.SeedSequence(check_seed(seed)).generate_state(3, np.uint64).tolist()
    taken = 0
    if correction is None:
        correction, taken = ReadoutCorrection.calibrate(
            body.num_qubits, run_one, shots=calibration_shots, seed=first, groups=groups
        )
    bare, used = estimate(body, asked, shots, second, run_one)
    circuits, constant = questions(body, asked)
    value, variance, most = constant, 0.0, 1.0
    seeds = np.random.SeedSequence(third).generate_state(max(1, len(circuits)), np.uint64).tolist()
    taken_counts = []
    for question, each in zip(circuits, seeds[: len(circuits)], strict=True):
        counts = run_one(question.circuit, shots, each)
        found = answer(question, counts, correction)
        value += found.value
        variance += found.standard_error**2
        most = max(most, *(correction.overhead(_places(mask)) for mask, _ in question.terms))
        used += shots
        taken_counts.append((question, counts))
    variance += _from_calibration(correction, taken_counts, third)
    return Mitigated(
        value=value,
        standard_error=math.sqrt(variance),
        unmitigated=bare.value,
        unmitigated_error=bare.standard_error,
        method="readout correction",
        shots=taken + used,
        overhead=most,
        details={
            "calibration_shots": taken,
            "assignment": [[list(qubits), error.assignment.tolist()] for qubits, error in correction.groups],
        },
    )


def _from_calibration(
    correction: ReadoutCorrection, taken: Sequence[tuple[Question, Mapping[str, int]]], seed: int
) -> float:
    """Variance that the calibration's own shots bring, from calibrations drawn again around the one found."""
    if not correction.shots:
        return 0.0
    generator = np.random.default_rng([seed, 1])
    values = []
    for _ in range(REDRAWN):
        again = correction.redrawn(generator)
        values.append(sum(answer(question, counts, again).value for question, counts in taken))
    return float(np.var(values, ddof=1)) if taken else 0.0


def _bits(value: int, qubits: Sequence[int]) -> int:
    return sum((value >> qubit & 1) << place for place, qubit in enumerate(qubits))


def _places(mask: int) -> list[int]:
    return [qubit for qubit in range(mask.bit_length()) if mask >> qubit & 1]


def _signs(mask: int, num_bits: int) -> NDArray[np.float64]:
    """±1 for every value of some bits: the parity of those under the mask."""
    return np.array([1.0 - 2.0 * ((value & mask).bit_count() & 1) for value in range(1 << num_bits)])
