"""What a listed node says of itself: when it answered last, and why it does not."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home, configured, endpoint, looked_at, views

from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.values import NodeState


def test_a_listed_node_says_when_it_answered_last_and_why_it_does_not(tmp_path):
    with Home(tmp_path, ("na", "nb")) as home:
        home.engine.watch.look()
        home.clock.advance(100.0)
        home.engine.watch.look()
        answered = home.clock.now()
        home.clock.advance(1.0)
        view = home.engine.nodes.view(home.store.nodes.get("na"))
        assert (view.record.seen_at, view.error) == (pytest.approx(answered), "")
        home.lose("na")
        view = home.engine.nodes.view(home.store.nodes.get("na"))
        assert view.record.state is NodeState.LOST
        assert view.record.seen_at == pytest.approx(answered)
        assert view.error
        home.come_back("na")
        view = home.engine.nodes.view(home.store.nodes.get("na"))
        assert (view.record.seen_at, view.error) == (pytest.approx(home.clock.now()), "")


def test_a_node_that_is_well_has_no_reason_why_it_is_not(home):
    """It was shown for ever."""
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    home.engine.nodes.remove("nb")
    home.faults.away.add("nb")
    configured(home, NodeEntry("na", na), NodeEntry("nb", nb, {"zone": "west"}))
    assert "does not answer" in views(home)["nb"].error
    home.faults.away.clear()
    home.engine.nodes.add("nb", nb)
    looked_at(home)
    found = views(home)["nb"]
    assert (found.record.state, found.error) == (NodeState.READY, "")


def test_a_node_that_is_removed_while_it_is_taken_in_leaves_no_reason(home, monkeypatch):
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    home.engine.nodes.remove("nb")
    home.faults.away.add("nb")
    configured(home, NodeEntry("na", na), NodeEntry("nb", nb, {"zone": "west"}))
    home.faults.away.clear()
    nodes = home.engine.nodes
    look = nodes._admitting.look

    def removed_meanwhile(*words):
        found = look(*words)
        nodes.remove("nb")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(nodes._admitting, "look", removed_meanwhile)
        home.engine.watch.look()
    assert set(views(home)) == {"na"}
    home.endpoints["nb"] = endpoint(home.path, "other")
    nodes.add("nb", home.endpoints["nb"])
    looked_at(home)
    found = views(home)["nb"]
    assert (found.record.state, found.error) == (NodeState.READY, "")


def test_a_node_that_gets_the_name_of_one_that_was_silent_is_not_called_so(home):
    home.lose("nb")
    assert views(home)["nb"].error
    home.engine.nodes.remove("nb")
    home.endpoints["nb"] = endpoint(home.path, "other")
    assert home.engine.nodes.add("nb", home.endpoints["nb"]).error == ""


def test_of_a_node_that_is_removed_nothing_is_known_any_more(home, monkeypatch):
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    home.engine.nodes.remove("nb")
    configured(home, NodeEntry("na", na))
    home.faults.away.add("nb")
    configured(home, NodeEntry("na", na), NodeEntry("nb", nb, {"zone": "west"}))
    watch, node = home.engine.watch, home.store.nodes.get("nb")
    watch.refuse("nb", "it is another one")
    home.create("web", node="na")
    looked_at(home)
    home.engine.lifecycle.remove("web")
    for name in ("na", "nb"):
        home.engine.nodes.remove(name)
    assert watch.last_heard(node)[1] == ""
    assert watch._noticing._seen == {}
