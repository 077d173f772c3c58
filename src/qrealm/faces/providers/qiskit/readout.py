"""From outcomes and their counts to what Qiskit keeps of each shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORD_BYTES = 8
_ORDER_STREAM = 1
"""Sets the random order of a run's shots apart from the draws of the run itself, which has the same seed."""


@dataclass(frozen=True, slots=True)
class Readout:
    """The samples of one run over the classical bits of its circuit.

    Attributes:
        num_bits: classical bits of the circuit.
        values: distinct outcomes, bit i for classical bit i.
        draws: how often each was drawn.
    """

    num_bits: int
    values: Sequence[int]
    draws: Sequence[int]

    def order(self, seed: int) -> NDArray[np.int64]:
        """Index into `values` for each shot, shape (shots,).

        Counts have no order; the shots that gave them are exchangeable, so a random order is as good as
        the one in which they would have come.
        """
        generator = np.random.default_rng((seed, _ORDER_STREAM))
        return generator.permutation(np.repeat(np.arange(len(self.values)), self.draws))

    def bits(self) -> NDArray[np.uint8]:
        """The distinct outcomes, shape (D, num_bits), column i for classical bit i."""
        width = -(-self.num_bits // 8)
        if width <= _WORD_BYTES:
            width = _WORD_BYTES
            raw = np.array(self.values, dtype="<u8").view(np.uint8)
        else:
            raw = np.frombuffer(b"".join(v.to_bytes(width, "little") for v in self.values), dtype=np.uint8)
        unpacked = np.unpackbits(raw.reshape(len(self.values), width), axis=1, bitorder="little")
        return unpacked[:, : self.num_bits]


def packed(bits: NDArray[np.uint8], positions: Sequence[int]) -> NDArray[np.uint8]:
    """Some of the bits as Qiskit's `BitArray` packs them: last byte first filled, lowest bit first.

    Args:
        bits: shape (D, number of classical bits).
        positions: the classical bits of a register, its bit 0 first.

    Returns:
        uint8, shape (D, bytes that the register needs).
    """
    chosen = bits[:, list(positions)]
    return np.packbits(chosen, axis=1, bitorder="little")[:, ::-1]
