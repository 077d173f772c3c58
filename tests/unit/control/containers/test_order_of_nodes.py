"""Nodes of a configuration are listed in its order, whoever answers first."""

from __future__ import annotations

import threading

from tests.unit.control.containers.homes import Home, Node


def test_the_first_node_answers_last(tmp_path, monkeypatch):
    home = Home(tmp_path, ("na", "nb"))
    answered = threading.Event()
    facts = Node.facts

    def late(self):
        if self._host == "na":
            assert answered.wait(60)
        found = facts(self)
        home.clock.advance(1.0)
        answered.set()
        return found

    monkeypatch.setattr(Node, "facts", late)
    with home:
        assert [node.name for node in home.store.nodes.all()] == ["na", "nb"]
