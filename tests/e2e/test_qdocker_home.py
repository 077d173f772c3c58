"""The daemon and its folder: whose it is, what happens when it goes, starts and stops repeated."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.nodes import wait_until
from engines.qdocker_daemon import QDOCKER


def daemon_pid(home: Path) -> int:
    return int((home / "qdocker.pid").read_text())


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_gone(pid: int, limit_s: float = 40.0) -> None:
    deadline = time.monotonic() + limit_s
    while lives(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.05)


def test_a_daemon_of_another_version_is_told_and_can_be_stopped(qdocker, tmp_path):
    """After an update the old daemon runs on, and a new command's words may mean nothing to it."""
    later = tmp_path / "later" / "qrealm-9.9.dist-info"
    later.mkdir(parents=True)
    (later / "METADATA").write_text("Metadata-Version: 2.1\nName: qrealm\nVersion: 9.9\n")
    paths = os.pathsep.join(filter(None, [str(later.parent), os.environ.get("PYTHONPATH")]))
    for words in (["create", "busybox", "web"], ["ps"], ["status"], ["start"], ["start", "--config", "x"]):
        refused = qdocker(*words, PYTHONPATH=paths)
        assert refused.returncode == (125 if words[0] == "create" else 1), refused
        assert re.search(r"this command is of qrealm 9\.9, and the daemon of qrealm \S+;", refused.stderr)
        assert "hint: qdocker stop, then qdocker start: containers go on" in refused.stderr
    assert qdocker("ps", "-aq").stdout == "", "nothing was done"
    assert qdocker("stop", PYTHONPATH=paths).returncode == 0
    began = qdocker("start", PYTHONPATH=paths)
    assert began.stdout.startswith("qdocker 9.9 runs as process"), began
    assert qdocker("create", "busybox", "web", PYTHONPATH=paths).returncode == 0


@pytest.mark.parametrize("mode", [0o1777, 0o775])
def test_a_folder_that_others_may_write_to_is_refused_and_left_as_it_is(bare, home, mode):
    home.mkdir()
    home.chmod(mode)
    for words in (["start"], ["start", "--foreground"]):
        done = bare(*words)
        assert done.returncode == 1
        assert f"others may write to the folder '{home}' (mode {mode:04o})" in done.stderr
        assert "hint: chmod go-w" in done.stderr
    assert home.stat().st_mode & 0o7777 == mode
    assert list(home.iterdir()) == []


def test_a_folder_that_others_may_read_keeps_its_rights_and_its_files_are_ours_alone(bare, home, tmp_path):
    home.mkdir()
    home.chmod(0o755)
    (tmp_path / "c.yaml").write_text("nodes:\n  - {name: one, driver: simulated}\n")
    assert bare("start", "--config", "c.yaml").returncode == 0
    assert bare("create", "busybox", "web").returncode == 0
    assert home.stat().st_mode & 0o7777 == 0o755
    found = {path: path.stat().st_mode & 0o777 for path in home.rglob("*")}
    assert {path.name for path in found} >= {"qdocker.db", "qdocker.sock", "qdocker.log", "config.yaml"}
    assert any(path.is_dir() for path in found), "of the simulated node"
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_starting_again_is_safe(qdocker, home, tmp_path):
    pid = daemon_pid(home)
    (tmp_path / "same.yaml").write_bytes((tmp_path / "config.yaml").read_bytes())
    for words in (["start"], ["start", "--config", "config.yaml"], ["start", "--config", "same.yaml"]):
        again = qdocker(*words)
        assert again.returncode == 0, again.stderr
        assert re.match(rf"qdocker \S+ runs already as process {pid}\n", again.stdout)
    (tmp_path / "other.yaml").write_text("nodes:\n  - {name: three, driver: simulated}\n")
    other = qdocker("start", "--config", "other.yaml")
    assert other.returncode == 1
    assert f"process {pid}, with another configuration than 'other.yaml'" in other.stderr
    assert "hint: qdocker stop, then start again" in other.stderr
    assert qdocker("start", "--config", "none.yaml").returncode == 1
    foreground = qdocker("start", "--foreground")
    assert foreground.returncode == 1, "it cannot stay in the foreground"
    assert daemon_pid(home) == pid
    assert qdocker("nodes", "ls", "-q").stdout.split() == ["one", "two"]


def test_of_several_starts_at_once_all_find_one_daemon(bare, environment, home):
    several = [
        subprocess.Popen([*QDOCKER, "start"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60) for process in several]
    assert [process.returncode for process in several] == [0, 0, 0], told
    words = f"process {daemon_pid(home)}\n".encode()
    assert all(words in out for out, _ in told)
    assert sum(b"runs as" in out for out, _ in told) == 1


def test_after_stop_the_process_is_gone(qdocker, home):
    for _ in range(3):
        pid = daemon_pid(home)
        assert lives(pid)
        assert qdocker("stop").returncode == 0
        assert not lives(pid)
        assert qdocker("start").returncode == 0


def test_a_daemon_that_does_not_end_in_time_is_told(qdocker, home):
    pid = daemon_pid(home)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = qdocker("stop", "--timeout", "0.2")
        assert done.returncode == 1
        assert f"process {pid}, still runs 0.2 s after it was asked to end" in done.stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    until_gone(pid)


def test_the_daemon_works_in_its_folder(bare, home, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.yaml").write_text("nodes:\n  - {name: near, driver: simulated}\n")
    short = os.path.relpath(home, tmp_path)
    assert bare("start", "--config", "below/c.yaml", QUANTUM_DOCKER_HOME=short).returncode == 0
    assert Path(f"/proc/{daemon_pid(home)}/cwd").samefile(home)
    assert bare("nodes", "ls", "-q").stdout == "near\n"
    assert bare("create", "-v", "./data:/data", "busybox", "web").returncode == 0
    view = json.loads(bare("inspect", "web").stdout)
    assert str(tmp_path / "data") in json.dumps(view), "a caller's path begins where the caller is"


@pytest.fixture
def hangups() -> Iterator[None]:
    """Programs that are started here get SIGHUP as usual, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_hangup_ends_it_in_order(hangups, qdocker, home):
    pid = daemon_pid(home)
    os.kill(pid, signal.SIGHUP)
    until_gone(pid)
    assert (home / "qdocker.log").read_text().rstrip().endswith("ended")
    assert not (home / "qdocker.sock").exists()
    assert (home / "qdocker.pid").read_text() == ""


def test_a_daemon_under_nohup_does_not_mind_hangups(bare, environment, home):
    with subprocess.Popen(
        ["nohup", *QDOCKER, "start", "--foreground"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            while bare("status").returncode:
                assert process.poll() is None
            status = Path(f"/proc/{process.pid}/status").read_text()
            ignored = int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16)
            assert ignored & 1 << (signal.SIGHUP - 1), "what is sent to it never arrives"
            process.send_signal(signal.SIGHUP)
            assert bare("status").returncode == 0
            assert bare("stop").returncode == 0
            process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 0


def test_a_daemon_whose_folder_is_removed_ends(qdocker, home):
    pid = daemon_pid(home)
    shutil.rmtree(home)
    until_gone(pid)
    assert not home.exists()


def test_a_daemon_whose_folder_is_moved_away_says_so_and_leaves_the_next_alone(qdocker, home):
    pid, moved = daemon_pid(home), home.with_name("moved")
    os.kill(pid, signal.SIGSTOP)
    try:
        home.rename(moved)
        assert qdocker("start").returncode == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    until_gone(pid)
    log = (moved / "qdocker.log").read_text()
    assert "qdocker.pid is gone or another's: the daemon ends, containers go on as they are" in log
    assert "Traceback" not in log
    assert daemon_pid(home) != pid
    assert qdocker("status").returncode == 0, "its socket is there"


def test_a_large_file_that_is_no_state_is_told_in_words(qdocker, tmp_path):
    with (tmp_path / "state.json").open("w") as file:
        file.write('{"format": "')
        for _ in range(80):
            file.write("x" * (1 << 20))
        file.write('"}')
    done = qdocker("import-state", "--filename", "state.json")
    assert done.returncode == 1
    assert "no exported state" in done.stderr
    assert len(done.stderr) < 1000
    assert qdocker("ps").returncode == 0


def test_what_an_ill_timed_end_left_behind(qdocker, home):
    assert qdocker("stop").returncode == 0
    engine_id = (home / "engine.id").read_text()
    (home / "engine.id").write_text("")
    assert qdocker("start").returncode == 0
    assert qdocker("stop").returncode == 0
    assert (home / "engine.id").read_text() == engine_id
    with sqlite3.connect(home / "qdocker.db") as connection:
        connection.execute("DELETE FROM about WHERE name = 'engine_id'")
    connection.close()
    done = qdocker("start")
    assert done.returncode == 1
    assert "the file is damaged (its table about has no row engine_id)" in done.stderr
    assert "Traceback" not in done.stderr


def test_detailed_logs_tell_engine_calls_and_decisions(bare, home, tmp_path):
    (tmp_path / "c.yaml").write_text("nodes:\n  - {name: one, driver: simulated}\n")
    assert bare("start", "--config", "c.yaml", QUANTUM_DOCKER_DEBUG="1").returncode == 0
    assert bare("create", "busybox", "web").returncode == 0
    assert bare("run", "--force", "web").returncode == 0
    assert bare("logs", "web").returncode == 0
    asked = re.compile(r"GET /v1/containers/web/logs 200 [\d.]+ ms")
    wait_until(lambda: asked.search((home / "qdocker.log").read_text()))
    log = (home / "qdocker.log").read_text()
    for call in ("create", "start", "inspect"):
        assert re.search(rf"one \(simulated\): {call} \S+ [\d.]+ ms", log), call
    assert re.search(r"placement of web \(create\): one, by \S+ .*cost \S+, bound \S+, [\d.]+ s", log)
    assert ": ping" not in log
