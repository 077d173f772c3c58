"""Answers that come piece by piece: one JSON object per line, until the source ends or the caller goes."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse

from qrealm.base.errors import CancelledRunError, InternalError, QrealmError
from qrealm.control.containers.asker import asked_by
from qrealm.faces.http.error_json import error_to_json

NDJSON = "application/x-ndjson"
STREAM_THREAD = "stream"
_LINES_AHEAD = 64
_LOOK_S = 1.0
"""How often a thread that waits for room looks whether anybody still listens."""
_END = object()
T = TypeVar("T")
_LOG = logging.getLogger("qrealm.qdocker")

Emit = Callable[[dict[str, Any]], None]


class Leaving(threading.Event):
    """Set when somebody goes; what waits for something else then can be called to be told."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[object, Callable[[], None]] = {}

    def set(self) -> None:
        """Tell everybody. A signal's handler may do so: nothing here waits."""
        super().set()
        for call in tuple(self._calls.values()):
            call()

    @contextmanager
    def calls(self, call: Callable[[], None]) -> Iterator[None]:
        """Call it when this is set, or has been; once or more, from any thread, until the body ends."""
        ticket = object()
        self._calls[ticket] = call
        try:
            if self.is_set():
                call()
            yield
        finally:
            del self._calls[ticket]


class _Caller:
    """Hands lines from the thread that makes them to the loop that sends them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[object] = asyncio.Queue()
        self._room = threading.Semaphore(_LINES_AHEAD)
        self.gone = Leaving()

    def put(self, line: object) -> None:
        """Wait until there is room, then queue a line. Raises CancelledRunError when the caller has gone."""
        while not self.gone.is_set() and not self._room.acquire(timeout=_LOOK_S):
            if self._loop.is_closed():  # which tells nobody
                self.gone.set()
        if not self.gone.is_set():
            try:
                # Not a coroutine, which nobody would wait for once the loop has ended.
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            except RuntimeError:  # the loop has ended: so has the caller
                self.gone.set()
        if self.gone.is_set():
            self._room.release()  # for the next one, who then sees it too
            raise CancelledRunError("whoever asked is gone")

    async def take(self) -> object:
        """The next line."""
        line = await self._lines.get()
        self._room.release()
        return line

    def leave(self) -> None:
        """Nobody listens any more: lets a thread that waits for room go on, and see."""
        self.gone.set()
        self._room.release()


def stream(work: Callable[[Emit, Leaving], None]) -> StreamingResponse:
    """Answer with the lines that `work` emits in a thread of its own.

    `work` gets a function that sends one object, which raises CancelledRunError once nobody listens, and an
    event that is set then; where it waits for something else, it must let the event end that. An error of
    qrealm becomes a last line ``{"error": ...}``.
    """

    async def body() -> AsyncIterator[bytes]:
        caller = _Caller()

        def run() -> None:
            with suppress(CancelledRunError), asked_by(caller.gone.is_set):
                try:
                    work(caller.put, caller.gone)
                except CancelledRunError:
                    if not caller.gone.is_set():
                        raise
                except QrealmError as problem:
                    caller.put({"error": error_to_json(problem)})
                except Exception as problem:  # noqa: BLE001 - told to the caller, the log has the traceback
                    _LOG.exception("a stream broke off")
                    caller.put({"error": error_to_json(unexpected(problem))})
                caller.put(_END)

        # Not one of the pool's threads: one that waits for the next log line would keep it from others.
        threading.Thread(target=run, name=STREAM_THREAD, daemon=True).start()
        try:
            while (line := await caller.take()) is not _END:
                yield json.dumps(line).encode() + b"\n"
        finally:
            caller.leave()

    return StreamingResponse(body(), media_type=NDJSON)


def unexpected(problem: BaseException) -> InternalError:
    """An exception that nobody foresaw, as an error that may cross the connection."""
    return InternalError(
        f"{type(problem).__name__}: {problem}",
        hint="this is a bug in qrealm; the daemon's log has the traceback: please report it",
    )


@contextmanager
def ended_by(source: Iterator[T], *leaving: Leaving) -> Iterator[Iterator[T]]:
    """An iterator, to be read in the body: it ends when anybody leaves, also while it is waited for, and is
    closed after the body. One without a `close` holds nothing and does not wait."""
    close = getattr(source, "close", lambda: None)
    with ExitStack() as stack:
        stack.callback(close)
        for event in leaving:
            stack.enter_context(event.calls(close))
        yield source
