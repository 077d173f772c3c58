"""Sending and reading: the two operations on messages."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from qrealm.base.clock import Clock
from qrealm.base.errors import MessageRefusalError, NoSuchContainerError
from qrealm.control.containers.messages.link import WAIT_S, link_lifetime_s, link_state
from qrealm.control.containers.messages.payload import checked_type, encoded
from qrealm.control.containers.reports import MessageReport, OpenedMessage
from qrealm.control.containers.values import ContainerRecord, MessageRecord
from qrealm.control.security import Sealed, new_identity, open_sealed, public_of, seal
from qrealm.control.store.containers import ContainerStore
from qrealm.network import KeyAgreement, agree_on_key, pairs_needed
from qrealm.network.bb84 import PAIRS_MIN


class Messages:
    """Messages between containers of one entangled group.

    Args:
        store: where containers, registers, identities and messages are.
        clock: tells the age of a group's register.
        random: gives a generator for one key agreement; called inside a transaction of the store. Its numbers
            play the physics. What keeps a message secret beside them comes from the operating system.
        t1_s, t2_s: of every register, in seconds.
        enabled: `enable_quantum_networking` of the configuration.
    """

    def __init__(
        self,
        store: ContainerStore,
        clock: Clock,
        random: Callable[[], np.random.Generator],
        *,
        t1_s: float,
        t2_s: float,
        enabled: bool = True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._t1_s = t1_s
        self._t2_s = t2_s
        self._enabled = enabled

    def send(
        self,
        sender: str,
        receiver: str,
        type: str,  # noqa: A002 (the field's own name)
        data: Any,
        *,
        intercept_share: float = 0.0,
        wait_s: float = WAIT_S,
    ) -> MessageReport:
        """Agree on a key over the link of two containers, and deliver a message sealed with it.

        When it returns the message is on the disk. When no key comes about nothing is delivered, and an event
        of type message and action refuse tells of it.

        Args:
            sender, receiver: names or ids.
            type: 1 to 64 letters, digits, dots, dashes and underscores.
            data: a JSON value of at most 1 MiB.
            intercept_share: share of the pairs that somebody measures on their way, from 0 to 1.
            wait_s: how long each half of a pair is stored before it is measured.

        Raises:
            NoSuchContainerError: no such sender or receiver.
            MessageRefusalError: not in one entangled group, networking is off, type or data that cannot be,
                somebody listened, or the link is too noisy.
            RequestError: `intercept_share` out of range.
        """
        if not self._enabled:
            raise MessageRefusalError(
                "messages are off: enable_quantum_networking is false",
                hint="set enable_quantum_networking: true in the configuration and start the daemon again",
            )
        word, raw = checked_type(type), encoded(data)
        ends = self._store.containers.find(sender), self._store.containers.find(receiver)
        self._check_one_group(*ends)
        state = link_state(wait_s, self._t1_s, self._t2_s)
        with self._store.transaction():
            generator = self._random()
        found = agree_on_key(
            state, generator, pairs=pairs_needed(state) or PAIRS_MIN, intercept_share=intercept_share
        )
        if found.aborted is not None:
            raise self._refused(*ends, word, found, wait_s)
        return self._deliver(*ends, word, raw, found)

    def read(
        self, receiver: str, *, unread_only: bool = False, mark: bool = True
    ) -> tuple[OpenedMessage, ...]:
        """The messages of a container, in the order in which they were delivered.

        Args:
            receiver: name or id.
            unread_only: only those that nobody has read.
            mark: note that they have been read now.

        Raises:
            NoSuchContainerError: no such container.

        Returns:
            Those that were changed in the store, or are there twice, too: `damaged` says why, they have no
            data, and are not marked as read.
        """
        with self._store.transaction():
            container = self._store.containers.find(receiver)
            records = self._store.messages.all(receiver=container.name)
            identity = self._store.identities.get(container.id)
            found = []
            seen: set[str] = set()
            for record in records:
                if record.read_at is None or not unread_only:
                    found.append(self._read(record, identity, twice=record.id in seen))
                seen.add(record.id)
            if mark:
                now = self._clock.now()
                for each in found:
                    if not each.damaged and not each.read_before:
                        self._store.messages.mark_read(each.id, now)
            return tuple(found)

    def _read(self, record: MessageRecord, identity: bytes | None, *, twice: bool) -> OpenedMessage:
        try:
            if twice:
                raise MessageRefusalError("the same message lies in the store twice; this is the second")
            try:
                self._store.messages.get(record.id)
            except NoSuchContainerError:
                raise MessageRefusalError("it lies in the store under the id of another message") from None
            return _opened(record, identity)
        except MessageRefusalError as problem:
            return _shown(record, None, f"{problem.message}; {_HINT}")

    def _check_one_group(self, sender: ContainerRecord, receiver: ContainerRecord) -> None:
        """Raises MessageRefusalError unless both share a register."""
        if sender.id == receiver.id:
            raise MessageRefusalError(f"a message from {sender.name!r} to itself; it takes two containers")
        register = self._store.registers.of(sender.id)
        if register is None or all(member.container != receiver.id for member in register.members):
            raise MessageRefusalError(
                f"{sender.name!r} and {receiver.name!r} are not in one entangled group, so no pair of theirs "
                "can give a key",
                hint=f"qdocker entangle {sender.name} {receiver.name}",
            )

    def _refused(
        self,
        sender: ContainerRecord,
        receiver: ContainerRecord,
        word: str,
        found: KeyAgreement,
        wait_s: float,
    ) -> MessageRefusalError:
        told = {
            "to": receiver.name,
            "type": word,
            "cause": str(found.aborted),
            "error_rate": f"{found.error_rate:.6f}",
            "listened": str(found.listened).lower(),
        }
        self._store.events.append(self._clock.now(), "message", "refuse", sender.name, told)
        what = f"the message from {sender.name!r} to {receiver.name!r} was not sent: {found.reason}"
        if found.listened:
            return MessageRefusalError(
                what, hint="send it again once nobody listens: every try uses fresh pairs"
            )
        lifetime = link_lifetime_s(self._t1_s, self._t2_s)
        if wait_s <= lifetime:
            return MessageRefusalError(
                what, hint="send it again: this was chance, or a listener on few pairs"
            )
        return MessageRefusalError(
            f"{what}; half of each pair is stored for {wait_s:.3g} s, and keys come of {lifetime:.3g} s "
            "at most",
            hint="raise decoherence_time_ms in the configuration",
        )

    def _deliver(
        self, sender: ContainerRecord, receiver: ContainerRecord, word: str, raw: bytes, found: KeyAgreement
    ) -> MessageReport:
        record = MessageRecord(
            id=secrets.token_hex(16),
            sender=sender.name,
            receiver=receiver.name,
            type=word,
            sealed=b"",
            header={"sender_id": sender.id, "receiver_id": receiver.id},
            error_rate=found.error_rate,
            listened=found.listened,
            key_bits=8 * len(found.key),
            sent_at=self._clock.now(),
        )
        with self._store.transaction():
            # The receiver may have gone while the key was made; a message to nobody must not stay.
            self._store.containers.find(receiver.id)
            identity = self._store.identities.get(receiver.id)
            if identity is None:
                identity = new_identity()
                self._store.identities.save(receiver.id, identity)
            sealed = seal(public_of(identity), found.key, _vouched(record), raw)
            record = replace(record, sealed=sealed.blob, header={**record.header, **sealed.opening})
            self._store.messages.save(record)
            told = {
                "to": receiver.name,
                "type": word,
                "id": record.id,
                "error_rate": f"{found.error_rate:.6f}",
            }
            self._store.events.append(record.sent_at, "message", "send", sender.name, told)
        return MessageReport(message=record, pairs=found.pairs, compared=found.compared, reason=found.reason)


def _vouched(record: MessageRecord) -> Mapping[str, Any]:
    """What the seal of a message vouches for: all of its record but when it was read."""
    return {
        "id": record.id,
        "sender": record.sender,
        "sender_id": record.header.get("sender_id"),
        "receiver": record.receiver,
        "receiver_id": record.header.get("receiver_id"),
        "type": record.type,
        "error_rate": record.error_rate,
        "listened": record.listened,
        "key_bits": record.key_bits,
        "sent_at": record.sent_at,
    }


_HINT = "something other than qrealm wrote to the store: put back a copy of it, or remove the container"


def _opened(record: MessageRecord, identity: bytes | None) -> OpenedMessage:
    if identity is None:
        raise MessageRefusalError(f"the store has no identity of {record.receiver!r} to open it with")
    opening = {name: text for name, text in record.header.items() if name not in ("sender_id", "receiver_id")}
    return _shown(record, json.loads(open_sealed(identity, _vouched(record), Sealed(record.sealed, opening))))


def _shown(record: MessageRecord, data: Any, damaged: str = "") -> OpenedMessage:
    return OpenedMessage(
        id=record.id,
        sender=record.sender,
        receiver=record.receiver,
        type=record.type,
        data=data,
        error_rate=record.error_rate,
        listened=record.listened,
        sent_at=record.sent_at,
        read_before=record.read_at is not None,
        damaged=damaged,
    )
