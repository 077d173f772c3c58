"""What containers and commands write, read off an engine's answer piece by piece, and the socket below it."""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers.protocol import Output

T = TypeVar("T")
FRAME_HEADER = struct.Struct(">BxxxL")
STDERR = 2
READ_BYTES_MAX = 1 << 16
_SEND_BYTES_MAX = 1 << 14
_WORDS_BYTES_MAX = 1000
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Breakable(Protocol):
    """Who waits for an engine, and can be told from another thread that its connection is given up."""

    def break_off(self) -> None:
        """End the wait with EngineUnavailableError."""


class Use:
    """A stream's use of what its answer comes through; it ends once: by `end`, or with the answer.

    Args:
        used: what is used.
        leaving: is given that at the end. No lock is taken for it: the thread in which Python collects, or
            which a signal interrupts, may hold it.
    """

    def __init__(self, used: T, leaving: deque[T]) -> None:
        self.end = weakref.finalize(self, leaving.append, used)
        self.end.atexit = False


class OutputStream:
    """What a container or a command writes, as it comes.

    One thread reads. Any thread may call `close`, also a signal's handler, and also while the reader waits
    for the next piece; the reader then sees the end. Who leaves early must close, or drop, the stream.
    One that is dropped closes its connection also where an error's traceback held it.

    Args:
        ended: called when it has ended, maybe more than once and from a signal's handler; not of one that is
            dropped.

    Attributes:
        first: the beginning of the first piece, 1000 bytes at most.
        noise: see `without_noise`.
    """

    def __init__(
        self, response: Any, sock: Any, pieces: Generator[Output], doing: str, ended: Callable[[], None]
    ) -> None:
        self._response = response
        self._sock = sock
        self._pieces = pieces
        self._doing = doing
        self._ended = ended
        self.first = b""
        self.noise: re.Pattern[bytes] | None = None
        self._reading = threading.Lock()
        self._closed = False
        self._broken_off = False
        # Of what is dropped together Python may close the socket first, with a warning; this keeps the answer
        # until the stream is gone. Not `response.close`, which hands the connection back to its pool: the
        # thread in which Python collects may hold the lock of that.
        weakref.finalize(self, response.raw.close).atexit = False

    def __iter__(self) -> OutputStream:
        return self

    def __next__(self) -> Output:
        with self._reading:
            try:
                return self._next_piece()
            except StopIteration:
                self._ended()
                if self._broken_off and not self._closed:
                    raise EngineUnavailableError(f"{self._doing}: the connection was given up") from None
                raise
            except BaseException as problem:
                self._ended()
                if self._closed and isinstance(problem, EngineUnavailableError):
                    raise StopIteration from None
                raise

    def _next_piece(self) -> Output:
        while True:
            piece = next(self._pieces)
            self.first = self.first or piece.data[:_WORDS_BYTES_MAX]
            if data := without_noise(self.noise, self.first, piece.data):
                return Output(piece.stream, data)

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._shut_down()
        # A reader that waits wakes up by the end of its connection, and closes the answer itself.
        if self._reading.acquire(blocking=False):
            try:
                self._pieces.close()
                self._response.close()
                self._ended()
            finally:
                self._reading.release()

    def break_off(self) -> None:
        """End it for its reader with EngineUnavailableError."""
        self._broken_off = True
        self._shut_down()

    def _shut_down(self) -> None:
        with suppress(OSError):  # it has ended already
            # Not SSLSocket's own, which takes the encryption away from under a reader.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def socket_of(response: Any) -> Any:
    """The socket below an answer that is still being read.

    Neither requests nor the SDK hand it out without losing what is buffered above it; reading goes on
    through `response.raw`.
    """
    return response.raw._fp.fp.raw._sock


@contextmanager
def closed_on_error(response: Any) -> Iterator[None]:
    """Close an answer when what is made of it in the body is not."""
    try:
        yield
    except BaseException:
        response.close()
        raise


def buffered(response: Any) -> bytes:
    """What was read together with the answer's head."""
    with suppress(OSError):  # nothing more yet; or a connection that broke, which who reads on is told
        return bytes(response.raw._fp.fp.peek())
    return b""


def move(sock: Any, left: memoryview) -> tuple[bytes | None, memoryview]:
    """Wait until the connection takes or gives something, and let it: what came (nothing at its end, None for
    none yet), and what is left to send."""
    # A TLS connection may hold bytes that no select can see: so it is read before it is waited for.
    try:
        return sock.recv(READ_BYTES_MAX), left
    except NOT_NOW:
        pass
    except ConnectionError:
        return b"", left  # ended without having read all: the exit code says what became of it
    if left:
        try:
            sent = sock.send(left[:_SEND_BYTES_MAX])
        except NOT_NOW:
            pass
        except ConnectionError:
            return None, left[len(left) :]
        else:
            send_end(sock, left[sent:])
            return None, left[sent:]
    waiting = select.poll()  # unlike select, for any number of open files
    waiting.register(sock, select.POLLIN | (select.POLLOUT if left else 0))
    waiting.poll()
    return None, left


def send_end(sock: Any, left: memoryview) -> None:
    """Tell the other side that nothing more comes, once nothing is left to send."""
    if not left:
        with suppress(OSError):
            # Not SSLSocket's own: after that it would take what still comes for plain text.
            socket.socket.shutdown(sock, socket.SHUT_WR)


def without_noise(noise: re.Pattern[bytes] | None, first: bytes, data: bytes) -> bytes:
    """A piece of a command's output; where its beginning, `first`, says why the command could not begin,
    without what the engine adds to that of its own."""
    return data if noise is None or b"OCI " not in first else noise.sub(b"", data)


def whole_frames(arrived: bytearray) -> Iterator[Output]:
    """Take every complete frame off the front."""
    size = FRAME_HEADER.size
    while len(arrived) >= size:
        kind, length = FRAME_HEADER.unpack_from(arrived)
        if len(arrived) < size + length:
            return
        data = bytes(arrived[size : size + length])
        del arrived[: size + length]
        if data:
            yield Output("stderr" if kind == STDERR else "stdout", data)
