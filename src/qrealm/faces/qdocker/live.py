"""`qdocker exec -i` and `-it`: this process itself speaks to the engine of the container's node, so that what
is typed goes there at once."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from qrealm.base.errors import EngineRefusalError, RequestError
from qrealm.control.containers.interface import Endpoint, ExecSpec, Output, attach
from qrealm.control.containers.json_codec import from_json
from qrealm.control.containers.naming import told_by_name
from qrealm.faces.qdocker.showing import View, state_of, status_of
from qrealm.faces.qdocker.terminal import tell

_READ_BYTES_MAX = 1 << 14
_SIGNALS_FROM = 128
_STDIN, _STDOUT = 0, 1


def converse(view: View, spec: dict[str, Any], *, interactive: bool, terminal: bool) -> int:
    """Run a command in a container and connect it with stdin and stdout until it ends.

    Args:
        view: of the container.
        spec: an `ExecSpec` as JSON.
        interactive: whether it gets stdin.
        terminal: whether it gets a terminal; the one of stdin then passes every key on.

    Returns:
        The command's exit code; 0 where it goes on without us.

    Raises:
        RequestError: a terminal was asked for, and stdin is none.
        EngineRefusalError: the container does not run, or its node runs no commands.
        EngineUnavailableError: the engine does not answer.
    """
    if interactive and terminal and not os.isatty(_STDIN):
        raise RequestError("exec -t got a stdin that is no terminal", hint="leave -t out")
    name = view["record"]["name"]
    if state_of(view) != "running":
        raise EngineRefusalError(
            f"container {name!r} does not run ({status_of(view)}); a command needs one that runs",
            hint=f"qdocker run {name}",
        )
    endpoint = from_json(Endpoint, view["node"]["endpoint"])
    engine_id, asked = view["facts"]["engine_id"], from_json(ExecSpec, spec)
    with told_by_name(engine_id, name, view["node"]["name"]):
        live = attach(endpoint, engine_id, asked, stdin=interactive, terminal=terminal)
    with live, _raw(terminal and interactive), _sizes(terminal) as (size, resized):
        read = (lambda: os.read(_STDIN, _READ_BYTES_MAX)) if interactive else None
        live.converse(read, _STDIN, _write, size=size, resized=resized)
        code = live.exit_code()
    if code is None:
        tell(f"detached: the command goes on in {name}")
    return code or 0


def _write(piece: Output) -> None:
    stream = sys.stdout if piece.stream == "stdout" else sys.stderr
    stream.buffer.write(piece.data)
    stream.buffer.flush()


@contextmanager
def _raw(wanted: bool) -> Iterator[None]:
    """The terminal gives every key as it is pressed, Ctrl-C too, until the block ends, however it ends."""
    if not wanted:
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(_SIGNALS_FROM + number)

    before = termios.tcgetattr(_STDIN)
    ends = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setraw(_STDIN, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)
        for number, handler in ends.items():
            signal.signal(number, handler)


@contextmanager
def _sizes(wanted: bool) -> Iterator[tuple[Callable[[], tuple[int, int]] | None, int]]:
    """What tells the terminal's size, and a file descriptor that can be read when it has changed."""
    number = next((each for each in (_STDIN, _STDOUT) if os.isatty(each)), None)
    if not wanted or number is None:
        yield None, -1
        return
    terminal = number
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def size() -> tuple[int, int]:
        with suppress(BlockingIOError):  # asked for without a change
            os.read(reading, _READ_BYTES_MAX)
        columns, rows = os.get_terminal_size(terminal)
        return rows, columns

    def changed(_: int, __: FrameType | None) -> None:
        with suppress(BlockingIOError):  # full of changes that nobody has looked at
            os.write(writing, b"w")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield size, reading
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reading)
        os.close(writing)
