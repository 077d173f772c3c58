"""Pulls whose engine has not begun to answer, as while their registry hangs, and who gives them up."""

from __future__ import annotations

import ssl
import threading
from contextlib import closing, suppress

import pytest

from engines.answering import answering, made_known, nothing_left_open
from engines.certificates import Authority
from engines.half_answers import whole
from engines.nodes import WAIT_S
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint
from qrealm.fleet.containers.pulling import Pull

pytest.importorskip("docker")


@pytest.fixture(params=["unix", "tcp", "tls"])
def hanging(request, tmp_path):
    """A driver, and what is set once its engine was asked for an image, and once the asker has hung up."""
    asked, hung_up = threading.Event(), threading.Event()

    def answer(connection, line):
        if "/images/create" in line:
            asked.set()
            with suppress(ConnectionError):  # what TLS sends of its own may have been left unread
                assert not connection.recv(1)
            hung_up.set()
            return False
        if not made_known(connection, line):
            connection.sendall(whole(b'{"NCPU": 1, "MemTotal": 1}'))
        return True

    tls, files = None, ()
    if request.param == "tls":
        authority = Authority(tmp_path)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*authority.issue("server"))
        files = (authority.path, *authority.issue("client"))
    tcp = request.param != "unix"
    with answering(answer, tcp=tcp, tls=tls) as where, nothing_left_open():
        url = f"{'tcp' if tcp else 'unix'}://{where}"
        driver = connect(Endpoint("docker", url, None, *files), timeout_s=60.0)
        yield driver, asked, hung_up
        driver.close()


def test_who_gives_up_a_pull_hangs_up_on_its_engine_and_on_nobody_else(hanging):
    driver, asked, hung_up = hanging
    assert driver.facts().cpus == 1.0
    line = driver._wire._line
    with closing(Pull(driver._wire, "a.example/b:1", 0.01)) as pull:
        assert next(pull.steps()).status == "Asking for a.example/b:1"
        assert asked.wait(WAIT_S)
    assert hung_up.wait(WAIT_S)
    pull._thread.join(WAIT_S)
    assert not pull._thread.is_alive()
    assert driver.facts().cpus == 1.0
    assert driver._wire._line is line


def test_a_pull_that_is_given_up_before_it_is_connected_is_not_begun(hanging):
    driver, asked, _ = hanging
    pull = Pull(driver._wire, "a.example/b:1", 0.01)
    pull.close()
    assert {step.status for step in pull.steps()} <= {"Asking for a.example/b:1"}
    pull._thread.join(WAIT_S)
    assert not pull._thread.is_alive()
    assert not asked.is_set()


def test_closing_the_connection_ends_a_pull(hanging):
    driver, asked, hung_up = hanging
    told = []

    def pull():
        try:
            driver.pull("a.example/b:1")
        except EngineUnavailableError as problem:
            told.append(problem.message)

    pulling = threading.Thread(target=pull, daemon=True)
    pulling.start()
    assert asked.wait(WAIT_S)
    driver.close()
    pulling.join(WAIT_S)
    assert len(told) == 1
    assert "given up" in told[0]
    assert hung_up.wait(WAIT_S)
