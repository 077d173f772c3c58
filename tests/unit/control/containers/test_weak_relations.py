"""Relations that fade: how likely they hold is shown, and told when they are measured."""

from __future__ import annotations

import math

import pytest
from tests.unit.control.containers.homes import Home

T1_S = 10.0


@pytest.fixture
def home(tmp_path):
    """With the decay of a configuration that says nothing of it."""
    with Home(tmp_path, decoherence_time_ms=1000.0) as found:
        for name in ("web", "mirror", "third"):
            found.create(name)
        yield found
        found.check()


def left(seconds):
    return (1 + math.exp(-2 * seconds / T1_S)) / 2


def holds(home, name):
    return [each.holds for each in home.engine.views.inspect(name).relations]


def test_entangling_tells_how_fast_it_fades(home):
    report = home.engine.circuits.entangle("web", "mirror")
    assert (report.decoherence_time_ms, report.relaxation_time_ms) == (1000.0, 10_000.0)


def test_inspect_tells_how_likely_a_relation_holds_now(home):
    home.engine.circuits.entangle("web", "mirror")
    assert holds(home, "web") == pytest.approx([1.0])
    home.clock.advance(7.0)
    assert holds(home, "web") == pytest.approx([left(7.0)])
    assert holds(home, "mirror") == pytest.approx([left(7.0)])
    # A gate in between changes nothing of what has faded before.
    home.engine.circuits.apply_gate("Z", ["web"])
    home.clock.advance(2.0)
    assert holds(home, "web") == pytest.approx([left(9.0)])
    home.engine.circuits.measure("web")
    assert holds(home, "web") == [None], "spent: nothing ties them"
    home.engine.upkeep.maintenance(renew=True)
    assert holds(home, "mirror") == pytest.approx([1.0])


def test_a_measurement_tells_which_relations_were_weak(home):
    circuits = home.engine.circuits
    circuits.entangle("web", "mirror")
    home.clock.advance(6.0)
    circuits.entangle("web", "third", "opposite")
    assert holds(home, "third") == pytest.approx([1.0])
    home.clock.advance(0.5)
    (weak,) = circuits.measure("third").weak
    assert (weak.first, weak.second, weak.mode) == ("web", "mirror", "same")
    assert weak.holds == pytest.approx(left(6.5))
    assert not weak.decayed, "the register was changed when it held little already: that may have been a gate"
    assert circuits.measure("web").weak == (), "it is spent"


def test_decay_alone_is_told_from_gates(home):
    circuits = home.engine.circuits
    circuits.entangle("web", "mirror")
    home.clock.advance(7.0)
    (weak,) = home.engine.lifecycle.run("mirror").measured.weak
    assert (weak.holds, weak.decayed) == (pytest.approx(left(7.0)), True)
    home.engine.upkeep.maintenance(renew=True)
    circuits.apply_gate("X", ["mirror"])
    (weak,) = circuits.measure("web").weak
    assert (weak.holds, weak.decayed) == (pytest.approx(0.0, abs=1e-9), False)


def test_what_held_well_is_not_told(home):
    circuits = home.engine.circuits
    circuits.entangle("web", "mirror")
    home.clock.advance(1.0)
    assert 0.9 < holds(home, "web")[0] < 0.92
    assert circuits.measure("web").weak == ()
