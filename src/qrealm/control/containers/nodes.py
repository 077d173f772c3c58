"""Nodes: added, listed, drained, removed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    QrealmError,
    RequestError,
)
from qrealm.control.containers.asked import WORD
from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.draining import Draining
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.left_out import LeftOut
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.reports import BalanceReport, NodeView
from qrealm.control.containers.values import UNSEEN, ContainerRecord, NodeRecord, NodeState, Register
from qrealm.control.containers.watch import Watch
from qrealm.fleet.containers import DRIVERS, detect
from qrealm.fleet.containers.protocol import LABEL_ENGINE, Endpoint

LOCAL = "local"


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
        self._lifecycle = lifecycle
        self._reconcile = reconcile
        self._watch = watch
        self._left_out = LeftOut(context)
        watch.admit_by(self.admitted)
        watch.go_on_by(self._draining)

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
            RequestError: a bad name or limit; a swarm of which no member is named.
        """
        ctx = self._ctx
        record = self._look(name, endpoint, labels or {}, cpus, memory_bytes)
        self._check_other(record)
        before: Endpoint | None = None
        with ctx.planning, ctx.store.transaction():
            self._check_once(record)
            for other in ctx.store.nodes.all():
                if other.name == name and not _same_engine(other.endpoint, record.endpoint):
                    raise NameTakenError(
                        f"nodes add got the name {name!r}, which another node has",
                        hint=f"choose another name, or: qdocker nodes rm {name}",
                    )
                if other.name == name:
                    before = other.endpoint
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
            entry = self._left_out.configured(name)
            # By hand it may have become another engine, of which the configuration says nothing.
            if entry is not None and _same_engine(self._whole(name, entry.endpoint), record.endpoint):
                self._left_out.added(name)
            ctx.tell("node", "add", name, {"engine": record.engine})
        if before is not None and before != record.endpoint:
            # With other certificates. Where they are the same, what is under way goes on.
            ctx.drivers.forget(before)
        self._reconcile.node(record)
        self._watch.place_waiting()
        return self.view(record)

    def add_configured(self) -> tuple[str, ...]:
        """The nodes of the configuration that are not there yet, but for those that were removed by hand;
        with none at all the engine of this machine, else a simulated one. One that does not answer is written
        down as lost: it is taken in when it does.

        Returns:
            A line for each that is no node, as its engine is another one's, or that stays as it was.

        Raises:
            RequestError: a node with containers is another engine now. Nothing of the configuration holds.
        """
        ctx = self._ctx
        known = {node.name: node for node in ctx.store.nodes.all()}
        new, told = self._configure(known)
        unseen = {node.name: self._unseen(node) for node in new}
        problems = self._watch.ask(unseen.values())
        for node in new:
            try:
                self._check_once(unseen[node.name])
                if (problem := problems[node.name]) is not None:
                    raise problem
                self.add(node.name, node.endpoint, node.labels, node.cpus, node.memory_bytes)
            except NameTakenError as taken:
                self._watch.forget(node.name)
                log.warning("%s", taken.message)
                told.append(f"{taken.message}; the configuration names it still")
            except QrealmError as problem:
                ctx.tell("node", "unreachable", node.name, {"problem": problem.message})
                ctx.store.nodes.save(unseen[node.name])
                self._watch.refuse(node.name, problem.message)
        if not known and not ctx.config.nodes:
            self.add(LOCAL, detect())
        return tuple(told)

    def left_out(self) -> tuple[str, ...]:
        """Nodes of the configuration that were removed by hand, and are not brought back."""
        return self._left_out.names()

    def is_configured(self, name: str) -> bool:
        """Whether the configuration names a node."""
        return self._left_out.configured(name) is not None

    def _configure(self, known: Mapping[str, NodeRecord]) -> tuple[list[NodeEntry], list[str]]:
        """Let what the configuration says of known nodes hold, all of it or nothing.

        Returns:
            The engines that are to be taken in: those that are no nodes, have never answered, or are others
            now than the nodes that had their names. A line for each node that stays as it was.
        """
        ctx = self._ctx
        entries = self._left_out.entries()
        for entry in entries:
            self._check_place(entry, known.get(entry.name))
        new: list[NodeEntry] = []
        now: list[NodeRecord] = []
        told: list[str] = []
        for entry in entries:
            before = known.get(entry.name)
            if before is None or before.engine == UNSEEN:
                new.append(entry)
                continue
            try:
                record = self._as_configured(entry, before)
            except QrealmError as problem:
                told.append(f"node {entry.name!r} stays as it was: {problem.message}")
                log.warning("%s", told[-1])
                continue
            if record is None:
                new.append(entry)
            elif record != before:
                now.append(record)
        with ctx.store.transaction():
            self._left_out.tidy()
            for record in now:
                ctx.store.nodes.save(record)
                ctx.tell("node", "configure", record.name)
            # All of them before any is taken in: two may have exchanged their engines.
            for entry in new:
                if entry.name in known:
                    ctx.store.nodes.delete(entry.name)
        return new, told

    def _check_place(self, entry: NodeEntry, before: NodeRecord | None) -> None:
        """Raises RequestError where a node's engine is another one now, and containers are on that before."""
        if before is None or before.engine == UNSEEN:
            return
        endpoint = self._whole(entry.name, entry.endpoint)
        if _same_engine(endpoint, before.endpoint):
            return
        records = self._ctx.store.containers.all()
        if there := [record.name for record in records if entry.name in (record.node, record.data_node)]:
            raise RequestError(
                f"the configuration gives node {entry.name!r} the engine {_address(endpoint)}, and "
                f"its containers are on {_address(before.endpoint)}: {', '.join(there)}",
                hint=f"give the new engine a name of its own; or put the address back, move them "
                f"(qdocker nodes drain {entry.name}), and change it then",
            )

    def _as_configured(self, entry: NodeEntry, before: NodeRecord) -> NodeRecord | None:
        """A known node as the configuration says; what it does not say stays. None when it is another engine
        now. Raises what the driver raises for a url that is none."""
        endpoint = self._whole(entry.name, entry.endpoint)
        if not _same_engine(endpoint, before.endpoint):
            return None
        cpus, memory_bytes = entry.cpus or before.cpus, entry.memory_bytes or before.memory_bytes
        if endpoint != before.endpoint and endpoint.driver == "simulated":  # its size is part of its address
            facts = self._ctx.drivers.of(endpoint).facts()
            cpus, memory_bytes = entry.cpus or facts.cpus, entry.memory_bytes or facts.memory_bytes
        labels = dict(entry.labels) or before.labels
        return replace(before, endpoint=endpoint, labels=labels, cpus=cpus, memory_bytes=memory_bytes)

    def admitted(self, node: NodeRecord) -> NodeRecord:
        """The record of a configured node that answers for the first time: what it is, and what it has beyond
        what was given. Raises what `add` raises for one that may be none."""
        ctx = self._ctx
        cpus, memory_bytes = node.cpus or None, node.memory_bytes or None
        found = self._look(node.name, node.endpoint, node.labels, cpus, memory_bytes)
        self._check_other(found)
        with ctx.planning, ctx.store.transaction():
            seen = replace(
                ctx.store.nodes.get(node.name),
                engine=found.engine,
                cpus=found.cpus,
                memory_bytes=found.memory_bytes,
                simulated=found.simulated,
            )
            ctx.store.nodes.save(seen)
        return seen

    def _unseen(self, node: NodeEntry) -> NodeRecord:
        """The record of a configured node of which nothing else is known."""
        return NodeRecord(
            name=node.name,
            endpoint=self._whole(node.name, node.endpoint),
            engine=UNSEEN,
            cpus=node.cpus or 0.0,
            memory_bytes=node.memory_bytes or 0,
            state=NodeState.LOST,
            simulated=False,
            labels=dict(node.labels),
            added_at=self._ctx.clock.now(),
        )

    def _whole(self, name: str, endpoint: Endpoint) -> Endpoint:
        if endpoint.driver == "simulated" and endpoint.folder is None:
            folder: Path = self._ctx.home / "simulated" / name
            return replace(endpoint, folder=str(folder))
        return endpoint

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
            record.quantum.weight
            * self._circuits.probabilities_in(registers[record.id], record)[record.quantum.states[0]]
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
        with ctx.names.hold(self._draining.turn(name), "a drain"):
            with ctx.planning, ctx.store.transaction():
                node = ctx.store.nodes.get(name)
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
            if node.state is NodeState.DRAINING:
                node = replace(node, state=NodeState.READY)
                ctx.tell("node", "activate", name)
            node = replace(node, returns_as=NodeState.READY)
            ctx.store.nodes.save(node)
            self._draining.end(name)
        self._watch.place_waiting()
        return self.view(node)

    def remove(self, name: str, *, force: bool = False) -> str:
        """Forget a node. It must have no containers; with `force` they are removed with it. When the
        configuration names it, later starts leave it out: see `left_out`."""
        ctx = self._ctx
        node = ctx.store.nodes.get(name)
        if node.state is not NodeState.LOST:
            # Copies that a move could not remove must not stay behind.
            self._reconcile.node(node)
        if force:
            with ctx.planning, ctx.store.transaction():
                node = ctx.store.nodes.get(name)
                if node.state is NodeState.READY:
                    ctx.store.nodes.save(replace(node, state=NodeState.DRAINING))
            for container in self._on(name):
                self._lifecycle.remove(container, force=True)
        with ctx.planning, ctx.store.transaction():
            if left := self._on(name):
                raise EngineRefusalError(
                    f"node {name!r} has containers: {', '.join(left)}",
                    hint=f"move them: qdocker nodes drain {name}; or remove them too: "
                    f"qdocker nodes rm --force {name}",
                )
            ctx.store.nodes.delete(name)
            self._draining.end(name)
            self._left_out.removed(name)
            ctx.tell("node", "remove", name)
        self._watch.forget(name)
        ctx.drivers.forget(node.endpoint)
        return name

    def _on(self, name: str) -> list[str]:
        """Names of the containers that a node has."""
        return [record.name for record in self._ctx.store.containers.all() if record.node == name]

    def _check_other(self, record: NodeRecord) -> None:
        """Raises NameTakenError for an engine that is a node already, by another address."""
        ctx = self._ctx
        there = ctx.drivers.of(record).find({LABEL_ENGINE: ctx.store.engine_id})
        ids = {facts.engine_id for facts in there}
        lost = {node.name for node in ctx.store.nodes.all() if node.state is NodeState.LOST}
        known = {node.name for node in ctx.store.nodes.all()} - lost - {record.name}
        for container in ctx.store.containers.all():
            if container.engine_id in ids and container.node in known:
                raise NameTakenError(
                    f"node {record.name!r} cannot be taken in: node {container.node!r} is that engine, which "
                    f"has the container {container.name!r}"
                )

    def _check_once(self, record: NodeRecord) -> None:
        """Raises NameTakenError where another node is the engine; a simulated one is records, no engine."""
        for other in self._ctx.store.nodes.all():
            another = other.name != record.name and not (record.simulated or other.simulated)
            if another and _same_engine(other.endpoint, record.endpoint):
                raise NameTakenError(
                    f"node {record.name!r} cannot be taken in: node {other.name!r} is that engine",
                    hint=f"one engine is one node; to give it another name: qdocker nodes rm {other.name}",
                )

    def _look(
        self,
        name: str,
        endpoint: Endpoint,
        labels: Mapping[str, str],
        cpus: float | None,
        memory_bytes: int | None,
    ) -> NodeRecord:
        """Ask an engine what it is."""
        if not WORD.fullmatch(name):
            raise RequestError(
                f"nodes add got the name {name!r:.80}; a name has letters, digits, '_', '.' and '-', and "
                "begins with a letter or digit"
            )
        if endpoint.member is not None and endpoint.driver != "swarm":
            raise RequestError(
                f"nodes add got the member {endpoint.member!r}, and the driver {endpoint.driver!r}; only a "
                "node of the driver swarm has one",
                hint="--driver swarm, or no --member",
            )
        endpoint = self._whole(name, endpoint)
        if not 0 < (1 if cpus is None else cpus) < float("inf") or (memory_bytes or 1) <= 0:
            raise RequestError(f"nodes add got cpus={cpus}, memory={memory_bytes}; both must be more than 0")
        # A node that is lost may have come back, and the watch not seen it yet.
        self._ctx.drivers.allow(endpoint)
        try:
            facts = self._ctx.drivers.of(endpoint).facts()
        except QrealmError:
            if all(node.endpoint != endpoint for node in self._ctx.store.nodes.all()):
                self._ctx.drivers.forget(endpoint)
            raise
        if facts.members and endpoint.member is None:
            raise RequestError(
                f"{name!r} is a swarm with the members {', '.join(facts.members)}; a node is one of them",
                hint=f"add each by a name of its own: qdocker nodes add NAME --driver {endpoint.driver} "
                f"--member {facts.members[0]}",
            )
        now = self._ctx.clock.now()
        return NodeRecord(
            name=name,
            endpoint=endpoint,
            engine=facts.engine,
            cpus=facts.cpus if cpus is None else cpus,
            memory_bytes=facts.memory_bytes if memory_bytes is None else memory_bytes,
            state=NodeState.READY,
            simulated=facts.simulated,
            labels=dict(labels),
            seen_at=now,
            added_at=now,
        )


def _same_engine(first: Endpoint, second: Endpoint) -> bool:
    """Whether two endpoints lead to one engine: certificates are how to speak to it, and the address of a
    simulated one has its size, too."""
    one, other = (_place(endpoint) for endpoint in (first, second))
    return one == other


def _place(endpoint: Endpoint) -> tuple[str, str, str | None, str | None]:
    driver, url = endpoint.driver, endpoint.url
    if not url and (row := DRIVERS.get(driver)) is not None:
        url = row.urls[0]
    scheme, _, rest = url.partition("://")
    if driver == "simulated":
        url = re.split("[/?]", rest, maxsplit=1)[0]
    elif scheme == "unix":
        url = f"unix://{os.path.realpath(rest)}"
    elif scheme in ("tcp", "http", "https"):
        url = rest.rstrip("/").lower()
    # Docker's driver and Podman's speak to the same engines, a swarm's to one member of it.
    kind = "" if driver in ("docker", "podman") else driver
    return kind, url, endpoint.member, endpoint.folder


def _address(endpoint: Endpoint) -> str:
    where = endpoint.url or "at its default address"
    return f"{endpoint.driver} {where}" if endpoint.member is None else f"{endpoint.member} by {where}"
