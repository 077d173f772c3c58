"""Whether a node still takes a container, when what was decided is carried out."""

from __future__ import annotations

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NoRoomError
from qrealm.control.containers.context import Context
from qrealm.control.containers.placement.ports import TakenPorts
from qrealm.control.containers.values import ContainerRecord, NodeRecord, NodeState

MIB = 1 << 20
# What sums of limits may be off by rounding.
_CPUS_SLACK = 1e-9


def check_room(context: Context, record: ContainerRecord, target: str) -> NodeRecord:
    """The node, when by what is written down it takes the container beside all others; inside a transaction.

    Raises:
        EngineUnavailableError: it was lost.
        EngineRefusalError: it was closed.
        NoRoomError: others have been given the room, or a port.
        NoSuchContainerError: there is no such node any more.
    """
    node = context.store.nodes.get(target)
    if node.state is NodeState.LOST:
        raise EngineUnavailableError(f"node {target!r} was lost meanwhile")
    if node.state is not NodeState.READY:
        raise EngineRefusalError(f"node {target!r} was closed meanwhile: it is {node.state.value}")
    there = [
        other for other in context.store.containers.all() if other.node == target and other.id != record.id
    ]
    if reason := TakenPorts(there).refusal(record, target):
        raise NoRoomError(f"node {target!r} does not take {record.name!r} any more: {reason}")
    others = [other.spec.limits for other in there]
    limits = record.spec.limits
    memory_bytes = sum(each.memory_bytes for each in others) + limits.memory_bytes
    if memory_bytes > node.memory_bytes:
        raise NoRoomError(
            f"node {target!r} has no room for {record.name!r} any more: its containers would have "
            f"{memory_bytes / MIB:.0f} MiB of {node.memory_bytes / MIB:.0f}"
        )
    cpus = sum(each.cpus for each in others) + limits.cpus
    allowed = node.cpus * context.config.cpu_overcommit
    if cpus > allowed + _CPUS_SLACK:
        raise NoRoomError(
            f"node {target!r} has no room for {record.name!r} any more: the limits of its containers would "
            f"add up to {cpus:g} processors, {allowed:g} are allowed"
        )
    return node
