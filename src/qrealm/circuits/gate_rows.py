"""The gate table: OpenQASM 3's stdgates, Qiskit's standard library, Cirq's and IonQ's gates.

Adding a gate: one row here, its matrix in matrices.py, and `make docs-check` for the builder method.
Readers, writers, packing, drawing and tests walk this table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qrealm.circuits import lower
from qrealm.circuits import matrices as m
from qrealm.circuits.gates import Gate, LoweredOp, Params, Rotation, find_gate, register
from qrealm.circuits.kernel_ops import OpCode as K

_HALF_PI = math.pi / 2
_TURN = 2 * math.pi


def _negate(*params: Any) -> Params:
    return tuple(-value for value in params)


def _keep_axis(theta: Any, axis: Any) -> Params:
    return (-theta, axis)


def _u_inverse(theta: Any, phi: Any, lam: Any) -> Params:
    return (-theta, -lam, -phi)


def _pauli(letters: str, coefficient: float = 0.5) -> tuple[Rotation, ...]:
    return (Rotation(0, coefficient, letters),)


_PHASE = (Rotation(0, -0.5, "I"), Rotation(0, 0.5, "Z"))
_U = (
    Rotation(1, -0.5, "I"),
    Rotation(2, -0.5, "I"),
    Rotation(2, 0.5, "Z"),
    Rotation(0, 0.5, "Y"),
    Rotation(1, 0.5, "Z"),
)
_U2 = (
    Rotation(0, -0.5, "I"),
    Rotation(1, -0.5, "I"),
    Rotation(1, 0.5, "Z"),
    Rotation(None, math.pi / 4, "Y"),
    Rotation(0, 0.5, "Z"),
)
_ABOUT_PHI = (Rotation(1, -0.5, "Z"), Rotation(0, 0.5, "X"), Rotation(1, 0.5, "Z"))
_GPI = (
    Rotation(0, -math.pi, "Z"),
    Rotation(None, -_HALF_PI, "I"),
    Rotation(None, _HALF_PI, "X"),
    Rotation(0, math.pi, "Z"),
)
_GPI2 = (Rotation(0, -math.pi, "Z"), Rotation(None, math.pi / 4, "X"), Rotation(0, math.pi, "Z"))
_MS = (
    Rotation(0, -math.pi, "ZI"),
    Rotation(1, -math.pi, "IZ"),
    Rotation(2, math.pi, "XX"),
    Rotation(0, math.pi, "ZI"),
    Rotation(1, math.pi, "IZ"),
)


def _xy_rotations(sign: float) -> tuple[Rotation, ...]:
    return (
        Rotation(1, 0.5 * sign, "ZI"),
        Rotation(0, 0.25, "XX"),
        Rotation(0, 0.25 * sign, "YY"),
        Rotation(1, -0.5 * sign, "ZI"),
    )


def _u_about(theta: Any, phi: Any) -> Params:
    return (theta, phi - _HALF_PI, -phi + _HALF_PI)


def _turns(theta: Any) -> Params:
    return (theta * _TURN,)


def _unitary_matrix(matrix: Any) -> m.ComplexMatrix:
    return matrix.array  # type: ignore[no-any-return]


def _controlled(
    name: str,
    base: Gate,
    controls: int,
    help_text: str,
    *aliases: str,
    variadic: bool = False,
    inverse: str | None = None,
) -> Gate:
    """The row of `base` under controls: everything but the names follows from `base`."""
    return Gate(
        name,
        help_text,
        base.targets,
        base.matrix,
        controls=controls,
        params=base.params,
        aliases=aliases,
        variadic=variadic,
        code=base.code,
        to_op=base.to_op,
        lower=base.lower,
        inverse=inverse or (name if base.inverse == base.name else base.inverse),
        inverse_params=base.inverse_params,
        inverse_order=base.inverse_order,
        diagonal=base.diagonal,
        rotations=base.rotations,
        scales=base.scales,
    )


def _turned(
    name: str,
    help_text: str,
    code: int,
    matrix: Callable[..., m.ComplexMatrix],
    letters: str,
    *aliases: str,
    params: tuple[str, ...] = ("theta",),
) -> Gate:
    """A rotation exp(-iθ/2 P) that the kernel knows."""
    return Gate(
        name,
        help_text,
        len(letters),
        matrix,
        params=params,
        aliases=aliases,
        code=code,
        inverse=name,
        inverse_params=_negate,
        diagonal=set(letters) <= {"Z", "I"},
        rotations=_pauli(letters),
        scales=True,
    )


_ONE_QUBIT = (
    Gate(
        "id",
        "Identity: does nothing.",
        1,
        m.identity,
        aliases=("i", "identity", "nop"),
        lower=lambda: (),
        inverse="id",
        diagonal=True,
    ),
    Gate("x", "Pauli X: bit flip.", 1, m.x, aliases=("not", "paulix", "pauli_x"), code=K.X, inverse="x"),
    Gate("y", "Pauli Y.", 1, m.y, aliases=("pauliy", "pauli_y"), code=K.Y, inverse="y"),
    Gate(
        "z",
        "Pauli Z: phase flip.",
        1,
        m.z,
        aliases=("pauliz", "pauli_z"),
        code=K.Z,
        inverse="z",
        diagonal=True,
    ),
    Gate("h", "Hadamard.", 1, m.h, aliases=("hadamard",), code=K.H, inverse="h"),
    Gate("s", "Square root of Z: diag(1, i).", 1, m.s, code=K.S, inverse="sdg", diagonal=True),
    Gate(
        "sdg",
        "Inverse of S.",
        1,
        m.sdg,
        aliases=("si", "s_dagger", "sdag"),
        code=K.SDG,
        inverse="s",
        diagonal=True,
    ),
    Gate("t", "Fourth root of Z.", 1, m.t, code=K.T, inverse="tdg", diagonal=True),
    Gate(
        "tdg",
        "Inverse of T.",
        1,
        m.tdg,
        aliases=("ti", "t_dagger", "tdag"),
        code=K.TDG,
        inverse="t",
        diagonal=True,
    ),
    Gate("sx", "Square root of X.", 1, m.sx, aliases=("v", "sqrtx"), code=K.SX, inverse="sxdg"),
    Gate("sxdg", "Inverse of SX.", 1, m.sxdg, aliases=("vi", "vdg", "sxdag"), code=K.SXDG, inverse="sx"),
    Gate(
        "sy",
        "Square root of Y.",
        1,
        m.sy,
        aliases=("sqrty",),
        inverse="sydg",
        lower=lambda: (LoweredOp(K.GPHASE, (), (math.pi / 4,)), LoweredOp(K.RY, (0,), (_HALF_PI,))),
    ),
    Gate(
        "sydg",
        "Inverse of SY.",
        1,
        m.sydg,
        inverse="sy",
        lower=lambda: (LoweredOp(K.GPHASE, (), (-math.pi / 4,)), LoweredOp(K.RY, (0,), (-_HALF_PI,))),
    ),
    _turned("rx", "Rotation about X by theta.", K.RX, m.rx, "X"),
    _turned("ry", "Rotation about Y by theta.", K.RY, m.ry, "Y"),
    _turned(
        "rz", "Rotation about Z by phi: diag(e^(-i phi/2), e^(i phi/2)).", K.RZ, m.rz, "Z", params=("phi",)
    ),
    Gate(
        "p",
        "Phase: diag(1, e^(i lam)).",
        1,
        m.p,
        params=("lam",),
        aliases=("phase", "phaseshift", "u1"),
        code=K.P,
        inverse="p",
        inverse_params=_negate,
        diagonal=True,
        rotations=_PHASE,
        scales=True,
    ),
    Gate(
        "u",
        "Any rotation, as OpenQASM 3's U.",
        1,
        m.u,
        params=("theta", "phi", "lam"),
        aliases=("u3",),
        code=K.U,
        inverse="u",
        inverse_params=_u_inverse,
        rotations=_U,
    ),
    Gate(
        "u2",
        "U(pi/2, phi, lam).",
        1,
        m.u2,
        params=("phi", "lam"),
        code=K.U,
        to_op=lambda phi, lam: (_HALF_PI, phi, lam),
        inverse="u",
        inverse_params=lambda phi, lam: (-_HALF_PI, -lam, -phi),
        rotations=_U2,
    ),
    Gate(
        "r",
        "Rotation by theta about cos(phi) X + sin(phi) Y.",
        1,
        m.r,
        params=("theta", "phi"),
        aliases=("prx", "phasedx"),
        code=K.U,
        to_op=_u_about,
        inverse="r",
        inverse_params=_keep_axis,
        rotations=_ABOUT_PHI,
    ),
    Gate(
        "rv",
        "Rotation by |v| about v = (vx, vy, vz).",
        1,
        m.rv,
        params=("vx", "vy", "vz"),
        lower=lower.rv,
        inverse="rv",
        inverse_params=_negate,
        scales=True,
    ),
)

_TWO_QUBIT = (
    Gate("swap", "Swaps two qubits.", 2, m.swap, code=K.SWAP, inverse="swap"),
    Gate(
        "iswap",
        "Swaps two qubits with a phase i.",
        2,
        m.iswap,
        aliases=("i_swap",),
        code=K.ISWAP,
        inverse="iswapdg",
    ),
    Gate(
        "iswapdg", "Inverse of iSWAP.", 2, m.iswapdg, inverse="iswap", lower=lambda: lower.plus(math.pi, 0.0)
    ),
    Gate(
        "siswap",
        "Square root of iSWAP.",
        2,
        m.siswap,
        aliases=("sqisw", "sqrtiswap", "sqrt_iswap"),
        inverse="siswapdg",
        lower=lambda: lower.plus(-_HALF_PI, 0.0),
    ),
    Gate(
        "siswapdg",
        "Inverse of the square root of iSWAP.",
        2,
        m.siswapdg,
        inverse="siswap",
        lower=lambda: lower.plus(_HALF_PI, 0.0),
    ),
    Gate(
        "dcx",
        "CX one way, then CX the other.",
        2,
        m.dcx,
        lower=lower.dcx,
        inverse="dcx",
        inverse_order=(1, 0),
    ),
    Gate("ecr", "Echoed cross-resonance: (IX - XY)/sqrt(2).", 2, m.ecr, lower=lower.ecr, inverse="ecr"),
    _turned("rxx", "exp(-i theta/2 XX).", K.RXX, m.rxx, "XX", "isingxx", "xx"),
    _turned("ryy", "exp(-i theta/2 YY).", K.RYY, m.ryy, "YY", "isingyy", "yy"),
    _turned("rzz", "exp(-i theta/2 ZZ).", K.RZZ, m.rzz, "ZZ", "isingzz"),
    _turned("rzx", "exp(-i theta/2 ZX): Z on the first qubit, X on the second.", K.RZX, m.rzx, "ZX"),
    Gate(
        "xx_plus_yy",
        "exp(-i theta/4 (XX + YY)), turned by beta.",
        2,
        m.xx_plus_yy,
        params=("theta", "beta"),
        lower=lower.plus,
        inverse="xx_plus_yy",
        inverse_params=_keep_axis,
        rotations=_xy_rotations(1.0),
    ),
    Gate(
        "xx_minus_yy",
        "exp(-i theta/4 (XX - YY)), turned by beta.",
        2,
        m.xx_minus_yy,
        params=("theta", "beta"),
        lower=lower.minus,
        inverse="xx_minus_yy",
        inverse_params=_keep_axis,
        rotations=_xy_rotations(-1.0),
    ),
)

_IONQ = (
    Gate(
        "gpi",
        "IonQ GPI; phi in turns.",
        1,
        m.gpi,
        params=("phi",),
        code=K.U,
        to_op=lambda phi: (math.pi, phi * _TURN, math.pi - phi * _TURN),
        inverse="gpi",
        inverse_params=lambda phi: (phi,),
        rotations=_GPI,
    ),
    Gate(
        "gpi2",
        "IonQ GPI2; phi in turns.",
        1,
        m.gpi2,
        params=("phi",),
        code=K.U,
        to_op=lambda phi: (_HALF_PI, phi * _TURN - _HALF_PI, _HALF_PI - phi * _TURN),
        inverse="gpi2",
        inverse_params=lambda phi: (phi + 0.5,),
        rotations=_GPI2,
    ),
    Gate(
        "ms",
        "IonQ Molmer-Sorensen; phases and theta in turns.",
        2,
        m.ms,
        params=("phi0", "phi1", "theta"),
        lower=lower.ms,
        inverse="ms",
        inverse_params=lambda phi0, phi1, theta: (phi0, phi1, -theta),
        rotations=_MS,
    ),
    Gate(
        "zz",
        "IonQ native ZZ; theta in turns.",
        2,
        m.zz,
        params=("theta",),
        code=K.RZZ,
        to_op=_turns,
        inverse="zz",
        inverse_params=_negate,
        diagonal=True,
        rotations=_pauli("ZZ", math.pi),
        scales=True,
    ),
)

_OTHER = (
    Gate(
        "gphase",
        "Global phase e^(i gamma).",
        0,
        m.gphase,
        params=("gamma",),
        aliases=("global_phase", "globalphase"),
        code=K.GPHASE,
        inverse="gphase",
        inverse_params=_negate,
        diagonal=True,
        rotations=(Rotation(0, -1.0, ""),),
        scales=True,
    ),
    Gate("rccx", "Toffoli up to relative phases (Margolus).", 3, m.rccx, lower=lower.rccx, inverse="rccx"),
    Gate(
        "rcccx", "Three-control X up to relative phases.", 4, m.rcccx, aliases=("rc3x",), lower=lower.rcccx
    ),
    Gate(
        "unitary",
        "A unitary matrix on up to 6 qubits.",
        0,
        _unitary_matrix,
        params=("matrix",),
        code=K.MATRIX,
        aliases=("qubitunitary", "matrixgate"),
    ),
)

register((*_ONE_QUBIT, *_TWO_QUBIT, *_IONQ, *_OTHER))
_g = find_gate

_CONTROLLED = (
    _controlled("cx", _g("x"), 1, "Controlled X.", "cnot", "c_x", "controlledx"),
    _controlled("cy", _g("y"), 1, "Controlled Y."),
    _controlled("cz", _g("z"), 1, "Controlled Z."),
    _controlled("ch", _g("h"), 1, "Controlled Hadamard.", "chadamard"),
    _controlled("cs", _g("s"), 1, "Controlled S.", inverse="csdg"),
    _controlled("csdg", _g("sdg"), 1, "Controlled inverse of S.", inverse="cs"),
    _controlled("csx", _g("sx"), 1, "Controlled square root of X.", "cv", inverse="csxdg"),
    _controlled("csxdg", _g("sxdg"), 1, "Controlled inverse of SX.", "cvdg", inverse="csx"),
    _controlled("crx", _g("rx"), 1, "Controlled RX."),
    _controlled("cry", _g("ry"), 1, "Controlled RY."),
    _controlled("crz", _g("rz"), 1, "Controlled RZ."),
    _controlled("cp", _g("p"), 1, "Controlled phase.", "cphase", "cu1", "controlledphaseshift"),
    _controlled("cu3", _g("u"), 1, "Controlled U(theta, phi, lam)."),
    Gate(
        "cu",
        "Controlled e^(i gamma) U(theta, phi, lam).",
        1,
        m.cu,
        controls=1,
        params=("theta", "phi", "lam", "gamma"),
        lower=lower.cu,
        inverse="cu",
        inverse_params=lambda theta, phi, lam, gamma: (-theta, -lam, -phi, -gamma),
        rotations=(Rotation(3, -1.0, "I"), *_U),
    ),
    _controlled("cswap", _g("swap"), 1, "Controlled swap (Fredkin).", "fredkin"),
    _controlled("ccx", _g("x"), 2, "Toffoli: X with two controls.", "toffoli", "tof", "ccnot"),
    _controlled("ccz", _g("z"), 2, "Z with two controls."),
    _controlled("c3x", _g("x"), 3, "X with three controls.", "cccx"),
    _controlled("c4x", _g("x"), 4, "X with four controls.", "ccccx"),
    _controlled("c3sx", _g("sx"), 3, "Square root of X with three controls.", "c3sqrtx"),
    _controlled(
        "mcx", _g("x"), 1, "X with any number of controls.", "mct", "multicontrolledx", variadic=True
    ),
    _controlled("mcy", _g("y"), 1, "Y with any number of controls.", variadic=True),
    _controlled("mcz", _g("z"), 1, "Z with any number of controls.", variadic=True),
    _controlled("mcp", _g("p"), 1, "Phase with any number of controls.", "mcphase", "mcu1", variadic=True),
    _controlled("mcrx", _g("rx"), 1, "RX with any number of controls.", variadic=True),
    _controlled("mcry", _g("ry"), 1, "RY with any number of controls.", variadic=True),
    _controlled("mcrz", _g("rz"), 1, "RZ with any number of controls.", variadic=True),
)
register(_CONTROLLED)

GATES: dict[str, Gate] = {g.name: g for g in (*_ONE_QUBIT, *_TWO_QUBIT, *_CONTROLLED, *_OTHER, *_IONQ)}
"""Every gate by its name, in the order of the documentation."""

UNITARY = GATES["unitary"]
GPHASE = GATES["gphase"]
