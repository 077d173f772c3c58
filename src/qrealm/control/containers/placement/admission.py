"""Which nodes a container may go to whatever else is there, and why not to the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers.placement.ports import TakenPorts
from qrealm.control.containers.values import ContainerRecord, NodeRecord, NodeState

MIB = 1 << 20


class Admission:
    """Knows the nodes, where data is, and who has which ports.

    Args:
        nodes: all that there are, lost ones too.
        containers: all that there are; their volumes and ports are on their nodes.
        pinned: by container id the node that the user asked for.
    """

    def __init__(
        self,
        nodes: Iterable[NodeRecord],
        containers: Iterable[ContainerRecord],
        pinned: Mapping[str, str],
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._pinned = pinned
        self._any_real = any(not node.simulated for node in self._nodes.values())
        self._volume_nodes: dict[str, set[str]] = {}
        listed = list(containers)
        self._ports = TakenPorts(listed)
        for container in listed:
            if container.node in self._nodes:
                for volume in volumes_of(container):
                    self._volume_nodes.setdefault(volume, set()).add(str(container.node))

    def refusals(self, container: ContainerRecord, home: str | None) -> dict[str, str]:
        """Why a container may not go to a node, for each node that it may not go to.

        Args:
            home: the node where it is now and may stay; None when it is nowhere.

        Raises:
            NoSuchContainerError: it is pinned to a node that is not there.
        """
        wanted = self._pinned.get(container.id)
        if wanted is not None and wanted not in self._nodes:
            known = ", ".join(self._nodes) or "none"
            raise NoSuchContainerError(
                f"container {container.name!r} is to go to node {wanted!r}; the nodes are {known}"
            )
        found: dict[str, str] = {}
        for node in self._nodes.values():
            if node.name == home and wanted in (None, home):
                continue
            reason = self._refusal(container, node, wanted)
            if reason:
                found[node.name] = reason
        return found

    def _refusal(self, container: ContainerRecord, node: NodeRecord, wanted: str | None) -> str:
        """Why not there; empty when nothing speaks against it."""
        if wanted is not None and node.name != wanted:
            return f"node {wanted} was asked for"
        if node.state is NodeState.LOST:
            return "does not answer (lost)"
        if node.state is NodeState.DRAINING:
            return "closed (draining)"
        if node.simulated is not self._simulated(container, node, wanted):
            kinds = ("simulated", "real") if node.simulated else ("real", "simulated")
            return "is {}, and the container is {}".format(*kinds)
        if reason := self._data(container, node.name):
            return reason
        if container.spec.limits.cpus > node.cpus:
            wanted_cpus = container.spec.limits.cpus
            return f"its host has {processors(node.cpus)}, the container wants {wanted_cpus:g}"
        return self._ports.refusal(container, node.name)

    def _simulated(self, container: ContainerRecord, node: NodeRecord, wanted: str | None) -> bool:
        """Whether it belongs on simulated nodes: one that was there stays there, a new one goes to real ones
        where there is any, or where the user said."""
        before = self._nodes.get(container.node) if container.node is not None else None
        if before is not None:
            return before.simulated
        return node.simulated if wanted is not None else not self._any_real

    def _data(self, container: ContainerRecord, node: str) -> str:
        """Why its data keeps it from a node; empty when it does not."""
        if container.node in self._nodes and container.data_node == container.node != node:
            return f"what it keeps in a volume of its image is on node {container.data_node}"
        if not container.spec.mounts:
            return ""
        if container.node in self._nodes:
            if node == container.node:
                return ""
            source = container.spec.mounts[0].source
            kind = "folder" if source.startswith("/") else "volume"
            return f"its {kind} {source} is on node {container.node}"
        for volume in volumes_of(container):
            places = self._volume_nodes.get(volume, set())
            if places and node not in places:
                return f"its volume {volume} is on node {', '.join(sorted(places))}"
        return ""


def processors(count: float) -> str:
    """``"1 processor"``, ``"0.5 processors"``."""
    return f"{count:g} processor{'' if count == 1 else 's'}"


def volumes_of(container: ContainerRecord) -> list[str]:
    """Names of its named volumes."""
    return [mount.source for mount in container.spec.mounts if not mount.source.startswith("/")]
