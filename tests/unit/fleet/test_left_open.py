"""What is opened towards an engine is closed by whoever opened it, whatever the engine answers."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines.answering import answering, nothing_left_open
from engines.half_answers import whole
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.fleet.containers import connect, ssh_tunnel
from qrealm.fleet.containers.protocol import Endpoint
from qrealm.fleet.containers.ssh_tunnel import SshTunnel

LINKING_SSH = """#!/bin/sh
for word; do case "$word" in *engine.sock:*) ln -s "${word#*:}" "${word%%:*}";; esac; done
exec sleep 600
"""
"""An ssh that stays, whose forwarded socket is that of this host."""


@pytest.fixture
def tunnels(monkeypatch):
    """Where tunnels keep their folders; `ssh` reaches this host."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "bin").mkdir()
        (Path(folder) / "bin" / "ssh").write_text(LINKING_SSH)
        (Path(folder) / "bin" / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield lambda: list(Path(folder).glob("qrealm-ssh-*"))


def docker_at(path, scheme="unix"):
    pytest.importorskip("docker")
    return connect(Endpoint("docker", f"{scheme}://{path}"), timeout_s=60.0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (whole(b'{"message": "not today"}', b"403 Forbidden"), EngineRefusalError),
        (whole(b"{}"), EngineUnavailableError),
        (whole(b'{"ApiVersion": "1.0"}'), EngineUnavailableError),
    ],
    ids=["refused", "no version", "too old"],
)
def test_an_engine_that_takes_no_caller_leaves_no_tunnel(tunnels, answer, told):
    def refuse(connection, _):
        connection.sendall(answer)
        return True

    with answering(refuse) as path, nothing_left_open():
        driver = docker_at(path, "ssh://u@h")
        for _ in range(2):
            with pytest.raises(told):
                driver.facts()
            assert tunnels() == []
        driver.close()


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"ApiVersion": 7}', b'{"ApiVersion": "new"}'])
def test_an_engine_that_does_not_tell_its_version(body):
    def answer(connection, _):
        connection.sendall(whole(body))
        return True

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        with pytest.raises(EngineUnavailableError, match="tells no version"):
            driver.ping()
        driver.close()


def test_who_is_interrupted_while_a_tunnel_is_made_leaves_none(tunnels, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ssh_tunnel, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupted))
    (Path(tempfile.gettempdir()) / "bin" / "ssh").write_text("#!/bin/sh\nexec sleep 600\n")
    with nothing_left_open(), pytest.raises(KeyboardInterrupt):
        SshTunnel("ssh://u@h/x.sock", timeout_s=60.0)
    assert tunnels() == []


def test_a_tunnel_that_cannot_begin_leaves_no_folder(tunnels, monkeypatch):
    def none_left(*_, **__):
        raise BlockingIOError("no process is left")

    monkeypatch.setattr(ssh_tunnel.subprocess, "Popen", none_left)
    with pytest.raises(BlockingIOError):
        SshTunnel("ssh://u@h/x.sock", timeout_s=60.0)
    assert tunnels() == []
