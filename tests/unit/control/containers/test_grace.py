"""How long a container has from SIGTERM to SIGKILL, whoever stops it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Node

from qrealm.base.errors import EngineUnavailableError, RequestError

NAME = "web"
OWN_S = 75.0


@pytest.fixture
def graces(home, monkeypatch):
    """What engines are told, in order; the container is there and runs."""
    told = []
    stop = Node.stop

    def noted(self, engine_id, grace_s):
        told.append(grace_s)
        stop(self, engine_id, grace_s)

    monkeypatch.setattr(Node, "stop", noted)
    home.create(NAME, node="na", probability=1.0, grace_s=OWN_S)
    home.engine.lifecycle.run(NAME)
    return told


def test_a_stop_gives_its_own(home, graces):
    home.engine.lifecycle.stop(NAME)
    assert graces == [OWN_S]


def test_a_stop_gives_what_it_is_told(home, graces):
    home.engine.lifecycle.stop(NAME, 2.0)
    assert graces == [2.0]


def test_an_outcome_gives_its_own(home, graces):
    home.engine.circuits.apply_gate("X", [NAME])
    home.engine.lifecycle.run(NAME)
    assert graces == [OWN_S]


def test_a_move_gives_its_own(home, graces):
    home.engine.nodes.drain("na")
    assert home.record(NAME).node == "nb"
    assert graces == [OWN_S]


def test_a_stop_that_was_cut_off_gives_its_own(home, graces):
    home.faults.arm(1, only=("stop",))
    with pytest.raises(EngineUnavailableError):
        home.engine.lifecycle.stop(NAME, 2.0)
    home.faults.disarm()
    home.engine.upkeep.maintenance()
    assert not home.runs(NAME)
    assert graces == [2.0, OWN_S]


@pytest.mark.parametrize("grace_s", [-1.0, 86_401.0, float("nan"), float("inf")])
def test_a_container_that_would_have_one_of_no_sense(home, grace_s):
    with pytest.raises(RequestError, match=r"create got a grace of .*; it must be from 0 to 86,400"):
        home.create("api", grace_s=grace_s)
    assert home.store.containers.all() == ()


def test_one_that_is_unhealthy_is_given_its_own_before_it_starts_again(home, graces, monkeypatch):
    inspect = Node.inspect
    monkeypatch.setattr(Node, "inspect", lambda *args: replace(inspect(*args), health="unhealthy"))
    home.engine.upkeep.maintenance()
    assert graces == [OWN_S]
    assert home.runs(NAME)
