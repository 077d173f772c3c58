"""Closing the database closes its file, whoever reads at that moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from qrealm.control.store.database import Database, _sqlite_settings
from qrealm.control.store.tables import about


def open_files(path):
    """How often this process has the database open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:
            continue  # that of the listing itself
    return [each for each in found if each.startswith(str(path))]


@pytest.mark.parametrize("use", ["reading", "snapshot", "transaction"])
def test_who_is_at_work_while_the_database_is_closed_leaves_it_closed(tmp_path, use):
    database = Database(tmp_path / "q.db")
    with getattr(database, use)() as connection:
        if connection is not None:
            connection.execute(select(about)).all()
        database.close()
        assert open_files(tmp_path) != []
    assert open_files(tmp_path) == []


def test_who_comes_after_the_end_leaves_it_closed(tmp_path):
    database = Database(tmp_path / "q.db")
    database.close()
    with database.reading() as connection:
        assert connection.execute(select(about)).all()
    assert open_files(tmp_path) == []


def test_a_connection_that_cannot_be_set_up_is_closed(tmp_path):
    (tmp_path / "q.db").write_bytes(b"no database" * 1000)
    connection = sqlite3.connect(tmp_path / "q.db")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        _sqlite_settings(connection, None)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.cursor()
