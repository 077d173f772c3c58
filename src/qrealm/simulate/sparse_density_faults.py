"""Whether entries that came from elsewhere are a density matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.sparse_density import SparseDensity

ERROR_MAX = 1e-6
"""To which entries are exact."""

STATES_WHOLE = 16
"""Up to so many basis states with a probability the whole matrix is known to be positive, from its
eigenvalues; of larger ones every two states are."""

TABLE_PER_ENTRY = 4
"""Up to so many basis states for each entry a table of all of them is quicker than a search."""


def density_fault(density: SparseDensity) -> str:
    """Why a matrix is the state of no qubits; empty where it is one. Its trace is not looked at."""
    rows, cols, values = density.rows, density.cols, density.values
    on = rows == cols
    states, odds = rows[on], values[on]
    likely = (odds.real >= -ERROR_MAX) & (odds.real <= 1 + ERROR_MAX)
    if not (likely & (np.abs(odds.imag) <= ERROR_MAX)).all():
        return "a probability of it is not from 0 to 1"
    if len(states) == len(values):
        return ""
    off = ~on
    rows, cols, values = rows[off], cols[off], values[off]
    size = len(states)
    # States without a probability come last, as one.
    amplitude = np.append(np.sqrt(np.clip(odds.real, 0.0, None)), 0.0)
    row, col = (_places(side, states, density.num_qubits) for side in (rows, cols))
    largest = amplitude[row] * amplitude[col] + ERROR_MAX
    if (values.real**2 + values.imag**2 > largest**2).any():
        return "an entry beside its diagonal is larger than the probabilities of its states allow"
    known = (row < size) & (col < size)
    if not known.all():  # not more than rounding
        row, col, values = row[known], col[known], values[known]
    if not _is_hermitian(row, col, values, size):
        return "its matrix is not Hermitian"
    if size <= STATES_WHOLE:
        whole = np.diag(odds.real).astype(np.complex128)
        whole[row, col] = values
        if np.linalg.eigvalsh(whole)[0] < -ERROR_MAX:
            return "its matrix is not positive"
    return ""


def _places(states: NDArray[np.uint32], known: NDArray[np.uint32], num_qubits: int) -> NDArray[np.int32]:
    """Where some states are among those that are known, which are in order; their number for the others."""
    if (size := 1 << num_qubits) <= TABLE_PER_ENTRY * len(states):
        table = np.full(size, len(known), dtype=np.int32)
        table[known] = np.arange(len(known), dtype=np.int32)
        return table[states]
    found = np.searchsorted(known, states).astype(np.int32)
    inside = np.minimum(found, len(known) - 1)
    found[known[inside] != states] = len(known)
    return found


def _is_hermitian(
    row: NDArray[np.int32], col: NDArray[np.int32], values: NDArray[np.complex128], size: int
) -> bool:
    from scipy.sparse import csr_array

    starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=size)))).astype(np.int32)
    matrix = csr_array((values, col, starts), shape=(size, size))
    # Column by column is in order what row by row is of the other side; it takes no sorting.
    turned = matrix.tocsc()
    if np.array_equal(turned.indices, matrix.indices) and np.array_equal(turned.indptr, matrix.indptr):
        return bool((np.abs(turned.data.conj() - matrix.data) <= ERROR_MAX).all())
    # Rounding may have left one of two entries that belong together out.
    apart = abs(matrix - matrix.conj().T)
    return apart.nnz == 0 or bool(apart.max() <= ERROR_MAX)
