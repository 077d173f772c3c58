"""What is expected of a cluster before it is made is what its making comes to."""

from __future__ import annotations

import pytest

from qrealm.control.containers.declaring import Tie, expected


def key(relation):
    return (relation.first, relation.second, relation.mode, relation.shift, relation.spent)


@pytest.mark.parametrize(
    "ties",
    [
        [("cc", "bb", "opposite")],  # bb follows cc now
        [("bb", "aa", "opposite")],  # the other way round
        [("cc", "aa", "same"), ("cc", "bb", "same"), ("aa", "bb", "same")],
        [("aa", "cc", "spread"), ("bb", "cc", "spread")],
    ],
)
@pytest.mark.parametrize("measured", [True, False])
def test_relations_and_chances_are_those_that_come(home, ties, measured):
    circuits = home.engine.circuits
    for name, chance in (("aa", 0.2), ("bb", 0.9), ("cc", 0.6)):
        home.create(name, probability=chance)
    if measured:
        circuits.entangle("aa", "bb")
        circuits.measure("aa")
    told = expected(home.engine._ctx, circuits, [], [Tie(*each) for each in ties])
    for tie in ties:
        circuits.entangle(*tie)
    assert set(map(key, told.relations)) == set(map(key, home.store.relations.all()))
    for name in ("aa", "bb", "cc"):
        present = circuits.probabilities(name)["running"]
        assert told.probabilities.get(home.record(name).id, present) == pytest.approx(present)
