"""Bringing records and engines together: after a crash, a loss, or somebody else's hand."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial

from qrealm.base.errors import EngineRefusalError, QrealmError, StoreError
from qrealm.control.containers import half_made
from qrealm.control.containers.asked import check_register
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.declaring import member_of
from qrealm.control.containers.labels import runs
from qrealm.control.containers.lifecycle import (
    REMOVED,
    REMOVED_VOLUMES,
    Lifecycle,
    own_labels,
    removed_key,
    unused,
    volumes_key,
)
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.registers import prepare
from qrealm.control.containers.values import ContainerRecord, NodeRecord, NodeState, Phase, Wanted
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, LABEL_ENGINE, ContainerDriver, ContainerFacts

REMOVED_KEPT_S = 30 * 86_400.0


@dataclass
class Found:
    """What was found and mended, by name or engine id; `later` has ids of those that were not looked at, and
    `others` those of the problems that are about what is not ours to remove."""

    made_again: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def tell_of_other(self, problem: str) -> None:
        """There is something that is not ours to remove."""
        self.problems.append(problem)
        self.others.append(problem)

    def add(self, other: Found) -> None:
        """Take over what was found elsewhere."""
        for each in fields(self):
            getattr(self, each.name).extend(getattr(other, each.name))


class Reconcile:
    """Compares what is written down with what engines have."""

    def __init__(self, context: Context, lifecycle: Lifecycle, moves: Moves) -> None:
        self._ctx = context
        self._lifecycle = lifecycle
        self._moves = moves
        self._lock = threading.Lock()
        self._adopted: list[str] = []
        self._comparing: set[Future[Found]] = set()
        self._closed = False

    @property
    def adopted(self) -> tuple[str, ...]:
        """Names of containers that were found by their labels and not known, whoever had a node compared,
        since `tell_adopted`. Nobody knows any more with which they were entangled, and what was measured."""
        with self._lock:
            return tuple(self._adopted)

    def tell_adopted(self) -> tuple[str, ...]:
        """The same, once."""
        with self._lock:
            told, self._adopted = tuple(self._adopted), []
        return told

    def all(self, wait_s: float | None = None) -> Found:
        """Every node that answers, all at the same time.

        Args:
            wait_s: how long to wait for the nodes; what takes longer goes on, and is told in the log. None
                waits until all is done.
        """
        found = Found()
        self._forget_removed()
        self._without_node(found)
        self._half_made(found)
        nodes = [node for node in self._ctx.store.nodes.all() if node.state is not NodeState.LOST]
        tasks = {node.name: self._begin(node) for node in nodes}
        wait(tasks.values(), wait_s)
        for name, task in tasks.items():
            if task.done():
                found.add(_result(name, task))
            else:
                found.problems.append(f"node {name}: comparing it takes longer, and goes on")
                task.add_done_callback(partial(_tell_late, name))
        return found

    def _begin(self, node: NodeRecord) -> Future[Found]:
        """Compare a node in a thread of its own."""
        done: Future[Found] = Future()
        with self._lock:
            if self._closed:
                done.set_result(Found(problems=[f"node {node.name}: the engine is being closed"]))
                return done
            self._comparing.add(done)

        def compare() -> None:
            try:
                done.set_result(self.node(node))
            except BaseException as problem:  # noqa: BLE001 - raised where the result is taken
                done.set_exception(problem)
            finally:
                with self._lock:
                    self._comparing.discard(done)

        threading.Thread(target=compare, name=f"compare-{node.name}", daemon=True).start()
        return done

    def close(self) -> None:
        """Begin no more, and wait for what is being compared; whoever calls has closed the connections."""
        with self._lock:
            self._closed = True
            comparing = set(self._comparing)
        wait(comparing)

    def one(self, node: NodeRecord, record: ContainerRecord) -> Found:
        """One container on its node; what cannot be mended is told in `problems`."""
        found = Found()
        with _told(f"{record.name} on {node.name}", found):
            self._one(node, self._ctx.drivers.of(node), record.id, record, found)
        return found

    def left_behind(self, node: NodeRecord, container_id: str) -> Found:
        """What a node has of a container that was removed."""
        found = Found()
        with _told(f"{container_id[:12]} on {node.name}", found):
            self._one(node, self._ctx.drivers.of(node), container_id, None, found)
        return found

    def node(self, node: NodeRecord, *, patient: bool = True) -> Found:
        """One node. What cannot be mended is told in `problems` and tried again the next time; a node that
        nobody can speak to, for whatever reason, is unreachable.

        Args:
            patient: wait for commands about the containers. Else those of other nodes that somebody is at,
                which may be as long as an image is fetched there, are left for `later`.
        """
        found = Found()
        there: Sequence[ContainerFacts] | None = None
        with _told(f"node {node.name}", found):
            driver = self._ctx.drivers.of(node)
            there = driver.find({LABEL_ENGINE: self._ctx.store.engine_id})
        if there is None:
            found.unreachable.append(node.name)
            return found
        copies: dict[str, list[ContainerFacts]] = defaultdict(list)
        for facts in there:
            container_id = facts.labels.get(LABEL_CONTAINER)
            if container_id is None:
                found.tell_of_other(f"{facts.name} on {node.name}: has our label, and none with its id")
            else:
                copies[container_id].append(facts)
        known = {record.id: record for record in self._ctx.store.containers.all()}
        here = [record for record in known.values() if record.node == node.name]
        for container_id in [*copies, *(record.id for record in here if record.id not in copies)]:
            record = known.get(container_id)
            elsewhere = record is not None and record.node not in (None, node.name)
            name = container_id[:12] if record is None else record.name
            with _told(f"{name} on {node.name}", found), ExitStack() as turn:
                if elsewhere and not patient and not turn.enter_context(self._ctx.names.try_hold(name)):
                    found.later.append(container_id)
                    continue
                self._one(node, driver, container_id, record, found)
        with _told(f"node {node.name}", found):
            driver.tidy(self._ctx.store.engine_id)
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
        with self._ctx.names.hold(known.name if known else container_id, "a look at its node"):
            # Both may have changed while this waited for its turn.
            record = self._ctx.record(container_id)
            copies = self._ours(node, driver.find(own_labels(self._ctx, container_id)), record, found)
            if record is None:
                self._unknown(node, driver, copies, found)
                return
            if record.node != node.name and copies:
                record = self._taken_back(record, node, copies)
            here = record.node == node.name
            if not here and any(facts.engine_id == record.engine_id for facts in copies):
                same = f"node {node.name!r} is the same engine as {record.node!r}"
                found.tell_of_other(f"{record.name} on {node.name}: {same}: qdocker nodes rm {node.name}")
                return
            if here and record.phase is Phase.REMOVING:
                for facts in copies:
                    volumes = self._with_volumes(record.id) or unused(facts, record)
                    driver.remove(facts.engine_id, force=True, volumes=volumes)
                self._lifecycle.forget(record)
                found.finished.append(record.name)
                return
            own = self._own(record, copies) if here else None
            for facts in copies:
                if facts is not own:
                    # One that ran, as on a node that was lost, may have data that the other has not.
                    driver.remove(facts.engine_id, force=True, volumes=unused(facts, record))
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

    def _ours(
        self,
        node: NodeRecord,
        copies: Sequence[ContainerFacts],
        record: ContainerRecord | None,
        found: Found,
    ) -> list[ContainerFacts]:
        """Those that this engine made. The others are told and left alone: anybody may give out labels."""
        ours = [facts for facts in copies if self._ctx.seals.ours(facts, record)]
        for facts in copies:
            if facts not in ours:
                log.warning("container %s on %s has our label, and no seal of ours", facts.name, node.name)
                found.tell_of_other(
                    f"{facts.name} on {node.name}: has our label, but its seal does not open with this "
                    "engine's key; it is left alone"
                )
        return ours

    def _taken_back(
        self, record: ContainerRecord, node: NodeRecord, copies: Sequence[ContainerFacts]
    ) -> ContainerRecord:
        """The record, with this node as its own if the container is here and nowhere else: its node came
        back, maybe by another name, before it was made again."""
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            now = ctx.record(record.id)
            if now is None or not self._known(node):
                return record
            nowhere = now.phase in (Phase.WAITING, Phase.MAKING_AGAIN)
            if now.phase is Phase.READY and any(facts.engine_id == now.engine_id for facts in copies):
                states = {other.name: other.state for other in ctx.store.nodes.all()}
                nowhere = states.get(str(now.node), NodeState.LOST) is NodeState.LOST
            if not nowhere:
                return now
            ctx.tell("container", "return", now.name, {"node": node.name})
            return ctx.change(
                now.id,
                node=node.name,
                engine_id=copies[0].engine_id,
                phase=Phase.READY,
                # It may have been told otherwise while it was away.
                begun=now.wanted,
                data_node=None,
            )

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
        ctx = self._ctx
        if record.phase is not Phase.READY:
            record = ctx.change(record.id, engine_id=facts.engine_id, phase=Phase.READY)
            found.finished.append(record.name)
        running = runs(facts)
        if record.begun is not None:
            # Written down, and cut off before the engine had answered.
            self._finish(record, facts.engine_id, running, driver)
            found.finished.append(record.name)
        elif running is not (record.wanted is Wanted.RUNNING):
            wanted = Wanted.RUNNING if running else Wanted.STOPPED
            told = {"reason": "by another hand"} if running else {"exit_code": facts.exit_told}
            with ctx.store.transaction():
                ctx.change(record.id, wanted=wanted)
                ctx.tell("container", "start" if running else "die", record.name, told)

    def _finish(
        self, record: ContainerRecord, engine_id: str, running: bool, driver: ContainerDriver
    ) -> None:
        ctx = self._ctx
        start = record.begun is Wanted.RUNNING
        try:
            if start and not running:
                driver.start(engine_id)
            elif running and not start:
                driver.stop(engine_id, record.spec.stop_grace_s)
        except EngineRefusalError:
            ctx.change(record.id, wanted=Wanted.RUNNING if running else Wanted.STOPPED, begun=None)
            raise
        with ctx.store.transaction():
            ctx.change(record.id, begun=None)
            if start is not running:
                ctx.tell(
                    "container", "start" if start else "stop", record.name, {"node": str(record.node)}
                )

    def _without_node(self, found: Found) -> None:
        """Containers whose node's record is gone wait for another."""
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            nodes = {node.name for node in ctx.store.nodes.all()}
            for record in ctx.store.containers.all():
                if record.node is None or record.node in nodes:
                    continue
                if record.phase in (Phase.CREATING, Phase.REMOVING):
                    self._lifecycle.forget(record)
                    found.removed.append(record.name)
                else:
                    self._moves.mark([replace(record, node=None)])
                    ctx.tell("container", "wait", record.name, {"node": record.node})

    def _half_made(self, found: Found) -> None:
        """Take back clusters whose making was cut off."""
        for cluster in half_made.begun(self._ctx):
            if cluster in self._ctx.making:
                continue
            turn = self._ctx.names.hold(half_made.turn(cluster), "taking back what was half made")
            with turn, _told(f"cluster {cluster}", found):
                found.removed.extend(half_made.take_back(self._ctx, self._lifecycle, cluster))

    def _forget_removed(self) -> None:
        """Forget removals so old that no node comes back with what was removed."""
        settings = self._ctx.store.settings
        now = self._ctx.clock.now()
        told = {**settings.all(REMOVED), **settings.all(REMOVED_VOLUMES)}
        old = [name for name, at in told.items() if now - float(at) > REMOVED_KEPT_S]
        with self._ctx.store.transaction():
            for name in old:
                settings.delete(name)

    def _with_volumes(self, container_id: str) -> bool:
        """Whether whoever removed a container wanted its volumes without a name removed, too."""
        return self._ctx.store.settings.get(volumes_key(container_id)) is not None

    def _known(self, node: NodeRecord) -> bool:
        """Whether a node is still one; inside a transaction, as it may have been removed meanwhile."""
        return any(other.name == node.name for other in self._ctx.store.nodes.all())

    def _unknown(
        self, node: NodeRecord, driver: ContainerDriver, copies: Sequence[ContainerFacts], found: Found
    ) -> None:
        """Containers with our label that no record names: removed on purpose while their node was away, or
        written down in a store that is older than they are."""
        ids = {facts.labels[LABEL_CONTAINER] for facts in copies}
        if any(self._ctx.store.settings.get(removed_key(each)) is not None for each in ids):
            for facts in copies:
                volumes = self._with_volumes(facts.labels[LABEL_CONTAINER]) or unused(facts, None)
                driver.remove(facts.engine_id, force=True, volumes=volumes)
                found.removed.append(facts.name)
            return
        if len(copies) > 1:
            names = ", ".join(facts.name for facts in copies)
            found.problems.append(f"{names} on {node.name}: have the same labels; remove all but one")
            return
        for facts in copies:
            try:
                record = self._ctx.seals.record_from(facts, node.name)
                check_register(record.quantum, self._ctx.config.num_qubits)
            except (KeyError, TypeError, ValueError) as problem:
                log.warning("container %s has our seal and cannot be read: %s", facts.name, problem)
                found.problems.append(f"{facts.name} on {node.name}: its labels cannot be read")
                continue
            with self._ctx.planning, self._ctx.store.transaction():
                if not self._known(node):
                    return
                if any(other.name == record.name for other in self._ctx.store.containers.all()):
                    name = f"{record.name}-{secrets.token_hex(3)}"
                    record = replace(record, name=name, spec=replace(record.spec, name=name))
                self._ctx.store.containers.save(record)
                now = self._ctx.clock.now()
                self._ctx.store.registers.save([prepare(member_of(record), now, self._ctx.simulator)])
                told = {"node": node.name, "register": "as declared, without relations and outcomes"}
                self._ctx.tell("container", "adopt", record.name, told)
            log.warning("%s on %s was not in the database: it was adopted", record.name, node.name)
            with self._lock:
                self._adopted.append(record.name)


@contextmanager
def _told(place: str, found: Found) -> Iterator[None]:
    """What one node or container raises becomes a problem of that one, and ends nobody else's turn."""
    try:
        yield
    except QrealmError as problem:
        found.problems.append(f"{place}: {problem.message}")
    except Exception as bug:  # noqa: BLE001 - whatever it is, the others are looked at
        log.exception("%s: comparing it with the records broke off", place)
        found.problems.append(f"{place}: {type(bug).__name__}: {bug}")


def _result(node: str, task: Future[Found]) -> Found:
    """What comparing a node has found. Raises StoreError: without the database nothing can be compared."""
    problem = task.exception()
    if problem is None:
        return task.result()
    if isinstance(problem, StoreError):
        raise problem
    log.error("comparing node %s with the records broke off", node, exc_info=problem)
    return Found(problems=[f"node {node}: {type(problem).__name__}: {problem}"])


def _tell_late(node: str, task: Future[Found]) -> None:
    if problem := task.exception():
        log.error("comparing node %s with the records broke off: %s", node, problem)
        return
    for line in task.result().problems:
        log.warning("comparing node %s with the records: %s", node, line)
