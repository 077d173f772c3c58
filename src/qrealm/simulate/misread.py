"""A faulty detector: counts as it reports them."""

from __future__ import annotations

from collections.abc import Sequence
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
    shares = error.error.assignment.T[true]
    shared = generator.multinomial(draws, shares / shares.sum(axis=1, keepdims=True))
    rows, read = np.nonzero(shared)
    result = cleared[rows]
    for place, clbit in enumerate(error.clbits):
        ones = (read >> place) & 1
        if values.dtype == object:
            result = result + np.array([int(bit) << clbit for bit in ones], dtype=object)
        else:
            result = result | (ones.astype(np.uint64) << np.uint64(clbit))
    return result, shared[rows, read].astype(np.int64)
