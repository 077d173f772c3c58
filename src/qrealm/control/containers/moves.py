"""Making a container again: on another node because that is better, or because its own is gone."""

from __future__ import annotations

from collections.abc import Iterable

from qrealm.base.errors import EngineRefusalError, QrealmError, RequestError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import runs
from qrealm.control.containers.lifecycle import fetch, own_copies, settled, unused
from qrealm.control.containers.room import check_room
from qrealm.control.containers.values import ContainerRecord, NodeRecord, Phase, Wanted
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, ContainerDriver


class Moves:
    """Moves containers and makes lost ones again."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def move(self, reference: str, target: str) -> None:
        """Make a container on another node, start it there if it runs, then remove it where it was.

        The new one runs before the old one stops, unless it publishes ports of its host by number: two of it
        might then stand in each other's way, and the old one is stopped first.

        Raises:
            CancelledRunError: whoever asked for it is gone, and nothing of what they asked for has begun.
            QrealmError: it could not be made there, or has data that would stay behind. The old one is as it
                was.
        """
        ctx = self._ctx
        name = ctx.store.containers.find(reference).name
        with ctx.names.hold(name, "a move", begins=True):
            record = ctx.store.containers.get(name)
            if record.phase is not Phase.READY or record.node is None or record.engine_id is None:
                raise RequestError(f"container {name!r} cannot move: phase {record.phase.value}")
            if record.node == target:
                return
            source = ctx.drivers.of(ctx.store.nodes.get(record.node))
            facts = source.inspect(record.engine_id)
            # Where volumes cannot be seen, on a swarm's member that is not its manager's host, none are taken
            # to be there: else nothing could move from there.
            if facts.volumes:
                # The new one would begin without them, and nobody has asked for that.
                ctx.change_if_same(record, data_node=record.node)
                raise EngineRefusalError(
                    f"container {name!r} stays on {record.node!r}: its image keeps data in a volume at "
                    f"{', '.join(facts.volumes)}, which a move would lose",
                    hint=f"to go on without the data: qdocker rm {name}, then create it again",
                )
            with ctx.store.transaction():
                node = check_room(ctx, record, target)
            driver = ctx.drivers.of(node)
            running = runs(facts)
            for left in own_copies(ctx, driver, record):
                if left.engine_id == record.engine_id:
                    raise RequestError(f"container {name!r} cannot move: {target!r} is the engine it is on")
                # Of a move that was cut off.
                driver.remove(left.engine_id, force=True, volumes=unused(left, record))
            self._copy(record, source, driver, running, node)
            try:
                source.stop(record.engine_id, record.spec.stop_grace_s)
                # Its volumes would stay; it has none, or it would not move.
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
        node: NodeRecord,
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
                source.stop(record.engine_id, record.spec.stop_grace_s)
            if running:
                driver.start(engine_id)
                # Records of a simulated node do not end by themselves.
                facts = driver.inspect(engine_id) if node.simulated else settled(driver, engine_id)
                if not runs(facts):
                    raise EngineRefusalError(
                        f"container {record.name!r} ended at once on node {node.name!r}, with exit code "
                        f"{facts.exit_told}; it stays on {record.node!r}",
                        hint="what it needs may be on the old node alone",
                    )
            with ctx.planning, ctx.store.transaction():
                # Others may have been given the room meanwhile.
                check_room(ctx, record, node.name)
                ctx.change(record.id, node=node.name, engine_id=engine_id, phase=Phase.READY, begun=None)
                ctx.tell("container", "move", record.name, {"from": str(record.node), "to": node.name})
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
            # What it has written since it was made a moment ago is nobody's: the old one goes on.
            driver.remove(engine_id, force=True, volumes=True)
        except QrealmError as problem:
            log.warning("the copy of %s on its target stays for now: %s", record.name, problem)
        if stopped:
            try:
                source.start(str(record.engine_id))
                self._ctx.change(record.id, begun=None)
            except QrealmError as problem:
                log.error("%s does not run again on node %s yet: %s", record.name, record.node, problem)

    def make_again_now(self, name: str) -> None:
        """Make one container again where its record says; nothing to do when somebody else has.

        Raises:
            QrealmError: it could not be made. It stays written down.
        """
        ctx = self._ctx
        with ctx.names.hold(name, "making it again"):
            record = next((r for r in ctx.store.containers.all() if r.name == name), None)
            if record is None or record.phase is not Phase.MAKING_AGAIN or record.node is None:
                return
            driver = ctx.drivers.of(ctx.store.nodes.get(record.node))
            fetch(driver, record.spec.image, "missing")
            # Of an earlier try that was cut off; or of another engine, of which this one takes it over. That
            # one must go first: no engine has two containers of one name.
            for left in driver.find({LABEL_CONTAINER: record.id}):
                if ctx.seals.ours(left, record):
                    if runs(left):
                        driver.stop(left.engine_id, record.spec.stop_grace_s)
                    driver.remove(left.engine_id, force=True, volumes=unused(left, record))
            engine_id = driver.create(ctx.seals.labelled(record))
            if record.wanted is Wanted.RUNNING:
                try:
                    driver.start(engine_id)
                except EngineRefusalError:
                    driver.remove(engine_id, force=True, volumes=True)
                    raise
            with ctx.planning, ctx.store.transaction():
                now = ctx.record(record.id)
                meant = now is not None and (now.phase, now.node) == (record.phase, record.node)
                if meant:
                    restarts = record.restarts + (record.wanted is Wanted.RUNNING)
                    ctx.change(
                        record.id, engine_id=engine_id, phase=Phase.READY, restarts=restarts, begun=None
                    )
                    ctx.tell("container", "make-again", name, {"node": str(record.node)})
            if not meant:
                # This node was lost meanwhile, and the container has been given another.
                driver.remove(engine_id, force=True, volumes=True)

    def mark(self, records: Iterable[ContainerRecord]) -> list[ContainerRecord]:
        """Write down that containers are to be made again where their records say, or wait; inside a
        transaction. The records of those that are to be made now."""
        again = []
        for record in records:
            before = self._ctx.record(record.id)
            if before is None:
                continue
            phase = Phase.WAITING if record.node is None else Phase.MAKING_AGAIN
            data_node = None
            if phase is Phase.WAITING and (record.spec.mounts or before.data_node is not None):
                data_node = before.node or before.data_node
            # An imported container still has the id of the one that is to be replaced.
            replaces = before.engine_id if before.phase is phase and before.node == record.node else None
            marked = self._ctx.change(
                record.id, node=record.node, engine_id=replaces, phase=phase, begun=None, data_node=data_node
            )
            if record.node is not None:
                again.append(marked)
        return again
