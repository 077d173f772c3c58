"""Three real Docker engines as three nodes: where containers go, and what happens when a node dies, is
drained or is added."""

from __future__ import annotations

import http.client
import os
import signal
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from engines.docker_engine import DockerEngine, docker_engines
from engines.eyes import answers, clean, docker, inspect, running, seen, states, why_no_eyes
from engines.free_ports import free_port
from engines.image import IMAGE
from engines.nodes import engine_of, make, request, wait_until, where
from qrealm.base.errors import EngineUnavailableError, NoRoomError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.control.containers.values import NodeState, Phase
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, Mount, Port

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

PLACED_AGAIN_S = 5.0
"""What a node's loss may take, from its death until the last of its containers runs elsewhere."""
LOSSES = 3
"""Where the first is not made up for in that time, most of so many have to be: a machine that stands still
for a moment says nothing of us."""
BUSY_S = 30.0
"""The same for tests of what is done, with more patience and on a machine that has other work."""


@pytest.fixture(scope="module")
def machines() -> Iterator[dict[str, DockerEngine]]:
    with docker_engines(3) as started:
        yield dict(zip(("n1", "n2", "n3"), started, strict=True))


@pytest.fixture
def urls(machines: Mapping[str, DockerEngine]) -> Iterator[dict[str, str]]:
    found = {name: machine.url for name, machine in machines.items()}
    try:
        yield found
    finally:
        for machine in machines.values():
            if not answers(machine.url):
                machine.start()
        clean(list(found.values()))


def nodes_of(urls: Mapping[str, str], names: Iterable[str]) -> dict[str, list[str]]:
    """The nodes where each container runs, as the engines themselves say."""
    there = {node: running(url) for node, url in urls.items()}
    return {name: [node for node in there if name in there[node]] for name in names}


@contextmanager
def hanging(machine: DockerEngine) -> Iterator[None]:
    """An engine that takes connections and answers nothing."""
    pid = int((machine.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def started_after(urls: Mapping[str, str], names: Iterable[str], moment: float) -> float:
    """Seconds from a moment until the last of these containers started, as the engines have written it down:
    how long a test takes to look is no part of it."""

    def starts() -> list[list[float]]:
        return [[at for url in urls.values() for at in seen(url, name, "start", moment)] for name in names]

    wait_until(lambda: all(starts()))  # an engine shows that one runs before it writes down that it started
    found = starts()
    assert all(len(each) == 1 for each in found), found
    return max(each[0] for each in found) - moment


def lose(
    machines: Mapping[str, DockerEngine], urls: Mapping[str, str], before: Mapping[str, str | None], lost: str
) -> float:
    """Kill a node; the seconds until the last of its containers ran elsewhere."""
    others = {node: url for node, url in urls.items() if node != lost}
    died = time.time()
    machines[lost].kill()
    wait_until(lambda: set().union(*map(running, others.values())) == set(before))
    return started_after(others, {name for name, node in before.items() if node == lost}, died)


def page(port: int) -> bytes:
    """What is served at a port of this host; nothing while nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/passwd", timeout=5) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):  # it may answer half while it begins
        return b""


def state_of(engine: ContainerEngine, node: str) -> NodeState:
    return next(view.record.state for view in engine.nodes.all() if view.record.name == node)


def test_a_node_that_dies_is_made_up_for_within_five_seconds(
    machines, urls, tmp_path, capsys, record_property
):
    names = [f"c{i}" for i in range(9)]
    usual = Config().node_lost_after_s
    with engine_of(urls, tmp_path / "home", watch=True, node_lost_after_s=usual) as engine:
        make(engine, [request(name) for name in names])
        before = where(engine)
        assert sorted(list(before.values()).count(node) for node in urls) == [3, 3, 3]
        assert nodes_of(urls, names) == {name: [before[name]] for name in names}
        old_ids = {name: inspect(urls[before[name]], name)["Id"] for name in names}
        lost = before["c0"]
        victims = {name for name, node in before.items() if node == lost}
        others = {node: url for node, url in urls.items() if node != lost}

        took = lose(machines, urls, before, lost)
        record_property("seconds_until_placed_again", round(took, 2))
        with capsys.disabled():
            sys.stdout.write(
                f"\n  {len(victims)} containers of a dead node ran elsewhere after {took:.2f} s\n"
            )
        wait_until(lambda: all(r.record.phase is Phase.READY for r in engine.views.containers()))

        after = nodes_of(others, names)
        assert all(len(nodes) == 1 for nodes in after.values()), "each of them once"
        assert {name: nodes[0] for name, nodes in after.items()} == where(engine)
        kept = set(names) - victims
        assert {name: inspect(urls[before[name]], name)["Id"] for name in kept} == {
            name: old_ids[name] for name in kept
        }, "nobody else was touched"
        assert state_of(engine, lost) is NodeState.LOST
        for name in victims:
            newest = engine.balancing.why(name)[0]
            assert (newest.action, newest.before, newest.chosen) == ("node lost", lost, after[name][0])
            assert lost in newest.reason
            view = engine.views.inspect(name)
            assert view.record.restarts == 1
            assert view.facts.engine_id != old_ids[name]
        with pytest.raises(EngineUnavailableError, match="lost"):
            engine.nodes.drain(lost)

        machines[lost].start()
        wait_until(lambda: state_of(engine, lost) is NodeState.READY)
        wait_until(lambda: states(urls[lost]) == {})
        assert nodes_of(urls, names) == after, "the new copies stay where they are"
        events = [event for event in engine.views.events() if event.type == "node"]
        told = [event.action for event in events if event.name == lost]
        assert told[1:] == ["lost", "return"]

        tries = [took]
        while took >= PLACED_AGAIN_S and len(tries) < LOSSES:
            engine.balancing.rebalance()
            lost = where(engine)["c0"]
            tries.append(lose(machines, urls, where(engine), lost))
            machines[lost].start()
            wait_until(lambda node=lost: state_of(engine, node) is NodeState.READY)
        assert statistics.median(tries) < PLACED_AGAIN_S, tries


def test_a_node_that_hangs_is_lost_too(machines, urls, tmp_path):
    with engine_of(urls, tmp_path / "home", watch=True) as engine:
        make(engine, [request("web", node="n1"), request("db", node="n2")])
        with hanging(machines["n1"]):
            stopped = time.time()
            wait_until(lambda: "web" in running(urls["n2"]) | running(urls["n3"]))
            # Until it is known to hang, a question or two run into their limit of 1.5 s each.
            others = {name: urls[name] for name in ("n2", "n3")}
            assert started_after(others, ["web"], stopped) < BUSY_S
            assert engine.views.inspect("db").facts.state == "running", "the others answer meanwhile"
        wait_until(lambda: state_of(engine, "n1") is NodeState.READY)
        wait_until(lambda: states(urls["n1"]) == {})


def test_two_nodes_at_once(machines, urls, tmp_path):
    with engine_of(urls, tmp_path / "home", watch=True) as engine:
        names = [f"c{i}" for i in range(3)]
        make(engine, [request(name) for name in names])
        moved = {name for name, node in where(engine).items() if node != "n3"}
        machines["n1"].kill()
        died = time.time()
        machines["n2"].kill()
        wait_until(lambda: running(urls["n3"]) == set(names))
        assert started_after({"n3": urls["n3"]}, moved, died) < BUSY_S
        machines["n1"].start()
        machines["n2"].start()
        wait_until(lambda: states(urls["n1"]) == states(urls["n2"]) == {})
        # Old copies go before a node is ready again.
        wait_until(lambda: all(state_of(engine, node) is NodeState.READY for node in urls))
        assert set(where(engine).values()) == {"n3"}
        assert len(engine.balancing.rebalance().moves) == 2
        assert sorted(len(running(url)) for url in urls.values()) == [1, 1, 1]


def test_what_was_stopped_stays_stopped_when_its_node_dies(machines, urls, tmp_path):
    with engine_of(urls, tmp_path / "home", watch=True) as engine:
        make(engine, [request("on", node="n1"), request("off", probability=0.0, node="n1")])
        assert states(urls["n1"]) == {"on": "running", "off": "created"}
        machines["n1"].kill()
        wait_until(lambda: all(view.facts for view in engine.views.containers()))
        found = states(urls["n2"]) | states(urls["n3"])
        assert found == {"on": "running", "off": "created"}


def test_a_short_silence_is_no_loss(machines, urls, tmp_path):
    # An engine may take that long to stop and to start again. Here the test itself makes the watch's rounds.
    with engine_of(urls, tmp_path / "home", node_lost_after_s=90.0) as engine:
        make(engine, [request("web", node="n1")])
        engine.watch.look()
        old = inspect(urls["n1"], "web")["Id"]
        machines["n1"].stop()
        for _ in range(3):
            engine.watch.look()
        silent = next(view for view in engine.nodes.all() if view.record.name == "n1")
        assert "does not answer" in silent.error, "its silence was noticed"
        machines["n1"].start()
        engine.watch.look()
        engine.upkeep.maintenance()
        assert state_of(engine, "n1") is NodeState.READY
        assert not [event for event in engine.views.events() if event.action == "lost"]
        assert inspect(urls["n1"], "web")["Id"] == old
        assert states(urls["n2"]) == states(urls["n3"]) == {}


def test_what_finds_no_room_waits_and_the_heaviest_goes_first(machines, urls, tmp_path):
    weights = {"light": 0.5, "heavy": 3.0, "middle": 1.0}
    with engine_of(urls, tmp_path / "home", watch=True, node_mib=100) as engine:
        make(engine, [request(name, weight=weight, node="n1") for name, weight in weights.items()])
        make(engine, [request(f"b{i}", node="n2") for i in range(3)])
        make(engine, [request(f"c{i}", node="n3") for i in range(2)])
        machines["n1"].kill()
        wait_until(lambda: "heavy" in running(urls["n3"]))
        waiting = {view.record.name for view in engine.views.containers() if view.record.node is None}
        assert waiting == {"light", "middle"}
        assert "memory" in engine.balancing.why("light")[0].reason
        engine.lifecycle.remove("b0", force=True)
        engine.upkeep.maintenance()
        assert "middle" in running(urls["n2"])
        machines["n1"].start()
        wait_until(lambda: states(urls["n1"]) == {"light": "running"})


def test_entanglement_says_who_goes_where(urls, tmp_path):
    places = {"web": "n1", "cache": "n2", "s1": "n3", "s2": "n3", "s3": "n3", "p1": "n1", "p2": "n1"}
    with engine_of(urls, tmp_path / "home") as engine:
        make(engine, [request(name, node=node) for name, node in places.items()])
        assert nodes_of(urls, places) == {name: [node] for name, node in places.items()}
        note = engine.circuits.entangle("web", "cache", "same").note
        assert "web is on node n1 and cache on n2" in note
        engine.circuits.entangle("s1", "s2", "spread")
        engine.circuits.entangle("s2", "s3", "spread")
        engine.circuits.entangle("p1", "p2", "opposite")
        report = engine.balancing.rebalance()
        assert all(move.done for move in report.moves), report.moves
        found = nodes_of(urls, places)
        assert all(len(nodes) == 1 for nodes in found.values()), "each runs once, and never less"
        assert found["web"] == found["cache"]
        assert len({found[name][0] for name in ("s1", "s2", "s3")}) == 3
        assert found["p1"] != found["p2"]
        assert {name: nodes[0] for name, nodes in found.items()} == where(engine)
        assert engine.balancing.rebalance().moves == ()


def test_a_node_is_drained_without_an_interruption(urls, tmp_path):
    names = ["c0", "c1", "c2", "c3"]
    with engine_of(urls, tmp_path / "home") as engine:
        make(engine, [request(name, node="n1") for name in names])
        engine.lifecycle.create(request("idle", node="n1"))
        begun = time.time()
        report = engine.nodes.drain("n1")
        assert {move.name for move in report.moves if move.done} == {*names, "idle"}
        assert states(urls["n1"]) == {}
        found = nodes_of({"n2": urls["n2"], "n3": urls["n3"]}, names)
        for name, nodes in found.items():
            assert len(nodes) == 1
            (started,) = seen(urls[nodes[0]], name, "start", begun)
            (died,) = seen(urls["n1"], name, "die", begun)
            assert started < died, "the new one runs before the old one stops"
        assert sorted(len(states(urls[node])) for node in ("n2", "n3")) == [2, 3]
        assert (states(urls["n2"]) | states(urls["n3"]))["idle"] == "created"
        assert state_of(engine, "n1") is NodeState.DRAINING
        engine.lifecycle.create(request("new"))
        assert where(engine)["new"] != "n1", "it takes nothing new"
        assert engine.nodes.drain("n1").moves == (), "safe to repeat"
        engine.nodes.activate("n1")
        engine.lifecycle.create(request("newer"))
        assert where(engine)["newer"] == "n1", "the emptiest"


def test_a_third_node_gets_what_pays_for_its_move_and_no_more(urls, tmp_path):
    two = {name: urls[name] for name in ("n1", "n2")}
    names = [f"c{i}" for i in range(6)]
    with engine_of(two, tmp_path / "home") as engine:
        make(engine, [request(name) for name in names])
        before = where(engine)
        ids = {name: inspect(urls[str(before[name])], name)["Id"] for name in names}
        assert sorted(before.values()) == ["n1"] * 3 + ["n2"] * 3
        assert engine.balancing.rebalance().moves == ()
        engine.nodes.add("n3", Endpoint("docker", urls["n3"]))

        planned = engine.balancing.rebalance(dry_run=True)
        assert len(planned.moves) == 2
        assert not any(move.done for move in planned.moves)
        assert states(urls["n3"]) == {}
        assert where(engine) == before

        report = engine.balancing.rebalance()
        assert len(report.moves) == 2, "from 3, 3, 0 to 2, 2, 2 and no move more"
        assert all(move.done and move.target == "n3" for move in report.moves)
        gain = report.objective_before - report.objective_after
        assert gain > 2 * engine.nodes.all()[0].containers * 0.02 / 2
        after = {name: nodes[0] for name, nodes in nodes_of(urls, names).items()}
        assert after == where(engine)
        assert sorted(after.values()) == ["n1", "n1", "n2", "n2", "n3", "n3"]
        moved = {move.name for move in report.moves}
        same = {name for name in names if inspect(urls[after[name]], name)["Id"] == ids[name]}
        assert same == set(names) - moved
        for move in report.moves:
            assert engine.balancing.why(move.name)[0].reason == move.reason
        assert engine.balancing.rebalance().moves == (), "nothing pays any more"


def test_moves_that_cost_more_than_they_gain_are_not_made(urls, tmp_path):
    two = {name: urls[name] for name in ("n1", "n2")}
    with engine_of(two, tmp_path / "home", move_cost=1e6) as engine:
        make(engine, [request(f"c{i}", node="n1") for i in range(2)])
        assert engine.balancing.rebalance().moves == ()
        assert len(running(urls["n1"])) == 2


def test_load_balance_moves_the_named_ones_alone(urls, tmp_path):
    with engine_of(urls, tmp_path / "home") as engine:
        names = [f"c{i}" for i in range(6)]
        make(engine, [request(name, node="n1") for name in names])
        report = engine.balancing.load_balance(["c1", "c4"])
        assert {move.name for move in report.moves} == {"c1", "c4"}
        found = nodes_of(urls, names)
        assert {name for name in names if found[name] == ["n1"]} == {"c0", "c2", "c3", "c5"}
        assert {found["c1"][0], found["c4"][0]} == {"n2", "n3"}


def test_a_move_whose_target_cannot_make_it_leaves_it_as_it_was(urls, tmp_path):
    with engine_of(urls, tmp_path / "home") as engine:
        make(engine, [request("web", node="n1")])
        old = inspect(urls["n1"], "web")["Id"]
        docker(urls["n2"], "create", "--name", "web", "--network", "none", IMAGE)
        docker(urls["n3"], "create", "--name", "web", "--network", "none", IMAGE)
        (move,) = engine.nodes.drain("n1").moves
        assert not move.done
        assert "web" in move.error
        assert inspect(urls["n1"], "web")["Id"] == old
        assert running(urls["n1"]) == {"web"}
        assert where(engine)["web"] == "n1"


def test_what_shows_a_port_of_its_host_stops_before_it_starts_elsewhere(tmp_path):
    with docker_engines(2, bridge=True) as engines:
        urls = dict(zip(("n1", "n2"), (each.url for each in engines), strict=True))
        port = free_port()
        serve = ("sh", "-c", "cd /etc; httpd -f -p 8080 & trap 'exit 0' TERM; wait")
        with engine_of(urls, tmp_path / "home") as engine:
            wanted = request("web", *serve, node="n1", network=None, ports=(Port(8080, port),))
            make(engine, [wanted])
            wait_until(lambda: b"root:" in page(port))
            (move,) = engine.nodes.drain("n1").moves
            assert move.done, move.error
            assert (states(urls["n1"]), running(urls["n2"])) == ({}, {"web"})
            wait_until(lambda: b"root:" in page(port))


def test_a_volume_keeps_a_container_on_its_node(machines, urls, tmp_path):
    with engine_of(urls, tmp_path / "home", watch=True) as engine:
        data = Mount("data", "/data")
        make(engine, [request("db", node="n1", mounts=(data,)), request("web", node="n1")])
        done = engine.lifecycle.execute("db", ExecSpec(("touch", "/data/precious")))
        assert list(done.output()) == []
        report = engine.nodes.drain("n1")
        assert [move.name for move in report.moves] == ["web"]
        assert report.kept == ("db",)
        assert nodes_of(urls, ["db"]) == {"db": ["n1"]}
        engine.nodes.activate("n1")

        machines["n1"].kill()
        wait_until(lambda: engine.views.inspect("db").record.phase is Phase.WAITING)
        newest = engine.balancing.why("db")[0]
        assert newest.chosen is None
        assert "data" in newest.reason
        with pytest.raises(NoRoomError, match="waits"):
            engine.lifecycle.run("db")
        engine.watch.look()
        engine.upkeep.maintenance()
        assert engine.views.inspect("db").record.phase is Phase.WAITING
        assert "db" not in states(urls["n2"]) | states(urls["n3"]), "its data is not there"

        machines["n1"].start()
        wait_until(lambda: running(urls["n1"]) == {"db"})
        assert engine.views.inspect("db").record.phase is Phase.READY
        assert "precious" in docker(urls["n1"], "exec", "db", "ls", "/data")
