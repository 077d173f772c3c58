"""How many entries a sparse density matrix will have when it has relaxed, counted from those it has now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qrealm.simulate.sparse_density import SparseDensity, gathered, keys_from, mask_of
from qrealm.simulate.sparse_density_steps import Relaxation


def entries_when_relaxed(density: SparseDensity, steps: Sequence[Relaxation]) -> float:
    """The most entries that relaxations, for however long, may lead to.

    A relaxation leaves every entry that is off the diagonal in its qubits where it is. One on the diagonal
    there it takes to all basis states that its distribution has. So entries that are off the diagonal in the
    same places, with the same indices there, fill the product of what the other qubits may be.

    Args:
        steps: together they act on all qubits, each qubit in one step. Their times are not used.

    Returns:
        At least the number of entries at every later time, and no more than needed where every basis state
        that occurs has some probability in the distribution. A float, because it may be huge.
    """
    rows, cols = density.rows.copy(), density.cols.copy()
    reached = np.ones(len(rows))
    for step in steps:
        mask = np.uint32(mask_of(step.qubits))
        same = ((density.rows ^ density.cols) & mask) == 0
        may_be = step.distribution > 0.0
        may_be[gathered(density.rows[same], step.qubits)] = True
        # Off the diagonal row and column differ, so (0, 0) is free to mean "on it".
        rows[same] &= ~mask
        cols[same] &= ~mask
        reached[same] *= np.count_nonzero(may_be)
    _, firsts = np.unique(keys_from(rows, cols), return_index=True)
    return float(reached[firsts].sum())
