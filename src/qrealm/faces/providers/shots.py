"""Counts as single shots, for frameworks that keep a record of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.results import Result


def bits_of_shots(result: Result, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """The bits of each shot, in random order: counts come sorted, shots do not.

    Args:
        width: bits of an outcome.
        generator: draws the order.

    Returns:
        0s and 1s, shape (shots, width), column i for bit i of an outcome.
    """
    values, draws = result.outcomes
    size = (width + 7) // 8
    raw = np.frombuffer(b"".join(value.to_bytes(size, "little") for value in values), dtype=np.uint8)
    bits = np.unpackbits(raw.reshape(len(values), size), axis=1, bitorder="little")[:, :width]
    order = generator.permutation(np.repeat(np.arange(len(values)), draws))
    shots: NDArray[np.uint8] = bits[order]
    return shots


__all__ = ["bits_of_shots"]
