"""An engine on another host, reached through OpenSSH: its socket appears as a local one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from qrealm.base.errors import EngineUnavailableError, RequestError

_REMOTE_SOCKET = "/var/run/docker.sock"
_POLL_S = 0.05
# ssh ends, and its folder goes, when the pipe from us closes: also when we are killed. The shell becomes ssh;
# its child listens at the pipe.
_WITH_US = """
exec 3<&0 </dev/null
( read -r nothing <&3; kill $$; rm -rf "$0" ) >/dev/null 2>&1 &
exec "$@" 3<&-
"""


class SshTunnel:
    """One `ssh` process that forwards a local socket to the engine's; it uses the user's own ssh
    configuration, keys and known hosts, and never asks for a password.

    Args:
        url: ``ssh://user@host:port/path/of/socket``; without a path it is Docker's.
        timeout_s: how long to wait until it stands.

    Attributes:
        url: of the local end.

    Raises:
        EngineUnavailableError: there is no ssh here, or it did not reach the host.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        command = _command(url, timeout_s)
        self._folder = tempfile.mkdtemp(prefix="qrealm-ssh-")
        local = Path(self._folder) / "engine.sock"
        self.url = f"unix://{local}"
        remote = urlsplit(url).path or _REMOTE_SOCKET
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", _WITH_US, self._folder, command[0], "-L", f"{local}:{remote}", *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            within = self._why_none(local, timeout_s)
        except BaseException:
            self._end()
            raise
        if within is not None:
            told = self._end()
            raise EngineUnavailableError(
                f"ssh to {url} made no connection{within}: {told or 'no answer'}",
                hint="check that `ssh` reaches the host without a password",
            )

    def _why_none(self, local: Path, timeout_s: float) -> str | None:
        """Wait until the local end stands: None; else words for how long it did not."""
        deadline = time.monotonic() + timeout_s
        while not local.exists():
            if self._process.poll() is not None:
                return ""
            if time.monotonic() > deadline:
                return f" within {timeout_s:g} s"
            time.sleep(_POLL_S)
        return None

    def close(self) -> None:
        """End the connection."""
        self._end()

    def _end(self) -> str:
        # The group has this process's id for as long as one of the two lives, so it is nobody else's.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            _, told = self._process.communicate(timeout=2.0)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            _, told = self._process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
        return " ".join(told.decode(errors="replace").split())


def _command(url: str, timeout_s: float) -> list[str]:
    parts = urlsplit(url)
    if not parts.hostname or parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise RequestError(f"{url!r} names no host", hint="write ssh://user@host")
    if (ssh := shutil.which("ssh")) is None:
        raise EngineUnavailableError(
            f"{url} needs the command `ssh`, which is not here", hint="install OpenSSH's client"
        )
    options = ["BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=5", "ServerAliveCountMax=2"]
    options.append(f"ConnectTimeout={max(1, round(timeout_s))}")
    command = [ssh, "-nNT", *(part for option in options for part in ("-o", option))]
    if parts.port:
        command += ["-p", str(parts.port)]
    if parts.username:
        command += ["-l", parts.username]
    return [*command, "--", parts.hostname]
