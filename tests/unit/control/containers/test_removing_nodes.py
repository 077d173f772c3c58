"""Removing nodes with their containers: what was cut off is finished, and what failed is undone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home

from engines.nodes import WAIT_S
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, RequestError, StoreError
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.removing import Removing
from qrealm.control.containers.values import NodeState
from qrealm.control.containers.watch import RETRY_S
from qrealm.fleet.containers.simulated import SimulatedDriver


class CutOffError(BaseException):
    """Ends a command where it stands, as the end of its process does."""


def state(home, name):
    return home.store.nodes.get(name).state


def nodes(home):
    return sorted(node.name for node in home.store.nodes.all())


def cut_off(home, monkeypatch, node="na", after=1):
    """A removal by force whose process ends when it has removed some containers."""
    real, removed = Lifecycle.remove, []

    def remove(self, reference, *, force=False):
        if len(removed) == after:
            raise CutOffError
        removed.append(reference)
        return real(self, reference, force=force)

    with monkeypatch.context() as patch:
        patch.setattr(Lifecycle, "remove", remove)
        patch.setattr(Removing, "_open_again", lambda *_: None)
        with pytest.raises(CutOffError):
            home.engine.nodes.remove(node, force=True)
    home.reopen()
    return removed


def test_a_removal_that_was_cut_off_is_finished_after_the_start(home, monkeypatch):
    for name in ("one", "two", "three"):
        home.create(name, node="na")
    assert len(cut_off(home, monkeypatch)) == 1
    assert state(home, "na") is NodeState.DRAINING
    for command in (home.engine.nodes.activate, home.engine.nodes.drain):
        with pytest.raises(RequestError, match="'na' is being removed with its containers"):
            command("na")
    home.rounds(2)
    assert nodes(home) == ["nb"]
    assert home.store.containers.all() == ()
    assert home.there("na") == []
    assert home.events("node")[-1] == ("remove", "na")
    assert home.engine.nodes.left_out() == ("na",)
    assert home.store.settings.all("removing-node:") == {}


def test_what_goes_with_a_node_is_told_and_which_clusters_it_leaves_incomplete(home):
    for name, node, cluster in (
        ("one", "na", "shop"), ("two", "nb", "shop"), ("six", "na", "whole"), ("web", "na", None),
    ):  # fmt: skip
        record = home.create(name, node=node)
        home.engine._ctx.change(record.id, cluster=cluster)
    report = home.engine.nodes.remove("na", force=True)
    assert (report.name, set(report.removed)) == ("na", {"one", "six", "web"})
    assert report.incomplete == {"shop": ("two",)}
    assert home.engine.nodes.remove("nb", force=True).incomplete == {}


def test_a_removal_that_fails_tells_what_has_gone_already(home):
    for name in ("one", "two"):
        home.create(name, node="na")
    home.faults.arm(2, "refused before", ("remove",))
    with pytest.raises(EngineRefusalError, match=r"na refuses remove; removed before that: (one|two)$"):
        home.engine.nodes.remove("na", force=True)
    home.faults.disarm()


@pytest.mark.parametrize("before", [NodeState.READY, NodeState.DRAINING])
def test_a_removal_that_fails_leaves_the_node_as_it_was(home, before):
    home.create("web", node="na")
    if before is NodeState.DRAINING:
        home.create("large", node="nb", memory_mib=4000)
        home.engine.nodes.drain("na")
    home.faults.arm(1, "refused before", ("remove",))
    with pytest.raises(EngineRefusalError, match="na refuses remove"):
        home.engine.nodes.remove("na", force=True)
    home.faults.disarm()
    assert (state(home, "na"), home.store.settings.all("removing-node:")) == (before, {})
    home.rounds(2)
    assert nodes(home) == ["na", "nb"]
    assert home.record("web").node == "na"
    home.engine.nodes.activate("na")
    assert home.engine.nodes.remove("na", force=True).name == "na"


def test_a_removal_that_cannot_be_finished_is_told_once_and_undone(home, monkeypatch):
    for name in ("one", "two"):
        home.create(name, node="na")
    cut_off(home, monkeypatch)
    home.faults.arm(1, "refused before", ("remove",))
    home.rounds(2)
    home.faults.disarm()
    (told,) = [each.attributes["problem"] for each in home.engine.views.events() if each.action == "problem"]
    assert told == "its removal was cut off, and cannot be finished: na refuses remove"
    assert state(home, "na") is NodeState.READY
    home.rounds(2)
    assert nodes(home) == ["na", "nb"]


def test_one_that_is_silent_is_removed_when_it_answers(home, monkeypatch):
    for name in ("one", "two"):
        home.create(name, node="na")
    with monkeypatch.context() as patch:
        patch.setattr(Home, "reopen", lambda home: (home.close(), home.faults.away.add("na"), home.open()))
        cut_off(home, monkeypatch)
    home.clock.advance(RETRY_S)
    home.engine.watch._retried = 0.0
    home.engine.watch._retry()
    home.engine.watch._mending.wait(WAIT_S)
    assert nodes(home) == ["na", "nb"]
    home.faults.away.clear()
    home.rounds(2)
    assert (nodes(home), home.there("na")) == (["nb"], [])


def test_another_node_of_its_name_is_left_alone(home, monkeypatch):
    home.create("web", node="na")
    home.engine.lifecycle.remove("web")
    with monkeypatch.context() as patch:
        patch.setattr(Removing, "_dropped", lambda *_: None)
        home.engine.nodes.remove("na", force=True)
    assert home.engine.nodes._removing.begun() == ["na"]
    home.clock.advance(1.0)
    home.store.nodes.delete("na")
    home.engine.nodes.add("na", home.endpoints["na"])
    home.rounds(2)
    assert nodes(home) == ["na", "nb"]
    assert home.engine.nodes._removing.begun() == []


def test_a_container_that_has_moved_away_meanwhile_stays(home, monkeypatch):
    for name in ("goes", "web"):
        home.create(name, node="na")
        home.clock.advance(1.0)  # else their order is that of their ids
    real = Lifecycle.remove

    def remove(self, reference, *, force=False):
        # A move that was under way ends in between.
        home.engine.balancing._moves.move("web", "nb")
        return real(self, reference, force=force)

    monkeypatch.setattr(Lifecycle, "remove", remove)
    home.engine.nodes.remove("na", force=True)
    assert [record.name for record in home.store.containers.all()] == ["web"]
    assert home.record("web").node == "nb"


def lost_with_containers(home, name):
    """As in the moment in which a node is lost."""
    home.faults.away.add(name)
    node = home.store.nodes.get(name)
    home.store.nodes.save(replace(node, state=NodeState.LOST, returns_as=node.state))


@pytest.mark.parametrize("fails", [False, True])
def test_a_lost_node_that_is_being_removed_returns_closed(home, monkeypatch, fails):
    """It took containers, which went with it."""
    for name in ("one", "two"):
        home.create(name, node="na")
    lost_with_containers(home, "na")
    real, seen = Lifecycle.remove, []

    def remove(self, reference, *, force=False):
        found = real(self, reference, force=force)
        if not seen:
            home.faults.away.clear()
            home.engine.watch._round()
            home.engine.watch._mending.wait(WAIT_S)
            seen.append(state(home, "na"))
            if fails:
                home.faults.arm(1, "refused before", ("remove",))
        return found

    monkeypatch.setattr(Lifecycle, "remove", remove)
    if fails:
        with pytest.raises(EngineRefusalError, match="na refuses remove"):
            home.engine.nodes.remove("na", force=True)
        home.faults.disarm()
        assert state(home, "na") is NodeState.READY
    else:
        home.engine.nodes.remove("na", force=True)
        assert (nodes(home), home.there("na")) == (["nb"], [])
    assert seen == [NodeState.DRAINING]


def with_a_copy(home):
    """A move could not remove the copy on node na, which runs."""
    home.create("web", node="na")
    home.engine.lifecycle.run("web", force=True)
    home.faults.arm(1, "unavailable before", ("stop",))
    home.engine.balancing._moves.move("web", "nb")
    home.faults.disarm()
    assert len(home.there("na")) == 1


def test_a_node_that_cannot_be_looked_at_is_not_removed(home):
    """A copy stayed there for ever."""
    with_a_copy(home)
    home.faults.away.add("na")
    with pytest.raises(EngineUnavailableError, match="'na' does not answer") as caught:
        home.engine.nodes.remove("na")
    assert caught.value.hint.endswith("qdocker nodes rm --force na")
    assert nodes(home) == ["na", "nb"]
    home.faults.away.clear()
    assert home.engine.nodes.remove("na").name == "na"
    assert home.there("na") == []


def test_a_copy_that_cannot_be_removed_keeps_its_node(home):
    with_a_copy(home)
    home.faults.arm(1, "refused before", ("remove",))
    with pytest.raises(EngineRefusalError, match="na refuses remove"):
        home.engine.nodes.remove("na")
    home.faults.disarm()
    assert nodes(home) == ["na", "nb"]
    home.engine.nodes.remove("na")


def test_what_stays_on_a_node_that_is_removed_by_force_is_told(home):
    with_a_copy(home)
    home.faults.away.add("na")
    home.engine.nodes.remove("na", force=True)
    (told,) = [each.attributes["problem"] for each in home.engine.views.events() if each.action == "problem"]
    assert told == "it did not answer when it was removed: what containers have left there stays"
    home.faults.away.clear()


def test_a_node_that_is_being_removed_is_not_added(home, monkeypatch):
    home.create("web", node="na")
    real, refused = Lifecycle.remove, []

    def remove(self, reference, *, force=False):
        with pytest.raises(RequestError, match="'na' is being removed with its containers") as caught:
            home.engine.nodes.add("na", home.endpoints["na"], {"zone": "west"})
        refused.append(caught.value)
        return real(self, reference, force=force)

    monkeypatch.setattr(Lifecycle, "remove", remove)
    home.engine.nodes.remove("na", force=True)
    assert (len(refused), nodes(home)) == (1, ["nb"])
    home.engine.nodes.add("na", home.endpoints["na"])


def test_a_removal_that_cannot_be_undone_either_is_told_once(home, monkeypatch):
    for name in ("one", "two"):
        home.create(name, node="na")
    cut_off(home, monkeypatch)
    real = home.store.settings.delete

    def full(name):
        if name.startswith("removing-node:"):
            raise StoreError("no space left")
        real(name)

    with monkeypatch.context() as patch:
        patch.setattr(home.store.settings, "delete", full)
        home.rounds(4)
    told = [each.attributes["problem"] for each in home.engine.views.events() if each.action == "problem"]
    assert told == ["its removal was cut off, and cannot be finished: no space left"]
    home.rounds(2)
    assert nodes(home) == ["nb"]


def test_what_is_not_ours_on_a_node_does_not_keep_it(home):
    record = home.create("web", node="nb")
    good = home.engine._ctx.seals.labelled(record)
    driver = SimulatedDriver(home.endpoints["na"])
    strange = {**good.labels, "io.qrealm.container": "7" * 64}
    for name, labels in (("odd", strange), ("nameless", {"io.qrealm.engine": home.store.engine_id})):
        driver.create(replace(good, name=name, labels=labels))
    assert len(home.engine.upkeep.maintenance().problems) == 2
    assert home.engine.nodes.remove("na", force=False).name == "na"
    assert {facts.name for facts in driver.find({})} == {"odd", "nameless"}
    for facts in driver.find({}):
        driver.remove(facts.engine_id)
