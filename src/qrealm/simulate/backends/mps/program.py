"""From packed operations to what a chain of tensors can take: small matrices on one or two qubits, and
operators on more as a train of small tensors.

Single-qubit gates are multiplied into the next or last two-qubit gate, gates on the same pair into one, and
a SWAP only renames two qubits: each of these spares a decomposition, which is all that costs time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import matrices as m
from qrealm.circuits.gates import find_gate
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit

Matrix = NDArray[np.complex128]

RANK_TOLERANCE = 1e-14
"""Singular values of an operator below this share of its largest are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalOp:
    """A matrix on one or two qubits, the first one the low bit of an index."""

    qubits: tuple[int, ...]
    matrix: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class TrainOp:
    """A matrix (2^k, 2^k) on k targets, the first one the low bit, where all controls are 1."""

    controls: tuple[int, ...]
    targets: tuple[int, ...]
    matrix: Matrix

    @property
    def qubits(self) -> tuple[int, ...]:
        """Controls and targets."""
        return self.controls + self.targets


Op = LocalOp | TrainOp


@dataclass(frozen=True, slots=True, eq=False)
class ChainProgram:
    """Gates for a chain, in an order that may be changed wherever no qubit is shared.

    Attributes:
        num_qubits: qubits of the circuit.
        ops: what to apply.
        carrier: what began as qubit ``carrier[q]`` is qubit q at the end.
        phase: factor of the whole state.
    """

    num_qubits: int
    ops: tuple[Op, ...]
    carrier: tuple[int, ...]
    phase: complex


def prepare(packed: PackedCircuit) -> ChainProgram:
    """The gates of a packed circuit."""
    maker = _Maker(packed.num_qubits)
    offsets, param_offsets = packed.qubit_offsets.tolist(), packed.param_offsets.tolist()
    codes, held = packed.codes.tolist(), packed.num_controls.tolist()
    qubits, params = packed.qubits.tolist(), packed.params.tolist()
    for index, code in enumerate(codes):
        wires = qubits[offsets[index] : offsets[index + 1]]
        values = params[param_offsets[index] : param_offsets[index + 1]]
        matrix = packed.matrices[int(values[0])] if code == OpCode.MATRIX else _matrix(code, tuple(values))
        maker.add(code, wires[: held[index]], wires[held[index] :], matrix)
    return maker.finish()


@cache
def _functions() -> dict[int, Any]:
    return {op.value: find_gate(op.name.lower()).matrix for op in OpCode if op is not OpCode.MATRIX}


def _matrix(code: int, params: tuple[float, ...]) -> Matrix:
    found: Matrix = _functions()[code](*params)
    return found


class _Maker:
    """Collects and joins operations."""

    def __init__(self, num_qubits: int) -> None:
        self._num_qubits = num_qubits
        self._ops: list[Op | None] = []
        self._carrier = list(range(num_qubits))
        self._last = [-1] * num_qubits  # place in _ops of the last operation on each carrier
        self._waiting: dict[int, Matrix] = {}  # single-qubit gates with nothing before them
        self._phase = 1 + 0j

    def add(self, code: int, controls: list[int], targets: list[int], matrix: Matrix) -> None:
        if code == OpCode.GPHASE:
            if not controls:
                self._phase *= complex(matrix[0, 0])
                return
            # A phase under controls is a phase of the last of them, under the others.
            targets, controls = controls[-1:], controls[:-1]
            matrix = np.diag([1, complex(matrix[0, 0])])
        if code == OpCode.SWAP and not controls and not self._joins(targets):
            a, b = targets
            self._carrier[a], self._carrier[b] = self._carrier[b], self._carrier[a]
            return
        outer = tuple(self._carrier[q] for q in controls)
        inner = tuple(self._carrier[q] for q in targets)
        if len(outer) + len(inner) > 2:
            self._wide(TrainOp(outer, inner, matrix))
        elif len(outer) + len(inner) == 2:
            self._two(outer + inner, m.controlled(matrix, len(outer)))
        else:
            self._one(inner[0], matrix)

    def finish(self) -> ChainProgram:
        ops = [op for op in self._ops if op is not None]
        ops += [LocalOp((qubit,), matrix) for qubit, matrix in self._waiting.items()]
        return ChainProgram(self._num_qubits, tuple(ops), tuple(self._carrier), self._phase)

    def _joins(self, wires: list[int]) -> bool:
        """Whether the last operation on both wires is one on this pair alone."""
        a, b = (self._last[self._carrier[q]] for q in wires)
        return a == b >= 0 and isinstance(self._ops[a], LocalOp)

    def _one(self, qubit: int, matrix: Matrix) -> None:
        place = self._last[qubit]
        before = self._ops[place] if place >= 0 else None
        if isinstance(before, LocalOp):
            wide = (
                np.kron(m.identity(), matrix) if before.qubits[0] == qubit else np.kron(matrix, m.identity())
            )
            self._ops[place] = LocalOp(before.qubits, wide @ before.matrix)
        else:
            waiting = self._waiting.get(qubit)
            self._waiting[qubit] = matrix if waiting is None else matrix @ waiting

    def _two(self, qubits: tuple[int, ...], matrix: Matrix) -> None:
        low, high = qubits
        place = self._last[low]
        before = self._ops[place] if place >= 0 and place == self._last[high] else None
        if isinstance(before, LocalOp):
            self._ops[place] = LocalOp(before.qubits, turned(matrix, qubits != before.qubits) @ before.matrix)
            return
        if low in self._waiting or high in self._waiting:
            nothing = m.identity()
            matrix = matrix @ np.kron(self._waiting.pop(high, nothing), self._waiting.pop(low, nothing))
        self._append(LocalOp(qubits, matrix))

    def _wide(self, op: TrainOp) -> None:
        for qubit in op.qubits:
            if qubit in self._waiting:
                self._ops.append(LocalOp((qubit,), self._waiting.pop(qubit)))
        self._append(op)

    def _append(self, op: Op) -> None:
        for qubit in op.qubits:
            self._last[qubit] = len(self._ops)
        self._ops.append(op)


def turned(matrix: Matrix, other_way: bool) -> Matrix:
    """A two-qubit matrix with its qubits exchanged, if so asked."""
    if not other_way:
        return matrix
    order = [0, 2, 1, 3]
    return matrix[np.ix_(order, order)]


def operator_rank(matrix: Matrix) -> int:
    """Schmidt rank of a two-qubit matrix: the bond that it adds between its qubits."""
    parts = matrix.reshape(2, 2, 2, 2).transpose(1, 3, 0, 2).reshape(4, 4)
    values = np.linalg.svd(parts, compute_uv=False)
    return int(np.count_nonzero(values > RANK_TOLERANCE * values[0]))


def matrix_train(matrix: Matrix, order: list[int]) -> list[Matrix]:
    """The matrix as a train of tensors (left bond, out, in, right bond), one for each qubit of it.

    Args:
        matrix: (2^k, 2^k), qubit 0 the low bit.
        order: its qubits from the train's left end to the right.
    """
    count = len(order)
    # Axis of qubit i in the reshaped matrix: the low bit comes last.
    axes = [axis for q in order for axis in (count - 1 - q, 2 * count - 1 - q)]
    rest = matrix.reshape((2,) * (2 * count)).transpose(axes).reshape(1, -1)
    return _train(rest, [4] * count, (2, 2))


def vector_train(amplitudes: Matrix, order: list[int]) -> list[Matrix]:
    """Amplitudes (2^k,) as a train of tensors (left bond, bit, right bond); arguments as `matrix_train`."""
    count = len(order)
    rest = amplitudes.reshape((2,) * count).transpose([count - 1 - q for q in order]).reshape(1, -1)
    return _train(rest, [2] * count, (2,))


def _train(rest: Matrix, sizes: list[int], shape: tuple[int, ...]) -> list[Matrix]:
    cores: list[Matrix] = []
    for size in sizes[:-1]:
        bond = rest.shape[0]
        u, s, vh = np.linalg.svd(rest.reshape(bond * size, -1), full_matrices=False)
        kept = max(1, int(np.count_nonzero(s > RANK_TOLERANCE * s[0]))) if s[0] > 0 else 1
        cores.append(u[:, :kept].reshape(bond, *shape, kept))
        rest = s[:kept, None] * vh[:kept]
    cores.append(rest.reshape(rest.shape[0], *shape, 1))
    return cores
