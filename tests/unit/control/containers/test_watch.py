"""The watch: what is stuck on one node keeps it from nothing, and what was cut off is finished."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Node, Rounds, Stuck, endpoint, request, stuck

from engines.nodes import WAIT_S, wait_until
from qrealm.base.clock import ManualClock
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NoRoomError, RunError
from qrealm.control.containers import deciding
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.engine import COMPARE_S
from qrealm.control.containers.mending import Mending
from qrealm.control.containers.placement import SchedulerAnswer, register_scheduler, unregister_scheduler
from qrealm.control.containers.values import NodeState, Phase, Wanted
from qrealm.control.containers.watch import UNSEEN
from qrealm.fleet.containers.protocol import ContainerFacts, ContainerState, Restart
from qrealm.fleet.containers.simulated import SimulatedDriver

NODES = ("na", "nb", "nc")


def state(home, name):
    return home.store.nodes.get(name).state


@contextmanager
def in_thread(work):
    """Do something meanwhile; what it raised, once it has ended, is in the list."""
    raised = []

    def carry_out():
        try:
            work()
        except Exception as problem:  # noqa: BLE001 - looked at by the test
            raised.append(problem)

    thread = threading.Thread(target=carry_out)
    thread.start()
    yield thread, raised
    thread.join(WAIT_S)
    assert not thread.is_alive()


@contextmanager
def watched(path):
    """A home with three nodes whose watch makes its rounds one after the other. A node has half a
    minute of the real time to say that it is there."""
    with Home(path, NODES, node_lost_after_s=60.0) as home:
        home.engine.watch._ended = Rounds(home.clock)
        home.engine.watch.start()
        yield home


def test_a_node_that_hangs_does_not_keep_the_engine_from_opening(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="nb")
        home.close()
        with stuck(home, ("nb", "*")):
            begun = time.monotonic()
            home.open()
            assert time.monotonic() - begun < COMPARE_S / 2
            assert state(home, "nb") is NodeState.READY, "whether it is lost is for the watch to say"
            assert home.create("other", node="na").phase is Phase.READY
        # Removed behind our back: that is seen when the node answers, without being asked for.
        SimulatedDriver(home.endpoints["nb"]).remove(home.record("web").engine_id, force=True)
        home.engine.watch.look()
        assert len(home.there("nb")) == 1
        home.check()


def test_a_configured_node_that_hangs_is_taken_in_when_it_answers(tmp_path):
    home = Home(tmp_path, NODES)
    with stuck(home, ("nb", "*")):
        begun = time.monotonic()
        home.open()
        assert time.monotonic() - begun < COMPARE_S / 2
        unseen = home.store.nodes.get("nb")
        assert (unseen.state, unseen.engine, unseen.cpus) == (NodeState.LOST, UNSEEN, 0.0)
        with pytest.raises(NoRoomError, match="lost"):
            home.create("web", node="nb")
    home.engine.watch.look()
    seen = home.store.nodes.get("nb")
    assert (seen.state, seen.engine, seen.cpus) == (NodeState.READY, "simulated", 4.0)
    assert home.create("web", node="nb").node == "nb"
    home.check()
    home.close()


def test_a_container_that_is_stuck_does_not_lose_its_node(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na")
        with stuck(home, ("na", "inspect"), ("na", "find"), ("na", "glance")):
            for _ in range(3):
                home.engine.watch.look()
                home.clock.advance(4)
            assert state(home, "na") is NodeState.READY


def test_a_node_that_refuses_is_there(tmp_path, monkeypatch):
    with Home(tmp_path, NODES) as home:

        def refuses(driver):
            raise EngineRefusalError("status 500")

        monkeypatch.setattr(Node, "ping", refuses)
        for _ in range(3):
            home.engine.watch.look()
            home.clock.advance(4)
        assert state(home, "na") is NodeState.READY


def test_a_command_that_is_stuck_on_a_lost_node_delays_nothing(tmp_path):
    with watched(tmp_path) as home:
        for n, node in enumerate(("na", "na", "nb")):
            home.create(f"w{n}", node=node, probability=1.0)
            home.engine.lifecycle.run(f"w{n}")
        stop = lambda: home.engine.lifecycle.stop("w0", grace_s=600)  # noqa: E731
        with stuck(home, ("na", "stop")), in_thread(stop) as (thread, raised):
            wait_until(lambda: home.record("w0").begun is Wanted.STOPPED)
            home.faults.away.add("na")
            wait_until(lambda: all(home.record(f"w{n}").node in ("nb", "nc") for n in (0, 1)))
            wait_until(lambda: all(home.record(f"w{n}").phase is Phase.READY for n in (0, 1)))
            thread.join(WAIT_S)
            assert isinstance(raised[0], EngineUnavailableError)
            assert home.record("w0").wanted is Wanted.STOPPED, "as was asked for"
            assert home.runs("w1")
            home.faults.away.add("nb")
            everything = [f"w{n}" for n in range(3)]
            wait_until(lambda: {home.record(name).node for name in everything} == {"nc"})
            wait_until(lambda: all(home.record(name).phase is Phase.READY for name in everything))
            assert [home.runs(name) for name in everything] == [False, True, True]


def test_mending_that_is_stuck_keeps_the_watch_from_nothing(tmp_path):
    with watched(tmp_path) as home:
        home.create("wa", node="na", probability=1.0)
        home.create("wb", node="nb", probability=1.0)
        with stuck(home, ("nb", "create"), ("nc", "create")):
            home.faults.away.add("na")
            wait_until(lambda: home.record("wa").phase is Phase.MAKING_AGAIN)
            first = home.record("wa").node
            home.faults.away.add(first)
            wait_until(lambda: state(home, first) is NodeState.LOST)
            assert home.record("wa").node not in ("na", first)
        wait_until(lambda: {r.phase for r in home.store.containers.all()} == {Phase.READY})


def test_an_outcome_that_could_not_be_carried_out_is_finished_by_the_watch(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na", probability=1.0)
        home.faults.arm(1, only=("start",))
        with pytest.raises(EngineUnavailableError):
            home.engine.lifecycle.run("web")
        home.faults.disarm()
        assert home.record("web").begun is Wanted.RUNNING
        home.clock.advance(6)
        home.engine.watch.look()
        assert home.record("web").begun is None
        assert home.runs("web")
        home.check()


def test_a_removal_that_was_cut_off_is_finished_by_the_watch(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na")
        home.faults.arm(1, only=("remove",))
        with pytest.raises(EngineUnavailableError):
            home.engine.lifecycle.remove("web")
        home.faults.disarm()
        assert home.record("web").phase is Phase.REMOVING
        home.clock.advance(6)
        home.engine.watch.look()
        assert home.store.containers.all() == ()
        home.check()


def test_what_a_command_is_at_is_left_to_it(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na", probability=1.0)
        home.engine.lifecycle.run("web")
        with stuck(home, ("na", "stop")) as released:
            with in_thread(lambda: home.engine.lifecycle.stop("web")) as (_, raised):
                wait_until(lambda: home.record("web").begun is Wanted.STOPPED)
                home.clock.advance(6)
                begun = time.monotonic()
                home.engine.watch.look()
                assert time.monotonic() - begun < 15
                released.set()
            assert raised
        home.clock.advance(6)
        home.engine.watch.look()
        assert not home.runs("web")


@pytest.mark.parametrize("jump_s", [-7200.0, 7200.0])
def test_a_clock_that_is_set_changes_no_loss(tmp_path, jump_s):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na")
        home.engine.watch.look()
        home.clock.set(home.clock.now() + jump_s)
        home.faults.away.add("na")
        for _ in range(2):
            home.engine.watch.look()
            assert state(home, "na") is NodeState.READY
        home.clock.advance(3.5)
        home.engine.watch.look()
        assert state(home, "na") is NodeState.LOST
        assert home.record("web").node != "na"


def test_a_manual_clock_that_is_set_lets_no_time_pass():
    clock = ManualClock(100.0)
    clock.advance(5.0)
    clock.set(20.0)
    assert (clock.now(), clock.monotonic()) == (20.0, 5.0)


def test_only_the_connection_of_the_ping_is_given_up(tmp_path):
    pool = DriverPool(lambda where, limit_s: SimulatedDriver(where, limit_s))
    where = endpoint(tmp_path, "na")
    work, ping = pool.of(where), pool.of(where, 1.0, "ping")
    pool.forget(where, "ping")
    assert work.facts().cpus == 4.0
    with pytest.raises(EngineUnavailableError):
        ping.ping()
    pool.of(where, 1.0, "ping").ping()
    pool.bar(where)
    with pytest.raises(EngineUnavailableError):
        work.facts()
    with pytest.raises(EngineUnavailableError):
        pool.of(where)
    pool.of(where, 1.0, "ping").ping()
    pool.allow(where)
    assert pool.of(where).facts().cpus == 4.0
    pool.close()


def test_a_call_of_a_node_that_is_given_up_breaks_off_at_once(tmp_path):
    home = Home(tmp_path, NODES)
    pool = DriverPool(lambda where, limit_s: Node(where, limit_s, home.faults))
    driver = pool.of(home.endpoints["na"])
    start = lambda: driver.start("x" * 64)  # noqa: E731
    with stuck(home, ("na", "start")) as released, in_thread(start) as (thread, raised):
        assert released.entered.wait(WAIT_S)
        pool.bar(home.endpoints["na"])
        thread.join(WAIT_S)
        assert isinstance(raised[0], EngineUnavailableError)
    with stuck(home, ("nb", "ping")):
        begun = time.monotonic()
        with pytest.raises(EngineUnavailableError, match=r"within 0\.2 s"):
            pool.of(home.endpoints["nb"], 0.2, "ping").ping()
        assert time.monotonic() - begun < 15
    pool.close()


def test_a_copy_that_ends_at_once_on_its_target_is_taken_away(tmp_path, monkeypatch):
    with Home(tmp_path, NODES) as home:
        record = home.create("web", node="na", probability=1.0)
        home.engine.lifecycle.run("web")
        real = SimulatedDriver.start

        def ends_there(driver, engine_id):
            real(driver, engine_id)
            if driver._host != "na":
                SimulatedDriver.stop(driver, engine_id)

        monkeypatch.setattr(Node, "start", ends_there)
        report = home.engine.nodes.drain("na")
        (move,) = [move for move in report.moves if move.name == "web"]
        assert not move.done
        assert "ended at once" in move.error
        assert (home.record("web").node, home.record("web").engine_id) == ("na", record.engine_id)
        assert home.runs("web")
        assert home.there("nb") == home.there("nc") == []
        home.check()


def test_a_move_whose_room_was_given_away_meanwhile_is_skipped(tmp_path, monkeypatch):
    with Home(tmp_path, ("na", "nb")) as home:
        home.create("web", node="na", memory_mib=3000)
        real = Node.create
        done = []

        def another_meanwhile(driver, spec):
            if spec.name == "web" and not done:
                done.append(home.create("other", node="nb", memory_mib=3000))
            return real(driver, spec)

        monkeypatch.setattr(Node, "create", another_meanwhile)
        report = home.engine.nodes.drain("na")
        (move,) = [move for move in report.moves if move.name == "web"]
        assert "no room" in move.error
        assert (home.record("web").node, home.record("other").node) == ("na", "nb")
        home.check()


class Slow:
    """A scheduler that thinks until it is told to stop."""

    name = "slow"
    help = "thinks for long"

    def __init__(self):
        self.asked = threading.Event()
        self.end = threading.Event()
        self.answers = threading.Event()

    def place(self, problem, *, seconds, seed):
        self.asked.set()
        self.end.wait(120)
        self.answers.set()
        first = problem.bins[0].name
        return SchedulerAnswer(
            {item.name: item.current or (item.allowed or (first,))[0] for item in problem.items}
        )


@pytest.fixture
def slow():
    scheduler = Slow()
    register_scheduler(scheduler)
    yield scheduler
    scheduler.end.set()
    unregister_scheduler("slow")


def test_while_a_scheduler_thinks_registers_and_losses_go_on(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(deciding, "ANSWER_S", 600.0)
    with Home(tmp_path, NODES) as home:
        home.create("web", node="na")
        home.create("db", node="nb")
        with in_thread(lambda: home.engine.balancing.rebalance("slow")) as (_, raised):
            assert slow.asked.wait(WAIT_S)
            home.engine.circuits.entangle("web", "db")
            home.engine.circuits.apply_gate("X", ["web"])
            home.engine.lifecycle.run("web")
            home.lose("na")
            assert home.record("web").node != "na"
            assert not slow.answers.is_set(), "nothing waited for it"
            slow.end.set()
        assert raised == []


def test_a_scheduler_that_never_answers_is_given_up(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(deciding, "ANSWER_S", 0.3)
    with Home(tmp_path, NODES) as home:
        home.create("web")
        with pytest.raises(RunError, match="no answer within"):
            home.engine.balancing.rebalance("slow")
        assert home.create("db").phase is Phase.READY


def test_a_node_lost_while_a_scheduler_thinks_gets_nothing(tmp_path, slow):
    with Home(tmp_path, ("na", "nb")) as home:
        wanted = replace(request("web"), scheduler="slow")
        with in_thread(lambda: home.engine.lifecycle.create(wanted)) as (_, raised):
            assert slow.asked.wait(WAIT_S)
            home.lose("na")  # the scheduler's choice
            slow.end.set()
        assert raised == []
        assert home.record("web").node == "nb"
        home.check()


@pytest.mark.parametrize(
    ("restart", "exit_code", "stays"),
    [
        ("no", 0, False),
        ("no", 3, False),
        ("on-failure", 0, False),
        ("on-failure", 3, True),
        ("always", 0, True),
    ],
)
def test_a_job_that_has_ended_is_not_run_again_when_its_node_is_lost(
    tmp_path, monkeypatch, restart, exit_code, stays
):
    with Home(tmp_path, NODES) as home:
        wanted = request("job")
        wanted = replace(wanted, node="na", spec=replace(wanted.spec, restart=Restart(restart)))
        record = home.engine.lifecycle.create(wanted).container
        home.engine.lifecycle.run("job", force=True)
        SimulatedDriver(home.endpoints["na"]).stop(record.engine_id)
        real = SimulatedDriver.find

        def exited(driver, labels):
            found = real(driver, labels)
            ended = [each for each in found if each.state is ContainerState.EXITED]
            return [replace(each, exit_code=exit_code) if each in ended else each for each in found]

        monkeypatch.setattr(Node, "glance", exited)
        home.engine.watch.look()
        assert home.record("job").wanted is Wanted.RUNNING, "not at once: its host may be going down"
        home.clock.advance(3.5)
        home.engine.watch.look()
        assert home.record("job").wanted is (Wanted.RUNNING if stays else Wanted.STOPPED)
        assert (("die", "job") in home.events("container")) is not stays
        home.lose("na")
        assert home.record("job").node != "na"
        assert home.runs("job") is stays
        home.faults.away.clear()
        home.engine.watch.look()


def test_a_container_that_was_started_again_meanwhile_is_not_noted_as_ended(tmp_path):
    with Home(tmp_path, NODES) as home:
        record = home.create("web", node="na", probability=1.0)
        home.engine.lifecycle.run("web")
        node = SimulatedDriver(home.endpoints["na"])
        node.stop(record.engine_id)
        home.engine.watch.look()
        home.clock.advance(3.5)
        node.start(record.engine_id)
        home.engine.watch.look()
        assert home.record("web").wanted is Wanted.RUNNING


def test_what_waits_for_its_data_says_so_and_can_be_stopped(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("db", node="na", probability=1.0, volumes=("data",))
        home.engine.lifecycle.run("db")
        home.lose("na")
        with pytest.raises(NoRoomError, match=r"waits for node 'na'.*data") as told:
            home.engine.lifecycle.run("db")
        assert "nodes rm na" in told.value.hint
        assert home.engine.lifecycle.stop("db").wanted is Wanted.STOPPED
        home.come_back("na")
        assert home.record("db").node == "na"
        assert home.record("db").wanted is Wanted.STOPPED
        home.engine.lifecycle.stop("db")
        assert not home.runs("db")


def test_a_container_that_was_paused_by_hand_is_not_measured(tmp_path, monkeypatch):
    with Home(tmp_path, NODES) as home:
        home.create("web", probability=0.5)
        before = home.engine.circuits.probabilities("web")
        facts = lambda driver, engine_id: ContainerFacts(  # noqa: E731
            engine_id, "web", "img:1", ContainerState.PAUSED
        )
        monkeypatch.setattr(Node, "inspect", facts)
        with pytest.raises(EngineRefusalError, match="paused") as told:
            home.engine.lifecycle.run("web")
        assert "docker unpause" in told.value.hint
        assert home.record("web").measured is None
        assert home.engine.circuits.probabilities("web") == pytest.approx(before)


def test_mending_does_each_piece_once_and_goes_on_after_one_that_broke():
    mending = Mending()
    released, done = Stuck(), []

    def work():
        assert released.wait(WAIT_S)
        done.append(1)
        raise ValueError("broke")

    first = mending.submit("na", "piece", work)
    assert mending.submit("na", "piece", work) is first
    other = mending.submit("nb", "piece", lambda: done.append(2))
    other.result(WAIT_S)
    assert released.entered.wait(WAIT_S)
    assert not mending.wait(0.05)
    released.set()
    assert mending.wait(WAIT_S)
    assert done == [2, 1]
    mending.submit("na", "piece", lambda: done.append(3)).result(30)
    mending.close()
    assert mending.submit("na", "piece", lambda: done.append(4)) is None
    assert done == [2, 1, 3]
