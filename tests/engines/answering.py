"""An engine on a Unix socket that answers each request as a test says, and a watch on what is left open."""

from __future__ import annotations

import gc
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from engines.half_answers import whole

Answer = Callable[[socket.socket, str], bool]
"""Gets a connection and the first line of a request; whether the connection may serve another."""


def frame(text: bytes) -> bytes:
    """A piece of stdout as Docker sends it."""
    return b"\1\0\0\0" + len(text).to_bytes(4, "big") + text


def made_known(connection: socket.socket, line: str) -> bool:
    """Answer what every engine is asked before a command begins; False for other requests."""
    if "/version " in line:
        connection.sendall(whole(b'{"ApiVersion": "1.43"}'))
    elif "/exec " in line:
        connection.sendall(whole(b'{"Id": "e1"}'))
    else:
        return False
    return True


@contextmanager
def answering(answer: Answer, *, tcp: bool = False, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The path of the socket; host and port when it is one of TCP. With `tls` what comes is decrypted."""
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the caller may go at any moment
            while line := _request(connection):
                if not answer(connection, line):
                    return

    def accept() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _ = listener.accept()
                if tls is not None:  # greeted by the thread that serves it
                    connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                connections.append(connection)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    family = socket.AF_INET if tcp else socket.AF_UNIX
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(family) as listener:
        listener.bind(("127.0.0.1", 0) if tcp else f"{folder}/e.sock")
        listener.listen(50)
        where = "127.0.0.1:{1}".format(*listener.getsockname()) if tcp else f"{folder}/e.sock"
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield where
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(60.0)
            for connection in connections:
                with suppress(OSError):
                    # Not SSLSocket's own, which another thread may be reading from.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            for thread in threads:
                thread.join(60.0)
            assert not [thread for thread in [accepting, *threads] if thread.is_alive()]


def _request(connection: socket.socket) -> str:
    """Read a request, byte by byte up to the end of its head; its first line, nothing when there is none."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (got := connection.recv(1)):
            return ""
        head += got
    lines = head.decode().lower().split("\r\n")
    left = sum(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    first = head.split(b"\r\n")[0].decode()
    # What begins a command is left unread: who closes then resets the connection.
    while left and "/start " not in first:
        left -= len(connection.recv(left))
    return first


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fails when Python's collector had to close what was opened in the body, or could not await it.

    What else is warned of, as by other threads, is not looked at.
    """
    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
        gc.collect()
    kinds = (ResourceWarning, RuntimeWarning, pytest.PytestUnraisableExceptionWarning)
    assert [str(one.message) for one in told if issubclass(one.category, kinds)] == []
