"""Making a container again: on another node because that is better, or because its own is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from qrealm.base.errors import EngineRefusalError, QrealmError, RequestError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import labelled, runs
from qrealm.control.containers.lifecycle import fetch
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
            engine_id = self._copy(record, source, driver, running)
            with ctx.store.transaction():
                ctx.store.containers.save(replace(record, node=target, engine_id=engine_id))
                ctx.tell("container", "move", name, {"from": record.node, "to": target})
            try:
                source.stop(record.engine_id)
                source.remove(record.engine_id, force=True)
            except QrealmError as problem:
                # A copy that the records do not name: reconcile removes it when its node is seen again.
                log.warning("the old copy of %s on %s stays for now: %s", name, record.node, problem)

    def _copy(
        self, record: ContainerRecord, source: ContainerDriver, driver: ContainerDriver, running: bool
    ) -> str:
        """The container on another engine, running if it ran; as before when that fails."""
        assert record.engine_id is not None
        fetch(driver, record.spec.image, "missing")
        in_the_way = running and any(port.host_port is not None for port in record.spec.ports)
        engine_id = driver.create(labelled(record, self._ctx.store.engine_id))
        try:
            if in_the_way:
                source.stop(record.engine_id)
            if running:
                driver.start(engine_id)
        except BaseException:
            driver.remove(engine_id, force=True)
            if in_the_way:
                source.start(record.engine_id)
            raise
        return engine_id

    def make_again(self, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Make containers again that are written down as to be made again, several at a time.

        Returns:
            Names of those that were made, and a line for each that was not; these stay written down.
        """
        if not names:
            return (), ()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="make-again") as pool:
            problems = list(pool.map(self._make_again_told, names))
        done = tuple(name for name, problem in zip(names, problems, strict=True) if not problem)
        return done, tuple(problem for problem in problems if problem)

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
            record = ctx.store.containers.get(name)
            if record.phase is not Phase.MAKING_AGAIN or record.node is None:
                return
            driver = ctx.drivers.of(ctx.store.nodes.get(record.node))
            # Whatever was cut off in the middle of an earlier try.
            for left in driver.find({LABEL_CONTAINER: record.id}):
                driver.remove(left.engine_id, force=True)
            fetch(driver, record.spec.image, "missing")
            engine_id = driver.create(labelled(record, ctx.store.engine_id))
            record = replace(record, engine_id=engine_id, phase=Phase.READY, restarts=record.restarts + 1)
            if record.wanted is Wanted.RUNNING:
                try:
                    driver.start(engine_id)
                except EngineRefusalError:
                    driver.remove(engine_id, force=True)
                    raise
            with ctx.store.transaction():
                ctx.store.containers.save(record)
                ctx.tell("container", "make-again", name, {"node": str(record.node)})

    def mark(self, records: Iterable[ContainerRecord]) -> list[str]:
        """Write down that containers are to be made again where their records say, or wait; inside a
        transaction. Names of those that are to be made now."""
        names = []
        for record in records:
            phase = Phase.WAITING if record.node is None else Phase.MAKING_AGAIN
            self._ctx.store.containers.save(replace(record, engine_id=None, phase=phase))
            if record.node is not None:
                names.append(record.name)
        return names
