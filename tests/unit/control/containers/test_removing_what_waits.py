"""Removing a container that waits for a node: it may still run on one that is silent, where it has been."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, endpoint

from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.values import NodeState, Phase
from qrealm.fleet.containers.simulated import SimulatedDriver


@pytest.fixture
def waiting(tmp_path):
    """web ran on na and waits: lost are na, nb, where it never was, and nc, which never answered."""
    home = Home(tmp_path, ("na", "nb"))
    never = NodeEntry("nc", endpoint(tmp_path, "nc"))
    home.config = replace(home.config, nodes=(*home.config.nodes, never))
    home.faults.away.add("nc")
    with home:
        home.create("web", node="na", probability=1.0, cluster="kk")
        home.engine.lifecycle.run("web")
        home.lose("na", "nb")
        assert home.record("web").phase is Phase.WAITING
        assert {node.state for node in home.store.nodes.all()} == {NodeState.LOST}
        yield home


def test_it_is_kept_for_the_silent_node_that_it_was_on_alone(waiting):
    for remove, name in ((waiting.engine.lifecycle.remove, "web"), (waiting.engine.clusters.remove, "kk")):
        with pytest.raises(EngineUnavailableError, match=r"on one that is silent: na\n"):
            remove(name)


def test_it_goes_when_that_node_is_gone(waiting):
    """Nodes where nothing of it can ever have run kept it."""
    waiting.engine.nodes.remove("na")
    assert waiting.engine.clusters.remove("kk") == ("web",)


def test_an_earlier_container_of_its_name_was_another_one(waiting):
    home = waiting
    home.engine.lifecycle.remove("web", force=True)
    home.come_back("na", "nb")
    home.create("web", node="nb", probability=1.0)
    home.engine.lifecycle.run("web")
    home.lose("na", "nb")
    with pytest.raises(EngineUnavailableError, match=r"on one that is silent: nb\n"):
        home.engine.lifecycle.remove("web")


def test_what_was_found_by_its_labels_may_be_wherever_there_ever_was_an_engine(waiting):
    home = waiting
    home.come_back("na", "nb")
    old = home.create("old", node="na")
    home.engine.lifecycle.remove("old")
    home.store.settings.delete(f"removed:{old.id}")
    driver = SimulatedDriver(home.endpoints["nb"])
    driver.start(driver.create(home.engine._ctx.seals.labelled(old)))
    home.create("old", node="na")
    (name,) = home.engine.upkeep.maintenance().adopted
    home.lose("na", "nb")
    with pytest.raises(EngineUnavailableError, match=r"on one that is silent: na, nb\n"):
        home.engine.lifecycle.remove(name)
