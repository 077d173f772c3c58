"""Making a container again: on another node because that is better, or because its own is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, QrealmError, RequestError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import runs
from qrealm.control.containers.lifecycle import fetch, own_copies
from qrealm.control.containers.values import ContainerRecord, NodeState, Phase, Wanted
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, ContainerDriver

AT_ONCE = 8
"""Containers that are made again at the same time."""


class Moves:
    """Moves containers and makes lost ones again."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def move(self, reference: str, target: str) -> None:
        """Make a container on another node, start it there if it runs, then remove it where it was.

        The new one runs before the old one stops, unless it publishes ports of its host by number: two of it
        might then stand in each other's way, and the old one is stopped first.

        Raises:
            QrealmError: it could not be made there. The old one is as it was.
        """
        ctx = self._ctx
        name = ctx.store.containers.find(reference).name
        with ctx.names.hold(name):
            record = ctx.store.containers.get(name)
            if record.phase is not Phase.READY or record.node is None or record.engine_id is None:
                raise RequestError(f"container {name!r} cannot move: phase {record.phase.value}")
            if record.node == target:
                return
            source = ctx.drivers.of(ctx.store.nodes.get(record.node))
            node = ctx.store.nodes.get(target)
            if node.state is not NodeState.READY:
                raise RequestError(
                    f"container {name!r} cannot move to node {target!r}, which is {node.state.value}"
                )
            driver = ctx.drivers.of(node)
            running = runs(source.inspect(record.engine_id))
            for left in own_copies(ctx, driver, record):
                if left.engine_id == record.engine_id:
                    raise RequestError(f"container {name!r} cannot move: {target!r} is the engine it is on")
                # Of a move that was cut off.
                driver.remove(left.engine_id, force=True)
            self._copy(record, source, driver, running, target)
            try:
                source.stop(record.engine_id)
                source.remove(record.engine_id, force=True)
            except QrealmError as problem:
                # A copy that the records do not name: reconcile removes it when its node is seen again.
                log.warning("the old copy of %s on %s stays for now: %s", name, record.node, problem)

    def _copy(
        self,
        record: ContainerRecord,
        source: ContainerDriver,
        driver: ContainerDriver,
        running: bool,
        target: str,
    ) -> None:
        """The container on another node, running if it ran, and written down; as before when that fails."""
        assert record.engine_id is not None
        ctx = self._ctx
        fetch(driver, record.spec.image, "missing")
        in_the_way = running and any(port.host_port is not None for port in record.spec.ports)
        engine_id = driver.create(ctx.seals.labelled(record))
        try:
            if in_the_way:
                # Written down so that the old one is started again if this is cut off.
                ctx.change(record.id, begun=Wanted.RUNNING)
                source.stop(record.engine_id)
            if running:
                driver.start(engine_id)
            with ctx.planning, ctx.store.transaction():
                if ctx.store.nodes.get(target).state is NodeState.LOST:
                    raise EngineUnavailableError(f"node {target!r} was lost meanwhile")
                ctx.change(record.id, node=target, engine_id=engine_id, phase=Phase.READY, begun=None)
                ctx.tell("container", "move", record.name, {"from": str(record.node), "to": target})
        except BaseException:
            self._take_back(record, source, driver, engine_id, in_the_way)
            raise

    def _take_back(
        self,
        record: ContainerRecord,
        source: ContainerDriver,
        driver: ContainerDriver,
        engine_id: str,
        stopped: bool,
    ) -> None:
        """Undo a copy. What cannot be undone now is by the next comparison with the engines."""
        try:
            driver.remove(engine_id, force=True)
        except QrealmError as problem:
            log.warning("the copy of %s on its target stays for now: %s", record.name, problem)
        if stopped:
            try:
                source.start(str(record.engine_id))
                self._ctx.change(record.id, begun=None)
            except QrealmError as problem:
                log.error("%s does not run again on node %s yet: %s", record.name, record.node, problem)

    def make_again(self, names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
        """Make containers again that are written down as to be made again, several at a time.

        Returns:
            Names of those that were made, and by name a line for each that was not; these stay written down.
        """
        if not names:
            return (), {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="make-again") as pool:
            problems = list(pool.map(self._make_again_told, names))
        told = {name: problem for name, problem in zip(names, problems, strict=True) if problem}
        return tuple(name for name in names if name not in told), told

    def _make_again_told(self, name: str) -> str:
        try:
            self.make_again_now(name)
        except QrealmError as problem:
            log.warning("cannot make %s again: %s", name, problem)
            return f"{name}: {problem.message}"
        return ""

    def make_again_now(self, name: str) -> None:
        """Make one container again where its record says; nothing to do when somebody else has.

        Raises:
            QrealmError: it could not be made. It stays written down.
        """
        ctx = self._ctx
        with ctx.names.hold(name):
            record = next((r for r in ctx.store.containers.all() if r.name == name), None)
            if record is None or record.phase is not Phase.MAKING_AGAIN or record.node is None:
                return
            driver = ctx.drivers.of(ctx.store.nodes.get(record.node))
            # Of an earlier try that was cut off, or of an engine whose state was imported.
            for left in driver.find({LABEL_CONTAINER: record.id}):
                if ctx.seals.ours(left, record):
                    driver.remove(left.engine_id, force=True)
            fetch(driver, record.spec.image, "missing")
            engine_id = driver.create(ctx.seals.labelled(record))
            if record.wanted is Wanted.RUNNING:
                try:
                    driver.start(engine_id)
                except EngineRefusalError:
                    driver.remove(engine_id, force=True)
                    raise
            with ctx.planning, ctx.store.transaction():
                now = ctx.record(record.id)
                meant = now is not None and (now.phase, now.node) == (record.phase, record.node)
                if meant:
                    restarts = record.restarts + 1
                    ctx.change(
                        record.id, engine_id=engine_id, phase=Phase.READY, restarts=restarts, begun=None
                    )
                    ctx.tell("container", "make-again", name, {"node": str(record.node)})
            if not meant:
                # This node was lost meanwhile, and the container has been given another.
                driver.remove(engine_id, force=True)

    def mark(self, records: Iterable[ContainerRecord]) -> list[str]:
        """Write down that containers are to be made again where their records say, or wait; inside a
        transaction. Names of those that are to be made now."""
        names = []
        for record in records:
            before = self._ctx.record(record.id)
            if before is None:
                continue
            phase = Phase.WAITING if record.node is None else Phase.MAKING_AGAIN
            data_node = None
            if phase is Phase.WAITING and record.spec.mounts:
                data_node = before.node or before.data_node
            # An imported container still has the id of the one that is to be replaced.
            replaces = before.engine_id if before.phase is phase and before.node == record.node else None
            self._ctx.change(
                record.id, node=record.node, engine_id=replaces, phase=phase, begun=None, data_node=data_node
            )
            if record.node is not None:
                names.append(record.name)
        return names
