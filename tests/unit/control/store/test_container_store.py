"""The store: every table, transactions, events that are waited for."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.nodes import wait_until
from qrealm.base.errors import InternalError, NameTakenError, NoSuchContainerError, StoreError
from qrealm.control.containers.values import Relation
from qrealm.control.store.containers import ContainerStore
from unit.control.store import records


@pytest.fixture
def store(tmp_path):
    with ContainerStore(tmp_path / "qdocker.db") as opened:
        yield opened


@contextmanager
def undone(store):
    """A transaction that fails at its end."""
    with suppress(ZeroDivisionError), store.transaction():
        yield
        raise ZeroDivisionError


def reopened(store, tmp_path):
    store.close()
    return ContainerStore(tmp_path / "qdocker.db")


def test_everything_is_there_after_reopening(store, tmp_path):
    first, second = records.container(1), records.container(2, cluster="shop")
    group = records.register(1, 2)
    with store.transaction():
        store.containers.save(first)
        store.containers.save(second)
        store.nodes.save(records.node("a"))
        store.registers.save([group])
        store.relations.save([Relation(first.id, second.id, "same")])
        event = store.events.append(5.0, "container", "create", "web-1", {"image": "nginx"})
        decision = store.decisions.append(records.decision("web-1"))
        store.messages.save(records.message(1))
        store.identities.save(first.id, b"\0secret")
        store.settings.set("measurements", "7")
    engine_id = store.engine_id
    with reopened(store, tmp_path) as again:
        assert again.engine_id == engine_id
        assert len(engine_id) == 16
        assert again.containers.all() == (first, second)
        assert again.nodes.all() == (records.node("a"),)
        assert records.same_register(again.registers.of(second.id), group)
        assert again.relations.all() == (Relation(first.id, second.id, "same"),)
        assert again.events.all() == (event,)
        assert again.decisions.all() == (decision,)
        assert again.messages.all() == (records.message(1),)
        assert again.identities.get(first.id) == b"\0secret"
        assert again.settings.get("measurements") == "7"
        assert again.check() == ()


def test_two_databases_have_two_engine_ids(store, tmp_path):
    with ContainerStore(tmp_path / "other.db") as other:
        assert other.engine_id != store.engine_id


def test_containers_by_name_id_and_prefix(store):
    ids = ["a" * 4 + "b" + "0" * 59, "a" * 4 + "c" + "0" * 59, "b" + "1" * 63]
    for number, container_id in enumerate(ids):
        store.containers.save(replace(records.container(number), id=container_id))
    assert store.containers.get("web-1").id == ids[1]
    assert store.containers.find("web-2").id == ids[2]
    assert store.containers.find(ids[0]).name == "web-0"
    assert store.containers.find("aaaac").name == "web-1"
    assert store.containers.find("b111").name == "web-2"
    with pytest.raises(
        NoSuchContainerError, match="several containers have an id that begins with 'aaaa': web-0, web-1"
    ):
        store.containers.find("aaaa")
    # A name that is gone is no id: `rm b11` said twice removes one container.
    for short in ("b11", "a"):
        with pytest.raises(NoSuchContainerError, match=f"no container '{short}'") as told:
            store.containers.find(short)
        assert told.value.hint == "an id is named by 4 or more of its first digits"
    # What is near is told too, after the rule.
    store.containers.save(replace(records.container(3), id="d" * 64, name="b1"))
    with pytest.raises(NoSuchContainerError, match="no container 'b11'") as told:
        store.containers.find("b11")
    assert told.value.hint == "an id is named by 4 or more of its first digits; did you mean 'b1'?"
    store.containers.delete("d" * 64)
    with pytest.raises(NoSuchContainerError, match="did you mean 'web-1'"):
        store.containers.find("wep-1")
    with pytest.raises(NoSuchContainerError, match="no container ''"):
        store.containers.find("")
    with pytest.raises(NoSuchContainerError):
        store.containers.find("%")
    with pytest.raises(NoSuchContainerError):
        store.containers.get("aaaac")
    # A name that reads like an id wins over the id.
    store.containers.save(records.container(9, name="b111"))
    assert store.containers.find("b111").name == "b111"


def test_names_are_taken_once(store):
    store.containers.save(records.container(1, name="web"))
    with pytest.raises(NameTakenError, match="'web' is taken by the container 0000"):
        store.containers.save(records.container(2, name="web"))
    store.containers.save(records.container(1, name="api"))
    store.containers.save(records.container(2, name="web"))
    assert [record.name for record in store.containers.all()] == ["api", "web"]


def test_containers_of_a_cluster_in_order(store):
    store.containers.save(records.container(3, cluster="shop", at=1.0))
    store.containers.save(records.container(1, cluster="shop", at=2.0))
    store.containers.save(records.container(2, at=1.5))
    assert [record.name for record in store.containers.all("shop")] == ["web-3", "web-1"]
    assert [record.name for record in store.containers.all()] == ["web-3", "web-2", "web-1"]
    assert store.containers.all("none") == ()


def test_nodes(store):
    for name, at in (("b", 1.0), ("a", 2.0)):
        store.nodes.save(records.node(name, at))
    changed = replace(records.node("b", 1.0), cpus=2.0)
    store.nodes.save(changed)
    assert [record.name for record in store.nodes.all()] == ["b", "a"]
    assert store.nodes.get("b") == changed
    store.nodes.delete("b")
    store.nodes.delete("b")
    with pytest.raises(NoSuchContainerError, match="no node 'b'"):
        store.nodes.get("b")


def test_a_container_is_in_one_register_only(store):
    for number in range(1, 5):
        store.containers.save(records.container(number))
    ids = [f"{number:064x}" for number in range(5)]
    store.registers.save([records.register(number) for number in (1, 2, 3, 4)])
    store.registers.save([records.register(1, 2), records.register(3, 4)])
    assert len(store.registers.all()) == 2
    store.registers.save([records.register(2, 3), records.register(1), records.register(4)])
    assert sorted(len(register.members) for register in store.registers.all()) == [1, 1, 2]
    assert records.same_register(store.registers.of(ids[2]), records.register(2, 3))
    with pytest.raises(StoreError, match="member of two"):
        store.registers.save([records.register(1, 2), records.register(2, 3)])
    assert store.check() == ()
    # What is replaced is replaced whole: the other member is left without a register, and check says so.
    store.registers.save([records.register(2)])
    assert store.registers.of(ids[3]) is None
    assert store.check() == ("container 'web-3' is a member of 0 registers; it must be of one",)
    store.registers.delete_of(ids[4])
    store.registers.delete_of(ids[4])
    assert store.registers.of(ids[4]) is None


def test_a_register_of_nobody_is_refused(store):
    with pytest.raises(StoreError, match="breaks a rule of the tables"):
        store.registers.save([records.register(1)])
    assert store.registers.all() == ()
    # The order inside a transaction does not matter.
    with store.transaction():
        store.registers.save([records.register(1)])
        store.containers.save(records.container(1))
    assert store.check() == ()


def test_what_goes_with_a_container(store):
    one, two, three = (records.container(number) for number in (1, 2, 3))
    for record in (one, two, three):
        store.containers.save(record)
        store.identities.save(record.id, b"x")
    store.registers.save([records.register(1, 2), records.register(3)])
    store.relations.save([Relation(one.id, two.id, "same"), Relation(two.id, three.id, "spread", 1)])
    with pytest.raises(StoreError, match="breaks a rule"):
        store.containers.delete(one.id)
    assert store.containers.get("web-1") == one
    with store.transaction():
        store.containers.delete(one.id)
        store.registers.save([records.register(2)])
    store.containers.delete(three.id)
    store.containers.delete(three.id)
    assert store.containers.all() == (two,)
    assert store.relations.all() == ()
    assert store.identities.get(one.id) is None
    assert store.identities.get(two.id) == b"x"
    assert len(store.registers.all()) == 1
    assert store.check() == ()


def test_relations(store):
    for number in range(4):
        store.containers.save(records.container(number))
    ids = [f"{number:064x}" for number in range(4)]
    made = [Relation(ids[a], ids[b], "same", 0, at) for a, b, at in ((0, 1, 3.0), (1, 2, 1.0), (2, 3, 2.0))]
    store.relations.save(made)
    store.relations.save([replace(made[0], mode="opposite")])
    assert [relation.mode for relation in store.relations.all()] == ["same", "same", "opposite"]
    assert store.relations.all([ids[1]]) == (made[1], replace(made[0], mode="opposite"))
    assert store.relations.all(f"{number:064x}" for number in range(3, 2000)) == (made[2],)
    assert store.relations.all([]) == ()
    store.relations.delete([made[1], made[1]])
    assert len(store.relations.all()) == 2


def test_events_by_id_time_and_type(store):
    for at in range(5):
        store.events.append(float(at), "node" if at % 2 else "container", "x", f"n{at}")
    names = lambda **options: [event.name for event in store.events.all(**options)]  # noqa: E731
    assert [event.id for event in store.events.all()] == [1, 2, 3, 4, 5]
    assert names(after_id=3) == ["n3", "n4"]
    assert names(since=1.0, until=3.0) == ["n1", "n2", "n3"]
    assert names(limit=2) == ["n0", "n1"]
    assert names(types=["node"]) == ["n1", "n3"]
    assert names(types=[]) == []
    assert store.events.last_id() == 5
    with pytest.raises(InternalError, match="type 'planet'"):
        store.events.append(0.0, "planet", "x", "y")


def test_the_oldest_events_and_decisions_go(tmp_path):
    with ContainerStore(tmp_path / "short.db", kept=300) as store:
        with store.transaction():
            for at in range(1024):
                store.events.append(float(at), "node", "x", "y")
                store.decisions.append(records.decision(f"c{at % 2}"))
        kept = store.events.all()
        assert (kept[0].id, kept[-1].id, len(kept)) == (725, 1024, 300)
        assert len(store.decisions.all()) == 300
    with ContainerStore(tmp_path / "short.db", kept=300) as store:
        assert store.events.append(0.0, "node", "x", "y").id == 1025


def test_decisions_newest_first(store):
    for number in range(4):
        assert store.decisions.append(records.decision(f"c{number % 2}", float(number))).id == number + 1
    assert [decision.at for decision in store.decisions.all()] == [3.0, 2.0, 1.0, 0.0]
    assert [decision.id for decision in store.decisions.all("c1")] == [4, 2]
    assert [decision.id for decision in store.decisions.all(limit=1)] == [4]
    assert store.decisions.all()[0].runner_up_cost == pytest.approx(0.3)


def test_messages(store):
    for number in (3, 1, 2):
        store.messages.save(records.message(number, receiver="c" if number == 1 else "b"))
    assert [int(message.id, 16) for message in store.messages.all("b")] == [3, 2]
    assert store.messages.mark_read(f"{3:032x}", 9.0).read_at == 9.0
    assert store.messages.mark_read(f"{3:032x}", 10.0).read_at == 9.0
    assert store.messages.get(f"{3:032x}").read_at == 9.0
    assert [int(message.id, 16) for message in store.messages.all("b", unread_only=True)] == [2]
    assert len(store.messages.all()) == 3
    with pytest.raises(NoSuchContainerError, match="no message 'x'"):
        store.messages.mark_read("x", 1.0)
    store.messages.delete_to("b")
    assert [message.receiver for message in store.messages.all()] == ["c"]


def test_a_transaction_is_all_or_nothing(store):
    with undone(store):
        store.nodes.save(records.node("a"))
        store.events.append(1.0, "node", "add", "a")
    assert store.nodes.all() == ()
    assert store.events.last_id() == 0
    # Numbers that were not committed are given again, so that they grow by one.
    assert store.events.append(1.0, "node", "add", "a").id == 1


def test_an_inner_part_can_fail_alone(store):
    with store.transaction():
        store.nodes.save(records.node("a"))
        with undone(store):
            store.nodes.save(records.node("b"))
            store.events.append(1.0, "node", "add", "b")
        store.containers.save(records.container(1, name="c"))
        with pytest.raises(NameTakenError):
            store.containers.save(records.container(2, name="c"))
        store.nodes.save(records.node("d"))
    assert [node.name for node in store.nodes.all()] == ["a", "d"]
    assert store.events.all() == ()
    assert len(store.containers.all()) == 1


def test_readers_see_the_last_commit(store):
    store.nodes.save(records.node("a"))
    seen = []

    def look():
        seen.append([node.name for node in store.nodes.all()])

    with store.transaction():
        store.nodes.save(records.node("b"))
        assert len(store.nodes.all()) == 2
        reader = threading.Thread(target=look)
        reader.start()
        reader.join(60.0)
        assert seen == [["a"]]
    look()
    assert seen == [["a"], ["a", "b"]]


def test_writers_take_turns(store):
    def count():
        for _ in range(25):
            with store.transaction():
                store.settings.set("n", str(int(store.settings.get("n") or 0) + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.settings.get("n") == "200"


def test_many_readers_at_once(store):
    store.containers.save(records.container(1))
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(store.containers.get("web-1"))) for _ in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [records.container(1)] * 60


def waiters(store):
    """Those who wait for an event now: whoever is woken up is none of them at once."""
    return tuple(store.events._arrived._waiters)


def test_waiting_for_events(store):
    assert not store.events.wait(0, 0.01)
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(store.events.wait(0, 600.0)))
    waiter.start()
    wait_until(lambda: waiters(store))
    with store.transaction():
        store.events.append(1.0, "node", "add", "a")
        assert len(waiters(store)) == 1, "it must not wake up before the commit"
    waiter.join(60.0)
    assert answers == [True]
    assert store.events.wait(0, 0.0)
    assert not store.events.wait(1, 0.0)


def test_what_is_rolled_back_wakes_nobody(store):
    with undone(store):
        store.events.append(1.0, "node", "add", "a")
    store.nodes.save(records.node("a"))
    assert not store.events.wait(0, 0.01)


def test_closing_lets_waiters_go(store):
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(store.events.wait(0, 600.0)))
    waiter.start()
    wait_until(lambda: waiters(store))
    store.close()
    waiter.join(60.0)
    assert answers == [False]


operations = st.lists(
    st.tuples(st.sampled_from(("save", "delete", "group", "fail")), st.integers(0, 4), st.integers(0, 4)),
    max_size=25,
)


def test_a_part_that_breaks_a_rule_fails_alone(store):
    with store.transaction():
        store.nodes.save(records.node("a"))
        store.containers.save(records.container(1))
        with pytest.raises(StoreError, match="member of two"):
            store.registers.save([records.register(1), records.register(1)])
        store.registers.save([records.register(1)])
    assert len(store.nodes.all()) == 1
    assert store.check() == ()


@given(operations)
@settings(max_examples=30)
def test_against_a_model(tmp_path_factory, script):
    """Random commands, some in transactions that fail, against a dict of containers and a list of groups."""
    with ContainerStore(tmp_path_factory.mktemp("model") / "q.db") as store:
        known, groups = {}, []
        for action, first, second in script:
            if action == "save" and first not in known:
                with store.transaction():
                    store.containers.save(records.container(first))
                    store.registers.save([records.register(first)])
                known[first] = records.container(first)
                groups.append({first})
            elif action == "delete":
                group = next((g for g in groups if first in g), set())
                with store.transaction():
                    store.containers.delete(f"{first:064x}")
                    if len(group) > 1:
                        store.registers.save([records.register(*sorted(group - {first}))])
                known.pop(first, None)
                groups = [g - {first} for g in groups if g - {first}]
            elif action == "group" and {first, second} <= known.keys():
                joined = set().union(*(g for g in groups if g & {first, second}))
                store.registers.save([records.register(*sorted(joined))])
                groups = [g for g in groups if not g & joined] + [joined]
            elif action == "fail":
                with undone(store):
                    store.containers.save(records.container(first + 10))
                    store.containers.delete(f"{second:064x}")
        assert {record.id: record for record in store.containers.all()} == {r.id: r for r in known.values()}
        members = [{int(m.container, 16) for m in register.members} for register in store.registers.all()]
        assert sorted(map(sorted, members)) == sorted(map(sorted, groups))
        assert store.check() == ()
