"""Kernel operations as matrices, with their derivatives by each parameter."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import matrices as m
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit

Matrix = NDArray[np.complex128]

_FIXED: dict[int, Matrix] = {
    OpCode.X: m.x(), OpCode.Y: m.y(), OpCode.Z: m.z(), OpCode.H: m.h(), OpCode.S: m.s(),
    OpCode.SDG: m.sdg(), OpCode.T: m.t(), OpCode.TDG: m.tdg(), OpCode.SX: m.sx(), OpCode.SXDG: m.sxdg(),
    OpCode.SWAP: m.swap(), OpCode.ISWAP: m.iswap(),
}  # fmt: skip
_ANGLED: dict[int, Callable[..., Matrix]] = {
    OpCode.GPHASE: m.gphase, OpCode.RX: m.rx, OpCode.RY: m.ry, OpCode.RZ: m.rz, OpCode.P: m.p, OpCode.U: m.u,
    OpCode.RXX: m.rxx, OpCode.RYY: m.ryy, OpCode.RZZ: m.rzz, OpCode.RZX: m.rzx,
}  # fmt: skip
_GENERATORS: dict[int, Matrix] = {
    OpCode.RX: m.pauli_string("X"), OpCode.RY: m.pauli_string("Y"), OpCode.RZ: m.pauli_string("Z"),
    OpCode.RXX: m.pauli_string("XX"), OpCode.RYY: m.pauli_string("YY"), OpCode.RZZ: m.pauli_string("ZZ"),
    OpCode.RZX: m.pauli_string("ZX"),
}  # fmt: skip
_DIAGONAL = {
    OpCode.GPHASE, OpCode.Z, OpCode.S, OpCode.SDG, OpCode.T, OpCode.TDG, OpCode.RZ, OpCode.P, OpCode.RZZ,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation.

    Attributes:
        controls: qubits that must all be 1.
        targets: qubits of the matrix, the first one least significant; none for a phase.
        matrix: shape (2^k, 2^k) for k targets.
        diagonal: whether the matrix is diagonal.
        code: the kernel's operation code.
        params: its parameters.
        first_param: where they stand in the packed parameters.
    """

    controls: tuple[int, ...]
    targets: tuple[int, ...]
    matrix: Matrix
    diagonal: bool
    code: int = -1
    params: tuple[float, ...] = ()
    first_param: int = 0

    def dagger(self) -> Op:
        """The inverse."""
        return Op(self.controls, self.targets, self.matrix.conj().T, self.diagonal)


def operations(packed: PackedCircuit) -> Iterator[Op]:
    """The operations of a packed circuit, in order."""
    starts, places = packed.qubit_offsets.tolist(), packed.param_offsets.tolist()
    qubits, params = packed.qubits.tolist(), packed.params.tolist()
    controls = packed.num_controls.tolist()
    for index, code in enumerate(packed.codes.tolist()):
        lines = tuple(qubits[starts[index] : starts[index + 1]])
        values = tuple(params[places[index] : places[index + 1]])
        split = controls[index]
        if code == OpCode.MATRIX:
            matrix: Matrix = packed.matrices[int(values[0])]
            diagonal = not np.any(matrix[~np.eye(len(matrix), dtype=bool)])
        else:
            fixed = _FIXED.get(code)
            matrix = _ANGLED[code](*values) if fixed is None else fixed
            diagonal = code in _DIAGONAL
        yield Op(lines[:split], lines[split:], matrix, diagonal, code, values, places[index])


def derivatives(op: Op) -> tuple[Matrix, ...]:
    """The derivative of the matrix by each parameter; none for operations without angles."""
    generator = _GENERATORS.get(op.code)
    if generator is not None:
        return (-0.5j * generator @ op.matrix,)
    if op.code == OpCode.GPHASE:
        return (1j * op.matrix,)
    if op.code == OpCode.P:
        return (np.diag([0, 1j * cmath.exp(1j * op.params[0])]),)
    if op.code == OpCode.U:
        theta, phi, lam = op.params
        cos, sin = math.cos(theta / 2) / 2, math.sin(theta / 2) / 2
        left, right = cmath.exp(1j * phi), cmath.exp(1j * lam)
        by_theta = np.array([[-sin, -right * cos], [left * cos, -left * right * sin]])
        by_phi = np.diag([0, 1j]) @ op.matrix
        by_lam = op.matrix @ np.diag([0, 1j])
        return by_theta, by_phi, by_lam
    return ()
