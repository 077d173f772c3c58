"""A command that waits for its turn is not begun when its caller has gone; one that has begun is done."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import ExitStack
from functools import partial

import pytest

from engines.nodes import WAIT_S, wait_until
from engines.served import served
from qrealm.base.errors import CancelledRunError
from qrealm.control.containers import half_made
from qrealm.control.containers.asker import asked_by
from qrealm.control.containers.context import NameLocks
from qrealm.control.containers.draining import turn as drain
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.json_codec import to_json
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import NodeState, QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint

CLUSTER = {
    "text": "name: chaos\ncontainers: [{name: a1, image: 'i:1'}, {name: a2, image: 'i:1'}]\n",
    "filename": "c.yaml",
    "environ": {},
    "folder": "/",
    "scheduler": "portfolio",
}
NEW = to_json(CreateRequest(ContainerSpec("new", "i:1")))
COMMANDS = [
    ("DELETE", "/v1/containers/web?force=true", None, "web"),
    ("POST", "/v1/containers/web/run", {"force": True}, "web"),
    ("POST", "/v1/containers/web/stop", {}, "web"),
    ("POST", "/v1/containers", NEW, "new"),
    ("POST", "/v1/clusters", CLUSTER, half_made.turn("chaos")),
    ("POST", "/v1/clusters", CLUSTER, "a2"),
    ("POST", "/v1/load-balance", {"names": ["web"]}, "web"),
    ("POST", "/v1/nodes/na/drain", {}, drain("na")),
    ("DELETE", "/v1/nodes/na?force=true", None, "rm:na"),
]


@pytest.fixture
def engine(tmp_path):
    """Has web and db, which run, on na, and nothing on nb; answers on the socket `s`."""
    nodes = tuple(
        NodeEntry(name, Endpoint("simulated", f"simulated://{name}?cpus=4&memory_mib=4096"))
        for name in ("na", "nb")
    )
    with ContainerEngine(Config(nodes=nodes), tmp_path / "home") as engine:
        for name in ("web", "db"):
            register = QuantumSpec(probability=1.0)
            engine.lifecycle.create(CreateRequest(ContainerSpec(name, "i:1"), register, node="na"))
            engine.lifecycle.run(name, force=True)
        with served(engine, tmp_path / "s"):
            yield engine


def sent(path, method, where, body):
    """A connection on which a request has been sent."""
    connection = http.client.HTTPConnection("qdocker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    text = None if body is None else json.dumps(body)
    connection.request(method, where, text, {"Content-Type": "application/json"})
    return connection


def picture(engine):
    """What commands change."""
    store = engine.lifecycle._ctx.store
    events = [(event.action, event.name) for event in engine.views.events()]
    return store.containers.all(), store.nodes.all(), store.settings.all("making:"), events


def waiting(engine, name):
    """How many wait for a name or have it."""
    return engine.lifecycle._ctx.names._locks.get(name, (None, 0))[1]


@pytest.mark.parametrize(("method", "where", "body", "name"), COMMANDS)
def test_what_waits_for_its_turn_is_not_begun_when_its_caller_has_gone(
    engine, tmp_path, method, where, body, name
):
    names = engine.lifecycle._ctx.names
    with names.hold(name, "something else"):
        before = picture(engine)
        connection = sent(tmp_path / "s", method, where, body)
        wait_until(lambda: waiting(engine, name) == 2)
        connection.close()
        wait_until(lambda: waiting(engine, name) == 1)
        # Nobody has to wait for what was taken before it.
        wait_until(lambda: set(names._locks) == {name})
    wait_until(lambda: names._locks == {})
    assert picture(engine) == before


@pytest.mark.parametrize(("method", "where", "body", "name"), COMMANDS)
def test_whoever_stays_gets_their_turn(engine, tmp_path, method, where, body, name):
    with ExitStack() as held:
        held.enter_context(engine.lifecycle._ctx.names.hold(name, "something else"))
        before = picture(engine)
        connection = sent(tmp_path / "s", method, where, body)
        wait_until(lambda: waiting(engine, name) == 2)
        held.close()
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status == 200
    assert '{"error": {' not in text
    assert picture(engine) != before
    connection.close()


def test_what_has_begun_is_done_though_its_caller_goes(engine, tmp_path, monkeypatch):
    began, go_on = threading.Event(), threading.Event()
    circuits = engine.lifecycle._circuits
    drop = circuits.drop

    def slow(container_id):
        began.set()
        assert go_on.wait(WAIT_S)
        drop(container_id)

    monkeypatch.setattr(circuits, "drop", slow)
    connection = sent(tmp_path / "s", "DELETE", "/v1/nodes/na?force=true", None)
    assert began.wait(WAIT_S)
    connection.close()
    go_on.set()
    wait_until(lambda: engine.lifecycle._ctx.names._locks == {})
    assert [node.name for node in engine.lifecycle._ctx.store.nodes.all()] == ["nb"]


def test_work_within_work_that_has_begun_does_not_end_for_a_caller_who_goes():
    locks, gone = NameLocks(), threading.Event()
    with asked_by(gone.is_set), locks.hold("cluster:one", "create-cluster", begins=True):
        gone.set()
        with locks.hold("web", "rm", begins=True):
            assert [work.name for work in locks.at_work()] == ["cluster:one", "web"]
    with ExitStack() as held:
        held.enter_context(asked_by(gone.is_set))
        with pytest.raises(CancelledRunError, match="not begun"):
            held.enter_context(locks.hold("web", "rm", begins=True))
    assert locks._locks == {}
    # Of a comparison, or a move, nobody is the caller.
    with asked_by(gone.is_set), locks.hold("web", "a look at its node"):
        assert len(locks.at_work()) == 1


def test_nodes_are_open_after_a_removal_that_was_not_begun(engine, tmp_path):
    with engine.lifecycle._ctx.names.hold("rm:na", "nodes rm"):
        connection = sent(tmp_path / "s", "DELETE", "/v1/nodes/na?force=true", None)
        wait_until(lambda: waiting(engine, "rm:na") == 2)
        connection.close()
        wait_until(lambda: waiting(engine, "rm:na") == 1)
    assert engine.lifecycle._ctx.store.nodes.get("na").state is NodeState.READY


def test_what_was_half_made_is_taken_back_whoever_goes(engine, tmp_path):
    context = engine.lifecycle._ctx
    half_made.begin(context, "chaos")
    engine.lifecycle.create(CreateRequest(ContainerSpec("a1", "i:1"), cluster="chaos"))
    with context.names.hold("a2", "something else"):
        connection = sent(tmp_path / "s", "POST", "/v1/clusters", CLUSTER)
        wait_until(lambda: waiting(engine, "a2") == 2)
        connection.close()
        wait_until(lambda: set(context.names._locks) == {"a2"})
    assert "chaos" not in engine.clusters.names()
    assert context.store.settings.all("making:") == {}


def test_the_taking_back_is_not_given_up(engine, monkeypatch):
    context = engine.lifecycle._ctx
    half_made.begin(context, "chaos")
    for name in ("a1", "a2"):
        engine.lifecycle.create(CreateRequest(ContainerSpec(name, "i:1"), cluster="chaos"))
    gone, remove = threading.Event(), engine.lifecycle.remove

    def removed(name, **how):
        gone.set()
        return remove(name, **how)

    monkeypatch.setattr(engine.lifecycle, "remove", removed)
    with asked_by(gone.is_set), pytest.raises(CancelledRunError, match="not begun"):
        engine.clusters.create(CLUSTER["text"], CLUSTER["filename"])
    assert gone.is_set()
    assert "chaos" not in engine.clusters.names()
    assert context.store.settings.all("making:") == {}


def test_moves_whose_caller_has_gone_are_not_decided(engine):
    store = engine.lifecycle._ctx.store
    before, decided = picture(engine), store.decisions.all("web")
    with asked_by(lambda: True):
        for balance in (partial(engine.balancing.load_balance, ["web"]), engine.balancing.rebalance):
            with pytest.raises(CancelledRunError, match="not begun"):
                balance()
    assert (picture(engine), store.decisions.all("web")) == (before, decided)


def test_a_drain_that_has_begun_goes_on_though_its_caller_goes(engine, monkeypatch):
    gone, decide = threading.Event(), engine.balancing._deciding.balance

    def decided(*args):
        gone.set()
        return decide(*args)

    monkeypatch.setattr(engine.balancing._deciding, "balance", decided)
    with asked_by(gone.is_set):
        engine.nodes.drain("na")
    assert gone.is_set()
    assert {record.node for record in engine.lifecycle._ctx.store.containers.all()} == {"nb"}
