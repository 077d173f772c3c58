"""Random numbers as a function of (seed, stream, index): what a shot meets depends on its number alone.

The function is the kernel's own (kernels/state/random.h): SplitMix64's finaliser by Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014. `State.sample` draws shot s from stream 0, and
because the finaliser can be inverted, a seed can be moved along that stream: `moved_seed`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_FIRST_INVERSE = pow(_FIRST, -1, 1 << 64)
_SECOND_INVERSE = pow(_SECOND, -1, 1 << 64)


def uniforms(seed: int, stream: int, indices: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers from 0 up to 1, float64, one for each index, whatever other indices are asked with it."""
    key = np.uint64(_mix((seed + _GOLDEN * (stream + 1)) & _WORD))
    words = key + np.uint64(_GOLDEN) * (indices + np.uint64(1))
    words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
    words ^= words >> np.uint64(31)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def moved_seed(seed: int, shots: int) -> int:
    """The seed whose shot 0 is shot number `shots` of `seed` in `State.sample`."""
    key = (_mix((seed + _GOLDEN) & _WORD) + _GOLDEN * shots) & _WORD
    return (_unmix(key) - _GOLDEN) & _WORD


def _mix(word: int) -> int:
    word = ((word ^ (word >> 30)) * _FIRST) & _WORD
    word = ((word ^ (word >> 27)) * _SECOND) & _WORD
    return word ^ (word >> 31)


def _unmix(word: int) -> int:
    word = (_unshift(word, 31) * _SECOND_INVERSE) & _WORD
    word = (_unshift(word, 27) * _FIRST_INVERSE) & _WORD
    return _unshift(word, 30)


def _unshift(word: int, bits: int) -> int:
    """The number whose XOR with itself shifted right by `bits` is `word`; bits is at least 22."""
    return word ^ (word >> bits) ^ (word >> (2 * bits))
