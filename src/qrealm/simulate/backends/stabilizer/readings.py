"""Observables estimated from samples, on any number of qubits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.types import Misread
from qrealm.simulate.backends.stabilizer.shots import Bits, sampled_bits
from qrealm.simulate.backends.stabilizer.translate import Program
from qrealm.simulate.misread import Detector
from qrealm.simulate.observables import MeasuredBasis, Named, measured_bases


def sampled_values(
    program: Program,
    observables: Named,
    shots: int,
    seed: int,
    errors: Sequence[Misread],
    clbit_of_qubit: Mapping[int, int],
) -> tuple[dict[str, float], dict[str, float]]:
    """(estimate, standard error) of each observable, from `shots` samples in every basis that is needed.

    Args:
        program: the circuit before its final measurements.
        errors: of the detector, on classical bits; a qubit that is measured into none is read without fault.
        clbit_of_qubit: where the final measurements go.
    """
    bases, constants = measured_bases(observables)
    means = np.array(constants)
    variances = np.zeros(len(observables))
    seeds = np.random.SeedSequence(seed).generate_state(len(bases) + 1, np.uint64)[1:].tolist()
    for basis, basis_seed in zip(bases, seeds, strict=True):
        readings = _readings(program, basis, len(observables), shots, basis_seed, errors, clbit_of_qubit)
        means += readings.mean(axis=1)
        if shots > 1:
            variances += readings.var(axis=1, ddof=1) / shots
    names = [name for name, _ in observables]
    return (
        dict(zip(names, means.tolist(), strict=True)),
        {name: math.sqrt(variance) for name, variance in zip(names, variances.tolist(), strict=True)},
    )


def _readings(
    program: Program,
    basis: MeasuredBasis,
    count: int,
    shots: int,
    seed: int,
    errors: Sequence[Misread],
    clbit_of_qubit: Mapping[int, int],
) -> NDArray[np.float64]:
    """What every shot says of every observable's part in a basis, shape (count, shots)."""
    places = max([-1, *clbit_of_qubit]) + 1
    detector = Detector(tuple(errors), tuple(clbit_of_qubit.get(qubit, -1) for qubit in range(places)))
    support = detector.needed(_places(basis.x_mask | basis.z_mask))
    column = {qubit: place for place, qubit in enumerate(support)}
    lines = [*program.lines, *_turns(basis, support), f"M {' '.join(map(str, support))}"]
    first = len(program.records)
    generator = np.random.default_rng([seed, 1])
    where = {clbit: column[qubit] for qubit, clbit in clbit_of_qubit.items() if qubit in column}
    found = np.zeros((count, shots))
    start = 0
    for bits in sampled_bits(lines, first + len(support), shots, seed):
        read = bits[:, first:]
        for error in errors:
            read = _misread(read, error, where, generator)
        stop = start + len(read)
        for index, mask, coefficient in basis.terms:
            parity = np.logical_xor.reduce(read[:, [column[qubit] for qubit in _places(mask)]], axis=1)
            found[index, start:stop] += coefficient * (1.0 - 2.0 * parity)
        start = stop
    return found


def _turns(basis: MeasuredBasis, support: Sequence[int]) -> list[str]:
    """Turns each qubit's axis to Z: X by H, Y by stim's exchange of Y and Z."""
    lines = []
    for qubit in support:
        if basis.x_mask >> qubit & 1:
            lines.append(f"{'H_YZ' if basis.z_mask >> qubit & 1 else 'H'} {qubit}")
    return lines


def _misread(bits: Bits, error: Misread, where: Mapping[int, int], generator: Any) -> Bits:
    """The bits as a faulty detector reports them; classical bits that no qubit here goes to are 0."""
    columns = [where.get(clbit) for clbit in error.clbits]
    true = np.zeros(len(bits), dtype=np.int64)
    for place, column in enumerate(columns):
        if column is not None:
            true |= bits[:, column].astype(np.int64) << place
    bounds = np.cumsum(error.error.assignment, axis=0)
    numbers = generator.random(len(bits))
    read = (numbers[:, None] >= (bounds / bounds[-1])[:-1, true].T).sum(axis=1)
    result = bits.copy()
    for place, column in enumerate(columns):
        if column is not None:
            result[:, column] = (read >> place & 1).astype(bool)
    return result


def _places(mask: int) -> list[int]:
    """The bits that are set, lowest first."""
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
