"""Opening an engine: twice, and with its database gone."""

from __future__ import annotations

import threading

import pytest

from qrealm.base.errors import StoreError
from qrealm.control.containers.engine import DATABASE, ENGINE_ID, ContainerEngine
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
