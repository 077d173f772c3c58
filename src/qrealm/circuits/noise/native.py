"""Circuits in what devices carry out: RZ, SX and X on one qubit, one gate on two.

First every instruction becomes matrices on one and two qubits and RZ with open angles (`expanded`); after
they are placed, neighbours are merged, and what is left is written in the device's gates (`Native`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrealm.base.errors import ChannelError
from qrealm.circuits import matrices as m
from qrealm.circuits.formats.qir_basis import steps
from qrealm.circuits.formats.qir_unitary import euler, prepare, shannon
from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Gate, Matrix
from qrealm.circuits.matrices import ComplexMatrix
from qrealm.circuits.noise.two_qubits import parts, plain_parts
from qrealm.circuits.operations import (
    BARRIER,
    DELAYS,
    IF,
    INITIALIZE,
    RESET,
    Instruction,
    State,
    qubits_of,
)
from qrealm.circuits.parameters import ParameterExpression

_RZ, _SX, _X, _CX = GATES["rz"], GATES["sx"], GATES["x"], GATES["cx"]
_HALF = math.pi / 2
_SMALL = 1e-9
_DIAGONAL_MAX = 5
# CX = after * pair gate * before but for a phase; one matrix each for control and target.
_FRAMES: dict[str, tuple[tuple[ComplexMatrix, ComplexMatrix], tuple[ComplexMatrix, ComplexMatrix]]] = {
    "cx": ((m.identity(), m.identity()), (m.identity(), m.identity())),
    "cz": ((m.identity(), m.h()), (m.identity(), m.h())),
    "ecr": ((m.ry(math.pi) @ m.rz(-_HALF), m.rx(_HALF)), (m.identity(), m.identity())),
    "rxx": ((m.ry(_HALF), m.identity()), (m.ry(-_HALF) @ m.rx(-_HALF), m.rx(-_HALF))),
}
_CX_EITHER = (m.controlled(m.x(), 1), m.swap() @ m.controlled(m.x(), 1) @ m.swap())
_TO_Z = {"X": (m.h(), m.h()), "Y": (m.h() @ m.sdg(), m.s() @ m.h())}


# ---- matrices on one and two qubits ------------------------------------------------------------------


def expanded(instructions: Iterable[Instruction], num_qubits: int) -> list[Instruction]:
    """The instructions with gates on one and two qubits alone: `unitary` with numbers, `rz` with open angles.

    Raises:
        ChannelError: an open parameter of a gate that is no product of rotations.
    """
    made = _Expansion(num_qubits)
    for instruction in instructions:
        made.add(instruction)
    return made.found


class _Expansion:
    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.found: list[Instruction] = []
        self.used: set[int] = set()

    def add(self, instruction: Instruction) -> None:
        op, qubits, args = instruction
        if op is INITIALIZE:
            self.initial(qubits, args[0])
        elif op is IF:
            self.used.update(qubits)
            bodies = tuple(tuple(self.within(branch)) for branch in args[1:])
            self.found.append((op, qubits_of((*bodies[0], *bodies[1])), (args[0], *bodies)))
        elif not isinstance(op, Gate) or op in DELAYS:
            self.found.append(instruction)
        elif any(isinstance(value, ParameterExpression) for value in args):
            self.rotations(op, qubits, args)
        elif len(qubits) > 2:
            self.wide(op, qubits, args)
        elif qubits:  # on none it is a global phase
            self.gate(op, qubits, args)
        if op is not BARRIER:
            self.used.update(qubits)

    def within(self, branch: Iterable[Instruction]) -> list[Instruction]:
        """A condition's branch."""
        outer, self.found = self.found, []
        for instruction in branch:
            self.add(instruction)
        made, self.found = self.found, outer
        return made

    def gate(self, op: Gate, qubits: Sequence[int], params: Sequence[Any]) -> None:
        """Numbers, and one or two qubits."""
        if op is UNITARY:
            array = m.controlled(params[0].array, len(qubits) - params[0].num_qubits)
        else:
            array = op.full_matrix(params, len(qubits) - op.targets)
        self.found.append((UNITARY, tuple(qubits), (Matrix(array),)))

    def wide(self, op: Gate, qubits: tuple[int, ...], params: tuple[Any, ...]) -> None:
        """Numbers, and three or more qubits."""
        if len(qubits) <= _DIAGONAL_MAX and op is not UNITARY and (op.diagonal or op.matrix is _X.matrix):
            # 2^n - 2 CX on n qubits; X is Z between Hadamard gates.
            base = op.matrix(*params) if op.diagonal else m.z()
            turned = [] if op.diagonal else [qubits[-1]]
            for qubit in turned:
                self.one(m.h(), qubit)
            for name, angles, wires in shannon(m.controlled(base, len(qubits) - op.targets), qubits):
                self.gate(GATES[name], wires, angles)
            for qubit in turned:
                self.one(m.h(), qubit)
            return
        for name, angles, wires in steps(op, qubits, params, self.num_qubits):
            if name == "ccx":
                self.wide(GATES[name], wires, ())
            else:
                self.gate(GATES[name], wires, angles)

    def one(self, array: ComplexMatrix, qubit: int) -> None:
        self.found.append((UNITARY, (qubit,), (Matrix(array),)))

    def initial(self, qubits: tuple[int, ...], state: State) -> None:
        """Resets of what was used, then gates that make the state."""
        self.found += [(RESET, (qubit,), ()) for qubit in qubits if qubit in self.used]
        if state.amplitudes is not None:
            for name, params, wires in prepare(state.amplitudes, qubits):
                self.gate(GATES[name], wires, params)
            return
        for qubit, bit in zip(qubits, reversed(state.bits or ""), strict=True):
            if bit == "1":
                self.one(m.x(), qubit)

    # ---- open angles -----------------------------------------------------------------------------------

    def rotations(self, op: Gate, qubits: tuple[int, ...], args: Sequence[Any]) -> None:
        """A gate with open parameters as rotations about Pauli strings."""
        split = len(qubits) - op.targets
        controls, targets = qubits[:split], qubits[split:]
        if not op.rotations:
            raise ChannelError(
                f"the gate {op.name} has open parameters, and is no product of rotations",
                hint="bind the circuit's parameters first: circuit.bind({...})",
            )
        for factor in op.rotations:
            angle = factor.coefficient * (1.0 if factor.parameter is None else args[factor.parameter])
            letters = [(q, letter) for q, letter in zip(targets, factor.pauli, strict=True) if letter != "I"]
            if not letters:
                self.phase(controls, -1.0 * angle)
                continue
            turned = [(_TO_Z[letter], q) for q, letter in letters if letter != "Z"]
            chain = [(q, letters[-1][0]) for q, _ in letters[:-1]]
            for (there, _), q in turned:
                self.one(there, q)
            for pair in chain:
                self.gate(_CX, pair, ())
            self.turn(controls, letters[-1][0], 2.0 * angle)
            for pair in reversed(chain):
                self.gate(_CX, pair, ())
            for (_, back), q in turned:
                self.one(back, q)

    def turn(self, controls: tuple[int, ...], target: int, angle: Any) -> None:
        """RZ under controls."""
        if not controls:
            self.found.append((_RZ, (target,), (angle,)))
            return
        for part in (angle / 2, angle / -2):
            self.found.append((_RZ, (target,), (part,)))
            self.add((_X, (*controls, target), ()))

    def phase(self, qubits: tuple[int, ...], angle: Any) -> None:
        """e^{i angle} where all the qubits are 1; on none it is global, and left out."""
        while qubits:
            *others, target = qubits
            self.turn(tuple(others), target, angle)
            qubits, angle = tuple(others), angle / 2


# ---- the device's gates ------------------------------------------------------------------------------


class Native:
    """Writes expanded instructions in a device's gates: what follows each other on one pair of qubits becomes
    at most three gates on it, what is left on one qubit at most RZ SX RZ SX RZ.

    Args:
        pair_gate: one of `rules.PAIR_GATES`.
    """

    def __init__(self, pair_gate: str) -> None:
        self._pair_gate = pair_gate
        self._out: list[Instruction] = []
        self._single: dict[int, ComplexMatrix] = {}
        self._blocks: dict[int, tuple[int, int]] = {}  # qubit -> the pair whose matrix is being collected
        self._parts: dict[tuple[int, int], list[_Step]] = {}

    def written(self, instructions: Iterable[Instruction]) -> list[Instruction]:
        """The instructions, in native gates."""
        for op, qubits, args in instructions:
            if op is UNITARY and len(qubits) == 2:
                self._pair((qubits[0], qubits[1]), args[0].array)
            elif op is UNITARY:
                self._one(qubits[0], args[0].array)
            else:
                self._close(qubits)
                if op is IF:
                    bodies = tuple(tuple(Native(self._pair_gate).written(branch)) for branch in args[1:])
                    args = (args[0], *bodies)
                self._out.append((op, qubits, args))
        self._close([*self._single, *self._blocks])
        return self._out

    def _one(self, qubit: int, array: ComplexMatrix) -> None:
        pair = self._blocks.get(qubit)
        if pair is None:
            self._single[qubit] = array @ self._single.get(qubit, m.identity())
        else:
            self._parts[pair].append((pair.index(qubit), array))

    def _pair(self, qubits: tuple[int, int], array: ComplexMatrix) -> None:
        pair = self._blocks.get(qubits[0])
        if pair is None or set(pair) != set(qubits):
            for qubit in qubits:
                if qubit in self._blocks:
                    self._end(self._blocks[qubit])
            pair = qubits
            self._parts[pair] = []
            self._blocks.update(dict.fromkeys(pair, pair))
        flipped = pair != qubits
        if np.abs(array - m.swap()).max() < _SMALL:
            self._parts[pair] += [False, True, False]
            return
        for part in plain_parts(array):
            self._parts[pair].append(flipped if part is None else (part[0] ^ flipped, part[1]))

    def _close(self, qubits: Iterable[int]) -> None:
        """Write all that is being collected on these qubits."""
        for qubit in list(qubits):
            if qubit in self._blocks:
                self._end(self._blocks[qubit])
            if qubit in self._single:
                self._flush(qubit)

    def _end(self, pair: tuple[int, int]) -> None:
        """Write a pair's gates; what comes after the last one stays with its qubit."""
        for qubit in pair:
            del self._blocks[qubit]
        first, after = _FRAMES[self._pair_gate]
        for part in _shortest(self._parts.pop(pair)):
            if not isinstance(part, bool):
                self._one(pair[part[0]], part[1])
                continue
            wires = pair[::-1] if part else pair
            for qubit, array in zip(wires, first, strict=True):
                self._one(qubit, array)
                self._flush(qubit)
            gate = GATES[self._pair_gate]
            self._out.append((gate, wires, (_HALF,) if gate.params else ()))
            for qubit, array in zip(wires, after, strict=True):
                self._one(qubit, array)

    def _flush(self, qubit: int) -> None:
        self._out += _turns(self._single.pop(qubit), qubit)


_Step = tuple[int, ComplexMatrix] | bool
"""A matrix on the first or second qubit of a pair; False a CX from the first to the second, True back."""


def _shortest(given: list[_Step]) -> list[_Step]:
    """The same with fewer CX, where there is a way."""
    count = sum(isinstance(part, bool) for part in given)
    if count < 2:
        return given
    whole: ComplexMatrix = np.eye(4, dtype=np.complex128)
    for part in given:
        whole = (_lifted(part[1], part[0]) if not isinstance(part, bool) else _CX_EITHER[part]) @ whole
    found: list[_Step] = [False if part is None else part for part in parts(whole)]
    return found if sum(isinstance(part, bool) for part in found) < count else given


def _lifted(array: ComplexMatrix, place: int) -> ComplexMatrix:
    return _product(m.identity(), array) if place == 0 else _product(array, m.identity())


def _product(second: ComplexMatrix, first: ComplexMatrix) -> ComplexMatrix:
    return np.asarray(np.kron(second, first), dtype=np.complex128)


def _turns(array: ComplexMatrix, qubit: int) -> list[Instruction]:
    """RZ, SX and X, as few of the last two as can be."""
    _, theta, phi, lam = euler(array)
    if abs(theta) < _SMALL:
        return _rz(phi + lam, qubit)
    if abs(theta - math.pi) < _SMALL:
        return [*_rz(lam + math.pi, qubit), (_X, (qubit,), ()), *_rz(phi, qubit)]
    if abs(theta - _HALF) < _SMALL:
        return [*_rz(lam - _HALF, qubit), (_SX, (qubit,), ()), *_rz(phi + _HALF, qubit)]
    return [
        *_rz(lam, qubit),
        (_SX, (qubit,), ()),
        *_rz(theta + math.pi, qubit),
        (_SX, (qubit,), ()),
        *_rz(phi + math.pi, qubit),
    ]


def _rz(angle: float, qubit: int) -> list[Instruction]:
    turned = math.remainder(angle, 2 * math.pi)
    return [(_RZ, (qubit,), (turned,))] if abs(turned) > _SMALL else []


__all__ = ["Native", "expanded"]
