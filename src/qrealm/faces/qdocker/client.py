"""Speaks to the daemon: one request, one answer, and errors of the same class as the engine raised."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from typing import Any, Literal
from urllib.parse import urlencode

from qrealm.base.errors import DaemonError, NoSuchContainerError, QrealmError, RequestError
from qrealm.control.containers.home_folder import HOME_VARIABLE
from qrealm.faces.http.error_json import error_from_json
from qrealm.faces.qdocker import wire
from qrealm.faces.qdocker.home import Home, debug_wanted, find_home, running_pid
from qrealm.faces.qdocker.terminal import tell
from qrealm.faces.qdocker.turns import Turns, turns_of
from qrealm.faces.qdocker.wire import BrokenOffError, ForeignError, NotThereError, asked, lines_of

_PREFIX = "/v1"
_ERRORS_FROM = 400
_READ_S = {"/ping": 10.0, "/status": 60.0}
"""How long the daemon has for what no engine takes part in, in seconds: longer and it is stuck. It may take
half a second for each large register."""
_AT_WORK = "/v1/at-work"
_AT_WORK_S = 5.0
_OF_MANY = ("create-cluster ", "nodes rm ")
_TURNS_MAX = 200
"""Names that are asked about at once: an address of the daemon has 64 KiB at most."""
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")

Method = Literal["GET", "POST", "DELETE"]


class Client:
    """The daemon of a folder.

    Every call may raise DaemonError (none runs, it broke off, or it is another user's) and whatever the
    engine raised. A folder that is another user's, or that others may write to, is refused with StoreError.
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = home or find_home()
        self._home.check()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The answer to GET."""
        return self._ask("GET", path, query=query)

    def post(self, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """The answer to POST."""
        return self._ask("POST", path, query=query, body=body)

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The answer to DELETE."""
        return self._ask("DELETE", path, query=query)

    def lines(
        self, method: Method, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The objects of a streamed answer, as they come. A last line with an error is raised."""
        waiting = self._teller(method, path, body)
        # The head of a stream comes at once.
        quiet = threading.Timer(wire.WAITING_S, waiting)
        quiet.daemon = True
        quiet.start()
        try:
            with self._answer(method, path, query, body, lambda: None) as answer:
                for line in lines_of(answer):
                    quiet.cancel()
                    found = _told_by(answer, line)
                    if "error" in found:
                        raise error_from_json(found["error"])
                    yield found
        finally:
            quiet.cancel()

    def _ask(
        self, method: Method, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        with self._answer(method, path, query, body, self._teller(method, path, body)) as answer:
            return _told_by(answer, answer.read())

    @contextmanager
    def _answer(
        self,
        method: Method,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        waiting: Callable[[], None],
    ) -> Iterator[HTTPResponse]:
        """An answer that is no error."""
        content, socket_path = _encoded(body), str(self._home.socket)
        with (
            self._told(method, path),
            asked(
                socket_path, method, _PREFIX + path, query or {}, content, _READ_S.get(path), waiting
            ) as answer,
        ):
            if answer.status >= _ERRORS_FROM:
                raise _error_of(answer)
            yield answer

    def _teller(self, method: Method, path: str, body: Any) -> Callable[[], None]:
        """Says what a request from now on waits for, if it waits for others."""
        began = time.monotonic()

        def tell_who_is_at() -> None:
            # A daemon that ends, or of another version, answers something else: then nothing is said.
            with suppress(QrealmError, OSError, LookupError, TypeError, ValueError):
                if turns := turns_of(method, path, body):
                    self._tell_who_is_at(turns, began)

        return tell_who_is_at

    def _tell_who_is_at(self, turns: Turns, began: float) -> None:
        path = f"{_AT_WORK}?{urlencode(_bounded(turns), doseq=True)}"
        with asked(str(self._home.socket), "GET", path, {}, None, _AT_WORK_S) as answer:
            found = _told_by(answer, answer.read())
        waited_s = time.monotonic() - began
        told = set()
        for work in found:
            name, doing, seconds = work["name"], work["doing"], work["seconds"]
            # One who makes a cluster or removes a node may be at many containers.
            what = (doing if doing.startswith(_OF_MANY) else name, doing)
            # What began after the request is the request itself.
            if seconds > waited_s and what not in told:
                told.add(what)
                tell(f"{name}: waiting for {doing}, which began {seconds:.0f} s ago")

    @contextmanager
    def _told(self, method: str, path: str) -> Iterator[None]:
        """Connection errors in words, and a line on stderr when debugging."""
        began = time.perf_counter()
        try:
            yield
        except NotThereError as problem:
            raise self._not_there(problem) from problem
        except ForeignError as problem:
            raise DaemonError(
                f"{str(self._home.socket)!r} is {problem}; nothing was sent",
                hint=f"run this as that user, or set {HOME_VARIABLE} to a folder of your own",
            ) from problem
        except BrokenOffError as problem:
            raise DaemonError(
                f"the daemon broke off in the middle of {method} {path}: {problem}",
                hint=f"qdocker status; its log is {self._home.log}",
            ) from problem
        finally:
            if debug_wanted():
                took_ms = (time.perf_counter() - began) * 1e3
                sys.stderr.write(f"debug: {method} {_PREFIX}{path} {took_ms:.1f} ms\n")

    def _not_there(self, problem: Exception) -> DaemonError:
        pid = running_pid(self._home)
        if pid is None:
            return DaemonError(f"no daemon runs for {str(self._home.folder)!r}", hint="qdocker start")
        return DaemonError(
            f"the daemon, process {pid}, does not answer on {str(self._home.socket)!r}: {problem}",
            hint=f"it may be starting, or stopped by a signal; its log is {self._home.log}",
        )


def container_path(name: str, rest: str = "") -> str:
    """Path of a container. Raises NoSuchContainerError for what cannot be a name, so no path can be
    misled."""
    return _path("containers", "container", name, rest)


def node_path(name: str, rest: str = "") -> str:
    """As `container_path`, of a node."""
    return _path("nodes", "node", name, rest)


def cluster_path(name: str) -> str:
    """As `container_path`, of a cluster."""
    return _path("clusters", "cluster", name, "")


def _path(collection: str, kind: str, name: str, rest: str) -> str:
    if not _NAME.fullmatch(name):
        raise NoSuchContainerError(f"there is no {kind} {name!r:.80}")
    return f"/{collection}/{name}{rest}"


def _bounded(turns: Turns) -> Turns:
    """The first of them, as many as go into one address."""
    left, found = _TURNS_MAX, {}
    for kind, names in turns.items():
        found[kind] = names[:left]
        left -= len(found[kind])
    return found


def _encoded(body: Any) -> bytes | None:
    """The body as it is sent. Raises RequestError for what JSON cannot say: NaN, infinities, and words that
    are not UTF-8."""
    if body is None:
        return None
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as problem:
        near = str(problem.object)[max(0, problem.start - 20) : problem.end]
        raise RequestError(f"what ends in {near!r} is not UTF-8 text; the rule is UTF-8") from problem
    except ValueError as problem:
        name, value = next(_endless(body, ""))
        raise RequestError(f"{name} got {value}; the rule is a finite number") from problem


def _endless(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """The numbers in a body that are not finite, each with the name of its field."""
    if isinstance(value, float) and not math.isfinite(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _endless(each, str(key))
    elif isinstance(value, list):
        for each in value:
            yield from _endless(each, name)


def _told_by(answer: HTTPResponse, text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as problem:
        raise _strange(answer) from problem


def _error_of(answer: HTTPResponse) -> Exception:
    told = _told_by(answer, answer.read())
    known = isinstance(told, Mapping) and "code" in told
    return error_from_json(told) if known else _strange(answer)


def _strange(answer: HTTPResponse) -> DaemonError:
    return DaemonError(
        f"the daemon answered {answer.status} with something that is no qdocker answer",
        hint="does another program have its socket?",
    )
