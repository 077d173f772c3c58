"""Who holds the turn for making and removing networks, for how long, and what of it is put right."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from engines.nodes import wait_until
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.fleet.containers import connect, networks
from qrealm.fleet.containers.networks import MadeNetworks
from qrealm.fleet.containers.protocol import LABEL_ENGINE, LABEL_NETWORK, ContainerSpec, Endpoint

SHOP = "shop_default"
SPEC = ContainerSpec("web", "img:1", network=SHOP, network_made=True, labels={LABEL_ENGINE: "e1"})


class Engine:
    """The networks of an engine, as its wire and its client at once.

    Attributes:
        made: names.
        refusals: how often a removal is refused because the network is in use.
    """

    name = "Engine"

    def __init__(self, refusals=0):
        self.made = []
        self.refusals = refusals

    @contextmanager
    def calling(self, doing):
        yield self

    def networks(self, filters=None, names=None, ids=None):
        wanted = names or ids or self.made
        labels = {LABEL_ENGINE: "e1"}
        return [
            {"Id": each, "Name": each, "Driver": "overlay", "Labels": {**labels, LABEL_NETWORK: each}}
            for each in self.made
            if each in wanted
        ]

    def create_network(self, name, **_):
        self.made.append(name)

    def remove_network(self, name):
        if self.refusals:
            self.refusals -= 1
            raise EngineRefusalError(f"network {name} is in use by task x")
        self.made.remove(name)


def made_on(engine):
    return MadeNetworks(engine, f"tcp://{id(engine)}", "overlay", lambda client, label: [])


def fail_while_making(made, problem):
    with made.holding(SPEC, "create web"):
        assert made._wire.made == [SHOP]
        raise problem


def test_a_network_whose_container_cannot_be_made_goes():
    made = made_on(Engine())
    with pytest.raises(EngineRefusalError, match="no such image"):
        fail_while_making(made, EngineRefusalError("no such image"))
    assert made._wire.made == []


def test_an_engine_that_does_not_answer_is_not_asked_more():
    """Each question would take its whole time, and others wait for their turn. It goes with `tidy`."""
    made = made_on(Engine())
    with pytest.raises(EngineUnavailableError, match="no answer"):
        fail_while_making(made, EngineUnavailableError("no answer"))
    assert made._wire.made == [SHOP]
    made.tidy("e1")
    assert made._wire.made == []


def test_who_waits_for_a_swarm_lets_others_have_their_turn(monkeypatch):
    engine = Engine(refusals=3)
    made = made_on(engine)
    engine.made.append(SHOP)
    free = []

    def sleep(_):
        def look():
            taken = made._lock.acquire(blocking=False)
            free.append(taken)
            if taken:
                made._lock.release()

        looking = threading.Thread(target=look)
        looking.start()
        looking.join()

    monkeypatch.setattr(networks, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    made.left("e1", SHOP)
    assert (engine.made, free) == ([], [True, True, True])


def test_a_connection_is_closed_at_once_while_somebody_connects():
    pytest.importorskip("docker")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{folder}/engine.sock")
        engine.listen()
        engine.settimeout(60.0)
        driver = connect(Endpoint("docker", f"unix://{folder}/engine.sock"), timeout_s=60.0)
        told = []

        def ping():
            try:
                driver.ping()
            except EngineUnavailableError as problem:
                told.append(problem)

        asking, closing = threading.Thread(target=ping), threading.Thread(target=driver.close)
        asking.start()
        while True:
            connection, _ = engine.accept()
            with connection:
                if connection.recv(1 << 16):  # else it only looked whether anybody is there
                    closing.start()
                    wait_until(lambda: driver._wire._closed, 30.0)
                    assert asking.is_alive(), "nobody has answered yet"
                    break
        asking.join(60.0)
        closing.join(60.0)
        assert len(told) == 1
