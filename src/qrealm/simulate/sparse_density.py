"""Density matrices that keep only what is not zero.

A group of n containers in a state like (|0…0⟩ + |1…1⟩)/√2 that decays has about 2^n entries that are not
zero, of 4^n: sixteen qubits fit into a megabyte, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
