"""The end of a daemon while a request is worked on that has been given up."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from engines.nodes import wait_until
from qrealm.base.errors import DaemonError, StoreError
from qrealm.control.containers.engine import DATABASE
from qrealm.control.store.containers import ContainerStore
from qrealm.faces.qdocker import launch as launching
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.daemon_commands import _STOP_S, _waiting_for
from qrealm.faces.qdocker.home import Home, running_pid
from qrealm.faces.qdocker.launch import REQUESTS_END_S, WORK_END_S, end, launch

DAEMON = r"""
import os, sys, time
from pathlib import Path
from qrealm.control.containers.engine import ContainerEngine
from qrealm.faces.http import server
from qrealm.faces.qdocker import daemon
from qrealm.faces.qdocker.daemon_commands import _STOP_S, _waiting_for
from qrealm.faces.qdocker.home import Home

folder, limit_s = Path(sys.argv[1]), float(sys.argv[2])

class Engine(ContainerEngine):
    def open(self):
        super().open()
        self.upkeep.maintenance = self.work
        return self
    def work(self, renew):
        with self._ctx.store.transaction():
            self._ctx.tell("engine", "worked", "one")
            (folder / "works").touch()
            while not (folder / "go").exists():
                time.sleep(0.02)
            self._ctx.tell("engine", "worked", "two")
        daemon._LOG.info("the work is done")

def wait_for_work():
    (folder / "waits").touch()
    server.wait_for_work()

daemon.ContainerEngine = Engine
daemon.REQUESTS_END_S = 1
daemon.WORK_END_S = limit_s
daemon.wait_for_work = wait_for_work
daemon.start_logging(False)
daemon.serve(Home(folder / "h"), None, lambda notices: (folder / "ready").touch())
"""
LONG_S = 300.0
LIMIT_S = 60.0


@pytest.fixture
def daemon(tmp_path):
    """Begins a daemon that waits so long for work: its home, its process, and a request that it works on."""
    begun = []

    def begin(limit_s):
        home = Home(tmp_path / "h")
        with (tmp_path / "log").open("w") as log:
            words = [sys.executable, "-c", DAEMON, str(tmp_path), str(limit_s)]
            process = subprocess.Popen(words, stderr=log)
        begun.append(process)
        wait_until(lambda: (tmp_path / "ready").exists(), LIMIT_S)
        told = []

        def ask():
            try:
                told.append(Client(home).post("/maintenance"))
            except DaemonError as problem:
                told.append(problem)

        thread = threading.Thread(target=ask)
        thread.start()
        begun.append(thread)
        wait_until(lambda: (tmp_path / "works").exists(), LIMIT_S)

        def answer():
            thread.join(LIMIT_S)
            return told[0]

        return home, process, answer

    yield begin
    (tmp_path / "go").touch()
    for one in begun:
        if isinstance(one, subprocess.Popen):
            one.kill()
            one.wait()
        else:
            one.join()


def worked(home):
    """What of the work is in the database."""
    with ContainerStore(home.folder / DATABASE) as store:
        return [event.name for event in store.events.all() if event.action == "worked"]


def test_the_end_waits_for_work_and_gives_nothing_up_before(daemon, tmp_path):
    home, process, answer = daemon(LONG_S)
    asked = []

    def waiting(pid):
        asked.append(pid)
        wait_until(lambda: (tmp_path / "waits").exists(), LIMIT_S)
        assert running_pid(home) == process.pid
        with pytest.raises(StoreError, match="open already"):
            ContainerStore(home.folder / DATABASE)
        assert ": ended\n" not in (tmp_path / "log").read_text()
        (tmp_path / "go").touch()

    assert end(home, LIMIT_S, waiting) == process.pid
    assert process.wait() == 0
    assert asked == [process.pid]
    assert "what was under way is broken off" in answer().message
    log = (tmp_path / "log").read_text()
    steps = ("POST /v1/maintenance is given up", "the work is done", ": ended\n")
    places = [log.index(step) for step in steps]
    assert places == sorted(places)
    assert worked(home) == ["one", "two"]


def test_the_command_tells_for_how_long_it_waits_for_both(capsys):
    _waiting_for(4711)
    told = capsys.readouterr().err
    assert f"after {REQUESTS_END_S} s it lets whoever asked for it go" in told
    assert f"what has not ended within {WORK_END_S:g} s more" in told
    assert REQUESTS_END_S + WORK_END_S < _STOP_S, "then stop would give up before"


def test_work_that_does_not_end_is_cut_off_and_undone(daemon, tmp_path):
    home, process, answer = daemon(0.5)
    assert end(home, LIMIT_S) == process.pid
    assert process.wait() == 0
    assert "what was under way is broken off" in answer().message
    log = (tmp_path / "log").read_text()
    assert "what is under way did not end within 0.5 s and is cut off" in log
    assert not home.socket.exists()
    assert running_pid(home) is None
    assert worked(home) == []


def test_a_start_waits_for_a_daemon_that_ends_and_says_so(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "_QUIET_S", 0.05)
    home, process, _ = daemon(LONG_S)
    process.terminate()
    wait_until(lambda: (tmp_path / "waits").exists(), LIMIT_S)
    begun, told = [], []
    starting = threading.Thread(target=lambda: begun.append(launch(home, None, told.append)))
    starting.start()
    wait_until(lambda: told, LIMIT_S)
    assert told == [f"the daemon, process {process.pid}, is starting or ending: waiting for it"]
    (tmp_path / "go").touch()
    starting.join()
    assert begun[0].now
    assert end(home, LIMIT_S) == begun[0].pid != process.pid
    assert worked(home) == ["one", "two"]
