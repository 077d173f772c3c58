"""The link's state against the relaxation of both halves written out, and how long it lasts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import RequestError
from qrealm.control.containers.messages.link import link_lifetime_s, link_state
from qrealm.network import bell_pair, pairs_needed
from qrealm.network.pair_states import checked_pair, error_rates


def relaxed(state, time_s, t1_s, t2_s, qubit):
    """Thermal relaxation of one qubit towards I/2, entry by entry: the definition."""
    kept = math.exp(-time_s / t1_s)
    dephasing = math.exp(-time_s * (1 / t2_s - 1 / t1_s))
    out = np.zeros((4, 4), dtype=complex)
    other = 1 - qubit
    for row in range(4):
        for column in range(4):
            same = (row >> qubit & 1) == (column >> qubit & 1)
            out[row, column] += kept * state[row, column] * (1 if same else dephasing)
            if same:
                for bit in (0, 1):
                    a = ((row >> other & 1) << other) | (bit << qubit)
                    b = ((column >> other & 1) << other) | (bit << qubit)
                    out[row, column] += (1 - kept) * 0.5 * state[a, b]
    return out


@pytest.mark.parametrize(("time_s", "t1_s", "t2_s"), [(0.0, 1, 1), (0.05, 10, 1), (0.7, 2, 0.5), (3.0, 1, 1)])
def test_both_halves_relax(time_s, t1_s, t2_s):
    wanted = relaxed(relaxed(bell_pair(), time_s, t1_s, t2_s, 0), time_s, t1_s, t2_s, 1)
    assert link_state(time_s, t1_s, t2_s) == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize("time_s", [0.0, 0.01, 0.1, 1.0, 100.0])
def test_error_rates_have_their_closed_forms(time_s):
    state = checked_pair(link_state(time_s, 10.0, 1.0))
    wanted = (1 - math.exp(-2 * time_s / 10)) / 2, (1 - math.exp(-2 * time_s)) / 2
    assert error_rates(state) == pytest.approx(wanted, abs=1e-15)


def test_a_clock_that_went_back_counts_as_no_time():
    assert link_state(-5.0, 10.0, 1.0) == pytest.approx(bell_pair())


@pytest.mark.parametrize(("t1_s", "t2_s"), [(10.0, 1.0), (1.0, 1.0), (3600.0, 60.0)])
def test_the_lifetime_is_where_keys_end(t1_s, t2_s):
    lifetime = link_lifetime_s(t1_s, t2_s)
    assert 0.05 * t2_s < lifetime < 0.15 * t2_s
    assert pairs_needed(link_state(lifetime, t1_s, t2_s)) is not None
    assert pairs_needed(link_state(lifetime + 2e-6 * t1_s, t1_s, t2_s)) is None


@pytest.mark.parametrize(
    "times",
    [(1.0, 1.0, 2.0), (1.0, 1.0, 0.0), (math.nan, 1.0, 1.0), (1.0, math.inf, 1.0), (1.0, 1.0, math.nan)],
)
def test_impossible_times_are_refused(times):
    with pytest.raises(RequestError, match="T2 <= T1"):
        link_state(*times)
