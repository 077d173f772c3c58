"""What is read together is of one moment, and waits for nobody who writes."""

from __future__ import annotations

import threading

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import StoreError


def in_a_thread(work):
    """What it returns, in a thread of its own; None when it has not ended after 15 s."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(15.0)
    return found[0] if found else None


def names(store):
    return sorted(record.name for record in store.containers.all())


def test_a_snapshot_is_of_one_moment(tmp_path):
    with Home(tmp_path) as home:
        home.create("one")
        with home.store.snapshot():
            assert names(home.store) == ["one"]
            assert in_a_thread(lambda: home.create("two").name) == "two"
            assert names(home.store) == ["one"]
            assert len(home.store.registers.all()) == 1
            with home.store.snapshot():
                assert names(home.store) == ["one"], "a part of the outer one"
            assert in_a_thread(lambda: names(home.store)) == ["one", "two"]
            with home.store.transaction():
                assert names(home.store) == ["one", "two"], "what it changes, it must see"
        assert names(home.store) == ["one", "two"]


def test_what_is_shown_waits_for_no_transaction(tmp_path):
    """An import of a large state is in one for many seconds."""
    with Home(tmp_path) as home:
        home.create("one")
        with home.store.transaction():
            home.store.containers.delete(home.record("one").id)
            assert home.engine.views.containers() == (), "inside it is seen"
            shown = in_a_thread(lambda: (home.engine.views.status(), home.engine.views.containers()))
            assert shown is not None, "it waits"
            status, views = shown
            assert (status["containers"]["total"], [view.record.name for view in views]) == (1, ["one"])
            circuits = home.engine.circuits
            for ask in (home.engine.views.inspect, circuits.probabilities, circuits.group, circuits.circuit):
                assert in_a_thread(lambda ask=ask: ask("one")) is not None, "it waits"


def test_an_error_inside_ends_the_snapshot(tmp_path):
    with Home(tmp_path) as home:
        with pytest.raises(StoreError, match="of the caller"), home.store.snapshot():
            raise StoreError("of the caller")
        home.create("one")
        assert names(home.store) == ["one"]
        home.check()


def test_an_error_inside_is_told_also_where_the_database_has_ended_the_snapshot(tmp_path):
    with Home(tmp_path) as home:
        database = home.store._database

        def fail():
            with home.store.snapshot():
                database._snapshots.connection.exec_driver_sql("ROLLBACK")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        home.create("one")
        with home.store.snapshot():
            assert names(home.store) == ["one"]


def test_containers_and_registers_that_are_shown_are_of_one_moment(tmp_path, monkeypatch):
    with Home(tmp_path) as home:
        home.create("one")
        home.create("two")
        every, done = home.store.containers.all, []

        def entangled_meanwhile():
            found = every()
            if not done:
                done.append(True)
                assert in_a_thread(lambda: home.engine.circuits.entangle("one", "two")) is not None
            return found

        monkeypatch.setattr(home.store.containers, "all", entangled_meanwhile)
        before = home.engine.circuits.picture()[1]
        assert done
        assert [len(register.members) for register in before.values()] == [1, 1]
        assert [len(register.members) for register in home.engine.circuits.picture()[1].values()] == [2, 2]
