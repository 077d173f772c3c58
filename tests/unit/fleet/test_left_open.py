"""What is opened towards an engine is closed by whoever opened it, whatever the engine answers."""

from __future__ import annotations

import gc
import socket
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines.answering import answering, frame, made_known, nothing_left_open
from engines.half_answers import CHUNKED, OK, chunk, whole
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.fleet.containers import connect, connection, ssh_tunnel, terminal
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, LogRequest, PullProgress
from qrealm.fleet.containers.pulling import pull_progress
from qrealm.fleet.containers.ssh_tunnel import SshTunnel
from qrealm.fleet.containers.terminal import attach


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
            assert tunnels() == set()
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
    assert tunnels() == set()


def test_a_tunnel_that_cannot_begin_leaves_no_folder(tunnels, monkeypatch):
    def none_left(*_, **__):
        raise BlockingIOError("no process is left")

    monkeypatch.setattr(ssh_tunnel.subprocess, "Popen", none_left)
    with pytest.raises(BlockingIOError):
        SshTunnel("ssh://u@h/x.sock", timeout_s=60.0)
    assert tunnels() == set()


def gone_after_the_head(connection, line):
    """An engine that begins its answer and ends, which resets the connection: it has not read all."""
    if made_known(connection, line):
        return True
    if "/start " in line:
        connection.recv(1, socket.MSG_PEEK)
        connection.sendall(OK + b"Connection: close\r\n\r\n")
    return False


def told_by(use):
    """What kind of error is raised. As elsewhere in tests, this frame is in a circle with the error."""
    with pytest.raises(Exception) as caught:
        use()
    return type(caught.value)


def whole_run(run):
    return list(run.output()), run.exit_code()


@pytest.mark.parametrize("stdin", [b"hello", None])
def test_an_engine_that_ends_once_it_has_begun_a_command(stdin):
    with answering(gone_after_the_head) as path, nothing_left_open():
        driver = docker_at(path)
        told = told_by(lambda: whole_run(driver.execute("c", ExecSpec(("cat",), stdin=stdin))))
        assert told is EngineUnavailableError
        driver.close()


def test_an_engine_that_ends_once_it_has_begun_a_command_of_a_terminal():
    with answering(gone_after_the_head) as path, nothing_left_open():
        where, read = Endpoint("docker", f"unix://{path}"), []
        with attach(where, "c", ExecSpec(("cat",)), stdin=True, terminal=False) as live:
            live.converse(None, -1, read.append)
        assert read == []


class OutOfSockets(Exception):
    """Whatever may be raised between an answer's head and its first piece."""


@pytest.mark.parametrize("module", [connection, terminal])
def test_what_cannot_be_read_is_closed(monkeypatch, module):
    def no_socket(_):
        raise OutOfSockets

    def answer(connection, line):
        if not made_known(connection, line):
            connection.sendall(OK + b"Connection: close\r\n\r\n" + frame(b"hi\n"))
        return True

    monkeypatch.setattr(module, "socket_of", no_socket)
    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        uses = {
            connection: [
                lambda: driver.logs("c", LogRequest(follow=True)),
                lambda: driver.execute("c", ExecSpec(("cat",))),
                lambda: driver.execute("c", ExecSpec(("cat",), stdin=b"hello")),
            ],
            terminal: [lambda: attach(driver.endpoint, "c", ExecSpec(("cat",)), stdin=True, terminal=False)],
        }
        for use in uses[module]:
            assert told_by(use) is OutOfSockets
        driver.close()


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    "use",
    [
        lambda driver: driver.logs("c", LogRequest(follow=True)),
        lambda driver: driver.execute("c", ExecSpec(("cat",))).output(),
        lambda driver: driver.execute("c", ExecSpec(("cat",), stdin=b"hello")).output(),
    ],
    ids=["logs", "exec", "exec with input"],
)
def test_a_stream_that_is_dropped_in_a_circle_is_closed(use, begun):
    """As one is in a frame of an error that the frame itself keeps."""

    def answer(connection, line):
        if not made_known(connection, line):
            connection.sendall(OK + b"Connection: close\r\n\r\n" + frame(b"hi\n"))
            connection.recv(1)
        return True

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        circle = {"stream": use(driver)}
        circle["itself"] = circle
        if begun:
            assert next(circle["stream"]).data == b"hi\n"
        del circle
        gc.collect()
        driver.close()


def test_a_stream_that_begins_while_its_connection_is_closed_is_broken_off():
    """Whoever ends the engine waits for who reads it."""
    asked, ended, told = threading.Event(), threading.Event(), []

    def answer(connection, line):
        if not made_known(connection, line):
            asked.set()
            assert ended.wait(60.0)
            connection.sendall(CHUNKED)
            connection.recv(1)  # quiet, as a container may be for days
        return True

    def read():
        try:
            list(driver.logs("c", LogRequest(follow=True)))
        except EngineUnavailableError as problem:
            told.append(problem.message)

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert asked.wait(60.0)
        driver.close()
        ended.set()
        reader.join(60.0)
        assert len(told) == 1


@pytest.mark.parametrize(
    ("body", "words"), [(b'["not today"]', "not today"), (b'"not today"', "not today"), (b"<p>", "<p>")]
)
def test_a_refusal_that_is_no_object(body, words):
    def refuse(connection, line):
        if not made_known(connection, line):
            connection.sendall(whole(body, b"500 Internal Server Error"))
        return True

    with answering(refuse) as path, nothing_left_open():
        driver = docker_at(path)
        with pytest.raises(EngineRefusalError, match=words):
            driver.logs("c", LogRequest())
        driver.close()


@pytest.mark.parametrize("line", [b'["what"]', b"7", b"<p>"])
def test_a_step_of_a_pull_that_is_none(line):
    def answer(connection, asked):
        if not made_known(connection, asked):
            connection.sendall(CHUNKED + chunk(line + b"\n") + b"0\r\n\r\n")
        return True

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        with pytest.raises(EngineRefusalError, match="no step of a pull"):
            driver.pull("a.example/b:1")
        driver.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_step_of_a_pull_whose_line_ends_in_two_chunks(end):
    """As behind a proxy that cuts anew what it hands on."""
    seen = []

    def answer(connection, asked):
        if not made_known(connection, asked):
            pieces = (b'{"status": "One"}\r', end, b'{"status": "Two"}\r\n')
            connection.sendall(CHUNKED + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")
        return True

    with answering(answer) as path, nothing_left_open():
        driver = docker_at(path)
        driver.pull("a.example/b:1", lambda step: seen.append(step.status))
        driver.close()
    assert [status for status in seen if not status.startswith("Asking")] == ["One", "Two"]


@pytest.mark.parametrize("detail", [None, [], 7, {}, {"current": "far", "total": None}])
def test_a_step_of_a_pull_that_does_not_tell_how_far_it_is(detail):
    step = {"id": "a1", "status": "Downloading", "progressDetail": detail}
    assert pull_progress(step) == PullProgress("a1", "Downloading", None, None)
