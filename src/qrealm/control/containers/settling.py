"""Nodes that fell silent together get time to come back together.

One that is silent alone is lost. Where all were silent, it was our own network; where all members of a swarm
were, it was their manager, and one that has just begun knows of none until each has told it that it is there.
Then the first node that answers says nothing against those that fell silent with it: they get time, once for
each silence, so that nothing that answers now and then can keep a loss from being seen.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qrealm.base.errors import NodeDownError, QrealmError
from qrealm.control.containers.values import NodeRecord

MANAGER_SETTLES_S = 10.0
"""How long members of a swarm take to find their manager again; they wait up to 8 s between tries."""

ROUNDS_MIN = 2
"""One round without an answer is no silence: a busy engine misses a probe now and then."""

_NETWORK = ""


@dataclass(slots=True)
class _Silence:
    """Nobody answers through something.

    Attributes:
        together: the nodes that had been heard shortly before.
        rounds: how many there have been.
    """

    together: frozenset[str]
    rounds: int = 0


class Settling:
    """Remembers who fell silent together, and until when they have time.

    Args:
        network_s: how long nodes have, once a first one answers after the silence of all; and how shortly
            before it one must have been heard to be part of it.
    """

    def __init__(self, network_s: float) -> None:
        self._network_s = network_s
        self._heard_at: dict[str, float] = {}
        self._silences: dict[str, _Silence] = {}
        self._managers: set[str] = set()
        self._until: dict[str, float] = {}
        # Rounds are one thread's, and nodes are removed by others.
        self._lock = threading.Lock()

    def heard(
        self, nodes: Sequence[NodeRecord], problems: Mapping[str, QrealmError | None], now: float
    ) -> None:
        """Take note of a round: which nodes answered, in seconds of a monotonic clock."""
        with self._lock:
            self._heard(nodes, problems, now)

    def may_come(self, name: str, now: float) -> bool:
        """Whether a silent node still has time to be heard."""
        return now < self._until.get(name, now)

    def forget(self, name: str) -> None:
        """A node that is no more; another may get its name."""
        with self._lock:
            self._heard_at.pop(name, None)
            self._until.pop(name, None)
            for silence in self._silences.values():
                silence.together -= {name}

    def _heard(
        self, nodes: Sequence[NodeRecord], problems: Mapping[str, QrealmError | None], now: float
    ) -> None:
        for node in nodes:
            self._heard_at.setdefault(node.name, now)
        answer = {node.name for node in nodes if problems[node.name] is None}
        # Whoever says for sure that a node is down has been heard, too.
        speaks = answer | {n.name for n in nodes if isinstance(problems[n.name], NodeDownError)}
        for between, names in self._all_through(nodes).items():
            if names.isdisjoint(speaks):
                self._go_on(between, names, now)
            else:
                self._end(between, names, now)
        for name in answer:
            self._heard_at[name] = now
            self._until.pop(name, None)

    def _go_on(self, between: str, names: frozenset[str], now: float) -> None:
        silence = self._silences.get(between)
        if silence is None:
            lately = now - self._network_s
            silence = _Silence(frozenset(name for name in names if self._heard_at[name] >= lately))
            self._silences[between] = silence
        silence.rounds += 1

    def _end(self, between: str, names: frozenset[str], now: float) -> None:
        silence = self._silences.pop(between, None)
        if between == _NETWORK:
            together, time_s = frozenset[str](), self._network_s
        else:
            # One that is met for the first time may have begun just now.
            together = frozenset() if between in self._managers else names
            time_s = MANAGER_SETTLES_S
            self._managers.add(between)
        if silence is not None and silence.rounds >= ROUNDS_MIN:
            together = silence.together
        for name in together:
            self._until[name] = max(self._until.get(name, now), now + time_s)

    @staticmethod
    def _all_through(nodes: Sequence[NodeRecord]) -> dict[str, frozenset[str]]:
        """What nodes' answers pass through, with the names of those nodes."""
        members: dict[str, set[str]] = {_NETWORK: {node.name for node in nodes}}
        for node in nodes:
            if node.endpoint.member is not None:
                members.setdefault(node.endpoint.url, set()).add(node.name)
        return {between: frozenset(names) for between, names in members.items()}
