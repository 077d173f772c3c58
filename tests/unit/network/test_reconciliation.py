"""Cascade corrects, counts what it leaks, and stays near the Shannon limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import RequestError
from qrealm.network.error_statistics import binary_entropy
from qrealm.network.reconciliation import PASSES, cascade


def noisy(num_bits, rate, rng):
    first = rng.integers(0, 2, num_bits, dtype=np.uint8)
    return first, first ^ (rng.random(num_bits) < rate).astype(np.uint8)


@pytest.mark.parametrize("rate", [0.0, 0.005, 0.02, 0.05, 0.1])
def test_all_differences_go(rate):
    rng = np.random.default_rng(11)
    for _ in range(10):
        first, second = noisy(4000, rate, rng)
        done = cascade(first, second, rate, rng)
        assert np.array_equal(done.bits, first)
        assert done.corrected == (first ^ second).sum()


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1])
def test_leakage_is_above_the_shannon_limit_and_near_it(rate):
    rng = np.random.default_rng(12)
    first, second = noisy(100_000, rate, rng)
    leaked = cascade(first, second, rate, rng).leaked_bits
    limit = 100_000 * binary_entropy((first ^ second).mean())
    assert limit < leaked < 1.35 * limit


def test_equal_bits_leak_one_parity_for_each_block():
    bits = np.random.default_rng(1).integers(0, 2, 1000, dtype=np.uint8)
    # 0.73 / 0.0365 is 20: blocks of 20, 40, 80, 160, 320, then halves.
    blocks = [-(-1000 // min(500, 20 * 2**number)) for number in range(PASSES)]
    assert cascade(bits, bits, 0.0365, np.random.default_rng(2)).leaked_bits == sum(blocks)


def test_one_error_costs_one_halving():
    first = np.zeros(64, dtype=np.uint8)
    second = first.copy()
    second[37] = 1
    blocks = [2] * PASSES  # 0.73 / 0.001 is above half of all bits
    done = cascade(first, second, 0.001, np.random.default_rng(2))
    assert np.array_equal(done.bits, first)
    assert done.leaked_bits == sum(blocks) + 5  # a block of 32 is halved 5 times


@settings(max_examples=60)
@given(
    num_bits=st.integers(0, 300), rate=st.floats(0.0, 0.3), told=st.floats(0.0, 0.5), seed=st.integers(0, 99)
)
def test_it_never_makes_more_differences_than_there_were(num_bits, rate, told, seed):
    rng = np.random.default_rng(seed)
    first, second = noisy(num_bits, rate, rng)
    done = cascade(first, second, told, rng)
    assert (done.bits ^ first).sum() <= (first ^ second).sum()
    assert (done.bits ^ second).sum() <= done.corrected


def test_both_ends_have_as_many_bits():
    with pytest.raises(RequestError, match="as many"):
        cascade(np.zeros(3, np.uint8), np.zeros(4, np.uint8), 0.1, np.random.default_rng(1))
