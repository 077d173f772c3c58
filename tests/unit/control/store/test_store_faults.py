"""When things go wrong: killed writers, full disks, damaged files, two owners."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from qrealm.base.errors import StoreError
from qrealm.control.store.containers import ContainerStore
from qrealm.control.store.database import Database
from qrealm.control.store.tables import SCHEMA_VERSION
from unit.control.store import records

TESTS = Path(__file__).parents[3]


def started(code, *arguments):
    """A process that runs `code` with the tests' and qrealm's modules."""
    # Without the tests' own settings a warning of the other process would not be an error here.
    path = os.pathsep.join([str(TESTS), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )


WRITER = """
import sys
from dataclasses import replace
from unit.control.store import records
from qrealm.control.store.containers import ContainerStore

store = ContainerStore(sys.argv[1])
number = int(store.settings.get("committed") or 0)
while True:
    number += 1
    with store.transaction():
        store.containers.save(replace(records.container(1), restarts=number))
        store.registers.save([records.register(1, seed=number)])
        store.events.append(float(number), "container", "write", "web-1")
        store.settings.set("committed", str(number))
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing(tmp_path):
    path = tmp_path / "q.db"
    told = 0
    for writes in (1, 7, 20, 33):
        writer = started(WRITER, path)
        for _ in range(writes):
            told = int(writer.stdout.readline())
        # It is somewhere in its next transactions now.
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=30)
        with ContainerStore(path) as store:
            number = int(store.settings.get("committed"))
            assert number >= told, "what was committed is gone"
            assert store.containers.get("web-1").restarts == number
            held = store.registers.of(f"{1:064x}")
            assert records.same_register(held, records.register(1, seed=number))
            assert [event.id for event in store.events.all()] == list(range(1, number + 1))
            assert store.check() == ()


def test_a_second_process_is_refused(tmp_path):
    path = tmp_path / "q.db"
    writer = started(WRITER, path)
    try:
        writer.stdout.readline()
        with pytest.raises(StoreError, match="open already") as told:
            ContainerStore(path)
        assert "qdocker stop" in told.value.hint
    finally:
        writer.kill()
        writer.communicate(timeout=30)
    ContainerStore(path).close()


def test_a_second_store_in_the_same_process_is_refused(tmp_path):
    with ContainerStore(tmp_path / "q.db"), pytest.raises(StoreError, match="open already"):
        ContainerStore(tmp_path / "q.db")


def grow(store, number):
    with store.transaction():
        store.settings.set("text", "x" * 1000 * number)
        store.settings.set("number", str(number))


def grow_until_refused(store):
    for number in range(2, 5000):
        grow(store, number)


def write_much_and_go_on(store):
    """A transaction in which the disk's failure is caught, and which ends as if nothing had been."""
    with store.transaction():
        store.settings.set("first", "1")
        with pytest.raises(StoreError, match="full"):
            store.settings.set("text", "x" * 50_000_000)
        with suppress(StoreError):
            store.settings.set("second", "1")


def test_a_file_that_may_not_grow(tmp_path):
    """The limit on a file's size stands for a full disk; it needs no other rights."""
    code = """
        import resource, sys
        from qrealm.base.errors import StoreError
        from qrealm.control.store.containers import ContainerStore
        from unit.control.store.test_store_faults import grow

        store = ContainerStore(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        for number in range(1, 5000):
            try:
                grow(store, number)
            except StoreError as problem:
                print(problem.message)
                break
        print(number, store.settings.get("number"), len(store.settings.get("text")))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        grow(store, number)
        print(number, store.settings.get("number"), store.check())
    """
    out, _ = started(code, tmp_path / "q.db").communicate(timeout=100)
    message, during, after = out.splitlines()
    number = int(during.split()[0])
    assert "disk" in message
    assert "full" in message
    assert number > 1
    assert during == f"{number} {number - 1} {(number - 1) * 1000}"
    assert after == f"{number} {number} ()"


@contextmanager
def small_disk(folder, size):
    """A file system of its own."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a file system can only be mounted by root, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        filler = disk / "filler"
        with ContainerStore(disk / "q.db") as store:
            grow(store, 1)
            filler.write_bytes(b"x" * 200_000)
            with pytest.raises(StoreError, match="full") as told:
                grow_until_refused(store)
            assert "make room" in told.value.hint or "space" in told.value.hint
            number = int(store.settings.get("number"))
            assert len(store.settings.get("text")) == 1000 * number
            filler.unlink()
            grow(store, 3)
            assert store.settings.get("number") == "3"
            assert store.check() == ()


def test_a_failure_that_is_caught_inside_still_undoes_everything(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk, ContainerStore(disk / "q.db") as store:
        with pytest.raises(StoreError, match="full"):
            write_much_and_go_on(store)
        assert store.settings.get("second") is None
        assert store.settings.get("first") is None
        store.settings.set("first", "2")
        assert store.settings.get("first") == "2"


def test_a_damaged_file(tmp_path):
    path = tmp_path / "q.db"
    with ContainerStore(path) as store:
        for number in range(50):
            store.containers.save(records.container(number))
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 2000] = os.urandom(2000)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged") as told:
        ContainerStore(path)
    assert "move it away" in told.value.hint


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "q.db"
    path.write_text("quantum_docker_config:\n" * 100)
    with pytest.raises(StoreError, match="damaged, or no database"):
        ContainerStore(path)
    assert path.read_text().startswith("quantum")


def test_records_changed_by_hand(tmp_path):
    path = tmp_path / "q.db"
    with ContainerStore(path) as store:
        store.containers.save(records.container(1))
        store.registers.save([records.register(1)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE containers SET record = '{\"id\": 1}'")
    connection.close()
    with ContainerStore(path) as store:
        with pytest.raises(StoreError, match="ContainerRecord in the store cannot be read") as told:
            store.containers.get("web-1")
        assert "changed by hand" in told.value.hint
        assert any("ContainerRecord" in problem for problem in store.check())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE registers SET state = x'00'")
    connection.close()
    with ContainerStore(path) as store:
        assert any("a register begins with" in problem for problem in store.check())


def test_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "q.db"
    ContainerStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE about SET value = ? WHERE name = 'schema_version'", (str(SCHEMA_VERSION + 1),)
        )
    connection.close()
    with pytest.raises(StoreError, match="newer qrealm"):
        ContainerStore(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE about SET value = 'abc' WHERE name = 'schema_version'", "its schema_version is 'abc'"),
        ("UPDATE about SET value = '\"1\"' WHERE name = 'schema_version'", "its schema_version is '1'"),
        ("UPDATE about SET value = '-1' WHERE name = 'schema_version'", "its schema_version is -1"),
        ("UPDATE about SET value = x'ff' WHERE name = 'engine_id'", "its engine_id is"),
        ("UPDATE about SET value = '[1]' WHERE name = 'engine_id'", r"its engine_id is \[1\]"),
        ("UPDATE about SET value = '\"an id\"' WHERE name = 'engine_id'", "its engine_id is 'an id'"),
        ("DELETE FROM about WHERE name = 'engine_id'", "no row engine_id"),
        ("DELETE FROM about WHERE name = 'schema_version'", "no row schema_version"),
    ],
)
def test_what_it_says_of_itself_is_damaged(tmp_path, change, told):
    path = tmp_path / "q.db"
    ContainerStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match=f"the file is damaged .*{told}") as problem:
        ContainerStore(path)
    assert "move it away and start anew" in problem.value.hint


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened: No such file"):
        ContainerStore(tmp_path / "none" / "q.db")
    (tmp_path / "q.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        ContainerStore(tmp_path / "q.db")


def test_a_database_that_another_program_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("qrealm.control.store.database.BUSY_TIMEOUT_S", 0.1)
    with ContainerStore(tmp_path / "q.db") as store:
        other = sqlite3.connect(tmp_path / "q.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it"):
            store.settings.set("a", "1")
        other.execute("ROLLBACK")
        other.close()
        store.settings.set("a", "1")
        assert store.settings.get("a") == "1"


def test_a_file_that_may_not_be_written(tmp_path):
    if os.getuid() == 0:
        code = """
            import os, sys
            from qrealm.base.errors import StoreError
            from qrealm.control.store.containers import ContainerStore
            # What is loaded on use must be loaded while it may be read.
            ContainerStore(sys.argv[2]).close()
            os.setuid(65534)
            try:
                ContainerStore(sys.argv[1])
            except StoreError as problem:
                print(problem)
        """
        folder = Path("/tmp") / f"store-{os.getpid()}"
        folder.mkdir(mode=0o755)
        try:
            ContainerStore(folder / "q.db").close()
            (folder / "q.db.lock").chmod(0o644)
            (folder / "q.db").chmod(0o644)
            out, _ = started(code, folder / "q.db", tmp_path / "other.db").communicate(timeout=60)
        finally:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        assert "may not be written" in out
        assert "hint: give your user the right" in out
    else:
        ContainerStore(tmp_path / "q.db").close()
        (tmp_path / "q.db").chmod(0o400)
        with pytest.raises(StoreError, match="may not be written"):
            ContainerStore(tmp_path / "q.db")


@pytest.mark.parametrize(
    "url, words",
    [
        ("sqlite://", "lost with the process"),
        ("sqlite:///:memory:", "lost with the process"),
        ("oracel://x", "cannot be opened"),
        ("://", "cannot be opened"),
    ],
)
def test_urls_that_are_no_store(url, words):
    with pytest.raises(StoreError, match=words):
        ContainerStore(url)


def test_a_url_of_sqlite(tmp_path):
    with ContainerStore(f"sqlite:///{tmp_path}/q.db") as store:
        store.settings.set("a", "1")
    with ContainerStore(tmp_path / "q.db") as store:
        assert store.settings.get("a") == "1"


def test_nobody_else_may_read_it(tmp_path):
    with ContainerStore(tmp_path / "q.db") as store:
        store.settings.set("a", "1")
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 4


def test_committed_is_on_the_disk(tmp_path):
    """Write-ahead log and full synchronisation, on every connection that writes."""
    database = Database(tmp_path / "q.db")
    with database.transaction() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    database.close()
    assert found == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
