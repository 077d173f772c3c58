"""States of pairs against closed forms, and the listener as a channel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import RequestError, StateError
from qrealm.network.pair_states import (
    bell_pair,
    checked_pair,
    correlations,
    error_rates,
    intercepted,
    opposite_bases,
    outcome_probabilities,
)

PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def werner(weight):
    return weight * bell_pair() + (1 - weight) * np.eye(4) / 4


def random_state(seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    state = half @ half.conj().T
    return state / np.trace(state)


def test_perfect_pairs_have_no_errors():
    assert error_rates(bell_pair()) == pytest.approx((0.0, 0.0), abs=1e-15)


@pytest.mark.parametrize("weight", [1.0, 0.9, 0.5, 0.0])
def test_werner_pairs_err_alike_in_both_bases(weight):
    assert error_rates(werner(weight)) == pytest.approx(((1 - weight) / 2,) * 2, abs=1e-15)


def test_dephased_pairs_err_in_x_alone():
    state = bell_pair()
    state[0, 3] *= math.exp(-0.4)
    state[3, 0] *= math.exp(-0.4)
    assert error_rates(state) == pytest.approx((0.0, (1 - math.exp(-0.4)) / 2), abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_traces_with_pauli_products(seed):
    state = random_state(seed)
    for name, found in zip("ZX", correlations(state), strict=True):
        assert found == pytest.approx(np.trace(state @ np.kron(PAULIS[name], PAULIS[name])).real, abs=1e-12)


def test_the_first_end_has_the_low_bit():
    state = np.zeros((4, 4))
    state[1, 1] = 1.0
    found = outcome_probabilities(checked_pair(state))
    assert found[0, 0] == pytest.approx([0, 1, 0, 0])
    assert found[1, 0] == pytest.approx([0.5, 0.5, 0, 0])
    assert found[0, 1] == pytest.approx([0, 0.5, 0, 0.5])


@pytest.mark.parametrize(
    ("pauli", "opposite"),
    [("I", (False, False)), ("X", (True, False)), ("Z", (False, True)), ("Y", (True, True))],
)
def test_every_bell_state_has_its_relation_and_no_errors(pauli, opposite):
    turn = np.kron(np.eye(2), PAULIS[pauli])
    state = turn @ bell_pair() @ turn.conj().T
    assert opposite_bases(state) == opposite
    assert error_rates(state, opposite) == pytest.approx((0.0, 0.0), abs=1e-15)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_listener_on_perfect_pairs_makes_a_quarter_of_the_share(share):
    assert error_rates(intercepted(bell_pair(), share)) == pytest.approx((share / 4,) * 2, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_the_listener_is_measuring_and_sending_on(seed):
    """The channel against projectors of both bases on the second end's qubit, written out."""
    state = random_state(seed)
    sent = np.zeros((4, 4), dtype=complex)
    for basis in (np.eye(2), np.array([[1, 1], [1, -1]]) / math.sqrt(2)):
        for outcome in (0, 1):
            projector = np.kron(np.outer(basis[outcome], basis[outcome]), np.eye(2))
            sent += projector @ state @ projector / 2
    assert intercepted(state, 0.4) == pytest.approx(0.6 * state + 0.4 * sent, abs=1e-14)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_from_0_to_1(share):
    with pytest.raises(RequestError, match="from 0 to 1"):
        intercepted(bell_pair(), share)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (np.eye(2) / 2, "shape"),
        (np.full((4, 4), math.nan), "finite"),
        (np.eye(4) / 4 + np.triu(np.full((4, 4), 0.01), 1), "Hermitian"),
        (np.eye(4), "trace"),
        (np.diag([1.2, -0.2, 0, 0]), "eigenvalue"),
    ],
)
def test_what_is_no_state_is_refused(state, words):
    with pytest.raises(StateError, match=words):
        checked_pair(state)
