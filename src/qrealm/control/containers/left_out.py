"""Nodes of the configuration that were removed by hand: left out until it says something else of them, or
they are added by hand."""

from __future__ import annotations

import json

from qrealm.control.containers.context import Context
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.json_codec import from_json, to_json

_KEY = "left-out-node:"


class LeftOut:
    """Remembers removals, each with what the configuration said of the node then."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def configured(self, name: str) -> NodeEntry | None:
        """What the configuration says of a node."""
        return next((entry for entry in self._ctx.config.nodes if entry.name == name), None)

    def said(self, name: str) -> NodeEntry | None:
        """The same; of one that it does not name any more, what it said when the node was removed."""
        text = self._ctx.store.settings.get(_KEY + name)
        entry = self.configured(name)
        return from_json(NodeEntry, json.loads(text)) if entry is None and text is not None else entry

    def removed(self, name: str) -> None:
        """A node is removed: the next start does not bring it back."""
        if (entry := self.configured(name)) is not None:
            self._ctx.store.settings.set(_KEY + name, _text(entry))

    def added(self, name: str) -> None:
        """It is a node again, and the configuration holds of it."""
        self._ctx.store.settings.delete(_KEY + name)

    def names(self) -> tuple[str, ...]:
        """Nodes of the configuration that are none, as they were removed."""
        there = {node.name for node in self._ctx.store.nodes.all()}
        remembered = self._ctx.store.settings.all(_KEY)
        return tuple(
            entry.name
            for entry in self._ctx.config.nodes
            if _KEY + entry.name in remembered and entry.name not in there
        )

    def entries(self) -> tuple[NodeEntry, ...]:
        """What the configuration says of nodes that are not left out. What it says anew is no longer."""
        remembered = self._ctx.store.settings.all(_KEY)
        return tuple(
            entry for entry in self._ctx.config.nodes if remembered.get(_KEY + entry.name) != _text(entry)
        )

    def tidy(self) -> None:
        """Forget removals of which the configuration says something else now: that holds. One that it does
        not name at all may be named again as before, and stays removed then."""
        settings = self._ctx.store.settings
        for key, text in settings.all(_KEY).items():
            entry = self.configured(key.removeprefix(_KEY))
            if entry is not None and _text(entry) != text:
                settings.delete(key)


def _text(entry: NodeEntry) -> str:
    return json.dumps(to_json(entry), sort_keys=True)
