"""What a request waits for: what the command asks for, and what the daemon answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

import httpx
import pytest

from engines.half_answers import CHUNKED, chunk, heard, listening, whole
from engines.nodes import wait_until
from qrealm.control.containers.draining import turn as drain
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.half_made import turn as making
from qrealm.control.containers.removing import turn as removal
from qrealm.control.containers.reports import CreateRequest
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving
from qrealm.faces.qdocker import wire
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.turns import turns_of
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint

CLUSTER = {
    "text": "name: chaos\ncontainers: [{name: a1, image: 'i:1'}, {name: a2, image: 'i:1'}]\n",
    "filename": "c.yaml",
    "environ": {},
    "folder": "/",
    "scheduler": "portfolio",
}


@pytest.mark.parametrize(
    ("method", "path", "body", "turns"),
    [
        ("DELETE", "/containers/web", None, {"container": ["web"]}),
        ("POST", "/containers/0123456789ab/run", {}, {"container": ["0123456789ab"]}),
        ("POST", "/containers/web/stop", {}, {"container": ["web"]}),
        ("POST", "/containers", {"spec": {"name": "web"}}, {"container": ["web"]}),
        ("POST", "/load-balance", {"names": ["web", "db"]}, {"container": ["web", "db"]}),
        ("POST", "/nodes", {"name": "na"}, {"on_node": ["na"]}),
        ("DELETE", "/nodes/na", None, {"removal": ["na"], "on_node": ["na"]}),
        ("POST", "/nodes/na/drain", None, {"drain": ["na"], "on_node": ["na"]}),
        ("DELETE", "/clusters/chaos", None, {"of_cluster": ["chaos"]}),
        ("POST", "/clusters", CLUSTER, {"cluster": ["chaos"], "container": ["a1", "a2"]}),
        # These take no turns, and may be silent for long.
        ("GET", "/containers/web", None, {}),
        ("GET", "/containers/web/logs", None, {}),
        ("POST", "/containers/web/exec", {}, {}),
        ("POST", "/containers/web/measure", None, {}),
        ("POST", "/containers", {"data": 7}, {}),
        ("POST", "/clusters", {}, {}),
    ],
)
def test_what_a_request_may_wait_for(method, path, body, turns):
    assert turns_of(method, path, body) == turns


@pytest.fixture
def engine(tmp_path):
    """Has web, and a1 of the cluster chaos, on na."""
    node = NodeEntry("na", Endpoint("simulated", "simulated://na?cpus=4&memory_mib=4096"))
    with ContainerEngine(Config(nodes=(node,)), tmp_path / "home") as engine:
        for name, cluster in (("web", None), ("a1", "chaos")):
            engine.lifecycle.create(CreateRequest(ContainerSpec(name, "i:1"), cluster=cluster))
        yield engine


def at_work(engine, **turns):
    """Names and doings, as the daemon tells them to who waits."""

    async def ask():
        transport = httpx.ASGITransport(container_app(engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker") as client:
            return (await client.get("/v1/at-work", params=turns)).json()

    found = asyncio.run(ask())
    assert all(each["seconds"] >= 0 for each in found)
    return [(each["name"], each["doing"]) for each in found]


def test_the_daemon_tells_who_is_at_what_is_waited_for(engine):
    names = engine.lifecycle._ctx.names
    with contextlib.ExitStack() as held:
        for name, doing in (
            (making("chaos"), "create-cluster"),
            ("a1", "run"),
            ("web", "rm"),
            ("coming", "create with image i:1"),
            (drain("na"), "a drain"),
            (removal("na"), "nodes rm"),
        ):
            held.enter_context(names.hold(name, doing))
        web = engine.views.inspect("web").record.id
        assert at_work(engine, container=[web[:12]]) == [("web", "rm")], "named by its id"
        assert at_work(engine, container="coming") == [("coming", "create with image i:1")], "no record yet"
        assert at_work(engine, container=["web", "a1"]) == [("a1", "run"), ("web", "rm")], "the longest first"
        assert at_work(engine, of_cluster="chaos") == [("a1", "run")]
        assert at_work(engine, cluster="chaos") == [("chaos", "create-cluster")]
        assert at_work(engine, on_node="na") == [("a1", "run"), ("web", "rm")]
        assert at_work(engine, drain="na") == [("na", "a drain")]
        assert at_work(engine, removal="na") == [("na", "nodes rm")]
        assert at_work(engine, container="other") == at_work(engine, drain="nb") == at_work(engine) == []


@pytest.mark.parametrize("silent", [True, False])
def test_a_stream_that_is_silent_is_told_what_it_waits_for(tmp_path, monkeypatch, capsys, silent):
    monkeypatch.setattr(wire, "WAITING_S", 0.05 if silent else 600.0)
    work = [{"name": "web", "doing": "create with image big:1", "seconds": 61.5}]
    asked_for = []

    def answer(listener):
        slow, _ = listener.accept()
        with slow:
            asked_for.append(heard(slow))
            slow.sendall(CHUNKED)
            if silent:
                quick, _ = listener.accept()
                with quick:
                    asked_for.append(heard(quick))
                    quick.sendall(whole(json.dumps(work).encode()))
                wait_until(lambda: "waiting" in told(), 60)
            slow.sendall(chunk(b'{"result": 1}\n') + chunk(b'{"result": 2}\n') + b"0\r\n\r\n")

    seen = []

    def told():
        seen.append(capsys.readouterr().err)
        return "".join(seen)

    home = Home(tmp_path)
    with listening(home.socket) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        found = list(Client(home).lines("POST", "/containers", {"spec": {"name": "web"}}))
        thread.join(60)
        assert not thread.is_alive()
    assert found == [{"result": 1}, {"result": 2}]
    words = ["POST /v1/containers HTTP/1.1", "GET /v1/at-work?container=web HTTP/1.1"]
    assert asked_for == words[: 1 + silent]
    line = "web: waiting for create with image big:1, which began 62 s ago\n"
    assert told() == (line if silent else "")
