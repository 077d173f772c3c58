"""What comes in: bodies of bounded size, and JSON that the engine can keep and give back."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import anyio.to_thread
from fastapi import HTTPException, Query, Request, Response
from fastapi.routing import APIRoute

from qrealm.base.errors import RequestError

BODY_BYTES_MAX = 64 << 20
STATE_BYTES_MAX = 1 << 30
"""Of an exported state: whatever the engine has, it must take again. Messages may have 1 MiB each."""
DEPTH_MAX = 100
"""Of lists and objects inside each other: what writes them again needs some of Python's stack for each."""
WHOLE_MAX = 1 << 64
ID_MAX = (1 << 63) - 1
"""The largest that a database counts to."""
Moment = Annotated[float | None, Query(allow_inf_nan=False)]
"""Seconds since 1970 UTC."""
_TOO_LARGE = 413
_IN_THREAD_FROM_BYTES = 1 << 20


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

        async def bounded(request: Request) -> Response:
            incoming = _Incoming(request.scope, request.receive)
            incoming.takes_state = takes_state
            return await answer(incoming)

        return bounded


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
            pieces, size = [], 0
            async for piece in self.stream():
                size += len(piece)
                if size > self._bytes_max:
                    raise self._too_large("more")
                pieces.append(piece)
            self._body = b"".join(pieces)
        return self._body

    async def json(self) -> Any:
        """Raises RefusedBodyError."""
        body = await self.body()
        try:
            if len(body) < _IN_THREAD_FROM_BYTES:
                return read_json(body)
            return await anyio.to_thread.run_sync(read_json, body)
        except ValueError as problem:
            raise RefusedBodyError(
                RequestError(f"{self.method} {self.url.path}: the body {problem}", hint="send JSON, in UTF-8")
            ) from problem

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


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Stricter than Python: what is taken can be kept, and be written again.

    Raises:
        ValueError: no JSON, or beyond the bounds; the message goes after "the body".
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ValueError(f"is not UTF-8: byte {problem.start} cannot be read") from None
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
    except json.JSONDecodeError as problem:
        raise ValueError(f"is not JSON: {problem}") from None
    except RecursionError:
        raise ValueError(_deep()) from None
    _check_depth(value)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _whole(digits: str) -> int:
    if len(digits) > 21 or not -WHOLE_MAX < (value := int(digits)) < WHOLE_MAX:
        raise ValueError(f"has the whole number {digits:.30}{'…' * (len(digits) > 30)}; the rule is 64 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"has the number {digits:.30}{'…' * (len(digits) > 30)}, which is too large")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"is not JSON: it has {name}; the rule is finite numbers")


def _deep() -> str:
    return f"has lists and objects more than {DEPTH_MAX} deep inside each other"


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_MAX):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError(_deep())


def _check_surrogates(value: Any) -> None:
    """JSON can spell half of a character, which no text in UTF-8 has."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as problem:
        half = ord(str(problem.object)[problem.start])
        raise ValueError(f"has \\u{half:04x}, which is half of a character") from None
