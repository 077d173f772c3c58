"""Operations fused into steps: dense matrices on a few qubits, and tables of phases. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.matrices import controlled
from qrealm.simulate.backends.gpu.gates import Matrix, Op

MATRIX_QUBITS_MAX = 5
"""Qubits of a fused matrix. Arithmetic grows with 2^k and stays below the time of the memory traffic up to
here, by the published rates of current GPUs."""

TABLE_QUBITS_MAX = 7
"""Qubits of a table of phases: each can cost two dimensions of a strided view, and Metal takes sixteen."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one pass over the state does.

    Attributes:
        controls: qubits that must all be 1.
        qubits: k qubits, the first one least significant; ascending for a table.
        matrix: shape (2^k, 2^k), or for a table of phases (2^k,).
    """

    controls: tuple[int, ...]
    qubits: tuple[int, ...]
    matrix: NDArray[np.complex128]

    @property
    def is_table(self) -> bool:
        """Whether it only multiplies by phases."""
        return self.matrix.ndim == 1

    @property
    def flops(self) -> int:
        """Floating-point operations for each amplitude that it touches."""
        return 6 if self.is_table else 8 * len(self.matrix)


@dataclass(slots=True)
class _Group:
    """Operations on the same few qubits, multiplied together."""

    qubits: tuple[int, ...]
    matrix: NDArray[np.complex128]
    controls: tuple[int, ...] = ()

    @property
    def is_table(self) -> bool:
        return self.matrix.ndim == 1

    @property
    def touched(self) -> frozenset[int]:
        return frozenset(self.qubits + self.controls)


def fuse(ops: Iterable[Op], matrix_qubits_max: int = MATRIX_QUBITS_MAX) -> list[Step]:
    """Steps that do the same as the operations, in order, matrices fused up to so many qubits."""
    groups: list[_Group] = []
    phase: complex = 1.0
    for op in ops:
        if not op.controls and not op.targets:
            phase *= complex(op.matrix[0, 0])
            continue
        made = _single(op, matrix_qubits_max)
        if made.controls:
            groups.append(made)
        elif made.is_table:
            _add_table(groups, made)
        else:
            _add_matrix(groups, made, matrix_qubits_max)
    if phase != 1.0:
        if not groups or groups[0].controls:
            groups.insert(0, _Group((), np.ones(1, dtype=np.complex128)))
        groups[0].matrix = groups[0].matrix * phase
    return [Step(group.controls, group.qubits, group.matrix) for group in groups]


def ordered(step: Step) -> tuple[tuple[int, ...], NDArray[np.complex128]]:
    """The qubits of a step, ascending, and its numbers for them in this order."""
    qubits = tuple(sorted(step.qubits))
    if step.is_table or qubits == step.qubits:
        return qubits, step.matrix
    return qubits, _expanded(step.matrix, step.qubits, qubits)


def _single(op: Op, matrix_qubits_max: int) -> _Group:
    """An operation on its own: controls become part of the matrix where it stays small."""
    limit = TABLE_QUBITS_MAX if op.diagonal else matrix_qubits_max
    if len(op.controls) + len(op.targets) > limit:
        if op.diagonal:
            qubits, table = _ascending(op.targets, np.diagonal(op.matrix))
            return _Group(qubits, table, op.controls)
        return _Group(op.targets, op.matrix, op.controls)
    qubits = op.controls + op.targets
    matrix = controlled(op.matrix, len(op.controls)) if op.controls else op.matrix
    if op.diagonal:
        return _Group(*_ascending(qubits, np.diagonal(matrix)))
    ascending = tuple(sorted(qubits))
    return _Group(ascending, _expanded(matrix, qubits, ascending))


def _add_matrix(groups: list[_Group], made: _Group, matrix_qubits_max: int) -> None:
    """Append a matrix, with all earlier groups that can be moved to it and fit."""
    blocked: set[int] = set()
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        touched = group.touched
        union = touched.union(made.qubits)
        if (
            not group.controls
            and len(union) <= matrix_qubits_max
            and touched.isdisjoint(blocked)
            and not touched.isdisjoint(made.qubits)
        ):
            qubits = tuple(sorted(union))
            later = _expanded(made.matrix, made.qubits, qubits)
            if group.is_table:
                made = _Group(qubits, later * _spread(group.matrix, group.qubits, qubits))
            else:
                made = _Group(qubits, later @ _expanded(group.matrix, group.qubits, qubits))
            del groups[index]
            continue
        blocked |= touched
        if blocked.issuperset(made.qubits):
            break
    groups.append(made)


def _add_table(groups: list[_Group], made: _Group) -> None:
    """Multiply phases into a matrix that has all their qubits, or into another table, or append them."""
    own = frozenset(made.qubits)
    mate: _Group | None = None
    for group in reversed(groups):
        touched = group.touched
        if group.is_table:  # phases commute
            if mate is None and not group.controls and len(touched | own) <= TABLE_QUBITS_MAX:
                mate = group
            continue
        if not group.controls and own <= touched:
            group.matrix = _spread(made.matrix, made.qubits, group.qubits)[:, None] * group.matrix
            return
        if not own.isdisjoint(touched):
            break
    if mate is None:
        groups.append(made)
        return
    qubits = tuple(sorted(own.union(mate.qubits)))
    mate.matrix = _spread(mate.matrix, mate.qubits, qubits) * _spread(made.matrix, made.qubits, qubits)
    mate.qubits = qubits


def _ascending(qubits: Sequence[int], table: NDArray[np.complex128]) -> tuple[tuple[int, ...], Matrix]:
    ascending = tuple(sorted(qubits))
    inner, _ = _pattern(tuple(ascending.index(qubit) for qubit in qubits), len(ascending))
    return ascending, np.ascontiguousarray(table[inner])


def _spread(table: Matrix, qubits: tuple[int, ...], onto: tuple[int, ...]) -> Matrix:
    """A table of phases as one on more qubits."""
    inner, _ = _pattern(tuple(onto.index(qubit) for qubit in qubits), len(onto))
    return table[inner]


def _expanded(matrix: Matrix, qubits: tuple[int, ...], onto: tuple[int, ...]) -> Matrix:
    """A matrix as one on more qubits."""
    if qubits == onto:
        return matrix
    inner, outer = _pattern(tuple(onto.index(qubit) for qubit in qubits), len(onto))
    return np.where(outer[:, None] == outer[None, :], matrix[inner[:, None], inner[None, :]], 0)


@lru_cache(maxsize=4096)
def _pattern(places: tuple[int, ...], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each index of `width` bits: the number that the bits at `places` make, and the index without
    them."""
    index = np.arange(1 << width)
    inner = np.zeros_like(index)
    for position, place in enumerate(places):
        inner |= (index >> place & 1) << position
    return inner, index & ~sum(1 << place for place in places)
