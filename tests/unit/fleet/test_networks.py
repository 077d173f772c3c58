"""Making and removing networks takes turns, and nobody's turn outlasts the connection: real engines."""

from __future__ import annotations

import socket
import tempfile
import threading
import time

import pytest

from engines.docker_engine import docker_engine, standing_still, why_no_docker
from engines.image import IMAGE
from engines.network_promises import raw
from engines.nodes import WAIT_S, wait_until
from engines.turns import Turns
from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.guarding import GuardedDriver
from qrealm.fleet.containers import connect, networks
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint

needs_docker = pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))


def spec(name, network="shop_default"):
    return ContainerSpec(name, IMAGE, network=network, network_made=True, labels={"io.qrealm.engine": "e1"})


class Rests:
    """The clock that networks are removed by, which may be set forward.

    Attributes:
        ahead_s: by so much.
        holding: whether the thread held the lock, at each of its rests.
    """

    def __init__(self, thread, lock):
        self._thread, self._lock = thread, lock
        self.ahead_s, self.holding = 0.0, []

    def monotonic(self):
        return time.monotonic() + self.ahead_s

    def sleep(self, seconds):
        if threading.current_thread() is self._thread:
            self.holding.append(self._lock._is_owned())
        time.sleep(seconds)


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
def test_what_was_given_up_while_it_waited_for_its_turn_is_not_sent_later(monkeypatch):
    with docker_engine() as engine:
        endpoint = Endpoint("docker", engine.url)
        inner, other = connect(endpoint, 60.0), connect(endpoint, 60.0)
        turns = Turns()
        for each in (inner, other):
            monkeypatch.setattr(each._networks, "_lock", turns)
        driver = GuardedDriver(inner, "Docker")
        driver.ping()
        other.ping()
        told = []

        def make(name):
            try:
                driver.create(spec(name))
            except EngineUnavailableError as problem:
                told.append(problem.message)

        with standing_still(engine):
            callers = [threading.Thread(target=make, args=(name,)) for name in ("first", "second")]
            callers[0].start()
            wait_until(lambda: turns.taken == 1)
            callers[1].start()
            wait_until(lambda: turns.waiting == 1)
            other.tidy("e1")
            assert (told, turns.taken) == ([], 1), "it has not waited for the turn of one that hangs"
            driver.give_up().join(WAIT_S)
            for caller in callers:
                caller.join(WAIT_S)
            assert len(told) == 2
        working = [thread for thread in threading.enumerate() if thread.name.startswith("create ")]
        for thread in working:
            thread.join(WAIT_S)
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
    monkeypatch.setattr(networks, "_DETACH_SECONDS_MAX", 600.0)
    with docker_engine() as engine, raw(engine.url) as client:
        client.init_swarm(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
        driver = connect(Endpoint("swarm", engine.url, member=client.info()["Name"]), 10.0)
        first = driver.create(spec("first"))
        task = {"ContainerSpec": {"Image": IMAGE}, "Networks": [{"Target": "shop_default"}]}
        theirs = client.create_service(task, name="theirs", mode={"Replicated": {"Replicas": 0}})["ID"]
        removing = threading.Thread(target=driver.remove, args=(first,))
        rests = Rests(removing, driver._networks._lock)
        monkeypatch.setattr(networks, "time", rests)
        removing.start()
        wait_until(lambda: len(rests.holding) > 3)  # it gives the swarm time to let go
        second = driver.create(spec("second", "other_default"))
        driver.tidy("e1")
        assert removing.is_alive()
        assert not any(rests.holding), "it lets the others have their turn meanwhile"
        rests.ahead_s = 700.0
        removing.join(WAIT_S)
        assert not removing.is_alive()
        names = {network["Name"] for network in client.networks()}
        assert {"shop_default", "other_default"} <= names
        client.remove_service(theirs)
        driver.remove(second)  # and what was left goes with it
        assert not {"shop_default", "other_default"} & {network["Name"] for network in client.networks()}
        driver.close()
