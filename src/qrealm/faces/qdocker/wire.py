"""HTTP over a Unix socket with the standard library: every command waits for its imports, and a client
library for the whole web takes a third of a command's time."""

from __future__ import annotations

import http.client
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from qrealm.faces.http.versions import user_agent

CONNECT_S = 5.0
WAITING_S = 3.0
_CREDENTIALS = struct.Struct("3i")
"""Process, user and group of whoever listens at a Unix socket, as the kernel tells them."""


class NotThereError(OSError):
    """Nobody answers at a socket, or not within the time that there was."""


class BrokenOffError(OSError):
    """The other side went away in the middle, or does not speak HTTP."""


class ForeignError(OSError):
    """Another user's process listens at a socket."""


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket.

    Args:
        path: of the socket.
        read_s: how long each read may take, in seconds; None for as long as it takes.
    """

    def __init__(self, path: str, read_s: float | None) -> None:
        super().__init__("qdocker")
        self._path = path
        self._read_s = read_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_S)
        try:
            self.sock.connect(self._path)
        except OSError as problem:
            raise NotThereError(problem) from problem
        process, user, _ = _CREDENTIALS.unpack(
            self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if user != os.geteuid():
            raise ForeignError(
                f"the socket of process {process} of the user {user}, and this is the user {os.geteuid()}"
            )
        self.sock.settimeout(self._read_s)


@contextmanager
def asked(
    socket_path: str,
    method: str,
    path: str,
    query: Mapping[str, Any],
    body: bytes | None,
    read_s: float | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request, its body still to be read.

    Args:
        socket_path: where the server listens.
        query: parameters; those that are None are left out.
        body: JSON; None for none.
        read_s: how long each read may take, in seconds. None is for what an engine takes part in: a pull has
            no time limit, and a lost server closes the connection.
        waiting: called once when there is no answer after WAITING_S.

    Raises:
        NotThereError: nobody listens, or `read_s` has passed.
        ForeignError: another user's process listens; nothing has been sent to it.
        BrokenOffError: the server is gone; also while the body is read.
    """
    words = {key: _word(value) for key, value in query.items() if value is not None}
    target = f"{path}?{urlencode(words)}" if words else path
    headers = {"Connection": "close", "User-Agent": user_agent()}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = _Connection(socket_path, read_s)
    try:
        # One that has been told no before it had read all of a large body closes: its answer is there.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body, headers)
        if waiting and not select.select([connection.sock], [], [], WAITING_S)[0]:
            waiting()
        # Not closed by `connection.close`, which keeps no answer after which the server closes.
        with closing(connection.getresponse()) as answer:
            yield answer
    except (NotThereError, ForeignError):
        raise
    except TimeoutError as problem:
        raise NotThereError(f"no answer within {read_s:g} s") from problem
    except (OSError, http.client.HTTPException) as problem:
        raise BrokenOffError(str(problem) or type(problem).__name__) from problem
    finally:
        connection.close()


def lines_of(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The lines of an answer as they come. Inside `asked`: it may break off."""
    rest = b""
    # Not readline: it takes a body that was cut off for one that has ended.
    while piece := answer.read1(1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _word(value: Any) -> str:
    """A query parameter as JSON writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
