"""Containers, nodes, registers, relations and identities in the database: one class for each table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, or_, select, update

from qrealm.base.errors import NameTakenError, NoSuchContainerError, RequestError, StoreError
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.values import ContainerRecord, NodeRecord, Register, Relation
from qrealm.control.store import register_codec
from qrealm.control.store.database import Database
from qrealm.control.store.tables import (
    containers,
    identities,
    nodes,
    register_members,
    registers,
    relations,
)

T = TypeVar("T")
# SQLite takes 32,766 values in one statement, older ones 999.
VALUES_MAX = 500
# Short names read like the beginning of an id: `rm db`, said twice, would hit a stranger whose id begins with
# db, once in 256.
ID_DIGITS_MIN = 4


def record_text(record: object) -> str:
    """A record as the column `record` holds it."""
    return json.dumps(to_json(record), separators=(",", ":"), allow_nan=False)


def read_record(kind: type[T], text: str) -> T:
    """The record that `record_text` wrote."""
    try:
        return from_json(kind, json.loads(text))
    except ValueError as problem:
        raise StoreError(
            f"a {kind.__name__} in the store cannot be read: {problem}",
            hint="it was changed by hand; `qdocker import-state` restores an exported state",
        ) from problem


def save_row(connection: Connection, table: Table, key: str, row: Mapping[str, Any]) -> None:
    """Replace the row with this key, or add it."""
    done = connection.execute(update(table).where(table.c[key] == row[key]).values(**row))
    if done.rowcount == 0:
        connection.execute(insert(table).values(**row))


_LISTED = {"container": "qdocker ps -a lists them", "node": "qdocker nodes ls lists them"}


def no_such(what: str, name: str, known: Iterable[str], *, hint: str = "") -> NoSuchContainerError:
    """The error for a name that is not there, with what there is to say, and the nearest that is."""
    close = difflib.get_close_matches(name, list(known), n=1)
    said = [hint, *(f"did you mean {each!r}?" for each in close)] if hint or close else [_LISTED[what]]
    return NoSuchContainerError(f"there is no {what} {name!r}", hint="; ".join(filter(None, said)))


class Containers:
    """All containers, by id and by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, cluster: str | None = None) -> tuple[ContainerRecord, ...]:
        """In the order in which they were created; only those of `cluster` where one is named."""
        query = select(containers.c.record).order_by(containers.c.created_at, containers.c.id)
        if cluster is not None:
            query = query.where(containers.c.cluster == cluster)
        with self._database.reading() as connection:
            texts = connection.execute(query).scalars().all()
        return tuple(read_record(ContainerRecord, text) for text in texts)

    def get(self, name: str) -> ContainerRecord:
        """The one of this name. Raises NoSuchContainerError."""
        with self._database.reading() as connection:
            query = select(containers.c.record).where(containers.c.name == name)
            if (text := connection.execute(query).scalar()) is None:
                names = connection.execute(select(containers.c.name)).scalars().all()
                raise no_such("container", name, names)
        return read_record(ContainerRecord, text)

    def find(self, reference: str) -> ContainerRecord:
        """The one with this name, else with this id, else the only one whose id begins so: as Docker does,
        but only from `ID_DIGITS_MIN` digits on.

        Raises:
            NoSuchContainerError: none, or several begin so, or it is shorter than that.
            RequestError: it is no text.
        """
        if not isinstance(reference, str):
            raise RequestError(f"got {reference!r:.80} for a container; the rule is its name or id, as text")
        query = select(containers.c.name, containers.c.record)
        exactly = (containers.c.name == reference, containers.c.id == reference)
        with self._database.reading() as connection:
            for condition in exactly:
                if (row := connection.execute(query.where(condition)).first()) is not None:
                    return read_record(ContainerRecord, row.record)
            begins = containers.c.id.startswith(reference, autoescape=True)
            rows = connection.execute(query.where(begins).limit(4)).all() if reference else []
            if not rows or len(reference) < ID_DIGITS_MIN:
                names = connection.execute(select(containers.c.name)).scalars().all()
                rule = f"an id is named by {ID_DIGITS_MIN} or more of its first digits" if rows else ""
                raise no_such("container", reference, names, hint=rule)
        if len(rows) > 1:
            names = [row.name for row in rows[:3]]
            raise NoSuchContainerError(
                f"several containers have an id that begins with {reference!r}: "
                + ", ".join(sorted(names))
                + (", …" if len(rows) > 3 else ""),
                hint="give more digits of the id, or the name",
            )
        return read_record(ContainerRecord, rows[0].record)

    def save(self, record: ContainerRecord) -> None:
        """Add it, or replace what has its id. Raises NameTakenError when another one has its name."""
        with self._database.transaction() as connection:
            query = select(containers.c.id).where(containers.c.name == record.name)
            holder = connection.execute(query).scalar()
            if holder is not None and holder != record.id:
                raise NameTakenError(
                    f"the name {record.name!r} is taken by the container {holder[:12]}",
                    hint=f"choose another name, or remove that one: qdocker rm {record.name}",
                )
            row = {
                "id": record.id,
                "name": record.name,
                "cluster": record.cluster,
                "created_at": record.created_at,
                "record": record_text(record),
            }
            save_row(connection, containers, "id", row)

    def delete(self, container_id: str) -> None:
        """Remove it with its relations, its identity, and its register if that is its alone.

        A register that it shares must be saved without it, or deleted, in the same transaction; else that
        transaction ends with StoreError. No error when there is no such container.
        """
        with self._database.transaction() as connection:
            mine = select(register_members.c.register).where(register_members.c.container == container_id)
            register = connection.execute(mine).scalar()
            if register is not None:
                query = select(register_members.c.container).where(register_members.c.register == register)
                if len(connection.execute(query).all()) == 1:
                    connection.execute(delete(registers).where(registers.c.id == register))
            connection.execute(delete(containers).where(containers.c.id == container_id))


class Nodes:
    """All nodes, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[NodeRecord, ...]:
        """In the order in which they were added."""
        with self._database.reading() as connection:
            query = select(nodes.c.record).order_by(nodes.c.added_at, nodes.c.name)
            texts = connection.execute(query).scalars().all()
        return tuple(read_record(NodeRecord, text) for text in texts)

    def get(self, name: str) -> NodeRecord:
        """The one of this name. Raises NoSuchContainerError."""
        with self._database.reading() as connection:
            text = connection.execute(select(nodes.c.record).where(nodes.c.name == name)).scalar()
            if text is None:
                raise no_such("node", name, connection.execute(select(nodes.c.name)).scalars().all())
        return read_record(NodeRecord, text)

    def save(self, record: NodeRecord) -> None:
        """Add it, or replace what has its name."""
        row = {"name": record.name, "added_at": record.added_at, "record": record_text(record)}
        with self._database.transaction() as connection:
            save_row(connection, nodes, "name", row)

    def delete(self, name: str) -> None:
        """Remove it. No error when there is none of this name."""
        with self._database.transaction() as connection:
            connection.execute(delete(nodes).where(nodes.c.name == name))


class Registers:
    """All registers. A container is a member of one at most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Register, ...]:
        """In the order in which they were saved."""
        with self._database.reading() as connection:
            states = connection.execute(select(registers.c.state).order_by(registers.c.id)).scalars().all()
        return tuple(register_codec.from_bytes(state) for state in states)

    def of(self, container_id: str) -> Register | None:
        """The one that this container is a member of; None where it has none."""
        query = (
            select(registers.c.state)
            .join(register_members, register_members.c.register == registers.c.id)
            .where(register_members.c.container == container_id)
        )
        with self._database.reading() as connection:
            state = connection.execute(query).scalar()
        return None if state is None else register_codec.from_bytes(state)

    def save(self, changed: Iterable[Register]) -> None:
        """Add these; every older register that shares a member with one of them is replaced, whole.

        So whoever splits a register saves all its parts in one call. Raises StoreError when a member is in
        two of them, or, at the end of the transaction, when there is no such container.
        """
        changed = tuple(changed)
        members = [member.container for register in changed for member in register.members]
        if len(set(members)) < len(members):
            raise StoreError(
                "registers.save: a container is a member of two of the registers that were given"
            )
        with self._database.transaction() as connection:
            self._delete_of(connection, members)
            for register in changed:
                done = connection.execute(insert(registers).values(state=register_codec.to_bytes(register)))
                number = done.inserted_primary_key[0] if done.inserted_primary_key else None
                rows = [{"container": m.container, "register": number} for m in register.members]
                connection.execute(insert(register_members), rows)

    def delete_of(self, container_id: str) -> None:
        """Remove the register that this container is a member of, for all its members."""
        with self._database.transaction() as connection:
            self._delete_of(connection, [container_id])

    @staticmethod
    def _delete_of(connection: Connection, members: Sequence[str]) -> None:
        for part in _parts(members):
            old = select(register_members.c.register).where(register_members.c.container.in_(part))
            connection.execute(delete(registers).where(registers.c.id.in_(old)))


class Relations:
    """Declared correlations of two containers: one at most for a first and a second."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, container_ids: Iterable[str] | None = None) -> tuple[Relation, ...]:
        """In the order in which they were declared; only those that touch one of `container_ids`."""
        query = select(relations.c.first, relations.c.second, relations.c.declared_at, relations.c.record)
        with self._database.reading() as connection:
            if container_ids is None:
                rows = set(connection.execute(query).all())
            else:
                rows = set()
                for part in _parts(list(container_ids)):
                    touched = or_(relations.c.first.in_(part), relations.c.second.in_(part))
                    rows.update(connection.execute(query.where(touched)).all())
        ordered = sorted(rows, key=lambda row: (row.declared_at, row.first, row.second))
        return tuple(read_record(Relation, row.record) for row in ordered)

    def save(self, declared: Iterable[Relation]) -> None:
        """Add these; one with the same first and second is replaced."""
        with self._database.transaction() as connection:
            for relation in declared:
                self._delete(connection, relation)
                connection.execute(
                    insert(relations).values(
                        first=relation.first,
                        second=relation.second,
                        declared_at=relation.declared_at,
                        record=record_text(relation),
                    )
                )

    def delete(self, dropped: Iterable[Relation]) -> None:
        """Remove those with the same first and second. No error where there are none."""
        with self._database.transaction() as connection:
            for relation in dropped:
                self._delete(connection, relation)

    @staticmethod
    def _delete(connection: Connection, relation: Relation) -> None:
        same = (relations.c.first == relation.first) & (relations.c.second == relation.second)
        connection.execute(delete(relations).where(same))


class Identities:
    """The secret of each container by which it is known to the others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, container_id: str) -> bytes | None:
        """None where it has none yet."""
        with self._database.reading() as connection:
            query = select(identities.c.secret).where(identities.c.container == container_id)
            secret = connection.execute(query).scalar()
        return None if secret is None else bytes(secret)

    def save(self, container_id: str, secret: bytes) -> None:
        """Add or replace it; it goes when the container does."""
        with self._database.transaction() as connection:
            save_row(connection, identities, "container", {"container": container_id, "secret": secret})


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(values), VALUES_MAX):
        yield values[start : start + VALUES_MAX]
