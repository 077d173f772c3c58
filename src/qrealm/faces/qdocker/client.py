"""Speaks to the daemon: one request, one answer, and errors of the same class as the engine raised."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import httpx

from qrealm.base.errors import DaemonError, NoSuchContainerError, RequestError
from qrealm.faces.http.error_json import error_from_json
from qrealm.faces.qdocker.home import Home, debug_wanted, find_home, running_pid

_PREFIX = "/v1"
_CONNECT_S = 5.0
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")

Method = Literal["GET", "POST", "DELETE"]


class Client:
    """A connection to the daemon of a folder.

    Every call may raise DaemonError (none runs, or it broke off) and whatever the engine raised.
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = home or find_home()
        self._home.check_socket_path()
        # Engines take as long as they take: a pull has no time limit. A lost daemon closes the connection.
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self._home.socket), verify=False, trust_env=False),
            base_url="http://qdocker",
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            trust_env=False,
        )

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
        sent = self._http.stream(method, _PREFIX + path, params=_plain(query), **_encoded(body))
        with self._told(method, path), sent as answer:
            if answer.is_error:
                answer.read()
                raise _error_of(answer)
            for line in answer.iter_lines():
                found = json.loads(line)
                if "error" in found:
                    raise error_from_json(found["error"])
                yield found

    def _ask(
        self, method: Method, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        with self._told(method, path):
            answer = self._http.request(method, _PREFIX + path, params=_plain(query), **_encoded(body))
        if answer.is_error:
            raise _error_of(answer)
        return answer.json()

    @contextmanager
    def _told(self, method: str, path: str) -> Iterator[None]:
        """Connection errors in words, and a line on stderr when debugging."""
        began = time.perf_counter()
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            raise self._not_there(problem) from problem
        except httpx.HTTPError as problem:
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
            hint=f"it may be starting; its log is {self._home.log}",
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


def _plain(query: Mapping[str, Any] | None) -> dict[str, Any]:
    """Query parameters without those that are None."""
    return {name: value for name, value in (query or {}).items() if value is not None}


def _encoded(body: Any) -> dict[str, Any]:
    """The body as httpx takes it. Raises RequestError for what JSON cannot say: NaN, infinities, and words
    that are not UTF-8."""
    if body is None:
        return {}
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as problem:
        near = str(problem.object)[max(0, problem.start - 20) : problem.end]
        raise RequestError(f"what ends in {near!r} is not UTF-8 text; the rule is UTF-8") from problem
    except ValueError as problem:
        name, value = next(_endless(body, ""))
        raise RequestError(f"{name} got {value}; the rule is a finite number") from problem
    return {"content": content, "headers": {"Content-Type": "application/json"}}


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


def _error_of(answer: httpx.Response) -> Exception:
    try:
        return error_from_json(answer.json())
    except ValueError:
        return DaemonError(
            f"the daemon answered {answer.status_code} with something that is no qdocker answer",
            hint="does another program have its socket?",
        )
