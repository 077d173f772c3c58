"""The HTTP service of the container engine: paths below ``/v1``, JSON in and out, lines of JSON for
streams."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.datastructures import Headers
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from qrealm.base.errors import DaemonError, QrealmError, RequestError
from qrealm.base.version import installed_version
from qrealm.control.containers.engine import ContainerEngine
from qrealm.faces.http.cluster_routes import daemon_routes, placement_routes, quantum_routes
from qrealm.faces.http.container_routes import container_routes
from qrealm.faces.http.error_json import error_to_json, status_of
from qrealm.faces.http.incoming import RefusedBodyError
from qrealm.faces.http.misshapen import fault_of
from qrealm.faces.http.streams import NDJSON, Leaving, unexpected
from qrealm.faces.http.versions import OtherVersionError, check_caller

PREFIX = "/v1"
_UNAVAILABLE = 503
_LOG = logging.getLogger("qrealm.qdocker")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def container_app(engine: ContainerEngine, stopping: Leaving) -> FastAPI:
    """The service. `stopping` is set when the process is about to end: streams that follow then end too."""
    app = FastAPI(title="qdocker", version=installed_version(), docs_url=None, redoc_url=None)
    for routes in (
        daemon_routes(engine, stopping),
        container_routes(engine, stopping),
        quantum_routes(engine),
        placement_routes(engine),
    ):
        app.include_router(routes, prefix=PREFIX)
    _tell_errors(app)

    app.add_middleware(_SameVersion)
    app.add_middleware(_CutOff, stopping=stopping)
    app.add_middleware(_Logged)
    return app


def _tell_errors(app: FastAPI) -> None:
    """Every error leaves as JSON with a code, also those of the frameworks."""

    def told(problem: QrealmError, status: int) -> JSONResponse:
        return JSONResponse(error_to_json(problem), status_code=status)

    async def known(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, QrealmError)
        _LOG.debug("%s %s: %s", request.method, request.url.path, problem, exc_info=problem)
        return told(problem, status_of(problem))

    async def misshapen(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, RequestValidationError)
        fault = fault_of(problem.errors()[0])
        return told(RequestError(f"{request.method} {request.url.path}: {fault}"), 422)

    async def refused(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        if isinstance(problem, RefusedBodyError):
            return told(problem.problem, problem.status_code)
        words = f"{request.method} {request.url.path}: {problem.detail}"
        return told(RequestError(words), problem.status_code)

    async def unrouted(request: Request, problem: Exception) -> Response:
        status = getattr(problem, "status_code", 404)
        return told(RequestError(f"{request.method} {request.url.path} is nothing that qdocker does"), status)

    async def unforeseen(request: Request, problem: Exception) -> Response:
        _LOG.error("%s %s broke", request.method, request.url.path, exc_info=problem)
        return told(unexpected(problem), 500)

    app.add_exception_handler(QrealmError, known)
    app.add_exception_handler(RequestValidationError, misshapen)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(404, unrouted)
    app.add_exception_handler(405, unrouted)
    app.add_exception_handler(Exception, unforeseen)


class _SameVersion:
    """Refuses commands of another version, before their bodies are read."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        answer: Callable[[Message, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http":
            try:
                check_caller(Headers(scope=scope).get("user-agent", ""))
            except OtherVersionError as problem:
                answer = JSONResponse(error_to_json(problem), status_of(problem))
        await answer(scope, receive, send)


class _CutOff:
    """Tells a caller that the daemon ends, when that is why its request is given up. A stream gets it as its
    last line."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], stopping: Leaving) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        begun = streams = ended = False

        async def note(message: Message) -> None:
            nonlocal begun, streams, ended
            if message["type"] == "http.response.start":
                begun, streams = True, _is_stream(message)
            else:
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, note)
        except asyncio.CancelledError:
            if not self._stopping.is_set() or ended or (begun and not streams):
                raise
            _LOG.info("%s %s is given up: the daemon ends", scope["method"], scope["path"])
            words = "the daemon ends: what was under way is broken off, the next one finishes or undoes it"
            told = error_to_json(DaemonError(words, hint="qdocker start"))
            # The server gives requests up once. What is sent here waits for nobody.
            if begun:
                line = json.dumps({"error": told}).encode() + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": False})
            else:
                await JSONResponse(told, _UNAVAILABLE)(scope, receive, send)


def _is_stream(start: Message) -> bool:
    """Whether an answer is lines of JSON."""
    return any(name == b"content-type" and NDJSON.encode() in value for name, value in start["headers"])


class _Logged:
    """Writes each request to the log. Not FastAPI's own kind of middleware, which hides from a stream that
    its caller has gone."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = "went away"

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            # A stream has ended by now, or its caller has gone.
            took_ms = (time.perf_counter() - began) * 1e3
            _LOG.debug("%s %s %s %.1f ms", scope["method"], scope["path"], status, took_ms)
