"""Universal hashing with random Toeplitz matrices: shortens bits to what a listener knows nothing of.

Two different inputs of n bits have the same hash of m bits with probability 2^-m over the choice of the
matrix. Source: Krawczyk, Advances in Cryptology, CRYPTO '94, LNCS 839, 129 (1994).
"""

from __future__ import annotations

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.network.reconciliation import Bits


def toeplitz_seed(num_bits: int, hash_bits: int, rng: np.random.Generator) -> Bits:
    """The n + m - 1 random bits that are a Toeplitz matrix, uint8; both ends may say them in the open."""
    return rng.integers(0, 2, size=max(0, num_bits + hash_bits - 1), dtype=np.uint8)


def toeplitz_hash(bits: Bits, seed: Bits, hash_bits: int) -> Bits:
    """The product of the matrix T[i, j] = seed[i - j + n - 1] with `bits` modulo 2, uint8 of shape (m,).

    Computed as a convolution by FFT in double precision; sums are at most n, so rounding is exact far beyond
    any length that fits in memory.

    Raises:
        RequestError: `seed` does not have n + m - 1 bits.
    """
    if hash_bits < 1 or len(bits) < 1:
        return np.zeros(max(0, hash_bits), dtype=np.uint8)
    if len(seed) != len(bits) + hash_bits - 1:
        raise RequestError(
            f"a Toeplitz hash of {len(bits)} bits to {hash_bits} with a seed of {len(seed)} bits; "
            f"it needs {len(bits) + hash_bits - 1}"
        )
    # A cyclic convolution of this length wraps only into entries before n - 1, which are not used.
    length = 1 << (len(seed) - 1).bit_length()
    sums = np.fft.irfft(np.fft.rfft(bits, length) * np.fft.rfft(seed, length), length)
    wanted = sums[len(bits) - 1 : len(bits) - 1 + hash_bits]
    return (np.rint(wanted).astype(np.int64) & 1).astype(np.uint8)
