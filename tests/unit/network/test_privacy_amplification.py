"""Toeplitz hashing against the matrix written out, and its collisions against 2^-m."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import RequestError
from qrealm.network.privacy_amplification import toeplitz_hash, toeplitz_seed


@pytest.mark.parametrize(("num_bits", "hash_bits"), [(1, 1), (5, 3), (3, 5), (64, 64), (257, 100)])
def test_the_hash_is_the_matrix_product(num_bits, hash_bits):
    rng = np.random.default_rng(num_bits)
    bits = rng.integers(0, 2, num_bits, dtype=np.uint8)
    seed = toeplitz_seed(num_bits, hash_bits, rng)
    matrix = np.array(
        [[seed[row - column + num_bits - 1] for column in range(num_bits)] for row in range(hash_bits)]
    )
    assert np.array_equal(toeplitz_hash(bits, seed, hash_bits), matrix.astype(int) @ bits % 2)


def test_the_hash_of_many_bits_is_exact():
    """Bits that are all 1 make the sums largest: each is then a difference of running sums of the seed."""
    num_bits, hash_bits = 300_000, 256
    seed = toeplitz_seed(num_bits, hash_bits, np.random.default_rng(3))
    running = np.concatenate(([0], np.cumsum(seed, dtype=np.int64)))
    wanted = (running[num_bits : num_bits + hash_bits] - running[:hash_bits]) % 2
    assert np.array_equal(toeplitz_hash(np.ones(num_bits, np.uint8), seed, hash_bits), wanted)


def test_two_inputs_collide_as_often_as_chance():
    """8 hash bits: 1/256 of 20,000 matrices, within 5 standard deviations."""
    rng = np.random.default_rng(4)
    one, two = rng.integers(0, 2, (2, 40), dtype=np.uint8)
    same = 0
    for _ in range(20_000):
        seed = toeplitz_seed(40, 8, rng)
        same += np.array_equal(toeplitz_hash(one, seed, 8), toeplitz_hash(two, seed, 8))
    mean = 20_000 / 256
    assert abs(same - mean) < 5 * math.sqrt(mean * (1 - 1 / 256))


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(RequestError, match="it needs 6"):
        toeplitz_hash(np.zeros(4, np.uint8), np.zeros(5, np.uint8), 3)
