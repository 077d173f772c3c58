"""One open database: its transactions, its readers, and the lock that keeps a second process out."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import URL, NestedTransaction, RootTransaction, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from qrealm.base.errors import StoreError
from qrealm.control.store.faults import START_ANEW, store_error, told_as_store_errors
from qrealm.control.store.tables import SCHEMA_VERSION, about, metadata

BUSY_TIMEOUT_S = 5.0
V = TypeVar("V")
_ABOUT = {"schema_version": "[0-9]+", "engine_id": "[0-9a-f]{16}"}
OPEN_PRIVATE = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC


class Database:
    """Writes one transaction at a time; reads go on beside it and see what was last committed.

    Args:
        path_or_url: a file for SQLite, or a SQLAlchemy URL of another database.
        engine_id: given to a database that is made now; drawn at random when None.

    Raises:
        StoreError: it cannot be opened, is damaged, of a newer version, or held by another process.
    """

    def __init__(self, path_or_url: str | os.PathLike[str], engine_id: str | None = None) -> None:
        url = _url_of(path_or_url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.place = (url.database or "") if self.is_sqlite else url.render_as_string()
        self._write_lock = threading.RLock()
        self._writing: Connection | None = None
        self._snapshots = threading.local()
        self._depth = 0
        self._doomed: StoreError | None = None
        self._at_commit: list[Callable[[], None]] = []
        self._lock_file: int | None = None
        self._closed = False
        if self.is_sqlite:
            self._lock_file = _locked_file(url.database)
        try:
            with told_as_store_errors(self.place):
                self._writer, self._readers = _engines(url)
                self.engine_id = self._prepare(engine_id or secrets.token_hex(8))
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing of what is written inside; other threads that write wait.

        Entered again by the same thread it is a part of the outer one: an exception undoes that part alone,
        and what remains is committed when the outermost one ends. When the database itself has failed
        nothing is committed, even if the exception was caught inside.
        """
        with self._write_lock:
            if self._writing is None:
                with self._outermost() as connection:
                    yield connection
            else:
                with self._nested(self._writing) as connection:
                    yield connection

    @contextmanager
    def _outermost(self) -> Iterator[Connection]:
        self._doomed = None
        self._at_commit = []
        with told_as_store_errors(self.place), self._connected(self._writer) as connection:
            started = connection.begin()
            self._writing = connection
            try:
                yield connection
                if self._doomed is not None:
                    raise self._doomed
                started.commit()
            except BaseException:
                self._undo(connection, started)
                raise
            finally:
                self._writing = None
        for tell in self._at_commit:
            tell()

    @contextmanager
    def _nested(self, connection: Connection) -> Iterator[Connection]:
        if self._doomed is not None:
            # SQLite would begin a new transaction here, and commit it.
            raise self._doomed
        told = len(self._at_commit)
        with told_as_store_errors(self.place):
            part = connection.begin_nested()
            try:
                yield connection
                part.commit()
            except BaseException as problem:
                del self._at_commit[told:]
                self._undo_part(part, problem)
                raise

    def _undo_part(self, part: NestedTransaction, problem: BaseException) -> None:
        try:
            part.rollback()
        except SQLAlchemyError:
            # SQLite has undone the whole transaction already, as it does when the disk is full: nothing that
            # is written from here on may count.
            self._doomed = self._doomed or store_error(self.place, problem)

    @staticmethod
    def _undo(connection: Connection, started: RootTransaction) -> None:
        try:
            started.rollback()
        except SQLAlchemyError:
            # A connection whose disk failed may not be able to; closing it undoes everything as well.
            connection.invalidate()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with: inside a transaction of this thread its own, inside a snapshot that of
        the snapshot, else the last commit."""
        mine = self._mine() or getattr(self._snapshots, "connection", None)
        if mine is not None:
            with told_as_store_errors(self.place):
                yield mine
            return
        with told_as_store_errors(self.place), self._connected(self._readers) as connection:
            yield connection

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection of an engine's pool; when the database is closed meanwhile, none stays open."""
        pool = engine.pool
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            if self._closed:
                pool.dispose()  # that of then, which got the connection back
                engine.dispose()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever this thread reads inside is of one moment, while others write and are not waited for.
        Inside a transaction of this thread it is what that one has written; what a transaction inside of it
        commits is not part of it."""
        if not self.is_sqlite:
            with self.transaction():
                yield
            return
        if self._mine() is not None or getattr(self._snapshots, "connection", None) is not None:
            yield
            return
        with told_as_store_errors(self.place), self._connected(self._readers) as connection:
            # Readers commit each statement by itself. The snapshot begins with the first one inside.
            connection.exec_driver_sql("BEGIN")
            self._snapshots.connection = connection
            try:
                yield
            finally:
                self._snapshots.connection = None
                try:
                    connection.exec_driver_sql("ROLLBACK")
                except SQLAlchemyError:
                    # A connection whose disk failed has ended it already: what the caller met is told.
                    connection.invalidate()

    def _mine(self) -> Connection | None:
        """The connection of this thread's own transaction."""
        # Only the thread that writes can hold the lock and see a connection there.
        if not self._write_lock.acquire(blocking=False):
            return None
        try:
            return self._writing
        finally:
            self._write_lock.release()

    def at_commit(self, tell: Callable[[], None]) -> None:
        """Call `tell` once the outermost transaction, which must be open, has been committed."""
        self._at_commit.append(tell)

    def faults(self) -> list[str]:
        """What the database itself says is wrong with it."""
        if not self.is_sqlite:
            return []
        with self.reading() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            strays = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [str(line) for line in said if line != "ok"] + [
            f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there" for row in strays
        ]

    def close(self) -> None:
        """Give up all connections and the lock. No error when that has been done before."""
        self._closed = True
        try:
            for engine in (getattr(self, "_writer", None), getattr(self, "_readers", None)):
                if engine is not None:
                    engine.dispose()
        finally:
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def _prepare(self, engine_id: str) -> str:
        """Make the tables where there are none, and return the engine's id."""
        if self.is_sqlite:
            with self._readers.connect() as connection:
                if (said := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()) != "ok":
                    raise StoreError(
                        f"the store {self.place}: the file is damaged ({said})",
                        hint=START_ANEW,
                    )
        with self._writer.begin() as connection:
            known = dict(_about_rows(connection))
            if not known:
                metadata.create_all(connection)
                rows = {"schema_version": SCHEMA_VERSION, "engine_id": engine_id}
                said = [{"name": name, "value": json.dumps(value)} for name, value in rows.items()]
                connection.execute(insert(about), said)
                return engine_id
        version = self._said(known, "schema_version", int)
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self.place} was written by a newer qrealm: its tables are of version "
                f"{version}, this one knows up to {SCHEMA_VERSION}",
                hint="install that qrealm again, or name another file",
            )
        return self._said(known, "engine_id", str)

    def _said(self, known: Mapping[str, str], name: str, kind: type[V]) -> V:
        """What the database says of itself."""
        try:
            value = json.loads(known[name])
        except KeyError:
            fault = f"its table {about.name} has no row {name}"
        except (ValueError, TypeError, RecursionError):
            fault = f"its {name} is {known[name]!r:.60}"
        else:
            if type(value) is kind and re.fullmatch(_ABOUT[name], str(value)):
                return value
            fault = f"its {name} is {value!r:.60}"
        raise StoreError(f"the store {self.place}: the file is damaged ({fault})", hint=START_ANEW)


def _about_rows(connection: Connection) -> list[tuple[str, str]]:
    if not connection.dialect.has_table(connection, about.name):
        return []
    return [(row.name, row.value) for row in connection.execute(select(about))]


def _url_of(path_or_url: str | os.PathLike[str]) -> URL:
    text = os.fspath(path_or_url)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as problem:
        raise StoreError(
            f"the store {text!r} cannot be opened: {problem}",
            hint="give a path of a file, or a URL such as postgresql+psycopg://user@host/name",
        ) from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError(
            f"the store {text!r} would be lost with the process; it must be a file",
            hint="give a path, such as /var/lib/qdocker/qdocker.db",
        )
    return url


def _locked_file(database: str | None) -> int:
    """Hold the file `<database>.lock` for as long as this process has it open."""
    try:
        # The database holds secrets; SQLite gives its other files the rights of the first.
        os.close(os.open(f"{database}", OPEN_PRIVATE, 0o600))
        file = os.open(f"{database}.lock", OPEN_PRIVATE, 0o600)
    except OSError as problem:
        raise StoreError(
            f"the store {database} cannot be opened: {problem.strerror}",
            hint="look whether its folder is there and may be written",
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise StoreError(
            f"the store {database} is open already, here or in another process",
            hint="end the other daemon (`qdocker stop`), or name another file",
        ) from None
    except OSError as problem:
        os.close(file)
        raise StoreError(
            f"the store {database} cannot be locked: {problem.strerror}",
            hint="keep it on a local disk, not on a network folder",
        ) from None
    return file


def _engines(url: URL) -> tuple[Engine, Engine]:
    """One that begins transactions, and one whose reads each see the last commit."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "sqlite":
        options = {"max_overflow": 64, "connect_args": {"timeout": BUSY_TIMEOUT_S}}
    writer = create_engine(url, **options)
    readers = create_engine(url, isolation_level="AUTOCOMMIT", **options)
    if url.get_backend_name() == "sqlite":
        event.listen(readers, "connect", _sqlite_settings)
        event.listen(writer, "connect", _sqlite_writer_settings)
        event.listen(writer, "begin", _sqlite_begin)
    return writer, readers


def _sqlite_settings(connection: Any, _record: object) -> None:
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # With FULL what was committed outlives a loss of power too.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()
    except BaseException:
        connection.close()  # the pool has not got it yet
        raise


def _sqlite_writer_settings(connection: Any, record: object) -> None:
    # Python's own module would begin transactions late and break savepoints; `_sqlite_begin` does it instead.
    connection.isolation_level = None
    _sqlite_settings(connection, record)


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
