"""A faulty detector: counts as it reports them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.operations import READOUT
from qrealm.circuits.segments import split_readout
from qrealm.circuits.types import Misread
from qrealm.simulate import bits
from qrealm.simulate.bits import BitLayout, Outcomes

_STREAM = 0x4D495352  # keeps the detector's random numbers apart from those that drew the shots
_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Detector:
    """How the qubits of a circuit are read at its end.

    Attributes:
        errors: on classical bits.
        bit_of_qubit: the classical bit that each qubit is measured into, -1 for none: it is read without
            fault.
    """

    errors: tuple[Misread, ...]
    bit_of_qubit: tuple[int, ...]

    def reported(
        self, outcomes: NDArray[np.uint64], draws: NDArray[np.int64], num_qubits: int, seed: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Outcomes of all qubits, up to 64, as the detector reports them."""
        if not self.errors:
            return outcomes, draws
        places = {bit: qubit for qubit, bit in enumerate(self.bit_of_qubit) if bit >= 0}
        for error in self.errors:  # bits that nothing is measured into read 0, above the qubits
            for clbit in error.clbits:
                places.setdefault(clbit, num_qubits + len(places))
        moved = [Misread(error.error, tuple(places[bit] for bit in error.clbits)) for error in self.errors]
        width = max(num_qubits, *(place + 1 for place in places.values()))
        found, draws = misread(outcomes, draws, moved, width, seed)
        kept = (1 << num_qubits) - 1
        return np.array([int(value) & kept for value in found], dtype=np.uint64), draws


    def needed(self, qubits: Iterable[int]) -> list[int]:
        """The qubits whose true values decide what is reported of some, those among them; ascending."""
        qubit_of_bit = {bit: qubit for qubit, bit in enumerate(self.bit_of_qubit) if bit >= 0}
        found = set(qubits)
        for error in reversed(self.errors):
            touched = {qubit_of_bit[bit] for bit in error.clbits if bit in qubit_of_bit}
            if touched & found:
                found |= touched
        return sorted(found)

    def reported_rows(
        self, table: NDArray[np.uint8], draws: NDArray[np.int64], qubits: Sequence[int], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Rows of bits as the detector reports them; any number of qubits.

        Args:
            table: shape (rows, qubits), column i the true bit of ``qubits[i]``.
            draws: of each row.
            qubits: all that are `needed`. Bits that nothing is measured into read 0.
        """
        column = (
            {self.bit_of_qubit[qubit]: place for place, qubit in enumerate(qubits)} if self.errors else {}
        )
        generator = np.random.default_rng([seed, _STREAM])
        for error in self.errors:
            places = [(place, column[bit]) for place, bit in enumerate(error.clbits) if bit in column]
            if not places:
                continue
            true = np.zeros(len(table), dtype=np.int64)
            for place, index in places:
                true |= table[:, index].astype(np.int64) << place
            rows, read, draws = _shared(true, draws, error, generator)
            table = table[rows]
            for place, index in places:
                table[:, index] = read >> place & 1
        return table, draws


FAULTLESS = Detector((), ())


def detector_of(circuit: Circuit, layout: BitLayout) -> Detector:
    """The detector that a circuit's readout errors describe."""
    errors: tuple[Misread, ...] = ()
    if circuit.num_clbits and any(op is READOUT for op, _, _ in circuit):
        _, errors = split_readout(circuit.instructions)
    return Detector(errors, layout.bit_of_qubit)


def misread(
    outcomes: Outcomes, draws: NDArray[np.int64], errors: Sequence[Misread], num_bits: int, seed: int
) -> tuple[Outcomes, NDArray[np.int64]]:
    """The counts after the errors have acted, one after the other.

    Args:
        outcomes, draws: distinct outcomes, ascending, and how often each was drawn.
        errors: the first one acts first.
        num_bits: bits of an outcome.
        seed: the run's; equal seeds misread equally.
    """
    generator = np.random.default_rng([seed, _STREAM])
    small = num_bits <= _WORD_BITS
    values: NDArray[Any] = np.array(outcomes, dtype=np.uint64 if small else object)
    for error in errors:
        values, draws = _once(values, draws, error, generator)
        if small:
            values, draws = bits.merge_array(values, draws)
        else:
            merged, draws = bits.merge(values.tolist(), draws.tolist())
            values = np.array(merged, dtype=object)
    return (values if small else values.tolist()), draws


def _once(
    values: NDArray[Any], draws: NDArray[np.int64], error: Misread, generator: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """One error: each true value's shots are shared out among what may be read."""
    one = values.dtype.type(1) if values.dtype != object else 1
    true = np.zeros(len(values), dtype=np.int64)
    cleared = values
    for place, clbit in enumerate(error.clbits):
        shift = values.dtype.type(clbit) if values.dtype != object else clbit
        bit = (values >> shift) & one
        true |= bit.astype(np.int64) << place
        cleared = cleared & ~(one << shift) if values.dtype != object else cleared - (bit << shift)
    rows, read, draws = _shared(true, draws, error, generator)
    result = cleared[rows]
    for place, clbit in enumerate(error.clbits):
        ones = (read >> place) & 1
        if values.dtype == object:
            result = result + np.array([int(bit) << clbit for bit in ones], dtype=object)
        else:
            result = result | (ones.astype(np.uint64) << np.uint64(clbit))
    return result, draws


def _shared(
    true: NDArray[np.int64], draws: NDArray[np.int64], error: Misread, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(which true value, what is read instead, how often), for all that happens at least once."""
    shares = error.error.assignment.T[true]
    shared = generator.multinomial(draws, shares / shares.sum(axis=1, keepdims=True))
    rows, read = np.nonzero(shared)
    return rows, read, shared[rows, read].astype(np.int64)
