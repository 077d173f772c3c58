"""Bringing records and engines together: after a crash, a loss, or somebody else's hand."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, QrealmError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import record_from, runs
from qrealm.control.containers.lifecycle import Lifecycle, member_of, removed_key
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.registers import prepare
from qrealm.control.containers.values import ContainerRecord, NodeRecord, NodeState, Phase, Wanted
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, LABEL_ENGINE, ContainerDriver, ContainerFacts


@dataclass
class Found:
    """What was found and mended, by name or engine id."""

    adopted: list[str] = field(default_factory=list)
    made_again: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Reconcile:
    """Compares what is written down with what engines have."""

    def __init__(self, context: Context, lifecycle: Lifecycle, moves: Moves) -> None:
        self._ctx = context
        self._lifecycle = lifecycle
        self._moves = moves

    def all(self) -> Found:
        """Every node that answers."""
        found = Found()
        for node in self._ctx.store.nodes.all():
            if node.state is not NodeState.LOST:
                self.node(node, found)
        return found

    def node(self, node: NodeRecord, found: Found | None = None) -> Found:
        """One node. What cannot be mended is told in `problems` and tried again the next time."""
        found = found or Found()
        try:
            driver = self._ctx.drivers.of(node)
            there = driver.find({LABEL_ENGINE: self._ctx.store.engine_id})
        except (EngineUnavailableError, EngineRefusalError) as problem:
            found.unreachable.append(node.name)
            found.problems.append(f"node {node.name}: {problem.message}")
            return found
        copies: dict[str, list[ContainerFacts]] = defaultdict(list)
        for facts in there:
            copies[facts.labels[LABEL_CONTAINER]].append(facts)
        known = {record.id: record for record in self._ctx.store.containers.all()}
        here = [record for record in known.values() if record.node == node.name]
        for container_id in [*copies, *(record.id for record in here if record.id not in copies)]:
            try:
                self._one(node, driver, container_id, known.get(container_id), found)
            except QrealmError as problem:
                name = known[container_id].name if container_id in known else container_id[:12]
                found.problems.append(f"{name} on {node.name}: {problem.message}")
        return found

    def _one(
        self,
        node: NodeRecord,
        driver: ContainerDriver,
        container_id: str,
        known: ContainerRecord | None,
        found: Found,
    ) -> None:
        """One container on one node, while nobody else changes it."""
        with self._ctx.names.hold(known.name if known else container_id):
            # Both may have changed while this waited for its turn.
            copies = driver.find({LABEL_CONTAINER: container_id})
            record = next((r for r in self._ctx.store.containers.all() if r.id == container_id), None)
            if record is None:
                self._unknown(node, driver, copies, found)
                return
            here = record.node == node.name
            if here and record.phase is Phase.REMOVING:
                for facts in copies:
                    driver.remove(facts.engine_id, force=True)
                self._lifecycle.forget(record)
                found.finished.append(record.name)
                return
            own = self._own(record, copies) if here else None
            for facts in copies:
                if facts is not own:
                    driver.remove(facts.engine_id, force=True)
                    found.removed.append(f"{record.name} ({facts.engine_id[:12]})")
                    self._ctx.tell("container", "remove-copy", record.name, {"node": node.name})
            if not here:
                return
            if own is not None:
                self._complete(record, own, driver, found)
            elif record.phase is Phase.CREATING:
                self._lifecycle.forget(record)
                found.removed.append(record.name)
            elif record.phase in (Phase.READY, Phase.MAKING_AGAIN):
                self._moves.mark([record])
                self._moves.make_again_now(record.name)
                found.made_again.append(record.name)

    def _own(self, record: ContainerRecord, copies: Sequence[ContainerFacts]) -> ContainerFacts | None:
        """The copy that the record means."""
        for facts in copies:
            if facts.engine_id == record.engine_id:
                return facts
        # Made, and cut off before its id was written down.
        unfinished = record.engine_id is None and record.phase is Phase.CREATING
        return copies[0] if unfinished and copies else None

    def _complete(
        self, record: ContainerRecord, facts: ContainerFacts, driver: ContainerDriver, found: Found
    ) -> None:
        """A container that is there: finish what was cut off, and take note of one that ended by itself."""
        if record.phase is not Phase.READY:
            record = replace(record, engine_id=facts.engine_id, phase=Phase.READY)
            self._ctx.store.containers.save(record)
            found.finished.append(record.name)
        if record.wanted is Wanted.RUNNING and not runs(facts):
            if facts.started_at is None:
                # Wanted, written down, and cut off before the engine was told.
                driver.start(facts.engine_id)
                self._ctx.tell("container", "start", record.name, {"node": str(record.node)})
                found.finished.append(record.name)
            else:
                self._ctx.store.containers.save(replace(record, wanted=Wanted.STOPPED))
                self._ctx.tell("container", "die", record.name, {"exit_code": str(facts.exit_code)})

    def _unknown(
        self, node: NodeRecord, driver: ContainerDriver, copies: Sequence[ContainerFacts], found: Found
    ) -> None:
        """Containers with our label that no record names: removed on purpose while their node was away, or
        written down in a store that is older than they are."""
        for facts in copies:
            if self._ctx.store.settings.get(removed_key(facts.labels[LABEL_CONTAINER])) is not None:
                driver.remove(facts.engine_id, force=True)
                found.removed.append(facts.name)
                continue
            try:
                record = record_from(facts, node.name)
            except (KeyError, ValueError) as problem:
                log.warning("container %s has our label and cannot be read: %s", facts.name, problem)
                found.problems.append(f"{facts.name} on {node.name}: its labels cannot be read")
                continue
            with self._ctx.planning, self._ctx.store.transaction():
                if any(other.name == record.name for other in self._ctx.store.containers.all()):
                    record = replace(record, name=f"{record.name}-{secrets.token_hex(3)}")
                self._ctx.store.containers.save(record)
                now = self._ctx.clock.now()
                self._ctx.store.registers.save([prepare(member_of(record), now, self._ctx.simulator)])
                self._ctx.tell("container", "adopt", record.name, {"node": node.name})
            found.adopted.append(record.name)
