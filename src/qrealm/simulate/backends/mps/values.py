"""Numbers read off a chain: expectation values, amplitudes, probabilities, the whole vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Tensor

_ROWS_MAX = 1024
"""Amplitudes that are read together."""

_X, _Z, _Y = 1, 2, 3
_Letters = tuple[tuple[int, int], ...]  # (site, letter), ascending


def expectations(chain: Chain, strings: Iterable[tuple[int, int]]) -> dict[tuple[int, int], float]:
    """<P> of each Pauli string (x mask, z mask), masks over qubits. Moves the centre.

    The sites left of a string and right of it drop out. Strings that begin at the same site share their work
    as far as their letters agree.
    """
    found: dict[tuple[int, int], float] = {}
    starting: dict[int, list[tuple[_Letters, tuple[int, int]]]] = {}
    for string in set(strings):
        letters = _letters(chain, *string)
        if letters:
            starting.setdefault(letters[0][0], []).append((letters, string))
        else:
            found[string] = 1.0
    for first in sorted(starting):
        chain.move_to(first)
        _descend(chain, first, starting[first], found)
    return found


def _letters(chain: Chain, x: int, z: int) -> _Letters:
    letters: list[tuple[int, int]] = []
    mask = x | z
    while mask:
        low = mask & -mask
        qubit = low.bit_length() - 1
        letters.append((chain.place[qubit], (_X if x & low else 0) | (_Z if z & low else 0)))
        mask ^= low
    return tuple(sorted(letters))


def _descend(
    chain: Chain,
    first: int,
    group: list[tuple[_Letters, tuple[int, int]]],
    found: dict[tuple[int, int], float],
) -> None:
    """Values of strings that begin at the centre. `known` letters of a group's strings are in its
    environment: shape (bond of the bra, bond of the ket)."""
    # (site, environment, strings, letters known)
    stack: list[tuple[int, Tensor | None, list[tuple[_Letters, tuple[int, int]]], int]] = [
        (first, None, group, 0)
    ]
    while stack:
        cancel.check()
        site, environment, strings, known = stack.pop()
        bra = chain.tensors[site]
        ket = bra
        if environment is not None:
            ket = (environment @ bra.reshape(bra.shape[0], -1)).reshape(-1, 2, bra.shape[2])
        branches: dict[int, list[tuple[_Letters, tuple[int, int]]]] = {}
        for letters, string in strings:
            at, letter = letters[known]
            branches.setdefault(letter if at == site else 0, []).append((letters, string))
        for letter, members in branches.items():
            turned = _with_letter(ket, letter)
            after = known + (letter > 0)
            going = [each for each in members if len(each[0]) > after]
            for _, string in (each for each in members if len(each[0]) == after):
                found[string] = float(np.vdot(bra, turned).real)
            if going:
                right = bra.shape[2]
                product = bra.conj().reshape(-1, right).T @ turned.reshape(-1, right)
                stack.append((site + 1, product, going, after))


def _with_letter(ket: Tensor, letter: int) -> Tensor:
    """A Pauli matrix on the middle axis."""
    if letter == 0:
        return ket
    turned: Tensor
    if letter == _Z:
        turned = ket * np.array([1, -1], dtype=ket.dtype)[:, None]
        return turned
    turned = ket[:, ::-1]
    return turned if letter == _X else turned * np.array([-1j, 1j], dtype=ket.dtype)[:, None]


def amplitudes(chain: Chain, indices: Sequence[int]) -> NDArray[np.complex128]:
    """Amplitudes of basis states by index, shape (len(indices),)."""
    found = np.zeros(len(indices), dtype=np.complex128)
    for start in range(0, len(indices), _ROWS_MAX):
        cancel.check()
        chosen = indices[start : start + _ROWS_MAX]
        count = np.arange(len(chosen))
        rows: Tensor = np.ones((len(chosen), 1), dtype=chain.dtype)
        for site, tensor in enumerate(chain.tensors):
            qubit = chain.wire[site]
            bit = np.array([(index >> qubit) & 1 for index in chosen])
            left, _, right = tensor.shape
            rows = (rows @ tensor.reshape(left, -1)).reshape(-1, 2, right)[count, bit]
        found[start : start + len(chosen)] = rows[:, 0]
    return found * chain.phase


def vector(chain: Chain) -> Tensor:
    """All amplitudes, shape (2^n,), in the precision of the chain. Holds two such arrays for a while."""
    count = len(chain)
    whole: Tensor = np.full((1, 1), chain.phase, dtype=chain.dtype)
    for tensor in chain.tensors:
        cancel.check()
        whole = (whole @ tensor.reshape(tensor.shape[0], -1)).reshape(-1, tensor.shape[2])
    axes = [chain.place[q] for q in reversed(range(count))]
    if axes == list(range(count)):
        return whole.reshape(-1)
    return np.ascontiguousarray(whole.reshape((2,) * count).transpose(axes)).reshape(-1)


def probabilities(chain: Chain, qubits: Sequence[int]) -> NDArray[np.float64]:
    """Outcome probabilities of a few qubits, shape (2^k,), the first one bit 0. Moves the centre."""
    sites = sorted(chain.place[q] for q in qubits)
    chain.move_to(sites[0])
    start = chain.tensors[sites[0]].shape[0]
    # One environment for each outcome so far: shape (outcomes, bond of the bra, bond of the ket).
    environments: Tensor = np.eye(start, dtype=chain.dtype)[None]
    read = set(sites)
    for site in range(sites[0], sites[-1] + 1):
        cancel.check()
        tensor = chain.tensors[site]
        left, _, right = tensor.shape
        kets = (environments @ tensor.reshape(left, -1)).reshape(-1, left, 2, right)
        if site in read:
            bras = tensor.conj().transpose(1, 2, 0)  # (bit, right, left)
            environments = np.matmul(bras[None], kets.transpose(0, 2, 1, 3)).reshape(-1, right, right)
        else:
            bra = tensor.conj().reshape(2 * left, right).T
            environments = np.matmul(bra, kets.reshape(-1, 2 * left, right))
    weights = np.einsum("oii->o", environments).real.astype(np.float64)
    # Bits of the first site come first: its axis is the slowest. An outcome's bit 0 is the last axis.
    order = [sites.index(chain.place[q]) for q in reversed(qubits)]
    found: NDArray[np.float64] = weights.reshape((2,) * len(qubits)).transpose(order).reshape(-1)
    return found
