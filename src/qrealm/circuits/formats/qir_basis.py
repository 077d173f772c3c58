"""Any gate as the gates that QIR's common instruction set has, up to a global phase, without further qubits.

The basis: x, y, z, h, s, sdg, t, tdg, rx, ry, rz, cx, cz, swap, ccx. Every gate of the table lowers to about
twenty kernel operations; here each of these, under any number of controls, becomes gates of the basis.

Multi-controlled gates follow Barenco et al., Phys. Rev. A 52, 3457 (1995): lemmas 7.2 and 7.3 where other
qubits of the circuit can be borrowed in whatever state they are, lemma 7.5 otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qrealm.base.errors import WriteError
from qrealm.circuits.formats.qir_unitary import Step, about, euler, shannon
from qrealm.circuits.formats.two_level import decompose
from qrealm.circuits.gate_rows import GPHASE, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.kernel_ops import OpCode as K
from qrealm.circuits.matrices import ComplexMatrix

CONTROLS_MAX = 256
"""Most qubits of a phase: the number of gates grows with the square."""

_HALF_PI = math.pi / 2
_PLAIN = {
    K.X: "x", K.Y: "y", K.Z: "z", K.H: "h", K.S: "s", K.SDG: "sdg", K.T: "t", K.TDG: "tdg",
}  # fmt: skip
_PHASES = {
    K.Z: math.pi, K.S: _HALF_PI, K.SDG: -_HALF_PI, K.T: math.pi / 4, K.TDG: -math.pi / 4,
}  # fmt: skip
_TURNS = {K.RX: "rx", K.RY: "ry", K.RZ: "rz"}
_PAIRS = {K.RXX: "XX", K.RYY: "YY", K.RZZ: "ZZ", K.RZX: "ZX"}
# Gates that turn an axis to Z, and back.
_TO_Z = {"X": (("h",), ("h",)), "Y": (("sdg", "h"), ("h", "s")), "Z": ((), ())}


def steps(gate: Gate, qubits: Sequence[int], params: Sequence[Any], num_qubits: int) -> list[Step]:
    """Basis gates that do the same as `gate` but for a global phase.

    Args:
        gate: a row of the gate table.
        qubits: controls first, then targets.
        params: numbers; for `unitary` one `Matrix`.
        num_qubits: qubits of the circuit: those that the gate leaves alone are borrowed for long controls.
    """
    basis = _Basis(num_qubits)
    if gate is UNITARY:
        split = len(qubits) - params[0].num_qubits
        basis.matrix(params[0].array, tuple(qubits[:split]), tuple(qubits[split:]))
        return basis.found
    split = len(qubits) - gate.targets
    outer, targets = tuple(qubits[:split]), tuple(qubits[split:])
    for op in gate.lowered(tuple(params)):
        held = () if op.free else outer
        inner = tuple(targets[i] for i in op.inner)
        basis.add(K(op.code), (*held, *inner), tuple(targets[i] for i in op.targets), op.params)
    return basis.found


class _Basis:
    """Collects basis gates. `controls` are qubits that must all be 1 for an operation to act."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.found: list[Step] = []

    def put(self, name: str, *qubits: int) -> None:
        self.found.append((name, (), qubits))

    def add(
        self, code: K, controls: tuple[int, ...], targets: tuple[int, ...], params: Sequence[Any]
    ) -> None:
        """One kernel operation under controls."""
        if code is K.GPHASE:
            self.phase(controls, params[0])
        elif code is K.SWAP:
            self.swap(controls, *targets)
        elif code is K.ISWAP:
            a, b = targets
            self.phase((*controls, a), _HALF_PI)
            self.phase((*controls, b), _HALF_PI)
            self.phase((*controls, a, b), math.pi)
            self.swap(controls, a, b)
        elif code in _PAIRS:
            self.pair(_PAIRS[code], controls, targets, params[0])
        else:
            self.one_qubit(code, controls, targets[0], params)

    def one_qubit(self, code: K, controls: tuple[int, ...], target: int, params: Sequence[Any]) -> None:
        """An operation with one target."""
        if code is K.U:
            self.u(controls, target, *params)
        elif code is K.P:
            self.phase((*controls, target), params[0])
        elif code in _TURNS:
            self.turn(_TURNS[code], controls, target, params[0])
        elif not controls and code in _PLAIN:
            self.put(_PLAIN[code], target)
        elif code in _PHASES:
            self.phase((*controls, target), _PHASES[code])
        elif code in (K.SX, K.SXDG):
            self.put("h", target)
            self.phase((*controls, target), _HALF_PI if code is K.SX else -_HALF_PI)
            self.put("h", target)
        elif code is K.H:  # H = RY(pi/4) Z RY(-pi/4)
            self.found += about("ry", -math.pi / 4, target)
            self.phase((*controls, target), math.pi)
            self.found += about("ry", math.pi / 4, target)
        elif code is K.Y:
            self.put("sdg", target)
            self.flip(controls, target)
            self.put("s", target)
        else:
            assert code is K.X, code
            self.flip(controls, target)

    # ---- the two that all controlled gates are made of -----------------------------------------------

    def flip(self, controls: tuple[int, ...], target: int) -> None:
        """X on the target under controls."""
        count = len(controls)
        if count < 3:
            self.put(("x", "cx", "ccx")[count], *controls, target)
            return
        used = {*controls, target}
        idle: list[int] = []
        for qubit in range(self.num_qubits):  # as many as the cheapest way can use
            if len(idle) == count - 2:
                break
            if qubit not in used:
                idle.append(qubit)
        if len(idle) == count - 2:
            self.borrow_many(controls, target, idle)
        elif idle:
            half = (count + 1) // 2
            first, second, middle = controls[:half], (*controls[half:], idle[0]), idle[0]
            for _ in range(2):
                self.flip(first, middle)
                self.flip(second, target)
        else:
            self.put("h", target)
            self.phase((*controls, target), math.pi)
            self.put("h", target)

    def borrow_many(self, controls: tuple[int, ...], target: int, idle: Sequence[int]) -> None:
        """Lemma 7.2: 4 (m - 2) Toffoli gates for m controls and m - 2 borrowed qubits."""
        count = len(controls)
        # Rung i adds control i to the borrowed qubit below it; the top rung has two controls.
        rungs = [(controls[1], controls[0], idle[0])]
        rungs += [(controls[i + 1], idle[i - 1], idle[i]) for i in range(1, count - 2)]
        last = (controls[-1], idle[-1], target)
        inner = [*reversed(rungs[1:]), rungs[0], *rungs[1:]]
        for rung in (last, *inner, last, *inner):
            self.put("ccx", *rung)

    def phase(self, qubits: tuple[int, ...], angle: float) -> None:
        """e^{i angle} where all the qubits are 1; on no qubit it is global, and left out."""
        if len(qubits) == 2 and angle == math.pi:
            self.put("cz", *qubits)
            return
        if angle == math.pi and (len(qubits) == 3 or 3 < len(qubits) < self.num_qubits):
            self.put("h", qubits[-1])
            self.flip(qubits[:-1], qubits[-1])
            self.put("h", qubits[-1])
            return
        if len(qubits) > CONTROLS_MAX:
            raise WriteError(
                f"a phase on {len(qubits)} qubits has too many gates in QIR",
                hint=f"at most {CONTROLS_MAX} qubits; spare qubits in the circuit help a multi-controlled X",
            )
        # Lemma 7.5 for phases: half the angle on the last two, taken back where the others are not all 1,
        # and the other half on all but the last control.
        while len(qubits) > 2:
            *others, last, target = qubits
            self.phase_of_two(last, target, angle / 2)
            self.flip(tuple(others), last)
            self.phase_of_two(last, target, -angle / 2)
            self.flip(tuple(others), last)
            qubits, angle = (*others, target), angle / 2
        if len(qubits) == 2:
            self.phase_of_two(*qubits, angle)
        elif qubits:
            self.found += about("rz", angle, qubits[0])

    def phase_of_two(self, control: int, target: int, angle: float) -> None:
        self.found += about("rz", angle / 2, control)
        self.found += about("rz", angle / 2, target)
        self.put("cx", control, target)
        self.found += about("rz", -angle / 2, target)
        self.put("cx", control, target)

    # ---- what they make ------------------------------------------------------------------------------

    def turn(self, name: str, controls: tuple[int, ...], target: int, angle: float) -> None:
        """A rotation by `angle` about an axis: rx, ry or rz."""
        if not controls:
            self.found += about(name, angle, target)
            return
        if name == "rx":  # X does not turn RX round, so as RZ between Hadamards
            self.put("h", target)
            self.turn("rz", controls, target, angle)
            self.put("h", target)
            return
        self.found += about(name, angle / 2, target)
        self.flip(controls, target)
        self.found += about(name, -angle / 2, target)
        self.flip(controls, target)

    def u(self, controls: tuple[int, ...], target: int, theta: float, phi: float, lam: float) -> None:
        """OpenQASM's U: e^{i (phi + lam)/2} RZ(phi) RY(theta) RZ(lam)."""
        if not controls:
            self.found += [*about("rz", lam, target), *about("ry", theta, target), *about("rz", phi, target)]
            return
        self.found += about("rz", (lam - phi) / 2, target)
        self.flip(controls, target)
        self.found += about("rz", -(phi + lam) / 2, target)
        self.found += about("ry", -theta / 2, target)
        self.flip(controls, target)
        self.found += about("ry", theta / 2, target)
        self.found += about("rz", phi, target)
        self.phase(controls, (phi + lam) / 2)

    def swap(self, controls: tuple[int, ...], a: int, b: int) -> None:
        if not controls:
            self.put("swap", a, b)
            return
        self.put("cx", b, a)
        self.flip((*controls, a), b)
        self.put("cx", b, a)

    def pair(self, axes: str, controls: tuple[int, ...], targets: tuple[int, ...], angle: float) -> None:
        """exp(-i angle/2 A B): both axes are turned to Z, and ZZ is RZ on the parity."""
        a, b = targets
        for axis, qubit in zip(axes, targets, strict=True):
            for name in _TO_Z[axis][0]:
                self.put(name, qubit)
        self.put("cx", a, b)
        self.turn("rz", controls, b, angle)
        self.put("cx", a, b)
        for axis, qubit in zip(axes, targets, strict=True):
            for name in _TO_Z[axis][1]:
                self.put(name, qubit)

    def matrix(self, array: ComplexMatrix, controls: tuple[int, ...], targets: tuple[int, ...]) -> None:
        """A unitary matrix."""
        if not controls:
            self.found += shannon(array, targets)
        elif len(targets) == 1:
            phase, theta, phi, lam = euler(array)
            self.u(controls, targets[0], theta, phi, lam)
            self.phase(controls, phase)
        else:
            for gate, wires, params in decompose(array, targets):
                if gate is GPHASE:
                    self.phase((*controls, *wires), params[0])
                elif len(wires) == 1 and gate.name == "x":
                    self.put("x", *wires)  # one of a pair around a controlled gate, so it needs no control
                else:
                    self.u((*controls, *wires[:-1]), wires[-1], *params)


__all__ = ["CONTROLS_MAX", "steps"]
