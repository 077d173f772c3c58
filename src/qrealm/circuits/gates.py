"""What a gate is, and how to find one. The rows themselves are in gate_rows.py."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qrealm.base.errors import MatrixError, UnknownGateError
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.matrices import ComplexMatrix, controlled

Params = tuple[Any, ...]
"""Parameters of a gate: floats, or expressions that are bound later; for `unitary` one `Matrix`."""

UNITARY_TOLERANCE = 1e-8
"""Largest entry of |U†U - 1| that passes: matrices typed with 8 digits pass, single-precision noise too."""


@dataclass(frozen=True, slots=True)
class LoweredOp:
    """One kernel operation of a gate.

    Attributes:
        code: the kernel's code.
        targets: positions among the gate's targets.
        params: parameters of the operation, computed from the gate's.
        inner: positions among the gate's targets that act as further controls.
        free: whether the gate's own controls may be left off, because the operation and its
            partner cancel wherever the part between them does not act.
    """

    code: int
    targets: tuple[int, ...]
    params: Params = ()
    inner: tuple[int, ...] = ()
    free: bool = False


@dataclass(frozen=True, slots=True)
class Rotation:
    """One factor exp(-i · coefficient · parameter · Pauli) of a gate, acting under the gate's controls.

    Attributes:
        parameter: which parameter; None for a constant factor (parameter = 1).
        coefficient: the real factor.
        pauli: letter i acts on target i; only I's make it a phase.
    """

    parameter: int | None
    coefficient: float
    pauli: str


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """A row of the gate table. Compared by identity: there is one object per gate.

    Qubits are given controls first, then targets. More qubits than `controls + targets` are allowed where
    a circuit adds controls: the leading ones are then controls.

    Attributes:
        name: what circuits, counts and writers call it.
        help: one line.
        targets: number of target qubits.
        matrix: from the parameters to the (2^targets, 2^targets) matrix on the targets.
        controls: number of control qubits.
        params: names of the parameters.
        aliases: other names, matched without regard to case.
        variadic: whether `controls` is only the least number of controls.
        code: the kernel operation that it is, or -1 when `lower` says how.
        to_op: from the gate's parameters to the operation's, where they differ.
        lower: from the parameters to kernel operations in the order of application.
        inverse: name of the inverse gate, or None: the conjugate transpose as a `unitary`.
        inverse_params: from the parameters to the inverse's.
        inverse_order: positions of the targets in the inverse, when their order changes.
        diagonal: whether the matrix is diagonal for all parameters.
        rotations: Pauli-rotation form in the order of application; empty when there is none.
        scales: whether the k-th power multiplies every parameter by k (k any real number).
    """

    name: str
    help: str
    targets: int
    matrix: Callable[..., ComplexMatrix]
    controls: int = 0
    params: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    variadic: bool = False
    code: int = -1
    to_op: Callable[..., Params] | None = None
    lower: Callable[..., tuple[LoweredOp, ...]] | None = None
    inverse: str | None = None
    inverse_params: Callable[..., Params] | None = None
    inverse_order: tuple[int, ...] | None = None
    diagonal: bool = False
    rotations: tuple[Rotation, ...] = ()
    scales: bool = False

    def __repr__(self) -> str:
        return f"<gate {self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (find_gate, (self.name,))

    @property
    def num_qubits(self) -> int:
        """Controls and targets, without extra controls."""
        return self.controls + self.targets

    @property
    def num_params(self) -> int:
        """Number of parameters."""
        return len(self.params)

    def lowered(self, params: Params) -> tuple[LoweredOp, ...]:
        """Kernel operations that apply the gate, in order. Parameters may be expressions.

        Not for `unitary`, whose operation needs the index of its matrix: `pack` makes that one.
        """
        if self.lower is not None:
            return self.lower(*params)
        op_params = self.to_op(*params) if self.to_op is not None else params
        return (LoweredOp(self.code, tuple(range(self.targets)), op_params),)

    def full_matrix(self, params: Sequence[float] = (), controls: int | None = None) -> ComplexMatrix:
        """Matrix on controls (least significant bits) and targets, complex128, controls included.

        Args:
            params: the parameters, numbers.
            controls: number of controls; the gate's own when None.
        """
        return controlled(self.matrix(*params), self.controls if controls is None else controls)


class Matrix:
    """A unitary matrix as a gate's parameter: read-only, compared by its entries.

    Args:
        array: shape (2^k, 2^k) with k from 1 to 6; copied to C-contiguous complex128.

    Raises:
        MatrixError: wrong shape, entries that are not finite, or not unitary within
            `UNITARY_TOLERANCE` in any entry of U†U.
    """

    __slots__ = ("_hash", "array")

    def __init__(self, array: object) -> None:
        try:
            matrix = np.array(array, dtype=np.complex128, order="C")
        except (TypeError, ValueError, OverflowError) as problem:
            raise MatrixError(f"a unitary needs a square array of numbers: {problem}") from None
        size = len(matrix) if matrix.ndim == 2 else 0
        if (
            matrix.ndim != 2
            or matrix.shape[1] != size
            or size & (size - 1)
            or not 2 <= size <= 1 << MATRIX_QUBITS_MAX
        ):
            raise MatrixError(
                f"a unitary got an array of shape {matrix.shape}; the rule is (2^k, 2^k) for k qubits, "
                f"k from 1 to {MATRIX_QUBITS_MAX}",
                hint="split a larger matrix into gates",
            )
        with np.errstate(all="ignore"):
            error = float(np.abs(matrix.conj().T @ matrix - np.eye(size)).max())
        if not error <= UNITARY_TOLERANCE:  # written so that NaN fails too
            raise MatrixError(
                f"the matrix is not unitary: U†U differs from the identity by {error:.3g}; the rule is "
                f"at most {UNITARY_TOLERANCE:g}",
                hint="check its entries; normalise with scipy.linalg.polar",
            )
        matrix.setflags(write=False)
        self.array = matrix
        self._hash = hash(matrix.tobytes())

    @property
    def num_qubits(self) -> int:
        """Number of qubits that it acts on."""
        return len(self.array).bit_length() - 1

    def dagger(self) -> Matrix:
        """The inverse."""
        return Matrix(self.array.conj().T)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matrix) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Matrix({self.num_qubits} qubits, {self._hash & 0xFFFFFFFF:08x})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Matrix, (np.array(self.array),))


_BY_NAME: dict[str, Gate] = {}


def find_gate(name: object) -> Gate:
    """The gate of this name or alias, without regard to case.

    Raises:
        UnknownGateError: there is none; the message suggests close names.
    """
    gate = _BY_NAME.get(name) if isinstance(name, str) else None
    if gate is None:
        gate = _BY_NAME.get(name.strip().lower()) if isinstance(name, str) else None
        if gate is None:
            raise unknown_gate(name)
    return gate


def unknown_gate(name: object) -> UnknownGateError:
    """The error for a name that is not in the table, with the closest names that are."""
    text = name if isinstance(name, str) else repr(name)
    text = text if len(text) <= 40 else text[:37] + "..."
    close = difflib.get_close_matches(text.lower(), _BY_NAME, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(close)}?"
        if close
        else "the gates are listed in qrealm.circuits.gate_rows; use unitary for a matrix of your own"
    )
    return UnknownGateError(f"there is no gate called {text!r}", hint=hint)


def register(rows: Sequence[Gate]) -> None:
    """Enters rows into the look-up. Called once, by gate_rows.py.

    Raises:
        ValueError: two rows share a name or an alias.
    """
    for row in rows:
        for name in (row.name, *row.aliases):
            if _BY_NAME.setdefault(name.lower(), row) is not row:
                raise ValueError(f"gate name {name!r} stands in two rows")
