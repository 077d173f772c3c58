"""Binomial tails, margins and lengths against scipy, enumeration and numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qrealm.network.error_statistics import (
    binary_entropy,
    chance_of_errors,
    sampling_margin,
    secret_length,
)


def test_entropy_at_known_points():
    assert binary_entropy(0.5) == 1.0
    assert binary_entropy(0.0) == binary_entropy(1.0) == 0.0
    # Shor and Preskill's threshold: 1 - 2h(Q) = 0 at 11.0 %.
    assert 1 - 2 * binary_entropy(0.1100) == pytest.approx(0.0, abs=3e-4)


@pytest.mark.parametrize(
    ("errors", "compared", "rate"),
    [(0, 10, 0.1), (3, 10, 0.1), (10, 10, 0.9), (60, 5000, 0.01), (700, 6000, 0.1), (3, 6000, 1e-12)],
)
def test_tails_are_those_of_the_binomial_distribution(errors, compared, rate):
    wanted = stats.binom.sf(errors - 1, compared, rate)
    assert chance_of_errors(errors, compared, rate) == pytest.approx(wanted, rel=1e-8)


def test_tails_at_the_edges():
    assert chance_of_errors(1, 10, 0.0) == 0.0
    assert chance_of_errors(11, 10, 0.5) == 0.0
    assert chance_of_errors(5, 10, 1.0) == 1.0
    assert chance_of_errors(250_000, 250_000, 0.01) == 0.0


def test_the_margin_by_hand():
    wanted = math.sqrt((4000 + 5000) / (4000 * 5000) * 5001 / 5000 * math.log(4e10))
    assert sampling_margin(4000, 5000) == pytest.approx(wanted, rel=1e-15)
    assert sampling_margin(0, 5000) == sampling_margin(4000, 0) == 1.0


def test_the_margin_holds_for_drawn_samples():
    """Of 400 bits with 40 errors, 200 are compared. With ε = 0.1 the rest may pass the margin in 10 % of
    4000 draws; 5 standard deviations of the binomial distribution are allowed above."""
    rng = np.random.default_rng(5)
    bits = np.zeros(400)
    bits[:40] = 1
    margin = sampling_margin(200, 200, 0.1)
    passed = 0
    for _ in range(4000):
        order = rng.permutation(bits)
        passed += order[200:].mean() > order[:200].mean() + margin
    assert passed <= 4000 * 0.1 + 5 * math.sqrt(4000 * 0.1 * 0.9)


def test_the_length_by_hand():
    # h(0.15) = 0.60984: 4000 · 0.39016 = 1560.6, less 900, less log2(2e20) = 67.4.
    assert secret_length(4000, 0.15, 900) == 593
    assert secret_length(4000, 0.5, 0) == secret_length(4000, 0.15, 10_000) == 0
