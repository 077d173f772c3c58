"""Bit strings: how sampled integers become the keys of counts. Stated once, here.

A sampled outcome is an integer whose bit i is classical bit i (qubit i when a circuit measures nothing
itself). ``"little"`` order prints it as Qiskit does: bit 0 rightmost, registers separated by a space, the
first register rightmost. ``"big"`` order is the same string reversed: bit 0 leftmost, the first register
leftmost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError

BitOrder = Literal["little", "big"]
BIT_ORDERS: tuple[BitOrder, ...] = ("little", "big")

Outcomes = Sequence[int] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class BitLayout:
    """Which bits an outcome has.

    Attributes:
        registers: (name, size) of each classical register; the first holds the lowest bits.
        bit_of_qubit: for each qubit, the bit that holds its final measurement, -1 where there is none.
    """

    registers: tuple[tuple[str, int], ...]
    bit_of_qubit: tuple[int, ...]

    @property
    def num_bits(self) -> int:
        """Bits of one outcome."""
        return sum(size for _, size in self.registers)


def check_bit_order(bit_order: str) -> BitOrder:
    """`bit_order` itself, or a RequestError that names the two that there are."""
    if bit_order not in BIT_ORDERS:
        raise RequestError(
            f"bit_order is {bit_order!r}; it must be 'little' (qubit 0 rightmost, as Qiskit prints) "
            "or 'big' (qubit 0 leftmost)"
        )
    return bit_order


def to_strings(outcomes: Outcomes, layout: BitLayout, bit_order: BitOrder) -> list[str]:
    """The key of each outcome."""
    values = outcomes.tolist() if isinstance(outcomes, np.ndarray) else outcomes
    num_bits = layout.num_bits
    pattern = f"0{num_bits}b"
    texts = [format(value, pattern) for value in values] if num_bits else [""] * len(values)
    cuts = _cuts(layout)
    if cuts:
        texts = [" ".join(text[start:stop] for start, stop in cuts) for text in texts]
    return [text[::-1] for text in texts] if bit_order == "big" else texts


def check_texts(texts: object, what: str) -> tuple[str, ...]:
    """Bit strings as a tuple; one alone is allowed. Raises RequestError."""
    if isinstance(texts, str):
        return (texts,)
    found = tuple(texts) if isinstance(texts, Iterable) else None
    if found is None or not all(isinstance(text, str) for text in found):
        raise RequestError(f'{what} got {texts!r:.60}; it must be bit strings, such as ["00", "11"]')
    return found


def from_string(text: str, num_bits: int, bit_order: BitOrder, what: str = "bit string") -> int:
    """The integer of a bit string; spaces and underscores between bits are allowed.

    Raises:
        RequestError: another character than 0 and 1, or another number of bits.
    """
    digits = text.replace(" ", "").replace("_", "")
    if len(digits) != num_bits or digits.strip("01"):
        raise RequestError(
            f"{what} {text!r} must have exactly {num_bits} characters, each 0 or 1",
            hint='bit 0 is the rightmost character ("little", the default) or the leftmost ("big")',
        )
    return int(digits[::-1] if bit_order == "big" else digits, 2) if digits else 0


def gather(outcomes: NDArray[np.uint64], positions: Sequence[int]) -> NDArray[np.uint64]:
    """New outcomes whose bit i is bit `positions[i]` of the old; at most 64 positions."""
    picked = np.zeros(len(outcomes), dtype=np.uint64)
    one = np.uint64(1)
    for target, source in enumerate(positions):
        picked |= ((outcomes >> np.uint64(source)) & one) << np.uint64(target)
    return picked


def scatter(outcomes: NDArray[np.uint64], positions: Sequence[int]) -> list[int]:
    """New outcomes of any width whose bit `positions[i]` is bit i of the old."""
    return [
        sum(((value >> source) & 1) << target for source, target in enumerate(positions))
        for value in outcomes.tolist()
    ]


def merge(outcomes: Iterable[int], counts: Iterable[int]) -> tuple[list[int], NDArray[np.int64]]:
    """Distinct outcomes, ascending, and the sum of counts of each."""
    total: dict[int, int] = {}
    for outcome, count in zip(outcomes, counts, strict=True):
        total[outcome] = total.get(outcome, 0) + count
    keys = sorted(total)
    return keys, np.array([total[key] for key in keys], dtype=np.int64)


def merge_array(
    outcomes: NDArray[np.uint64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct outcomes, ascending, and the sum of counts of each."""
    distinct, where = np.unique(outcomes, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, where, counts)
    return distinct, totals


def _cuts(layout: BitLayout) -> list[tuple[int, int]]:
    """(start, stop) of each register in the little-order string, leftmost first; empty when one register is
    all."""
    if len(layout.registers) < 2:
        return []
    stop = layout.num_bits
    cuts: list[tuple[int, int]] = []
    for _, size in layout.registers:
        cuts.append((stop - size, stop))
        stop -= size
    return cuts[::-1]
