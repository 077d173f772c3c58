"""What is there and what may move, and the same as a placement problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qrealm.control.containers.placement.admission import MIB, Admission, volumes_of
from qrealm.control.containers.placement.ports import port_rules, taken_reason
from qrealm.control.containers.values import (
    ContainerRecord,
    NodeRecord,
    NodeState,
    Phase,
    Relation,
    Wanted,
)
from qrealm.fleet.containers.host_ports import clash, published
from qrealm.fleet.containers.protocol import ContainerSpec
from qrealm.optimize import Assignment, Bin, Item, Objective, Rule, apart, together

AFFINITY = 1.0
"""Price of each node more than one that containers related by ``same`` are on, in units of `unit_of`. The
variance that a balance counts is at most 1/4 of a unit, so no gain of balance pays for it."""

FAILOVER = 2.0
"""Price of two containers related by ``opposite`` on one node: one of them is to run where the other
failed. More than affinity, and more than a node in use."""

ANTI_AFFINITY = 4.0
"""Price of each container related by ``spread`` that shares a node with another of its group: more than
affinity and failover together."""

SHARED_VOLUME = 1e4
"""Price of each node more than one that new containers with one volume are on: more than all else together,
so that they part only where no node takes them all."""

# Less load than this is none: what rounding left of a probability.
LOAD_MIN = 1e-12


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about placement.

    Attributes:
        balance: whether to balance the nodes; else as few nodes as possible are used.
        cpu_overcommit: processor limits on a node may add up to so many times its processors.
        move_cost: what a move must lower the objective by to pay. Where nodes are balanced it compares with
            2/3 of the difference that the move makes up between the loads of two nodes, in mean loads, beyond
            the container's own: 0.1 lets a container move for 15 % of a mean load. Else with one node in use.
    """

    balance: bool = True
    cpu_overcommit: float = 4.0
    move_cost: float = 0.1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is there at one moment.

    Attributes:
        nodes, containers: all that there are, and those that are to be made.
        relations: declared correlations, between ids of containers.
        probabilities: by container id, that its next `run` starts it; the declared one where an id is absent.
        moving: ids of containers that may be placed or moved; the others stay.
        pinned: by container id the node that the user asked for.
        policy: see `Policy`.
    """

    nodes: tuple[NodeRecord, ...]
    containers: tuple[ContainerRecord, ...]
    relations: tuple[Relation, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    moving: frozenset[str] = frozenset()
    pinned: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)

    def waiting(self) -> frozenset[str]:
        """Ids of the containers that wait for a node."""
        return frozenset(c.id for c in self.containers if c.phase is Phase.WAITING)


@dataclass(frozen=True, slots=True)
class PlacementProblem:
    """A snapshot as a problem.

    Attributes:
        assignment: items are containers and bins are nodes, both by name. Demands and capacities are
            ``cpus``, ``memory`` in MiB, and ``load``: see `load_in`.
        movable: names of the containers that are decided about.
        refusals: for each of those, the nodes that it may not go to, and why.
        before: the node's name that each of those had, which may be lost.
        policy: see `Policy`.
        specs: by name what each container of the problem is.
    """

    assignment: Assignment
    movable: tuple[str, ...]
    refusals: Mapping[str, Mapping[str, str]]
    before: Mapping[str, str | None]
    policy: Policy
    specs: Mapping[str, ContainerSpec]

    def port_holder(self, name: str, others: Iterable[str]) -> str:
        """Which of the others has a port that a container wants, in words; empty when none has."""
        wanted = self.specs[name]
        for other in others:
            if other != name and (port := clash(wanted, self.specs[other])):
                return taken_reason(port, other)
        return ""


def assignment_of(snapshot: Snapshot) -> Assignment:
    """The problem that a scheduler is given; see `PlacementProblem`."""
    return problem_of(snapshot).assignment


def problem_of(snapshot: Snapshot, *, may_wait: bool = False) -> PlacementProblem:
    """The snapshot as a problem.

    Containers that may not move are items with one allowed node. Nodes that are draining are bins only for
    what is there. A node that holds more than its capacity counts as just full, so that leaving everything
    where it is always is an answer.

    Args:
        may_wait: whether containers may be left without a node.

    Raises:
        NoSuchContainerError: a container is pinned to a node that is not there.
    """
    admission = Admission(snapshot.nodes, snapshot.containers, snapshot.pinned)
    present = {node.name: node for node in snapshot.nodes if node.state is not NodeState.LOST}
    decided = [c for c in snapshot.containers if c.id in snapshot.moving and c.phase is not Phase.REMOVING]
    ids = {c.id for c in decided}
    fixed = [c for c in snapshot.containers if c.id not in ids and c.node in present]
    members = [c for c in snapshot.containers if c.id in ids or c.node in present]
    homes = {c.id: c.node if c.node in present else None for c in members}
    closed = {name for name, node in present.items() if node.state is NodeState.DRAINING}
    held = {home for home in homes.values() if home is not None}
    nodes = [node for name, node in present.items() if name not in closed or name in held]
    names = [node.name for node in nodes]
    refusals = {c.name: admission.refusals(c, homes[c.id]) for c in decided}
    if not may_wait:
        _keep_clear(decided, homes, names, refusals)
    allowed: dict[str, tuple[str, ...] | None] = {c.name: (str(c.node),) for c in fixed}
    for c in decided:
        open_to = tuple(name for name in names if name not in refusals[c.name])
        allowed[c.name] = None if len(open_to) == len(names) else open_to
    items = [_item(c, snapshot, homes[c.id], allowed[c.name]) for c in members]
    policy = snapshot.policy
    unit = unit_of(len(items), len(nodes), policy)
    objective = Objective(balance=unit) if policy.balance else Objective(bins=unit)
    rules = rules_of(snapshot.relations, {c.id: c.name for c in members}, unit)
    rules += tuple(together(*group, weight=SHARED_VOLUME * unit) for group in sharing(decided).values())
    rules += port_rules(members, ids, homes, unit)
    assignment = Assignment(tuple(items), _bins(nodes, items, policy), rules, objective, may_wait)
    return PlacementProblem(
        assignment,
        tuple(c.name for c in decided),
        refusals,
        {c.name: c.node for c in decided},
        policy,
        {c.name: c.spec for c in members},
    )


def _keep_clear(
    decided: Sequence[ContainerRecord],
    homes: Mapping[str, str | None],
    nodes: Sequence[str],
    refusals: dict[str, dict[str, str]],
) -> None:
    """Where a new container can go to one node alone, its ports there are taken for the others."""
    bound: list[tuple[ContainerRecord, str]] = []
    for container in decided:
        open_to = [node for node in nodes if node not in refusals[container.name]]
        if homes[container.id] is None and len(open_to) == 1 and published(container.spec):
            bound.append((container, open_to[0]))
    for holder, node in bound:
        for container in decided:
            if container is not holder and (port := clash(container.spec, holder.spec)):
                known = refusals[container.name]
                refusals[container.name] = {node: taken_reason(port, holder.name)} | known


def unit_of(containers: int, nodes: int, policy: Policy) -> float:
    """What the objective's balance, or a node in use, is multiplied by.

    With n equal containers on m equal nodes, one that moves from a node with a times the mean load to one
    with b times lowers the variance of the load by 2 (a - b - m/n) / (n m²). Times n m² that depends on
    neither, and one `move_cost` suits clusters of all sizes.
    """
    return float(max(1, containers) * max(1, nodes) ** 2) if policy.balance else 1.0


def rules_of(relations: Iterable[Relation], names: Mapping[str, str], unit: float) -> tuple[Rule, ...]:
    """Wishes about who goes where, of the containers in `names` (ids to names).

    All that are related by ``same``, directly or over others, belong together; all related by ``spread``
    apart from each other. Those two that are ``opposite`` go apart, and nothing follows for others: the
    opposite of an opposite is the same again.
    """
    rules: list[Rule] = []
    listed = list(relations)
    for group in _components(r for r in listed if r.mode == "same"):
        if len(here := [names[i] for i in group if i in names]) > 1:
            rules.append(together(*here, weight=AFFINITY * unit))
    for pair in dict.fromkeys((r.first, r.second) for r in listed if r.mode == "opposite"):
        if all(i in names for i in pair):
            rules.append(apart(*(names[i] for i in pair), weight=FAILOVER * unit))
    for group in _components(r for r in listed if r.mode == "spread"):
        if len(here := [names[i] for i in group if i in names]) > 1:
            rules.append(apart(*here, weight=ANTI_AFFINITY * unit))
    return tuple(rules)


def sharing(containers: Iterable[ContainerRecord]) -> dict[str, tuple[str, ...]]:
    """Names of the new containers, of which nobody knows yet where they will be, that share a volume, by its
    name. Where one of them is there already, the others may go to its node alone."""
    users: dict[str, list[str]] = {}
    for container in containers:
        if container.node is None and container.phase is Phase.CREATING:
            for volume in dict.fromkeys(volumes_of(container)):
                users.setdefault(volume, []).append(container.name)
    return {volume: tuple(names) for volume, names in users.items() if len(names) > 1}


def _components(relations: Iterable[Relation]) -> list[list[str]]:
    """Ids that are related directly or over others, each group in the order of its first mention."""
    group_of: dict[str, list[str]] = {}
    for relation in relations:
        one = group_of.setdefault(relation.first, [relation.first])
        other = group_of.setdefault(relation.second, [relation.second])
        if one is not other:
            one.extend(other)
            group_of.update(dict.fromkeys(other, one))
    return list({id(group): group for group in group_of.values()}.values())


def load_in(record: ContainerRecord, probability: float) -> float:
    """How much a container counts: its whole weight while it runs or is wanted running, as when it is about
    to be started again after a loss, whatever its register says; else its weight times a probability.

    Args:
        probability: that its next `run` starts it.
    """
    return record.quantum.weight * (1.0 if record.wanted is Wanted.RUNNING else probability)


def _item(c: ContainerRecord, snapshot: Snapshot, home: str | None, allowed: tuple[str, ...] | None) -> Item:
    load = load_in(c, snapshot.probabilities.get(c.id, c.quantum.probability))
    return Item(
        c.name,
        {
            "cpus": c.spec.limits.cpus,
            "memory": c.spec.limits.memory_bytes / MIB,
            "load": load if load > LOAD_MIN else 0.0,
        },
        weight=c.quantum.weight,
        allowed=allowed,
        current=home,
        move_cost=snapshot.policy.move_cost if home is not None else 0.0,
    )


def _bins(nodes: list[NodeRecord], items: list[Item], policy: Policy) -> tuple[Bin, ...]:
    """Nodes with their capacities. That of load never binds: the smallest node could take all there is, and
    the others in proportion to their processors."""
    smallest = min((node.cpus for node in nodes if node.cpus > 0), default=1.0)
    total = sum(item.demand["load"] for item in items) or 1.0
    taken = {node.name: {"cpus": 0.0, "memory": 0.0} for node in nodes}
    for item in items:
        if item.current is not None:
            for resource, amounts in taken[item.current].items():
                taken[item.current][resource] = amounts + item.demand[resource]
    return tuple(
        Bin(
            node.name,
            {
                "cpus": max(node.cpus * policy.cpu_overcommit, taken[node.name]["cpus"]),
                "memory": max(node.memory_bytes / MIB, taken[node.name]["memory"]),
                "load": total * max(1.0, node.cpus / smallest),
            },
            node.labels,
        )
        for node in nodes
    )
