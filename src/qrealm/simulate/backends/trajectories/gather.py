"""What the leaves of a walk add up to: outcomes, and averages of observables over the shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.types import Measurement, Misread
from qrealm.simulate import bits
from qrealm.simulate.backends.protocol import State, SteeredBackend
from qrealm.simulate.backends.trajectories.draws import moved_seed, uniforms
from qrealm.simulate.backends.trajectories.events import Shots
from qrealm.simulate.backends.trajectories.steps import OpList
from qrealm.simulate.backends.trajectories.walk import Leaf
from qrealm.simulate.observables import MeasuredBasis, Named, measured_bases, parities, rotated
from qrealm.simulate.plan.types import Precision

CALL_DRAWS = 40
"""What one call of the sampler costs beside its pass over the state, in draws, measured at 10 qubits."""

AMPLITUDES_PER_DRAW = 128
"""Amplitudes that a pass over the state reads in the time of one draw, measured at 20 qubits."""

_BASES = 1
"""Stream from which the seeds of measured bases are drawn; walks use streams from 2^32 on."""

_ERRORS = 2
"""First stream of the detector's errors, of a measured basis' seed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How states are read.

    Attributes:
        precision, num_qubits, threads: of the states.
        seed: of the run.
    """

    precision: Precision
    num_qubits: int
    threads: int
    seed: int


class Gathered:
    """Collects leaves; safe to use from several threads.

    Args:
        backend: where states live.
        reading: how they are read.
        measures: whether the circuit measures anything itself.
        counts: whether outcomes are wanted.
        observables: whose values are wanted.
        sampled_shots: the run's shots when values are estimated from samples, else 0.
        errors: of the detector that reads those samples.
        bit_of_qubit: which classical bit each qubit is measured into at the end, -1 for none.
    """

    def __init__(
        self,
        backend: SteeredBackend,
        reading: Reading,
        *,
        measures: bool,
        counts: bool,
        observables: Named,
        sampled_shots: int,
        errors: Sequence[Misread],
        bit_of_qubit: Sequence[int],
    ) -> None:
        self.leaves = 0
        self._backend = backend
        self._how = reading
        self._measures = measures
        self._counts = counts
        self._observables = observables
        self._found: dict[int, list[NDArray[np.uint64]]] = {}
        self._certain: list[tuple[int, int]] = []
        self._final: Measurement | None = None
        self._shares: list[tuple[int, list[float]]] = []
        self._masks = _Masks(() if sampled_shots else observables)
        self._bases: list[MeasuredBasis] = []
        self._errors = tuple(errors)
        self._qubit_of_bit = {bit: qubit for qubit, bit in enumerate(bit_of_qubit) if bit >= 0}
        if sampled_shots:
            self._bases, constants = measured_bases(observables)
            self._readings = np.repeat(np.array(constants)[:, None], sampled_shots, axis=1)
            numbers = uniforms(reading.seed, _BASES, np.arange(len(self._bases), dtype=np.uint64))
            self._basis_seeds = [int(each * 2.0**53) for each in numbers.tolist()]

    def visit(self, leaf: Leaf) -> None:
        """Add one leaf."""
        self.leaves += 1
        if self._counts:
            self._sample(leaf)
        if self._bases:
            self._read(leaf)
        elif self._observables:
            self._shares.append((len(leaf.shots), self._masks.values(leaf.state, self._how.threads)))

    def outcomes(self) -> tuple[list[int], NDArray[np.int64]]:
        """Distinct outcomes, ascending, and how often each was drawn."""
        keys: list[int] = []
        draws: list[int] = []
        for clbits, count in self._certain:
            keys.append(clbits)
            draws.append(count)
        for clbits, drawn in self._found.items():
            distinct, how_often = np.unique(np.concatenate(drawn), return_counts=True)
            if self._final is None:
                keys += distinct.tolist()
            else:
                picked = bits.gather(distinct, self._final.qubits)
                merged, how_often = bits.merge_array(picked, how_often.astype(np.int64))
                kept = clbits & ~sum(1 << bit for bit in self._final.clbits)
                keys += [kept | moved for moved in bits.scatter(merged, self._final.clbits)]
            draws += how_often.tolist()
        return bits.merge(keys, draws)

    def averages(self, random: bool) -> tuple[dict[str, float], dict[str, float]]:
        """(mean of each observable over the shots, its standard error); no errors when nothing is random."""
        names = [name for name, _ in self._observables]
        if self._bases:
            shots = self._readings.shape[1]
            means = self._readings.mean(axis=1)
            spread = self._readings.std(axis=1, ddof=1) if shots > 1 else np.zeros(len(names))
            errors = spread / math.sqrt(shots)
            return (
                dict(zip(names, means.tolist(), strict=True)),
                dict(zip(names, errors.tolist(), strict=True)),
            )
        values: dict[str, float] = {}
        found: dict[str, float] = {}
        total = sum(count for count, _ in self._shares)
        for place, name in enumerate(names):
            # fsum is exact, so the order in which workers came back does not matter.
            mean = math.fsum(count * each[place] for count, each in self._shares) / total
            squares = math.fsum(count * (each[place] - mean) ** 2 for count, each in self._shares)
            values[name] = mean
            found[name] = math.sqrt(squares / (total - 1) / total) if total > 1 else 0.0
        return values, found if random else {}

    def _sample(self, leaf: Leaf) -> None:
        if self._measures and leaf.final is None:
            self._certain.append((leaf.clbits, len(leaf.shots)))
            return
        self._final = leaf.final
        drawn = self._drawn(leaf.state, leaf.shots, self._how.seed)
        self._found.setdefault(leaf.clbits, []).append(drawn)

    def _read(self, leaf: Leaf) -> None:
        """One reading of every basis for each shot."""
        how = self._how
        places = leaf.shots.astype(np.int64)
        for basis, seed in zip(self._bases, self._basis_seeds, strict=True):
            turned = leaf.state.copy()
            turn = rotated(OpList().packed(how.num_qubits), basis)
            if len(turn):
                turned.apply(self._backend.compile(turn, how.precision), how.threads)
            drawn = self._drawn(turned, leaf.shots, seed)
            for number, error in enumerate(self._errors):
                drawn = self._misread(drawn, error, uniforms(seed, _ERRORS + number, leaf.shots))
            for index, mask, coefficient in basis.terms:
                self._readings[index, places] += coefficient * (1.0 - 2.0 * parities(drawn, mask))

    def _drawn(self, state: State, shots: Shots, seed: int) -> NDArray[np.uint64]:
        return sample_shots(state, shots, seed, self._how.num_qubits, self._how.threads)

    def _misread(
        self, drawn: NDArray[np.uint64], error: Misread, numbers: NDArray[np.float64]
    ) -> NDArray[np.uint64]:
        """Basis indices as a faulty detector reports them; bits that no qubit is measured into are 0."""
        one = np.uint64(1)
        qubits = [self._qubit_of_bit.get(bit) for bit in error.clbits]
        true = np.zeros(len(drawn), dtype=np.int64)
        for place, qubit in enumerate(qubits):
            if qubit is not None:
                true |= ((drawn >> np.uint64(qubit)) & one).astype(np.int64) << place
        bounds = np.cumsum(error.error.assignment, axis=0)
        read = (numbers[:, None] >= (bounds / bounds[-1])[:-1, true].T).sum(axis=1)
        for place, qubit in enumerate(qubits):
            if qubit is not None:
                flips = ((true ^ read) >> place & 1).astype(np.uint64)
                drawn = drawn ^ (flips << np.uint64(qubit))
        return drawn


def sample_shots(state: State, shots: Shots, seed: int, num_qubits: int, threads: int) -> NDArray[np.uint64]:
    """Basis indices of some shots, each the same whatever others are asked with it.

    Shot numbers that lie close together are drawn in one call, those between thrown away.
    """
    if len(shots) == 1:
        return state.sample(1, moved_seed(seed, int(shots[0])), threads)
    gap = CALL_DRAWS + (1 << num_qubits) // AMPLITUDES_PER_DRAW
    starts = np.flatnonzero(np.diff(shots.astype(np.int64), prepend=-2 * gap) > gap)
    drawn: list[NDArray[np.uint64]] = []
    for run in np.split(shots, starts[1:]):
        first, last = int(run[0]), int(run[-1])
        found = state.sample(last - first + 1, moved_seed(seed, first), threads)
        drawn.append(found[(run - run[0]).astype(np.int64)])
    return np.concatenate(drawn)


class _Masks:
    """All Pauli strings of some observables, each computed once."""

    def __init__(self, observables: Named) -> None:
        strings: dict[tuple[int, int], int] = {(0, 0): 0}
        self._sums: list[list[tuple[int, float]]] = []
        for _, observable in observables:
            x_masks, z_masks, coefficients = observable.masks()
            terms = zip(x_masks.tolist(), z_masks.tolist(), coefficients.tolist(), strict=True)
            self._sums.append([(strings.setdefault((x, z), len(strings)), value) for x, z, value in terms])
        self._x = np.array([x for x, _ in strings], dtype=np.uint64)
        self._z = np.array([z for _, z in strings], dtype=np.uint64)

    def values(self, state: State, threads: int) -> list[float]:
        """Value of each observable; the norm, the first string's value, may have drifted."""
        found = state.expectation(self._x, self._z, threads).tolist()
        return [_sum(terms, found) / found[0] for terms in self._sums]


def _sum(terms: Sequence[tuple[int, float]], found: Sequence[float]) -> float:
    return math.fsum(value * found[place] for place, value in terms)
