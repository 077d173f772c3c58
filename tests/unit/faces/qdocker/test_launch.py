"""What is told of a daemon that does not come up; where it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.answering import nothing_left_open
from engines.nodes import wait_until
from qrealm.base.errors import ConfigError, DaemonError, RequestError, StoreError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.control.containers.reports import CreateRequest
from qrealm.faces.qdocker import launch as launching
from qrealm.faces.qdocker.daemon import _configured, _kept, _unusable, _work_in
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.launch import launch
from qrealm.fleet.containers.protocol import ContainerSpec


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "h")
    home.make()
    home.log.write_text("an old line\n")
    return home


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import sys; sys.exit('of this start')", "of this start"),
        ("raise SystemExit(3)", "wrote nothing into its log"),
    ],
)
def test_a_failed_start_shows_the_log_lines_of_this_start_alone(home, monkeypatch, tmp_path, program, told):
    python = tmp_path / "python"
    code = tmp_path / "daemon.py"
    code.write_text(program)
    python.write_text(f'#!/bin/sh\nexec {launching.sys.executable} "{code}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(launching.sys, "executable", str(python))
    with pytest.raises(DaemonError, match="ended with code") as failed:
        launch(home, None)
    assert told in failed.value.message
    assert "an old line" not in failed.value.message


@pytest.mark.parametrize("leads_to", ["file", "nothing"])
def test_a_log_that_is_a_link_is_not_written_to(home, tmp_path, leads_to):
    target = tmp_path / "target"
    if leads_to == "file":
        target.write_text("mine")
    home.log.unlink()
    home.log.symlink_to(target)
    with pytest.raises(DaemonError, match=r"log .* is a link"):
        launch(home, None)
    assert target.exists() == (leads_to == "file")
    assert leads_to == "nothing" or target.read_text() == "mine"


def test_a_log_that_is_a_link_to_a_large_file_stays_where_it_is(home, tmp_path):
    target = tmp_path / "target"
    with target.open("wb") as file:
        file.truncate(launching._LOG_BYTES_MAX + 1)
    home.log.unlink()
    home.log.symlink_to(target)
    with pytest.raises(DaemonError, match=r"log .* is a link"):
        launch(home, None)
    assert home.log.is_symlink()
    assert [path.name for path in home.folder.iterdir()] == [home.log.name]


@pytest.mark.parametrize("reader", [False, True])
def test_a_log_that_is_a_pipe_is_not_waited_for(home, reader):
    home.log.unlink()
    os.mkfifo(home.log)
    reading = os.open(home.log, os.O_RDONLY | os.O_NONBLOCK) if reader else None
    with pytest.raises(DaemonError, match=r"log .* is no file"):
        launch(home, None)
    if reading is not None:
        os.close(reading)


def test_a_large_log_is_turned(home):
    with home.log.open("ab") as file:
        file.truncate(launching._LOG_BYTES_MAX + 1)
    launching._turn_log(home)
    assert not home.log.exists()
    assert home.log.with_suffix(".log.1").stat().st_size == launching._LOG_BYTES_MAX + 1


def test_relative_paths_of_the_environment_stay_where_they_were(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CERT_PATH", "certificates")
    _work_in(tmp_path / "home")
    assert Path.cwd() == tmp_path / "home"
    assert os.environ["DOCKER_CERT_PATH"] == str(tmp_path / "certificates")


def test_a_configuration_that_cannot_be_kept_is_told(home, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "c.yaml").write_text("quantum_docker_config: {seed: 1}\n")
    home.config.write_text("quantum_docker_config: {seed: 2}\n")
    monkeypatch.setattr("os.fsync", full)
    _, text = _configured(home, tmp_path / "c.yaml")
    with pytest.raises(DaemonError, match=r"cannot be kept as .*No space left"), _kept(home, text):
        pass
    monkeypatch.undo()
    assert _configured(home, None)[0].seed == 2, "the old one is whole"
    with _kept(home, text):
        pass
    assert _configured(home, None)[0].seed == 1
    assert home.config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("old", [None, "quantum_docker_config: {seed: 2}\n"])
def test_a_configuration_whose_nodes_cannot_be_written_down_is_given_up(home, old):
    if old is not None:
        home.config.write_text(old)
    with pytest.raises(StoreError, match="disk"), _kept(home, "quantum_docker_config: {seed: 1}\n"):
        raise StoreError("the disk is full")
    assert (home.config.read_text() if home.config.exists() else None) == old


CUT_OFF = r"""
import os, sys
from pathlib import Path
from qrealm.control.containers.reconcile import Reconcile
from qrealm.faces.qdocker import daemon
from qrealm.faces.qdocker.home import Home

Reconcile.all = lambda *_: os._exit(9)
daemon.serve(Home(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_a_start_that_is_killed_goes_on_with_its_configuration(home, tmp_path):
    """Its nodes held, and its settings did not."""
    old = "quantum_docker_config: {max_containers: 50}\nnodes: [{name: na, driver: simulated}]\n"
    home.config.write_text(old)
    with ContainerEngine(_configured(home, None)[0], home.folder):
        pass
    new = "quantum_docker_config: {max_containers: 20}\nnodes: [{name: nb, driver: simulated}]\n"
    (tmp_path / "c.yaml").write_text(new)
    words = [sys.executable, "-c", CUT_OFF, str(home.folder), str(tmp_path / "c.yaml")]
    assert subprocess.run(words, check=False).returncode == 9
    config, _ = _configured(home, None)
    assert config.max_containers == 20
    with ContainerEngine(config, home.folder) as engine:
        assert [view.record.name for view in engine.nodes.all()] == ["na", "nb"]


def test_a_configuration_that_no_engine_opened_with_is_not_kept(home, tmp_path):
    old = "quantum_docker_config: {seed: 2}\n"
    home.config.write_text(old)
    home.database.write_bytes(b"no database" * 1000)
    (tmp_path / "c.yaml").write_text("quantum_docker_config: {seed: 1}\n")
    with pytest.raises(StoreError):
        launch(home, tmp_path / "c.yaml")
    assert home.config.read_text() == old
    home.database.unlink()
    try:
        launch(home, tmp_path / "c.yaml")
        assert home.config.read_text() == (tmp_path / "c.yaml").read_text()
    finally:
        launching.end(home, 30)


def test_a_configuration_whose_nodes_are_refused_is_not_kept(home, tmp_path):
    old = "quantum_docker_config: {}\nnodes: [{name: na, driver: simulated, url: 'simulated://na'}]\n"
    home.config.write_text(old)
    config, _ = _configured(home, None)
    with ContainerEngine(config, home.folder) as engine:
        engine.lifecycle.create(CreateRequest(ContainerSpec("web", "img:1")))
    (tmp_path / "c.yaml").write_text(old.replace("simulated://na", "simulated://other"))
    with pytest.raises(RequestError, match="its containers are on simulated simulated://na: web"):
        launch(home, tmp_path / "c.yaml")
    assert home.config.read_text() == old


def test_a_scheduler_that_cannot_be_used_is_told_and_the_daemon_starts_all_the_same(home):
    home.config.write_text("quantum_docker_config: {scheduler: gone}\n")
    config, _ = _configured(home, None)
    (told,) = _unusable(config)
    assert told.startswith("the scheduler 'gone' of the configuration cannot be used: there is no scheduler")
    assert told.endswith("such as portfolio")
    assert _unusable(Config()) == []
    with pytest.raises(ConfigError, match="there is no scheduler 'gone'") as caught:
        _configured(home, home.config)
    assert (caught.value.line, caught.value.key) == (1, "quantum_docker_config.scheduler")


@pytest.fixture
def begins(home, monkeypatch, tmp_path):
    """Starts a shell's script in place of the daemon; its process id is in the file `pid`."""

    def begin(script):
        python = tmp_path / "python"
        python.write_text(
            f"#!/bin/sh\necho $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid\n{script}\n"
        )
        python.chmod(0o755)
        monkeypatch.setattr(launching.sys, "executable", str(python))
        return tmp_path / "pid"

    return begin


def test_who_interrupts_a_start_leaves_no_process_that_does_not_end(home, monkeypatch, begins):
    pid = begins("trap '' TERM; while :; do sleep 1; done")

    def interrupted(*_):
        wait_until(pid.exists)
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "_first_line", interrupted)
    monkeypatch.setattr(launching, "_QUIET_S", 0.05)
    with nothing_left_open(), pytest.raises(KeyboardInterrupt):
        launch(home, None)
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_a_process_that_cannot_begin_leaves_no_pipe_open(home, monkeypatch):
    pipes, pipe = [], os.pipe

    def noted():
        pipes.append(pipe())
        return pipes[-1]

    def none_left(*_, **__):
        raise BlockingIOError("no process is left")

    monkeypatch.setattr(launching.os, "pipe", noted)
    monkeypatch.setattr(launching.subprocess, "Popen", none_left)
    with pytest.raises(BlockingIOError):
        launch(home, None)
    (ends,) = pipes
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
