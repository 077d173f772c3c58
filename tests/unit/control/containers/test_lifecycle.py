"""Create, run, stop, remove, one after the other, on nodes that answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Node, request

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    RegisterError,
    RequestError,
)
from qrealm.control.containers.values import Phase, Wanted
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    ContainerSpec,
    ContainerState,
    ExecSpec,
    Limits,
    LogRequest,
)
from qrealm.fleet.containers.simulated import SimulatedDriver


def nothing_left(home):
    return (
        home.store.containers.all() == ()
        and home.store.registers.all() == ()
        and all(not home.there(name) for name in home.endpoints)
    )


def test_created_container_is_on_its_node_with_its_labels_and_its_register(home):
    report = home.engine.lifecycle.create(request("web", probability=0.2, cpus=0.5))
    record = report.container
    (facts,) = home.there(record.node)
    assert (record.phase, record.wanted, facts.state) == (Phase.READY, Wanted.STOPPED, ContainerState.CREATED)
    assert facts.labels[LABEL_CONTAINER] == record.id
    assert report.decision.chosen == record.node
    assert report.decision.id > 0
    assert not report.pulled
    assert home.engine.circuits.probabilities("web") == pytest.approx({"running": 0.2, "stopped": 0.8})
    assert home.record("web") == record


def test_a_name_is_given_once(home):
    home.create("web")
    with pytest.raises(NameTakenError, match="'web'"):
        home.create("web")
    assert len(home.store.containers.all()) == 1


def test_no_more_than_max_containers(tmp_path):
    with Home(tmp_path, max_containers=2) as home:
        home.create("one")
        home.create("two")
        with pytest.raises(NoRoomError, match="allows 2"):
            home.create("three")
        home.engine.lifecycle.remove("one")
        home.create("three")
        home.check()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"probability": 1.1}, RegisterError),
        ({"probability": float("nan")}, RegisterError),
        ({"weight": -1.0}, RegisterError),
        ({"weight": float("inf")}, RegisterError),
        ({"states": ("one",)}, RegisterError),
        ({"states": ("one", "one")}, RegisterError),
        ({"states": ("one", "t,wo")}, RegisterError),
        ({"states": tuple(f"s{n}" for n in range(2**16 + 1))}, RegisterError),
        ({"cpus": 0.0}, RequestError),
        ({"cpus": float("nan")}, RequestError),
        ({"cpus": 5.0}, NoRoomError),
        ({"memory_mib": 5}, RequestError),
        ({"memory_mib": 5000}, NoRoomError),
        ({"pull": "sometimes"}, RequestError),
        ({"image": "No Image"}, RequestError),
        ({"image": "../../x", "pull": "never"}, RequestError),
        ({"node": "nowhere"}, NoSuchContainerError),
    ],
)
def test_bad_requests_leave_nothing(home, options, error):
    with pytest.raises(error):
        home.create("web", **options)
    assert nothing_left(home)


@pytest.mark.parametrize("name", ["", "x", "-web", "we b", "w" * 129, "wéb"])
def test_names_that_no_engine_takes(home, name):
    with pytest.raises(RequestError, match="name"):
        home.create(name)
    assert nothing_left(home)


def test_a_limit_of_no_processes_is_refused(home):
    bad = replace(request("web"), spec=ContainerSpec("web", "img", limits=Limits(pids=0)))
    with pytest.raises(RequestError, match="processes"):
        home.engine.lifecycle.create(bad)


def test_pull_always_fetches_and_tells(home):
    steps = []
    report = home.engine.lifecycle.create(request("web", pull="always"), steps.append)
    assert report.pulled
    assert steps


def test_a_caller_that_fails_in_the_middle_of_a_pull_leaves_nothing(home):
    def broken(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        home.engine.lifecycle.create(request("web", pull="always"), broken)
    assert nothing_left(home)


def test_a_foreign_container_of_the_same_name_on_the_engine(home):
    foreign = SimulatedDriver(home.endpoints["na"])
    foreign.create(ContainerSpec("web", "img"))
    with pytest.raises(NameTakenError):
        home.create("web", node="na")
    assert nothing_left(home)
    assert len(foreign.find({})) == 1


def test_the_node_that_was_asked_for_is_taken(home):
    assert {home.create(f"c{n}", node="nb").node for n in range(3)} == {"nb"}


def test_run_starts_what_measures_its_first_state(home):
    home.create("web", probability=1.0)
    report = home.engine.lifecycle.run("web")
    assert (report.started, report.was_running, report.forced, report.stopped) == (True, False, False, False)
    assert report.facts.state is ContainerState.RUNNING
    assert home.runs("web")
    again = home.engine.lifecycle.run("web")
    assert (again.started, again.was_running) == (False, True)
    assert home.record("web").wanted is Wanted.RUNNING


def test_run_does_not_start_what_measures_another_state(home):
    home.create("web", probability=0.0)
    report = home.engine.lifecycle.run("web")
    assert (report.started, report.measured.state) == (False, "stopped")
    assert not home.runs("web")
    assert home.record("web").measured.state == "stopped"


def test_force_starts_whatever_is_measured(home):
    home.create("web", probability=0.0)
    report = home.engine.lifecycle.run("web", force=True)
    assert (report.started, report.forced, report.measured.state) == (True, True, "stopped")
    assert home.runs("web")


def test_run_stops_what_runs_and_measures_another_state(home):
    home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    home.engine.circuits.apply_gate("X", ["web"])
    report = home.engine.lifecycle.run("web")
    assert (report.started, report.stopped, report.was_running) == (False, True, True)
    assert not home.runs("web")
    assert ("stop", "web") in home.events("container")


def test_a_group_runs_as_it_was_measured(home):
    for name in ("aa", "bb", "cc"):
        home.create(name)
    home.engine.circuits.entangle("aa", "bb", "same")
    home.engine.circuits.entangle("aa", "cc", "opposite")
    first = home.engine.lifecycle.run("bb")
    assert first.measured.outcomes["aa"] == first.measured.state != first.measured.outcomes["cc"]
    for name in ("aa", "cc"):
        assert home.engine.lifecycle.run(name).measured.state == first.measured.outcomes[name]
    assert home.runs("aa") is home.runs("bb") is not home.runs("cc")


def test_a_container_whose_process_ends_at_once(home, monkeypatch):
    home.create("web", probability=1.0)
    real = SimulatedDriver.start

    def ends(driver, engine_id):
        real(driver, engine_id)
        SimulatedDriver.stop(driver, engine_id)

    monkeypatch.setattr(Node, "start", ends)
    report = home.engine.lifecycle.run("web")
    assert report.started
    assert report.facts.state is ContainerState.EXITED
    assert ("die", "web") in home.events("container")
    assert home.record("web").wanted is Wanted.STOPPED


def test_a_start_that_is_refused_leaves_the_outcome_and_a_stopped_container(home):
    home.create("second", probability=1.0, node="na", host_port=8080)
    # Somebody else's container, of which placement knows nothing.
    engine = SimulatedDriver(home.endpoints["na"])
    engine.start(engine.create(request("first", host_port=8080).spec))
    with pytest.raises(EngineRefusalError, match="8080"):
        home.engine.lifecycle.run("second")
    record = home.record("second")
    assert (record.wanted, record.begun, record.measured.state) == (Wanted.STOPPED, None, "running")


def test_a_node_that_does_not_answer_spends_no_register(home):
    record = home.create("web")
    home.faults.away.add(record.node)
    with pytest.raises(EngineUnavailableError):
        home.engine.lifecycle.run("web")
    assert home.engine.circuits.probabilities("web")["running"] == pytest.approx(0.5)
    home.faults.away.clear()


def test_stop_leaves_the_register_alone(home):
    home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    home.engine.lifecycle.stop("web")
    assert not home.runs("web")
    assert home.engine.circuits.probabilities("web")["running"] == pytest.approx(1.0)
    assert home.engine.lifecycle.stop("web").wanted is Wanted.STOPPED
    assert home.events("container").count(("stop", "web")) == 1


@pytest.mark.parametrize("grace_s", [-1.0, 1e6, float("nan")])
def test_a_grace_of_no_sense(home, grace_s):
    home.create("web")
    with pytest.raises(RequestError, match="grace"):
        home.engine.lifecycle.stop("web", grace_s)


def test_a_running_container_is_removed_by_force_alone(home):
    home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    with pytest.raises(EngineRefusalError, match="running"):
        home.engine.lifecycle.remove("web")
    assert home.record("web").phase is Phase.READY
    assert home.engine.lifecycle.remove("web", force=True) == "web"
    assert nothing_left(home)
    with pytest.raises(NoSuchContainerError):
        home.engine.lifecycle.remove("web")


def test_removed_from_a_group_the_others_keep_their_state_and_their_tie(home):
    for name in ("aa", "bb", "cc"):
        home.create(name, probability=0.3)
    home.engine.circuits.entangle("aa", "bb", "same")
    home.engine.circuits.entangle("bb", "cc", "opposite")
    home.engine.lifecycle.remove("bb")
    assert set(home.engine.circuits.group("aa")) == {"aa", "cc"}
    assert home.engine.circuits.probabilities("aa")["running"] == pytest.approx(0.3)
    (relation,) = home.store.relations.all()
    ids = {home.record("aa").id, home.record("cc").id}
    assert ({relation.first, relation.second}, relation.mode) == (ids, "opposite")
    outcomes = home.engine.circuits.measure("aa").outcomes
    assert outcomes["aa"] != outcomes["cc"]


def test_a_removed_name_can_be_given_again(home):
    first = home.create("web")
    home.engine.lifecycle.remove("web")
    assert home.create("web").id != first.id


def test_references_are_names_ids_and_beginnings_of_ids(home):
    record = home.create("web")
    assert home.engine.lifecycle.stop(record.id[:12]).name == "web"
    assert home.engine.lifecycle.remove(record.id) == "web"


def test_logs_and_commands_inside(home):
    home.create("web", probability=1.0)
    assert b"simulated" in next(home.engine.lifecycle.logs("web", LogRequest())).data
    with pytest.raises(EngineRefusalError, match="does not run"):
        home.engine.lifecycle.execute("web", ExecSpec(("ls",)))
    with pytest.raises(RequestError, match="no command"):
        home.engine.lifecycle.execute("web", ExecSpec(()))


def test_a_measurement_in_the_middle_of_a_stop_is_not_forgotten(home, monkeypatch):
    """What another thread writes of the container while its engine works must stay."""
    home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    real = Node.stop

    def measured_meanwhile(driver, engine_id, grace_s=10.0):
        home.engine.circuits.apply_gate("X", ["web"])
        home.engine.circuits.measure("web")
        real(driver, engine_id, grace_s)

    monkeypatch.setattr(Node, "stop", measured_meanwhile)
    home.engine.lifecycle.stop("web")
    assert home.record("web").measured.state == "stopped"


def test_removals_are_forgotten_after_a_month(home):
    gone = home.create("web").id
    home.engine.lifecycle.remove("web")
    home.engine.upkeep.maintenance()
    assert home.store.settings.get(f"removed:{gone}") is not None
    home.clock.advance(31 * 86_400)
    home.engine.upkeep.maintenance()
    assert home.store.settings.all("removed:") == {}


def test_run_makes_again_what_somebody_removed_behind_our_back(home):
    record = home.create("web", node="na", probability=1.0)
    home.engine.lifecycle.run("web")
    SimulatedDriver(home.endpoints["na"]).remove(record.engine_id, force=True)
    assert home.engine.views.inspect("web").missing
    home.faults.arm(1, "refused before", ("create",))
    with pytest.raises(EngineRefusalError, match="refuses create"):
        home.engine.lifecycle.run("web")
    home.faults.disarm()
    # Nothing was measured, and nothing changed.
    assert home.record("web").engine_id == record.engine_id
    report = home.engine.lifecycle.run("web")
    assert (report.started, report.was_running) == (True, False)
    assert home.runs("web")
    assert home.record("web").engine_id != record.engine_id
    assert home.record("web").restarts == 1
    assert ("make-again", "web") in home.events("container")


@pytest.mark.parametrize(
    ("first", "call", "how", "told"),
    [
        ("running", "start", "refused before", r"web was measured running \(probability 1\) and not started"),
        ("running", "start", "unavailable after", r"\(probability 1\) and perhaps not started"),
        ("stopped", "stop", "refused before", r"web was measured stopped \(probability 1\) and not stopped"),
    ],
)
def test_an_outcome_is_told_when_it_cannot_be_carried_out(home, first, call, how, told):
    home.create("web", node="na", probability=1.0)
    if first == "stopped":
        home.engine.lifecycle.run("web")
        home.engine.circuits.apply_gate("X", ["web"])
    home.faults.arm(1, how, (call,))
    with pytest.raises((EngineRefusalError, EngineUnavailableError), match=told) as caught:
        home.engine.lifecycle.run("web")
    home.faults.disarm()
    assert "na" in caught.value.message
    (event,) = [each for each in home.engine.views.events() if each.action == f"{call}-failed"]
    assert (event.name, event.attributes["measured"]) == ("web", first)
    assert event.attributes["reason"] in caught.value.message
    assert home.record("web").measured.state == first
    home.engine.upkeep.maintenance()
