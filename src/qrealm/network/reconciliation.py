"""Cascade: two ends correct the differences between their bits by comparing parities in the open.

Source: Brassard and Salvail, Advances in Cryptology, EUROCRYPT '93, LNCS 765, 410 (1994). The number of
passes follows Martinez-Mateo, Pacher, Peev, Ciurana, Martin, Quantum Information and Computation 15, 453
(2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError

Bits = NDArray[np.uint8]
PASSES = 14
_FIRST_BLOCK = 0.73  # times 1 / error rate: the original paper's choice
_RATE_MIN = 1e-4


@dataclass(frozen=True, eq=False, slots=True)
class Reconciled:
    """What Cascade did.

    Attributes:
        bits: the second end's bits after correction, uint8 of shape (n,).
        leaked_bits: parities of its own bits that the first end disclosed.
        corrected: bits that the second end turned.
    """

    bits: Bits
    leaked_bits: int
    corrected: int


class _Pass:
    """One shuffled division of all positions into blocks.

    Parities add up, so the first end's parity against the second end's is the parity of the difference:
    that is what is kept here. Every question costs one parity that the first end discloses.
    """

    def __init__(self, order: NDArray[np.int64], size: int) -> None:
        num_bits = len(order)
        blocks = -(-num_bits // size)
        # Positions of each block in a row; the last row is filled with a position whose bits never differ.
        padded = np.full(blocks * size, num_bits, dtype=np.int64)
        padded[:num_bits] = order
        self.positions = padded.reshape(blocks, size)
        self.size = size
        self.lengths = np.full(blocks, size)
        self.lengths[-1] = num_bits - (blocks - 1) * size
        self.block_of = np.empty(num_bits, dtype=np.int64)
        self.block_of[order] = np.arange(num_bits) // size
        self.odd = np.zeros(blocks, dtype=bool)

    def compare(self, differs: Bits) -> int:
        """Compare the parity of every block; returns how many were disclosed."""
        self.odd = (differs[self.positions].sum(axis=1, dtype=np.int64) & 1).astype(bool)
        return len(self.odd)

    def search(self, differs: Bits) -> tuple[NDArray[np.int64], int]:
        """One differing position in every odd block, by halving; and the parities that it took."""
        blocks = np.flatnonzero(self.odd)
        sums = np.zeros((len(blocks), self.size + 1), dtype=np.int64)
        np.cumsum(differs[self.positions[blocks]], axis=1, out=sums[:, 1:])
        low = np.zeros(len(blocks), dtype=np.int64)
        high = self.lengths[blocks].copy()
        rows = np.arange(len(blocks))
        asked = 0
        while (open_rows := high - low > 1).any():
            asked += int(open_rows.sum())
            middle = (low + high) // 2
            left = ((sums[rows, middle] - sums[rows, low]) & 1).astype(bool)
            high = np.where(open_rows & left, middle, high)
            low = np.where(open_rows & ~left, middle, low)
        return self.positions[blocks, low], asked

    def turn(self, positions: NDArray[np.int64]) -> None:
        """Take note that the bits at `positions` were turned."""
        touched = np.bincount(self.block_of[positions], minlength=len(self.odd))
        self.odd ^= (touched & 1).astype(bool)


def cascade(first: Bits, second: Bits, error_rate: float, rng: np.random.Generator) -> Reconciled:
    """Correct the second end's bits to the first end's.

    The first pass has blocks of 0.73 / error rate; each further one has blocks of twice the size, at most
    half of all bits, in a new order drawn from `rng`. Whenever a bit is turned, blocks of earlier passes
    become odd again and give away another error. Errors may remain, with small probability; a hash tells.

    Args:
        first, second: bits of both ends, uint8 of shape (n,), each 0 or 1.
        error_rate: about the share of bits that differ; decides the size of blocks, nothing else.

    Raises:
        RequestError: the two have different lengths.
    """
    if first.shape != second.shape:
        raise RequestError(f"cascade of {first.shape} and {second.shape} bits; both ends have as many")
    num_bits = len(first)
    if num_bits == 0:
        return Reconciled(second.copy(), 0, 0)
    differs = np.zeros(num_bits + 1, dtype=np.uint8)
    differs[:num_bits] = first ^ second
    largest = max(1, num_bits // 2)
    size = min(largest, max(1, int(_FIRST_BLOCK / max(error_rate, _RATE_MIN))))
    passes: list[_Pass] = []
    leaked = corrected = 0
    for number in range(PASSES):
        order = rng.permutation(num_bits) if number else np.arange(num_bits)
        newest = _Pass(order, size)
        passes.append(newest)
        leaked += newest.compare(differs)
        # The smallest odd blocks first: they cost the fewest questions.
        while (odd := next((each for each in passes if each.odd.any()), None)) is not None:
            positions, asked = odd.search(differs)
            leaked += asked
            corrected += len(positions)
            differs[positions] ^= 1
            for each in passes:
                each.turn(positions)
        size = min(largest, size * 2)
    return Reconciled(first ^ differs[:num_bits], leaked, corrected)
