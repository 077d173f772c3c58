"""Circuits as networks: one small tensor for each gate, a shared label where one gate's output is another's
input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.backends.mps.program import ChainProgram, LocalOp, Op, TrainOp, matrix_train
from qrealm.simulate.backends.mps.train import gate_train

Array = NDArray[Any]
Labels = tuple[int, ...]

_PAULIS = {
    1: np.array([[0, 1], [1, 0]], dtype=np.complex128),
    2: np.array([[1, 0], [0, -1]], dtype=np.complex128),
    3: np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A network to contract.

    Attributes:
        inputs: labels of each tensor's axes; every axis has length 2, or as long as its tensor says.
        arrays: the tensors.
        output: labels that stay open, in the order of the result's axes.
        factor: what the result is multiplied by.
    """

    inputs: tuple[Labels, ...]
    arrays: tuple[Array, ...]
    output: Labels
    factor: complex

    @property
    def sizes(self) -> dict[int, int]:
        """Length of each label's axes."""
        return {
            label: size
            for labels, array in zip(self.inputs, self.arrays, strict=True)
            for label, size in zip(labels, array.shape, strict=True)
        }


class Network:
    """The state that gates make from |0...0>, not contracted.

    A qubit's first gate is cut down to its column for |0>, so that no tensors are needed for the beginning.

    Args:
        program: the gates.
    """

    def __init__(self, program: ChainProgram) -> None:
        self._labels: list[list[int]] = []
        self._arrays: list[Array] = []
        # (tensor, axis) that each qubit's last gate left open; None while it is |0>.
        self._ends: list[tuple[int, int] | None] = [None] * program.num_qubits
        self._factor = program.phase
        self._next = 0
        for op in program.ops:
            self._apply(op)
        self._ends = [self._ends[carrier] for carrier in program.carrier]

    def __len__(self) -> int:
        return len(self._arrays)

    # ---- what is asked of it ---------------------------------------------------------------------

    def amplitude(self, index: int) -> Problem:
        """<index|state>: networks of different indices have the same labels."""
        cuts: dict[int, dict[int, int]] = {}
        factor = self._factor
        for qubit, end in enumerate(self._ends):
            bit = (index >> qubit) & 1
            if end is not None:
                cuts.setdefault(end[0], {})[end[1]] = bit
            elif bit:
                factor = 0j
        inputs, arrays = [], []
        for number, (labels, array) in enumerate(zip(self._labels, self._arrays, strict=True)):
            cut = cuts.get(number, {})
            inputs.append(tuple(label for axis, label in enumerate(labels) if axis not in cut))
            arrays.append(array[tuple(cut.get(axis, slice(None)) for axis in range(array.ndim))])
        return Problem(tuple(inputs), tuple(arrays), (), factor)

    def state(self, qubits: Sequence[int]) -> Problem:
        """All amplitudes of some qubits that no gate joins to others; the first one is the last axis."""
        inputs, arrays = [tuple(each) for each in self._labels], list(self._arrays)
        output: list[int] = []
        for qubit in reversed(qubits):
            label = self._open_label(qubit)
            if label is None:
                label = self._new()
                inputs.append((label,))
                arrays.append(np.array([1, 0], dtype=np.complex128))
            output.append(label)
        wanted = self._joined(set(output), inputs)
        return Problem(
            tuple(inputs[i] for i in wanted), tuple(arrays[i] for i in wanted), tuple(output), self._factor
        )

    def value(self, letters: Mapping[int, int]) -> Problem:
        """<state|P|state>; `letters` has 1 for X, 2 for Z and 3 for Y by qubit."""
        count = self._next
        inputs = [tuple(each) for each in self._labels]
        renamed = {}  # of the second copy: labels of qubits that no letter stands on are shared
        factor = 1 + 0j
        for qubit in range(len(self._ends)):
            label, letter = self._open_label(qubit), letters.get(qubit, 0)
            if label is None:
                factor = 0j if letter in (1, 3) else factor
            elif not letter:
                renamed[label + count] = label
        arrays = list(self._arrays)
        for labels, array in zip(self._labels, self._arrays, strict=True):
            inputs.append(tuple(renamed.get(label + count, label + count) for label in labels))
            arrays.append(array.conj())
        for qubit, letter in letters.items():
            label = self._open_label(qubit)
            if label is not None:
                inputs.append((label + count, label))
                arrays.append(_PAULIS[letter])
        return Problem(tuple(inputs), tuple(arrays), (), factor)

    # ---- inside ----------------------------------------------------------------------------------

    def _apply(self, op: Op) -> None:
        if isinstance(op, TrainOp):
            train = gate_train(op, list(range(len(self._ends))))
            self._chain(train.sites, train.cores)
        elif len(op.qubits) == 1:
            self._append(op.matrix, [("out", op.qubits[0]), ("in", op.qubits[0])])
        else:
            self._pair(op)

    def _pair(self, op: LocalOp) -> None:
        """A gate on two qubits: in two parts where one label between them says it all."""
        cores = matrix_train(op.matrix, [0, 1])
        if cores[0].shape[3] < 4:
            self._chain(op.qubits, cores)
            return
        first, second = op.qubits
        axes = [("out", second), ("out", first), ("in", second), ("in", first)]
        self._append(op.matrix.reshape(2, 2, 2, 2), axes)

    def _chain(self, qubits: Sequence[int], cores: Sequence[Array]) -> None:
        """Tensors (left bond, out, in, right bond), each joined to the next."""
        bond = self._new()
        for place, (qubit, core) in enumerate(zip(qubits, cores, strict=True)):
            axes: list[tuple[str, int]] = [("out", qubit), ("in", qubit)]
            array = core
            if place == 0:
                array = array[0]
            else:
                axes = [("bond", bond), *axes]
                bond = self._new()
            if place == len(cores) - 1:
                array = array[..., 0]
            else:
                axes.append(("bond", bond))
            self._append(array, axes)

    def _append(self, array: Array, axes: Sequence[tuple[str, int]]) -> None:
        """A tensor whose axes are a qubit's new end, its old one, or a label of their own."""
        fresh = [kind == "in" and self._ends[at] is None for kind, at in axes]
        array = array[tuple(0 if each else slice(None) for each in fresh)]
        kept = [axis for axis, each in zip(axes, fresh, strict=True) if not each]
        before = {at: self._open_label(at) for kind, at in kept if kind == "in"}
        labels: list[int] = []
        for place, (kind, at) in enumerate(kept):
            if kind == "out":
                label = self._new()
                self._ends[at] = (len(self._arrays), place)
            else:
                label = at if kind == "bond" else int(before[at] or 0)
            labels.append(label)
        self._labels.append(labels)
        self._arrays.append(array)

    def _open_label(self, qubit: int) -> int | None:
        end = self._ends[qubit]
        return None if end is None else self._labels[end[0]][end[1]]

    def _joined(self, labels: set[int], inputs: Sequence[Labels]) -> list[int]:
        """Tensors that hang together with some labels."""
        holders: dict[int, list[int]] = {}
        for number, each in enumerate(inputs):
            for label in each:
                holders.setdefault(label, []).append(number)
        found: set[int] = set()
        waiting = sorted(labels)
        while waiting:
            for number in holders.get(waiting.pop(), []):
                if number not in found:
                    found.add(number)
                    waiting += inputs[number]
        return sorted(found)

    def _new(self) -> int:
        self._next += 1
        return self._next - 1
