"""Where the daemon keeps its things, and the lock that says whether it runs."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from qrealm.base.errors import DaemonError, RequestError
from qrealm.control.containers.home_folder import HOME_VARIABLE, check_home, home_folder, make_home

DEBUG_VARIABLE = "QUANTUM_DOCKER_DEBUG"
SOCKET_PATH_BYTES_MAX = 107
"""What Linux takes as the path of a Unix socket (sun_path without its closing zero byte)."""

_PID_WAIT_S = 1.0
_LOCK_WAIT_S = 5.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one daemon; every file in it is for its owner alone."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "qdocker.db"

    @property
    def socket(self) -> Path:
        return self.folder / "qdocker.sock"

    @property
    def log(self) -> Path:
        return self.folder / "qdocker.log"

    @property
    def pid(self) -> Path:
        return self.folder / "qdocker.pid"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def make(self) -> None:
        """Make the folder if it is not there, for its owner alone. Raises RequestError, StoreError."""
        self.check_socket_path()
        make_home(self.folder)

    def check(self) -> None:
        """Before anything is sent to its daemon, or its process is ended. Raises RequestError, StoreError."""
        self.check_socket_path()
        check_home(self.folder)

    def check_socket_path(self) -> None:
        """Raises RequestError when no socket can have this path."""
        length = len(os.fsencode(self.socket))
        if length > SOCKET_PATH_BYTES_MAX:
            raise RequestError(
                f"the socket's path {str(self.socket)!r} has {length} bytes; a Unix socket's path may have "
                f"{SOCKET_PATH_BYTES_MAX}",
                hint=f"set {HOME_VARIABLE} to a shorter path",
            )


def find_home() -> Home:
    """The folder that the environment names; see `home_folder`."""
    return Home(home_folder())


def debug_wanted() -> bool:
    """Whether ``QUANTUM_DOCKER_DEBUG`` asks for detailed logs."""
    return os.environ.get(DEBUG_VARIABLE, "").lower() not in ("", "0", "false", "no")


class RunsAlreadyError(DaemonError):
    """Another daemon has the folder."""


class DaemonLock:
    """Held by the daemon as long as it lives; the file has its process id.

    The kernel lets go of it however the process ends, so a file that is left over says nothing.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock and write the process id. Raises RunsAlreadyError naming who has it."""
        file = os.open(self._home.pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pid = running_pid(self._home)
            # Somebody may have looked at the lock just now, or a child of a killed daemon is about to end.
            if pid is not None or time.monotonic() > until:
                os.close(file)
                raise runs_already(self._home, pid)
            time.sleep(_POLL_S)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def is_held(self) -> bool:
        """Whether the folder still has the file that is locked: it may have been removed, or another one."""
        if self._file is None:
            return False
        try:
            there = self._home.pid.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def give_up(self) -> None:
        """Let the lock go. The file stays, empty: to remove it would race with the next daemon."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def runs_already(home: Home, pid: int | None) -> RunsAlreadyError:
    """The error of a second start."""
    process = "a process that does not tell its id" if pid is None else f"process {pid}"
    return RunsAlreadyError(
        f"the daemon of {str(home.folder)!r} runs already, as {process}",
        hint="qdocker status shows it; qdocker stop ends it",
    )


def running_pid(home: Home) -> int | None:
    """Process id of the daemon that runs; None when none does."""
    try:
        file = os.open(home.pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        until = time.monotonic() + _PID_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            except BlockingIOError:
                text = os.pread(file, 32, 0).strip()
            # Its id is written just after the lock is taken.
            if text.isdigit():
                return int(text) if _lives(int(text)) else None
            if time.monotonic() > until:
                return None
            time.sleep(_POLL_S)
    finally:
        os.close(file)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
