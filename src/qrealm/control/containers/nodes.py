"""Nodes: added, listed, drained, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from qrealm.base.errors import EngineUnavailableError, NameTakenError
from qrealm.control.containers.admitting import Admitting, same_engine
from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.configuring import Configuring, Keep
from qrealm.control.containers.context import Context
from qrealm.control.containers.draining import Draining
from qrealm.control.containers.draining import turn as draining_turn
from qrealm.control.containers.left_out import LeftOut
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.placement import load_in
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.removing import Removing
from qrealm.control.containers.reports import BalanceReport, NodeRemovalReport, NodeView
from qrealm.control.containers.values import UNSEEN, ContainerRecord, NodeRecord, NodeState, Register
from qrealm.control.containers.watch import Watch
from qrealm.fleet.containers.protocol import Endpoint


class Nodes:
    """The engines that containers are placed on."""

    def __init__(
        self,
        context: Context,
        circuits: QuantumCircuitManager,
        balancing: Balancing,
        lifecycle: Lifecycle,
        reconcile: Reconcile,
        watch: Watch,
    ) -> None:
        self._ctx = context
        self._circuits = circuits
        self._draining = Draining(context, balancing, watch.is_ending)
        self._reconcile = reconcile
        self._watch = watch
        self._left_out = LeftOut(context)
        self._admitting = Admitting(context)
        self._configuring = Configuring(context, self._admitting, self._left_out, watch)
        watch.admit_by(self._configuring.admitted)
        self._removing = Removing(
            context, lifecycle, reconcile, self._draining, self._left_out, watch.forget, watch.is_ending
        )
        watch.go_on_by(self._draining, self._removing)

    def add(
        self,
        name: str,
        endpoint: Endpoint,
        labels: Mapping[str, str] | None = None,
        cpus: float | None = None,
        memory_bytes: int | None = None,
    ) -> NodeView:
        """Add a node. Containers that wait are placed there; those that it has from before are found by their
        labels. The same node again gets the labels and limits that are given, and keeps the others.

        Args:
            cpus, memory_bytes: what containers may share; all that the engine has when None.

        Raises:
            NameTakenError: a node of this name speaks to another engine. The same node twice is no error.
            EngineUnavailableError: the engine does not answer.
            RequestError: a bad name or limit; a swarm of which no member is named; it is being removed.
        """
        ctx = self._ctx
        record = self._admitting.look(name, endpoint, labels or {}, cpus, memory_bytes)
        before: NodeRecord | None = None
        with ctx.planning, ctx.store.transaction():
            self._admitting.check_once(record)
            for other in ctx.store.nodes.all():
                if other.name == name and not same_engine(other.endpoint, record.endpoint):
                    raise NameTakenError(
                        f"nodes add got the name {name!r}, which another node has",
                        hint=f"choose another name, or: qdocker nodes rm {name}",
                    )
                if other.name == name:
                    self._removing.check_none(name)
                    before = other
                    seen = other if other.engine != UNSEEN else record
                    record = replace(
                        record,
                        state=other.state,
                        added_at=other.added_at,
                        returns_as=other.returns_as,
                        labels=dict(labels or other.labels),
                        cpus=seen.cpus if cpus is None else cpus,
                        memory_bytes=seen.memory_bytes if memory_bytes is None else memory_bytes,
                    )
            ctx.store.nodes.save(record)
            entry = self._left_out.said(name)
            # By hand it may have become another engine, of which the configuration says nothing.
            if entry is not None and same_engine(
                self._admitting.whole(name, entry.endpoint), record.endpoint
            ):
                self._left_out.added(name)
            if before is None or replace(before, seen_at=record.seen_at) != record:
                ctx.tell("node", "add", name, {"engine": record.engine})
        if before is not None and before.endpoint != record.endpoint:
            # With other certificates. Where they are the same, what is under way goes on.
            ctx.drivers.forget(before.endpoint)
        self._reconcile.node(record)
        self._watch.place_waiting()
        return self.view(record)

    def add_configured(self, keep: Keep = nullcontext) -> tuple[str, ...]:
        """The nodes of the configuration that are not there yet, but for those that were removed by hand;
        with none at all the engine of this machine, else a simulated one. One that does not answer is written
        down as lost: it is taken in when it does. What the new ones have is not compared with the records,
        and what waits for a node is not placed yet.

        Args:
            keep: keeps the configuration together with what follows from it; when it raises, nothing holds.

        Returns:
            A line for each that is no node, as its engine is another one's, or that stays as it was.

        Raises:
            RequestError: a node with containers is another engine now. Nothing of the configuration holds.
        """
        return self._configuring.take_up(keep)

    def left_out(self) -> tuple[str, ...]:
        """Nodes of the configuration that were removed by hand, and are not brought back."""
        return self._left_out.names()

    def is_configured(self, name: str) -> bool:
        """Whether the configuration names a node."""
        return self._left_out.configured(name) is not None

    def is_simulated(self, name: str | None) -> bool:
        """Whether containers on a node are nothing but records; None is no node, nor is one that has gone."""
        return any(node.simulated for node in self._ctx.store.nodes.all() if node.name == name)

    def all(self) -> tuple[NodeView, ...]:
        """Every node and what of it is taken."""
        picture = self._circuits.picture()
        return tuple(self._view(node, *picture) for node in self._ctx.store.nodes.all())

    def view(self, node: NodeRecord) -> NodeView:
        """A node and what of it is taken."""
        return self._view(node, *self._circuits.picture(node.name))

    def _view(
        self, node: NodeRecord, records: Sequence[ContainerRecord], registers: Mapping[str, Register]
    ) -> NodeView:
        mine = [record for record in records if record.node == node.name]
        load = sum(
            load_in(
                record,
                self._circuits.probabilities_in(registers[record.id], record)[record.quantum.states[0]],
            )
            for record in mine
        )
        # Records of a simulated node always answer.
        seen_at, problem = (self._ctx.clock.now(), "") if node.simulated else self._watch.last_heard(node)
        return NodeView(
            replace(node, seen_at=seen_at),
            len(mine),
            sum(record.spec.limits.cpus for record in mine),
            sum(record.spec.limits.memory_bytes for record in mine),
            load,
            problem,
            node.cpus * self._ctx.config.cpu_overcommit,
        )

    def drain(self, name: str) -> BalanceReport:
        """Close a node and move its containers to others, as far as these take them."""
        ctx = self._ctx
        with ctx.names.hold(draining_turn(name), "a drain", begins=True):
            with ctx.planning, ctx.store.transaction():
                node = ctx.store.nodes.get(name)
                self._removing.check_none(name)
                if node.state is NodeState.LOST:
                    raise EngineUnavailableError(
                        f"node {name!r} is lost and cannot be drained; its containers have been placed "
                        "elsewhere"
                    )
                if node.state is not NodeState.DRAINING:
                    ctx.store.nodes.save(replace(node, state=NodeState.DRAINING))
                    ctx.tell("node", "drain", name)
                self._draining.begin(name)
            return self._draining.empty(name)

    def activate(self, name: str) -> NodeView:
        """Let a drained node take containers again."""
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            node = ctx.store.nodes.get(name)
            self._removing.check_none(name)
            if node.state is NodeState.DRAINING:
                node = replace(node, state=NodeState.READY)
                ctx.tell("node", "activate", name)
            node = replace(node, returns_as=NodeState.READY)
            ctx.store.nodes.save(node)
            self._draining.end(name)
        self._watch.place_waiting()
        return self.view(node)

    def remove(self, name: str, *, force: bool = False) -> NodeRemovalReport:
        """Forget a node. It must have no containers; with `force` they are removed with it. When the
        configuration names it, later starts leave it out: see `left_out`.

        A forced one that is cut off is finished after the next start; one that fails leaves the node
        as it was.

        Raises:
            EngineRefusalError: without `force`, it has containers, or copies that cannot be removed.
            EngineUnavailableError: without `force`, it does not answer, and is not lost: what moves have left
                there would stay.
        """
        return self._removing.remove(name, force=force)
