"""Relations that others imply already, said at any time: leaders, declared odds and placement stay."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase as Stage
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import RegisterError
from qrealm.control.containers.placement.snapshot import rules_of
from qrealm.control.containers.values import MODES

MEMORY = Path("/dev/shm")
NAMES = ("aa", "bb", "cc", "dd", "ee")
CHANCES = (0.2, 0.9, 0.6, 0.4, 0.7)
T1_S = 0.01
WAITS_S = (0.0, 1e-6, 0.003, 10.0)


def rules(home):
    names = {record.id: record.name for record in home.store.containers.all()}
    return rules_of(home.store.relations.all(), names, 1.0)


def odds(home, names=NAMES):
    return {name: home.engine.circuits.probabilities(name)["running"] for name in names}


def declared(home, leaders):
    """What each container's chance to run is by its leader's, for two states."""
    ids = {name: home.record(name).id for name in NAMES}
    relations = {(each.first, each.second): each for each in home.store.relations.all()}
    assert len(relations) == len(leaders)
    chances = dict(zip(NAMES, CHANCES, strict=True))
    for follower, leader in leaders.items():  # leaders come before their followers
        relation = relations[ids[leader], ids[follower]]
        # Of three that are to be spread over two states, two are alike.
        alike = relation.mode == "same" or (relation.mode == "spread" and relation.shift == 0)
        chances[follower] = chances[leader] if alike else 1.0 - chances[leader]
    return chances


@settings(max_examples=25, deadline=None, phases=(Stage.explicit, Stage.generate))
@given(st.data())
def test_redundant_relations_change_nothing_that_was_declared(data):
    path = Path(tempfile.mkdtemp(prefix="qrealm-", dir=MEMORY if MEMORY.is_dir() else None))
    times = {"decoherence_time_ms": T1_S * 1000, "relaxation_time_ms": T1_S * 1000}
    try:
        with Home(path, **times) as home:
            for name, chance in zip(NAMES, CHANCES, strict=True):
                home.create(name, probability=chance)
            leaders = {}
            for number, name in enumerate(NAMES[1:], 1):
                leaders[name] = data.draw(st.sampled_from(NAMES[:number]))
                home.engine.circuits.entangle(leaders[name], name, data.draw(st.sampled_from(MODES)))
            relations, wishes = home.store.relations.all(), rules(home)
            expected = declared(home, leaders)
            pairs = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True)
            for _ in range(data.draw(st.integers(1, 4))):
                home.clock.advance(data.draw(st.sampled_from(WAITS_S)))
                one, other = data.draw(pairs)
                before = odds(home)
                try:
                    report = home.engine.circuits.entangle(one, other, data.draw(st.sampled_from(MODES)))
                except RegisterError as problem:
                    assert "otherwise" in problem.message  # noqa: PT017
                    assert odds(home) == before
                    continue
                assert home.store.relations.all() == relations
                assert rules(home) == wishes
                after = odds(home)
                assert after["aa"] == pytest.approx(expected["aa"], abs=1e-9)
                alike = abs(expected[one] - expected[other]) < 1e-9
                assert after[one] == pytest.approx(after[other] if alike else 1.0 - after[other], abs=1e-6)
                assert set(report.group) == set(NAMES)
                if data.draw(st.booleans()):
                    home.engine.upkeep.maintenance(renew=True)
                    assert odds(home) == pytest.approx(expected, abs=1e-9)
                    assert home.store.relations.all() == relations
            home.engine.upkeep.maintenance(renew=True)
            assert odds(home) == pytest.approx(expected, abs=1e-9)
            assert home.store.relations.all() == relations
    finally:
        shutil.rmtree(path, ignore_errors=True)
