"""Requests that are given up because the daemon ends are told so, as errors and as a stream's last line."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from tests.unit.faces.qdocker.test_http import CONFIG

from qrealm.base.clock import SystemClock
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import load_config
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving
from qrealm.fleet.containers.protocol import PullProgress

REQUEST = {"spec": {"name": "web", "image": "busybox"}, "quantum": {}}


@pytest.fixture
def stuck(tmp_path):
    """An engine whose status and creations hang, and what is set when one does; a creation says before how
    far its image is."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    hangs, reached = threading.Event(), threading.Event()
    with ContainerEngine(load_config(file), tmp_path / "home", SystemClock()) as engine:

        def hang():
            reached.set()
            hangs.wait(60.0)

        def create(request, progress):
            progress(PullProgress("busybox", "half"))
            hang()

        engine.views.status = hang
        engine.lifecycle.create = create
        yield engine, reached
        hangs.set()


async def given_up(stuck, stopping, method, path, body=b""):
    """What is sent to a caller whose request the server gives up when it hangs."""
    engine, reached = stuck
    sent, silence = [], asyncio.Event()
    pieces = [{"type": "http.request", "body": body, "more_body": False}]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"content-type", b"application/json")],
    }
    async def receive():
        if pieces:
            return pieces.pop()
        await silence.wait()
        raise AssertionError

    async def send(message):
        sent.append(message)

    task = asyncio.create_task(container_app(engine, stopping)(scope, receive, send))
    is_stream = path.endswith("/containers")
    while not reached.is_set() or (is_stream and len(sent) < 2):
        await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        sent.append(None)
    return sent


def test_an_answer_that_does_not_come_any_more(stuck):
    stopping = Leaving()
    stopping.set()
    start, body = asyncio.run(given_up(stuck, stopping, "GET", "/v1/status"))
    assert start["status"] == 503
    told = json.loads(body["body"])
    assert (told["kind"], told["hint"]) == ("DaemonError", "qdocker start")
    assert told["message"].startswith("the daemon ends: what was under way is broken off")


def test_a_stream_that_goes_no_further(stuck):
    stopping = Leaving()
    stopping.set()
    words = json.dumps(REQUEST).encode()
    sent = asyncio.run(given_up(stuck, stopping, "POST", "/v1/containers", words))
    assert sent[0]["status"] == 200
    lines = [json.loads(line) for message in sent[1:] for line in message["body"].splitlines()]
    assert [set(line) for line in lines] == [{"progress"}, {"error"}]
    assert lines[1]["error"]["kind"] == "DaemonError"
    assert sent[-1]["more_body"] is False


def test_who_is_given_up_for_another_reason_is_told_nothing(stuck):
    assert asyncio.run(given_up(stuck, Leaving(), "GET", "/v1/status")) == [None]
