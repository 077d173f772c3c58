"""Commands inside containers that somebody talks to while they run: input as it is typed, and a terminal."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NoSuchContainerError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.docker import BegunExec, DockerDriver, code_of_exec
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, Output
from qrealm.fleet.containers.streams import (
    NOT_NOW,
    buffered,
    closed_on_error,
    send_end,
    socket_of,
    whole_frames,
    without_noise,
)

_READ_BYTES_MAX = 1 << 16
_SEND_BYTES_MAX = 1 << 14
_RESIZE_TRIES = 10
_RESIZE_WAIT_MS = 50
_DETACHED_S = 1.0
_WORDS_BYTES_MAX = 1000
_LET_GO = b"read escape sequence\r\n"
"""What Docker writes at the end when it lets go; before version 23 it then counts the command as failed."""

Size = tuple[int, int]
"""Rows and columns of a terminal."""


class LiveExec:
    """A command inside a container, with a connection of its own. For one thread.

    Args:
        driver: closed at the end.
        begun: the command, whose output nobody has read.
        terminal: whether it has a terminal, whose output is one stream.
    """

    def __init__(self, driver: DockerDriver, begun: BegunExec, *, terminal: bool) -> None:
        self._driver = driver
        self._begun = begun
        self._terminal = terminal
        self._first = self._last = b""
        with closed_on_error(begun.answer):
            self._socket = socket_of(begun.answer)
            self._socket.setblocking(False)
            self._arrived = bytearray(buffered(begun.answer))

    def __enter__(self) -> LiveExec:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._begun.answer.close()
        self._driver.close()

    def converse(
        self,
        read: Callable[[], bytes] | None,
        source: int,
        write: Callable[[Output], None],
        *,
        size: Callable[[], Size] | None = None,
        resized: int = -1,
    ) -> None:
        """Hand on what is typed and what is written until the command's output ends.

        Args:
            read: takes from `source`, a file descriptor, what is there; nothing at its end. None for no
                input.
            write: is given what the command writes.
            size: tells the terminal's size: at the beginning, and whenever the file descriptor `resized`
                has something to read, which is left to it to take.

        Raises:
            EngineUnavailableError: the connection broke.
        """
        left = memoryview(b"")
        tries = _RESIZE_TRIES if size is not None else 0
        while True:
            if not self._pass_output(write):
                return
            if left:
                left = self._send(left)
            if tries and size is not None:
                tries = 0 if self._resize(size()) else tries - 1
            ready = self._wait(source if read is not None and not left else -1, resized, bool(left), tries)
            if resized in ready:
                tries = _RESIZE_TRIES
            if source in ready and read is not None:
                left = memoryview(read())
                if not left:
                    read = None
                    send_end(self._socket, left)

    def exit_code(self) -> int | None:
        """Its exit code, once its output has ended; None when the command goes on: the engine lets go of
        whoever presses its keys for that, Ctrl-P Ctrl-Q."""
        if not self._terminal:
            return code_of_exec(self._begun, self._first)
        if self._last.endswith(_LET_GO):
            return None
        return code_of_exec(self._begun, self._first, _DETACHED_S)

    def _pass_output(self, write: Callable[[Output], None]) -> bool:
        """Write all that has come; False at its end."""
        while True:
            if self._terminal:
                pieces = [Output("stdout", bytes(self._arrived))] if self._arrived else []
                self._arrived.clear()
            else:
                pieces = list(whole_frames(self._arrived))
            for piece in pieces:
                self._first = self._first or piece.data[:_WORDS_BYTES_MAX]
                self._last = (self._last + piece.data)[-len(_LET_GO) :]
                if data := without_noise(self._begun.noise, self._first, piece.data):
                    write(Output(piece.stream, data))
            try:
                got = self._socket.recv(_READ_BYTES_MAX)
            except NOT_NOW:
                return True
            except ConnectionError:
                return False  # ended without having read all: the exit code says what became of it
            except OSError as error:
                raise self._broken(error) from error
            if not got:
                return False
            self._arrived += got

    def _send(self, left: memoryview) -> memoryview:
        try:
            return left[self._socket.send(left[:_SEND_BYTES_MAX]) :]
        except NOT_NOW:
            return left
        except ConnectionError:
            return left[len(left) :]  # it reads no more; what it wrote still comes
        except OSError as error:
            raise self._broken(error) from error

    def _wait(self, source: int, resized: int, sending: bool, tries: int) -> set[int]:
        """Wait for something to do; the file descriptors that have something to read."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | (select.POLLOUT if sending else 0))
        for each in (source, resized):
            if each >= 0:
                waiting.register(each, select.POLLIN)
        return {number for number, _ in waiting.poll(_RESIZE_WAIT_MS if tries else None)}

    def _resize(self, size: Size) -> bool:
        """Whether the engine took it: just begun, a command may have no terminal yet, or none any more."""
        rows, columns = size
        if rows <= 0 or columns <= 0:
            return True  # a terminal that has no size of its own
        with suppress(EngineRefusalError, NoSuchContainerError):
            with self._begun.wire.calling(self._begun.doing) as client:
                client.exec_resize(self._begun.exec_id, height=rows, width=columns)
            return True
        return False

    def _broken(self, error: OSError) -> EngineUnavailableError:
        return EngineUnavailableError(
            f"{self._begun.wire.name}: {self._begun.doing}: the connection broke: {error}"
        )


def attach(endpoint: Endpoint, engine_id: str, spec: ExecSpec, *, stdin: bool, terminal: bool) -> LiveExec:
    """Begin a command inside a container that runs, to talk to it; `spec.stdin` is not looked at.

    Args:
        engine_id: the engine's id of the container.
        stdin: whether input comes.
        terminal: whether the command gets a terminal.

    Raises:
        EngineUnavailableError: the engine does not answer.
        EngineRefusalError: the container does not run, or no command can be run there: it is simulated, or on
            another host of a swarm than the manager.
        NoSuchContainerError: the engine has no such container.
        CommandNotFoundError, CommandNotRunnableError: where the engine tells before the command runs.
    """
    driver: Any = connect(endpoint)
    try:
        if not isinstance(driver, DockerDriver):
            driver.execute(engine_id, spec)  # says why it cannot
            raise EngineRefusalError(f"driver {endpoint.driver} has commands without a terminal alone")
        begun = driver.begin_exec(engine_id, spec, stdin=stdin, terminal=terminal)
        return LiveExec(driver, begun, terminal=terminal)
    except BaseException:
        driver.close()
        raise
