"""Making and removing networks takes turns, and nobody's turn outlasts the connection: real engines."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time

import pytest

from engines.docker_engine import docker_engine, why_no_docker
from engines.image import IMAGE
from engines.network_promises import raw
from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.guarding import GuardedDriver
from qrealm.fleet.containers import connect, networks
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint

needs_docker = pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))


def spec(name, network="shop_default"):
    return ContainerSpec(name, IMAGE, network=network, network_made=True, labels={"io.qrealm.engine": "e1"})


def test_a_closed_driver_says_so_and_asks_nobody():
    pytest.importorskip("docker")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{folder}/engine.sock")
        engine.listen()
        engine.setblocking(False)
        driver = connect(Endpoint("docker", f"unix://{folder}/engine.sock"), timeout_s=5.0)
        driver.close()
        for call in (driver.ping, lambda: driver.create(spec("web")), lambda: driver.tidy("e1")):
            with pytest.raises(EngineUnavailableError, match="connection is closed"):
                call()
        with pytest.raises(BlockingIOError):
            engine.accept()


@needs_docker
def test_what_was_given_up_while_it_waited_for_its_turn_is_not_sent_later():
    with docker_engine() as engine:
        endpoint = Endpoint("docker", engine.url)
        inner, other = connect(endpoint, 30.0), connect(endpoint, 30.0)
        driver = GuardedDriver(inner, "Docker")
        driver.ping()
        other.ping()
        told = []

        def make(name):
            try:
                driver.create(spec(name))
            except EngineUnavailableError as problem:
                told.append(problem.message)

        pid = int((engine.folder / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            callers = [threading.Thread(target=make, args=(name,)) for name in ("first", "second")]
            for caller in callers:
                caller.start()
                time.sleep(0.3)
            begin = time.monotonic()
            other.tidy("e1")
            assert time.monotonic() - begin < 15.0, "it waits for the turn of one that hangs"
            driver.give_up().join(40.0)
            for caller in callers:
                caller.join(40.0)
            assert len(told) == 2
        finally:
            os.kill(pid, signal.SIGCONT)
        working = [thread for thread in threading.enumerate() if thread.name.startswith("create ")]
        for thread in working:
            thread.join(20.0)
            assert not thread.is_alive()
        assert [facts.name for facts in other.find({}) if facts.name == "second"] == []
        other.tidy("e1")
        other.close()


@needs_docker
def test_a_call_of_several_requests_ends_where_its_connection_was_closed():
    with docker_engine() as engine:
        driver = connect(Endpoint("docker", engine.url), 10.0)
        with driver._wire.calling("two requests") as client:
            assert client.ping()
            driver.close()
            with pytest.raises(EngineUnavailableError, match="connection is closed"):
                client.create_network("late")
        with raw(engine.url) as client:
            assert "late" not in {network["Name"] for network in client.networks()}


@needs_docker
def test_a_network_of_a_swarm_that_stays_in_use_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(networks, "_DETACH_SECONDS_MAX", 12.0)
    with docker_engine() as engine, raw(engine.url) as client:
        client.init_swarm(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
        driver = connect(Endpoint("swarm", engine.url, member=client.info()["Name"]), 10.0)
        first = driver.create(spec("first"))
        task = {"ContainerSpec": {"Image": IMAGE}, "Networks": [{"Target": "shop_default"}]}
        theirs = client.create_service(task, name="theirs", mode={"Replicated": {"Replicas": 0}})["ID"]
        removing = threading.Thread(target=driver.remove, args=(first,))
        removing.start()
        while "first" in {service["Spec"]["Name"] for service in client.services()}:
            time.sleep(0.02)
        time.sleep(0.5)
        assert removing.is_alive(), "it gives the swarm time to let go"
        begin = time.monotonic()
        second = driver.create(spec("second", "other_default"))
        driver.tidy("e1")
        assert time.monotonic() - begin < 10.0
        assert removing.is_alive()
        removing.join(20.0)
        names = {network["Name"] for network in client.networks()}
        assert {"shop_default", "other_default"} <= names
        client.remove_service(theirs)
        driver.remove(second)  # and what was left goes with it
        assert not {"shop_default", "other_default"} & {network["Name"] for network in client.networks()}
        driver.close()
