"""`DenseSimulator`: the whole state in a NumPy array, one op after another, nothing fused, nothing skipped.

Qubit q is bit q of a basis index. The state of n qubits is a tensor with n axes of length 2; because
NumPy's last axis runs fastest, qubit q is axis n - 1 - q.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .ops import MATRIX, OP_BY_CODE, PAULIS, Matrix


class Packed(Protocol):
    """What the kernel is given: flat op arrays. `qrealm.circuits.pack.PackedCircuit` has this shape."""

    @property
    def num_qubits(self) -> int: ...
    @property
    def codes(self) -> NDArray[np.uint8]: ...
    @property
    def num_controls(self) -> NDArray[np.uint8]: ...
    @property
    def qubit_offsets(self) -> NDArray[np.int32]: ...
    @property
    def qubits(self) -> NDArray[np.int32]: ...
    @property
    def param_offsets(self) -> NDArray[np.int32]: ...
    @property
    def params(self) -> NDArray[np.float64]: ...
    @property
    def matrices(self) -> tuple[Matrix, ...]: ...


@dataclass(frozen=True)
class Op:
    """One op unpacked: `matrix` (2^k, 2^k) on `targets` (k qubits, the first is the low bit), under
    `controls`."""

    name: str
    controls: tuple[int, ...]
    targets: tuple[int, ...]
    matrix: Matrix


def unpack(circuit: Packed) -> Iterator[Op]:
    """The ops of a packed circuit in order, each with its matrix."""
    for index, code in enumerate(circuit.codes):
        kind = OP_BY_CODE[int(code)]
        qubits = [
            int(q) for q in circuit.qubits[circuit.qubit_offsets[index] : circuit.qubit_offsets[index + 1]]
        ]
        params = [
            float(p) for p in circuit.params[circuit.param_offsets[index] : circuit.param_offsets[index + 1]]
        ]
        controls = int(circuit.num_controls[index])
        if kind.code == MATRIX:
            matrix = circuit.matrices[int(params[0])]
        else:
            assert kind.matrix is not None
            matrix = kind.matrix(*params)
        targets = tuple(qubits[controls:])
        assert matrix.shape == (2 ** len(targets),) * 2, (
            f"{kind.name} on {targets} with a {matrix.shape} matrix"
        )
        yield Op(kind.name, tuple(qubits[:controls]), targets, matrix)


class DenseSimulator:
    """The state vector of `num_qubits` qubits in complex128, |0…0⟩ at first. Meant for up to 14 qubits."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.state: NDArray[np.complex128] = np.zeros(2**num_qubits, dtype=complex)
        self.state[0] = 1

    @classmethod
    def run(cls, circuit: Packed) -> DenseSimulator:
        """Evolve |0…0⟩ through a whole circuit."""
        simulator = cls(circuit.num_qubits)
        simulator.apply(circuit)
        return simulator

    def apply(self, circuit: Packed) -> None:
        """Apply every op of `circuit`."""
        for op in unpack(circuit):
            self.apply_op(op)

    def apply_op(self, op: Op) -> None:
        """Apply one op: take the part where all controls are 1, multiply the target axes by the matrix."""
        qubits = op.controls + op.targets
        assert len(set(qubits)) == len(qubits), f"an op names a qubit twice: {qubits}"
        tensor = self.state.reshape((2,) * self.num_qubits)
        part = tuple(
            1 if self._qubit(axis) in op.controls else slice(None) for axis in range(self.num_qubits)
        )
        remaining = [
            self._qubit(axis) for axis in range(self.num_qubits) if self._qubit(axis) not in op.controls
        ]
        # The last index of a reshaped matrix is its low bit, so targets go highest first.
        target_axes = [remaining.index(q) for q in reversed(op.targets)]
        k = len(op.targets)
        product = np.tensordot(
            op.matrix.reshape((2,) * (2 * k)), tensor[part], axes=(range(k, 2 * k), target_axes)
        )
        tensor[part] = np.moveaxis(product, range(k), target_axes)

    def probabilities(self, qubits: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Probabilities (2^k,) of the joint outcomes of `qubits`, `qubits[0]` the low bit; of all qubits if
        None."""
        chosen = range(self.num_qubits) if qubits is None else qubits
        result = np.zeros(2 ** len(chosen))
        for index, amplitude in enumerate(self.state):
            outcome = sum(((index >> q) & 1) << bit for bit, q in enumerate(chosen))
            result[outcome] += abs(amplitude) ** 2
        return result

    def expectation(self, paulis: dict[int, str]) -> float:
        """⟨ψ|P|ψ⟩ of the Pauli string that has `paulis[q]` ("X", "Y" or "Z") on qubit q, identity
        elsewhere."""
        other = DenseSimulator(self.num_qubits)
        other.state = self.state.copy()
        for qubit, name in paulis.items():
            other.apply_op(Op(name, (), (qubit,), PAULIS[name]))
        return float(np.vdot(self.state, other.state).real)

    def _qubit(self, axis: int) -> int:
        return self.num_qubits - 1 - axis


def full_matrix(op: Op, num_qubits: int) -> Matrix:
    """The (2^n, 2^n) matrix of one op, entry by entry: the definition, and the reference's own reference."""
    size = 2**num_qubits
    result = np.zeros((size, size), dtype=complex)
    target_mask = sum(1 << q for q in op.targets)
    for column in range(size):
        if not all((column >> q) & 1 for q in op.controls):
            result[column, column] = 1
            continue
        low = sum(((column >> q) & 1) << bit for bit, q in enumerate(op.targets))
        for row in range(2 ** len(op.targets)):
            spread = sum(((row >> bit) & 1) << q for bit, q in enumerate(op.targets))
            result[(column & ~target_mask) | spread, column] = op.matrix[row, low]
    return result
