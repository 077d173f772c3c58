"""Starts that are interrupted, asked to end, or two at the same moment."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time

import pytest

from engines.nodes import wait_until
from qrealm.base.errors import DaemonError
from qrealm.faces.qdocker import launch as launching
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import Home, RunsAlreadyError, running_pid, runs_already
from qrealm.faces.qdocker.launch import Launched, end, launch

SLOW = r"""
import sys, time
from pathlib import Path
from qrealm.control.containers.reconcile import Reconcile
from qrealm.faces.qdocker import daemon

folder, compare = Path({folder!r}), Reconcile.all

def slowly(*words):
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return compare(*words)

Reconcile.all = slowly
sys.exit(daemon.main(sys.argv[3:]))
"""
LIMIT_S = 60.0


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "h")
    home.make()
    home.config.write_text("nodes: [{name: na, driver: simulated}]\n")
    yield home
    end(home, LIMIT_S)


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Daemons come to a stand while they start, and touch `begun`, until there is a file `go`."""
    code, python = tmp_path / "daemon.py", tmp_path / "python"
    code.write_text(SLOW.format(folder=str(tmp_path)))
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "{code}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(launching.sys, "executable", str(python))


class Start(threading.Thread):
    """A start under way; what it told, and how it ended."""

    def __init__(self, home):
        super().__init__()
        self.home = home
        self.told = []
        self.ended = None

    def run(self):
        try:
            self.ended = launch(self.home, None, self.told.append)
        except DaemonError as problem:
            self.ended = problem


def test_of_two_starts_the_second_begins_what_the_first_was_kept_from(home, slow, tmp_path, monkeypatch):
    """It said that a daemon runs already, as the process that had just ended."""
    monkeypatch.setattr(launching, "_QUIET_S", 0.05)
    first, second = Start(home), Start(home)
    first.start()
    wait_until((tmp_path / "begun").exists, LIMIT_S)
    second.start()
    wait_until(lambda: second.told, LIMIT_S)
    assert second.told == ["another qdocker start is under way: waiting for it"]
    pid = end(home, LIMIT_S)
    first.join()
    assert first.ended.message == f"the daemon, process {pid}, was asked to end while it started"
    (tmp_path / "go").touch()
    second.join()
    assert second.ended.now
    assert second.ended.pid == running_pid(home) != pid


def test_a_start_that_is_interrupted_ends_what_it_began(home, slow, tmp_path, monkeypatch):
    def interrupted(*_):
        wait_until((tmp_path / "begun").exists, LIMIT_S)
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "_first_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(home, None)
    wait_until(lambda: running_pid(home) is None, LIMIT_S)
    assert "Traceback" not in home.log.read_text()


def test_a_daemon_whose_start_was_killed_goes_on(home):
    """It ended with a traceback, once it had done its work."""
    receive, send = os.pipe()
    os.close(receive)
    words = [sys.executable, "-m", "qrealm.faces.qdocker.daemon", "--home", str(home.folder)]
    with home.log.open("w") as log:
        process = subprocess.Popen([*words, "--report-fd", str(send)], stderr=log, pass_fds=(send,))
    os.close(send)
    wait_until(lambda: "is gone" in home.log.read_text() or process.poll() is not None, LIMIT_S)
    assert Client(home).get("/ping")["pid"] == process.pid
    assert end(home, LIMIT_S) == process.pid
    assert process.wait() == 0
    assert "Traceback" not in home.log.read_text()


def test_a_start_that_was_slower_than_another_looks_again(home, monkeypatch):
    begun = []

    def begin(*_):
        begun.append(1)
        if len(begun) == 1:
            raise runs_already(home, 4711)
        return Launched(4712, True)

    monkeypatch.setattr(launching, "_begun", begin)
    assert launch(home, None) == Launched(4712, True)
    begun.clear()
    monkeypatch.setattr(launching, "START_TIMEOUT_S", -1.0)
    with pytest.raises(RunsAlreadyError, match="runs already, as process 4711"):
        launch(home, None)


def test_a_start_that_stands_still_does_not_keep_others_for_ever(home):
    other = os.open(home.folder, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with launching._alone(home, time.monotonic() + 0.1, lambda _: None):
            pass
    finally:
        os.close(other)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", "the daemon ended by SIGKILL; "),
        ("raise SystemExit(0)", "asked to"),
    ],
)
def test_how_a_daemon_ended_early_is_told(home, monkeypatch, tmp_path, program, told):
    code, python = tmp_path / "daemon.py", tmp_path / "python"
    code.write_text(program)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "{code}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(launching.sys, "executable", str(python))
    with pytest.raises(DaemonError, match=told):
        launch(home, None)
