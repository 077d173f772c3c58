"""What a database complains about, in words that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from qrealm.base.errors import StoreError

START_ANEW = (
    "move it away and start anew; containers are found again by their labels, and `qdocker import-state` "
    "restores an exported state"
)
# By the beginning of SQLite's own name of the error.
SQLITE_WORDS = (
    ("SQLITE_FULL", "the disk is full", "make room on the disk; nothing that was written before is lost"),
    ("SQLITE_READONLY", "it may not be written", "give your user the right to write the file and its folder"),
    ("SQLITE_BUSY", "another program holds it", "end the other program, or wait until it is done"),
    ("SQLITE_LOCKED", "another program holds it", "end the other program, or wait until it is done"),
    ("SQLITE_CANTOPEN", "it cannot be opened", "look whether its folder is there and may be written"),
    ("SQLITE_PERM", "it may not be opened", "give your user the right to read and write the file"),
    (
        "SQLITE_CORRUPT",
        "the file is damaged",
        START_ANEW,
    ),
    (
        "SQLITE_NOTADB",
        "the file is damaged, or no database at all",
        START_ANEW,
    ),
    ("SQLITE_IOERR", "the disk failed or is full", "look at the disk's space and health, then try again"),
    ("SQLITE_NOMEM", "the machine has no memory left", "end other programs, then try again"),
)


def store_error(place: str, problem: BaseException) -> StoreError:
    """`problem` of the database at `place`, as qrealm says it."""
    if isinstance(problem, StoreError):
        return problem
    cause = problem.orig if isinstance(problem, DBAPIError) and problem.orig is not None else problem
    words = str(cause)
    name = getattr(cause, "sqlite_errorname", "") or ""
    for beginning, meaning, hint in SQLITE_WORDS:
        if name.startswith(beginning):
            return StoreError(f"the store {place}: {meaning} ({words})", hint=hint)
    if isinstance(problem, IntegrityError):
        return StoreError(
            f"the store {place}: the change breaks a rule of the tables; nothing of it was written ({words})"
        )
    return StoreError(f"the store {place} failed: {words}")


@contextmanager
def told_as_store_errors(place: str) -> Iterator[None]:
    """Turn the database's exceptions inside into StoreError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as problem:
        raise store_error(place, problem) from problem
