"""Starting and stopping the daemon's process."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from qrealm.base.errors import ConfigError, DaemonError
from qrealm.faces.http.error_json import error_from_json
from qrealm.faces.http.versions import OtherVersionError
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import Home, RunsAlreadyError, running_pid
from qrealm.faces.qdocker.wire import CONNECT_S

START_TIMEOUT_S = 60.0
REQUESTS_END_S = 5
"""How long the daemon's end waits for answers; then it tells whoever asked that it ends."""
WORK_END_S = 15.0
"""How long it waits from then on for what is still under way, before that is cut off."""
_QUIET_S = 2.0
"""How long a start or an end may take before it is told what it waits for."""
_LOG_BYTES_MAX = 10 << 20
_LOG_LINES_SHOWN = 15
_NO_LOG = {errno.ELOOP: "is a link", errno.ENXIO: "is no file"}  # ENXIO: a pipe that nobody reads
_POLL_S = 0.05
_SELECT_S_MAX = 1e9


Waiting = Callable[[str], None]


def _silently(_: str) -> None:
    """Say nothing of what is waited for."""


class Launched(NamedTuple):
    """A daemon that runs: its process id, whether it runs since now, and what it met at its start that
    whoever started it should know."""

    pid: int
    now: bool
    notices: tuple[str, ...] = ()


def launch(home: Home, config: Path | None, waiting: Waiting = _silently) -> Launched:
    """Start the daemon in a session of its own and wait until it answers. One that runs with the same
    configuration is left as it is. Whoever is interrupted meanwhile ends what was started.

    Args:
        config: None for the one that the daemon has, or had last.
        waiting: told what is waited for when that takes longer.

    Raises:
        DaemonError: it runs with another configuration, or did not come up; the message has the last lines
            of its log.
        QrealmError: whatever kept it from starting, as the daemon told it.
    """
    home.make()
    until = time.monotonic() + START_TIMEOUT_S
    with _alone(home, until, waiting):
        while True:
            while (running := running_pid(home)) is not None:
                if _answers(home, running, config, waiting):
                    return Launched(running, False)
            try:
                return _begun(home, config)
            except RunsAlreadyError:
                # One that was started by other means was faster, and may have ended since.
                if time.monotonic() > until:
                    raise


@contextmanager
def _alone(home: Home, until: float, waiting: Waiting) -> Iterator[None]:
    """One start after the other: each begins what the one before has not, and reads its own lines in the log.
    One that does not come to its end, as when it was stopped by a signal, is not waited for any longer than
    `until`: the daemon has a lock of its own."""
    folder = os.open(home.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        quiet = _Quiet(waiting, "another qdocker start is under way: waiting for it")
        while time.monotonic() < until:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                quiet.tell()
                time.sleep(_POLL_S)
            except OSError:
                break  # a file system that locks no folders
        yield
    finally:
        os.close(folder)


class _Quiet:
    """Tells once what is waited for, when that takes longer."""

    def __init__(self, waiting: Waiting, words: str) -> None:
        self._waiting = waiting
        self._words = words
        self._until = time.monotonic() + _QUIET_S

    def tell(self) -> None:
        """Call it while waiting."""
        if time.monotonic() >= self._until:
            self._until = math.inf
            self._waiting(self._words)


def _begun(home: Home, config: Path | None) -> Launched:
    """Begin a daemon, and wait until it answers."""
    _turn_log(home)
    log = _open_log(home)
    begin = os.fstat(log).st_size
    receive, send = os.pipe()
    words = [sys.executable, "-m", "qrealm.faces.qdocker.daemon", "--home", str(home.folder)]
    words += ["--report-fd", str(send)]
    if config is not None:
        words += ["--config", str(config.absolute())]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(send,),
        )
    except BaseException:
        os.close(receive)
        raise
    finally:
        os.close(log)
        os.close(send)
    try:
        line = _first_line(receive, time.monotonic() + START_TIMEOUT_S)
    except BaseException:
        _end_begun(process)
        raise
    finally:
        os.close(receive)
    if line is None:
        process.kill()
        process.wait()
        raise DaemonError(f"the daemon did not answer within {START_TIMEOUT_S:g} s{_last_lines(home, begin)}")
    told = json.loads(line) if line else {}
    if "error" in told:
        process.wait()
        raise error_from_json(told["error"])
    if "ready" not in told:
        raise _ended_early(process, _last_lines(home, begin))
    # It goes on without us: Popen must not warn that nobody waited for it.
    process.returncode = 0
    return Launched(process.pid, True, tuple(told.get("notices", ())))


def _end_begun(process: subprocess.Popen[bytes]) -> None:
    """End a daemon that has not come up; one that does not end soon is killed, which loses nothing."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_QUIET_S)
    finally:
        process.kill()  # nothing, where it has ended
        process.wait()


def _ended_early(process: subprocess.Popen[bytes], lines: str) -> DaemonError:
    code = process.wait()
    if code in (0, -signal.SIGTERM):
        return DaemonError(
            f"the daemon, process {process.pid}, was asked to end while it started", hint="qdocker start"
        )
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    return DaemonError(f"the daemon ended {how}{lines}")


def _answers(home: Home, pid: int, config: Path | None, waiting: Waiting) -> bool:
    """Wait until the daemon that runs answers; False when it has ended before. Raises DaemonError when it
    does not answer, or is configured otherwise."""
    until = time.monotonic() + START_TIMEOUT_S
    quiet = _Quiet(waiting, f"the daemon, process {pid}, is starting or ending: waiting for it")
    while True:
        try:
            Client(home).get("/ping")
            break
        except OtherVersionError:
            raise  # waiting does not change it
        except DaemonError:
            if running_pid(home) != pid:
                return False
            if time.monotonic() > until:
                raise
            quiet.tell()
            time.sleep(_POLL_S)
    if config is not None and _text_of(config) != (_text_of(home.config) if home.config.exists() else b""):
        raise DaemonError(
            f"the daemon of {str(home.folder)!r} runs already, as process {pid}, with another configuration "
            f"than {str(config)!r}",
            hint=f"qdocker stop, then start again; what it has is in {home.config}",
        )
    return True


def _text_of(config: Path) -> bytes:
    try:
        return config.read_bytes()
    except OSError as problem:
        raise ConfigError(
            f"start got the configuration {str(config)!r}, which cannot be read: {problem.strerror}",
            hint="give a YAML file",
        ) from problem


def end(home: Home, timeout_s: float, waiting: Callable[[int], None] | None = None) -> int | None:
    """Ask the daemon to end and wait until its process is gone.

    Args:
        timeout_s: how long to wait.
        waiting: called once with its process id when it does not end soon.

    Returns:
        The process id that it had; None when none ran.

    Raises:
        DaemonError: it still runs after `timeout_s`, is not ours to end, or may run where we cannot look.
        StoreError: the folder is another user's, who could have us end any process.
    """
    pid = running_pid(home)
    if pid is None:
        _refuse_unseen(home)
        return None
    home.check()
    with suppress(ProcessLookupError), _process(pid) as process:
        # The number may have become another process's before this one was opened, but not after.
        if running_pid(home) != pid:
            return pid
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
        except PermissionError as problem:
            raise DaemonError(f"the daemon, process {pid}, belongs to another user") from problem
        quiet_s = min(timeout_s, _QUIET_S)
        if _has_ended(process, quiet_s):
            return pid
        if waiting is not None and timeout_s > quiet_s:
            waiting(pid)
        if not _has_ended(process, timeout_s - quiet_s):
            raise DaemonError(
                f"the daemon, process {pid}, still runs {timeout_s:g} s after it was asked to end",
                hint=f"look into {home.log}; kill -9 {pid} loses nothing",
            )
    return pid


def _refuse_unseen(home: Home) -> None:
    """Before it is said that none runs: there may be one that is not ours to see.

    Raises:
        DaemonError, StoreError: somebody listens at the socket, or we may not look, and why.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(str(home.socket))
        except PermissionError as problem:
            home.check()
            raise DaemonError(
                f"whether a daemon runs for {str(home.folder)!r} cannot be told: its socket "
                f"{str(home.socket)!r} cannot be reached: {problem.strerror}",
                hint="run this as the user whose daemon it is",
            ) from problem
        except OSError:
            return  # nobody is there
    Client(home).get("/ping")
    raise DaemonError(
        f"a daemon answers on {str(home.socket)!r}, and {str(home.pid)!r} does not tell its process",
        hint=f"it ends by itself when that file was removed; its log is {home.log}",
    )


def _has_ended(process: int, within_s: float) -> bool:
    return bool(select.select([process], [], [], min(within_s, _SELECT_S_MAX))[0])


@contextmanager
def _process(pid: int) -> Iterator[int]:
    """A file descriptor of a process, readable once it has ended; ProcessLookupError when it has."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


def _open_log(home: Home) -> int:
    """A file descriptor that appends to the log. Only a file is one: a link could lead anywhere, and a pipe
    would wait for a reader."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        log = os.open(home.log, flags, 0o600)
    except OSError as problem:
        what = _NO_LOG.get(problem.errno or 0, f"cannot be opened: {problem.strerror}")
        raise _no_log(home, what) from problem
    if not stat.S_ISREG(os.fstat(log).st_mode):
        os.close(log)
        raise _no_log(home, "is no file")
    os.set_blocking(log, True)
    return log


def _no_log(home: Home, what: str) -> DaemonError:
    return DaemonError(
        f"the daemon's log {str(home.log)!r} {what}", hint=f"look what it is, then rm {home.log}"
    )


def _turn_log(home: Home) -> None:
    """Begin a new log when the old one is large; one old log is kept."""
    with suppress(FileNotFoundError):
        there = home.log.lstat()  # a link is refused later, and stays where it is
        if stat.S_ISREG(there.st_mode) and there.st_size > _LOG_BYTES_MAX:
            home.log.replace(home.log.with_suffix(".log.1"))


def _first_line(pipe: int, until: float) -> str | None:
    """What the pipe tells up to a line's end; empty when it ends without one, None when time is up."""
    text = b""
    while b"\n" not in text:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            return None
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return ""
        text += piece
    return text.decode()


def _last_lines(home: Home, begin: int) -> str:
    """The end of what the log says from a byte on: what daemons before wrote is not about this one."""
    try:
        with home.log.open("rb") as log:
            log.seek(begin)
            lines = [line.decode(errors="replace") for line in deque(log, _LOG_LINES_SHOWN)]
    except OSError:
        return f"; its log {str(home.log)!r} cannot be read"
    if not lines:
        return f"; it wrote nothing into its log {str(home.log)!r}"
    return f"; the end of its log {str(home.log)!r}:\n{''.join(lines).rstrip()}"
