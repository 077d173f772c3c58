"""Work on nodes when the engine is being closed: what has not begun is given up, and nobody waits for it."""

from __future__ import annotations

import threading
from concurrent.futures import wait

from tests.unit.control.containers.homes import Stuck

from engines.nodes import WAIT_S, wait_until
from qrealm.control.containers.mending import AT_ONCE, Mending


def test_whoever_waits_for_what_is_queued_is_let_go_when_nothing_is_begun_any_more():
    mending, released, done = Mending(), Stuck(), []

    def work(number):
        released.wait(WAIT_S)
        done.append(number)

    tasks = [mending.submit("na", number, lambda n=number: work(n)) for number in range(AT_ONCE + 4)]
    let_go = []

    def wait_for_all():
        wait(tasks)
        let_go.append(sorted(done))

    waiter = threading.Thread(target=wait_for_all, daemon=True)
    waiter.start()
    assert released.entered.wait(WAIT_S)
    wait_until(lambda: sum(task.running() for task in tasks) == AT_ONCE)
    closing = threading.Thread(target=mending.close, daemon=True)
    closing.start()
    # What is queued is given up before what is under way has ended.
    assert wait(tasks[AT_ONCE:], WAIT_S).not_done == set()
    assert mending.submit("nb", "other", lambda: done.append("other")) is None
    released.set()
    for thread in (closing, waiter):
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert let_go == [list(range(AT_ONCE))]
    assert [task.cancelled() for task in tasks[AT_ONCE:]] == [True] * 4
    # Nothing is under way, though some has not been done.
    assert mending.wait(WAIT_S)


def test_stopping_waits_for_nothing_and_closing_does():
    mending, released = Mending(), Stuck()
    task = mending.submit("na", "piece", released.wait)
    assert released.entered.wait(WAIT_S)
    mending.stop()
    assert not task.done()
    assert mending.submit("na", "other", released.wait) is None
    released.set()
    mending.close()
    assert task.done()
