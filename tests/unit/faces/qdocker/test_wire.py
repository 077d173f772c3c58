"""The command's side of the socket, against servers that do not keep to the rules."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.answering import nothing_left_open
from engines.half_answers import CHUNKED, OK, chunk, heard, listening, whole
from qrealm.base.errors import DaemonError, NoRoomError
from qrealm.faces.qdocker import client as speaking
from qrealm.faces.qdocker import wire
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import DaemonLock, Home
from qrealm.faces.qdocker.wire import BrokenOffError, ForeignError, NotThereError, asked, lines_of

CLOSING = CHUNKED.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"


@contextmanager
def server(folder: Path, *pieces: bytes, reads: bool = True):
    """Answers one request with these pieces and hangs up; yields the socket's path and what was asked."""
    path = folder / "qdocker.sock"
    request = bytearray()
    with listening(path) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                while reads and b"\r\n\r\n" not in request:
                    request.extend(connection.recv(1 << 16))
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        yield str(path), request
        thread.join(60)
        assert not thread.is_alive()


def home_of(folder: Path) -> Home:
    home = Home(folder)
    assert home.socket.name == "qdocker.sock", "the servers here listen there"
    return home


def test_lines_come_whole_however_they_were_cut(tmp_path):
    pieces = [CHUNKED, chunk(b'{"a'), chunk(b'": 1}\n{"b": 2}\n{"c"'), chunk(b": 3}"), b"0\r\n\r\n"]
    with (
        server(tmp_path, *pieces) as (path, request),
        asked(path, "GET", "/x", {"all": True, "none": None, "name": "a&b c"}, None) as answer,
    ):
        assert list(lines_of(answer)) == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']
    assert request.startswith(b"GET /x?all=true&name=a%26b+c HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "pieces",
    [
        [CHUNKED, chunk(b'{"a": 1}\n')],
        [CHUNKED, chunk(b'{"a": 1}\n'), b"40\r\nhalf a chunk"],
        [CHUNKED, chunk(b'{"a": 1}\n'), b"4"],
    ],
    ids=["between", "within", "in a length"],
)
def test_a_stream_that_is_cut_off_has_not_ended(tmp_path, pieces):
    seen: list[bytes] = []

    def read(path):
        with asked(path, "GET", "/x", {}, None) as answer:
            seen.extend(lines_of(answer))

    with server(tmp_path, *pieces) as (path, _), pytest.raises(BrokenOffError):
        read(path)
    assert seen == [b'{"a": 1}']


@pytest.mark.parametrize(
    "pieces",
    [[], [b"SSH-2.0-OpenSSH_9.2\r\n"], [OK, b"Content-Length: 100\r\n\r\n", b"{}"]],
    ids=["nothing", "another protocol", "half a body"],
)
def test_the_client_says_that_the_daemon_broke_off(tmp_path, pieces):
    home = home_of(tmp_path)
    with server(tmp_path, *pieces), pytest.raises(DaemonError, match="in the middle of GET /ping"):
        Client(home).get("/ping")


@pytest.mark.parametrize("body", [b"<html>", b'{"detail": "Not Found"}', b"[]"])
def test_another_programs_answers_are_told_from_ours(tmp_path, body):
    home = home_of(tmp_path)
    with (
        server(tmp_path, whole(body, b"404 Not Found")),
        pytest.raises(DaemonError, match="404 with something"),
    ):
        Client(home).get("/ping")


def test_a_refusal_before_the_whole_body_was_read_is_heard(tmp_path):
    home = home_of(tmp_path)
    told = json.dumps({"code": "QR504", "message": "too much", "hint": "", "kind": "NoRoomError"}).encode()
    with (
        server(tmp_path, whole(told, b"413 Too Large"), reads=False),
        pytest.raises(NoRoomError, match="too much"),
    ):
        Client(home).post("/containers", {"data": "x" * (1 << 22)})


ENDED = json.dumps({"error": {"code": "QR504", "message": "no", "hint": "", "kind": "NoRoomError"}}).encode()


def interrupted(answer):
    yield from itertools.islice(lines_of(answer), 1)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("piece", "read", "told"),
    [
        (chunk(ENDED + b"\n"), lines_of, NoRoomError),
        (b"40\r\nhalf a chunk", lines_of, DaemonError),
        (chunk(b"[]\n"), interrupted, KeyboardInterrupt),
    ],
    ids=["error", "broken off", "interrupted"],
)
def test_who_leaves_an_answer_before_its_end_leaves_no_socket_open(tmp_path, monkeypatch, piece, read, told):
    def ask():
        # This frame is in a circle with the error, as others of tests are.
        with pytest.raises(told) as caught:
            list(Client(home_of(tmp_path)).lines("POST", "/containers", {}))
        assert caught.value is not None

    monkeypatch.setattr(speaking, "lines_of", read)
    with server(tmp_path, CLOSING, chunk(b'{"a": 1}\n'), piece), nothing_left_open():
        ask()


def test_nobody_listens(tmp_path):
    with pytest.raises(NotThereError), asked(str(tmp_path / "none"), "GET", "/", {}, None):
        pass
    with pytest.raises(DaemonError, match="no daemon runs") as caught:
        Client(home_of(tmp_path)).get("/ping")
    assert caught.value.hint == "qdocker start"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
def test_another_users_socket_gets_nothing(tmp_path):
    home = home_of(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.socket))
        os.seteuid(12345)
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        words = rf"is the socket of process {os.getpid()} of the user 12345, and this is the user 0; nothing"
        with pytest.raises(DaemonError, match=words):
            Client(home).post("/containers", {"spec": {"environment": {"TOKEN": "secret"}}})
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1 << 16) == b""


def test_who_listens_is_told_by_the_kernel(tmp_path, monkeypatch):
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with (
        listening(tmp_path / "s"),
        pytest.raises(ForeignError, match=f"of the user {mine}, and this is the user {mine + 1}"),
        asked(str(tmp_path / "s"), "GET", "/", {}, None),
    ):
        pass


@pytest.mark.parametrize("path", ["/ping", "/status"])
def test_a_daemon_that_stands_still_does_not_keep_those_who_ask_whether_it_runs(tmp_path, monkeypatch, path):
    """As one with SIGSTOP: the kernel takes connections for it, and nothing comes back."""
    monkeypatch.setitem(speaking._READ_S, path, 0.2)
    home, lock = home_of(tmp_path), DaemonLock(home_of(tmp_path))
    lock.take()
    words = r"process \d+, does not answer on .*: no answer within 0.2 s"
    with listening(home.socket), pytest.raises(DaemonError, match=words):
        Client(home).get(path)
    lock.give_up()


def test_what_an_engine_takes_part_in_has_no_time_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(speaking, "_READ_S", dict.fromkeys(speaking._READ_S, 0.05))
    path = tmp_path / "qdocker.sock"
    reads, getresponse = threading.Event(), wire._Connection.getresponse

    def reading(connection):
        reads.set()
        return getresponse(connection)

    monkeypatch.setattr(wire._Connection, "getresponse", reading)
    with listening(path) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                assert reads.wait(60)
                time.sleep(0.3)
                connection.sendall(whole(b"{}"))

        thread = threading.Thread(target=answer)
        thread.start()
        assert Client(home_of(tmp_path)).post("/images/pull") == {}
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("at_work", "told"),
    [
        ('[{"name": "web", "doing": "create with image big:1", "seconds": 61.5}]',
         "web: waiting for create with image big:1, which began 62 s ago\n"),
        ('[{"name": "web", "doing": "rm", "seconds": 0.0}]', ""),
        ('[{"name": "web", "doing": "run", "seconds": 61.5}, {"name": "db", "doing": "run", "seconds": 3.5}]',
         "web: waiting for run, which began 62 s ago\ndb: waiting for run, which began 4 s ago\n"),
        (json.dumps([{"name": name, "doing": "nodes rm n", "seconds": 9} for name in "ab"]),
         "a: waiting for nodes rm n, which began 9 s ago\n"),
        ("[]", ""),
        ("no JSON", ""),
        ('{"code": "QR550", "message": "the daemon ends"}', ""),
        ('[{"name": "web"}]', ""),
        ("7", ""),
    ],
    ids=["another", "itself", "several", "one for several", "nobody", "strange", "error", "short", "number"],
)  # fmt: skip
def test_who_waits_for_another_command_is_told_which(tmp_path, monkeypatch, capsys, at_work, told):
    monkeypatch.setattr(wire, "WAITING_S", 0.05)
    asked_for = []

    def answer(listener):
        slow, _ = listener.accept()
        with slow:
            asked_for.append(heard(slow))
            quick, _ = listener.accept()
            with quick:
                asked_for.append(heard(quick))
                quick.sendall(whole(at_work.encode()))
            slow.sendall(whole(b"{}"))

    with listening(home_of(tmp_path).socket) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        assert Client(home_of(tmp_path)).delete("/containers/web") == {}
        thread.join(60)
        assert not thread.is_alive()
    assert asked_for == ["DELETE /v1/containers/web HTTP/1.1", "GET /v1/at-work?container=web HTTP/1.1"]
    assert capsys.readouterr().err == told
