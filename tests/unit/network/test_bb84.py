"""Key agreement: error rates within binomial bounds, equal and even keys, listeners found, links refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qrealm.base.errors import RequestError
from qrealm.network import agree_on_key, bell_pair, pairs_needed
from qrealm.network.bb84 import ERROR_RATE_MAX, KEY_BITS_MIN, LISTENED_CHANCE, PAIRS_MAX
from qrealm.network.error_statistics import sampling_margin, secret_length


def werner(weight):
    return weight * bell_pair() + (1 - weight) * np.eye(4) / 4


def dephased(coherence):
    state = bell_pair()
    state[0, 3] = state[3, 0] = coherence / 2
    return state


def within(count, trials, share, deviations=5):
    return abs(count - trials * share) <= deviations * math.sqrt(trials * share * (1 - share)) + 1e-9


def test_perfect_pairs_give_the_same_key_to_both():
    found = agree_on_key(bell_pair(), np.random.default_rng(1))
    assert found.aborted is None
    assert found.errors == 0
    assert not found.listened
    assert found.key == found.key_of_second
    assert 8 * len(found.key) >= KEY_BITS_MIN


def test_the_same_seed_gives_the_same_key():
    one, two, other = (agree_on_key(werner(0.97), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one == two
    assert one.key != other.key


@pytest.mark.parametrize("weight", [0.98, 0.95, 0.9])
def test_noise_of_the_link_accuses_nobody(weight):
    state = werner(weight)
    pairs = pairs_needed(state)
    assert pairs is not None
    found = agree_on_key(state, np.random.default_rng(7), pairs=pairs)
    assert found.aborted is None
    assert found.key == found.key_of_second
    assert not found.listened
    assert within(found.errors, found.compared, (1 - weight) / 2)
    assert within(found.sifted, found.pairs, 0.5)


def test_each_basis_has_its_own_error_rate():
    found = agree_on_key(dephased(0.9), np.random.default_rng(8), pairs=40_000)
    assert found.error_rate_z == 0.0
    assert found.declared_x == pytest.approx(0.05)
    # At least 9,000 X bits of 40,000 pairs.
    assert abs(found.error_rate_x - 0.05) < 5 * math.sqrt(0.05 * 0.95 / 9000)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 1.0])
def test_a_listener_makes_a_quarter_of_the_share_and_is_found(share):
    found = agree_on_key(bell_pair(), np.random.default_rng(9), intercept_share=share)
    assert within(found.errors, found.compared, share / 4)
    assert found.aborted == "listened"
    assert found.listened
    assert found.key == found.key_of_second == b""


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_listener_is_found_on_a_noisy_link(share):
    """Werner pairs of weight v: the error rate is (1 - v(1 - s/2))/2."""
    found = agree_on_key(werner(0.95), np.random.default_rng(10), intercept_share=share)
    assert within(found.errors, found.compared, (1 - 0.95 * (1 - share / 2)) / 2)
    assert found.listened


def test_the_chance_is_the_smaller_binomial_tail_twice():
    """Perfect in Z, so all errors are in X: scipy's tail of the X bits alone."""
    found = agree_on_key(dephased(0.9), np.random.default_rng(11))
    assert found.error_rate_z == 0.0
    compared = round(found.errors / found.error_rate_x)
    assert found.chance == pytest.approx(min(1.0, 2 * stats.binom.sf(found.errors - 1, compared, 0.05)))


def test_honest_links_are_accused_as_seldom_as_declared():
    """The chance of an undisturbed link is below p with probability p at most: p = 0.05, 400 runs, 5 standard
    deviations."""
    rng = np.random.default_rng(12)
    chances = [agree_on_key(werner(0.96), rng, pairs=4000).chance for _ in range(400)]
    assert sum(chance < 0.05 for chance in chances) <= 400 * 0.05 + 5 * math.sqrt(400 * 0.05 * 0.95)
    assert min(chances) > LISTENED_CHANCE


def test_above_11_percent_there_is_no_key_and_nobody_is_accused():
    found = agree_on_key(werner(0.7), np.random.default_rng(13))
    assert found.error_rate > ERROR_RATE_MAX
    assert found.aborted == "noise"
    assert not found.listened
    assert found.key == b""


def test_too_few_pairs_give_no_key():
    found = agree_on_key(bell_pair(), np.random.default_rng(14), pairs=1500)
    assert found.aborted == "length"
    assert found.key == b""
    for pairs in (1, 2, 3, 10):
        assert agree_on_key(bell_pair(), np.random.default_rng(pairs), pairs=pairs).aborted == "length"


def test_the_length_is_that_of_the_formula():
    found = agree_on_key(werner(0.97), np.random.default_rng(15))
    kept = found.sifted - found.compared
    wanted = secret_length(kept, found.error_rate_bound, found.leaked_bits)
    assert 8 * len(found.key) == wanted // 8 * 8
    assert found.error_rate_bound > found.error_rate_x + sampling_margin(kept, found.compared) - 1e-12


def test_pairs_with_opposite_bits_work_as_well():
    turn = np.kron(np.eye(2), np.array([[0, -1j], [1j, 0]]))
    found = agree_on_key(turn @ werner(0.97) @ turn.conj().T, np.random.default_rng(16))
    assert found.aborted is None
    assert within(found.errors, found.compared, 0.015)
    assert found.key == found.key_of_second


def test_keys_are_even():
    """Bits of 40 keys: as many ones as zeros, and neighbours that are independent, within 5 standard
    deviations; bytes by a χ² test at 1e-6."""
    rng = np.random.default_rng(17)
    keys = b"".join(agree_on_key(werner(0.98), rng).key for _ in range(40))
    bits = np.unpackbits(np.frombuffer(keys, dtype=np.uint8))
    assert within(int(bits.sum()), len(bits), 0.5)
    assert within(int((bits[1:] ^ bits[:-1]).sum()), len(bits) - 1, 0.5)
    assert stats.chisquare(np.bincount(np.frombuffer(keys, dtype=np.uint8), minlength=256)).pvalue > 1e-6


def test_the_planned_pairs_suffice():
    """30 runs at 6 % errors, all with a key: the plan allows three standard deviations."""
    state = werner(0.88)
    pairs = pairs_needed(state)
    assert pairs is not None
    rng = np.random.default_rng(18)
    done = [agree_on_key(state, rng, pairs=pairs) for _ in range(30)]
    assert all(found.aborted is None and found.key == found.key_of_second for found in done)


def test_noisier_links_need_more_pairs_until_none_suffice():
    needs = [pairs_needed(werner(weight)) for weight in (1.0, 0.95, 0.9, 0.85)]
    assert None not in needs
    assert needs == sorted(needs)
    assert needs[0] < needs[-1] <= PAIRS_MAX
    assert pairs_needed(werner(0.78)) is None
    assert pairs_needed(werner(0.5)) is None


@pytest.mark.parametrize("pairs", [0, -1, PAIRS_MAX + 1])
def test_a_number_of_pairs_out_of_range_is_refused(pairs):
    with pytest.raises(RequestError, match="pairs"):
        agree_on_key(bell_pair(), np.random.default_rng(1), pairs=pairs)
