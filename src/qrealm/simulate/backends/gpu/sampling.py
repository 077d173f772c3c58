"""Samples from amplitudes on a device: the draw of shot s depends on the seed and s alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.base.errors import RunError
from qrealm.simulate.backends.gpu import arrays

ROW_BITS = 12
"""Amplitudes are summed up in rows of 2^12. The sums of all rows lie on the host."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(shots: int, seed: int) -> NDArray[np.float64]:
    """One number in [0, 1) per shot, by SplitMix64's finaliser of seed and shot (Steele, Lea, Flood, "Fast
    splittable pseudorandom number generators", OOPSLA 2014)."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64
        key = _mixed(np.array([seed], dtype=np.uint64) + _GOLDEN)
        words = _mixed(key + _GOLDEN * np.arange(1, shots + 1, dtype=np.uint64))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def draw(array: arrays.Tensor, num_qubits: int, shots: int, seed: int) -> NDArray[np.uint64]:
    """Basis indices, shape (shots,)."""
    bits = min(ROW_BITS, num_qubits)
    rows = array.view(-1, 1 << bits)
    ends = np.cumsum(_row_sums(rows))
    if not (np.isfinite(ends[-1]) and ends[-1] > 0):
        raise RunError("the amplitudes of a state have lost their norm")
    targets = uniforms(shots, seed) * ends[-1]
    order = np.argsort(targets, kind="stable")
    targets = targets[order]
    row_of = np.minimum(np.searchsorted(ends, targets, side="right"), len(ends) - 1)
    # A row without weight is never hit but by rounding at the very end: go back to the last that has some.
    sums = np.diff(ends, prepend=0.0)
    last = int(np.flatnonzero(sums)[-1])
    row_of = np.minimum(row_of, last)
    shares = np.clip((targets - (ends - sums)[row_of]) / sums[row_of], 0.0, 1.0)
    found = np.empty(shots, dtype=np.uint64)
    hit, first = np.unique(row_of, return_index=True)
    bounds = np.append(first, shots)
    step = max(1, arrays.chunk_amplitudes(array) // 2 >> bits)
    for begin in range(0, len(hit), step):
        cancel.check()
        some = hit[begin : begin + step]
        low, high = bounds[begin], bounds[begin + len(some)]
        ordinals = np.searchsorted(some, row_of[low:high])
        within = _places(rows, some, ordinals, shares[low:high])
        found[low:high] = (row_of[low:high] << bits) + within
    result = np.empty_like(found)
    result[order] = found
    return result


def _row_sums(rows: arrays.Tensor) -> NDArray[np.float64]:
    step = max(1, arrays.chunk_amplitudes(rows) // rows.shape[1])
    parts = []
    for begin in range(0, rows.shape[0], step):
        cancel.check()
        part = arrays.weights(rows[begin : begin + step])
        parts.append(arrays.total(part, [1]).cpu().numpy().astype(np.float64))
    return np.concatenate(parts)


def _places(
    rows: arrays.Tensor, some: NDArray[np.int64], ordinals: NDArray[np.int64], shares: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Where in its row each draw falls: the first place whose cumulative share is above the draw's."""
    part = arrays.weights(rows[torch.from_numpy(some).to(rows.device)])
    if part.device.type == "mps":
        part = part.cpu()  # Metal has no double precision
    sums = torch.cumsum(part, dim=1, dtype=torch.float64)
    width = sums.shape[1]
    numbers = torch.arange(len(some), dtype=torch.float64, device=sums.device)[:, None]
    ends = sums[:, -1:]
    last = torch.searchsorted(sums, ends.contiguous())  # the first place that has all the weight
    # Rows side by side on one line, so that one search finds the places of all draws.
    line = (sums / ends + numbers).reshape(-1)
    where = torch.from_numpy(ordinals).to(sums.device)
    places = torch.searchsorted(line, torch.from_numpy(shares).to(sums.device) + where, right=True)
    places = torch.minimum(places - where * width, last[:, 0][where])
    return places.clamp_(min=0).cpu().numpy()  # type: ignore[no-any-return]
