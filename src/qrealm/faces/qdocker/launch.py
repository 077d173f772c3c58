"""Starting and stopping the daemon's process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from qrealm.base.errors import DaemonError
from qrealm.faces.http.error_json import error_from_json
from qrealm.faces.qdocker.home import Home, running_pid, runs_already

START_TIMEOUT_S = 60.0
_LOG_BYTES_MAX = 10 << 20
_LOG_LINES_SHOWN = 15
_POLL_S = 0.05


def launch(home: Home, config: Path | None) -> int:
    """Start the daemon in a session of its own and wait until it answers.

    Returns:
        Its process id.

    Raises:
        DaemonError: it runs already, or did not come up; the message has the last lines of its log.
        QrealmError: whatever kept it from starting, as the daemon told it.
    """
    home.make()
    if (running := running_pid(home)) is not None:
        raise runs_already(home, running)
    _turn_log(home)
    receive, send = os.pipe()
    words = [sys.executable, "-m", "qrealm.faces.qdocker.daemon", "--home", str(home.folder)]
    words += ["--report-fd", str(send)]
    if config is not None:
        words += ["--config", str(config.absolute())]
    begin = home.log.stat().st_size if home.log.exists() else 0
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(send,),
        )
    finally:
        os.close(log)
        os.close(send)
    try:
        line = _first_line(receive, time.monotonic() + START_TIMEOUT_S)
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
        raise DaemonError(f"the daemon ended with code {process.wait()}{_last_lines(home, begin)}")
    # It goes on without us: Popen must not warn that nobody waited for it.
    process.returncode = 0
    return process.pid


def end(home: Home, timeout_s: float) -> int | None:
    """Ask the daemon to end and wait until it has.

    Returns:
        The process id that it had; None when none ran.

    Raises:
        DaemonError: it still runs after `timeout_s`, or is not ours to end.
    """
    pid = running_pid(home)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended in this moment; the loop sees its lock go
    except PermissionError as problem:
        raise DaemonError(f"the daemon, process {pid}, belongs to another user") from problem
    until = time.monotonic() + timeout_s
    while running_pid(home) == pid:
        if time.monotonic() > until:
            raise DaemonError(
                f"the daemon, process {pid}, still runs {timeout_s:g} s after it was asked to end",
                hint=f"look into {home.log}; kill -9 {pid} loses nothing",
            )
        time.sleep(_POLL_S)
    return pid


def _turn_log(home: Home) -> None:
    """Begin a new log when the old one is large; one old log is kept."""
    if home.log.exists() and home.log.stat().st_size > _LOG_BYTES_MAX:
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
