"""A configuration that has changed since the nodes were added, and nodes that are removed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, endpoint

from qrealm.base.errors import EngineUnavailableError, RequestError
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.values import Phase


def configured(home, *entries):
    """Start again with these nodes."""
    home.close()
    home.config = replace(home.config, nodes=entries)
    home.open()


def node(home, name):
    return home.store.nodes.get(name)


def test_changed_limits_and_labels_hold_at_the_next_start(home):
    home.create("web", node="na")
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    configured(home, NodeEntry("na", na, {"zone": "west"}, 2.0, 1 << 30), NodeEntry("nb", nb))
    found = node(home, "na")
    assert (found.cpus, found.memory_bytes, found.labels) == (2.0, 1 << 30, {"zone": "west"})
    assert ("configure", "na") in home.events("node")
    assert ("configure", "nb") not in home.events("node")
    # What it does not say stays, so what was given by hand does.
    configured(home, NodeEntry("na", na), NodeEntry("nb", nb))
    assert node(home, "na") == found
    assert home.record("web").node == "na"


def test_a_simulated_engine_of_another_size_is_the_same(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        home.create("web", node="na")
        smaller = replace(home.endpoints["na"], driver="simulated", url="simulated://na?cpus=2&memory_mib=1024")
        home.close()
        home.endpoints["na"] = replace(home.endpoints["na"], driver="simulated")
        with home:
            home.store.nodes.save(replace(node(home, "na"), endpoint=home.endpoints["na"]))
            configured(home, NodeEntry("na", smaller))
            assert (node(home, "na").cpus, node(home, "na").memory_bytes) == (2.0, 1 << 30)
            assert home.record("web").phase is Phase.READY
            home.check()


def test_another_engine_under_the_name_of_one_with_containers_is_refused(home):
    home.create("web", node="na")
    other = endpoint(home.path, "other", cpus=8)
    with pytest.raises(RequestError, match=r"node 'na' the engine docker simulated://other.*: web") as caught:
        configured(home, NodeEntry("na", other), NodeEntry("nb", home.endpoints["nb"]))
    assert "a name of its own" in caught.value.hint
    configured(home, NodeEntry("na", home.endpoints["na"]))
    assert home.record("web").phase is Phase.READY


def test_another_engine_under_the_name_of_an_empty_one_is_taken(home):
    other = endpoint(home.path, "other", cpus=8)
    home.endpoints["na"] = other
    configured(home, NodeEntry("na", other), NodeEntry("nb", home.endpoints["nb"]))
    assert node(home, "na").cpus == 8
    assert home.create("web", node="na").node == "na"


def test_what_may_still_run_on_a_silent_node_goes_by_force_alone(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        before = home.create("web", probability=1.0)
        home.create("job", probability=1.0)
        home.engine.lifecycle.run("web")
        home.lose("na")
        with pytest.raises(EngineUnavailableError, match="may still run on one that is silent") as caught:
            home.engine.lifecycle.remove("web")
        assert "rm --force web" in caught.value.hint
        assert home.engine.lifecycle.remove("job") == "job", "it did not run"
        home.come_back("na")
        assert home.record("web").engine_id == before.engine_id
        assert home.runs("web")
        home.lose("na")
        assert home.engine.lifecycle.remove("web", force=True) == "web"
        home.come_back("na")
        assert home.there("na") == []


def test_a_node_removed_while_it_is_compared_gets_nothing(home, monkeypatch):
    home.create("web", node="na")
    home.lose("na", "nb")
    assert home.record("web").phase is Phase.WAITING
    home.faults.away.clear()
    gone = node(home, "na")
    home.store.nodes.delete("na")
    assert home.engine.watch._reconcile.node(gone).made_again == []
    assert (home.record("web").phase, home.record("web").node) == (Phase.WAITING, None)
    home.engine.upkeep.maintenance()
    assert (home.record("web").phase, home.record("web").node) == (Phase.WAITING, None), "nb is lost"
    home.engine.watch.look()
    home.clock.advance(home.config.node_lost_after_s + 3)
    home.engine.watch.look()
    assert home.record("web").node == "nb"
