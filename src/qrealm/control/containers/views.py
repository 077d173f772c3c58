"""What there is, as it is shown: containers, the engine's own state, events."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from qrealm.base.errors import NoSuchContainerError, QrealmError, UserError
from qrealm.base.version import installed_version
from qrealm.control.containers import draining, half_made, removing
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import AtWork, Context
from qrealm.control.containers.labels import runs
from qrealm.control.containers.nodes import Nodes
from qrealm.control.containers.reports import ContainerView
from qrealm.control.containers.ties import relations_of
from qrealm.control.containers.values import (
    ContainerRecord,
    EventRecord,
    NodeRecord,
    NodeState,
    Register,
)
from qrealm.fleet.containers.protocol import ContainerFacts

LOOKS_AT_ONCE = 16
EVENT_WAIT_S = 1.0


class Views:
    """Reads; changes nothing."""

    def __init__(self, context: Context, circuits: QuantumCircuitManager, nodes: Nodes) -> None:
        self._ctx = context
        self._circuits = circuits
        self._nodes = nodes
        self._started = context.clock.now()

    def containers(self, references: Sequence[str] | None = None) -> tuple[ContainerView, ...]:
        """Containers in the order of their making, newest first; all when `references` is None. What needs a
        whole register is not told; see `inspect`."""
        store = self._ctx.store
        if references is None:
            asked = None
        else:
            asked = [store.containers.find(reference).id for reference in references]
        every, registers = self._circuits.picture()
        if asked is None:
            records = sorted(every, key=lambda each: -each.created_at)
        else:
            by_id = {record.id: record for record in every}
            records = [by_id[each] for each in asked if each in by_id]
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look") as pool:
            facts = list(pool.map(self._facts, records))
        names = {record.id: record.name for record in every}
        nodes = {node.name: node for node in store.nodes.all()}
        return tuple(
            self._view(record, *fact, registers[record.id], names, nodes.get(str(record.node)))
            for record, fact in zip(records, facts, strict=True)
        )

    def inspect(self, reference: str) -> ContainerView:
        """One container."""
        store = self._ctx.store
        found = self.containers([reference])
        with store.snapshot():
            register = store.registers.of(found[0].record.id) if found else None
            if register is None:
                raise NoSuchContainerError(f"container {reference!r} was removed in this moment")
            names = {record.id: record.name for record in store.containers.all()}
            relations = relations_of(self._ctx, found[0].record.id, register, names)
        purity, coherence = self._circuits.coherence_of(register)
        return replace(found[0], purity=purity, coherence_bits=coherence, relations=relations)

    def events(
        self,
        *,
        after_id: int = 0,
        since: float | None = None,
        until: float | None = None,
        follow: bool = False,
    ) -> Iterator[EventRecord | None]:
        """Events in their order; with `follow` for ever, None now and then so that the caller can look
        whether anybody still listens."""
        events = self._ctx.store.events
        while True:
            batch = events.all(after_id=after_id, since=since, until=until)
            for event in batch:
                after_id = event.id
                yield event
            if not follow or (until is not None and self._ctx.clock.now() >= until):
                return
            if not batch:
                events.wait(after_id, EVENT_WAIT_S)
                yield None

    def at_work(
        self,
        containers: Collection[str] = (),
        *,
        of_clusters: Collection[str] = (),
        on_nodes: Collection[str] = (),
        clusters: Collection[str] = (),
        drains: Collection[str] = (),
        removals: Collection[str] = (),
    ) -> tuple[AtWork, ...]:
        """What is being done to which container, cluster or node, as others wait for it: a pull may take
        minutes. The longest first.

        Args:
            containers: by name, or by id.
            of_clusters, on_nodes: all containers of these clusters, and those on these nodes.
            clusters: the making of these.
            drains, removals: the emptying, and the removal, of these nodes.
        """
        awaited = {*map(half_made.turn, clusters), *map(draining.turn, drains), *map(removing.turn, removals)}
        for record in self._ctx.store.containers.all() if of_clusters or on_nodes else ():
            if record.cluster in of_clusters or record.node in on_nodes:
                awaited.add(record.name)
        for reference in containers:
            try:
                awaited.add(self._ctx.store.containers.find(reference).name)
            except UserError:  # one that is being made has no record yet
                awaited.add(reference)
        found = [work for work in self._ctx.names.at_work() if work.name in awaited]
        return tuple(sorted(found, key=lambda work: work.since_s))

    def status(self) -> dict[str, Any]:
        """What the engine is and what it has, ready for JSON.

        ``["resources"]["quantum_coherence"]`` has the relative entropy of coherence S(diag ρ) - S(ρ) of every
        register in bits (Baumgratz, Cramer, Plenio 2014), by the names of its containers joined with "+", and
        their sum: it adds over registers that are apart. ``["resource_entanglement"]`` has the quantum mutual
        information S(A) + S(B) - S(AB) of every two containers of a group in bits, by "a,b". A register too
        large to tell within half a second is None.
        """
        store, config = self._ctx.store, self._ctx.config
        views = self.containers()
        nodes = self._nodes.all()
        return {
            "engine": {
                "id": store.engine_id,
                "version": installed_version(),
                "pid": os.getpid(),
                "home": str(self._ctx.home),
                "started_at": self._started,
                "uptime_s": max(0.0, self._ctx.clock.now() - self._started),
                "simulation_backend": config.simulation_backend,
                "scheduler": config.default_scheduler,
                "networking": config.enable_quantum_networking,
                "load_balancing": config.enable_quantum_load_balancing,
                "decoherence_time_ms": config.decoherence_time_ms,
                "relaxation_time_ms": config.relaxation_time_ms,
            },
            "containers": {
                "total": len(views),
                "max": config.max_containers,
                "running": sum(runs(view.facts) for view in views),
                "waiting": sum(view.node is None for view in views),
            },
            "nodes": {
                "total": len(nodes),
                "ready": sum(view.record.state is NodeState.READY for view in nodes),
                "lost": sum(view.record.state is NodeState.LOST for view in nodes),
                "simulated": sum(view.record.simulated for view in nodes),
            },
            "resources": self._resources(nodes),
        }

    def _resources(self, nodes: Sequence[Any]) -> dict[str, Any]:
        records, by_id = self._circuits.picture()
        names = {record.id: record.name for record in records}
        registers = list({id(register): register for register in by_id.values()}.values())
        coherence = {
            _title(register, names): self._circuits.coherence_of(register)[1] for register in registers
        }
        entanglement = {
            f"{names[one]},{names[two]}": bits
            for register in registers
            for (one, two), bits in self._circuits.entanglement_in(register).items()
        }
        return {
            "cpus": sum(view.record.cpus for view in nodes),
            "cpus_taken": sum(view.cpus_taken for view in nodes),
            "cpus_allowed": sum(view.cpus_allowed for view in nodes),
            "memory_bytes": sum(view.record.memory_bytes for view in nodes),
            "memory_taken_bytes": sum(view.memory_taken_bytes for view in nodes),
            "qubits": sum(register.num_qubits for register in registers),
            "quantum_coherence": {
                "registers": coherence,
                "sum_bits": None if None in coherence.values() else sum(x or 0.0 for x in coherence.values()),
            },
            "resource_entanglement": {"pairs": entanglement},
        }

    def _facts(self, record: ContainerRecord) -> tuple[ContainerFacts | None, bool]:
        """What the engine says of it, and whether it says that there is no such container."""
        if record.node is None or record.engine_id is None:
            return None, False
        try:
            node = self._ctx.store.nodes.get(record.node)
        except QrealmError:  # removed in this moment
            return None, False
        try:
            if node.state is NodeState.LOST:
                return None, False
            # A node that hangs must not hold up the list: it is shown as unknown, and lost soon after.
            limit_s = max(0.5, self._ctx.config.node_lost_after_s / 2)
            return self._ctx.drivers.of(node, limit_s, "look").inspect(record.engine_id), False
        except NoSuchContainerError:
            return None, True
        except QrealmError:
            # A node that does not answer: shown as unknown.
            return None, False

    def _view(
        self,
        record: ContainerRecord,
        facts: ContainerFacts | None,
        missing: bool,
        register: Register,
        names: Mapping[str, str],
        node: NodeRecord | None,
    ) -> ContainerView:
        return ContainerView(
            record,
            facts,
            node,
            self._circuits.probabilities_in(register, record),
            tuple(names[member.container] for member in register.members),
            register.num_qubits,
            missing=missing,
            simulator=self._circuits.simulator_of(register),
        )


def _title(register: Register, names: dict[str, str]) -> str:
    return "+".join(names[member.container] for member in register.members)
