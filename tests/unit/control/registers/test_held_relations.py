"""How likely a relation holds while its register decays: closed forms, and the decay itself."""

from __future__ import annotations

import math

import pytest

from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers import registers as rg
from qrealm.control.containers.values import Member, Relation

OURS = rg.find_simulator("qrealm")
T1_S, T2_S = 10.0, 1.0


def group(num_states, *ties, probabilities=(0.5, 0.5, 0.5)):
    """A group of a, b and so on, prepared with relations between them."""
    members = [Member("abc"[i], num_states, chance) for i, chance in enumerate(probabilities)]
    relations = rg.dealt_evenly(
        [Relation(*tie) for tie in ties], {member.container: num_states for member in members}
    )
    tied = [m for m in members if any(m.container in (r.first, r.second) for r in relations)]
    return rg.prepare_group(tied, relations, 0.0), relations


@pytest.mark.parametrize("mode", ["same", "opposite", "spread"])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 7.0, 200.0])
def test_two_states_at_even_odds(mode, seconds):
    register, (relation,) = group(2, ("a", "b", mode))
    held = rg.relation_probability_at(register, relation, seconds, T1_S)
    assert held == pytest.approx((1 + math.exp(-2 * seconds / T1_S)) / 2, abs=1e-12)


@pytest.mark.parametrize("seconds", [0.0, 3.0, 50.0])
def test_declared_odds_that_fit_and_others(seconds):
    """Both relax towards what they declare: p and q. What is left of the pair is a² of it."""
    p, q, a = 0.2, 0.9, math.exp(-seconds / T1_S)
    register, (relation,) = group(2, ("a", "b", "same"), probabilities=(p, q, 0.5))
    fresh = p * q + (1 - p) * (1 - q)
    copied = p * p + (1 - p) * (1 - p)
    expected = a * a + a * (1 - a) * (fresh + copied) + (1 - a) ** 2 * fresh
    assert rg.relation_probability_at(register, relation, seconds, T1_S) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("num_states", [2, 3, 4, 5])
@pytest.mark.parametrize("mode", ["same", "opposite", "spread"])
def test_it_is_what_the_decayed_register_says(num_states, mode):
    """Also between the second and a third, after a gate, and where a gate has led out of the states."""
    ties = (("a", "b", mode), ("b", "c", "spread"))
    register, relations = group(num_states, *ties, probabilities=(0.3, 0.6, 0.8))
    register = rg.apply_gate([register], "RY", [("b", 0)], 0.7, 0.4, 16, OURS)
    later = rg.decayed(register, 2.5, T1_S, T2_S, OURS)
    for relation in relations:

        def follower(x, relation=relation):
            if x >= num_states:
                return x
            if relation.mode == "opposite":
                return num_states - 1 - x
            return (x + relation.shift) % num_states

        joint = rg.joint_probabilities(later, [relation.first, relation.second])
        expected = sum(share for (x, y), share in joint.items() if y == follower(x))
        held = rg.relation_probability_at(register, relation, 2.5, T1_S)
        assert held == pytest.approx(expected, abs=1e-10)
        assert held < 0.95


def test_what_nothing_ties_is_refused():
    register, _ = group(2, ("a", "b", "same"))
    with pytest.raises(NoSuchContainerError):
        rg.relation_probability_at(register, Relation("a", "c", "same"), 1.0, T1_S)
