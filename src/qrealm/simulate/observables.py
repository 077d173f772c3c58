"""Expectation values of Pauli sums: exact from a state, or sampled in a few measured bases with standard
errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ObservableError, RequestError
from qrealm.circuits import PauliSum
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.protocol import State, SteeredBackend
from qrealm.simulate.misread import Detector
from qrealm.simulate.plan.types import Plan

Named = tuple[tuple[str, PauliSum], ...]


def parse_observable(source: PauliSum | str | Any, num_qubits: int) -> PauliSum:
    """A Hermitian Pauli sum on at most `num_qubits` qubits.

    Raises:
        ObservableError: it cannot be read, is not Hermitian, or acts on a qubit that the circuit does not
            have.
    """
    found = source if isinstance(source, PauliSum) else PauliSum(source)
    if found.num_qubits > num_qubits:
        raise ObservableError(
            f"the observable {_short(found)} acts on qubit {found.num_qubits - 1}; the circuit has "
            f"qubits 0 to {num_qubits - 1}"
        )
    if not found.is_hermitian:
        raise ObservableError(
            f"the observable {_short(found)} is not Hermitian; the rule is real coefficients",
            hint="take the real and the imaginary part one after the other",
        )
    return found


def parse_observables(source: Any, num_qubits: int) -> Named:
    """(name, observable) for one observable, a sequence of them (named by their text), or a mapping by name.

    Raises:
        ObservableError: see `parse_observable`.
        RequestError: nothing was given.
    """
    if isinstance(source, Mapping):
        named = [(str(name), parse_observable(each, num_qubits)) for name, each in source.items()]
    elif isinstance(source, list | tuple):
        named = [_named_by_text(each, num_qubits) for each in source]
    else:
        named = [_named_by_text(source, num_qubits)]
    if not named:
        raise RequestError("observables is empty; name at least one, or leave it out")
    distinct: dict[str, PauliSum] = {}
    for name, observable in named:
        if distinct.setdefault(name, observable) != observable:
            raise RequestError(f"two different observables are named {name!r:.60}; each needs its own name")
    return tuple(distinct.items())


def exact_values(state: State, observables: Named, threads: int) -> dict[str, float]:
    """Expectation value of each observable on a state, with no sampling."""
    values: dict[str, float] = {}
    for name, observable in observables:
        x_masks, z_masks, coefficients = observable.masks()
        values[name] = (
            float(coefficients @ state.expectation(x_masks, z_masks, threads)) if len(coefficients) else 0.0
        )
    return values


def diagonal_masks(observable: PauliSum) -> list[tuple[int, float]]:
    """(qubits with a Z as a mask, coefficient) of each term. Raises RequestError when a term has an X or
    Y."""
    strings = observable.strings()
    if any(x for x, _, _ in strings):
        raise RequestError(
            f"the observable {_short(observable)} is not diagonal: counts tell only of I and Z",
            hint="run with observables=... (exact), and sampled=True for an estimate from shots",
        )
    return [(z, value) for _, z, value in strings]


# ---- sampled -------------------------------------------------------------------------------------


@dataclass(slots=True)
class MeasuredBasis:
    """Terms that one choice of measured axis per qubit serves.

    Attributes:
        x_mask, z_mask: the axis of each qubit: X where only x is set, Z where only z is, Y where both are.
        terms: (index of the observable, qubits whose parity is read as a mask, coefficient).
    """

    x_mask: int = 0
    z_mask: int = 0
    terms: list[tuple[int, int, float]] = field(default_factory=list)

    def takes(self, x_mask: int, z_mask: int) -> bool:
        """Whether a term needs no other axis on any qubit that has one."""
        shared = (x_mask | z_mask) & (self.x_mask | self.z_mask)
        return (x_mask ^ self.x_mask) & shared == 0 and (z_mask ^ self.z_mask) & shared == 0

    def add(self, index: int, x_mask: int, z_mask: int, coefficient: float) -> None:
        """Add a term that it takes."""
        self.x_mask |= x_mask
        self.z_mask |= z_mask
        self.terms.append((index, x_mask | z_mask, coefficient))


def measured_bases(observables: Named) -> tuple[list[MeasuredBasis], list[float]]:
    """Bases that serve all terms, found greedily with the widest terms first, and each observable's
    constant."""
    constants = [0.0] * len(observables)
    terms: list[tuple[int, int, int, float]] = []
    for index, (_, observable) in enumerate(observables):
        for x_mask, z_mask, coefficient in observable.strings():
            if x_mask | z_mask:
                terms.append((index, x_mask, z_mask, coefficient))
            else:
                constants[index] += coefficient
    terms.sort(key=lambda term: -(term[1] | term[2]).bit_count())
    bases: list[MeasuredBasis] = []
    for index, x_mask, z_mask, coefficient in terms:
        basis = next((each for each in bases if each.takes(x_mask, z_mask)), None)
        if basis is None:
            basis = MeasuredBasis()
            bases.append(basis)
        basis.add(index, x_mask, z_mask, coefficient)
    return bases, constants


Parity = Callable[[int], NDArray[Any]]
"""Bits under a mask to their parity, 0 or 1, in each of the outcomes."""


def estimated(
    observables: Named,
    shots: int,
    seed: int,
    draw: Callable[[MeasuredBasis, int], tuple[NDArray[np.int64], Parity]],
) -> tuple[dict[str, float], dict[str, float]]:
    """(estimate, standard error) of each observable, from `shots` samples in every basis that is needed.

    Terms read from the same samples are correlated; that is in the standard error, because it is taken from
    the readings of whole observables. Different bases are independent: their variances add.

    Args:
        draw: (basis, seed) -> (how often each outcome was drawn, parities of its bits), with the axis of each
            qubit turned to Z.
    """
    bases, constants = measured_bases(observables)
    means = np.array(constants)
    variances = np.zeros(len(observables))
    seeds = np.random.SeedSequence(seed).generate_state(len(bases) + 1, np.uint64)[1:].tolist()
    for basis, basis_seed in zip(bases, seeds, strict=True):
        draws, parity = draw(basis, basis_seed)
        weights = draws / shots
        readings = np.zeros((len(observables), len(draws)))
        for index, mask, coefficient in basis.terms:
            readings[index] += coefficient * (1.0 - 2.0 * parity(mask))
        basis_means = readings @ weights
        means += basis_means
        if shots > 1:
            variances += ((readings - basis_means[:, None]) ** 2 @ weights) / (shots - 1)
    names = [name for name, _ in observables]
    return (
        dict(zip(names, means.tolist(), strict=True)),
        {name: math.sqrt(variance) for name, variance in zip(names, variances.tolist(), strict=True)},
    )


def sampled_values(
    packed: PackedCircuit,
    observables: Named,
    backend: SteeredBackend,
    plan: Plan,
    shots: int,
    seed: int,
    detector: Detector,
) -> tuple[dict[str, float], dict[str, float]]:
    """`estimated`, by a program for every basis."""

    def draw(basis: MeasuredBasis, basis_seed: int) -> tuple[NDArray[np.int64], Parity]:
        program = backend.compile(rotated(packed, basis), plan.precision)
        outcomes, draws = program.counts(shots, basis_seed, plan.threads)
        outcomes, draws = detector.reported(outcomes, draws, packed.num_qubits, basis_seed)
        return draws, lambda mask: parities(outcomes, mask)

    return estimated(observables, shots, seed, draw)


def parities(outcomes: NDArray[np.uint64], mask: int) -> NDArray[np.uint64]:
    """Parity, 0 or 1, of the bits of each outcome under a mask."""
    folded = outcomes & np.uint64(mask)
    for step in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(step)
    return folded & np.uint64(1)


def rotated(packed: PackedCircuit, basis: MeasuredBasis) -> PackedCircuit:
    """The circuit with each qubit's axis turned to Z at its end: H for X, S† then H for Y."""
    codes: list[int] = []
    qubits: list[int] = []
    for qubit in range(packed.num_qubits):
        if (basis.x_mask >> qubit) & 1:
            turn = (OpCode.SDG, OpCode.H) if (basis.z_mask >> qubit) & 1 else (OpCode.H,)
            codes += turn
            qubits += [qubit] * len(turn)
    if not codes:
        return packed
    added = np.arange(1, len(codes) + 1, dtype=np.int32)
    return replace(
        packed,
        codes=np.concatenate([packed.codes, np.array(codes, dtype=np.uint8)]),
        num_controls=np.concatenate([packed.num_controls, np.zeros(len(codes), dtype=np.uint8)]),
        qubit_offsets=np.concatenate([packed.qubit_offsets, packed.qubit_offsets[-1] + added]),
        qubits=np.concatenate([packed.qubits, np.array(qubits, dtype=np.int32)]),
        param_offsets=np.concatenate(
            [packed.param_offsets, np.full(len(codes), packed.param_offsets[-1])]
        ).astype(np.int32),
    )


def _named_by_text(source: Any, num_qubits: int) -> tuple[str, PauliSum]:
    found = parse_observable(source, num_qubits)
    return (source.strip() if isinstance(source, str) else str(found)), found


def _short(observable: PauliSum) -> str:
    text = str(observable)
    return repr(text if len(text) <= 60 else text[:57] + "...")
