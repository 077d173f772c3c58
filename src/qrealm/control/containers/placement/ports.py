"""Ports of hosts: one host gives each to one container, whether that runs or not."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence

from qrealm.control.containers.values import ContainerRecord
from qrealm.fleet.containers.host_ports import address_of, clash, published
from qrealm.fleet.containers.protocol import ContainerSpec, Port
from qrealm.optimize import Rule, apart

SHARED_PORT = 1e4
"""Price of two containers with one port on the node where both are now, as older releases have put them. They
are parted where another node is free, and may else stay."""

_TAKEN = " is taken by "


def taken_reason(port: Port, holder: str) -> str:
    """``"port 9100 is taken by web"``."""
    return f"port {address_of(port)}{_TAKEN}{holder}"


def is_taken_reason(reason: str) -> bool:
    """Whether it is one of `taken_reason`."""
    return reason.startswith("port ") and _TAKEN in reason


class TakenPorts:
    """Who has which ports, by node.

    Args:
        containers: all that there are; those without a node take nothing.
    """

    def __init__(self, containers: Iterable[ContainerRecord]) -> None:
        self._holders: dict[tuple[str, int, str], list[ContainerRecord]] = {}
        for container in containers:
            if container.node is not None:
                for port in published(container.spec):
                    self._holders.setdefault(_key(container.node, port), []).append(container)

    def refusal(self, container: ContainerRecord, node: str) -> str:
        """Why a node's ports keep a container away; empty when they do not."""
        for port in published(container.spec):
            for holder in self._holders.get(_key(node, port), ()):
                if holder.id != container.id and (met := clash(container.spec, holder.spec)):
                    return taken_reason(met, holder.name)
        return ""


def _key(node: str, port: Port) -> tuple[str, int, str]:
    return node, int(port.host_port or 0), port.protocol


def port_rules(
    containers: Sequence[ContainerRecord],
    decided: Collection[str],
    homes: Mapping[str, str | None],
    unit: float,
) -> tuple[Rule, ...]:
    """Who may not share a node with whom. That nobody comes to a node where another has the port already is
    a refusal of that node; this is about those that come to one together.

    Args:
        containers: those of the problem.
        decided: ids of those that are decided about.
        homes: by id the node where each is now.
        unit: see `unit_of`.
    """
    wanted: dict[tuple[int, str], list[ContainerRecord]] = {}
    for container in containers:
        for each in dict.fromkeys((port.host_port or 0, port.protocol) for port in published(container.spec)):
            wanted.setdefault(each, []).append(container)
    demands: dict[frozenset[str], Rule] = {}
    for group in wanted.values():
        for rule in _rules_of(group, decided, homes, unit):
            demands.setdefault(frozenset(rule.items), rule)
    return tuple(demands.values())


def port_rules_elsewhere(specs: Iterable[ContainerSpec]) -> tuple[Rule, ...]:
    """Demands that no two with one port come to one node, wherever they are now."""
    wanted: dict[tuple[int, str], list[ContainerSpec]] = {}
    for spec in specs:
        for each in dict.fromkeys((port.host_port or 0, port.protocol) for port in published(spec)):
            wanted.setdefault(each, []).append(spec)
    pairs = {
        (one.name, other.name)
        for group in wanted.values()
        for one, other in itertools.combinations(group, 2)
        if clash(one, other)
    }
    return tuple(apart(*pair) for pair in sorted(pairs))


def _rules_of(
    group: Sequence[ContainerRecord],
    decided: Collection[str],
    homes: Mapping[str, str | None],
    unit: float,
) -> list[Rule]:
    """Of containers with one port and protocol: one rule for all where all of them clash."""
    at: dict[str, list[ContainerRecord]] = {}
    for container in group:
        if (home := homes[container.id]) is not None:
            at.setdefault(home, []).append(container)
    shared = [
        apart(one.name, other.name, weight=SHARED_PORT * unit)
        for there in at.values()
        for one, other in itertools.combinations(there, 2)
        if (one.id in decided or other.id in decided) and clash(one.spec, other.spec)
    ]
    coming = [container for container in group if container.id in decided]
    pairs = [
        (one, other)
        for one, other in itertools.combinations(coming, 2)
        if clash(one.spec, other.spec) and (homes[one.id] is None or homes[one.id] != homes[other.id])
    ]
    if len(coming) > 1 and len(pairs) == len(coming) * (len(coming) - 1) // 2:
        return [apart(*(container.name for container in coming)), *shared]
    return [*(apart(one.name, other.name) for one, other in pairs), *shared]
