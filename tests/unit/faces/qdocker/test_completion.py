"""What is completed is what is taken."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.half_answers import heard, listening, whole
from qrealm.circuits.gate_rows import GATES
from qrealm.control.containers.registers.gates import _fits_containers
from qrealm.faces.qdocker.app import COMMANDS, NODE_COMMANDS, option_names
from qrealm.faces.qdocker.completion import Shell, complete, completion
from qrealm.faces.qdocker.filters import CONTAINER_KEYS, EVENT_TYPES, NODE_DRIVERS, STATES


@pytest.fixture(params=list(Shell))
def rows(request, capsys) -> dict[str, list[str]]:
    """What a script chooses from, by place."""
    completion(request.param)
    found = re.findall(r"^    '?([^']*?)'?\) wanted='?([^']*?)'? ;;$", capsys.readouterr().out, re.MULTILINE)
    return {place: words.split() for place, words in found}


def test_every_gate_of_a_register_and_no_other_is_completed(rows):
    taken = [name.upper() for name, row in GATES.items() if _fits_containers(row)]
    assert len(taken) > 40
    assert rows["apply-gate 1"] == taken


def test_commands_and_their_options_are_completed(rows):
    assert {*COMMANDS, "nodes"} < set(rows[""])
    assert set(NODE_COMMANDS) < set(rows["nodes"])
    for name in (*COMMANDS, *(f"nodes {each}" for each in NODE_COMMANDS)):
        assert set(rows[f"{name} options"]) == set(option_names(name))


def test_filters_are_completed(rows):
    for option in ("--filter", "-f"):
        assert rows[f"ps {option}"] == [f"{key}=" for key in CONTAINER_KEYS]
        assert rows[f"ps {option} status="] == list(STATES)
        assert rows[f"ps {option} node="] == ["@nodes"]
        assert rows[f"events {option} type="] == list(EVENT_TYPES)
        assert rows[f"nodes ls {option}"] == ["name=", "label=", "status=", "driver="]
        assert rows[f"nodes ls {option} status="] == ["ready", "draining", "lost"]
        assert rows[f"nodes ls {option} driver="] == list(NODE_DRIVERS)


def test_values_are_those_of_the_help(rows):
    assert rows["entangle --mode"] == ["same", "opposite", "spread"]
    assert rows["nodes add --driver"] == list(NODE_DRIVERS)
    assert rows["create --pull"] == ["missing", "always", "never"]
    assert rows["ps --format"] == ["table", "json"]
    assert rows["inspect -f"] == ["json"]
    assert rows["export-state -f"] == ["@files"]
    assert "--force" not in rows["run valued"]


@pytest.fixture
def home(monkeypatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("QUANTUM_DOCKER_HOME", folder)
        yield Path(folder)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (whole(b'{"nodes": ["one", "two"]}'), "one\ntwo\n"),
        (whole(b'{"code": "daemon.version"}', b"409 Conflict"), ""),
        (whole(b"<html>", b"404 Not Found"), ""),
        (whole(b"<html>"), ""),
        (whole(b"[1]"), ""),
        (whole(b'{"nodes": 3}'), ""),
        (whole(b'{"containers": ["web"]}'), ""),
        (b"", ""),
        (b"SSH-2.0\r\n", ""),
    ],
)
def test_whatever_a_daemon_answers_is_no_error(home, capsys, answer, told):
    with listening(home / "qdocker.sock") as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                assert heard(connection) == "GET /v1/names HTTP/1.1"
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        assert complete(["nodes"]) == 0
        server.join()
    assert capsys.readouterr() == (told, "")


def test_without_a_daemon_nothing_is_told(home, capsys):
    assert complete(["nodes"]) == 0
    assert complete([]) == 0
    assert list(home.iterdir()) == []
    assert capsys.readouterr() == ("", "")
