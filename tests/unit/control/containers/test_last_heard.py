"""What a listed node says of itself: when it answered last, and why it does not."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home

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
