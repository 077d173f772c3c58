"""What happened and what was said: events, decisions, messages, settings. One class for each table."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, get_args, get_type_hints

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from qrealm.base.errors import InternalError, NoSuchContainerError
from qrealm.control.containers.values import DecisionRecord, EventRecord, MessageRecord
from qrealm.control.store.database import Database
from qrealm.control.store.record_tables import read_record, record_text, save_row
from qrealm.control.store.tables import decisions, events, messages, settings

_LOG = logging.getLogger("qrealm.containers")
EVENT_TYPES: tuple[str, ...] = get_args(get_type_hints(EventRecord)["type"])
# How often the oldest rows are looked for; a table may be so much longer than it is kept.
PRUNE_EVERY = 256


def _append(connection: Connection, table: Table, record: Any, row: Mapping[str, Any], kept: int) -> Any:
    """Add a row, write its number into its record, and drop the rows that are too old."""
    done = connection.execute(insert(table).values(record="", **row))
    if not done.inserted_primary_key:
        raise InternalError(f"the database gave no number to a row of {table.name}")
    numbered = replace(record, id=done.inserted_primary_key[0])
    connection.execute(update(table).where(table.c.id == numbered.id).values(record=record_text(numbered)))
    if numbered.id % PRUNE_EVERY == 0 and numbered.id > kept:
        connection.execute(delete(table).where(table.c.id <= numbered.id - kept))
    return numbered


class Events:
    """Everything that happened, the newest `kept` of it; ids grow by one and are never used again."""

    def __init__(self, database: Database, kept: int) -> None:
        self._database = database
        self._kept = kept
        self._arrived = threading.Condition()
        self._closed = False
        self._last = self.last_id()

    def append(
        self,
        at: float,
        type: str,  # noqa: A002 (the field's own name)
        action: str,
        name: str,
        attributes: Mapping[str, str] | None = None,
    ) -> EventRecord:
        """Write one down and number it; those who wait are told when the transaction is committed."""
        if type not in EVENT_TYPES:
            raise InternalError(f"events.append: type {type!r}; it must be one of {', '.join(EVENT_TYPES)}")
        event = EventRecord(0, at, type, action, name, dict(attributes or {}))  # type: ignore[arg-type]
        with self._database.transaction() as connection:
            numbered: EventRecord = _append(connection, events, event, {"at": at, "type": type}, self._kept)
            self._database.at_commit(lambda: self._tell(numbered.id))
        return numbered

    def all(
        self,
        after_id: int = 0,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
        types: Collection[str] | None = None,
    ) -> tuple[EventRecord, ...]:
        """In the order of their ids.

        Args:
            after_id: only later ones.
            since, until: only of this time, both ends included; seconds since 1970 UTC.
            limit: so many at most, the first of them.
            types: only of these.
        """
        query = select(events.c.record).where(events.c.id > after_id).order_by(events.c.id).limit(limit)
        if since is not None:
            query = query.where(events.c.at >= since)
        if until is not None:
            query = query.where(events.c.at <= until)
        if types is not None:
            query = query.where(events.c.type.in_(list(types)))
        with self._database.reading() as connection:
            texts = connection.execute(query).scalars().all()
        return tuple(read_record(EventRecord, text) for text in texts)

    def last_id(self) -> int:
        """Of the newest one; 0 where nothing has happened."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar() or 0

    def wait(self, after_id: int, timeout_s: float) -> bool:
        """Wait until one with a greater id has been committed; False when the time is over or the store is
        closed."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._last > after_id or self._closed, timeout_s)
            return self._last > after_id and not self._closed

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def _tell(self, number: int) -> None:
        with self._arrived:
            self._last = max(self._last, number)
            self._arrived.notify_all()


class Decisions:
    """Why containers are where they are: the newest `kept`."""

    def __init__(self, database: Database, kept: int) -> None:
        self._database = database
        self._kept = kept

    def append(self, record: DecisionRecord) -> DecisionRecord:
        """Write it down; returns it with its number."""
        with self._database.transaction() as connection:
            numbered: DecisionRecord = _append(
                connection, decisions, record, {"container": record.container}, self._kept
            )
        _LOG.debug(
            "placement of %s (%s): %s, by %s %s, cost %s, bound %s, %.3f s",
            record.container,
            record.action,
            record.chosen or "no node",
            record.scheduler,
            record.solver,
            record.objective,
            record.bound,
            record.seconds,
        )
        return numbered

    def all(self, container: str | None = None, limit: int | None = None) -> tuple[DecisionRecord, ...]:
        """The newest first; only about the container of this name, so many at most."""
        query = select(decisions.c.record).order_by(decisions.c.id.desc()).limit(limit)
        if container is not None:
            query = query.where(decisions.c.container == container)
        with self._database.reading() as connection:
            texts = connection.execute(query).scalars().all()
        return tuple(read_record(DecisionRecord, text) for text in texts)


class Messages:
    """Messages as they lie sealed, until their receiver goes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, record: MessageRecord) -> None:
        """Add it, or replace what has its id."""
        row = {
            "id": record.id,
            "receiver": record.receiver,
            "unread": record.read_at is None,
            "record": record_text(record),
        }
        with self._database.transaction() as connection:
            save_row(connection, messages, "id", row)

    def get(self, message_id: str) -> MessageRecord:
        """The one with this id. Raises NoSuchContainerError."""
        with self._database.reading() as connection:
            text = connection.execute(select(messages.c.record).where(messages.c.id == message_id)).scalar()
        if text is None:
            raise NoSuchContainerError(f"there is no message {message_id!r}")
        return read_record(MessageRecord, text)

    def all(self, receiver: str | None = None, unread_only: bool = False) -> tuple[MessageRecord, ...]:
        """In the order in which they were delivered; only to this receiver, only those nobody has read."""
        query = select(messages.c.record).order_by(messages.c.number)
        if receiver is not None:
            query = query.where(messages.c.receiver == receiver)
        if unread_only:
            query = query.where(messages.c.unread)
        with self._database.reading() as connection:
            texts = connection.execute(query).scalars().all()
        return tuple(read_record(MessageRecord, text) for text in texts)

    def mark_read(self, message_id: str, at: float) -> MessageRecord:
        """Note when it was read first, in seconds since 1970 UTC; later calls change nothing."""
        with self._database.transaction():
            record = self.get(message_id)
            if record.read_at is None:
                record = replace(record, read_at=at)
                self.save(record)
        return record

    def delete_to(self, receiver: str) -> None:
        """Remove all that this container has received; a later one of its name must not find them."""
        with self._database.transaction() as connection:
            connection.execute(delete(messages).where(messages.c.receiver == receiver))


class Settings:
    """Single values that outlive the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """None where it was never set."""
        with self._database.reading() as connection:
            return connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()

    def set(self, name: str, value: str) -> None:
        """Add or replace it."""
        with self._database.transaction() as connection:
            save_row(connection, settings, "name", {"name": name, "value": value})

    def delete(self, name: str) -> None:
        """Remove it. No error when it was never set."""
        with self._database.transaction() as connection:
            connection.execute(delete(settings).where(settings.c.name == name))

    def all(self, prefix: str) -> dict[str, str]:
        """Those whose name begins so, by name."""
        query = select(settings.c.name, settings.c.value)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(settings.c.name.startswith(prefix, autoescape=True))).all()
        return {row.name: row.value for row in rows}
