"""Everything that qrealm knows of containers, in one database that outlives the process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from sqlalchemy import Connection

from qrealm.base.errors import StoreError
from qrealm.control.store.database import Database
from qrealm.control.store.journal_tables import Decisions, Events, Messages, Settings
from qrealm.control.store.record_tables import Containers, Identities, Nodes, Registers, Relations

ROWS_KEPT = 100_000


class ContainerStore:
    """The store. Every call is all or nothing and safe from several threads; what returned is on the disk.

    Args:
        path_or_url: a file for SQLite, made where there is none, or a SQLAlchemy URL of another database. The
            SQL is portable; SQLite is what is tested, and what keeps a second process out.
        kept: how many events, and how many decisions, are kept; older ones are dropped.
        engine_id: of a database that is made now, so that it finds the containers of one that was lost.

    Attributes:
        engine_id: 16 hexadecimal digits, given to the database when it was made; marks the containers that
            are its own.
        containers, nodes, registers, relations, identities, events, decisions, messages, settings: the
            tables.

    Raises:
        StoreError: the database cannot be opened, is damaged, was written by a newer qrealm, or is open in
            another process.
    """

    def __init__(
        self, path_or_url: str | os.PathLike[str], *, kept: int = ROWS_KEPT, engine_id: str | None = None
    ) -> None:
        self._database = Database(path_or_url, engine_id)
        try:
            self.engine_id = self._database.engine_id
            self.containers = Containers(self._database)
            self.nodes = Nodes(self._database)
            self.registers = Registers(self._database)
            self.relations = Relations(self._database)
            self.identities = Identities(self._database)
            self.events = Events(self._database, kept)
            self.decisions = Decisions(self._database, kept)
            self.messages = Messages(self._database)
            self.settings = Settings(self._database)
        except BaseException:
            self._database.close()
            raise

    def transaction(self) -> AbstractContextManager[Connection]:
        """All or nothing of what is saved inside the `with` block.

        One thread at a time is inside; reads of the other threads go on and see the last commit. Entered
        again by the same thread it is a part of the outer one: an exception undoes that part alone, and what
        remains is committed when the outermost block ends. Once the database itself has failed, nothing of
        the outermost block is committed.
        """
        return self._database.transaction()

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside the `with` block is of one moment, the last commit, whoever writes meanwhile;
        nobody is waited for. Inside a transaction of this thread it is a part of that one."""
        return self._database.snapshot()

    def check(self) -> tuple[str, ...]:
        """What is wrong with the database, in words; empty when it is whole."""
        problems = list(self._database.faults())
        readers: tuple[Callable[[], object], ...] = (
            self.nodes.all,
            self.relations.all,
            self.events.all,
            self.decisions.all,
            self.messages.all,
        )
        for read in readers:
            try:
                read()
            except StoreError as problem:
                problems.append(problem.message)
        try:
            problems.extend(self._register_faults())
        except StoreError as problem:
            problems.append(problem.message)
        return tuple(problems)

    def _register_faults(self) -> list[str]:
        held = Counter(member.container for register in self.registers.all() for member in register.members)
        return [
            f"container {record.name!r} is a member of {held[record.id]} registers; it must be of one"
            for record in self.containers.all()
            if held[record.id] != 1
        ]

    def close(self) -> None:
        """Give the database up; those who wait for events are let go. No error when that has been done."""
        self.events.close()
        self._database.close()

    def __enter__(self) -> ContainerStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
