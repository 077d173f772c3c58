"""Nodes and containers for the tests of placement, in as few words as possible."""

from __future__ import annotations

from qrealm.control.containers.values import (
    ContainerRecord,
    NodeRecord,
    NodeState,
    Phase,
    QuantumSpec,
    Relation,
    Wanted,
)
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint, Limits, Mount

NOW = 1_700_000_000.0


def node(name, *, cpus=4.0, memory=8192, state=NodeState.READY, simulated=False):
    """A node; memory in MiB."""
    endpoint = Endpoint("simulated" if simulated else "docker", f"unix:///run/{name}.sock")
    return NodeRecord(name, endpoint, "Docker 20.10.24", cpus, memory << 20, state, simulated)


def container(
    name,
    where=None,
    *,
    cpus=1.0,
    memory=512,
    weight=1.0,
    probability=0.5,
    volumes=(),
    waiting=False,
    runs=False,
):
    """A container whose id is that of its name; memory in MiB."""
    spec = ContainerSpec(
        name,
        "busybox",
        limits=Limits(cpus, memory << 20),
        mounts=tuple(Mount(volume, "/data") for volume in volumes),
    )
    phase = Phase.WAITING if waiting else Phase.CREATING if where is None else Phase.READY
    return ContainerRecord(
        id_of(name),
        name,
        spec,
        QuantumSpec(probability=probability, weight=weight),
        where,
        None,
        phase,
        Wanted.RUNNING if runs else Wanted.STOPPED,
        NOW,
    )


def id_of(name):
    """64 hexadecimal digits of a name."""
    return name.encode().hex().ljust(64, "0")


def ids(*names):
    """Ids of several names."""
    return frozenset(id_of(name) for name in names)


def relation(first, second, mode):
    """A declared correlation, by names."""
    return Relation(id_of(first), id_of(second), mode)
