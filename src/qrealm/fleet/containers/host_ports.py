"""Ports of a host that containers take by number: which of them no host can give twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from ipaddress import ip_address

from qrealm.fleet.containers.protocol import ContainerSpec, Port

_PORTLESS_NETWORKS = ("host", "none")


def published(spec: ContainerSpec) -> tuple[Port, ...]:
    """Ports of its host that a container takes by number. Those that the engine chooses it finds free, and in
    the host's own network or in none nothing is published."""
    if spec.network in _PORTLESS_NETWORKS:
        return ()
    return tuple(port for port in spec.ports if port.host_port)


def not_published(spec: ContainerSpec) -> str:
    """What is to be said of ports that a container asks for and does not get; empty when nothing is."""
    if not spec.ports or spec.network not in _PORTLESS_NETWORKS:
        return ""
    return f"the ports of {spec.name} are not published: its network is {spec.network!r}"


def clash(one: ContainerSpec, other: ContainerSpec) -> Port | None:
    """A port of `one` that no host can give to both; None where there is none."""
    theirs = published(other)
    return next((port for port in published(one) if any(_meet(port, each) for each in theirs)), None)


def _meet(one: Port, other: Port) -> bool:
    same = (one.host_port, one.protocol) == (other.host_port, other.protocol)
    return same and _addresses_meet(one.host_ip, other.host_ip)


def _addresses_meet(one: str, other: str) -> bool:
    """No address is every address of both families; ``0.0.0.0`` and ``::`` are all of one."""
    if not one or not other:
        return True
    try:
        first, second = ip_address(one), ip_address(other)
    except ValueError:
        return one == other
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def own_clash(ports: Iterable[Port]) -> tuple[Port, Port] | None:
    """Two different ports of one container that no host can give both; None where there are none."""
    pairs = itertools.combinations([port for port in once(ports) if port.host_port], 2)
    return next(((one, other) for one, other in pairs if _meet(one, other)), None)


def once(ports: Iterable[Port]) -> tuple[Port, ...]:
    """Ports without those that are the same again. Those that the engine chooses are each another one."""
    kept: list[Port] = []
    for port in ports:
        if not port.host_port or port not in kept:
            kept.append(port)
    return tuple(kept)


def twice(both: tuple[Port, Port]) -> str:
    """What is wrong with two of `own_clash`."""
    told = " and ".join(f"{_address_of(port)}:{port.container_port}{_protocol_of(port)}" for port in both)
    return f"{told} are one port of the host, which it can show only once"


def address_of(port: Port) -> str:
    """``"127.0.0.1:8080/udp"``: where a host shows a port; without what is usual, ``"8080"``."""
    return f"{_address_of(port)}{_protocol_of(port)}"


def _address_of(port: Port) -> str:
    address = f"[{port.host_ip}]:" if ":" in port.host_ip else f"{port.host_ip}:" if port.host_ip else ""
    return f"{address}{port.host_port}"


def _protocol_of(port: Port) -> str:
    return "" if port.protocol == "tcp" else f"/{port.protocol}"
