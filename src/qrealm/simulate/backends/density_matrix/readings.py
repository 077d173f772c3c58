"""Observables estimated from shots of a mixed state, read by a faulty detector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.types import Misread
from qrealm.simulate.backends.density_matrix.mixed_state import MixedState
from qrealm.simulate.misread import misread
from qrealm.simulate.observables import MeasuredBasis, Named, measured_bases, parities


def sampled_values(
    state: MixedState,
    observables: Named,
    shots: int,
    seed: int,
    errors: Sequence[Misread],
    bit_of_qubit: Mapping[int, int],
) -> tuple[dict[str, float], dict[str, float]]:
    """(estimate, standard error) of each observable, from `shots` samples in every basis that is needed.

    Args:
        state: given back as it was, but for rounding.
        errors: of the detector, on classical bits; a qubit that is measured into none is read without fault.
        bit_of_qubit: where the circuit's measurements go.
    """
    bases, constants = measured_bases(observables)
    means = np.array(constants)
    variances = np.zeros(len(observables))
    seeds = np.random.SeedSequence(seed).generate_state(len(bases) + 1, np.uint64)[1:].tolist()
    for basis, basis_seed in zip(bases, seeds, strict=True):
        outcomes, draws = _drawn(state, basis, shots, basis_seed, errors, bit_of_qubit)
        weights = draws / shots
        readings = np.zeros((len(observables), len(outcomes)))
        for index, mask, coefficient in basis.terms:
            readings[index] += coefficient * (1.0 - 2.0 * parities(outcomes, mask))
        basis_means = readings @ weights
        means += basis_means
        if shots > 1:
            variances += ((readings - basis_means[:, None]) ** 2 @ weights) / (shots - 1)
    names = [name for name, _ in observables]
    return (
        dict(zip(names, means.tolist(), strict=True)),
        {name: math.sqrt(variance) for name, variance in zip(names, variances.tolist(), strict=True)},
    )


def _drawn(
    state: MixedState,
    basis: MeasuredBasis,
    shots: int,
    seed: int,
    errors: Sequence[Misread],
    bit_of_qubit: Mapping[int, int],
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Outcomes of all qubits in a basis, as the detector reports them."""
    state.turn(basis.x_mask, basis.z_mask)
    outcomes, draws = draw(state.probabilities(), shots, np.random.default_rng(seed))
    state.turn(basis.x_mask, basis.z_mask, back=True)
    if not errors:
        return outcomes, draws
    count = len(state.probabilities()).bit_length() - 1
    places = {clbit: qubit for qubit, clbit in bit_of_qubit.items()}
    for error in errors:  # bits that nothing is measured into read 0, above the qubits
        for clbit in error.clbits:
            places.setdefault(clbit, count + len(places))
    moved = [Misread(error.error, tuple(places[clbit] for clbit in error.clbits)) for error in errors]
    width = max(count, *(place + 1 for place in places.values()))
    found, draws = misread(outcomes, draws, moved, width, seed)
    if not isinstance(found, np.ndarray):
        found = np.array([value & (1 << count) - 1 for value in found], dtype=np.uint64)
    return found, draws


def draw(
    probabilities: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct outcomes, ascending, and how often each is drawn."""
    drawn = generator.multinomial(shots, probabilities)
    kept = np.flatnonzero(drawn)
    return kept.astype(np.uint64), drawn[kept].astype(np.int64)
