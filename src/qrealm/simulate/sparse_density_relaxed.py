"""How many entries a sparse density matrix will have when it has relaxed, counted from those it has now.

A relaxation leaves every entry that is off the diagonal in its qubits where it is. One on the diagonal there
it takes to all basis states that its distribution has. So entries that are off the diagonal in the same
places, with the same indices there, fill the product of what the other qubits may be: one entry stands for
all of them. Such a pattern is small where the relaxed matrix is large, and what steps do to it tells what
they will do to the matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import TooLargeError
from qrealm.simulate.sparse_density import (
    SparseDensity,
    gathered,
    joined,
    keys_from,
    mask_of,
    scattered,
    summed,
)
from qrealm.simulate.sparse_density_maps import changed
from qrealm.simulate.sparse_density_steps import Matrix, Operators, Permutation, Preparation, Relaxation, Step


def entries_when_relaxed(density: SparseDensity, steps: Sequence[Relaxation]) -> float:
    """The most entries that relaxations, for however long, may lead to.

    Args:
        steps: together they act on all qubits, each qubit in one step. Their times are not used.

    Returns:
        At least the number of entries at every later time, and no more than needed where every basis state
        that occurs has some probability in the distribution. A float, because it may be huge.
    """
    pattern, occurring = relaxed_pattern(density, steps)
    reached = np.ones(len(pattern.values))
    for step, may_be in zip(steps, occurring, strict=True):
        reached[_same(pattern, step.qubits)] *= np.count_nonzero(may_be)
    return float(reached.sum())


def entries_when_changed(
    parts: Sequence[tuple[SparseDensity, Sequence[Relaxation]]], change: Iterable[Step]
) -> float:
    """The most entries of density matrices that relax for any time, are joined and changed, and relax again.

    Nothing is counted on to cancel, so it may be more than needed where a change takes back an earlier one.

    Args:
        parts: each with its relaxations as of `entries_when_relaxed`; the first one's qubits are the lowest.
        change: gates, permutations and preparations.

    Returns:
        A float, because it may be huge; infinite where it is too large to count.
    """
    change = list(change)
    touched = {qubit for step in change for qubit in step.qubits}
    spread: list[Step] = []
    later: list[Relaxation] = []
    try:
        pattern: SparseDensity | None = None
        for density, steps in parts:
            found, occurring = relaxed_pattern(density, steps)
            shift = 0 if pattern is None else pattern.num_qubits
            pattern = found if pattern is None else joined(pattern, found)
            for step, may_be in zip(steps, occurring, strict=True):
                qubits = tuple(qubit + shift for qubit in step.qubits)
                over_all = Relaxation(may_be / np.count_nonzero(may_be), 0.5, 0.5, qubits)
                if touched.isdisjoint(qubits):
                    later.append(over_all)
                else:
                    # What changes is spread over all that it may be: one entry cannot stand for it.
                    spread.append(over_all)
                    later.append(replace(step, qubits=qubits))
        assert pattern is not None
        return entries_when_relaxed(changed(pattern, [*spread, *map(_without_signs, change)]), later)
    except TooLargeError:
        return float("inf")


def relaxed_pattern(
    density: SparseDensity, steps: Sequence[Relaxation]
) -> tuple[SparseDensity, list[NDArray[np.bool_]]]:
    """One entry, of value 1, for all that relaxations spread it over; and which basis states may occur in the
    qubits of each step, arrays of shape (2^k,). In the qubits where an entry is on the diagonal it has the
    lowest that may occur there."""
    rows, cols = density.rows.copy(), density.cols.copy()
    occurring = []
    for step in steps:
        mask = np.uint32(mask_of(step.qubits))
        same = _same(density, step.qubits)
        may_be = step.distribution > 0.0
        may_be[gathered(density.rows[same], step.qubits)] = True
        occurring.append(may_be)
        lowest = scattered(np.flatnonzero(may_be)[:1].astype(np.uint32), step.qubits)[0]
        rows[same] = rows[same] & ~mask | lowest
        cols[same] = cols[same] & ~mask | lowest
    keys = np.unique(keys_from(rows, cols))
    return summed(density.num_qubits, keys, np.ones(len(keys), dtype=np.complex128)), occurring


def _same(density: SparseDensity, qubits: Sequence[int]) -> NDArray[np.bool_]:
    """Which entries are on the diagonal in these qubits."""
    here: NDArray[np.bool_] = ((density.rows ^ density.cols) & np.uint32(mask_of(qubits))) == 0
    return here


def _without_signs(step: Step) -> Step:
    """A step that has entries where this one may, and never has two of them cancel."""
    match step:
        case Permutation():
            return step
        case Preparation():
            return Preparation((step.amplitudes != 0).astype(np.complex128), step.qubits)
        case _:
            matrices: tuple[Matrix, ...] = tuple((each != 0).astype(np.complex128) for each in step.kraus())
            return Operators(matrices, step.qubits)
