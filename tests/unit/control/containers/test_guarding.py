"""Calls that end whatever their engine does, and the end of all connections."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import pytest
from tests.unit.control.containers.homes import Home, Node

from engines.nodes import WAIT_S, wait_until
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.control.containers import driver_pool, guarding
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.guarding import GuardedDriver
from qrealm.control.containers.values import NodeState
from qrealm.fleet.containers.protocol import Endpoint


class LateFuture(Future):
    """Its time is up in the moment in which its answer comes."""

    def result(self, timeout=None):
        if timeout is None:
            return super().result()
        super().exception()
        raise TimeoutError


class Driver:
    """An engine whose `find` does what it is told."""

    def __init__(self, find=lambda: ["found"], close=lambda: None):
        self._find = find
        self.close = close

    def find(self, labels):
        return self._find()


def test_an_answer_that_comes_when_time_is_up_is_given(monkeypatch):
    monkeypatch.setattr(guarding, "Future", LateFuture)
    assert GuardedDriver(Driver(), "one", 5.0).find({}) == ["found"]

    def refuse():
        raise EngineRefusalError("no")

    with pytest.raises(EngineRefusalError, match="no"):
        GuardedDriver(Driver(refuse), "one", 5.0).find({})


def test_what_does_not_answer_in_time_is_told():
    hangs = threading.Event()
    driver = GuardedDriver(Driver(hangs.wait), "one", 0.05)
    with pytest.raises(EngineUnavailableError, match=r"one: list containers: no answer within 0\.05 s"):
        driver.find({})
    hangs.set()


def test_a_surprise_of_one_node_is_no_other_nodes_and_ends_no_round(tmp_path, monkeypatch):
    real = Node.ping

    def ping(self):
        if self._host == "na":
            raise ZeroDivisionError("of a driver")
        return real(self)

    with Home(tmp_path, ("na", "nb", "nc")) as home:
        monkeypatch.setattr(Node, "ping", ping)
        home.lose("nc")
        states = {node.name: node.state for node in home.store.nodes.all()}
        assert states == {"na": NodeState.LOST, "nb": NodeState.READY, "nc": NodeState.LOST}
        (na,) = (view for view in home.engine.nodes.all() if view.record.name == "na")
        assert "ZeroDivisionError: of a driver" in na.error
        home.reopen()
        monkeypatch.undo()
        home.come_back("nc")
        assert {node.state for node in home.store.nodes.all()} == {NodeState.READY}


def test_the_end_of_all_waits_once_for_all_connections(monkeypatch):
    monkeypatch.setattr(driver_pool, "CLOSE_S", 1.0)
    hangs = threading.Event()
    pool = DriverPool(lambda endpoint, limit_s: Driver(close=hangs.wait))
    for number in range(60):
        pool.of(Endpoint("docker", f"unix:///{number}"))
    began = time.monotonic()
    pool.close()
    took_s = time.monotonic() - began
    hangs.set()
    assert 1.0 <= took_s < 30.0, "each for itself: 60 s"


class Stream:
    """Output of a container, and whether somebody has closed it."""

    closed = False

    def close(self):
        self.closed = True

    def output(self):
        return self


@pytest.mark.parametrize("ask", ["logs", "execute"])
@pytest.mark.parametrize("limit_s", [0.05, None])
def test_a_stream_that_comes_too_late_is_closed(ask, limit_s):
    """Its caller was let go by the limit, or because the node was given up."""
    stream, asked, go = Stream(), threading.Event(), threading.Event()

    def late(*_):
        asked.set()
        assert go.wait(WAIT_S)
        return stream

    engine = Driver()
    setattr(engine, ask, late)
    driver, told = GuardedDriver(engine, "one", limit_s), []

    def call():
        try:
            getattr(driver, ask)("c", None)
        except EngineUnavailableError as problem:
            told.append(problem)

    caller = threading.Thread(target=call)
    caller.start()
    assert asked.wait(WAIT_S)
    if limit_s is None:
        driver.give_up().join()
    caller.join(WAIT_S)
    assert len(told) == 1
    assert not stream.closed
    go.set()
    wait_until(lambda: stream.closed)
