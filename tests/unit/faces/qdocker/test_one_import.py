"""One state is imported at a time: each may need a few times its size in memory."""

from __future__ import annotations

import asyncio
import threading

import httpx

from qrealm.base.clock import SystemClock
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.faces.http import incoming
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving


def test_a_second_import_is_refused_and_a_later_one_is_not(tmp_path):
    hangs, reached = threading.Event(), threading.Event()

    def import_(data, *, take_over, lose_volumes):
        reached.set()
        hangs.wait(60.0)
        return {"nodes": 0}

    async def story(engine):
        transport = httpx.ASGITransport(container_app(engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker", timeout=90.0) as client:

            def send():
                return client.post("/v1/state", json={"data": {}})

            first = asyncio.create_task(send())
            while not reached.is_set():
                await asyncio.sleep(0.01)
            refused = await send()
            assert refused.status_code == 409
            assert refused.json()["message"] == (
                "import-state: another one is under way, and the rule is one at a time"
            )
            assert (await client.get("/v1/state")).status_code == 200, "an export is no import"
            hangs.set()
            assert (await first).json() == {"nodes": 0}
            assert (await send()).json() == {"nodes": 0}
            wrong = await client.post("/v1/state", content=b"{", headers={"Content-Type": "application/json"})
            assert wrong.status_code == 400
            assert (await send()).json() == {"nodes": 0}, "one that was refused is not under way"

    with ContainerEngine(Config(nodes=()), tmp_path / "home", SystemClock()) as engine:
        engine.snapshots.import_ = import_
        asyncio.run(story(engine))


def test_a_body_that_stalls_is_given_up_and_the_next_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "PAUSE_S", 0.1)

    async def stalling():
        yield b'{"data"'
        await asyncio.Event().wait()

    async def story(engine):
        transport = httpx.ASGITransport(container_app(engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker", timeout=90.0) as client:
            form = {"Content-Type": "application/json"}
            stalled = await client.post("/v1/state", content=stalling(), headers=form)
            assert stalled.status_code == 408
            assert "after 7 bytes nothing more came for 0.1 s" in stalled.json()["message"]
            assert (await client.post("/v1/state", json={"data": {}})).json() == {"nodes": 0}

    with ContainerEngine(Config(nodes=()), tmp_path / "home", SystemClock()) as engine:
        engine.snapshots.import_ = lambda data, *, take_over, lose_volumes: {"nodes": 0}
        asyncio.run(story(engine))


def test_a_body_that_trickles_is_given_up_and_the_next_is_taken(tmp_path, monkeypatch):
    """Each piece comes soon enough after the one before; all of them together take too long."""
    monkeypatch.setattr(incoming, "WHOLE_S", 1.0)
    words = b'{"data": {}' + b" " * 48 + b"}"

    async def trickling():
        for byte in words:
            yield bytes([byte])
            await asyncio.sleep(0.05)

    async def story(engine):
        transport = httpx.ASGITransport(container_app(engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker", timeout=90.0) as client:
            form = {"Content-Type": "application/json"}
            slow = await client.post("/v1/state", content=trickling(), headers=form)
            assert slow.status_code == 408
            assert " bytes came in " in slow.json()["message"]
            assert (await client.post("/v1/state", json={"data": {}})).json() == {"nodes": 0}

    with ContainerEngine(Config(nodes=()), tmp_path / "home", SystemClock()) as engine:
        engine.snapshots.import_ = lambda data, *, take_over, lose_volumes: {"nodes": 0}
        asyncio.run(story(engine))


def test_a_body_that_comes_steadily_may_take_longer_than_a_pause(tmp_path, monkeypatch):
    """Bytes that have come give it time: a second for each `BYTES_PER_S`."""
    monkeypatch.setattr(incoming, "WHOLE_S", 15.0)
    monkeypatch.setattr(incoming, "BYTES_PER_S", 1)
    now = [0.0]
    monkeypatch.setattr(incoming, "current_time", lambda: now[0])

    async def steady():
        yield b'{"data": {}'
        for _ in range(20):
            now[0] += 10.0
            yield b" " * 10
        yield b"}"

    async def story(engine):
        transport = httpx.ASGITransport(container_app(engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker", timeout=90.0) as client:
            form = {"Content-Type": "application/json"}
            taken = await client.post("/v1/state", content=steady(), headers=form)
            assert taken.json() == {"nodes": 0}
            monkeypatch.setattr(incoming, "BYTES_PER_S", 100)
            refused = await client.post("/v1/state", content=steady(), headers=form)
            assert refused.status_code == 408
            assert "31 bytes came in 20 s" in refused.json()["message"]
            assert "the rule is 15 s, and a second more for each 100 bytes" in refused.json()["message"]

    with ContainerEngine(Config(nodes=()), tmp_path / "home", SystemClock()) as engine:
        engine.snapshots.import_ = lambda data, *, take_over, lose_volumes: {"nodes": 0}
        asyncio.run(story(engine))
