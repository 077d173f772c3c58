"""The tables of the database, in portable SQL.

A record is kept whole, as JSON, in the column `record`; beside it stand the columns that are searched by.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1
"""Grows with every change of these tables; a database of a newer version is refused."""

metadata = MetaData()
# SQLite numbers rows by itself only where the column is called INTEGER.
NUMBER = BigInteger().with_variant(Integer, "sqlite")

about = Table(
    "about",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False),
)

containers = Table(
    "containers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("cluster", String(255), index=True),
    Column("created_at", Float(53), nullable=False),
    Column("record", Text, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("added_at", Float(53), nullable=False),
    Column("record", Text, nullable=False),
)

registers = Table(
    "registers",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("state", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)


def _container_key(*, cascade: bool) -> ForeignKey:
    """A reference to a container, checked when the transaction ends, so that the order of writes is free."""
    return ForeignKey(
        "containers.id", ondelete="CASCADE" if cascade else None, deferrable=True, initially="DEFERRED"
    )


register_members = Table(
    "register_members",
    metadata,
    Column("container", String(64), _container_key(cascade=False), primary_key=True),
    Column("register", NUMBER, ForeignKey("registers.id", ondelete="CASCADE"), nullable=False, index=True),
)

relations = Table(
    "relations",
    metadata,
    Column("first", String(64), _container_key(cascade=True), primary_key=True),
    Column("second", String(64), _container_key(cascade=True), primary_key=True, index=True),
    Column("declared_at", Float(53), nullable=False),
    Column("record", Text, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("container", String(64), _container_key(cascade=True), primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("at", Float(53), nullable=False, index=True),
    Column("type", String(32), nullable=False),
    Column("record", Text, nullable=False),
    sqlite_autoincrement=True,
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("container", String(255), nullable=False),
    Column("record", Text, nullable=False),
    Index("ix_decisions_container_id", "container", "id"),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    # Messages are read in the order in which they were delivered, whatever the clock did.
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("receiver", String(255), nullable=False, index=True),
    Column("unread", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    sqlite_autoincrement=True,
)
