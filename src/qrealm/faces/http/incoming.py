"""What comes in: bodies of bounded size, and JSON that the engine can keep and give back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from anyio import current_time
from fastapi import HTTPException, Query, Request, Response
from fastapi.routing import APIRoute

from qrealm.base.errors import DaemonError, RequestError
from qrealm.control.containers.asker import asked_by
from qrealm.faces.http.strict_json import read_json, read_large_json

BODY_BYTES_MAX = 64 << 20
STATE_BYTES_MAX = 1 << 30
"""Of an exported state: whatever the engine has, it must take again. Messages may have 1 MiB each."""
ID_MAX = (1 << 63) - 1
"""The largest that a database counts to."""
Moment = Annotated[float | None, Query(allow_inf_nan=False)]
"""Seconds since 1970 UTC."""
_TOO_LARGE = 413
_TOO_SLOW = 408
PAUSE_S = 60.0
"""How long a caller may send nothing of a body that it has announced."""
WHOLE_S = 120.0
BYTES_PER_S = 256 << 10
"""How long a body may take: so many seconds, and one more for each `BYTES_PER_S` that have come."""
_IN_THREAD_FROM_BYTES = 1 << 20
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class RefusedBodyError(HTTPException):
    """Brings an error of qrealm through FastAPI, which would make one of its own of every other.

    Attributes:
        problem: what is wrong with the body.
    """

    def __init__(self, problem: RequestError, status: int = 400) -> None:
        super().__init__(status, problem.message)
        self.problem = problem


class BoundedRoute(APIRoute):
    """A route whose requests are read as `_Incoming`; the one that takes a state has a larger bound."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        # The route's own path: no container that is named so makes another request a state.
        takes_state = self.path.endswith("/state")

        imports = takes_state and "POST" in (self.methods or ())
        under_way = False
        # What streams looks by itself whether somebody listens.
        streams, has_body = iscoroutinefunction(self.endpoint), self.body_field is not None

        async def bounded(request: Request) -> Response:
            nonlocal under_way
            caller = _Caller(request.receive)
            incoming = _Incoming(request.scope, caller.receive)
            incoming.takes_state = takes_state
            if not imports:
                if streams:
                    return await answer(incoming)
                async with caller.watched(has_body):
                    return await answer(incoming)
            if under_way:  # each may take as much memory as it has bytes, a few times
                raise DaemonError(
                    "import-state: another one is under way, and the rule is one at a time",
                    hint="try again when it has ended",
                )
            under_way = True
            try:
                return await answer(incoming)
            finally:
                under_way = False

        return bounded


class _Caller:
    """Whoever sent a request, and may go before it is answered."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = threading.Event()
        self._all_came = asyncio.Event()

    async def receive(self) -> Message:
        """The next piece of the request; that its caller is gone, after the last."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
        if not message.get("more_body", False):
            self._all_came.set()
        return message

    @asynccontextmanager
    async def watched(self, has_body: bool) -> AsyncIterator[None]:
        """In the body work is for this caller: what waits for its turn when they go is not begun."""
        watching = asyncio.create_task(self._watch(has_body))
        try:
            with asked_by(self._gone.is_set):
                yield
        finally:
            self._gone.set()  # of an answer that is given up: the daemon ends
            watching.cancel()

    async def _watch(self, has_body: bool) -> None:
        if has_body:  # whoever reads it must get all of it
            await self._all_came.wait()
        while not self._gone.is_set():
            await self.receive()


class _Incoming(Request):
    """A request whose body is bounded and checked.

    Attributes:
        takes_state: whether the body is an exported state.
    """

    takes_state = False

    @property
    def _bytes_max(self) -> int:
        return STATE_BYTES_MAX if self.takes_state else BODY_BYTES_MAX

    async def body(self) -> bytes:
        """Raises RefusedBodyError for one that is too large, before it is read where its length is told."""
        if not hasattr(self, "_body"):
            told = self.headers.get("content-length", "")
            if told.isdigit() and (len(told) > 18 or int(told) > self._bytes_max):
                raise self._too_large(f"{told:.30} bytes")
            pieces, size, began = [], 0, current_time()
            stream = self.stream()
            while True:
                left_s = WHOLE_S + size / BYTES_PER_S - (current_time() - began)
                if left_s <= 0.0:
                    raise self._too_slow(size, current_time() - began, trickled=True)
                try:
                    with anyio.fail_after(min(PAUSE_S, left_s)):
                        piece = await anext(stream, None)
                except TimeoutError:
                    raise self._too_slow(size, current_time() - began, left_s < PAUSE_S) from None
                if piece is None:
                    break
                size += len(piece)
                if size > self._bytes_max:
                    raise self._too_large("more")
                pieces.append(piece)
            self._body = await _off_the_loop(size, b"".join, pieces)
        return self._body

    async def json(self) -> Any:
        """Raises RefusedBodyError."""
        body = await self.body()
        try:
            read = read_large_json if self.takes_state and len(body) >= _IN_THREAD_FROM_BYTES else read_json
            return await _off_the_loop(len(body), read, body)
        except ValueError as problem:
            raise RefusedBodyError(
                RequestError(f"{self.method} {self.url.path}: the body {problem}", hint="send JSON, in UTF-8")
            ) from problem

    def _too_slow(self, size: int, took_s: float, trickled: bool) -> RefusedBodyError:
        if trickled:
            what = (
                f"{size} bytes came in {took_s:.3g} s, and that is not all; the rule is {WHOLE_S:g} s, and a "
                f"second more for each {BYTES_PER_S} bytes"
            )
        else:
            what = f"after {size} bytes nothing more came for {PAUSE_S:g} s"
        return RefusedBodyError(RequestError(f"{self.method} {self.url.path}: {what}"), _TOO_SLOW)

    def _too_large(self, size: str) -> RefusedBodyError:
        return RefusedBodyError(
            RequestError(
                f"{self.method} {self.url.path}: the body may have {self._bytes_max} bytes "
                f"({self._bytes_max >> 20} MiB), and has {size}",
                hint="leave out old decisions and messages: "
                "jq '.decisions = .decisions[:1000] | .messages = .messages[-100:]' state.json"
                if self.takes_state
                else "",
            ),
            _TOO_LARGE,
        )


async def _off_the_loop(size: int, work: Callable[[_Given], _Made], given: _Given) -> _Made:
    """Do it at once where little is given, else in a thread: the event loop answers others meanwhile."""
    if size < _IN_THREAD_FROM_BYTES:
        return work(given)
    return await anyio.to_thread.run_sync(work, given)
