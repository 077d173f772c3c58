"""Nodes that have not been heard yet since whatever stands between them and us came back.

One that is silent alone is lost. Where all were silent, it was our own network; where all members of a
swarm were, it was their manager, and one that has just begun knows of none until each has told it that it is
there. Then the first node that answers says nothing against the others: they get time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from qrealm.base.errors import NodeDownError, QrealmError
from qrealm.control.containers.values import NodeRecord

MANAGER_SETTLES_S = 10.0
"""How long members of a swarm take to find their manager again; they wait up to 8 s between tries."""

_NETWORK = ""


class Settling:
    """Remembers since when nodes can be heard again.

    Args:
        network_s: how long nodes have, once a first one answers after the silence of all.
    """

    def __init__(self, network_s: float) -> None:
        self._network_s = network_s
        self._settled_at: dict[str, float] = {}
        # Our own network counts as there until it is gone; a manager may have begun when we did.
        self._heard: dict[str, bool] = {_NETWORK: True}

    def heard(
        self, nodes: Sequence[NodeRecord], problems: Mapping[str, QrealmError | None], now: float
    ) -> None:
        """Take note of a round: which nodes answered, in seconds of a monotonic clock."""
        speaks: dict[str, bool] = defaultdict(bool)
        lasts: dict[str, float] = {}
        for node in nodes:
            problem = problems[node.name]
            for between, settles_s in self._between(node).items():
                # Whoever says for sure that a node is down has been heard.
                speaks[between] |= problem is None or isinstance(problem, NodeDownError)
                lasts[between] = settles_s
        for between, settles_s in lasts.items():
            if speaks[between] and not self._heard.get(between, False):
                self._settled_at[between] = now + settles_s
            self._heard[between] = speaks[between]

    def may_come(self, node: NodeRecord, now: float) -> bool:
        """Whether a silent node still has time to be heard."""
        return any(now < self._settled_at.get(between, now) for between in self._between(node))

    def _between(self, node: NodeRecord) -> dict[str, float]:
        """What a node's answers pass through, with the time it takes to settle."""
        network = {_NETWORK: self._network_s}
        return network if node.endpoint.member is None else network | {node.endpoint.url: MANAGER_SETTLES_S}
