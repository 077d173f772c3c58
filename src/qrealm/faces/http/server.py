"""The process's HTTP server: answers on a socket that it is given, until a signal ends it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

import anyio.to_thread
import uvicorn

from qrealm.control.containers.engine import ContainerEngine
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import STREAM_THREAD, Leaving

THREADS = 200
"""Requests that are worked on at the same time; more wait."""
_WORKERS = (STREAM_THREAD, "AnyIO worker thread")
"""Names of the threads that work on requests."""


class _Server(uvicorn.Server):
    """Tells streams that follow to end as soon as a signal comes, and its owner when it can be spoken to."""

    def __init__(self, config: uvicorn.Config, stopping: Leaving, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # A command that waits for an engine keeps its thread: many of them must leave some for the others.
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        self._ready()


def answer_until_signal(
    engine: ContainerEngine,
    listener: socket.socket,
    ready: Callable[[], None] = lambda: None,
    end_s: int = 5,
) -> None:
    """Answer requests until SIGTERM, SIGINT or SIGHUP; they are ignored from then on, so that the caller can
    end in order. Where SIGHUP is ignored already, as under nohup, it stays so.

    Args:
        engine: open.
        listener: a bound socket; closed at the end.
        ready: called once when requests are answered.
        end_s: how long the end waits for answers; then their callers are told that it ends.
    """
    stopping = Leaving()
    settings = uvicorn.Config(
        container_app(engine, stopping),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=end_s,
    )
    # uvicorn has its own handlers and afterwards raises the signal again, which must not kill us then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    server = _Server(settings, stopping, ready)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def wait_for_work() -> None:
    """Wait for what still works on requests that were given up, after `answer_until_signal`."""
    for thread in threading.enumerate():
        if thread.name in _WORKERS:
            thread.join()
