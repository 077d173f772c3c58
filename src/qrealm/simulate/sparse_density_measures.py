"""What a sparse density matrix says: probabilities, purity, entropies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.sparse_density import SparseDensity, gathered, reduced, to_dense
from qrealm.simulate.sparse_density_steps import Relaxation

BLOCK_MAX = 1 << 9
"""Largest block whose eigenvalues are computed: 4 MiB, and a tenth of a second."""

EIGENVALUE_WORK_MAX = BLOCK_MAX**3
"""Most work for all blocks together, as the sum of their sizes cubed."""

DENSE_QUBITS_MAX = 4
"""Up to so many qubits the whole matrix has its eigenvalues sooner than its blocks are found."""


def diagonal(density: SparseDensity) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Basis indices on the diagonal and their probabilities; what rounding made negative counts as zero."""
    here = density.rows == density.cols
    return density.rows[here], np.clip(density.values[here].real, 0.0, None)


def outcome_probabilities(density: SparseDensity, qubits: Sequence[int]) -> NDArray[np.float64]:
    """Of every outcome of these qubits, shape (2^k,); ``qubits[0]`` is the low bit."""
    indices, chances = diagonal(density)
    sums = np.bincount(gathered(indices, qubits), weights=chances, minlength=1 << len(qubits))
    return sums.astype(np.float64, copy=False)


def relaxed_probabilities(density: SparseDensity, steps: Sequence[Relaxation]) -> NDArray[np.float64]:
    """Of every outcome of the qubits of some relaxations, after those; the first step's are the low bits.

    What is not on the diagonal never comes back to it: one step takes the probabilities p to
    a p + (1 - a) π ⊗ (p summed over its qubits). So the state after it need not be computed. Relaxations of
    other qubits change nothing here.

    Returns:
        Shape (2^k,), where k is the number of all qubits of the steps.
    """
    chances = outcome_probabilities(density, [qubit for step in steps for qubit in step.qubits])
    # The last axis runs fastest: it is the first step's.
    table = chances.reshape([len(step.distribution) for step in reversed(steps)])
    for axis, step in enumerate(reversed(steps)):
        shape = [1] * table.ndim
        shape[axis] = -1
        fresh = table.sum(axis=axis, keepdims=True) * step.distribution.reshape(shape)
        table = step.populations_kept * table + (1.0 - step.populations_kept) * fresh
    return table.reshape(-1)


def relaxed_outcome(density: SparseDensity, steps: Sequence[Relaxation], uniform: float) -> tuple[int, float]:
    """An outcome of all qubits drawn after some relaxations, and the probability that it had.

    The outcome is the first at which the sum of the probabilities of all outcomes, in their order, exceeds
    `uniform`. One step after the other is decided, the highest qubits first, over the basis states that the
    state has now; the state after the relaxations need not be computed.

    Args:
        steps: together they act on all qubits, each on some in a row, the lowest first.
        uniform: from 0 to 1, 1 excluded.
    """
    indices, weights = diagonal(density)
    whole = float(weights.sum())
    target, outcome = uniform * whole, 0
    for step in reversed(steps):
        local = gathered(indices, step.qubits)
        held = np.bincount(local, weights=weights, minlength=len(step.distribution))
        gained = (1.0 - step.populations_kept) * step.distribution
        masses = step.populations_kept * held + gained * held.sum()
        sums = np.cumsum(masses)
        # Rounding may push the target over the last sum, or below zero.
        possible = np.flatnonzero(masses)
        state = min(int(np.searchsorted(sums, target, side="right")), int(possible[-1]))
        target = max(0.0, target - float(sums[state] - masses[state]))
        weights = weights * (step.populations_kept * (local == state) + gained[state])
        here = weights > 0.0
        indices, weights = indices[here], weights[here]
        outcome |= state << step.qubits[0]
    return outcome, float(weights.sum()) / whole


def purity(density: SparseDensity) -> float:
    """tr ρ²: 1 for a pure state."""
    return float(np.sum(density.values.real**2 + density.values.imag**2))


def coherence_weight(density: SparseDensity) -> float:
    """Σ |ρ_ij|² over i ≠ j: purity less what of it is on the diagonal."""
    off = density.values[density.rows != density.cols]
    return float(np.sum(off.real**2 + off.imag**2))


def dephased_mixedness(density: SparseDensity) -> float:
    """1 - Σ p_i² of the probabilities of the basis states: how mixed the state is when no coherence is left,
    and the coherence weight of a pure state with these probabilities."""
    return max(0.0, 1.0 - float(np.sum(diagonal(density)[1] ** 2)))


def diagonal_entropy_bits(density: SparseDensity) -> float:
    """Shannon entropy of the probabilities of the basis states."""
    return _shannon_bits(diagonal(density)[1])


def entropy_bits(density: SparseDensity) -> float | None:
    """Von Neumann entropy -tr ρ log2 ρ.

    Entries that are not zero tie basis states together; the matrix falls apart into blocks of basis states
    that are tied, and each block has its own eigenvalues.

    Returns:
        None when a block is larger than `BLOCK_MAX`, or all of them are more than `EIGENVALUE_WORK_MAX`.
    """
    if density.num_qubits <= DENSE_QUBITS_MAX:
        return _shannon_bits(_eigenvalues(to_dense(density)))
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    states, place = np.unique(np.concatenate((density.rows, density.cols)), return_inverse=True)
    rows, cols = np.split(place, 2)
    pattern = coo_array((np.ones(len(rows), dtype=np.int8), (rows, cols)), shape=(len(states),) * 2)
    _, block_of = connected_components(pattern, directed=False)
    sizes = np.bincount(block_of)
    if sizes.max() > BLOCK_MAX or (sizes.astype(np.float64) ** 3).sum() > EIGENVALUE_WORK_MAX:
        return None
    # States of one block side by side; `within` is a state's place inside its block.
    order = np.argsort(block_of, kind="stable")
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    within = np.empty(len(states), dtype=np.int64)
    within[order] = np.arange(len(states)) - np.repeat(starts, sizes)
    total = 0.0
    for size in np.unique(sizes).tolist():
        total += _entropy_of_blocks(size, sizes, block_of[rows], within[rows], within[cols], density.values)
    return total


def _entropy_of_blocks(
    size: int,
    sizes: NDArray[np.int64],
    block: NDArray[np.int32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    values: NDArray[np.complex128],
) -> float:
    """Of all blocks of one size: `block`, `rows` and `cols` say where each entry is."""
    number = np.cumsum(sizes == size) - 1
    here = sizes[block] == size
    # Real eigenvalues take a fourth of the time; what no gate has turned is real.
    present = values[here] if values[here].imag.any() else values[here].real
    matrices = np.zeros((int(number[-1]) + 1, size, size), dtype=present.dtype)
    matrices[number[block[here]], rows[here], cols[here]] = present
    if size == 1:
        return _shannon_bits(matrices.real.reshape(-1))
    return _shannon_bits(_eigenvalues(matrices))


def coherence_bits(density: SparseDensity) -> float | None:
    """Relative entropy of coherence, S(diag ρ) - S(ρ) (Baumgratz, Cramer and Plenio 2014).

    Returns:
        None where `entropy_bits` is.
    """
    entropy = entropy_bits(density)
    return None if entropy is None else max(0.0, diagonal_entropy_bits(density) - entropy)


def mutual_information_bits(
    density: SparseDensity, first: Sequence[int], second: Sequence[int]
) -> float | None:
    """Quantum mutual information S(A) + S(B) - S(AB) of two groups of qubits; 2 for a Bell pair.

    Returns:
        None where `entropy_bits` is.
    """
    both = reduced(density, (*first, *second))
    parts = [
        reduced(both, range(len(first))),
        reduced(both, range(len(first), both.num_qubits)),
        both,
    ]
    a, b, ab = (entropy_bits(part) for part in parts)
    return None if a is None or b is None or ab is None else max(0.0, a + b - ab)


def _eigenvalues(matrices: NDArray[np.complex128] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.eigvalsh(matrices).reshape(-1).astype(np.float64, copy=False)


def _shannon_bits(chances: NDArray[np.float64]) -> float:
    present = chances[chances > 0.0]
    return max(0.0, float(-np.sum(present * np.log2(present))))
