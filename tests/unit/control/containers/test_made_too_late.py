"""What an engine makes when nobody waits for it any more is removed, and its name is free again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Node

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NoSuchContainerError
from qrealm.control.containers.reconcile import Found, Reconcile
from qrealm.control.containers.values import Phase
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, LABEL_ENGINE
from qrealm.fleet.containers.simulated import SimulatedDriver


class CutOffError(BaseException):
    """Ends a command where it stands, as the end of its process does."""


def begun(home, monkeypatch, error):
    """The specification of a container whose creation broke off before its engine had made it."""
    specs = []

    def create(self, spec):
        specs.append(spec)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Node, "create", create)
        if not isinstance(error, EngineUnavailableError):
            patch.setattr("qrealm.control.containers.lifecycle.Lifecycle._undo", lambda *_: None)
        with pytest.raises(type(error)):
            home.create("ghost", node="na")
    return specs[0]


@pytest.mark.parametrize("error", [CutOffError(), EngineUnavailableError("no answer within 60 s")])
def test_what_its_engine_made_after_all_is_removed(tmp_path, monkeypatch, error):
    with Home(tmp_path) as home:
        spec = begun(home, monkeypatch, error)
        if isinstance(error, CutOffError):
            assert home.record("ghost").phase is Phase.CREATING
            home.reopen()
        with pytest.raises(NoSuchContainerError):
            home.record("ghost")
        home.rounds(3)
        SimulatedDriver(home.endpoints["na"]).create(spec)
        assert len(home.there("na")) == 1
        home.rounds(3)
        assert home.there("na") == []
        assert home.create("ghost", node="na").name == "ghost"
        home.rounds(3)
        home.check()


def test_what_cannot_be_removed_is_told_once_and_tried_again(tmp_path, monkeypatch):
    with Home(tmp_path) as home:
        SimulatedDriver(home.endpoints["na"]).create(begun(home, monkeypatch, EngineUnavailableError("late")))
        tried = []

        def refuse(self, engine_id, **how):
            tried.append(engine_id)
            raise EngineRefusalError("na refuses remove")

        with monkeypatch.context() as patch:
            patch.setattr(Node, "remove", refuse)
            home.rounds(5)
        assert len(home.there("na")) == 1
        assert len(tried) > 1
        home.rounds(3)
        assert home.there("na") == []
        told = [each.attributes["problem"] for each in home.engine.views.events() if each.action == "problem"]
        assert len(told) == 1
        assert told[0].endswith("on na: na refuses remove")


def test_what_has_no_seal_of_ours_is_left_alone(tmp_path, monkeypatch):
    with Home(tmp_path) as home:
        spec = begun(home, monkeypatch, EngineUnavailableError("late"))
        labels = {name: spec.labels[name] for name in (LABEL_CONTAINER, LABEL_ENGINE)}
        driver = SimulatedDriver(home.endpoints["na"])
        engine_id = driver.create(replace(spec, labels=labels))
        looks = []
        monkeypatch.setattr(Reconcile, "left_behind", lambda *args: looks.append(args) or Found())
        home.rounds(3)
        assert looks == [], "it is looked at for 30 days"
        assert [facts.engine_id for facts in home.there("na")] == [engine_id]
        driver.remove(engine_id, force=True)
