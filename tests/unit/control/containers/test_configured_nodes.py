"""A configuration that has changed since the nodes were added, and nodes that are removed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, configured, endpoint

from qrealm.base.errors import EngineUnavailableError, RequestError
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.values import NodeState, Phase


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


def test_other_certificates_are_the_same_engine(home):
    home.create("web", node="na")
    home.engine.nodes.add("na", home.endpoints["na"], {"zone": "west"}, cpus=2.0)
    home.engine.nodes.drain("nb")
    for name in ("na", "nb"):
        home.endpoints[name] = replace(home.endpoints[name], tls_ca="new.pem")
    configured(home, *(NodeEntry(name, where) for name, where in home.endpoints.items()))
    found = node(home, "na")
    assert (found.endpoint.tls_ca, found.cpus, found.labels) == ("new.pem", 2.0, {"zone": "west"})
    assert node(home, "nb").state is NodeState.DRAINING
    again = home.engine.nodes.add("na", replace(home.endpoints["na"], tls_ca="newer.pem")).record
    assert (again.endpoint.tls_ca, again.cpus) == ("newer.pem", 2.0)
    home.check()


def test_data_that_is_waited_for_keeps_its_node_too(tmp_path):
    with Home(tmp_path, ("na", "nb")) as home:
        home.create("db", node="na", volumes=("data",))
        home.lose("na")
        assert (home.record("db").node, home.record("db").data_node) == (None, "na")
        with pytest.raises(RequestError, match="'na' the engine docker simulated://other"):
            configured(home, NodeEntry("na", endpoint(home.path, "other")))
        configured(home, NodeEntry("na", home.endpoints["na"]))
        assert home.record("db").data_node == "na"


def test_a_configured_node_that_may_be_none_is_listed_with_the_reason(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        na = NodeEntry("na", home.endpoints["na"])
        wrong = NodeEntry("nb", replace(na.endpoint, url="simulated://nb?memory=7"))
        configured(home, na, wrong)
        for _ in range(2):
            for _ in range(2):
                found = {view.record.name: view for view in home.engine.nodes.all()}
                assert found["nb"].record.state is NodeState.LOST
                assert "is no url of a simulated engine" in found["nb"].error
                home.engine.watch.look()
            home.reopen()
        home.endpoints["nb"] = replace(na.endpoint, url="simulated://nb?cpus=4")
        configured(home, na, NodeEntry("nb", home.endpoints["nb"]))
        assert (node(home, "nb").state, node(home, "nb").cpus) == (NodeState.READY, 4.0)


@pytest.mark.parametrize("silent", [False, True])
def test_a_configured_node_that_is_another_one_s_engine_is_told_of_and_none(tmp_path, silent):
    with Home(tmp_path, ("na",)) as home:
        na = NodeEntry("na", home.endpoints["na"])
        twice = NodeEntry("nc", replace(na.endpoint, tls_ca="other.pem"))
        if silent:
            home.faults.away.add("na")
        configured(home, na, twice)
        for _ in range(2):
            assert [each.name for each in home.store.nodes.all()] == ["na"]
            (told,) = home.engine.notices
            assert "'nc' cannot be taken in: node 'na' is that engine; the configuration names it" in told
            home.engine.watch.look()
            home.reopen()
        # Once it may be one, it is.
        home.faults.away.clear()
        home.engine.nodes.remove("na", force=True)
        home.reopen()
        assert home.engine.notices == ()
        assert (node(home, "nc").state, node(home, "nc").cpus) == (NodeState.READY, 4.0)


def test_a_removed_node_stays_removed(home):
    """The next start brought it back, and nothing said so."""
    na, nb = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nb"))
    home.engine.nodes.remove("nb")
    for _ in range(2):
        assert home.engine.nodes.left_out() == ("nb",)
        configured(home, na, nb)
        assert [each.name for each in home.store.nodes.all()] == ["na"]
    # Said anew it is.
    configured(home, na, replace(nb, labels={"zone": "west"}))
    assert node(home, "nb").labels == {"zone": "west"}
    assert home.engine.nodes.left_out() == ()
    configured(home, na, nb)
    assert node(home, "nb").state is NodeState.READY


def test_a_removed_node_stays_removed_also_when_the_configuration_names_it_again(home):
    """A start with another file forgot the removal, and the old file brought the node back."""
    na, nb = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nb"))
    home.engine.nodes.remove("nb")
    configured(home, na)
    assert home.engine.nodes.left_out() == ()
    assert not home.engine.nodes.is_configured("nb")
    configured(home, na, nb)
    assert home.engine.nodes.left_out() == ("nb",)
    assert [each.name for each in home.store.nodes.all()] == ["na"]
    configured(home, na, replace(nb, cpus=2.0))
    assert (node(home, "nb").cpus, home.engine.nodes.left_out()) == (2.0, ())
    configured(home, na, nb)
    assert node(home, "nb").state is NodeState.READY


@pytest.mark.parametrize("same", [True, False])
def test_a_removed_node_that_is_added_while_the_configuration_does_not_name_it(home, same):
    na, nb = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nb"))
    home.engine.nodes.remove("nb")
    configured(home, na)
    if not same:
        home.endpoints["nb"] = endpoint(home.path, "other", cpus=8)
    home.engine.nodes.add("nb", home.endpoints["nb"], cpus=3.0)
    configured(home, na, nb)
    assert (node(home, "nb").endpoint, node(home, "nb").cpus) == (home.endpoints["nb"], 3.0)
    home.engine.nodes.remove("nb")
    home.reopen()
    assert home.engine.nodes.left_out() == ("nb",)


def test_a_removed_node_comes_back_by_hand(home):
    na, nb = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nb"))
    home.engine.nodes.remove("nb")
    home.engine.nodes.add("nb", nb.endpoint)
    configured(home, na, replace(nb, cpus=2.0))
    assert node(home, "nb").cpus == 2.0
    # Another engine of that name is none of the configuration's.
    home.engine.nodes.remove("nb")
    home.endpoints["nb"] = endpoint(home.path, "other", cpus=8)
    home.engine.nodes.add("nb", home.endpoints["nb"])
    configured(home, na, replace(nb, cpus=2.0))
    assert (node(home, "nb").cpus, home.engine.nodes.left_out()) == (8.0, ())


def test_an_engine_that_was_given_another_name_leaves_no_ghost(home):
    home.create("web", node="na")
    home.create("job", node="nb")
    home.engine.lifecycle.remove("job")
    home.engine.nodes.remove("nb")
    home.engine.nodes.add("nx", home.endpoints["nb"])
    home.reopen()
    assert {each.name for each in home.store.nodes.all()} == {"na", "nx"}
    assert home.engine.notices == ()


def test_a_cluster_with_one_that_may_still_run_is_removed_whole_or_not_at_all(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        home.create("aa", probability=1.0, cluster="kk")
        home.create("bb", probability=1.0, cluster="kk")
        home.engine.lifecycle.run("bb")
        home.lose("na")
        with pytest.raises(EngineUnavailableError, match="silent: na"):
            home.engine.clusters.remove("kk")
        assert {record.name for record in home.store.containers.all()} == {"aa", "bb"}
        assert sorted(home.engine.clusters.remove("kk", force=True)) == ["aa", "bb"]


def test_what_waits_and_was_on_no_lost_node_is_removed(tmp_path):
    with Home(tmp_path, ("na", "nb")) as home:
        home.create("web", node="na", probability=1.0, memory_mib=3000)
        home.create("big", node="nb", memory_mib=3000)
        home.engine.lifecycle.run("web")
        home.lose("na")
        assert home.record("web").phase is Phase.WAITING
        home.engine.nodes.remove("na")
        assert home.engine.lifecycle.remove("web") == "web"
