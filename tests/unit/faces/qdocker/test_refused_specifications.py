"""Containers that cannot be, asked for over HTTP: each is told by its rule, none is taken for a bug."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from qrealm.base.clock import SystemClock
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving
from qrealm.fleet.containers.protocol import Endpoint


@pytest.fixture
def engine(tmp_path):
    config = Config(nodes=(NodeEntry("one", Endpoint("simulated")),))
    engine = ContainerEngine(config, tmp_path / "home", SystemClock())
    engine.open(watch=False)
    yield engine
    engine.close()


def asked(engine, document):
    """The last line of the answer, or the whole of it."""

    async def ask():
        transport = httpx.ASGITransport(container_app(engine, Leaving()), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker") as client:
            return await client.post("/v1/containers", json=document)

    return json.loads(asyncio.run(ask()).text.splitlines()[-1])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ports": [{"container_port": 80, "host_port": 99_999}]}, "the port 99999 is not"),
        ({"ports": [{"container_port": 80, "host_ip": "zonk"}]}, "'zonk' is no address"),
        ({"mounts": [{"source": "../x", "target": "rel"}]}, "'../x' is neither a folder"),
        ({"health": {"command": ["x"], "timeout_s": "nan"}}, "its timeout must be from 1 ms"),
        ({"health": {"command": ["x"], "interval_s": 1e300}}, "its interval must be from 1 ms"),
        ({"limits": {"cpus": 1e300}}, "cpu=1e+300"),
    ],
)
def test_a_container_that_cannot_be(engine, fields, told):
    answer = asked(engine, {"spec": {"name": "web", "image": "busybox"} | fields})
    problem = answer.get("error", answer)
    assert problem["code"] == "QR300", problem
    assert told in problem["message"]
    assert engine.views.containers() == ()


def test_a_cluster_that_cannot_be(engine):
    answer = asked(engine, {"spec": {"name": "web", "image": "busybox"}, "cluster": "../x y"})
    assert "create got the cluster '../x y'" in answer["error"]["message"]
