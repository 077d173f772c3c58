"""Engines that are lost and come back, that hang, and that are far away: real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engines.certificates import Authority
from engines.docker_engine import docker_engine, docker_engines, standing_still, why_no_docker
from engines.free_ports import free_port
from engines.image import IMAGE
from engines.leftovers import processes_of
from engines.nodes import WAIT_S, wait_until
from engines.ssh_server import ssh_server, why_no_ssh, with_path
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import ContainerSpec, ContainerState, Endpoint, ExecSpec, LogRequest
from qrealm.fleet.containers.terminal import attach

pytestmark = pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))
MUCH = bytes(range(256)) * 8192
SPEC = ContainerSpec("web", IMAGE, network="none", labels={"a": "b"})


def echo(driver, engine_id, data):
    execution = driver.execute(engine_id, ExecSpec(("cat",), stdin=data))
    answer = b"".join(piece.data for piece in execution.output())
    return answer, execution.exit_code()


def typed(endpoint, engine_id):
    """What is given comes back before the input ends, and all of it when much is given."""
    reading, writing = os.pipe()
    answers = bytearray()

    def write(piece):
        answers.extend(piece.data)
        if answers == b"first":
            threading.Thread(target=give).start()

    def give():
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(MUCH)

    os.write(writing, b"first")
    with attach(endpoint, engine_id, ExecSpec(("cat",)), stdin=True, terminal=False) as live:
        live.converse(lambda: os.read(reading, 1 << 16), reading, write)
        assert live.exit_code() == 0
    os.close(reading)
    return bytes(answers) == b"first" + MUCH


def sent_away(driver, engine_id):
    """Readers that wait for more are sent away by another thread, and leave no connection behind."""
    quiet = ("sh", "-c", "echo here; sleep 600")
    made = [
        lambda: driver.logs(engine_id, LogRequest(follow=True)),
        lambda: driver.execute(engine_id, ExecSpec(quiet)).output(),
        lambda: driver.execute(engine_id, ExecSpec(quiet, stdin=b"hi")).output(),
    ]
    for make in made:
        stream = make()
        sock = stream._sock
        assert next(stream).data in (b"ready\n", b"here\n")
        ended = []
        reader = threading.Thread(target=lambda s=stream, e=ended: e.append(list(s)))
        reader.start()
        wait_until(stream._reading.locked)
        assert reader.is_alive()
        stream.close()
        reader.join(WAIT_S)
        assert not reader.is_alive()
        assert ended == [[]]
        assert sock.fileno() == -1
        assert list(stream) == []
    # One that nobody has begun to read.
    stream = driver.logs(engine_id, LogRequest(follow=True))
    sock = stream._sock
    stream.close()
    assert sock.fileno() == -1
    assert list(stream) == []


def test_readers_of_an_engine_may_be_sent_away_even_when_it_hangs():
    with docker_engine() as engine:
        driver = connect(Endpoint("docker", engine.url), timeout_s=60.0)
        engine_id = driver.create(SPEC)
        driver.start(engine_id)
        sent_away(driver, engine_id)
        following = driver.logs(engine_id, LogRequest(follow=True))
        assert next(following).data == b"ready\n"
        ended = []
        reader = threading.Thread(target=lambda: ended.append(list(following)))
        reader.start()
        wait_until(following._reading.locked)
        with standing_still(engine):
            following.close()
            reader.join(WAIT_S)
            assert ended == [[]]
        driver.close()


def test_readers_are_told_when_their_connection_is_given_up():
    with docker_engine() as engine:
        driver = connect(Endpoint("docker", engine.url), timeout_s=60.0)
        engine_id = driver.create(SPEC)
        driver.start(engine_id)
        streams = [
            driver.logs(engine_id, LogRequest(follow=True)),
            driver.execute(engine_id, ExecSpec(("sleep", "600"))).output(),
            driver.execute(engine_id, ExecSpec(("sleep", "600"), stdin=b"")).output(),
        ]
        told = []

        def read(stream):
            try:
                list(stream)
            except EngineUnavailableError as problem:
                told.append(problem.message)

        readers = [threading.Thread(target=read, args=(stream,)) for stream in streams]
        for reader in readers:
            reader.start()
        wait_until(lambda: all(stream._reading.locked() for stream in streams))
        driver.close()
        for reader in readers:
            reader.join(WAIT_S)
        assert len(told) == 3, told
        assert all(engine.url in line for line in told)


_HOLDER = """
import sys, time
from qrealm.fleet.containers.ssh_tunnel import SshTunnel
tunnel = SshTunnel(sys.argv[1], timeout_s=10.0)
print(tunnel._process.pid, tunnel.url.removeprefix("unix://"), flush=True)
time.sleep(60)
"""


def _program(pid):
    """What a process is; nothing of one that has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    return b""


def _alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(why_no_ssh() is not None, reason=str(why_no_ssh()))
def test_a_tunnel_ends_with_its_process_even_when_that_is_killed(monkeypatch):
    with ssh_server() as (url, folder):
        monkeypatch.setenv("PATH", with_path(folder))
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, url], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        with holder:
            pid, sock = holder.stdout.readline().split()
            assert _alive(pid)
            assert Path(sock).exists()
            holder.kill()
        wait_until(lambda: not _alive(pid) and not Path(sock).parent.exists())


def test_three_engines_and_one_is_lost():
    with docker_engines(3) as engines:
        drivers = [connect(Endpoint("docker", engine.url), timeout_s=60.0) for engine in engines]
        ids = [driver.create(SPEC) for driver in drivers]
        for driver, engine_id in zip(drivers, ids, strict=True):
            driver.start(engine_id)
        # Each engine knows its own container and no other.
        known = [[facts.engine_id for facts in driver.find({})] for driver in drivers]
        assert known == [[one] for one in ids]
        following = drivers[0].logs(ids[0], LogRequest(follow=True))
        assert next(following).data == b"ready\n"
        engines[0].kill()
        with pytest.raises(EngineUnavailableError):
            list(following)
        begin = time.monotonic()
        with pytest.raises(EngineUnavailableError, match=str(engines[0].folder)):
            drivers[0].inspect(ids[0])
        assert time.monotonic() - begin < 20.0
        assert [driver.inspect(one).state for driver, one in zip(drivers[1:], ids[1:], strict=True)] == [
            ContainerState.RUNNING
        ] * 2
        engines[0].start()
        # The same driver speaks to it again, and the container is there.
        assert [facts.engine_id for facts in drivers[0].find({"a": "b"})] == [ids[0]]
        drivers[0].start(ids[0])
        assert drivers[0].inspect(ids[0]).state is ContainerState.RUNNING
        for driver in drivers:
            driver.close()
    assert not [engine for engine in engines if engine.folder.exists()]
    mounts = Path("/proc/mounts").read_text()
    assert not [engine for engine in engines if str(engine.folder) in mounts]


def test_an_engine_that_stands_still():
    with docker_engine() as engine:
        driver = connect(Endpoint("docker", engine.url), timeout_s=0.5)
        patient = connect(Endpoint("docker", engine.url), timeout_s=60.0)
        engine_id = patient.create(SPEC)
        with standing_still(engine):
            begin = time.monotonic()
            with pytest.raises(EngineUnavailableError) as caught:
                driver.inspect(engine_id)
            assert time.monotonic() - begin < 20.0
            assert "within 0.5 s" in caught.value.hint
        assert patient.inspect(engine_id).state is ContainerState.CREATED
        patient.close()
        driver.close()


def test_an_engine_behind_tls(tmp_path, monkeypatch):
    # The endpoint's authority counts, whatever the environment says.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    authority = Authority(tmp_path)
    server, server_key = authority.issue("server")
    certificate, key = authority.issue("client")
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    options = ["-H", url, "--tlsverify", "--tlscacert", authority.path]
    options += ["--tlscert", server, "--tlskey", server_key]
    with docker_engine(options=options):
        driver = connect(Endpoint("docker", url, None, authority.path, certificate, key))
        engine_id = driver.create(SPEC)
        driver.start(engine_id)
        data = bytes(range(256)) * 4096
        assert echo(driver, engine_id, data) == (data, 0)
        sent_away(driver, engine_id)
        assert typed(driver.endpoint, engine_id)
        driver.close()
        nobody = connect(Endpoint("docker", url, None, authority.path))
        with pytest.raises(EngineUnavailableError) as caught:
            nobody.facts()
        assert "tls ca, cert and key" in caught.value.hint
        nobody.close()


@pytest.mark.skipif(why_no_ssh() is not None, reason=str(why_no_ssh()))
def test_an_engine_behind_ssh(monkeypatch):
    with docker_engine() as engine, ssh_server() as (url, folder):
        monkeypatch.setenv("PATH", with_path(folder))
        there = f"{url}{engine.url.removeprefix('unix://')}"
        driver = connect(Endpoint("docker", there))
        engine_id = driver.create(SPEC)
        driver.start(engine_id)
        data = bytes(range(256)) * 4096
        assert echo(driver, engine_id, data) == (data, 0)
        sent_away(driver, engine_id)
        assert typed(driver.endpoint, engine_id)
        # A connection that breaks is made anew.
        tunnels = [pid for pid in processes_of(engine.folder) if b"ssh" in _program(pid)]
        for pid in tunnels:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: tunnels and not any(map(_alive, tunnels)))
        with pytest.raises(EngineUnavailableError, match="ssh"):
            driver.facts()
        assert driver.inspect(engine_id).state is ContainerState.RUNNING
        driver.close()
        nothing = connect(Endpoint("docker", f"{url}/no/such.sock"))
        with pytest.raises(EngineUnavailableError):
            nothing.facts()
        nothing.close()
