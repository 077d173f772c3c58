"""Observables estimated from shots of a mixed state, read by a faulty detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.backends.density_matrix.mixed_state import MixedState
from qrealm.simulate.misread import Detector
from qrealm.simulate.observables import MeasuredBasis, Named, Parity, estimated, parities


def sampled_values(
    state: MixedState, observables: Named, shots: int, seed: int, detector: Detector
) -> tuple[dict[str, float], dict[str, float]]:
    """(estimate, standard error) of each observable, from `shots` samples in every basis that is needed.

    Args:
        state: given back as it was, but for rounding.
        detector: reads the samples.
    """

    def drawn(basis: MeasuredBasis, basis_seed: int) -> tuple[NDArray[np.int64], Parity]:
        state.turn(basis.x_mask, basis.z_mask)
        probabilities = state.probabilities()
        state.turn(basis.x_mask, basis.z_mask, back=True)
        outcomes, draws = draw(probabilities, shots, np.random.default_rng(basis_seed))
        num_qubits = len(probabilities).bit_length() - 1
        outcomes, draws = detector.reported(outcomes, draws, num_qubits, basis_seed)
        return draws, lambda mask: parities(outcomes, mask)

    return estimated(observables, shots, seed, drawn)


def draw(
    probabilities: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct outcomes, ascending, and how often each is drawn."""
    drawn = generator.multinomial(shots, probabilities)
    kept = np.flatnonzero(drawn)
    return kept.astype(np.uint64), drawn[kept].astype(np.int64)
