"""Pauli strings on amplitudes on a device.

With X on the bits of x, Z on those of z and Y on both, P|b> = i^|xz| (-1)^|bz| |b ^ x>, where |m| counts the
bits of a mask. Amplitudes lie in rows of 2^12: low bits tell the place in a row, high bits the row, and a sum
with signs over all places of all rows is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.simulate.backends.gpu import arrays

_ROW_BITS = 12
_TERMS_MAX = 256
"""Strings that are summed at once: their signs are a table of 2^12 rows."""


def expectations(
    array: arrays.Tensor, num_qubits: int, x_masks: NDArray[np.uint64], z_masks: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """The value of each string on a state, shape (T,)."""
    values = np.zeros(len(x_masks))
    for x, chosen in _by_flip(x_masks):
        zs = [int(z_masks[index]) for index in chosen]
        values[chosen] = _of_flip(array, num_qubits, x, zs)
    return values


def applied(
    array: arrays.Tensor,
    num_qubits: int,
    x_masks: NDArray[np.uint64],
    z_masks: NDArray[np.uint64],
    coefficients: NDArray[np.float64],
) -> arrays.Tensor:
    """The sum of coefficient * string applied to the amplitudes: a new array."""
    result = torch.zeros_like(array)
    bits = min(_ROW_BITS, num_qubits)
    out = result.view(-1, 1 << bits)
    for x, chosen in _by_flip(x_masks):
        zs = [int(z_masks[index]) for index in chosen]
        # On the flipped side the sign of |b ^ x> is that of b' = b ^ x: (-1)^|b'z| (-1)^|xz|.
        factors = [_phase(x & z) * float(c) for z, c in zip(zs, coefficients[chosen], strict=True)]
        low = _signs(np.arange(1 << bits), zs, array)
        for begin, end, flipped in _flipped(array, bits, x):
            high = _signs(np.arange(begin, end), [z >> bits for z in zs], array)
            share = torch.zeros_like(flipped)
            for part, weights in (("real", np.real(factors)), ("imag", np.imag(factors))):
                if np.any(weights):
                    row = torch.from_numpy(np.ascontiguousarray(weights)).to(low)
                    getattr(share, part).add_((high * row) @ low.T)
            out[begin:end] += share * flipped
    return result


def _of_flip(array: arrays.Tensor, num_qubits: int, x: int, zs: list[int]) -> NDArray[np.float64]:
    """Values of the strings that share an x mask."""
    bits = min(_ROW_BITS, num_qubits)
    rows = array.view(-1, 1 << bits)
    low = _signs(np.arange(1 << bits), zs, array)
    values = np.zeros(len(zs), dtype=np.complex128)
    for begin, end, flipped in _flipped(array, bits, x):
        cancel.check()
        high = _signs(np.arange(begin, end), [z >> bits for z in zs], array)
        if x:
            products = rows[begin:end].conj() * flipped
            values += (_summed(products.real, low, high)) + 1j * _summed(products.imag, low, high)
        else:
            values += _summed(arrays.weights(flipped), low, high)
    return np.real(values * [_phase(x & z) for z in zs])


def _summed(values: arrays.Tensor, low: arrays.Tensor, high: arrays.Tensor) -> NDArray[np.float64]:
    return arrays.total((values @ low) * high, [0]).cpu().numpy().astype(np.float64)  # type: ignore[no-any-return]


def _phase(both: int) -> complex:
    """i^m (-1)^m for a mask of m bits."""
    return (1, -1j, -1, 1j)[both.bit_count() % 4]


def _by_flip(x_masks: NDArray[np.uint64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(x mask, strings that have it), at most `_TERMS_MAX` at a time."""
    for x in np.unique(x_masks).tolist():
        chosen = np.flatnonzero(x_masks == x)
        for begin in range(0, len(chosen), _TERMS_MAX):
            yield x, chosen[begin : begin + _TERMS_MAX]


def _flipped(array: arrays.Tensor, bits: int, x: int) -> Iterator[tuple[int, int, arrays.Tensor]]:
    """(first row, row after the last, amplitudes of index ^ x in those rows)."""
    rows = array.view(-1, 1 << bits)
    step = max(1, arrays.chunk_amplitudes(array) // 4 >> bits)
    low, high = x & (1 << bits) - 1, x >> bits
    columns = (torch.arange(1 << bits) ^ low).to(array.device)
    for begin in range(0, rows.shape[0], step):
        end = min(begin + step, rows.shape[0])
        if not x:
            yield begin, end, rows[begin:end]
            continue
        partners = (torch.arange(begin, end) ^ high).to(array.device)
        found = rows[partners]
        yield begin, end, found[:, columns] if low else found


def _signs(places: NDArray[np.int64], masks: Sequence[int], array: arrays.Tensor) -> arrays.Tensor:
    """Entry [p, t]: -1 where place p and mask t share an odd number of bits, else 1."""
    shared = places[:, None] & np.array(masks, dtype=np.int64)[None, :]
    for shift in (32, 16, 8, 4, 2, 1):
        shared ^= shared >> shift
    kind = torch.float32 if array.dtype == torch.complex64 else torch.float64
    return torch.from_numpy(1.0 - 2.0 * (shared & 1)).to(dtype=kind, device=array.device)
