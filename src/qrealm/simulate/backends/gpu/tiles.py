"""Stages: steps that one launch carries out on tiles of the state that lie in a block's shared memory. Pure.

A tile is all amplitudes that differ in a few chosen qubits only. A matrix needs its qubits inside the tile;
tables of phases and controls may read any qubit, because those outside are the number of the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.backends.gpu.fusion import Step, ordered
from qrealm.simulate.plan.types import Precision

TILE_QUBITS = {Precision.SINGLE: 12, Precision.DOUBLE: 11}
"""2^12 amplitudes of 8 bytes, or 2^11 of 16, are 32 KiB: every CUDA device has 48 in a block."""

LOW_QUBITS = {Precision.SINGLE: 5, Precision.DOUBLE: 4}
"""The lowest qubits are always inside, so that a warp reads 256 bytes in a row."""

MATRIX_QUBITS_MAX = 3
"""Qubits of a matrix in a stage: its 8 rows stay in a thread's registers."""

WORDS = 12
"""Words of one operation: kind, k, controls inside, controls outside, offset of its numbers, 7 places."""

_TABLE, _MATRIX = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One launch.

    Attributes:
        inside: qubits of a tile, ascending.
        steps: what it does, in order.
    """

    inside: tuple[int, ...]
    steps: tuple[Step, ...]


def plan_stages(steps: Sequence[Step], num_qubits: int, precision: Precision) -> list[Stage | Step]:
    """The steps in stages, and between them those whose matrix is too wide for one.

    Steps are taken in order; one that does not fit waits for a later stage, and so does what must not
    overtake it.
    """
    size = min(num_qubits, TILE_QUBITS[precision])
    low = range(min(num_qubits, LOW_QUBITS[precision]))
    found: list[Stage | Step] = []
    waiting = list(steps)
    while waiting:
        if not waiting[0].is_table and len(waiting[0].qubits) > MATRIX_QUBITS_MAX:
            found.append(waiting.pop(0))
            continue
        inside = set(low)
        taken: list[Step] = []
        later: list[Step] = []
        blocked: set[int] = set()  # touched by a matrix that waits
        read: set[int] = set()  # touched by anything that waits
        for step in waiting:
            touched = {*step.qubits, *step.controls}
            if step.is_table:
                fits = touched.isdisjoint(blocked)
            else:
                wide = len(step.qubits) > MATRIX_QUBITS_MAX or len(inside.union(step.qubits)) > size
                fits = not wide and touched.isdisjoint(read)
            if fits:
                taken.append(step)
                if not step.is_table:
                    inside.update(step.qubits)
                continue
            later.append(step)
            read |= touched
            if not step.is_table:
                blocked |= touched
        for qubit in range(num_qubits):
            if len(inside) >= size:
                break
            inside.add(qubit)
        found.append(Stage(tuple(sorted(inside)), tuple(taken)))
        waiting = later
    return found


def encoded(
    stage: Stage, num_qubits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.complex128]]:
    """A stage as the kernel reads it.

    Returns:
        (words, int64, shape (operations, WORDS): a place below the tile's size is a bit of the index inside a
        tile, others are bits of the block's number; spots, int64: the qubit of each place; numbers,
        complex128: matrices row by row, and tables.)
    """
    outside = [qubit for qubit in range(num_qubits) if qubit not in set(stage.inside)]
    spots = [*stage.inside, *outside]
    place = {qubit: position for position, qubit in enumerate(spots)}
    size = len(stage.inside)
    words = np.zeros((len(stage.steps), WORDS), dtype=np.int64)
    numbers: list[NDArray[np.complex128]] = []
    offset = 0
    for row, step in zip(words, stage.steps, strict=True):
        qubits, values = ordered(step)
        controls = [place[qubit] for qubit in step.controls]
        row[0] = _TABLE if step.is_table else _MATRIX
        row[1] = len(qubits)
        row[2] = sum(1 << position for position in controls if position < size)
        row[3] = sum(1 << position - size for position in controls if position >= size)
        row[4] = offset
        row[5 : 5 + len(qubits)] = [place[qubit] for qubit in qubits]
        numbers.append(values.reshape(-1))
        offset += values.size
    return words, np.array(spots, dtype=np.int64), np.concatenate(numbers or [np.zeros(1, np.complex128)])
