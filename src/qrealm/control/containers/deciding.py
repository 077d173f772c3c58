"""Where containers go: a scheduler gets the cluster as it stands, and what it decides is written down."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from qrealm.base.errors import NoRoomError, RegisterError, RunError
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context
from qrealm.control.containers.declaring import Expected
from qrealm.control.containers.placement import Plan, Policy, Snapshot, decide, sharing
from qrealm.control.containers.placement.decide import WITHOUT_SCHEDULER
from qrealm.control.containers.reports import PORTFOLIO
from qrealm.control.containers.values import ContainerRecord, DecisionRecord, NodeState, Phase, Register
from qrealm.fleet.containers.host_ports import clash

SEARCH_S = 1.0
"""What a scheduler may take for one decision; it ends at once when its answer is proven to be the best."""

ANSWER_S = 10.0
"""When one that does not keep to that is given up."""


class Deciding:
    """Makes placement problems of what is written down.

    `place_again` is quick, and for inside a transaction with `planning` held. The others ask a scheduler,
    which may think for long: outside both, `scheduling` held. What it answers is checked when it is written.
    """

    def __init__(self, context: Context, circuits: QuantumCircuitManager) -> None:
        self._ctx = context
        self._circuits = circuits

    def scheduler(self, asked: str | None) -> str:
        """The scheduler that decides: the one that was asked for, else that of the configuration."""
        return self._ctx.config.default_scheduler if asked is None else asked

    def place_new(
        self,
        coming: Sequence[ContainerRecord],
        pinned: Mapping[str, str],
        told: Expected,
        action: str = "create",
    ) -> dict[str, DecisionRecord]:
        """The nodes of containers that are about to be made, decided together: the decisions by name.

        Outside a transaction: the scheduler takes its time.

        Args:
            pinned: nodes that were asked for, by container id.
            told: their relations and probabilities as they will be.

        Raises:
            NoRoomError: no nodes take them all.
            RunError: the scheduler broke, or gave no answer in time.
        """
        snapshot = self._snapshot(frozenset(record.id for record in coming), dict(pinned))
        snapshot = replace(
            snapshot,
            containers=(*snapshot.containers, *coming),
            relations=told.relations,
            probabilities={**snapshot.probabilities, **told.probabilities},
        )
        plan = self._decide(snapshot, coming[0].scheduler, action)
        decisions = {decision.container: decision for decision in plan.decisions}
        for volume, names in sharing(coming).items():
            if len({decisions[name].chosen for name in names}) > 1:
                raise _torn(volume, [record for record in coming if record.name in names])
        return decisions

    def place_again(self, action: str, awaited: Collection[str] = ()) -> list[ContainerRecord]:
        """The containers of lost nodes and those that wait, each with its node, or None for one that waits
        on; the decisions are written down. Containers that wait on as before are left out.

        Args:
            awaited: lost nodes that may come back in a moment; what was there last is left out.
        """
        store = self._ctx.store
        lost = {node.name for node in store.nodes.all() if node.state is NodeState.LOST}
        records = {
            r.name: r
            for r in store.containers.all()
            if r.phase is Phase.WAITING or (r.node in lost and r.phase in (Phase.READY, Phase.MAKING_AGAIN))
        }
        if awaited:
            records = {name: r for name, r in records.items() if self._was_on(r) not in awaited}
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

    def _was_on(self, record: ContainerRecord) -> str | None:
        """The node that has a container, or had it before it waited."""
        if record.node is not None:
            return record.node
        newest = self._ctx.store.decisions.all(record.name, limit=1)
        return (newest[0].chosen or newest[0].before) if newest else record.data_node

    def balance(self, moving: Collection[str], scheduler: str | None, action: str) -> Plan:
        """Better places for some containers, by id, as far as a move pays."""
        return self._decide(self._snapshot(frozenset(moving)), scheduler, action)

    def _decide(self, snapshot: Snapshot, scheduler: str | None, action: str) -> Plan:
        name = self.scheduler(scheduler)
        now, seed = self._ctx.clock.now(), self._ctx.config.seed or 0

        def think() -> Plan:
            return decide(snapshot, name, seconds=SEARCH_S, seed=seed, action=action, now=now)

        return think() if action in WITHOUT_SCHEDULER else _answered(name, think)

    def _snapshot(self, moving: frozenset[str], pinned: dict[str, str] | None = None) -> Snapshot:
        ctx = self._ctx
        nodes, relations = ctx.store.nodes.all(), ctx.store.relations.all()
        containers, registers = self._circuits.picture()
        return Snapshot(
            nodes=nodes,
            containers=containers,
            relations=relations,
            probabilities={record.id: self._running(record, registers) for record in containers},
            moving=moving,
            pinned=pinned or {},
            policy=Policy(
                balance=ctx.config.enable_quantum_load_balancing,
                cpu_overcommit=ctx.config.cpu_overcommit,
                move_cost=ctx.config.move_cost,
            ),
        )

    def _running(self, record: ContainerRecord, registers: Mapping[str, Register]) -> float:
        """The probability that a container's next `run` starts it."""
        try:
            return self._circuits.probabilities_in(registers[record.id], record)[record.quantum.states[0]]
        except RegisterError:
            return record.quantum.probability


def _torn(volume: str, records: Sequence[ContainerRecord]) -> NoRoomError:
    """The error about containers with one volume that cannot be on one node."""
    names = " and ".join(record.name for record in records)
    what = f"no node takes {names} together, which share the volume {volume}"
    for one, other in itertools.combinations(records, 2):
        if port := clash(one.spec, other.spec):
            return NoRoomError(
                f"{what}: both {one.name} and {other.name} publish port {port.host_port} of their host",
                hint="publish different ports, or give them volumes of their own",
            )
    return NoRoomError(
        what,
        hint="give them volumes of their own, ask for less (--cpu, --memory), or add a node "
        "(qdocker nodes add)",
    )


def _answered(scheduler: str, think: Callable[[], Plan]) -> Plan:
    """A scheduler's plan. It may be anybody's, and never answer: its thread can be left to itself."""
    answer: Future[Plan] = Future()

    def carry_out() -> None:
        try:
            answer.set_result(think())
        except BaseException as problem:  # noqa: BLE001 - raised in the caller's thread
            answer.set_exception(problem)

    threading.Thread(target=carry_out, name=f"scheduler-{scheduler}", daemon=True).start()
    try:
        return answer.result(ANSWER_S)
    except TimeoutError:
        if answer.done():
            raise
        raise RunError(
            f"the scheduler {scheduler!r} gave no answer within {ANSWER_S:g} s; it had been given "
            f"{SEARCH_S:g} s",
            hint=f"choose another with --scheduler, such as {PORTFOLIO}",
        ) from None
