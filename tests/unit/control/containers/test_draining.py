"""Drains that were cut off are gone on with; what cannot be moved is told, once."""

from __future__ import annotations

import threading

import pytest
from tests.unit.control.containers.homes import Home, stuck

from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.draining import RETRY_S, TRIES_MAX
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.values import NodeState, Phase


class CutOffError(BaseException):
    """Ends a command where it stands, as the end of its process does."""


def cut_off(home, monkeypatch, node="na"):
    def end(*_):
        raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr(Balancing, "empty", end)
        with pytest.raises(CutOffError):
            home.engine.nodes.drain(node)
    home.reopen()


def rounds(home, number=1):
    for _ in range(number):
        home.clock.advance(RETRY_S * 2**TRIES_MAX)
        home.engine.watch.look()


def problems(home):
    return [name for action, name in home.events("engine") if action == "problem"]


def places(home):
    return {record.name: record.node for record in home.store.containers.all()}


def test_a_drain_that_was_cut_off_is_gone_on_with_after_the_start(home, monkeypatch):
    for name in ("one", "two"):
        home.create(name, node="na")
    home.engine.lifecycle.run("one", force=True)
    cut_off(home, monkeypatch)
    assert places(home) == {"one": "na", "two": "na"}
    rounds(home)
    assert places(home) == {"one": "nb", "two": "nb"}
    assert home.runs("one")
    assert home.store.nodes.get("na").state is NodeState.DRAINING
    # It is over: what somebody has there later stays until it is asked for.
    assert home.engine.nodes._draining.begun() == []
    assert problems(home) == []


def test_what_finds_no_room_is_told_once_and_stays(home, monkeypatch):
    home.create("large", node="na", memory_mib=3000)
    home.create("there", node="nb", memory_mib=2000)
    cut_off(home, monkeypatch)
    rounds(home, 3)
    assert places(home) == {"large": "na", "there": "nb"}
    assert problems(home) == ["large"]
    (event,) = [each for each in home.engine.views.events() if each.action == "problem"]
    assert event.attributes["problem"] == (
        "large stays on na, which is draining: no other node takes it; nb: needs 904 MiB more memory"
    )


def test_a_move_that_fails_is_tried_again_a_few_times_and_told_once(home, monkeypatch):
    home.create("web", node="na")
    cut_off(home, monkeypatch)
    home.faults.arm(1, "refused before", ("create",))
    rounds(home)
    assert (places(home), problems(home)) == ({"web": "na"}, ["web"])
    home.faults.disarm()
    rounds(home)
    assert (places(home), problems(home)) == ({"web": "nb"}, ["web"])


def test_one_that_always_fails_is_given_up(home, monkeypatch):
    home.create("web", node="na")
    cut_off(home, monkeypatch)
    tried = []

    def fail(_, reference, target):
        tried.append((reference, target))
        home.engine._ctx.store.nodes.get("nowhere")

    monkeypatch.setattr(Moves, "move", fail)
    rounds(home, TRIES_MAX + 3)
    assert tried == [("web", "nb")] * TRIES_MAX
    assert problems(home) == ["web"]


def test_an_opened_or_removed_node_is_not_emptied(home, monkeypatch):
    home.create("web", node="na")
    cut_off(home, monkeypatch)
    home.engine.nodes.activate("na")
    rounds(home, 2)
    assert places(home) == {"web": "na"}
    cut_off(home, monkeypatch)
    home.engine.nodes.remove("na", force=True)
    assert home.engine.nodes._draining.begun() == []


def test_what_is_half_made_is_waited_for(home, monkeypatch):
    home.create("web", node="na")
    home.engine._ctx.change(home.record("web").id, phase=Phase.MAKING_AGAIN)
    cut_off(home, monkeypatch)
    rounds(home, 2)
    assert places(home) == {"web": "nb"}


def test_a_drain_that_closing_breaks_off_is_gone_on_with(home):
    for name in ("one", "two"):
        home.create(name, node="na")
    with stuck(home, ("nb", "create")) as waits:
        drain = threading.Thread(target=home.engine.nodes.drain, args=("na",))
        drain.start()
        assert waits.entered.wait(15)
        home.engine.watch.stop()
        waits.set()
        drain.join()
    home.reopen()
    assert places(home) == {"one": "na", "two": "na"}
    rounds(home)
    assert places(home) == {"one": "nb", "two": "nb"}


def test_a_drain_that_ended_is_not_gone_on_with(tmp_path):
    with Home(tmp_path) as home:
        home.create("large", node="na", memory_mib=3000)
        home.create("there", node="nb", memory_mib=2000)
        assert "large" in home.engine.nodes.drain("na").stays
        home.engine.lifecycle.remove("there")
        home.reopen()
        rounds(home, 2)
        assert places(home) == {"large": "na"}
        assert home.store.nodes.get("na").state is NodeState.DRAINING


def activating(home, monkeypatch, activate):
    """With the first move somebody does something about the node; the names of what is moved."""
    real, moved = Moves.move, []

    def move(self, reference, target):
        real(self, reference, target)
        moved.append(reference)
        if len(moved) == 1:
            activate()

    monkeypatch.setattr(Moves, "move", move)
    return moved


def test_a_node_that_is_opened_again_is_not_emptied_any_more(home, monkeypatch):
    for name in ("one", "two", "three"):
        home.create(name, node="na")
    moved = activating(home, monkeypatch, lambda: home.engine.nodes.activate("na"))
    report = home.engine.nodes.drain("na")
    assert len(moved) == 1
    assert sorted(move.done for move in report.moves) == [False, False, True]
    left = {"one", "two", "three"} - set(moved)
    assert report.stays == dict.fromkeys(left, "node 'na' takes containers again")
    assert {places(home)[name] for name in left} == {"na"}
    assert home.store.nodes.get("na").state is NodeState.READY
    assert home.engine.nodes._draining.begun() == []


def test_a_drain_that_is_gone_on_with_ends_when_the_node_is_opened_again(home, monkeypatch):
    for name in ("one", "two", "three"):
        home.create(name, node="na")
    cut_off(home, monkeypatch)
    moved = activating(home, monkeypatch, lambda: home.engine.nodes.activate("na"))
    rounds(home, 2)
    assert len(moved) == 1
    assert sorted(places(home).values()) == ["na", "na", "nb"]
    assert home.engine.nodes._draining._tries == {}


def test_a_node_that_is_lost_while_it_is_drained_is_told_as_lost(home, monkeypatch):
    for name in ("one", "two"):
        home.create(name, node="na")
    node = home.store.nodes.get("na")
    lost = lambda: home.engine.watch.lose(node, "gone")  # noqa: E731
    moved = activating(home, monkeypatch, lost)
    report = home.engine.nodes.drain("na")
    (left,) = {"one", "two"} - set(moved)
    assert report.stays == {left: "node 'na' is lost"}
    home.engine.watch.look()
