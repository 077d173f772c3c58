"""From a circuit's instructions to stim's text, and to the steps of a run that decides as it goes.

Conditions on one classical bit with nothing but Pauli gates in their branches are part of stim's circuits
(Pauli feedback), and all shots go through those at once. Everything else that looks at classical bits
half-way is cut into steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qrealm.base.errors import InternalError
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import BARRIER, CHANNEL, IF, INITIALIZE, MEASURE, READOUT, RESET, Instruction
from qrealm.circuits.types import Misread
from qrealm.simulate.backends.stabilizer.gates import Words, channel_words, pauli_of, words_of


@dataclass(frozen=True, slots=True)
class Program:
    """A circuit that all shots go through at once.

    Attributes:
        lines: stim's text.
        records: the classical bit of each measurement, in order.
    """

    lines: tuple[str, ...]
    records: tuple[int, ...]

    @property
    def last(self) -> dict[int, int]:
        """Classical bit -> the measurement that is in it at the end."""
        return {bit: record for record, bit in enumerate(self.records)}


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a run that decides as it goes: stim's text without measurements."""

    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """Measures `qubits[i]` into `clbits[i]`, one after the other."""

    qubits: tuple[int, ...]
    clbits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Steps to take when the bits equal the value, and otherwise."""

    clbits: tuple[int, ...]
    value: int
    steps: tuple[Step, ...]
    otherwise: tuple[Step, ...]


Step = Piece | Look | Fork | Misread


def before_final(
    instructions: Sequence[Instruction], terminal: bool
) -> tuple[list[Instruction], list[tuple[int, int]]]:
    """(what comes before the final measurements, (qubit, classical bit) of those, in order).

    Args:
        instructions: of a circuit, without the readout errors at its end.
        terminal: whether all its measurements are final.
    """
    if terminal:
        kept = [each for each in instructions if each[0] is not MEASURE and each[0] is not READOUT]
        return kept, [(qubits[0], args[0]) for op, qubits, args in instructions if op is MEASURE]
    kept, final = list(instructions), []
    qubits_seen: set[int] = set()
    bits_seen: set[int] = set()
    while kept and (kept[-1][0] is MEASURE or kept[-1][0] is BARRIER):
        op, qubits, args = kept[-1]
        if op is MEASURE:
            if qubits[0] in qubits_seen or args[0] in bits_seen:
                break
            qubits_seen.add(qubits[0])
            bits_seen.add(args[0])
            final.append((qubits[0], args[0]))
        kept.pop()
    return kept, final[::-1]


def program(instructions: Sequence[Instruction]) -> Program | None:
    """The circuit for all shots at once; None when it has to be walked step by step.

    Args:
        instructions: bound, of Clifford gates and Pauli channels.
    """
    writer = _Writer()
    return Program(tuple(writer.lines), tuple(writer.records)) if writer.write(instructions) else None


def steps(instructions: Sequence[Instruction]) -> tuple[Step, ...]:
    """The circuit step by step."""
    found: list[Step] = []
    lines: list[str] = []

    def flush() -> None:
        if lines:
            found.append(Piece("\n".join(lines)))
            lines.clear()

    for op, qubits, args in instructions:
        if op is MEASURE:
            flush()
            last = found[-1] if found else None
            if isinstance(last, Look):
                found[-1] = Look(last.qubits + qubits, last.clbits + args)
            else:
                found.append(Look(qubits, args))
        elif op is READOUT:
            flush()
            found.append(Misread(args[0], args[1:]))
        elif op is IF:
            flush()
            condition, then, otherwise = args
            found.append(Fork(condition.clbits, condition.value, steps(then), steps(otherwise)))
        else:
            lines += quantum_lines(op, qubits, args)
    flush()
    return tuple(found)


def quantum_lines(op: object, qubits: tuple[int, ...], args: tuple[object, ...]) -> list[str]:
    """Lines of anything but measurements and what looks at classical bits."""
    if op is BARRIER or not qubits:  # a gate on no qubit is a global phase
        return []
    if isinstance(op, Gate):
        return lines_of(words_of(op, args, len(qubits)), qubits)
    if op is CHANNEL:
        return lines_of(channel_words(args[0]), qubits)
    if op is RESET:
        return [f"R {' '.join(map(str, qubits))}"]
    if op is INITIALIZE:
        bits = args[0].bits  # type: ignore[attr-defined]
        if bits is None:
            raise InternalError("a state by amplitudes came to the stabilizer backend")
        ones = [str(qubit) for qubit, bit in zip(qubits, reversed(bits), strict=True) if bit == "1"]
        return [f"R {' '.join(map(str, qubits))}", *([f"X {' '.join(ones)}"] if ones else [])]
    raise InternalError(f"the stabilizer backend met {op!r}")


def lines_of(words: Words, qubits: Sequence[int]) -> list[str]:
    """The lines of an operation on these qubits."""
    found = []
    for name, places in words:
        if places:
            found.append(f"{name} {' '.join([str(qubits[place]) for place in places])}")
        else:  # the places stand in the words themselves
            found.append(name.format(*qubits))
    return found


@dataclass(slots=True)
class _Writer:
    """Writes a circuit for all shots at once."""

    lines: list[str] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)

    def write(self, instructions: Iterable[Instruction]) -> bool:
        """False as soon as something cannot be said so."""
        for op, qubits, args in instructions:
            if op is MEASURE:
                self.last[args[0]] = len(self.records)
                self.records.append(args[0])
                self.lines.append(f"M {qubits[0]}")
            elif op is READOUT:
                return False
            elif op is IF:
                if not self._condition(args):
                    return False
            else:
                self.lines += quantum_lines(op, qubits, args)
        return True

    def _condition(self, args: tuple[object, ...]) -> bool:
        """Pauli feedback: `otherwise` always, and what `then` is beyond it where the bit says so."""
        condition, then, otherwise = args
        if len(condition.clbits) > 1:  # type: ignore[attr-defined]
            return False
        parts = [_paulis(branch) for branch in (then, otherwise)]  # type: ignore[arg-type]
        if any(part is None for part in parts):
            return False
        if_true, if_false = parts if condition.value else parts[::-1]  # type: ignore[attr-defined]
        assert if_true is not None
        assert if_false is not None
        self.lines += [f"{letter} {qubit}" for letter, qubit in if_false]
        record = self.last.get(condition.clbits[0])  # type: ignore[attr-defined]
        if record is not None:  # a bit that nothing was measured into is 0
            back = record - len(self.records)
            # What always acts is undone where the bit is one.
            self.lines += [f"C{letter} rec[{back}] {qubit}" for letter, qubit in if_false + if_true]
        return True


def _paulis(instructions: Sequence[Instruction]) -> list[tuple[str, int]] | None:
    """(letter, qubit) of each gate when all are Pauli gates on one qubit; None otherwise."""
    found: list[tuple[str, int]] = []
    for op, qubits, args in instructions:
        if op is BARRIER:
            continue
        letter = pauli_of(op, args, len(qubits)) if isinstance(op, Gate) else None
        if letter is None:
            return None
        if letter != "I":
            found.append((letter, qubits[0]))
    return found
