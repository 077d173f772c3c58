"""The HTTP service over a real engine with simulated nodes: shapes of answers, errors, streams that end."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time

import httpx
import pytest

from qrealm.base.clock import SystemClock
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import load_config
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.incoming import BODY_BYTES_MAX, STATE_BYTES_MAX
from qrealm.faces.http.streams import Leaving, ended_by, stream
from qrealm.fleet.containers.protocol import Endpoint

CONFIG = """\
quantum_docker_config: {seed: 7}
nodes:
  - {name: one, driver: simulated, cpus: 4, memory: 4096}
"""


@pytest.fixture
def engine(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    engine = ContainerEngine(load_config(file), tmp_path / "home", SystemClock())
    engine.open()
    yield engine
    engine.close()


class Service:
    """Asks the application without a socket."""

    def __init__(self, app):
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(self, method, path, **words):
        async def ask():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://qdocker") as client:
                return await client.request(method, path, **words)

        return asyncio.run(ask())

    def get(self, path, **words):
        return self.request("GET", path, **words)

    def post(self, path, **words):
        return self.request("POST", path, **words)

    def delete(self, path):
        return self.request("DELETE", path)


@pytest.fixture
def http(engine):
    return Service(container_app(engine, Leaving()))


def make(http, name, **quantum):
    spec = {"name": name, "image": "busybox"}
    answer = http.post("/v1/containers", json={"spec": spec, "quantum": quantum})
    return [json.loads(line) for line in answer.text.splitlines()]


def test_create_streams_progress_and_then_the_report(http):
    *progress, last = make(http, "web", probability=0.2)
    assert all(set(line) == {"progress"} for line in progress)
    record = last["result"]["container"]
    assert record["name"] == "web"
    assert record["quantum"] == {"states": ["running", "stopped"], "probability": 0.2, "weight": 1.0}
    view = http.get("/v1/containers/web").json()
    assert view["record"]["id"] == record["id"]
    assert sum(view["probabilities"].values()) == pytest.approx(1.0)


def test_an_error_in_a_stream_is_its_last_line(http):
    make(http, "web")
    (line,) = make(http, "web")
    assert line["error"]["code"] == "QR504"
    assert line["error"]["kind"] == "NameTakenError"


@pytest.mark.parametrize(
    "method, path, body, status, code",
    [
        ("GET", "/v1/containers/nope", None, 404, "QR507"),
        ("POST", "/v1/containers/nope/measure", None, 404, "QR507"),
        ("POST", "/v1/entanglements", {"first": "a"}, 422, "QR300"),
        ("POST", "/v1/entanglements", {"first": "a", "second": "b", "mode": "odd"}, 422, "QR300"),
        ("POST", "/v1/containers/nope/run", {"force": "yes"}, 422, "QR300"),
        ("POST", "/v1/gates", {"gate": "X", "names": [], "bogus": 1}, 422, "QR300"),
        ("POST", "/v1/containers", {"spec": {"name": "x"}}, 400, "QR125"),
        ("GET", "/v1/bogus", None, 404, "QR300"),
        ("DELETE", "/v1/status", None, 405, "QR300"),
    ],
)
def test_errors_have_a_status_and_a_code(http, method, path, body, status, code):
    answer = http.request(method, path, json=body)
    assert answer.status_code == status
    told = answer.json()
    assert told["code"] == code
    assert told["message"]


NEAR_64_MIB = b'{"first": "' + b"x" * (BODY_BYTES_MAX - 26) + b'", "second": 1}'


def nested(depth):
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "path, body, told",
    [
        ("/v1/entanglements", b'{"first": ', "is not JSON: Expecting value"),
        ("/v1/entanglements", b'{"first": "\xff"}', "is not UTF-8: byte 11"),
        ("/v1/entanglements", nested(100_000), "more than 100 deep"),
        ("/v1/entanglements", nested(900), "more than 100 deep"),
        ("/v1/containers", b'{"spec": ' * 101 + b"1" + b"}" * 101, "more than 100 deep"),
        ("/v1/containers/web/stop", b'{"grace_s": ' + b"1" * 5000 + b"}", "the rule is 64 bits"),
        ("/v1/containers/web/stop", b'{"grace_s": -' + b"1" * 400 + b"}", "the rule is 64 bits"),
        ("/v1/containers/web/stop", b'{"grace_s": 1e999}', "1e999, which is too large"),
        ("/v1/containers/web/stop", b'{"grace_s": NaN}', "it has NaN"),
        ("/v1/entanglements", rb'{"first": "\ud800", "second": "b"}', r"\ud800, which is half"),
        ("/v1/containers", rb'{"spec": {"name": "\udfff", "image": "i"}}', r"\udfff, which is half"),
        ("/v1/state", rb'{"data": {"\ud800": 1}}', r"\ud800, which is half"),
    ],
)
def test_a_body_that_cannot_be_taken_is_told_with_a_code(http, path, body, told):
    answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "QR300"
    assert told in answer.json()["message"]


def test_what_is_just_within_the_bounds_is_taken(http):
    make(http, "web")
    make(http, "mirror")
    http.post("/v1/entanglements", json={"first": "web", "second": "mirror"})
    data = [json.loads(nested(98)), 2**64 - 1, -(2**64) + 1, 1.7e308, "\N{GRINNING FACE}"]
    sent = http.post("/v1/messages", json={"sender": "web", "receiver": "mirror", "type": "t", "data": data})
    assert sent.status_code == 200, sent.text
    (message,) = http.get("/v1/containers/mirror/messages").json()
    assert message["data"] == data


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events?after_id=99999999999999999999999",
        "/v1/events?after_id=-1",
        "/v1/events?since=nan",
        "/v1/events?until=inf",
        f"/v1/containers/web/logs?tail={10**30}",
        f"/v1/containers/web/logs?tail={'9' * 5000}",
        "/v1/containers/web/logs?since=-inf",
    ],
)
def test_numbers_in_queries_are_bounded(http, path):
    answer = http.get(path)
    assert answer.status_code == 422
    assert answer.json()["code"] == "QR300"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(http):
    def pieces(size):
        for _ in range(size >> 20):
            asked.append(1 << 20)
            yield b" " * (1 << 20)

    async def sent(size):
        for piece in pieces(size):
            yield piece

    headers = {"Content-Type": "application/json"}
    asked = []
    for path, bound, words, hint in (
        ("/v1/entanglements", BODY_BYTES_MAX, "(64 MiB)", ""),
        ("/v1/containers/state/stop", BODY_BYTES_MAX, "(64 MiB)", ""),
        ("/v1/state", STATE_BYTES_MAX, "(1024 MiB)", "jq"),
    ):
        told = {**headers, "Content-Length": str(bound + 1)}
        answer = http.post(path, content=sent(1 << 28), headers=told)
        assert (answer.status_code, answer.json()["code"]) == (413, "QR300")
        assert words in answer.json()["message"]
        assert hint in answer.json()["hint"]
        assert bool(hint) == bool(answer.json()["hint"])
    assert asked == []
    answer = http.post("/v1/entanglements", content=sent(1 << 28), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "QR300")
    assert len(asked) <= (BODY_BYTES_MAX >> 20) + 1
    answer = http.post("/v1/entanglements", content=NEAR_64_MIB, headers=headers)
    assert answer.status_code == 422, "this one has been read"


def test_an_exported_state_of_many_messages_is_taken_again(http):
    """Nothing bounds their number, and each may have 1 MiB: 50 of them are 67 MiB as they are exported."""
    for name in ("web", "db"):
        make(http, name)
    for number in range(50):
        http.post("/v1/entanglements", json={"first": "web", "second": "db"})
        data = {"number": number, "text": "x" * ((1 << 20) - 100)}
        sent = http.post(
            "/v1/messages", json={"sender": "web", "receiver": "db", "type": "data", "data": data}
        )
        assert sent.status_code == 200, sent.text
    exported = http.get("/v1/state")
    body = b'{"data": ' + exported.content + b"}"
    assert len(body) > BODY_BYTES_MAX
    for name in ("web", "db"):
        assert http.delete(f"/v1/containers/{name}").status_code == 200
    assert http.get("/v1/state").json()["messages"] == []
    answer = http.post("/v1/state", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json().get("messages")) == (200, 50)
    assert http.get("/v1/state").json()["messages"] == exported.json()["messages"]


def test_what_nobody_foresaw_is_told_without_its_traceback(http, engine, monkeypatch):
    def broken(name):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(engine.circuits, "measure", broken)
    answer = http.post("/v1/containers/web/measure")
    assert answer.status_code == 500
    assert answer.json()["code"] == "QR900"
    assert "ZeroDivisionError: by zero" in answer.json()["message"]


def test_events_without_following_end(http):
    make(http, "web")
    lines = [json.loads(line) for line in http.get("/v1/events").text.splitlines()]
    told = [(event["action"], event["name"]) for event in lines if event["type"] == "container"]
    assert told == [("create", "web")]
    last = lines[-1]["id"]
    assert http.get("/v1/events", params={"after_id": last}).text == ""


async def until(event):
    """Let the loop run until a thread has set the event, 30 s at most."""
    deadline = time.monotonic() + 30
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def test_a_stream_stops_its_work_when_the_caller_goes():
    ended = threading.Event()
    emitted = []

    def work(emit, gone):
        try:
            for number in range(10**9):
                emit({"number": number})
                emitted.append(number)
        finally:
            ended.set()

    async def scenario():
        lines = stream(work).body_iterator
        found = [json.loads(await anext(lines)) for _ in range(3)]
        await lines.aclose()
        await until(ended)
        return found

    assert asyncio.run(scenario()) == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert ended.is_set()
    # It runs ahead of the caller by its queue and no further: memory is bounded.
    assert len(emitted) < 200


def test_a_waiting_stream_learns_that_the_caller_has_gone():
    waits, saw = threading.Event(), threading.Event()

    def work(emit, gone):
        emit({"number": 0})
        waits.set()
        if gone.wait(30):
            saw.set()

    async def scenario():
        lines = stream(work).body_iterator
        await anext(lines)
        await until(waits)
        await lines.aclose()
        await until(saw)

    asyncio.run(scenario())
    assert saw.is_set()


class Waits:
    """An iterator that gives one piece and waits for the next until it is closed.

    Attributes:
        given: whether the piece has been given.
        waiting: set when the next is waited for.
        closed: set when it has been closed.
    """

    def __init__(self):
        self.waiting, self.closed = threading.Event(), threading.Event()
        self.given = False

    def __iter__(self):
        return self

    def __next__(self):
        if not self.given:
            self.given = True
            return "piece"
        self.waiting.set()
        assert self.closed.wait(60)
        raise StopIteration

    def close(self):
        self.closed.set()


@pytest.mark.parametrize("before", [True, False], ids=["before", "meanwhile"])
def test_what_waits_for_something_else_is_ended_when_anybody_leaves(before):
    gone, stopping, source = Leaving(), Leaving(), Waits()
    leave = threading.Thread(target=lambda: source.waiting.wait(60) and stopping.set())
    if before:
        stopping.set()
    else:
        leave.start()
    with ended_by(source, gone, stopping) as pieces:
        assert list(pieces) == ["piece"]
    assert source.closed.is_set()
    if not before:
        leave.join()
    # Nobody is told after the body.
    source.closed.clear()
    gone.set()
    assert not source.closed.is_set()


def test_a_source_is_closed_when_its_reader_fails():
    source = Waits()
    with pytest.raises(ZeroDivisionError), ended_by(source, Leaving()):
        raise ZeroDivisionError
    assert source.closed.is_set()
    with ended_by(iter(()), Leaving()) as pieces:
        assert list(pieces) == []


def test_a_quiet_log_ends_with_its_caller_and_with_the_daemon(http, engine, monkeypatch):
    """The iterator of the log is closed, as no line comes by which it would notice."""
    make(http, "web")
    for ends_by in ("caller", "daemon"):
        source, stopping = Waits(), Leaving()
        source.given = True
        monkeypatch.setattr(engine.lifecycle, "logs", lambda name, request, source=source: source)
        lines = asyncio.run(follow(container_app(engine, stopping), source, stopping, ends_by))
        assert source.closed.wait(60)
        assert ("QR550" in lines) is (ends_by == "daemon")


async def follow(app, source, stopping, ends_by):
    """Follow a log; what came when the daemon is about to end, or the caller has gone, while its next line is
    waited for."""
    sent, gone = [], asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        for message in asked:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/v1/containers/web/logs",
        "query_string": b"follow=true",
        "headers": [],
    }
    answering = asyncio.create_task(app(scope, receive, send))
    assert await asyncio.to_thread(source.waiting.wait, 60)
    assert not answering.done()
    (gone if ends_by == "caller" else stopping).set()
    await asyncio.wait_for(answering, 60)
    return b"".join(sent).decode()


def test_the_log_tells_the_time_until_a_stream_has_ended(http, engine, monkeypatch, caplog):
    class Slow(Waits):
        def __next__(self):
            time.sleep(0.15)
            raise StopIteration

    make(http, "web")
    monkeypatch.setattr(engine.lifecycle, "logs", lambda name, request: Slow())
    caplog.set_level("DEBUG", "qrealm.qdocker")
    assert http.get("/v1/containers/web/logs").status_code == 200
    (line,) = [record.getMessage() for record in caplog.records if "/logs" in record.getMessage()]
    assert re.fullmatch(r"GET /v1/containers/web/logs 200 [\d.]+ ms", line)
    assert float(line.split()[3]) >= 150
    caplog.clear()
    http.get("/v1/bogus")
    assert [record.getMessage()[:18] for record in caplog.records] == ["GET /v1/bogus 404 "]


def test_endpoints_of_nodes(http, engine):
    endpoint = {"driver": "simulated"}
    added = http.post(
        "/v1/nodes", json={"name": "two", "endpoint": endpoint, "cpus": 2.0, "labels": {"z": "1"}}
    )
    assert added.json()["record"]["cpus"] == 2.0
    assert {node["record"]["name"] for node in http.get("/v1/nodes").json()} >= {"one", "two"}
    assert http.post("/v1/nodes/two/drain").json()["moves"] == []
    assert http.post("/v1/nodes/two/activate").json() == {"name": "two"}
    gone = {"name": "two", "removed": [], "incomplete": {}, "configured": False}
    assert http.delete("/v1/nodes/two").json() == gone
    assert isinstance(engine.nodes.all()[0].record.endpoint, Endpoint)


def test_what_runs_on_a_simulated_node_says_so(http):
    make(http, "web")
    assert http.post("/v1/containers/web/run", json={"force": True}).json()["simulated"] is True
    assert http.post("/v1/containers/web/stop", json={}).json()["simulated"] is True


def test_relations_are_told_and_ended(http):
    make(http, "web", probability=0.8)
    make(http, "mirror", probability=0.2)
    made = http.post("/v1/entanglements", json={"first": "web", "second": "mirror"}).json()
    assert made["overridden"]["mirror"] == {
        "state": "running",
        "declared": 0.2,
        "present": pytest.approx(0.8),
    }
    told = http.get("/v1/containers/mirror").json()["relations"]
    (holds,) = [each.pop("holds") for each in told]
    assert 0.0 < holds <= 1.0
    assert told == [{"other": "web", "mode": "same", "follows": True, "spent": False}]
    ended = http.post("/v1/disentanglements", json={"names": ["web", "mirror"]})
    assert ended.json() == {
        "names": ["web", "mirror"],
        "ended": [{"first": "web", "second": "mirror", "mode": "same", "spent": False}],
        "joint": [["web", "mirror"]],
    }
    assert http.get("/v1/containers/mirror").json()["relations"] == []
    for body, code, status in (
        ({"names": ["web"]}, "QR520", 409),
        ({"names": "web"}, "QR300", 422),
        ({"names": ["web", "nobody"]}, "QR507", 404),
    ):
        answer = http.post("/v1/disentanglements", json=body)
        assert (answer.json()["code"], answer.status_code) == (code, status)
