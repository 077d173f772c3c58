"""Followers of quiet containers that go away: the daemon keeps no thread and no connection for them."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from engines.docker_engine import DockerEngine, docker_engine
from engines.eyes import clean, why_no_eyes
from engines.image import IMAGE
from engines.nodes import WAIT_S, wait_until
from engines.qdocker_daemon import environment_of, qdocker
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.launch import end

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

FOLLOWERS = 8
ROUNDS = 4
TIME_OVER = "graceful shutdown exceeded"
"""Logged when somebody who follows something had to be cut off."""
LOGS = "GET /v1/containers/quiet/logs?follow=true HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerEngine]:
    with docker_engine() as started:
        yield started


class Daemon:
    """A daemon with one container that writes a line and then nothing."""

    def __init__(self, folder: Path, url: str) -> None:
        self.home = folder / "h"
        self._environment = environment_of(self.home)
        # The engine stands still for a while in these tests, and is not to be lost for that.
        config = "quantum_docker_config: {node_lost_after_s: 600}\n"
        config += f"nodes:\n  - {{name: a, driver: docker, url: '{url}'}}\n"
        (folder / "config.yaml").write_text(config)
        self.run("start", "--config", str(folder / "config.yaml"))
        with ExitStack() as undo:
            undo.callback(self.run, "stop")
            self.run("create", "--network", "none", "--quantum-probability", "1", IMAGE, "quiet")
            self.run("run", "quiet")
            undo.pop_all()
        with self._asking("GET /v1/ping HTTP/1.0\r\n\r\n") as sock:
            self.pid = int(json.loads(_until_end(sock).partition(b"\r\n\r\n")[2])["pid"])

    def run(self, *words: str) -> None:
        done = qdocker(self._environment, *words)
        assert done.returncode == 0, done.stderr

    def _asking(self, request: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        sock.connect(str(next(self.home.glob("*.sock"))))
        sock.sendall(request.encode())
        return sock

    def held(self) -> tuple[int, int]:
        """Threads and open files."""
        at = Path("/proc", str(self.pid))
        status = (at / "status").read_text()
        threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
        return threads, len(list((at / "fd").iterdir()))

    @contextmanager
    def followers(self, request: str) -> Iterator[list[socket.socket]]:
        """Several that have all seen the first line."""
        with ExitStack() as held:
            found = [held.enter_context(self._asking(request)) for _ in range(FOLLOWERS)]
            for sock in found:
                seen = b""
                while b'"data"' not in seen:
                    got = sock.recv(4096)
                    assert got, seen
                    seen += got
            yield found

    def settled(self) -> tuple[int, int]:
        """What it holds when nobody asks anything: the least of some looks, as the watch looks meanwhile."""
        looks = []
        for _ in range(20):
            looks.append(self.held())
            time.sleep(0.1)
        threads, files = zip(*looks, strict=True)
        return min(threads), min(files)

    def returns_to(self, before: tuple[int, int]) -> bool:
        """Whether what it holds is as before, but for threads of the watch, which come and go, and idle
        connections to database and engine, which are kept for the next use: fewer than the two descriptors
        that each follower of one round has."""
        threads, files = self.held()
        return threads <= before[0] + 2 and files < before[1] + 2 * FOLLOWERS


def _until_end(sock: socket.socket) -> bytes:
    seen = b""
    while got := sock.recv(4096):
        seen += got
    return seen


@pytest.fixture
def daemon(docker: DockerEngine) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="qdocker") as folder:
        started = Daemon(Path(folder), docker.url)
        try:
            yield started
        finally:
            started.run("stop")
            clean([docker.url])


def execution(stdin: str = "null") -> str:
    body = f'{{"command": ["sh", "-c", "echo here; sleep 600"], "stdin": {stdin}}}'
    head = "POST /v1/containers/quiet/exec HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


@pytest.mark.parametrize("asked", [LOGS, execution(), execution('"aGk="')], ids=["logs", "exec", "exec -i"])
def test_nothing_is_left_of_followers_that_go(daemon: Daemon, asked: str) -> None:
    for _ in range(ROUNDS):
        with daemon.followers(asked):  # the first uses of anything open what stays open
            pass
    before = daemon.settled()
    for _ in range(ROUNDS):
        with daemon.followers(asked):
            threads, files = daemon.held()
            assert threads >= before[0] + FOLLOWERS - 1
            assert files > before[1], "idle connections of before are used again"
        wait_until(lambda: daemon.returns_to(before))


@contextmanager
def standing_still(docker: DockerEngine) -> Iterator[None]:
    pid = int((docker.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("asked", [LOGS, execution()], ids=["logs", "exec"])
def test_followers_of_an_engine_that_hangs_may_go(daemon: Daemon, docker: DockerEngine, asked: str) -> None:
    with daemon.followers(asked):
        pass
    before = daemon.settled()
    with ExitStack() as held:
        held.enter_context(daemon.followers(asked))
        with standing_still(docker):
            held.close()
            # What asks the engine meanwhile waits; what followed it does not.
            wait_until(lambda: daemon.returns_to(before))
    wait_until(lambda: daemon.returns_to(before))


@pytest.mark.parametrize("hangs", [False, True], ids=["well", "hung"])
def test_the_daemon_ends_soon_with_followers(docker: DockerEngine, hangs: bool, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="qdocker") as folder, ExitStack() as held:
        daemon = Daemon(Path(folder), docker.url)
        held.callback(clean, [docker.url])
        sockets = held.enter_context(daemon.followers(LOGS))
        if hangs:
            held.enter_context(standing_still(docker))
        end(Home(daemon.home), WAIT_S)  # what `qdocker stop` does, without Python's own start
        log = (daemon.home / "qdocker.log").read_text()
        assert TIME_OVER not in log, "followers are not waited for until their time is over"
        for sock in sockets:
            assert b"QR550" in _until_end(sock), "who follows is told that it is not the container that ended"
