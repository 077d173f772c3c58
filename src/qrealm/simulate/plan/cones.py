"""Light cones: which qubits and gates an observable at the end depends on. Pure.

The rest of a circuit is undone by its own inverse and drops out of the expectation value, so a thousand
qubits of shallow circuit come down to many runs of a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qrealm.circuits import Circuit
from qrealm.circuits.operations import BARRIER, MEASURE, READOUT, Instruction
from qrealm.circuits.transform import rebuilt

JOINED_QUBITS_MAX = 12
"""Cones are run together while they have no more qubits than this, or than the widest alone: a run of 12
qubits costs little more than its fixed costs."""

PauliString = tuple[int, int]
"""x mask and z mask."""


@dataclass(frozen=True, slots=True)
class Cone:
    """Terms that are computed in one run.

    Attributes:
        qubits: ascending; qubit i of the run is ``qubits[i]``.
        instructions: what matters to the terms, by the circuit's own qubits.
        terms: the Pauli strings, by the circuit's own qubits.
    """

    qubits: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    terms: tuple[PauliString, ...]

    def circuit(self) -> Circuit:
        """The circuit of the cone alone."""
        place = {qubit: index for index, qubit in enumerate(self.qubits)}
        moved = [(op, tuple(place[q] for q in qubits), args) for op, qubits, args in self.instructions]
        return rebuilt(Circuit(max(1, len(self.qubits))), moved)

    def moved(self, term: PauliString) -> PauliString:
        """A term by the qubits of the run."""
        x, z = term
        return (
            sum((x >> qubit & 1) << index for index, qubit in enumerate(self.qubits)),
            sum((z >> qubit & 1) << index for index, qubit in enumerate(self.qubits)),
        )


class Dependencies:
    """Which instruction comes before which on every qubit. Measurements and barriers are left out.

    Args:
        instructions: gates, channels, resets and preparations; no conditions.
    """

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = [each for each in instructions if each[0] not in (BARRIER, MEASURE, READOUT)]
        self._last: dict[int, int] = {}
        self._before: list[tuple[int, ...]] = []
        for index, (_, qubits, _) in enumerate(self._instructions):
            self._before.append(tuple(self._last[q] for q in qubits if q in self._last))
            for qubit in qubits:
                self._last[qubit] = index

    def cone(self, support: Iterable[int]) -> tuple[frozenset[int], list[int]]:
        """(qubits, indices of the instructions) that a measurement of `support` at the end depends on."""
        qubits = set(support)
        waiting = list({self._last[qubit] for qubit in qubits if qubit in self._last})
        seen = set(waiting)
        while waiting:
            index = waiting.pop()
            qubits.update(self._instructions[index][1])
            for earlier in self._before[index]:
                if earlier not in seen:
                    seen.add(earlier)
                    waiting.append(earlier)
        return frozenset(qubits), sorted(seen)

    def group(self, terms: Iterable[PauliString]) -> list[Cone]:
        """The terms, gathered into as few runs as stay small."""
        found: dict[int, tuple[frozenset[int], list[int]]] = {}
        by_support: dict[int, list[PauliString]] = {}
        for x, z in terms:
            by_support.setdefault(x | z, []).append((x, z))
        for support in by_support:
            found[support] = self.cone(q for q in range(support.bit_length()) if support >> q & 1)
        most = max(JOINED_QUBITS_MAX, max((len(qubits) for qubits, _ in found.values()), default=0))
        groups: list[tuple[set[int], set[int], list[PauliString]]] = []
        for support in sorted(by_support):  # neighbours in the circuit are neighbours here
            qubits, indices = found[support]
            last = groups[-1] if groups else None
            if last is None or len(last[0] | qubits) > most:
                groups.append((set(qubits), set(indices), list(by_support[support])))
                continue
            last[0].update(qubits)
            last[1].update(indices)
            last[2].extend(by_support[support])
        return [
            Cone(tuple(sorted(qubits)), tuple(self._instructions[i] for i in sorted(indices)), tuple(strings))
            for qubits, indices, strings in groups
        ]
