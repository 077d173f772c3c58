"""Commands about one container take turns, and those who wait can see whose turn it is."""

from __future__ import annotations

import threading

import pytest

from qrealm.control.containers.context import NameLocks


def doing(locks):
    return {work.name: work.doing for work in locks.at_work()}


def test_who_holds_a_name_is_told_until_it_is_given_back():
    locks = NameLocks()
    with locks.hold("web", "create"), locks.hold("db", "rm"):
        assert doing(locks) == {"web": "create", "db": "rm"}
    assert doing(locks) == {}


def test_what_is_done_within_something_is_part_of_it():
    locks = NameLocks()
    with locks.hold("web", "maintenance"):
        (before,) = locks.at_work()
        with locks.hold("web", "a move"):
            assert locks.at_work() == (before,)
        assert locks.at_work() == (before,)
    assert locks.at_work() == ()


def test_what_fails_is_over():
    locks = NameLocks()
    with pytest.raises(ZeroDivisionError), locks.hold("web", "run"):
        raise ZeroDivisionError
    assert locks.at_work() == ()


def test_the_next_is_told_when_it_has_its_turn():
    locks = NameLocks()
    began, end = threading.Event(), threading.Event()

    def next_one():
        with locks.hold("web", "rm"):
            began.set()
            assert end.wait(30)

    with locks.hold("web", "create"):
        thread = threading.Thread(target=next_one)
        thread.start()
        assert not began.wait(0.05)
        assert doing(locks) == {"web": "create"}
    assert began.wait(30)
    assert doing(locks) == {"web": "rm"}
    end.set()
    thread.join(30)
    assert doing(locks) == {}
