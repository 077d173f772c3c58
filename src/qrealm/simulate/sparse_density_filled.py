"""Steps on a density matrix that is mostly filled: the whole matrix at once, without sorting entries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qrealm.simulate.sparse_density import gathered, mask_of, scattered
from qrealm.simulate.sparse_density_steps import Matrix, Permutation, Preparation, Relaxation, Step


def changed_filled(matrix: Matrix, steps: Sequence[Step]) -> Matrix:
    """A matrix of shape (2^n, 2^n) after some steps; the one given is not changed."""
    num_qubits = len(matrix).bit_length() - 1
    # Axis n - 1 - q is row qubit q, axis 2n - 1 - q column qubit q: the last axis of an array runs fastest.
    tensor = matrix.reshape((2,) * (2 * num_qubits))
    for step in steps:
        match step:
            case Relaxation():
                tensor = _relaxed(tensor, step)
            case Preparation():
                tensor = _prepared(tensor, step)
            case Permutation():
                tensor = _permuted(tensor, step)
            case _:
                tensor = _operated(tensor, step.kraus(), step.qubits)
    return np.ascontiguousarray(tensor).reshape(matrix.shape)


def _operated(tensor: Matrix, kraus: Sequence[Matrix], qubits: Sequence[int]) -> Matrix:
    width = tensor.ndim // 2
    row_axes = [width - 1 - qubit for qubit in reversed(qubits)]
    col_axes = [width + axis for axis in row_axes]

    def one_side(of: Matrix, matrix: Matrix, axes: Sequence[int]) -> Matrix:
        k = len(axes)
        product = np.tensordot(matrix.reshape((2,) * (2 * k)), of, axes=(range(k, 2 * k), axes))
        return np.moveaxis(product, range(k), axes)

    total = None
    for matrix in kraus:
        part = one_side(one_side(tensor, matrix, row_axes), matrix.conj(), col_axes)
        total = part if total is None else total + part
    assert total is not None
    return total


def _relaxed(tensor: Matrix, step: Relaxation) -> Matrix:
    blocks = [_block(tensor, step.qubits, i, i) for i in range(len(step.distribution))]
    gained = (1.0 - step.populations_kept) * sum(blocks)
    found = np.asarray(tensor * step.coherences_kept)
    for i, (block, chance) in enumerate(zip(blocks, step.distribution.tolist(), strict=True)):
        _block(found, step.qubits, i, i)[...] = step.populations_kept * block + chance * gained
    return found


def _prepared(tensor: Matrix, step: Preparation) -> Matrix:
    traced = sum(_block(tensor, step.qubits, i, i) for i in range(len(step.amplitudes)))
    found = np.zeros_like(tensor)
    present = np.flatnonzero(step.amplitudes).tolist()
    for i in present:
        for j in present:
            weight = step.amplitudes[i] * step.amplitudes[j].conj()
            _block(found, step.qubits, i, j)[...] = weight * traced
    return found


def _permuted(tensor: Matrix, step: Permutation) -> Matrix:
    size = 1 << tensor.ndim // 2
    indices = np.arange(size, dtype=np.uint32)
    moved = indices & ~np.uint32(mask_of(step.qubits))
    moved |= scattered(step.table[gathered(indices, step.qubits)], step.qubits)
    found = np.empty((size, size), dtype=np.complex128)
    found[np.ix_(moved, moved)] = tensor.reshape(size, size)
    return found.reshape(tensor.shape)


def _block(tensor: Matrix, qubits: Sequence[int], row: int, col: int) -> Matrix:
    """A view of the entries whose qubits spell `row` in the row index and `col` in the column index."""
    width = tensor.ndim // 2
    where: list[int | slice] = [slice(None)] * tensor.ndim
    for place, qubit in enumerate(qubits):
        where[width - 1 - qubit] = row >> place & 1
        where[2 * width - 1 - qubit] = col >> place & 1
    # With the ellipsis a view comes even where no axis is left.
    return tensor[(*where, ...)]
