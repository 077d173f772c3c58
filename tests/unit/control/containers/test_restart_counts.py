"""Restarts count how often a container was started again: one that does not run is only made again."""

from __future__ import annotations

import json

import pytest
from tests.unit.control.containers.homes import Home


@pytest.mark.parametrize(("probability", "restarts"), [(0.0, 0), (1.0, 1)])
def test_a_lost_node(home, probability, restarts):
    home.create("web", node="na", probability=probability)
    home.engine.lifecycle.run("web")
    home.lose("na")
    assert home.record("web").node == "nb"
    assert home.record("web").restarts == restarts
    home.come_back("na")


@pytest.mark.parametrize("take_over", [True, False])
def test_an_import(tmp_path, take_over):
    folder = tmp_path / "first"
    with Home(folder) as first:
        for name, probability in (("never", 0.5), ("off", 0.0), ("on", 1.0)):
            first.create(name, node="na", probability=probability)
            if name != "never":
                first.engine.lifecycle.run(name)
        document = json.loads(json.dumps(first.engine.snapshots.export()))
        if not take_over:
            for name in ("never", "off", "on"):
                first.engine.lifecycle.remove(name, force=True)
    with Home(tmp_path / "second", nodes=("zz",)) as second:
        found = second.engine.snapshots.import_(document, take_over=take_over)
        assert sorted(found["made_again"]) == ["never", "off", "on"]
        assert {name: second.record(name).restarts for name in ("never", "off", "on")} == {
            "never": 0,
            "off": 0,
            "on": 1,
        }
        driver = second.engine._ctx.drivers.of(second.store.nodes.get("na"))
        assert [driver.inspect(second.record(name).engine_id).state.value for name in ("off", "on")] == [
            "created",
            "running",
        ]
