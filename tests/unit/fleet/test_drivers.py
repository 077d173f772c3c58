"""Which driver, and which engine is here."""

from __future__ import annotations

import builtins
import gc
import os
import socket
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from qrealm.base.errors import EngineUnavailableError, MissingExtraError, RequestError
from qrealm.fleet import containers
from qrealm.fleet.containers import DRIVERS, connect, connection, detect
from qrealm.fleet.containers.protocol import Endpoint
from qrealm.fleet.containers.ssh_tunnel import SshTunnel


@pytest.fixture
def sockets(monkeypatch):
    """Docker's and Podman's usual places, both empty, in a folder of the test's own."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        places = {name: Path(folder) / f"{name}.sock" for name in ("docker", "podman")}
        rows = {name: replace(DRIVERS[name], urls=(f"unix://{path}",)) for name, path in places.items()}
        monkeypatch.setattr(containers, "DRIVERS", DRIVERS | rows)
        yield places


def test_rows():
    assert list(DRIVERS) == ["docker", "podman", "swarm", "simulated"]
    assert [name for name, row in DRIVERS.items() if row.simulated] == ["simulated"]
    assert {row.extra for row in DRIVERS.values()} == {"docker", None}
    for name, row in DRIVERS.items():
        assert row.name == name
        assert row.load().__name__.lower() == f"{name}driver"


def test_no_such_driver():
    with pytest.raises(RequestError, match="docker, podman, swarm, simulated"):
        connect(Endpoint("lxc"))


def test_nothing_here_means_simulated(sockets):
    assert detect("/x") == Endpoint("simulated", "simulated://local", folder="/x")


def test_a_socket_without_an_engine_counts_for_nothing(sockets):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(sockets["docker"]))
    assert detect().driver == "simulated"


@pytest.mark.parametrize("names, first", [(["podman"], "podman"), (["podman", "docker"], "docker")])
def test_the_first_socket_that_answers(sockets, names, first):
    listening = []
    for name in names:
        listening.append(socket.socket(socket.AF_UNIX))
        listening[-1].bind(str(sockets[name]))
        listening[-1].listen()
    try:
        assert detect() == Endpoint(first, f"unix://{sockets[first]}")
    finally:
        for one in listening:
            one.close()


def test_docker_host_goes_before(sockets, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    assert detect() == Endpoint("docker", "ssh://me@there")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/podman/podman.sock")
    assert detect().driver == "podman"
    monkeypatch.setenv("DOCKER_HOST", "tcp://there:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/c")
    assert detect() == Endpoint(
        "docker", "tcp://there:2376", tls_ca="/c/ca.pem", tls_cert="/c/cert.pem", tls_key="/c/key.pem"
    )


def test_without_the_package(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "docker":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="QR400") as caught:
        connect(Endpoint("docker"))
    assert "qrealm[docker]" in caught.value.hint


def test_an_engine_that_hangs(tmp_path):
    pytest.importorskip("docker")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{folder}/mute.sock")
        mute.listen()
        driver = connect(Endpoint("docker", f"unix://{folder}/mute.sock"), timeout_s=0.3)
        begin = time.monotonic()
        with pytest.raises(EngineUnavailableError) as caught:
            driver.facts()
        assert time.monotonic() - begin < 20.0
        assert "within 0.3 s" in caught.value.hint
        driver.close()


def test_an_engine_that_ends_before_it_is_asked(monkeypatch):
    """It answered the knock and no longer the call; the SDK left its socket open, which is a warning where
    Python collects it."""
    pytest.importorskip("docker")
    real = connection.knock
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{folder}/engine.sock")
        engine.listen()

        def knocked_and_gone(url, timeout_s):
            real(url, timeout_s)
            engine.close()

        monkeypatch.setattr(connection, "knock", knocked_and_gone)
        driver = connect(Endpoint("docker", f"unix://{folder}/engine.sock"), timeout_s=5.0)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with pytest.raises(EngineUnavailableError, match="refused"):
                driver.facts()
            driver.close()
            gc.collect()
        assert [str(one.message) for one in told] == []


@pytest.mark.parametrize("url", ["ssh://", "ssh://-oProxyCommand=x", "ssh://-x@host"])
def test_ssh_to_no_host(url):
    with pytest.raises(RequestError, match="names no host"):
        SshTunnel(url, timeout_s=1.0)


def ssh_that(does, folder, monkeypatch):
    (folder / "ssh").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_ssh_to_nobody(tmp_path, monkeypatch):
    """It ended at once, and was said to have given no connection within the time that it might have taken."""
    ssh_that("echo 'connect to host: Connection refused' >&2; exit 255", tmp_path, monkeypatch)
    with pytest.raises(EngineUnavailableError, match=r"made no connection: .*refused\n"):
        SshTunnel("ssh://nobody@127.0.0.1:9", timeout_s=50.0)


def test_ssh_that_hangs(tmp_path, monkeypatch):
    ssh_that("exec sleep 100", tmp_path, monkeypatch)
    with pytest.raises(EngineUnavailableError, match=r"made no connection within 0.2 s: no answer"):
        SshTunnel("ssh://host", timeout_s=0.2)
