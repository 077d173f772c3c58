"""Density matrices that keep only what is not zero.

A group of n containers in a state like (|0…0⟩ + |1…1⟩)/√2 that decays has about 2^n entries that are not
zero, of 4^n: sixteen qubits fit into 1.6 MB, exactly.

Sums drop entries below 1e-16 of the largest one, which is below what double precision can tell, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import TooLargeError

QUBITS_MAX = 31
"""Row and column of an entry share one 64-bit word while entries are sorted."""

ENTRIES_MAX = 1 << 22
"""Most entries of one matrix: what eleven qubits have when none is zero. 100 MB, 600 MB while it is
sorted, and about a second for a gate."""

ENTRY_BYTES = 72
"""Memory of an entry while entries are sorted and summed."""

DROPPED_BELOW = 1e-16
"""Share of the largest entry below which a sum counts as zero."""

Keys = NDArray[np.uint64]
Values = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class SparseDensity:
    """A density matrix of up to 31 qubits; qubit q is bit q of a basis index.

    Attributes:
        num_qubits: n; the matrix has shape (2^n, 2^n).
        rows, cols: basis indices of the entries that are not zero, uint32 of shape (entries,), sorted by row,
            then by column, none twice.
        values: the entries, complex128 of shape (entries,).
    """

    num_qubits: int
    rows: NDArray[np.uint32]
    cols: NDArray[np.uint32]
    values: NDArray[np.complex128]


def pure(amplitudes: NDArray[np.complex128] | NDArray[np.float64]) -> SparseDensity:
    """|ψ⟩⟨ψ| of 2^n amplitudes.

    Raises:
        TooLargeError: more than `ENTRIES_MAX` entries.
    """
    vector = np.asarray(amplitudes, dtype=np.complex128)
    present = np.flatnonzero(vector).astype(np.uint32)
    check_entries(len(present) ** 2)
    values = np.outer(vector[present], vector[present].conj()).reshape(-1)
    rows = np.repeat(present, len(present))
    cols = np.tile(present, len(present))
    return SparseDensity(len(vector).bit_length() - 1, rows, cols, values)


def basis_state(num_qubits: int, index: int) -> SparseDensity:
    """|index⟩⟨index|."""
    place = np.array([index], dtype=np.uint32)
    return SparseDensity(num_qubits, place, place.copy(), np.ones(1, dtype=np.complex128))


def from_dense(matrix: NDArray[np.complex128]) -> SparseDensity:
    """The entries of a matrix of shape (2^n, 2^n) that are not zero."""
    size = np.abs(matrix)
    rows, cols = np.nonzero(size > DROPPED_BELOW * float(size.max(initial=0.0)))
    values = np.ascontiguousarray(matrix[rows, cols], dtype=np.complex128)
    return SparseDensity(len(matrix).bit_length() - 1, rows.astype(np.uint32), cols.astype(np.uint32), values)


def to_dense(density: SparseDensity) -> NDArray[np.complex128]:
    """The whole matrix, shape (2^n, 2^n); for few qubits."""
    size = 1 << density.num_qubits
    matrix = np.zeros((size, size), dtype=np.complex128)
    matrix[density.rows, density.cols] = density.values
    return matrix


def joined(low: SparseDensity, high: SparseDensity) -> SparseDensity:
    """The tensor product: `low` keeps its qubits, those of `high` follow.

    Raises:
        TooLargeError: more than 31 qubits, or more than `ENTRIES_MAX` entries.
    """
    num_qubits = low.num_qubits + high.num_qubits
    check_qubits(num_qubits)
    count = len(low.values) * len(high.values)
    check_entries(count)
    shift = np.uint64(low.num_qubits)
    keys = np.bitwise_or.outer(keys_of(high) << shift, keys_of(low)).reshape(-1)
    values = np.multiply.outer(high.values, low.values).reshape(-1)
    return sorted_density(num_qubits, keys, values)


def reduced(density: SparseDensity, qubits: Sequence[int]) -> SparseDensity:
    """The state of some qubits alone, the others traced out; ``qubits[0]`` becomes qubit 0."""
    lost = mask_of(range(density.num_qubits)) & ~mask_of(qubits)
    same = ((density.rows ^ density.cols) & np.uint32(lost)) == 0
    rows = gathered(density.rows[same], qubits)
    cols = gathered(density.cols[same], qubits)
    return summed(len(qubits), keys_from(rows, cols), density.values[same])


def normalised(density: SparseDensity) -> SparseDensity:
    """The same with trace 1: takes away what rounding has added over many steps."""
    trace = float(density.values[density.rows == density.cols].real.sum())
    return SparseDensity(density.num_qubits, density.rows, density.cols, density.values / trace)


# ---- entries by key ------------------------------------------------------------------------------------


def keys_of(density: SparseDensity) -> Keys:
    """Row and column of each entry in one word, the row in the upper half."""
    return keys_from(density.rows, density.cols)


def keys_from(rows: NDArray[np.uint32], cols: NDArray[np.uint32]) -> Keys:
    """Row and column in one word, the row in the upper half."""
    keys: Keys = rows.astype(np.uint64) << np.uint64(32) | cols.astype(np.uint64)
    return keys


def sorted_density(num_qubits: int, keys: Keys, values: Values) -> SparseDensity:
    """Entries in order; no key may come twice."""
    order = np.argsort(keys, kind="stable")
    return _from_keys(num_qubits, keys[order], values[order])


def summed(num_qubits: int, keys: Keys, values: Values) -> SparseDensity:
    """Entries in order, those of the same place added up, what is zero dropped.

    Raises:
        TooLargeError: more than `ENTRIES_MAX` are left.
    """
    if not len(keys):
        return _from_keys(num_qubits, keys, values)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    sums: Values = np.add.reduceat(values[order], starts)
    size = np.abs(sums)
    kept = size > DROPPED_BELOW * float(size.max())
    check_entries(int(np.count_nonzero(kept)))
    return _from_keys(num_qubits, keys[starts[kept]], sums[kept])


def _from_keys(num_qubits: int, keys: Keys, values: Values) -> SparseDensity:
    rows = (keys >> np.uint64(32)).astype(np.uint32)
    cols = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return SparseDensity(num_qubits, rows, cols, values)


# ---- bits ----------------------------------------------------------------------------------------------


def mask_of(qubits: Sequence[int]) -> int:
    """A word with the bits of these qubits set."""
    return sum(1 << qubit for qubit in qubits)


def gathered(indices: NDArray[np.uint32], qubits: Sequence[int]) -> NDArray[np.uint32]:
    """The number that some qubits spell in each basis index; ``qubits[0]`` is its bit 0."""
    found = np.zeros(len(indices), dtype=np.uint32)
    for place, qubit in enumerate(qubits):
        found |= (indices >> np.uint32(qubit) & np.uint32(1)) << np.uint32(place)
    return found


def scattered(numbers: NDArray[np.uint32], qubits: Sequence[int]) -> NDArray[np.uint32]:
    """Basis indices in which some qubits spell these numbers, and all others are 0."""
    found = np.zeros(len(numbers), dtype=np.uint32)
    for place, qubit in enumerate(qubits):
        found |= (numbers >> np.uint32(place) & np.uint32(1)) << np.uint32(qubit)
    return found


def check_qubits(num_qubits: int) -> None:
    """Raises TooLargeError for more qubits than a key has room for."""
    if num_qubits > QUBITS_MAX:
        raise TooLargeError(
            f"a density matrix of {num_qubits} qubits was asked for",
            needed_bytes=ENTRY_BYTES << num_qubits,
            available_bytes=ENTRY_BYTES << QUBITS_MAX,
            rule=f"the rule is at most {QUBITS_MAX} qubits, whatever memory there is",
            hint="put fewer qubits into one register",
        )


def check_entries(count: int, limit: int = ENTRIES_MAX) -> None:
    """Raises TooLargeError for more entries than one matrix may have."""
    if count > limit:
        raise TooLargeError(
            f"a density matrix with {count:,} entries that are not zero was asked for",
            needed_bytes=ENTRY_BYTES * count,
            available_bytes=ENTRY_BYTES * limit,
            rule=f"the rule is at most {limit:,}, whatever memory there is",
            hint="superposition on every qubit fills the whole matrix, four times larger for every further "
            "qubit: put fewer states or fewer qubits into superposition together",
        )
