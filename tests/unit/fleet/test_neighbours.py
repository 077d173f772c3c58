"""Calls to one engine at once: what happens to one of them is nothing to the others."""

from __future__ import annotations

import logging
import threading

import pytest

from engines.answering import answering, frame, made_known, nothing_left_open
from engines.half_answers import CHUNKED, chunk, whole
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint, LogRequest

FACTS = b'{"NCPU": 1, "MemTotal": 1}'


def docker_at(path):
    pytest.importorskip("docker")
    return connect(Endpoint("docker", f"unix://{path}"), timeout_s=60.0)


def of_facts(connection, line):
    if not made_known(connection, line):
        connection.sendall(whole(FACTS))
    return True


def fail_a_call(driver):
    with pytest.raises(EngineUnavailableError, match="timed out"), driver._wire.calling("wait"):
        raise TimeoutError("timed out")


def pool_of(client, path="info"):
    """What the SDK takes before it sends a request."""
    return client.get_adapter(client.base_url).get_connection(f"{client.base_url}/{path}")


def test_a_call_goes_on_when_another_fails_before_it_is_sent():
    with answering(of_facts) as path, nothing_left_open():
        driver = docker_at(path)
        with driver._wire.calling("info") as client:
            pool = pool_of(client)
            fail_a_call(driver)
            assert pool.urlopen("GET", "/info", retries=False, timeout=60.0).data == FACTS
            assert client.info()["NCPU"] == 1
            # The next call has a connection of its own; a call that fails late takes it from nobody.
            with driver._wire.calling("info") as other:
                assert other is not client
        with driver._wire.calling("info") as again:
            assert again is other
        assert pool.pool is None, "who left it last closed it"
        driver.close()
        assert pool_of(again).pool is None


def test_a_call_that_fails_late_takes_nothing_from_those_that_came_after():
    with answering(of_facts) as path, nothing_left_open():
        driver = docker_at(path)
        late = driver._wire.calling("wait long")
        late.__enter__()
        fail_a_call(driver)
        with driver._wire.calling("info") as after:
            with pytest.raises(EngineUnavailableError):
                late.__exit__(TimeoutError, TimeoutError("timed out"), None)
            with driver._wire.calling("info") as again:
                assert again is after
        driver.close()


def test_any_number_of_urls_has_one_pool():
    with answering(of_facts) as path, nothing_left_open():
        driver = docker_at(path)
        with driver._wire.calling("info") as client:
            pools = {pool_of(client, f"containers/{number}/json?x={number}") for number in range(100)}
        assert len(pools) == 1
        driver.close()


def test_more_calls_at_once_than_connections_are_kept_are_no_fault(caplog):
    many, under_way = 20, threading.Barrier(20)

    def answer(connection, line):
        if "/info " in line:
            under_way.wait(60.0)
        return of_facts(connection, line)

    with caplog.at_level(logging.WARNING), answering(answer) as path, nothing_left_open():
        driver, found = docker_at(path), []
        calls = [
            threading.Thread(target=lambda: found.append(driver.facts().cpus), daemon=True)
            for _ in range(many)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join(60.0)
        assert found == [1.0] * many
        driver.close()
    assert caplog.messages == []


def test_who_hangs_up_on_a_stream_that_has_ended_hangs_up_on_no_other_call():
    def answer(connection, line):
        if "/logs" in line:
            connection.sendall(CHUNKED + chunk(frame(b"hi\n")) + b"0\r\n\r\n")
            return False
        return of_facts(connection, line)

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        stream = driver.logs("c", LogRequest())
        assert stream._response.request.headers["Connection"] == "close"
        assert [piece.data for piece in stream] == [b"hi\n"]
        with driver._wire.calling("info") as client:
            stream.close()
            assert client.info()["NCPU"] == 1
        driver.close()
