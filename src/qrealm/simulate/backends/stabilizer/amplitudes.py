"""Amplitudes of a stabilizer state, up to a global phase.

A stabilizer state is an even superposition over an affine space of bit strings: its stabilizers of Z's alone
say which strings, the others lead from one string to another and carry the phase along (S. Aaronson and
D. Gottesman, arXiv:quant-ph/0406196). The phase of the lowest string is taken as 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PHASES = np.array([1, 1j, -1, -1j])


class Amplitudes:
    """Reads amplitudes of what a tableau makes of |0...0>.

    Args:
        tableau: stim's.
    """

    def __init__(self, tableau: Any) -> None:
        moves, checks = _generators(tableau)
        self._moves = moves
        self._start = _lowest(checks, [x for x, _, _ in moves])
        self._size = 2.0 ** (-len(moves) / 2)

    def at(self, index: int) -> complex:
        """The amplitude of one basis state."""
        string, phase = self._start, 0
        for x, z, power in self._moves:
            if (string ^ index) >> (x.bit_length() - 1) & 1:
                # The generator i^power X^x Z^z takes |s> to i^power (-1)^(z·s) |s ^ x>.
                phase += power + 2 * ((z & string).bit_count() & 1)
                string ^= x
        if string != index:
            return 0.0j
        return complex(self._size * _PHASES[phase % 4])

    def vector(self, num_qubits: int) -> NDArray[np.complex128]:
        """All amplitudes, complex128, shape (2^n,)."""
        indices = np.array([self._start], dtype=np.int64)
        phases = np.zeros(1, dtype=np.int64)
        for x, z, power in self._moves:
            signs = np.bitwise_count(indices & z).astype(np.int64)
            indices, phases = (
                np.concatenate([indices, indices ^ x]),
                np.concatenate([phases, phases + power + 2 * signs]),
            )
        found = np.zeros(1 << num_qubits, dtype=np.complex128)
        found[indices] = self._size * _PHASES[phases % 4]
        return found


def _generators(tableau: Any) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """((x, z, power of i) of generators that move, their leading x bits different; (z, sign) of the others).

    Each stands for i^power X^x Z^z. A generator's leading x bit is in no other's x.
    """
    rows = []
    for string in tableau.to_stabilizers(canonicalize=False):
        xs, zs = string.to_numpy(bit_packed=True)
        x, z = (int.from_bytes(part.tobytes(), "little") for part in (xs, zs))
        # Y = i X Z
        rows.append((x, z, ((x & z).bit_count() + (2 if string.sign.real < 0 else 0)) % 4))
    moves: list[tuple[int, int, int]] = []
    waiting = rows
    checks: list[tuple[int, int]] = []
    while waiting:
        row = waiting.pop()
        for move in moves:
            if row[0] >> (move[0].bit_length() - 1) & 1:
                row = _product(row, move)
        if not row[0]:
            checks.append((row[1], row[2] // 2))
            continue
        lead = row[0].bit_length() - 1
        moves = [_product(move, row) if move[0] >> lead & 1 else move for move in moves]
        moves.append(row)
    return moves, checks


def _product(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    """first · second, as i^power X^x Z^z: Z^z of the first passes X^x of the second."""
    swaps = (first[1] & second[0]).bit_count()
    return first[0] ^ second[0], first[1] ^ second[1], (first[2] + second[2] + 2 * swaps) % 4


def _lowest(checks: Sequence[tuple[int, int]], moves: Sequence[int]) -> int:
    """The lowest bit string that satisfies the parity checks (z, parity)."""
    solved: list[tuple[int, int]] = []  # each with a leading bit of its own
    for z, parity in checks:
        for other, its_parity in solved:
            if z >> (other.bit_length() - 1) & 1:
                z, parity = z ^ other, parity ^ its_parity
        if not z:
            continue
        lead = z.bit_length() - 1
        solved = [(o ^ z, p ^ parity) if o >> lead & 1 else (o, p) for o, p in solved]
        solved.append((z, parity))
    string = sum(1 << z.bit_length() - 1 for z, parity in solved if parity)
    for move in sorted(moves, reverse=True):
        string = min(string, string ^ move)
    return string
