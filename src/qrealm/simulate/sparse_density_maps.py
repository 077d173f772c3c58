"""Steps carried out on the entries of a sparse density matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.sparse_density import (
    ENTRIES_MAX,
    Keys,
    SparseDensity,
    Values,
    check_entries,
    from_dense,
    gathered,
    keys_from,
    keys_of,
    mask_of,
    scattered,
    sorted_density,
    summed,
    to_dense,
)
from qrealm.simulate.sparse_density_filled import changed_filled
from qrealm.simulate.sparse_density_steps import Matrix, Permutation, Preparation, Relaxation, Step

ROW_SHIFT = 32
COL_SHIFT = 0

FILLED_ENTRIES_MIN = 1 << 12
"""Below, sorting takes a millisecond or less."""

FILLED_SHARE = 4
"""A matrix with a fourth of its entries not zero counts as filled."""


def changed(density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
    """A density matrix after some steps.

    Raises:
        TooLargeError: more entries than one matrix may have.
    """
    for place, step in enumerate(steps):
        if is_filled(density):
            return from_dense(changed_filled(to_dense(density), steps[place:]))
        match step:
            case Relaxation():
                density = _relaxed(density, step)
            case Preparation():
                density = _prepared(density, step)
            case Permutation():
                density = _permuted(density, step)
            case _:
                density = _operated(density, step.kraus(), step.qubits)
    return density


def is_filled(density: SparseDensity) -> bool:
    """Whether the whole matrix is quicker to move than its entries are to sort."""
    count = len(density.values)
    return count >= FILLED_ENTRIES_MIN and count * FILLED_SHARE >= 1 << 2 * density.num_qubits


def _operated(density: SparseDensity, kraus: Sequence[Matrix], qubits: Sequence[int]) -> SparseDensity:
    keys: list[Keys] = []
    values: list[Values] = []
    for matrix in kraus:
        half = _one_side(density, matrix, qubits, ROW_SHIFT)
        whole = _one_side(half, matrix.conj(), qubits, COL_SHIFT)
        if len(kraus) == 1:
            return whole
        keys.append(keys_of(whole))
        values.append(whole.values)
        check_entries(sum(map(len, keys)), 2 * ENTRIES_MAX)
    return summed(density.num_qubits, np.concatenate(keys), np.concatenate(values))


def _one_side(density: SparseDensity, matrix: Matrix, qubits: Sequence[int], shift: int) -> SparseDensity:
    """A matrix applied to the row index (shift 32) or the column index (0) of every entry."""
    side = density.rows if shift else density.cols
    local = gathered(side, qubits)
    bare = keys_of(density) & ~np.uint64(mask_of(qubits) << shift)
    new = _spread(np.arange(len(matrix), dtype=np.uint32), qubits, shift)
    outputs = [np.flatnonzero(matrix[:, i]).tolist() for i in range(len(matrix))]
    counts = np.bincount(local, minlength=len(matrix))
    check_entries(sum(len(out) * int(n) for out, n in zip(outputs, counts, strict=True)), 2 * ENTRIES_MAX)
    keys: list[Keys] = [np.zeros(0, dtype=np.uint64)]
    values: list[Values] = [np.zeros(0, dtype=np.complex128)]
    for i in np.flatnonzero(counts).tolist():
        here = np.flatnonzero(local == i)
        for out in outputs[i]:
            keys.append(bare[here] | new[out])
            values.append(density.values[here] * matrix[out, i])
    return summed(density.num_qubits, np.concatenate(keys), np.concatenate(values))


def _traced(density: SparseDensity, qubits: Sequence[int]) -> SparseDensity:
    """The qubits traced out and put into |0⟩."""
    mask = np.uint32(mask_of(qubits))
    same = ((density.rows ^ density.cols) & mask) == 0
    keys = keys_from(density.rows[same] & ~mask, density.cols[same] & ~mask)
    return summed(density.num_qubits, keys, density.values[same])


def _relaxed(density: SparseDensity, step: Relaxation) -> SparseDensity:
    lost = 1.0 - step.populations_kept
    mask = np.uint32(mask_of(step.qubits))
    same = ((density.rows ^ density.cols) & mask) == 0
    keys = [keys_of(density)]
    values = [density.values * np.where(same, step.populations_kept, step.coherences_kept)]
    present = np.flatnonzero(step.distribution).astype(np.uint32)
    if lost > 0.0:
        bare = _traced(density, step.qubits)
        check_entries(len(density.values) + len(present) * len(bare.values), 2 * ENTRIES_MAX)
        places = _spread(present, step.qubits, ROW_SHIFT) | _spread(present, step.qubits, COL_SHIFT)
        keys.append(np.bitwise_or.outer(places, keys_of(bare)).reshape(-1))
        values.append(np.multiply.outer(lost * step.distribution[present], bare.values).reshape(-1))
    return summed(density.num_qubits, np.concatenate(keys), np.concatenate(values))


def _prepared(density: SparseDensity, step: Preparation) -> SparseDensity:
    bare = _traced(density, step.qubits)
    present = np.flatnonzero(step.amplitudes).astype(np.uint32)
    check_entries(len(present) ** 2 * len(bare.values))
    rows, cols = _spread(present, step.qubits, ROW_SHIFT), _spread(present, step.qubits, COL_SHIFT)
    places = np.bitwise_or.outer(rows, cols).reshape(-1)
    amplitudes = step.amplitudes[present]
    weights = np.outer(amplitudes, amplitudes.conj()).reshape(-1)
    keys = np.bitwise_or.outer(places, keys_of(bare)).reshape(-1)
    return sorted_density(density.num_qubits, keys, np.multiply.outer(weights, bare.values).reshape(-1))


def _permuted(density: SparseDensity, step: Permutation) -> SparseDensity:
    rest = ~np.uint32(mask_of(step.qubits))

    def moved(indices: NDArray[np.uint32]) -> NDArray[np.uint32]:
        found: NDArray[np.uint32] = indices & rest
        return found | scattered(step.table[gathered(indices, step.qubits)], step.qubits)

    return sorted_density(
        density.num_qubits, keys_from(moved(density.rows), moved(density.cols)), density.values
    )


def _spread(numbers: NDArray[np.uint32], qubits: Sequence[int], shift: int) -> Keys:
    """Keys in which the qubits of one side spell these numbers."""
    keys: Keys = scattered(numbers, qubits).astype(np.uint64) << np.uint64(shift)
    return keys
