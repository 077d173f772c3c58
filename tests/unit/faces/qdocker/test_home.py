"""The daemon's folder and the lock that says whether it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qrealm.base.errors import DaemonError, RequestError, StoreError
from qrealm.faces.qdocker import home as home_module
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import SOCKET_PATH_BYTES_MAX, DaemonLock, Home, find_home, running_pid
from qrealm.faces.qdocker.launch import end, launch

HOLD = """
import sys, time
from pathlib import Path
from qrealm.faces.qdocker.home import DaemonLock, Home
DaemonLock(Home(Path(sys.argv[1]))).take()
print("held", flush=True)
time.sleep(60)
"""

LOOK = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read(1)
"""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "h")
    home.make()
    return home


@pytest.fixture
def holder(home):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("QUANTUM_DOCKER_HOME", str(tmp_path / "mine"))
    assert find_home().folder == tmp_path / "mine"
    monkeypatch.delenv("QUANTUM_DOCKER_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert find_home().folder == tmp_path / "qdocker"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_home().folder == tmp_path / ".local" / "state" / "qdocker"


def test_the_folder_is_made_for_its_owner_alone(home):
    assert home.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o500])
def test_a_folder_that_is_there_keeps_its_rights(home, mode):
    home.folder.chmod(mode)
    home.make()
    assert home.folder.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused_and_left_as_it_is(home, mode):
    home.folder.chmod(mode)
    with pytest.raises(StoreError, match=f"mode {mode:04o}") as refused:
        home.make()
    assert f"chmod go-w {home.folder}" in refused.value.hint
    assert home.folder.stat().st_mode & 0o7777 == mode


def test_another_users_folder_is_refused(home, monkeypatch):
    """Its owner could put a socket, a log or a configuration of theirs there."""
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(
        StoreError, match=f"belongs to the user {mine}, and this is the user {mine + 1}"
    ) as refused:
        home.make()
    assert "QUANTUM_DOCKER_HOME" in refused.value.hint
    monkeypatch.undo()
    home.make()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_that_was_given_away_is_refused(home):
    os.chown(home.folder, 12345, -1)
    with pytest.raises(StoreError, match="belongs to the user 12345"):
        home.make()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a link away")
def test_another_users_link_to_my_folder_is_refused(home, tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.symlink_to("h")
    outer.symlink_to(inner)
    Home(outer).make()
    os.chown(inner, 12345, -1, follow_symlinks=False)
    for link in (inner, outer):
        with pytest.raises(StoreError, match=f"link '{inner}', which belongs to the user 12345") as refused:
            Home(link).make()
        assert str(home.folder) in refused.value.hint


def test_links_that_lead_in_a_circle_are_no_folder(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(StoreError, match="cannot be made or used"):
        Home(tmp_path / "one").make()
    with pytest.raises(DaemonError, match="no daemon runs"):
        Client(Home(tmp_path / "one")).get("/ping")


@pytest.mark.parametrize(
    "work", [lambda home: Client(home), lambda home: launch(home, None), lambda home: end(home, 1.0)]
)
def test_whatever_speaks_to_a_daemon_or_ends_it_refuses_a_folder_of_others(home, holder, work):
    """A file with a process id there would have us end any process; a socket would get all requests."""
    home.folder.chmod(0o770)
    with pytest.raises(StoreError, match="others may write to the folder"):
        work(home)
    assert holder.poll() is None


def test_a_socket_path_that_is_too_long_is_refused():
    base = Path("/tmp")
    free = SOCKET_PATH_BYTES_MAX - len("/tmp//qdocker.sock")
    Home(base / ("x" * free)).check_socket_path()
    with pytest.raises(RequestError, match=f"has {SOCKET_PATH_BYTES_MAX + 1} bytes"):
        Home(base / ("x" * (free + 1))).check_socket_path()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made or used: Not a directory"):
        Home(tmp_path / "file" / "h").make()
    with pytest.raises(StoreError, match="cannot be made or used: File exists"):
        Home(tmp_path / "file").make()


def test_the_lock_says_who_runs(home, holder):
    assert running_pid(home) == holder.pid
    with pytest.raises(DaemonError, match=f"runs already, as process {holder.pid}"):
        DaemonLock(home).take()


def test_a_killed_holder_holds_nothing(home, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert home.pid.read_text().strip() == str(holder.pid)
    assert running_pid(home) is None
    lock = DaemonLock(home)
    lock.take()
    assert running_pid(home) == os.getpid()
    lock.give_up()
    assert running_pid(home) is None
    assert home.pid.read_text() == ""


def test_the_holder_notices_that_its_file_is_gone_or_another(home):
    lock = DaemonLock(home)
    assert not lock.is_held()
    lock.take()
    assert lock.is_held()
    home.pid.rename(home.folder / "moved")
    assert not lock.is_held()
    home.pid.write_text("1\n")
    assert not lock.is_held()
    (home.folder / "moved").replace(home.pid)
    assert lock.is_held()
    lock.give_up()
    assert not lock.is_held()


def test_those_who_only_look_do_not_keep_a_daemon_from_starting(home, monkeypatch):
    """Looking takes the lock for a moment; a start in that moment waits instead of failing."""
    monkeypatch.setattr(home_module, "_LOCK_WAIT_S", 60.0)
    words = [sys.executable, "-c", LOOK, str(home.pid)]
    looking = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert looking.stdin is not None
    assert looking.stdout is not None
    refused = []

    def then_it_goes(found):
        if not refused:
            looking.stdin.write(".")
            looking.stdin.flush()
        refused.append(running_pid(found))
        return refused[-1]

    with looking, looking.stdout:
        looking.stdout.readline()
        monkeypatch.setattr(home_module, "running_pid", then_it_goes)
        lock = DaemonLock(home)
        lock.take()
        assert set(refused) == {None}
        lock.give_up()
