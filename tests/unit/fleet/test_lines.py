"""The line to an engine: who shares it, who ends it, and who waits for it."""

from __future__ import annotations

import gc
import threading

import pytest

from engines.answering import answering, frame, made_known, nothing_left_open
from engines.half_answers import OK, whole
from engines.nodes import WAIT_S, wait_until
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, LogRequest

pytest.importorskip("docker")

USES = {
    "logs": lambda driver: driver.logs("c", LogRequest(follow=True)),
    "exec": lambda driver: driver.execute("c", ExecSpec(("cat",))).output(),
    "exec with input": lambda driver: driver.execute("c", ExecSpec(("cat",), stdin=b"hello")).output(),
}


def following(connection, line):
    """An engine whose containers and commands write `hi` and go on."""
    if "/info " in line:
        connection.sendall(whole(b'{"NCPU": 1, "MemTotal": 1}'))
    elif not made_known(connection, line):
        connection.sendall(OK + b"Connection: close\r\n\r\n" + frame(b"hi\n"))
        while connection.recv(1 << 16):
            pass
        return False
    return True


def fail_a_call(driver):
    with pytest.raises(EngineUnavailableError, match="timed out"), driver._wire.calling("wait"):
        raise TimeoutError("timed out")


def far(path):
    return connect(Endpoint("docker", f"ssh://u@h{path}"), timeout_s=60.0)


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_stream_keeps_its_tunnel_when_a_call_beside_it_fails(tunnels, use, begun):
    with answering(following) as path, nothing_left_open():
        driver = far(path)
        stream = use(driver)
        if begun:
            assert next(stream).data == b"hi\n"
        first = tunnels()
        fail_a_call(driver)
        assert driver.facts().cpus == 1.0
        assert tunnels() > first, "the next call has a tunnel of its own"
        if not begun:
            assert next(stream).data == b"hi\n"
        stream.close()
        assert len(tunnels() - first) == len(tunnels()) == 1, "who left it last closed it"
        stream.close()
        assert driver.facts().cpus == 1.0
        driver.close()
        assert tunnels() == set()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_stream_that_never_began_lets_its_tunnel_go(tunnels, use):
    with answering(following) as path, nothing_left_open():
        driver = far(path)
        stream = use(driver)
        fail_a_call(driver)
        assert len(tunnels()) == 1
        stream.close()
        assert tunnels() == set()
        driver.close()


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_stream_that_is_dropped_lets_its_tunnel_go_with_the_next_call(tunnels, use, begun):
    with answering(following) as path, nothing_left_open():
        driver = far(path)
        stream = use(driver)
        if begun:
            assert next(stream).data == b"hi\n"
        first = tunnels()
        fail_a_call(driver)
        circle = {"stream": stream}
        circle["itself"] = circle
        del stream, circle
        with driver._wire._lock:  # which may be held where Python collects
            gc.collect()
        assert driver.facts().cpus == 1.0
        assert len(tunnels() - first) == len(tunnels()) == 1
        driver.close()


def test_a_stream_that_ends_by_itself_lets_its_tunnel_go(tunnels):
    def answer(connection, line):
        if made_known(connection, line):
            return True
        connection.sendall(OK + b"Connection: close\r\n\r\n" + frame(b"hi\n"))
        return False

    with answering(answer) as path, nothing_left_open():
        driver = far(path)
        stream = driver.logs("c", LogRequest())
        fail_a_call(driver)
        assert [piece.data for piece in stream] == [b"hi\n"]
        assert tunnels() == set()
        assert list(stream) == []
        driver.close()


def test_a_command_keeps_its_tunnel_before_its_output_is_read(tunnels):
    with answering(following) as path, nothing_left_open():
        driver = far(path)
        begun = driver.begin_exec("c", ExecSpec(("cat",)), stdin=False)
        fail_a_call(driver)
        assert len(tunnels()) == 1
        begun.answer.close()
        driver.close()


class Stalling:
    """An engine that tells its version only when it may.

    Attributes:
        asked: how often it was asked for its version.
    """

    def __init__(self):
        self.asked = 0
        self.stalls = True
        self._may = threading.Event()

    def __call__(self, connection, line):
        if "/version " in line:
            self.asked += 1
            if self.stalls:
                assert self._may.wait(WAIT_S)
        return following(connection, line)

    def go_on(self):
        self.stalls = False
        self._may.set()


def calling(driver, found):
    def call():
        try:
            found.append(driver.facts().cpus)
        except EngineUnavailableError as problem:
            found.append(problem.message)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def test_who_ends_a_call_or_a_stream_does_not_wait_for_who_connects():
    engine, found = Stalling(), []
    engine.stalls = False
    with answering(engine) as path, nothing_left_open():
        driver = connect(Endpoint("docker", f"unix://{path}"), timeout_s=60.0)
        stream = driver.logs("c", LogRequest(follow=True))
        with driver._wire.calling("info"):
            fail_a_call(driver)
            engine.stalls = True
            connecting = calling(driver, found)
            wait_until(lambda: engine.asked == 2)
        stream.close()
        assert not driver._wire._leaving
        assert connecting.is_alive(), "nobody has answered yet"
        engine.go_on()
        connecting.join(WAIT_S)
        assert found == [1.0]
        driver.close()


def test_those_who_connect_at_once_have_one_line():
    engine, found = Stalling(), []
    with answering(engine) as path, nothing_left_open():
        driver = connect(Endpoint("docker", f"unix://{path}"), timeout_s=60.0)
        threads = [calling(driver, found) for _ in range(8)]
        wait_until(lambda: engine.asked == 1)
        engine.go_on()
        for thread in threads:
            thread.join(WAIT_S)
        assert (found, engine.asked, len(driver._wire._lines)) == ([1.0] * 8, 1, 1)
        assert driver._wire._line.users == 0
        driver.close()


def test_what_is_made_while_its_connection_is_closed_is_ended(tunnels):
    engine, found = Stalling(), []
    with answering(engine) as path, nothing_left_open():
        driver = far(path)
        connecting = calling(driver, found)
        wait_until(lambda: engine.asked == 1)
        closing = threading.Thread(target=driver.close, daemon=True)
        closing.start()
        wait_until(lambda: driver._wire._closed)
        assert len(tunnels()) == 1
        engine.go_on()
        closing.join(WAIT_S)
        assert not closing.is_alive()
        assert tunnels() == set(), "nothing is left once it is closed"
        connecting.join(WAIT_S)
        assert "the connection is closed" in found[0]
