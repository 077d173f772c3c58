"""Nodes: added, removed, drained, lost and back again, and what becomes of their containers."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import MEMORY_MIB, Home, Node, endpoint

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    RequestError,
)
from qrealm.control.containers.values import NodeState, Phase, Wanted
from qrealm.fleet.containers.protocol import ContainerState, Endpoint
from qrealm.fleet.containers.simulated import SimulatedDriver


def state(home, name):
    return home.store.nodes.get(name).state


def test_the_nodes_of_the_configuration_are_there_at_the_first_start_and_once(home):
    views = home.engine.nodes.all()
    assert [view.record.name for view in views] == ["na", "nb"]
    assert all(view.record.cpus == 4 and view.record.memory_bytes == MEMORY_MIB << 20 for view in views)
    home.reopen()
    assert home.events("node") == [("add", "na"), ("add", "nb")]


def test_what_is_taken_of_a_node(home):
    home.create("aa", node="na", cpus=0.5, memory_mib=100, weight=3.0, probability=0.25)
    home.create("bb", node="na", cpus=1.5, memory_mib=200, weight=1.0, probability=1.0)
    view = home.engine.nodes.view(home.store.nodes.get("na"))
    assert (view.containers, view.cpus_taken, view.memory_taken_bytes) == (2, 2.0, 300 << 20)
    assert view.cpus_allowed == view.record.cpus * home.config.cpu_overcommit
    assert view.load == pytest.approx(3.0 * 0.25 + 1.0)


def test_the_same_node_twice_is_no_error_and_changes_what_it_offers(home):
    home.engine.nodes.drain("na")
    view = home.engine.nodes.add("na", home.endpoints["na"], {"rack": "1"}, cpus=2.0)
    found = (view.record.cpus, view.record.labels, view.record.state)
    assert found == (2.0, {"rack": "1"}, NodeState.DRAINING)
    again = home.engine.nodes.add("na", home.endpoints["na"], memory_bytes=1 << 30).record
    assert (again.cpus, again.memory_bytes, again.labels) == (2.0, 1 << 30, {"rack": "1"})
    assert len(home.engine.nodes.all()) == 2


def test_a_name_or_an_engine_that_is_taken(home):
    home.create("web", node="na")
    with pytest.raises(NameTakenError, match="'na'"):
        home.engine.nodes.add("na", endpoint(home.path, "other"))
    with pytest.raises(NameTakenError, match="that engine"):
        home.engine.nodes.add("nx", home.endpoints["na"])
    elsewhere = replace(home.endpoints["na"], url=home.endpoints["na"].url + "0")
    with pytest.raises(NameTakenError, match="has the container 'web'"):
        home.engine.nodes.add("nx", elsewhere)
    assert len(home.engine.nodes.all()) == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [("-x", {}), ("nc", {"cpus": 0.0}), ("nc", {"cpus": float("inf")}), ("nc", {"memory_bytes": -1})],
)
def test_nodes_that_cannot_be(home, name, options):
    with pytest.raises(RequestError):
        home.engine.nodes.add(name, endpoint(home.path, "nc"), **options)
    assert len(home.engine.nodes.all()) == 2


def test_a_node_that_does_not_answer_is_not_added(home):
    home.faults.away.add("nc")
    with pytest.raises(EngineUnavailableError):
        home.engine.nodes.add("nc", endpoint(home.path, "nc"))
    assert len(home.engine.nodes.all()) == 2


def test_a_configured_node_that_does_not_answer_is_told_and_added_at_the_next_start(tmp_path):
    home = Home(tmp_path)
    home.faults.away.add("nb")
    home.open()
    assert ("unreachable", "nb") in home.events("node")
    home.faults.away.clear()
    home.reopen()
    assert [view.record.name for view in home.engine.nodes.all()] == ["na", "nb"]
    home.close()


def test_a_node_with_containers_goes_by_force_alone(home):
    home.create("web", node="na", probability=1.0)
    home.engine.lifecycle.run("web")
    with pytest.raises(EngineRefusalError, match="web"):
        home.engine.nodes.remove("na")
    assert state(home, "na") is NodeState.READY
    assert home.engine.nodes.remove("na", force=True).name == "na"
    assert home.there("na") == []
    assert [view.record.name for view in home.engine.nodes.all()] == ["nb"]
    with pytest.raises(NoSuchContainerError):
        home.engine.nodes.remove("na")


def test_drain_moves_everything_and_activate_opens_again(home):
    for n in range(3):
        home.create(f"c{n}", node="na", probability=1.0)
    home.engine.lifecycle.run("c0")
    report = home.engine.nodes.drain("na")
    assert {move.name for move in report.moves if move.done} == {"c0", "c1", "c2"}
    assert home.there("na") == []
    assert [home.runs(f"c{n}") for n in range(3)] == [True, False, False]
    with pytest.raises(NoRoomError, match="draining"):
        home.create("late", node="na")
    home.engine.nodes.activate("na")
    assert home.create("late", node="na").node == "na"


def test_drain_leaves_what_finds_no_room(home):
    for n in range(2):
        home.create(f"a{n}", node="na", memory_mib=1500)
        home.create(f"b{n}", node="nb", memory_mib=1500)
    report = home.engine.nodes.drain("na")
    assert report.moves == ()
    assert set(report.kept) == {"a0", "a1"}


def test_a_lost_node_is_told_after_its_time_and_two_failures(home):
    home.create("web", node="na", probability=1.0)
    home.engine.lifecycle.run("web")
    home.faults.away.add("na")
    home.engine.watch.look()
    home.clock.advance(2.9)
    home.engine.watch.look()
    assert state(home, "na") is NodeState.READY
    home.clock.advance(0.2)
    home.engine.watch.look()
    assert state(home, "na") is NodeState.LOST
    record = home.record("web")
    assert (record.node, record.phase, record.restarts) == ("nb", Phase.READY, 1)
    assert home.runs("web")
    assert home.engine.balancing.why("web")[0].action == "node lost"
    assert ("lost", "na") in home.events("node")
    assert ("make-again", "web") in home.events("container")


def test_one_failure_after_a_long_sleep_loses_no_node(home):
    home.engine.watch.look()
    home.clock.advance(3600)
    home.faults.away.add("na")
    home.engine.watch.look()
    assert state(home, "na") is NodeState.READY
    home.faults.away.clear()
    home.engine.watch.look()
    assert state(home, "na") is NodeState.READY


def test_two_nodes_lost_at_once_put_nothing_on_each_other(tmp_path):
    with Home(tmp_path, ("na", "nb", "nc")) as home:
        for n in range(4):
            home.create(f"a{n}", node="na")
            home.create(f"b{n}", node="nb")
        home.lose("na", "nb")
        assert {record.node for record in home.store.containers.all()} == {"nc"}
        assert not [event for event in home.events("engine") if event[0] == "problem"]
        home.check()


def test_a_node_that_comes_back_is_cleaned_of_what_was_made_elsewhere(home):
    home.create("web", node="na")
    home.lose("na")
    assert len(home.there("na")) == 1
    home.come_back("na")
    assert home.there("na") == []
    assert state(home, "na") is NodeState.READY
    assert home.record("web").node == "nb"
    home.check()


def test_what_has_its_data_on_a_lost_node_waits_for_it_and_is_found_there(home):
    before = home.create("db", node="na", probability=1.0, volumes=("data",))
    home.engine.lifecycle.run("db")
    home.lose("na")
    record = home.record("db")
    assert (record.phase, record.node, record.data_node) == (Phase.WAITING, None, "na")
    with pytest.raises(NoRoomError, match="waits"):
        home.engine.lifecycle.run("db")
    # However often it is tried, it goes to no other node.
    for _ in range(3):
        home.clock.advance(6)
        home.engine.watch.look()
    assert home.record("db").phase is Phase.WAITING
    # The host restarted: the container is there and does not run.
    SimulatedDriver(home.endpoints["na"]).stop(before.engine_id)
    home.come_back("na")
    record = home.record("db")
    assert (record.node, record.engine_id, record.phase) == ("na", before.engine_id, Phase.READY)
    assert record.data_node is None
    assert home.runs("db")
    assert ("return", "db") in home.events("container")


def test_what_waits_is_made_again_on_its_node_when_even_the_copy_is_gone(home):
    before = home.create("db", node="na", probability=1.0, volumes=("data",))
    home.engine.lifecycle.run("db")
    home.lose("na")
    SimulatedDriver(home.endpoints["na"]).remove(before.engine_id, force=True)
    home.come_back("na")
    assert home.record("db").node == "na"
    assert home.runs("db")


def test_what_waits_for_data_of_a_node_that_was_removed_goes_elsewhere(home):
    home.create("db", node="na", volumes=("data",))
    home.lose("na")
    home.engine.nodes.remove("na")
    home.clock.advance(6)
    home.engine.watch.look()
    assert home.record("db").node == "nb"


def test_what_finds_no_room_waits_and_is_made_when_there_is_some(home):
    home.create("aa", node="na", memory_mib=3000)
    home.create("bb", node="nb", memory_mib=3000)
    home.lose("na")
    assert home.record("aa").phase is Phase.WAITING
    home.engine.lifecycle.remove("bb")
    home.clock.advance(6)
    home.engine.watch.look()
    assert (home.record("aa").phase, home.record("aa").node) == (Phase.READY, "nb")


def test_what_cannot_be_made_again_is_tried_ever_more_rarely(home, monkeypatch):
    home.create("web", node="na")
    real, tries = Node.create, []

    def create(driver, spec):
        tries.append(spec.name)
        raise EngineRefusalError("no such image")

    monkeypatch.setattr(Node, "create", create)
    home.lose("na")
    for _ in range(100):
        home.clock.advance(6)
        home.engine.watch.look()
    # After 5, 10, 20, 40, 80 and 160 s, of 600.
    assert 5 <= len(tries) <= 9
    monkeypatch.setattr(Node, "create", real)
    home.clock.advance(301)
    home.engine.watch.look()
    assert (home.record("web").phase, home.record("web").node) == (Phase.READY, "nb")
    home.come_back("na")
    home.check()


def test_a_waiting_container_can_be_removed_and_its_copy_goes_when_the_node_is_back(home):
    home.create("aa", node="na", memory_mib=3000)
    home.create("bb", node="nb", memory_mib=3000)
    home.lose("na")
    home.engine.lifecycle.remove("aa")
    assert len(home.there("na")) == 1
    home.come_back("na")
    assert home.there("na") == []


def test_removal_by_force_while_the_node_does_not_answer(home):
    home.create("web", node="na")
    home.faults.away.add("na")
    with pytest.raises(EngineUnavailableError):
        home.engine.lifecycle.remove("web")
    assert home.engine.lifecycle.remove("web", force=True) == "web"
    home.faults.away.clear()
    assert len(home.there("na")) == 1
    home.engine.upkeep.maintenance()
    assert home.there("na") == []
    assert home.store.containers.all() == ()


def test_a_node_that_was_drained_and_restarted_stays_closed(home):
    home.engine.nodes.drain("na")
    home.lose("na")
    with pytest.raises(EngineUnavailableError, match="lost"):
        home.engine.nodes.drain("na")
    home.come_back("na")
    assert state(home, "na") is NodeState.DRAINING
    home.lose("na")
    home.engine.nodes.activate("na")
    home.come_back("na")
    assert state(home, "na") is NodeState.READY


def test_a_lost_node_added_under_another_name_gives_its_data_back(home):
    before = home.create("db", node="na", volumes=("data",))
    home.create("web", node="na")
    home.lose("na")
    home.faults.away.clear()
    other = replace(home.endpoints["na"], url=home.endpoints["na"].url + "0")
    home.engine.nodes.add("new", other)
    record = home.record("db")
    assert (record.node, record.engine_id, record.phase) == ("new", before.engine_id, Phase.READY)
    assert home.record("web").node == "nb"
    (left,) = SimulatedDriver(other).find({})
    assert left.engine_id == before.engine_id
    home.engine.nodes.remove("na")
    home.endpoints["new"] = other


def test_a_container_made_in_the_moment_of_the_loss_is_placed_again(home):
    record = home.create("web", node="na", probability=1.0)
    node = home.store.nodes.get("na")
    home.store.nodes.save(replace(node, state=NodeState.LOST))
    home.faults.away.add("na")
    home.clock.advance(6)
    home.engine.watch.look()
    assert home.record("web").node == "nb"
    assert record.id == home.record("web").id


def test_a_copy_made_on_a_node_that_is_lost_meanwhile_is_not_kept(tmp_path, monkeypatch):
    with Home(tmp_path, ("na", "nb", "nc")) as home:
        home.create("web", node="na")
        real = Node.create
        lost = []

        def lost_in_the_middle(driver, spec):
            made = real(driver, spec)
            if not lost:
                lost.append(driver._host)
                node = home.store.nodes.get(driver._host)
                watch = threading.Thread(target=home.engine.watch.lose, args=(node, "in the middle"))
                watch.start()
                threads.append(watch)
                deadline = time.monotonic() + 30
                while state(home, node.name) is not NodeState.LOST and time.monotonic() < deadline:
                    time.sleep(0.01)
            return made

        threads = []
        monkeypatch.setattr(Node, "create", lost_in_the_middle)
        home.lose("na")
        for thread in threads:
            thread.join(30)
        assert home.record("web").node not in ("na", lost[0])
        home.come_back("na", lost[0])
        home.check()


def test_an_unknown_container_with_our_labels_is_adopted(home):
    record = home.create("web", probability=0.25, states=("up", "down", "idle"))
    home.engine.lifecycle.remove("web")
    home.store.settings.delete(f"removed:{record.id}")
    driver = SimulatedDriver(home.endpoints["nb"])
    driver.start(driver.create(home.engine._ctx.seals.labelled(record)))
    assert home.engine.upkeep.maintenance().adopted == ("web",)
    adopted = home.record("web")
    assert (adopted.id, adopted.node, adopted.wanted) == (record.id, "nb", Wanted.RUNNING)
    assert adopted.quantum == record.quantum
    assert home.engine.circuits.probabilities("web")["up"] == pytest.approx(0.25)


def test_an_adopted_container_whose_name_is_taken_gets_another(home):
    record = home.create("web", node="na")
    home.engine.lifecycle.remove("web")
    home.store.settings.delete(f"removed:{record.id}")
    SimulatedDriver(home.endpoints["nb"]).create(home.engine._ctx.seals.labelled(record))
    home.create("web", node="na")
    (name,) = home.engine.upkeep.maintenance().adopted
    assert name.startswith("web-")
    assert home.record(name).id == record.id


def test_labels_that_cannot_be_read_are_told_and_left_alone(home):
    record = home.create("web", node="na")
    good = home.engine._ctx.seals.labelled(record)
    driver = SimulatedDriver(home.endpoints["nb"])
    for n, change in enumerate(({"io.qrealm.spec": "{"}, {"io.qrealm.quantum": '{"states": ["a"]}'})):
        labels = {**good.labels, **change, "io.qrealm.container": f"{n}" * 64}
        driver.create(replace(good, name=f"odd{n}", labels=labels))
    nameless = {"io.qrealm.engine": home.store.engine_id}
    driver.create(replace(good, name="odd2", labels=nameless))
    report = home.engine.upkeep.maintenance()
    assert len(report.problems) == 3
    assert len(driver.find({})) == 3
    for facts in driver.find({}):
        driver.remove(facts.engine_id)


def test_a_container_removed_behind_our_back_is_made_again_and_runs(home):
    record = home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    SimulatedDriver(home.endpoints[record.node]).remove(record.engine_id, force=True)
    (view,) = home.engine.views.containers()
    assert view.facts is None
    assert home.engine.upkeep.maintenance().made_again == ("web",)
    assert home.runs("web")
    assert home.record("web").engine_id != record.engine_id


def test_what_another_hand_started_or_stopped_is_noted(home):
    record = home.create("web", probability=1.0)
    driver = SimulatedDriver(home.endpoints[record.node])
    driver.start(record.engine_id)
    home.engine.upkeep.maintenance()
    assert home.record("web").wanted is Wanted.RUNNING
    driver.stop(record.engine_id)
    home.engine.upkeep.maintenance()
    assert home.record("web").wanted is Wanted.STOPPED
    assert [event for event in home.events("container") if event[0] != "create"] == [
        ("start", "web"),
        ("die", "web"),
    ]


def test_the_watch_tells_of_states_that_change(home):
    record = home.create("web", node="na")
    home.engine.watch.look()
    SimulatedDriver(home.endpoints["na"]).start(record.engine_id)
    home.engine.watch.look()
    (event,) = [each for each in home.engine.views.events() if each.action == "state"]
    assert event.attributes["state"] == ContainerState.RUNNING
    home.engine.lifecycle.stop("web")


def test_containers_whose_node_is_gone_from_the_records_are_placed_again(home):
    home.create("web", node="na")
    home.store.nodes.delete("na")
    assert home.engine.views.inspect("web").node is None
    home.engine.upkeep.maintenance()
    assert home.record("web").node == "nb"
    shutil.rmtree(home.path / "nodes" / "na.json", ignore_errors=True)


def test_simulated_nodes_are_never_lost(tmp_path):
    with Home(tmp_path, ()) as home:
        home.engine.nodes.add("sim", Endpoint("simulated", "simulated://sim"))
        home.engine.watch.look()
        home.clock.advance(100)
        home.engine.watch.look()
        assert {view.record.state for view in home.engine.nodes.all()} == {NodeState.READY}


def test_only_a_node_of_a_swarm_has_a_member(home):
    """It was taken, and meant nothing."""
    with pytest.raises(RequestError, match=r"'docker'; only a node of the driver swarm"):
        home.engine.nodes.add("nc", replace(home.endpoints["na"], member="host-1"))
