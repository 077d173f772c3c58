"""Closing the engine: what is under way on nodes breaks off, and nothing begins anew."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager

import pytest
from tests.unit.control.containers.homes import Home, Node, Rounds, endpoint, stuck

from engines.nodes import WAIT_S, wait_until
from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers import engine as engines
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.values import NodeState, Phase
from qrealm.control.store.containers import ContainerStore
from qrealm.fleet.containers.simulated import SimulatedDriver


@contextmanager
def meanwhile(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(WAIT_S)
    assert not thread.is_alive()


def comparisons():
    return [thread for thread in threading.enumerate() if thread.name.startswith("compare-")]


def lost_by_its_engine(home, name):
    SimulatedDriver(home.endpoints["na"]).remove(home.record(name).engine_id, force=True)


@pytest.fixture
def pulls(monkeypatch):
    """Nodes have no image; each pull is noted."""
    begun, pull = [], Node.pull

    def noted(self, image, progress=None):
        begun.append(image)
        return pull(self, image, progress)

    monkeypatch.setattr(Node, "pull", noted)
    monkeypatch.setattr(Node, "has_image", lambda self, image: False)
    return begun


def test_a_pull_that_closing_breaks_off_is_not_begun_again_by_who_waited(tmp_path, pulls):
    home = Home(tmp_path)
    home.open()
    home.create("web", node="na")
    lost_by_its_engine(home, "web")
    pulls.clear()
    engine = home.engine
    with stuck(home, ("na", "pull")) as waits:
        with meanwhile(lambda: engine.nodes._reconcile.all()):
            assert waits.entered.wait(WAIT_S)
            assert home.record("web").phase is Phase.MAKING_AGAIN
            # The mending waits for the name.
            home.clock.advance(60)
            engine.watch._round()
            wait_until(lambda: engine._ctx.names._locks["web"][1] == 3)
            home.close()
        assert pulls == ["img:1"]
        assert comparisons() == []
        assert [each for each in engine.watch._mending._pools.values() if not each._shutdown] == []
    # Nothing is told of the container, which has no problem of its own.
    home.open()
    assert ("problem", "web") not in home.events("engine")
    home.engine.watch.look()
    home.check()
    home.close()


def test_the_database_is_closed_when_the_last_comparison_has_ended(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.open()
    home.create("web", node="na")
    alive = []
    real = ContainerStore.close
    monkeypatch.setattr(ContainerStore, "close", lambda store: (alive.extend(comparisons()), real(store)))
    with stuck(home, ("na", "find")) as waits:
        found = home.engine.nodes._reconcile.all(wait_s=0.01)
        assert found.problems == ["node na: comparing it takes longer, and goes on"]
        assert waits.entered.wait(WAIT_S)
        assert comparisons() != []
        reconcile = home.engine.nodes._reconcile
        home.close()
    assert alive == []
    (na, _) = (task for task in map(reconcile._begin, home_nodes(home)))
    assert na.result(WAIT_S).problems == ["node na: the engine is being closed"]


def home_nodes(home):
    home.open()
    nodes = home.store.nodes.all()
    home.close()
    return nodes


def test_connections_that_are_closed_are_not_made_again(tmp_path):
    with Home(tmp_path) as home:
        where = home.endpoints["na"]
    pool = DriverPool(lambda endpoint, limit_s: SimulatedDriver(endpoint))
    assert pool.of(where).facts().cpus == 4
    pool.close()
    for use in ("work", "look", "ping"):
        with pytest.raises(EngineUnavailableError, match="the connections are closed"):
            pool.of(where, 1.0, use)


LONG_S = 1000.0
"""After which a node is lost; it may take half of that to say that it is there."""


def test_closing_does_not_wait_for_a_node_that_does_not_answer_and_does_not_lose_it(tmp_path):
    home = Home(tmp_path, node_lost_after_s=LONG_S)
    home.open()
    home.create("web", node="na")
    engine, found = home.engine, []
    home.faults.away.add("na")
    engine.watch.look()
    home.clock.advance(LONG_S)
    home.faults.away.clear()
    engine.watch._ended = Rounds(home.clock)
    with stuck(home, ("na", "ping")) as waits:
        engine.watch.start()
        assert waits.entered.wait(WAIT_S)
        with meanwhile(lambda: engine.close(lambda: found.extend(home.store.nodes.all()))):
            pass
    assert {node.name: node.state for node in found} == dict.fromkeys(("na", "nb"), NodeState.READY)
    home.close()


def test_a_start_does_not_wait_long_for_a_node_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "LOOK_S", 0.1)
    home = Home(tmp_path, node_lost_after_s=LONG_S)
    home.open()
    home.create("web", node="na")
    home.close()
    with stuck(home, ("na", "ping")), meanwhile(home.open):
        pass
    assert home.store.nodes.get("na").state is NodeState.READY
    home.engine.watch.look()
    home.check()
    home.close()


def test_what_waits_for_a_node_still_waits_when_closing_breaks_off_its_return(tmp_path):
    home = Home(tmp_path, ("na",))
    home.open()
    home.create("web", node="na")
    home.lose("na")
    assert home.record("web").phase is Phase.WAITING
    engine, found = home.engine, []
    with stuck(home, ("na", "find")) as waits:
        home.faults.away.clear()
        engine.watch._round()
        assert waits.entered.wait(WAIT_S)
        home.endpoints["nb"] = endpoint(tmp_path, "nb")
        engine.nodes.add("nb", home.endpoints["nb"])
        assert home.record("web").phase is Phase.WAITING
        engine.close(lambda: found.append(home.record("web").phase))
    assert found == [Phase.WAITING]
    home.close()


@pytest.mark.parametrize(
    "part", ["watch.stop", "_ctx.drivers.close", "watch.close", "_reconcile.close", "others"]
)
def test_whatever_fails_while_closing_the_database_is_given_up(tmp_path, monkeypatch, part):
    class Fault(Exception):
        """Whatever a part may raise."""

    def fail():
        raise Fault

    home = Home(tmp_path)
    home.open()
    engine, others = home.engine, fail if part == "others" else lambda: None
    if part != "others":
        *parts, name = part.split(".")
        held = functools.reduce(getattr, parts, engine)
        monkeypatch.setattr(held, name, fail)
    with pytest.raises(Fault):
        engine.close(others)
    monkeypatch.undo()
    home.open()
    home.close()
