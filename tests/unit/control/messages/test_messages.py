"""Messages over a real store: delivered, read, kept, refused, and not to be changed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from qrealm.base.clock import ManualClock
from qrealm.base.errors import MessageRefusalError, NoSuchContainerError, RequestError
from qrealm.control.containers.messages import Messages
from qrealm.control.containers.messages.link import link_lifetime_s
from qrealm.control.containers.messages.payload import DATA_BYTES_MAX
from qrealm.control.containers.values import (
    ContainerRecord,
    Member,
    Phase,
    QuantumSpec,
    Register,
    Wanted,
)
from qrealm.control.store import tables
from qrealm.control.store.containers import ContainerStore
from qrealm.control.store.record_tables import record_text
from qrealm.fleet.containers.protocol import ContainerSpec
from qrealm.simulate.sparse_density import SparseDensity

NAMES = {"ann": "a" * 64, "bob": "b" * 64, "eve": "e" * 64}
T1_S, T2_S = 10.0, 1.0


def container(name):
    return ContainerRecord(
        id=NAMES[name],
        name=name,
        spec=ContainerSpec(name=name, image="none"),
        quantum=QuantumSpec(),
        node=None,
        engine_id=None,
        phase=Phase.READY,
        wanted=Wanted.STOPPED,
        created_at=1.0,
    )


def register(names, now):
    """(|0…0⟩ + |1…1⟩)/√2 of these containers."""
    top = 2 ** len(names) - 1
    rows, cols = np.array([[0, 0, top, top], [0, top, 0, top]], dtype=np.uint32)
    density = SparseDensity(len(names), rows, cols, np.full(4, 0.5 + 0j))
    return Register(tuple(Member(NAMES[name], 2, 0.5) for name in names), density, now, now)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    with ContainerStore(tmp_path / "store.db") as opened:
        with opened.transaction():
            for name in NAMES:
                opened.containers.save(container(name))
            opened.registers.save([register(["ann", "bob"], clock.now()), register(["eve"], clock.now())])
        yield opened


def service(store, clock, **settings):
    rng = np.random.default_rng(3)
    return Messages(store, clock, lambda: rng, **{"t1_s": T1_S, "t2_s": T2_S, **settings})


@pytest.fixture
def messages(store, clock):
    return service(store, clock)


DATA = [None, True, 0, -1.5, "", "wörter ☃", [], {}, [1, [2, {"a": None}]], {"k": "v", "n": [1.25]}]


@pytest.mark.parametrize("data", DATA)
def test_what_is_sent_is_read(messages, data):
    report = messages.send("ann", "bob", "note", data, wait_s=0.0)
    (read,) = messages.read("bob")
    assert (read.data, read.sender, read.receiver, read.type) == (data, "ann", "bob", "note")
    assert (read.id, read.error_rate, read.listened) == (report.message.id, 0.0, False)
    assert report.message.key_bits >= 256
    assert report.pairs == 20_000
    assert report.compared > 5000


def test_reading_is_in_order_and_noted(messages, clock):
    for number in range(4):
        messages.send("ann", "bob", "n", number, wait_s=0.0)
        clock.advance(-1.0)  # a clock that goes back changes no order
    assert [each.data for each in messages.read("bob", mark=False)] == [0, 1, 2, 3]
    assert [each.read_before for each in messages.read("bob")] == [False] * 4
    assert messages.read("bob", unread_only=True) == ()
    messages.send("ann", "bob", "n", 4, wait_s=0.0)
    assert [each.data for each in messages.read("bob", unread_only=True)] == [4]
    assert [each.read_before for each in messages.read("bob")] == [True] * 5


def test_messages_outlive_the_process(tmp_path, store, clock, messages):
    messages.send("ann", "bob", "note", {"deep": [1]})
    store.close()
    with ContainerStore(tmp_path / "store.db") as again:
        assert service(again, clock).read("bob")[0].data == {"deep": [1]}


def test_the_store_has_no_plain_text(tmp_path, store, messages):
    messages.send("ann", "bob", "note", "the harbour at noon")
    store.close()
    assert all(b"harbour" not in path.read_bytes() for path in tmp_path.iterdir())


def test_ids_do_as_well_as_names(messages):
    messages.send("a" * 12, "b" * 64, "note", 1)
    assert messages.read("bbbb")[0].sender == "ann"


def test_both_directions_and_nobody_else(messages):
    messages.send("ann", "bob", "note", 1)
    messages.send("bob", "ann", "note", 2)
    assert [each.data for each in messages.read("ann")] == [2]
    assert [each.data for each in messages.read("bob")] == [1]
    assert messages.read("eve") == ()


def test_events_tell_of_it(store, messages):
    report = messages.send("ann", "bob", "note", 1, wait_s=0.0)
    (event,) = store.events.all()
    assert (event.type, event.action, event.name) == ("message", "send", "ann")
    assert event.attributes == {
        "to": "bob",
        "type": "note",
        "id": report.message.id,
        "error_rate": "0.000000",
    }


def test_without_a_group_it_is_refused(store, messages):
    with pytest.raises(MessageRefusalError, match="not in one entangled group") as caught:
        messages.send("ann", "eve", "note", 1)
    assert caught.value.hint == "qdocker entangle ann eve"
    with pytest.raises(MessageRefusalError, match="not in one entangled group"):
        messages.send("ann", "eve", "note", 1, wait_s=0.0)
    assert store.events.all() == ()


def test_a_message_to_itself_is_refused(messages):
    with pytest.raises(MessageRefusalError, match="to itself"):
        messages.send("ann", "ann", "note", 1)


def test_unknown_names_are_refused(messages):
    for sender, receiver in (("ann", "bop"), ("an!", "bob")):
        with pytest.raises(NoSuchContainerError):
            messages.send(sender, receiver, "note", 1)
    with pytest.raises(NoSuchContainerError):
        messages.read("bop")


def test_networking_can_be_off(store, clock):
    with pytest.raises(MessageRefusalError, match="enable_quantum_networking"):
        service(store, clock, enabled=False).send("ann", "bob", "note", 1)


@pytest.mark.parametrize("word", ["", "two words", "x" * 65, "a/b", "nl\n", None, 3])
def test_a_type_is_a_word(messages, word):
    with pytest.raises(MessageRefusalError, match="a type is 1 to 64"):
        messages.send("ann", "bob", word, 1)


@pytest.mark.parametrize(
    "data", [math.nan, math.inf, b"bytes", {1, 2}, object(), "\ud800", {1: 2}, (1, 2), [float("-inf")]]
)
def test_data_is_json(store, messages, data):
    with pytest.raises(MessageRefusalError, match="JSON"):
        messages.send("ann", "bob", "note", data)
    assert store.messages.all() == ()


def test_endless_data_is_refused(messages):
    data = []
    data.append(data)
    with pytest.raises(MessageRefusalError, match="no JSON value"):
        messages.send("ann", "bob", "note", data)


def test_a_mebibyte_is_the_limit(messages):
    messages.send("ann", "bob", "note", "x" * (DATA_BYTES_MAX - 2))
    assert len(messages.read("bob")[0].data) == DATA_BYTES_MAX - 2
    with pytest.raises(MessageRefusalError, match="1,048,577 bytes"):
        messages.send("ann", "bob", "note", "x" * (DATA_BYTES_MAX - 1))


def test_a_listener_stops_the_message(store, messages):
    with pytest.raises(MessageRefusalError, match="somebody listened") as caught:
        messages.send("ann", "bob", "note", 1, intercept_share=1.0)
    assert store.messages.all() == ()
    (event,) = store.events.all()
    assert (event.type, event.action, event.name) == ("message", "refuse", "ann")
    assert event.attributes["listened"] == "true"
    # 25 % of some 6000 compared bits, within 5 standard deviations.
    rate = float(event.attributes["error_rate"])
    assert abs(rate - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 5500)
    assert f"{rate:.2%}" in caught.value.message
    messages.send("ann", "bob", "note", 2)


def test_a_stored_pair_has_the_noise_of_its_wait(messages):
    """After 50 ms: X errors (1 - e^(-0.1))/2 = 4.76 %, Z errors 0.50 %; all within 5 standard deviations."""
    report = messages.send("ann", "bob", "note", 1, wait_s=0.05)
    share_x = 0.25 / (0.25 + 0.05)
    wanted = share_x * (1 - math.exp(-0.1)) / 2 + (1 - share_x) * (1 - math.exp(-0.01)) / 2
    bound = 5 * math.sqrt(wanted * (1 - wanted) / report.compared) + 0.0005  # the share of X bits varies
    assert abs(report.message.error_rate - wanted) < bound
    assert messages.read("bob")[0].data == 1


@pytest.mark.parametrize("wait_s", [0.2, 1.0, 50.0])
def test_a_long_stored_pair_is_too_noisy_and_accuses_nobody(store, messages, wait_s):
    with pytest.raises(MessageRefusalError, match="half of each pair is stored") as caught:
        messages.send("ann", "bob", "note", 1, wait_s=wait_s)
    assert "somebody listened" not in caught.value.message
    assert "decoherence_time_ms" in caught.value.hint
    assert store.events.all()[0].attributes["listened"] == "false"
    assert store.messages.all() == ()
    messages.send("ann", "bob", "note", 1)


def test_the_lifetime_in_the_refusal_is_that_of_the_link(messages):
    lifetime = link_lifetime_s(T1_S, T2_S)
    messages.send("ann", "bob", "note", 1, wait_s=lifetime * 0.95)
    with pytest.raises(MessageRefusalError, match=f"keys come of {lifetime:.3g} s at most"):
        messages.send("ann", "bob", "note", 1, wait_s=lifetime * 1.35)


def test_an_old_group_still_has_a_link(messages, clock):
    clock.advance(1e6)
    assert messages.send("ann", "bob", "note", 1, wait_s=0.0).message.error_rate == 0.0


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan, "x", None, True])
def test_a_share_out_of_range_is_refused(messages, share):
    with pytest.raises(RequestError, match="from 0 to 1"):
        messages.send("ann", "bob", "note", 1, intercept_share=share)


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "eve"},
        {"type": "order"},
        {"error_rate": 0.5},
        {"listened": True},
        {"key_bits": 1},
        {"sent_at": 5.0},
        {"sealed": b"\0" * 60},
    ],
)
def test_a_message_that_was_changed_does_not_open(store, messages, change):
    record = messages.send("ann", "bob", "note", 1).message
    store.messages.save(replace(record, **change))
    messages.send("ann", "bob", "note", 2)
    broken, whole = messages.read("bob")
    assert (broken.id, broken.data) == (record.id, None)
    assert "does not open" in broken.damaged
    assert (whole.data, whole.damaged) == (2, "")
    assert [each.id for each in messages.read("bob", unread_only=True)] == [record.id]
    store.messages.save(record)
    assert messages.read("bob")[0].read_before is False


def test_a_message_moved_to_another_does_not_open(store, messages):
    record = messages.send("ann", "bob", "note", 1).message
    messages.send("bob", "ann", "note", 1)
    store.messages.save(replace(record, receiver="ann"))
    assert [(each.data, "does not open" in each.damaged) for each in messages.read("ann")] == [
        (None, True),
        (1, False),
    ]


@pytest.mark.parametrize("name", ["sender_id", "receiver_id", "ephemeral", "encapsulation", "wrapped_key"])
def test_no_field_of_the_header_can_change(store, messages, name):
    record = messages.send("ann", "bob", "note", 1).message
    other = messages.send("ann", "bob", "note", 1).message
    changed = "f" * 64 if name.endswith("_id") else other.header[name]
    store.messages.save(replace(record, header={**record.header, name: changed}))
    assert ["does not open" in each.damaged for each in messages.read("bob")] == [True, False]


def test_without_the_receivers_identity_nothing_opens(store, messages):
    record = messages.send("ann", "bob", "note", 1).message
    store.messages.save(replace(record, receiver="eve"))
    (broken,) = messages.read("eve")
    assert "no identity of 'eve'" in broken.damaged


@pytest.mark.parametrize("unread_only", [False, True])
def test_a_second_copy_of_a_message_is_damaged(store, messages, unread_only):
    """The same record under the id of another row, as no call of the store would put it there."""
    record = messages.send("ann", "bob", "note", 1).message
    messages.send("ann", "bob", "note", 2)
    with store.transaction() as connection:
        row = {"id": "1" * 32, "receiver": "bob", "unread": True, "record": record_text(record)}
        connection.execute(tables.messages.insert().values(row))
    assert [each.data for each in messages.read("bob")] == [1, 2, None]
    assert [(each.id, each.data) for each in messages.read("bob", unread_only=unread_only)][-1:] == [
        (record.id, None)
    ]
    assert "twice" in messages.read("bob")[-1].damaged
    with store.transaction() as connection:
        connection.execute(tables.messages.delete().where(tables.messages.c.id == record.id))
    assert "id of another" in messages.read("bob")[-1].damaged


def test_the_identity_is_made_once(store, messages):
    messages.send("ann", "bob", "note", 1)
    identity = store.identities.get(NAMES["bob"])
    messages.send("ann", "bob", "note", 2)
    assert identity is not None
    assert store.identities.get(NAMES["bob"]) == identity
    assert store.identities.get(NAMES["ann"]) is None


def test_a_store_that_fails_delivers_nothing(store, messages, monkeypatch):
    """The last step of delivery breaks: neither message nor identity stays."""

    def broken(*_args, **_kwargs):
        raise OSError("gone")

    monkeypatch.setattr(store.events, "append", broken)
    with pytest.raises(OSError, match="gone"):
        messages.send("ann", "bob", "note", 1)
    assert store.messages.all() == ()
    assert store.identities.get(NAMES["bob"]) is None


def test_a_receiver_that_goes_meanwhile_gets_nothing(store, clock):
    def random():
        store.registers.delete_of(NAMES["bob"])
        store.containers.delete(NAMES["bob"])
        store.registers.save([register(["ann"], clock.now())])
        return np.random.default_rng(1)

    late = Messages(store, clock, random, t1_s=T1_S, t2_s=T2_S)
    with pytest.raises(NoSuchContainerError):
        late.send("ann", "bob", "note", 1)
    assert store.messages.all() == ()
