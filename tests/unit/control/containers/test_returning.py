"""A node that returns takes containers again, whatever other nodes are doing with what it had."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home, stuck

from engines.nodes import WAIT_S, wait_until
from qrealm.control.containers.values import NodeState, Phase
from qrealm.control.containers.watch import RETRY_S
from qrealm.fleet.containers.simulated import SimulatedDriver


def state(home, name):
    return home.store.nodes.get(name).state


def lost(home, name):
    """As `Home.lose`, and nobody waits for what is made again."""
    home.faults.away.add(name)
    home.engine.watch._round()
    home.clock.advance(home.config.node_lost_after_s + 1)
    home.engine.watch._round()
    assert state(home, name) is NodeState.LOST


@pytest.mark.parametrize("fails", [False, True])
def test_a_node_returns_while_another_fetches_the_image_of_what_it_had(tmp_path, fails):
    with Home(tmp_path) as home:
        for name in ("web", "db"):
            home.create(name, node="na")
        SimulatedDriver(home.endpoints["na"]).start(home.record("web").engine_id)
        home.engine._ctx.change(home.record("web").id, wanted="running")
        with stuck(home, ("nb", "has_image"), ("nb", "pull")) as waits:
            lost(home, "na")
            assert waits.entered.wait(WAIT_S)
            wait_until(lambda: {work.name for work in home.engine._ctx.names.at_work()} == {"web", "db"})
            home.faults.away.clear()
            home.engine.watch._round()
            wait_until(lambda: state(home, "na") is NodeState.READY)
            # Others are made here at once.
            assert home.create("new", node="na").phase is Phase.READY
            home.clock.advance(RETRY_S)
            home.engine.watch._round()
            assert {home.record(name).phase for name in ("web", "db")} == {Phase.MAKING_AGAIN}
            assert len(home.there("na")) == 3
            if fails:
                home.faults.arm(1, "unavailable before", ("create",))
        home.rounds(3)
        home.faults.disarm()
        home.rounds(2)
        home.check()
        assert home.runs("web")
        assert home.engine.watch._later["na"] == frozenset()


def test_what_waits_for_its_node_is_looked_at_before_the_node_takes_others(tmp_path):
    """A command about it is waited for: made again there, it would lose what it has."""
    with Home(tmp_path, ("na",)) as home:
        home.create("web", node="na")
        engine_id = home.record("web").engine_id
        lost(home, "na")
        assert home.record("web").phase is Phase.WAITING
        with home.engine._ctx.names.hold("web", "stop-container"):
            home.faults.away.clear()
            home.engine.watch._round()
            assert not home.engine.watch._mending.wait(0.2)
            assert state(home, "na") is NodeState.LOST
        home.rounds(2)
        assert (state(home, "na"), home.record("web").engine_id) == (NodeState.READY, engine_id)
