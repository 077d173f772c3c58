"""Members of a Docker swarm: which one is meant, what the swarm says of it, which services are its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NameTakenError, NodeDownError
from qrealm.fleet.containers.swarm_form import LABEL_NAME, SERVICE_NAME_LENGTH_MAX, Told, name_of

_ID_PART = 8
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SwarmMember:
    """One member as the swarm's managers see it.

    Attributes:
        told: the swarm's record of it.
        constraint: what binds a service to it.
        constraints: all that are known to mean it.
    """

    told: Told
    constraint: str
    constraints: frozenset[str]

    @property
    def host(self) -> str:
        return str(self.told["Description"]["Hostname"])

    def owns(self, service: Told) -> bool:
        """Whether a service is bound to this member."""
        placement = service["Spec"]["TaskTemplate"].get("Placement") or {}
        return not self.constraints.isdisjoint(placement.get("Constraints") or [])

    def check_keeps(self, doing: str) -> None:
        """Raises NodeDownError where what runs there is gone or about to go, EngineUnavailableError where it
        may be."""
        state, message = self.told["Status"]["State"], self.told["Status"].get("Message") or "no reason given"
        if state in ("down", "disconnected"):
            # A manager that has just begun knows no member, until each has told it that it is there.
            sure = _UNKNOWN not in message
            raise (NodeDownError if sure else EngineUnavailableError)(
                f"{doing}: the swarm says that node {self.host!r} is {state}: {message}",
                hint="start Docker on the node, or remove it from the swarm",
            )
        if self.told["Spec"]["Availability"] == "drain":
            raise NodeDownError(
                f"{doing}: node {self.host!r} is drained by the swarm itself, which ends what runs there",
                hint=f"docker node update --availability active {self.host}",
            )

    def check_takes(self, doing: str) -> None:
        """Raises NodeDownError or EngineRefusalError for one that takes no containers."""
        self.check_keeps(doing)
        if (state := self.told["Status"]["State"]) != "ready":
            raise EngineRefusalError(f"{doing}: the swarm says that node {self.host!r} is {state}")
        if (availability := self.told["Spec"]["Availability"]) != "active":
            raise EngineRefusalError(
                f"{doing}: node {self.host!r} takes nothing new; its availability is {availability}",
                hint=f"docker node update --availability active {self.host}",
            )


def find_member(nodes: Sequence[Told], wanted: str, doing: str) -> SwarmMember:
    """The member of a host name, or of an id where several have the same.

    Raises:
        EngineRefusalError: there is none, or more than one.
    """
    named = [node for node in nodes if wanted in (node["Description"]["Hostname"], node["ID"])]
    hosts = sorted(str(node["Description"]["Hostname"]) for node in nodes)
    if not named:
        raise EngineRefusalError(
            f"{doing}: the swarm has no node {wanted!r}", hint=f"its nodes are: {', '.join(hosts)}"
        )
    if len(named) > 1:
        raise EngineRefusalError(
            f"{doing}: {len(named)} nodes have the host name {wanted!r}",
            hint=f"name the node by its id: {', '.join(node['ID'] for node in named)}",
        )
    (node,) = named
    by_id = f"node.id=={node['ID']}"
    by_host = f"node.hostname=={node['Description']['Hostname']}"
    alone = hosts.count(node["Description"]["Hostname"]) == 1
    return SwarmMember(
        node,
        by_id if node["ID"] == wanted else by_host,
        frozenset({by_id, by_host} if alone else {by_id}),
    )


def service_name(name: str, member: SwarmMember, services: Sequence[Told], doing: str) -> str:
    """What to call the service of a container. A swarm knows each name once, its members each know it once:
    while one moves, or one is left on a member that is down, there are two.

    Raises:
        NameTakenError: the member has a container of this name.
    """
    if any(name_of(service) == name and member.owns(service) for service in services):
        raise NameTakenError(
            f"{doing}: node {member.host!r} has a container of this name",
            hint="choose another name, or remove the container that has it",
        )
    taken = [service for service in services if service["Spec"]["Name"] == name]
    if not any(LABEL_NAME in (service["Spec"].get("Labels") or {}) for service in taken):
        return name  # where somebody else's service has it, the swarm says so
    tail = f"-{member.told['ID'][:_ID_PART]}"
    return name[: SERVICE_NAME_LENGTH_MAX - len(tail)].rstrip("-_") + tail
