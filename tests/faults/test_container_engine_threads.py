"""The container engine used by many threads at once, and on a disk that is full."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import InternalError, NameTakenError, QrealmError
from qrealm.control.containers.values import NodeState

THREADS = 6
ROUNDS = 25
DEADLOCK_S = 60.0


def together(works, timeout_s=DEADLOCK_S):
    """Do all at once, each in a thread of its own; what each returned or raised."""
    barrier = threading.Barrier(len(works))

    def begin(work):
        barrier.wait()
        return work()

    pool = ThreadPoolExecutor(len(works))
    futures = [pool.submit(begin, work) for work in works]
    _, stuck = wait(futures, timeout_s)
    pool.shutdown(wait=not stuck)
    assert not stuck, f"{len(stuck)} threads wait for each other"
    return [future.exception() or future.result() for future in futures]


def hammer(home, seed):
    """Operations at random on a few names that all threads share; only the tree's own errors may come."""
    rng = random.Random(seed)
    engine = home.engine
    done = 0
    for _ in range(ROUNDS):
        one, other = rng.sample([f"c{n}" for n in range(6)], 2)
        what = rng.choice(
            (
                partial(home.create, one, host_port=rng.choice((None, 7000))),
                partial(engine.lifecycle.run, one, force=True),
                partial(engine.lifecycle.run, one),
                partial(engine.lifecycle.stop, one),
                partial(engine.lifecycle.remove, one, force=True),
                partial(engine.circuits.entangle, one, other, rng.choice(("same", "opposite", "spread"))),
                partial(engine.circuits.measure, one),
                partial(engine.circuits.apply_gate, "CX", [one, other]),
                partial(engine.balancing.rebalance),
                partial(engine.upkeep.maintenance),
                partial(engine.views.status),
                partial(engine.views.containers),
                partial(engine.snapshots.export),
            )
        )
        try:
            what()
            done += 1
        except QrealmError as problem:
            if isinstance(problem, InternalError):
                raise
    return done


@pytest.mark.parametrize("seed", [1, 2])
def test_threads_do_not_wait_for_each_other_and_leave_order(quick_path, seed):
    with Home(quick_path) as home:
        found = together([partial(hammer, home, seed * 100 + n) for n in range(THREADS)])
        for each in found:
            if isinstance(each, BaseException):
                raise each
        assert sum(found) > THREADS * ROUNDS / 4
        home.check()


def test_nodes_that_come_and_go_while_threads_work(quick_path):
    with Home(quick_path, ("na", "nb", "nc")) as home:
        ended = threading.Event()

        def come_and_go():
            rng = random.Random(5)
            while not ended.is_set():
                name = rng.choice(("na", "nb"))
                home.lose(name)
                home.come_back(name)
            return 1

        def work(seed):
            try:
                return hammer(home, seed)
            finally:
                through.append(seed)
                if len(through) == count:
                    ended.set()

        through, count = [], THREADS - 2
        found = together([come_and_go, *(partial(work, 900 + n) for n in range(count))])
        for each in found:
            if isinstance(each, BaseException):
                raise each
        # What was being done on a node while it was lost is put right by the next comparison.
        home.come_back("na", "nb")
        home.clock.advance(10)
        home.engine.watch.look()
        home.engine.upkeep.maintenance()
        assert {node.state for node in home.store.nodes.all()} == {NodeState.READY}
        home.check()


def test_of_two_who_create_one_name_at_once_exactly_one_wins(quick_path):
    with Home(quick_path, max_containers=20) as home:
        for n in range(5):
            found = together([partial(home.create, f"name{n}") for _ in range(4)])
            refused = [each for each in found if isinstance(each, NameTakenError)]
            assert len(refused) == 3, found
        assert len(home.store.containers.all()) == 5
        home.check()


def test_the_last_room_is_given_once(quick_path):
    with Home(quick_path, ("na",), memory_mib=1000) as home:
        found = together([partial(home.create, f"name{n}", memory_mib=600) for n in range(4)])
        assert sum(isinstance(each, QrealmError) for each in found) == 3, found
        home.check()


def test_removed_and_run_at_once(quick_path):
    with Home(quick_path) as home:
        for _ in range(8):
            home.create("web", probability=1.0)
            found = together(
                [
                    partial(home.engine.lifecycle.run, "web"),
                    partial(home.engine.lifecycle.remove, "web", force=True),
                ]
            )
            assert found[1] == "web"
            assert home.store.containers.all() == ()
            home.check()


def test_an_export_in_the_middle_of_work_is_whole(quick_path):
    with Home(quick_path / "one") as home:
        for name in ("aa", "bb", "cc"):
            home.create(name)
        circuits = home.engine.circuits
        works = [partial(circuits.entangle, "aa", "bb"), partial(circuits.measure, "aa")]
        found = together([*works, home.engine.snapshots.export, partial(home.create, "dd")])
        document = json.loads(json.dumps(found[2]))
    for node in document["nodes"]:
        node["endpoint"]["folder"] = str(quick_path / "two" / "nodes")
    with Home(quick_path / "two") as other:
        other.engine.snapshots.import_(document)
        other.check()
