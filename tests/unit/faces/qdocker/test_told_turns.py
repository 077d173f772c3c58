"""What a command tells of those that it waits for, of every container once."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from engines.nodes import WAIT_S
from engines.served import served
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import Home


@pytest.fixture
def engine(tmp_path):
    """Answers where a client of the folder looks for it."""
    home = Home(tmp_path)
    with ContainerEngine(Config(), tmp_path / "engine") as engine, served(engine, home.socket):
        yield engine


def told(engine, tmp_path, capsys, names, held):
    """Lines on stderr of a command about some containers, while others are at them."""
    with ExitStack() as stack:
        for name, doing in held.items():
            stack.enter_context(engine.lifecycle._ctx.names.hold(name, doing))
        client = Client(Home(tmp_path))
        # Of a request that is about to be made: all of them began before it.
        client._tell_who_is_at({"container": names}, time.monotonic() + WAIT_S)
    return sorted(line.partition(", which began")[0] for line in capsys.readouterr().err.splitlines())


def test_every_container_is_told_that_is_waited_for(engine, tmp_path, capsys):
    lines = told(engine, tmp_path, capsys, ["web", "db", "free"], {"web": "rm", "db": "rm"})
    assert lines == ["db: waiting for rm", "web: waiting for rm"]


@pytest.mark.parametrize("doing", ["create-cluster shop", "nodes rm na"])
def test_one_command_about_many_is_told_once(engine, tmp_path, capsys, doing):
    held = {"web": doing, "db": doing, "cache": "run"}
    lines = told(engine, tmp_path, capsys, list(held), held)
    assert lines == ["cache: waiting for run", f"web: waiting for {doing}"]


def test_thousands_are_not_too_many(engine, tmp_path, capsys):
    many = [f"{number:04d}-{'x' * 123}" for number in range(4000)]
    assert told(engine, tmp_path, capsys, many, {many[7]: "rm"}) == [f"{many[7]}: waiting for rm"]
