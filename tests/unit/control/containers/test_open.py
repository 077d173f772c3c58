"""Opening an engine: twice, and with its database gone."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from qrealm.base.errors import StoreError
from qrealm.control.containers.engine import (
    DATABASE,
    ENGINE_ID,
    LABELS_KEY,
    ContainerEngine,
    QuantumDockerEngine,
)
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, ContainerState, Endpoint

CONFIG = Config(
    seed=3, nodes=(NodeEntry("one", Endpoint("simulated", "simulated://one?cpus=4&memory_mib=4096")),)
)


def watches():
    return [thread for thread in threading.enumerate() if thread.name == "watch-nodes"]


def test_opening_twice_watches_once(tmp_path):
    before = len(watches())
    with ContainerEngine(CONFIG, tmp_path).open() as engine:
        engine.open()
        assert len(watches()) == before + 1
    assert len(watches()) == before


def test_containers_are_found_by_their_labels_when_the_database_is_lost(tmp_path):
    spec = ContainerSpec("web", "image:1", environment={"MODE": "test"})
    with ContainerEngine(CONFIG, tmp_path).open(watch=False) as engine:
        made = engine.lifecycle.create(CreateRequest(spec, QuantumSpec(("on", "off"), 0.2, 3.0))).container
        engine.lifecycle.run("web", force=True)
    for path in tmp_path.glob(f"{DATABASE}*"):
        path.unlink()
    with ContainerEngine(CONFIG, tmp_path).open(watch=False) as engine:
        view = engine.views.inspect("web")
    assert (view.record.id, view.record.spec, view.record.quantum) == (made.id, spec, made.quantum)
    assert view.facts is not None
    assert view.facts.state is ContainerState.RUNNING
    assert view.probabilities["on"] == pytest.approx(0.2)


def test_an_engine_id_that_is_none(tmp_path):
    (tmp_path / ENGINE_ID).write_text("nonsense")
    with pytest.raises(StoreError, match="16 hexadecimal digits"):
        ContainerEngine(CONFIG, tmp_path)


@pytest.mark.parametrize("left", ["", "\n"])
def test_an_engine_id_that_an_ill_timed_end_left_empty_is_written_again(tmp_path, left):
    with ContainerEngine(CONFIG, tmp_path).open(watch=False) as engine:
        known = engine.views.status()["engine"]["id"]
    (tmp_path / ENGINE_ID).write_text(left)
    with ContainerEngine(CONFIG, tmp_path).open(watch=False) as engine:
        assert engine.views.status()["engine"]["id"] == known
    assert (tmp_path / ENGINE_ID).read_text() == f"{known}\n"


def test_an_empty_engine_id_without_a_database_is_not_replaced_in_silence(tmp_path):
    (tmp_path / ENGINE_ID).touch()
    with pytest.raises(StoreError, match="16 hexadecimal digits") as problem:
        ContainerEngine(CONFIG, tmp_path)
    assert "not found again" in problem.value.hint


def test_the_engine_id_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def cut_off(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", cut_off)
    with pytest.raises(StoreError, match="No space left"):
        ContainerEngine(CONFIG, tmp_path)
    assert not list(tmp_path.glob(f"*{ENGINE_ID}*"))


def test_files_are_for_their_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        with ContainerEngine(CONFIG, tmp_path / "home").open(watch=False):
            rights = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()}
    finally:
        os.umask(before)
    files = {name: mode for name, mode in rights.items() if (tmp_path / "home" / name).is_file()}
    assert {ENGINE_ID, DATABASE, LABELS_KEY} <= files.keys()
    assert set(files.values()) == {0o600}, files


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match="others may write"):
        ContainerEngine(CONFIG, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_programs_and_the_command_have_the_same_folder(tmp_path, monkeypatch):
    async def told():
        async with QuantumDockerEngine(CONFIG) as engine:
            return (await engine.get_engine_status())["engine"]["home"]

    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("QUANTUM_DOCKER_HOME", str(tmp_path / "named"))
    assert asyncio.run(told()) == str(tmp_path / "named")
    monkeypatch.delenv("QUANTUM_DOCKER_HOME")
    assert asyncio.run(told()) == str(tmp_path / "state" / "qdocker")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert asyncio.run(told()) == str(tmp_path / "user" / ".local" / "state" / "qdocker")
