"""Where containers go: a scheduler gets the cluster as it stands, and what it decides is written down."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from qrealm.base.errors import RegisterError
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context
from qrealm.control.containers.placement import Plan, Policy, Snapshot, decide
from qrealm.control.containers.reports import PORTFOLIO
from qrealm.control.containers.values import ContainerRecord, DecisionRecord, NodeState, Phase

SEARCH_S = 1.0
"""What a scheduler may take for one decision; it ends at once when its answer is proven to be the best."""


class Deciding:
    """Makes placement problems of what is written down. Inside a transaction, `planning` held."""

    def __init__(self, context: Context, circuits: QuantumCircuitManager) -> None:
        self._ctx = context
        self._circuits = circuits

    def scheduler(self, asked: str | None) -> str:
        """The scheduler that decides: the one that was asked for, else that of the configuration."""
        if asked is not None and asked != PORTFOLIO:
            return asked
        return self._ctx.config.default_scheduler

    def place_new(self, record: ContainerRecord, node: str | None) -> DecisionRecord:
        """The node of a container that is about to be made.

        Raises:
            NoRoomError: no node takes it.
        """
        pinned = {} if node is None else {record.id: node}
        snapshot = replace(
            self._snapshot(frozenset({record.id}), pinned),
            containers=(*self._ctx.store.containers.all(), record),
        )
        plan = self._decide(snapshot, record.scheduler, "create")
        return plan.decisions[0]

    def place_again(self, action: str) -> list[ContainerRecord]:
        """The containers of lost nodes and those that wait, each with its node, or None for one that waits
        on; the decisions are written down. Containers that wait on as before are left out."""
        store = self._ctx.store
        lost = {node.name for node in store.nodes.all() if node.state is NodeState.LOST}
        records = {
            r.name: r
            for r in store.containers.all()
            if r.phase is Phase.WAITING or (r.node in lost and r.phase in (Phase.READY, Phase.MAKING_AGAIN))
        }
        if not records:
            return []
        nodes = {node.name for node in store.nodes.all()}
        # Its data is there and nowhere else, so it waits for that node.
        homes = {record.id: record.data_node for record in records.values()}
        pinned = {each: home for each, home in homes.items() if home is not None and home in nodes}
        snapshot = self._snapshot(frozenset(record.id for record in records.values()), pinned)
        plan = self._decide(snapshot, None, action)
        changed = []
        for decision in plan.decisions:
            record = records[decision.container]
            if decision.chosen is None and record.phase is Phase.WAITING:
                continue
            store.decisions.append(decision)
            changed.append(replace(record, node=decision.chosen))
        return changed

    def balance(self, moving: Collection[str], scheduler: str | None, action: str) -> Plan:
        """Better places for some containers, by id, as far as a move pays."""
        return self._decide(self._snapshot(frozenset(moving)), scheduler, action)

    def _decide(self, snapshot: Snapshot, scheduler: str | None, action: str) -> Plan:
        config = self._ctx.config
        return decide(
            snapshot,
            self.scheduler(scheduler),
            seconds=SEARCH_S,
            seed=config.seed or 0,
            action=action,
            now=self._ctx.clock.now(),
        )

    def _snapshot(self, moving: frozenset[str], pinned: dict[str, str] | None = None) -> Snapshot:
        ctx = self._ctx
        containers = ctx.store.containers.all()
        return Snapshot(
            nodes=ctx.store.nodes.all(),
            containers=containers,
            relations=ctx.store.relations.all(),
            probabilities={record.id: self._running(record) for record in containers},
            moving=moving,
            pinned=pinned or {},
            policy=Policy(
                balance=ctx.config.enable_quantum_load_balancing,
                cpu_overcommit=ctx.config.cpu_overcommit,
                move_cost=ctx.config.move_cost,
            ),
        )

    def _running(self, record: ContainerRecord) -> float:
        """The probability that a container's state is the one in which it runs."""
        try:
            return self._circuits.probabilities(record.id)[record.quantum.states[0]]
        except RegisterError:
            return record.quantum.probability
