"""The database is lost, and what labels say is all that is left."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.control.containers import engine as engines


def lose_database(home):
    home.close()
    for path in (home.path / "home").glob("qdocker.db*"):
        path.unlink()
    home.open()


def test_what_is_lost_with_it_is_told(tmp_path):
    """Groups were dissolved and measured states forgotten without a word."""
    with Home(tmp_path) as home:
        for name in ("web", "job", "log"):
            home.create(name)
        home.engine.circuits.entangle("web", "job")
        home.engine.circuits.measure("log")
        assert home.engine.notices == ()
        lose_database(home)
        (told,) = home.engine.notices
        assert "3 containers were found by their labels" in told
        assert all(name in told for name in ("web", "job", "log"))
        assert "which were entangled, and what was measured, is not known any more" in told
        assert home.store.relations.all() == ()
        adopted = [event for event in home.engine.views.events() if event.action == "adopt"]
        assert {event.name for event in adopted} == {"web", "job", "log"}
        assert adopted[0].attributes["register"] == "as declared, without relations and outcomes"
        assert sorted(home.engine.upkeep.maintenance().adopted) == ["job", "log", "web"]
        assert home.engine.upkeep.maintenance().adopted == ()
        home.check()
        home.reopen()
        assert home.engine.notices == (), "they are known now"
        home.create("new")


@pytest.mark.parametrize(("count", "words"), [(1, "a container was found"), (3, "c0, c1 and 1 more")])
def test_many_are_counted(tmp_path, monkeypatch, count, words):
    monkeypatch.setattr(engines, "_NAMES_TOLD", 2)
    with Home(tmp_path, ("na",)) as home:
        for number in range(count):
            home.create(f"c{number}")
        lose_database(home)
        assert words in home.engine.notices[0]


def test_what_comes_back_with_its_node_is_told_by_maintenance(tmp_path):
    with Home(tmp_path) as home:
        home.create("web", node="na")
        home.faults.away.add("na")
        lose_database(home)
        assert home.engine.notices == ()
        home.come_back("na")
        assert home.engine.upkeep.maintenance().adopted == ("web",)
