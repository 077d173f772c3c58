"""A real Docker swarm of three members, each of them a node, all reached through its one manager: where
containers go, what the members' own engines say of them, and what happens when a member dies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engines.eyes import answers, docker
from engines.image import KEEPING, KEEPING_CHANGES, load_image
from engines.nodes import HOUR_MS, WAIT_S, request, wait_until, where
from engines.nodes import make as make_all
from engines.swarm_nodes import Member, swarm, wait_until_ready, why_no_swarm
from qrealm.base.errors import EngineRefusalError, NameTakenError, NodeDownError, RequestError
from qrealm.control.containers import lifecycle
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.control.containers.files.values import NodeEntry
from qrealm.control.containers.values import NodeState, Phase
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, LogRequest

pytestmark = pytest.mark.skipif(why_no_swarm() is not None, reason=str(why_no_swarm()))

MIB = 1 << 20
NODES = ("n1", "n2", "n3")
PLACED_AGAIN_S = 30.0
"""What a member's loss may take on a machine that has other work, too: else less than five seconds, of which
the swarm itself needs three and something with a heartbeat of a second."""


@pytest.fixture(scope="module")
def members() -> Iterator[dict[str, Member]]:
    with swarm(3) as started:
        yield dict(zip(NODES, started, strict=True))


@pytest.fixture(autouse=True)
def cleaned(members: Mapping[str, Member]) -> Iterator[None]:
    yield
    for member in members.values():
        if not answers(member.url):
            member.start()
    manager = members["n1"]
    for member in members.values():
        docker(manager.url, "node", "update", "--availability", "active", member.name)
    if names := docker(manager.url, "service", "ls", "-q").split():
        docker(manager.url, "service", "rm", *names)
    wait_until_ready(manager, len(members))
    wait_until(lambda: not any(containers(member) for member in members.values()))


@pytest.fixture
def engine(members: Mapping[str, Member], tmp_path: Path) -> Iterator[ContainerEngine]:
    nodes = tuple(NodeEntry(name, endpoint_of(members, name), {}, None, None) for name in members)
    config = Config(seed=11, decoherence_time_ms=HOUR_MS, nodes=nodes)
    opened = ContainerEngine(config, tmp_path / "home").open()
    try:
        yield opened
    finally:
        opened.close()


def endpoint_of(members: Mapping[str, Member], node: str) -> Endpoint:
    return Endpoint("swarm", members["n1"].url, member=members[node].name)


def wanted(name: str, *command: str, **more):
    return request(name, *command, network=None, **more)


def containers(member: Member) -> list[dict]:
    """All containers that a member's own engine has, as ``docker inspect`` prints them."""
    found = []
    for container in docker(member.url, "ps", "-aq").split():
        with suppress(subprocess.CalledProcessError):  # gone since the list was made
            found += json.loads(docker(member.url, "container", "inspect", container))
    return found


def running(member: Member) -> list[str]:
    """Names, as qdocker gave them, of what runs on a member."""
    return sorted(
        told["Config"]["Labels"]["io.qrealm.name"] for told in containers(member) if told["State"]["Running"]
    )


def everywhere(members: Mapping[str, Member]) -> dict[str, list[str]]:
    return {node: running(member) for node, member in members.items()}


def all_running(members: Mapping[str, Member]) -> list[str]:
    return sorted(name for member in members.values() for name in running(member))


def make(engine: ContainerEngine, *names: str, node: str | None = None) -> None:
    make_all(engine, [wanted(name, node=node) for name in names])


def state_of(engine: ContainerEngine, node: str) -> NodeState:
    return next(view.record.state for view in engine.nodes.all() if view.record.name == node)


def text_of(pieces) -> str:
    return b"".join(piece.data for piece in pieces).decode()


def test_a_life_on_another_member_than_the_manager(members, engine):
    engine.lifecycle.create(
        wanted("web", "sh", "-c", "trap 'exit 0' TERM; echo one; echo two; sleep 600 & wait", node="n3")
    )
    assert everywhere(members) == {"n1": [], "n2": [], "n3": []}
    report = engine.lifecycle.run("web")
    assert (report.measured.state, report.started) == ("running", True)
    assert everywhere(members) == {"n1": [], "n2": [], "n3": ["web"]}
    (told,) = containers(members["n3"])
    host = told["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (250_000_000, 32 * MIB, 256)
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    group = docker(members["n3"].url, "exec", told["Id"], "cat", "/proc/self/status")
    assert "CapBnd:\t0000000000000000" in group
    wait_until(lambda: text_of(engine.lifecycle.logs("web", LogRequest())) == "one\ntwo\n")
    assert text_of(engine.lifecycle.logs("web", LogRequest(tail=1))) == "two\n"
    with pytest.raises(EngineRefusalError, match="runs no commands there") as caught:
        engine.lifecycle.execute("web", ExecSpec(("true",)))
    assert "driver docker" in caught.value.hint
    engine.lifecycle.stop("web", 1.0)
    assert everywhere(members)["n3"] == []
    assert engine.views.inspect("web").facts.state == "exited"
    engine.lifecycle.run("web")
    assert everywhere(members)["n3"] == ["web"]
    engine.lifecycle.remove("web", force=True)
    wait_until(lambda: containers(members["n3"]) == [])
    assert docker(members["n1"].url, "service", "ls", "-q") == ""


def test_a_life_on_the_manager(members, engine):
    make(engine, "web", node="n1")
    done = engine.lifecycle.execute("web", ExecSpec(("echo", "here")))
    assert text_of(done.output()) == "here\n"
    assert done.exit_code() == 0
    assert everywhere(members) == {"n1": ["web"], "n2": [], "n3": []}


def test_a_take_over_is_refused_where_the_manager_cannot_see_what_is_kept(members, engine, tmp_path):
    load_image(members["n3"].url, KEEPING, KEEPING_CHANGES)
    plain = wanted("db", node="n3")
    engine.lifecycle.create(replace(plain, spec=replace(plain.spec, image=KEEPING)))
    engine.lifecycle.run("db", force=True)
    (before,) = containers(members["n3"])
    (kept,) = (mount["Name"] for mount in before["Mounts"])
    document = json.loads(json.dumps(engine.snapshots.export()))
    engine.close()
    with closing(ContainerEngine(engine._ctx.config, tmp_path / "second")) as second:
        second.open()
        there = "container 'db' on node 'n3': what it keeps on that member of the swarm cannot be seen"
        with pytest.raises(EngineRefusalError, match=there) as caught:
            second.snapshots.import_(document, take_over=True)
        assert "--lose-volumes" in str(caught.value.hint)
        assert second.views.containers() == ()
        assert [each["Id"] for each in containers(members["n3"])] == [before["Id"]]
        assert kept in docker(members["n3"].url, "volume", "ls", "-q").split()
        found = second.snapshots.import_(document, take_over=True, lose_volumes=True)
        assert (found["taken_over"], found["volumes_kept"], found["problems"]) == (["db"], [], [])
        # What is stopped keeps nothing there.
        second.lifecycle.stop("db")
        document = json.loads(json.dumps(second.snapshots.export()))
    with closing(ContainerEngine(engine._ctx.config, tmp_path / "third")) as third:
        third.open()
        assert third.snapshots.import_(document, take_over=True)["taken_over"] == ["db"]


def test_a_command_that_is_not_there_and_one_that_fails(members, engine, monkeypatch):
    engine.lifecycle.create(wanted("gone", "no-such-command", node="n2"))
    with pytest.raises(EngineRefusalError, match="no-such-command"):
        engine.lifecycle.run("gone")
    engine.lifecycle.create(wanted("seven", "sh", "-c", "exit 7", node="n2"))
    monkeypatch.setattr(lifecycle, "SETTLE_S", WAIT_S)  # it is over as soon as it has ended
    facts = engine.lifecycle.run("seven").facts
    assert (facts.state, facts.exit_code) == ("exited", 7)


def test_an_outcome_that_says_stopped(members, engine):
    engine.lifecycle.create(wanted("off", probability=0.0, node="n2"))
    report = engine.lifecycle.run("off")
    assert (report.measured.state, report.started) == ("stopped", False)
    assert everywhere(members)["n2"] == []
    assert engine.lifecycle.run("off", force=True).started
    assert everywhere(members)["n2"] == ["off"]
    assert engine.circuits.measure("off").state == "stopped"
    assert everywhere(members)["n2"] == ["off"], "to measure is not to run"
    assert engine.lifecycle.run("off").stopped
    assert everywhere(members)["n2"] == []


def test_containers_are_spread_moved_and_balanced(members, engine):
    names = [f"c{i}" for i in range(3)]
    make(engine, *names)
    found = everywhere(members)
    assert [len(there) for there in found.values()] == [1, 1, 1]
    assert {name: node for node, there in found.items() for name in there} == where(engine)

    report = engine.nodes.drain("n2")
    assert all(move.done for move in report.moves), report.moves
    after = everywhere(members)
    assert after["n2"] == []
    assert all_running(members) == names
    assert sorted((len(after["n1"]), len(after["n3"]))) == [1, 2]
    assert {name: node for node, there in after.items() for name in there} == where(engine)

    engine.nodes.activate("n2")
    report = engine.balancing.rebalance()
    assert len(report.moves) == 1
    assert all(move.done and move.target == "n2" for move in report.moves), report.moves
    assert [len(there) for there in everywhere(members).values()] == [1, 1, 1]
    assert len(docker(members["n1"].url, "service", "ls", "-q").split()) == 3


def test_a_member_that_dies_is_made_up_for(members, engine, capsys, record_property):
    names = [f"c{i}" for i in range(6)]
    make(engine, *names)
    before = where(engine)
    victims = {name for name, node in before.items() if node == "n3"}
    assert len(victims) == 2
    others = {node: members[node] for node in ("n1", "n2")}

    members["n3"].kill()
    took = wait_until(lambda: all_running(others) == names)
    record_property("seconds_until_placed_again", round(took, 2))
    with capsys.disabled():
        sys.stdout.write(f"\n  {len(victims)} containers of a dead member ran elsewhere after {took:.2f} s\n")
    assert took < PLACED_AGAIN_S
    wait_until(lambda: all(view.record.phase is Phase.READY for view in engine.views.containers()))
    assert state_of(engine, "n3") is NodeState.LOST
    placed = where(engine)
    assert {name: node for node, there in everywhere(others).items() for name in there} == placed
    kept = set(names) - victims
    assert {name: placed[name] for name in kept} == {name: before[name] for name in kept}
    for name in victims:
        newest = engine.balancing.why(name)[0]
        assert (newest.action, newest.before) == ("node lost", "n3")

    members["n3"].start()
    wait_until(lambda: state_of(engine, "n3") is NodeState.READY)
    wait_until(lambda: containers(members["n3"]) == [])
    assert where(engine) == placed
    assert len(docker(members["n1"].url, "service", "ls", "-q").split()) == 6


def test_a_member_that_is_cut_off_is_made_up_for_and_its_copies_go(members, engine):
    make(engine, "web", node="n2")
    others = {node: members[node] for node in ("n1", "n3")}
    members["n2"].cut_off()
    try:
        took = wait_until(lambda: all_running(others) == ["web"])
        assert took < PLACED_AGAIN_S
        assert running(members["n2"]) == ["web"], "nobody can reach it"
    finally:
        members["n2"].reconnect()
    wait_until(lambda: containers(members["n2"]) == [])
    wait_until(lambda: state_of(engine, "n2") is NodeState.READY)
    assert all_running(others) == ["web"]
    assert len(docker(members["n1"].url, "service", "ls", "-q").split()) == 1


def test_the_manager_starts_again_and_nobody_is_lost(members, engine):
    make(engine, "web", node="n2")
    (before,) = containers(members["n2"])
    members["n1"].stop()
    members["n1"].start()
    wait_until_ready(members["n1"], 3)
    wait_until(lambda: all(v.record.state is NodeState.READY for v in engine.nodes.all()))
    engine.upkeep.maintenance()
    wait_until(lambda: engine.views.inspect("web").record.phase is Phase.READY)
    assert where(engine) == {"web": "n2"}
    (after,) = containers(members["n2"])
    assert after["Id"] == before["Id"]
    assert everywhere(members) == {"n1": [], "n2": ["web"], "n3": []}


def test_a_member_drained_by_the_swarm_itself(members, engine):
    make(engine, "web", node="n2")
    docker(members["n1"].url, "node", "update", "--availability", "drain", members["n2"].name)
    wait_until(lambda: "web" in running(members["n1"]) + running(members["n3"]))
    wait_until(lambda: running(members["n2"]) == [])
    with pytest.raises(NodeDownError, match="drained") as caught:
        connect(endpoint_of(members, "n2")).create(wanted("db").spec)
    assert "--availability active" in caught.value.hint
    docker(members["n1"].url, "node", "update", "--availability", "active", members["n2"].name)
    wait_until(lambda: state_of(engine, "n2") is NodeState.READY)
    assert all_running(members) == ["web"]
    docker(members["n1"].url, "node", "update", "--availability", "pause", members["n2"].name)
    with pytest.raises(EngineRefusalError, match="takes nothing new"):
        engine.lifecycle.create(wanted("db", node="n2"))


def test_each_member_has_a_name_once(members):
    first, second = (connect(endpoint_of(members, node)) for node in ("n2", "n3"))
    spec = wanted("web").spec
    one, two = first.create(spec), second.create(spec)
    assert first.inspect(one).name == second.inspect(two).name == "web"
    for driver in (first, second):
        with pytest.raises(NameTakenError, match="web"):
            driver.create(spec)
    assert [facts.engine_id for facts in second.find({})] == [two]
    first.start(one)
    second.start(two)
    assert everywhere(members) == {"n1": [], "n2": ["web"], "n3": ["web"]}
    second.remove(two, force=True)
    first.remove(one, force=True)
    first.close()
    second.close()


def test_a_container_is_found_by_its_name_whatever_its_service_is_called(members):
    manager = members["n1"].url
    docker(manager, "network", "create", "-d", "overlay", "inner")
    # Both that run on one member: a swarm takes half a minute to spread names after its manager began anew.
    here, elsewhere = (connect(endpoint_of(members, node)) for node in ("n1", "n2"))
    spec = replace(wanted("web").spec, network="inner")
    old, new = elsewhere.create(spec), here.create(spec)
    asking = here.create(replace(spec, name="asks"))
    here.start(new)
    here.start(asking)
    service = docker(manager, "service", "inspect", "-f", "{{.Spec.Name}}", new).strip()
    assert service.startswith("web-")

    def addresses(name: str) -> list[str]:
        done = here.execute(asking, ExecSpec(("busybox", "nslookup", name, "127.0.0.11")))
        return [line for line in text_of(done.output()).splitlines() if line.startswith("Address: ")]

    assert addresses("web") == addresses(service) != []
    for driver, container in ((here, asking), (here, new), (elsewhere, old)):
        driver.remove(container, force=True)
    here.close()
    elsewhere.close()
    docker(manager, "network", "rm", "inner")


def test_a_swarm_without_a_member_is_no_node(members, engine):
    with pytest.raises(RequestError) as caught:
        engine.nodes.add("all", Endpoint("swarm", members["n1"].url))
    for member in members.values():
        assert member.name in caught.value.message
    assert f"--member {members['n1'].name}" in caught.value.hint
    with pytest.raises(EngineRefusalError, match="no-such-host") as missing:
        engine.nodes.add("other", Endpoint("swarm", members["n1"].url, member="no-such-host"))
    assert members["n3"].name in missing.value.hint
    assert len(engine.nodes.all()) == 3
