"""A removal of a node that closing breaks off: nothing is forgotten that is still there, and the next start
finishes it."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from tests.unit.control.containers.homes import Home, stuck

from engines.nodes import WAIT_S
from qrealm.base.errors import EngineUnavailableError, QrealmError
from qrealm.control.containers.values import NodeState

NAMES = ["one", "three", "two"]


def filled(path):
    home = Home(path)
    home.open()
    for name in NAMES:
        home.create(name, node="na")
        home.engine.lifecycle.run(name, force=True)
    return home


def names(home):
    return sorted(record.name for record in home.store.containers.all())


@contextmanager
def closing(home, command):
    """The engine is closed while a command waits for node na to remove something; how the command ends."""
    ended = []

    def work():
        try:
            ended.append(command())
        except QrealmError as problem:
            ended.append(problem)

    thread = threading.Thread(target=work, daemon=True)
    with stuck(home, ("na", "remove")) as waits:
        thread.start()
        assert waits.entered.wait(WAIT_S)
        home.engine.close(lambda: thread.join(WAIT_S))
        assert not thread.is_alive()
    home.close()
    home.open()
    yield ended


def test_a_removal_of_a_node_that_closing_breaks_off_is_finished_after_the_start(tmp_path):
    home = filled(tmp_path)
    nodes = home.engine.nodes
    with closing(home, lambda: nodes.remove("na", force=True)) as ended:
        (problem,) = ended
        assert isinstance(problem, EngineUnavailableError)
        assert str(problem).splitlines()[0].endswith("node 'na': the engine is being closed")
        assert problem.hint == "the next start finishes its removal"
        assert home.store.nodes.get("na").state is NodeState.DRAINING
        assert home.engine.nodes._removing.begun() == ["na"]
        # The one that was being removed is gone with the start, which finishes it.
        assert len(names(home)) == len(home.there("na")) == 2
        home.rounds(2)
        assert (names(home), home.there("na")) == ([], [])
        assert [node.name for node in home.store.nodes.all()] == ["nb"]
        home.check()
    home.close()


def test_a_finishing_that_closing_breaks_off_is_begun_again_and_is_no_problem(tmp_path):
    home = filled(tmp_path)
    nodes = home.engine.nodes
    with closing(home, lambda: nodes.remove("na", force=True)):
        removing = home.engine.nodes._removing
    with closing(home, lambda: removing.go_on("na")) as ended:
        assert ended == [None]
        assert home.engine.nodes._removing.begun() == ["na"]
        assert ("problem", "na") not in home.events("engine")
        assert len(names(home)) == len(home.there("na")) == 1
        home.rounds(2)
        assert (names(home), home.there("na")) == ([], [])
        home.check()
    home.close()


@pytest.mark.parametrize("by", ["name", "node"])
def test_nothing_is_forgotten_once_the_connections_are_closed(tmp_path, by):
    home = filled(tmp_path)
    home.engine._ctx.drivers.close()
    home.engine.watch.stop()
    engine = home.engine
    command, what = (engine.lifecycle.remove, "one") if by == "name" else (engine.nodes.remove, "na")
    with pytest.raises(EngineUnavailableError):
        command(what, force=True)
    assert names(home) == NAMES
    home.reopen()
    home.rounds(2)
    assert names(home) == (NAMES if by == "name" else [])
    assert sorted(facts.name for facts in home.there("na")) == names(home)
    home.close()
