"""Exact values with Pauli noise: observables are taken backwards through the circuit.

A Pauli string stays one under Clifford gates. A Pauli channel multiplies it by a number from -1 to 1, a reset
turns Z into 1 and X and Y into 0, a measurement whose outcome is averaged over turns X and Y into 0. What
arrives at the beginning has the value ±1 or 0 on |0...0>.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.circuits import PauliSum
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.operations import BARRIER, CHANNEL, INITIALIZE, MEASURE, READOUT, RESET, Instruction
from qrealm.simulate.backends.stabilizer.gates import damping_of
from qrealm.simulate.backends.stabilizer.translate import quantum_lines

_MEASURED = np.array([1.0, 0.0, 1.0, 0.0])
"""What is left of 1, X, Z, Y by a measurement, in the order of `damping_of`."""


@dataclass(slots=True)
class _Level:
    """Gates, and after them channels, resets and measurements on other qubits each."""

    lines: list[str] = field(default_factory=list)
    channels: dict[int, tuple[NDArray[np.float64], list[tuple[int, ...]]]] = field(default_factory=dict)
    resets: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A level as stim and NumPy take it."""

    gates: Any
    channels: tuple[tuple[NDArray[np.float64], NDArray[np.int64]], ...]
    resets: NDArray[np.int64]


class Heisenberg:
    """Values of Pauli strings after a circuit.

    Args:
        num_qubits: of the circuit.
        instructions: Clifford gates, Pauli channels, resets, measurements; no conditions.
    """

    def __init__(self, num_qubits: int, instructions: Iterable[Instruction]) -> None:
        import stim

        self._num_qubits = num_qubits
        levels = _levels(num_qubits, instructions)
        self._levels = [
            _Packed(
                stim.Circuit("\n".join(level.lines)) if level.lines else None,
                tuple(
                    (damping, np.array(wires, dtype=np.int64)) for damping, wires in level.channels.values()
                ),
                np.array(level.resets, dtype=np.int64),
            )
            for level in levels
        ]

    def values(self, observables: Sequence[tuple[str, PauliSum]]) -> dict[str, float]:
        """The value of each observable."""
        known: dict[tuple[int, int], float] = {}
        found: dict[str, float] = {}
        for name, observable in observables:
            total = 0.0
            for x, z, coefficient in observable.strings():
                if (x, z) not in known:
                    cancel.check()
                    known[x, z] = self.value(x, z)
                total += coefficient * known[x, z]
            found[name] = total
        return found

    def value(self, x_mask: int, z_mask: int) -> float:
        """The value of one Pauli string: X on the bits of the x mask, Z on those of the z mask."""
        import stim

        count = self._num_qubits
        string = stim.PauliString.from_numpy(xs=bits_of(x_mask, count), zs=bits_of(z_mask, count))
        value = 1.0
        for level in reversed(self._levels):
            xs, zs = string.to_numpy()
            if len(level.resets):
                if xs[level.resets].any():
                    return 0.0
                zs[level.resets] = False
            if level.channels:
                codes = xs.astype(np.int64) | zs.astype(np.int64) << 1
                for damping, wires in level.channels:
                    places = np.zeros(len(wires), dtype=np.int64)
                    for place in range(wires.shape[1]):
                        places |= codes[wires[:, place]] << 2 * place
                    value *= float(np.prod(damping[places]))
                if value == 0.0:
                    return 0.0
            if len(level.resets):
                string = stim.PauliString.from_numpy(xs=xs, zs=zs, sign=string.sign)
            if level.gates is not None:
                string = string.before(level.gates)
        xs, _ = string.to_numpy()
        return 0.0 if xs.any() else value * float(string.sign.real)


def bits_of(mask: int, count: int) -> NDArray[np.bool_]:
    """The bits of a mask, the lowest first, shape (count,)."""
    data = np.frombuffer(mask.to_bytes(count // 8 + 1, "little"), dtype=np.uint8)
    return np.unpackbits(data, bitorder="little", count=count).astype(bool)


def _levels(num_qubits: int, instructions: Iterable[Instruction]) -> list[_Level]:
    """Instructions gathered into as few levels as their order on each qubit allows."""
    levels: list[_Level] = [_Level()]
    reached = [0] * num_qubits  # the level at which a qubit's next gate may stand

    def level_at(qubits: tuple[int, ...]) -> tuple[int, _Level]:
        place = max(reached[qubit] for qubit in qubits)
        while place >= len(levels):
            levels.append(_Level())
        return place, levels[place]

    for op, qubits, args in instructions:
        if op is BARRIER or op is READOUT or not qubits:
            continue
        if op is CHANNEL or op is MEASURE or op is RESET or op is INITIALIZE:
            place, level = level_at(qubits)
            if op is CHANNEL:
                channel: Channel = args[0]
                damping = damping_of(channel)
                level.channels.setdefault(id(damping), (damping, []))[1].append(qubits)
            elif op is MEASURE:
                level.channels.setdefault(id(_MEASURED), (_MEASURED, []))[1].append(qubits)
            else:
                level.resets += qubits
            for qubit in qubits:
                reached[qubit] = place + 1
            if op is not INITIALIZE:
                continue
            lines = quantum_lines(op, qubits, args)[1:]  # the flips after the reset
        else:
            lines = quantum_lines(op, qubits, args)
        place, level = level_at(qubits)
        level.lines += lines
        for qubit in qubits:
            reached[qubit] = place
    return levels
