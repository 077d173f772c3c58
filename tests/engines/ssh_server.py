"""An ssh server of a test's own, and an `ssh` that knows it and nobody else."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.free_ports import free_port

_START_SECONDS = 60.0


def why_no_ssh() -> str | None:
    """Why there can be none here; None when there can."""
    if missing := [name for name in ("ssh", "ssh-keygen", "sshd") if shutil.which(name) is None]:
        return f"ssh: {', '.join(missing)} not found (Debian: apt-get install openssh-server)"
    return None


@contextmanager
def ssh_server() -> Iterator[tuple[str, Path]]:
    """Its url, and a folder with the command `ssh` that has the key: put it first in PATH."""
    folder = Path(tempfile.mkdtemp(prefix="qrealm-sshd-", dir="/tmp"))
    process: subprocess.Popen[bytes] | None = None
    try:
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        port = free_port()
        host_key = (folder / "host.pub").read_text()
        shutil.copy(folder / "user.pub", folder / "authorized")
        (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
        (folder / "sshd.conf").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        )
        (folder / "ssh.conf").write_text(
            f"UserKnownHostsFile {folder}/known\nIdentityFile {folder}/user\nIdentitiesOnly yes\n"
        )
        client = folder / "bin" / "ssh"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh.conf "$@"\n')
        client.chmod(0o755)
        Path("/run/sshd").mkdir(exist_ok=True)
        server = shutil.which("sshd")
        assert server is not None
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "-D", "-e", "-f", str(folder / "sshd.conf")], stdout=log, stderr=log
            )
        _wait_for(port, process, folder / "log")
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}", client.parent
    finally:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd does not answer: {log.read_text()}")
        time.sleep(0.05)


def with_path(folder: Path) -> str:
    """PATH with `folder` before everything else."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
