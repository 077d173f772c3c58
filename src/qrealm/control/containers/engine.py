"""The container engine: its parts put together, and `QuantumDockerEngine` for programs that await."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from qrealm.base.clock import Clock, SystemClock
from qrealm.base.errors import StoreError
from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.clusters import Clusters
from qrealm.control.containers.configuring import LOOK_S, Keep
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.files import Config
from qrealm.control.containers.files.config import check_there
from qrealm.control.containers.home_folder import home_folder, make_home
from qrealm.control.containers.labels import Seals
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.messages import Messages
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.nodes import Nodes
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.registers import find_simulator
from qrealm.control.containers.reports import (
    BalanceReport,
    ContainerView,
    CreateReport,
    CreateRequest,
    DisentangleReport,
    EntangleReport,
    GateReport,
    MaintenanceReport,
    MeasureReport,
    MessageReport,
    OpenedMessage,
    RunReport,
)
from qrealm.control.containers.snapshots import Snapshots
from qrealm.control.containers.upkeep import Upkeep
from qrealm.control.containers.values import ContainerRecord, DecisionRecord, NodeState
from qrealm.control.containers.views import Views
from qrealm.control.containers.watch import Watch
from qrealm.control.security import kept_key
from qrealm.control.store.containers import ContainerStore
from qrealm.control.store.whole_files import write_whole
from qrealm.fleet.containers.typed import check

T = TypeVar("T")
DATABASE = "qdocker.db"
ENGINE_ID = "engine.id"
COMPARE_S = 20.0
"""How long opening waits until nodes that answer have been compared with the records."""
LABELS_KEY = "labels.key"
_NAMES_TOLD = 10


class ContainerEngine:
    """Containers with registers of qubits on the nodes of one home folder. Its parts may be called from any
    thread; calls block.

    Args:
        config: what the user chose.
        home: folder of the database; made where there is none. One engine at a time has it open. Files in it
            are for their owner alone.
        clock: tells the time; tests give one that they move.
        drivers: connections to nodes; tests of failing nodes give others.
        keep: entered by `open` once the configuration is found to hold, before anything is done of it; left
            once what follows from it is written down, or with what kept it from that.

    Attributes:
        lifecycle: create, run, stop, remove, logs, execute.
        circuits: the registers.
        balancing: load_balance, rebalance, why, schedulers.
        clusters, nodes, messages, upkeep, snapshots, views: what their names say.
        watch: notices nodes that are lost or come back; `open` sets it going.
        notices: what `open` met that whoever starts the engine should know, a line for each.

    Raises:
        StoreError: the database cannot be opened, another engine has it, or others may write to the folder.
        MissingExtraError: the configuration's simulation_backend is not installed.
    """

    def __init__(
        self,
        config: Config,
        home: str | Path,
        clock: Clock | None = None,
        drivers: DriverPool | None = None,
        keep: Keep = nullcontext,
    ) -> None:
        home = Path(home)
        simulator = find_simulator(config.simulation_backend)
        make_home(home)
        store, seals = _opened(home)
        clock = clock or SystemClock()
        ctx = Context(config, home, store, clock, drivers or DriverPool(), simulator, seals)
        self._ctx = ctx
        self._keep = keep
        self.notices: tuple[str, ...] = ()
        self.circuits = QuantumCircuitManager(ctx)
        deciding = Deciding(ctx, self.circuits)
        moves = Moves(ctx)
        self.lifecycle = Lifecycle(ctx, self.circuits, deciding)
        self.balancing = Balancing(ctx, deciding, moves)
        self._reconcile = Reconcile(ctx, self.lifecycle, moves)
        self.watch = Watch(ctx, deciding, moves, self._reconcile)
        self.nodes = Nodes(ctx, self.circuits, self.balancing, self.lifecycle, self._reconcile, self.watch)
        self.clusters = Clusters(ctx, self.circuits, self.lifecycle)
        self.messages = Messages(
            store,
            clock,
            ctx.random,
            t1_s=ctx.t1_s,
            t2_s=ctx.t2_s,
            enabled=config.enable_quantum_networking,
        )
        self.upkeep = Upkeep(ctx, self.circuits, self._reconcile, self.watch)
        self.snapshots = Snapshots(ctx, self._reconcile)
        self.views = Views(ctx, self.circuits, self.nodes)

    def open(self, *, watch: bool = True) -> ContainerEngine:
        """Take up work: add the nodes of the configuration, finish or undo what was cut off, watch the nodes.

        A node that does not answer is not waited for, nor what is placed on new nodes: that is left to the
        watch.

        Args:
            watch: False leaves it to the caller to call `watch.look`.
        """
        try:
            self.notices = self.nodes.add_configured(self._keep)
            there = [n for n in self._ctx.store.nodes.all() if n.state is not NodeState.LOST]
            problems = self.watch.ask([node for node in there if not node.simulated], LOOK_S)
            for node in there:
                if problems.get(node.name) is not None:
                    self.watch.silent_at_start(node)
            found = self._reconcile.all(COMPARE_S)
            for line in found.problems:
                log.warning("at the start: %s", line)
            if adopted := self._reconcile.adopted:
                self.notices += (_of_adopted(adopted),)
            self._ctx.tell("engine", "start", self._ctx.store.engine_id)
        except BaseException:
            self.close()
            raise
        if watch:
            self.watch.start()
        return self

    def close(self, others: Callable[[], None] = lambda: None) -> None:
        """End. Containers go on as they are.

        Args:
            others: waits for those who still call parts of the engine; it is called once what they have under
                way on nodes has been broken off, and before the database is given up.
        """
        # Whatever fails, the rest is ended all the same: from the last line to the first.
        with ExitStack() as ending:
            ending.callback(self._ctx.store.close)
            ending.callback(others)
            ending.callback(self._reconcile.close)
            ending.callback(self.watch.close)
            # What is stuck on a node breaks off, a round of the watch too.
            ending.callback(self._ctx.drivers.close)
            self.watch.stop()

    def __enter__(self) -> ContainerEngine:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _of_adopted(names: Sequence[str]) -> str:
    count = "a container was" if len(names) == 1 else f"{len(names)} containers were"
    told = ", ".join(names[:_NAMES_TOLD])
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return (
        f"{count} found by their labels, and the database did not know them: {told}{more}. Their registers "
        "begin as declared; which were entangled, and what was measured, is not known any more"
    )


def _opened(home: Path) -> tuple[ContainerStore, Seals]:
    """The database of a home folder. The engine's id and the key that seals labels are kept beside it:
    whoever loses the database alone finds the containers again by their labels.

    Without the file of the key a new one is written. Containers that the database has are known by their ids,
    and are sealed anew when they are made again; others do not open any more, and are left alone.
    """
    kept, database = home / ENGINE_ID, home / DATABASE
    try:
        engine_id = kept.read_text(encoding="ascii", errors="replace").strip() if kept.exists() else None
        # One that is empty, as a disk may leave it, is written again from a database that is there.
        known = database.exists() and database.stat().st_size > 0
        if engine_id is not None and not re.fullmatch("[0-9a-f]{16}", engine_id) and (engine_id or not known):
            raise StoreError(
                f"{kept} has {engine_id!r:.40}; it must have 16 hexadecimal digits",
                hint="remove the file; it is written again from the database"
                if known
                else "bring it back from a copy; without it and the database, remove it: a new id is drawn, "
                "and containers that were made before are not found again",
            )
        store = ContainerStore(database, engine_id=engine_id or None)
        try:
            if store.engine_id != engine_id:
                write_whole(kept, store.engine_id + "\n")
            return store, Seals(store.engine_id, kept_key(home / LABELS_KEY))
        except BaseException:
            store.close()
            raise
    except OSError as problem:
        raise StoreError(f"{kept} cannot be read or written: {problem.strerror}") from problem


class QuantumDockerEngine:
    """The container engine for asynchronous programs, which own it for as long as they have it open.

    ```
    async with QuantumDockerEngine(Config(decoherence_time_ms=3.6e6), home) as engine:
        await engine.create(CreateRequest(ContainerSpec("web", "nginx:1.27")))
        report = await engine.run("web")
    ```

    Every command works in a thread, so the event loop goes on. To cancel one, by `asyncio.wait_for` too, is
    to wait for it no longer: its work goes on to its end, and what it does is done. One that is under way
    when the engine is closed is broken off; the next opening finishes or undoes it.

    What is not here is in `engine.parts`, a `ContainerEngine`, whose calls block: `call` does them.

    Args:
        config, clock: as of `ContainerEngine`.
        home: as of `ContainerEngine`; None takes that of the command, see `home_folder`.

    Raises:
        RequestError: an argument of another type, here and in its commands.
    """

    def __init__(
        self,
        config: Config | None = None,
        home: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        check("QuantumDockerEngine got", "config", config, Config | None)
        check("QuantumDockerEngine got", "home", home, str | os.PathLike | None)
        self._config = config or Config()
        self._home = home_folder() if home is None else Path(home).expanduser()
        self._clock = clock
        self._parts: ContainerEngine | None = None
        # One thread, so that opening and closing take turns, also those that nobody waits for any more.
        self._doors = ThreadPoolExecutor(1, "open-close")

    @property
    def parts(self) -> ContainerEngine:
        """The engine itself. Raises StoreError before it is open."""
        if self._parts is None:
            raise StoreError(
                "QuantumDockerEngine is not open", hint="use it in an `async with`, or await its open() first"
            )
        return self._parts

    @property
    def circuits(self) -> QuantumCircuitManager:
        """The registers of all containers. Its calls block, for seconds where registers are large."""
        return self.parts.circuits

    async def open(self) -> QuantumDockerEngine:
        """Open the store, find the nodes and the containers.

        When it is cancelled, what it opens is closed again; the next `open` waits for that.

        Raises:
            StoreError: it is open already, or see `ContainerEngine`.
            ConfigError: the scheduler of the configuration is not there, or cannot do what it asks for.
        """
        opening = self._doors.submit(self._begin)
        try:
            await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            if not opening.cancel():
                self._doors.submit(self._undo, opening)
            raise
        return self

    async def close(self) -> None:
        """End; containers go on as they are. Cancelled, it goes on to its end."""
        await asyncio.shield(asyncio.wrap_future(self._doors.submit(self._end)))

    def _begin(self) -> ContainerEngine:
        if self._parts is not None:
            raise StoreError("QuantumDockerEngine.open: it is open already", hint="close() it before")
        check_there(self._config)
        self._parts = ContainerEngine(self._config, self._home, self._clock).open()
        return self._parts

    def _undo(self, opening: Future[ContainerEngine]) -> None:
        """Close what an opening has opened; one that failed has left nothing. What was opened since stays."""
        if opening.exception() is None and self._parts is opening.result():
            self._end()

    def _end(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.close()

    async def __aenter__(self) -> QuantumDockerEngine:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def get_engine_status(self) -> dict[str, Any]:
        """See `Views.status`: ``status["resources"]["quantum_coherence"]`` and
        ``["resource_entanglement"]`` are defined there."""
        return await self.call(lambda parts: parts.views.status())

    async def quantum_load_balance(
        self, names: Sequence[str], scheduler: str | None = None, *, dry_run: bool = False
    ) -> BalanceReport:
        """Move the named containers to where the load is balanced best."""
        check("quantum_load_balance got", "scheduler", scheduler, str | None)
        check("quantum_load_balance got", "dry_run", dry_run, bool)
        return await self.call(lambda parts: parts.balancing.load_balance(names, scheduler, dry_run=dry_run))

    async def rebalance(self, scheduler: str | None = None, *, dry_run: bool = False) -> BalanceReport:
        """Move whatever pays for its move."""
        check("rebalance got", "scheduler", scheduler, str | None)
        check("rebalance got", "dry_run", dry_run, bool)
        return await self.call(lambda parts: parts.balancing.rebalance(scheduler, dry_run=dry_run))

    async def why(self, name: str) -> tuple[DecisionRecord, ...]:
        """The decisions about a container's place, the newest first."""
        return await self.call(lambda parts: parts.balancing.why(name))

    async def create(self, request: CreateRequest) -> CreateReport:
        """Place and make a container."""
        check("create got", "request", request, CreateRequest)
        return await self.call(lambda parts: parts.lifecycle.create(request))

    async def run(self, name: str, *, force: bool = False) -> RunReport:
        """Measure a container's group and start or stop it accordingly."""
        check("run got", "force", force, bool)
        return await self.call(lambda parts: parts.lifecycle.run(name, force=force))

    async def stop(self, name: str, grace_s: float | None = None) -> ContainerRecord:
        """Stop a container, whatever its register says; `grace_s` is from SIGTERM to SIGKILL, None for its
        own."""
        check("stop got", "grace_s", grace_s, float | None)
        return await self.call(lambda parts: parts.lifecycle.stop(name, grace_s))

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> str:
        """Remove a container; with `volumes` also its volumes without a name. See `Lifecycle.remove`."""
        check("remove got", "force", force, bool)
        check("remove got", "volumes", volumes, bool)
        return await self.call(lambda parts: parts.lifecycle.remove(name, force=force, volumes=volumes))

    async def inspect(self, name: str) -> ContainerView:
        """A container, what its engine says of it, and its register."""
        return await self.call(lambda parts: parts.views.inspect(name))

    async def measure(self, name: str) -> MeasureReport:
        """Measure a container's group."""
        return await self.call(lambda parts: parts.circuits.measure(name))

    async def entangle(self, first: str, second: str, mode: str = "same") -> EntangleReport:
        """Make the second container follow the first."""
        return await self.call(lambda parts: parts.circuits.entangle(first, second, mode))

    async def disentangle(self, names: Sequence[str]) -> DisentangleReport:
        """End the relations of containers to each other; their registers stay as they are. See
        `ties.disentangle`."""
        return await self.call(lambda parts: parts.circuits.disentangle(names))

    async def apply_gate(
        self, gate: str, names: Sequence[str], angle: float | None = None, qubit: int | None = 0
    ) -> GateReport:
        """See `QuantumCircuitManager.apply_gate`."""
        return await self.call(lambda parts: parts.circuits.apply_gate(gate, names, angle, qubit))

    async def send_message(
        self,
        sender: str,
        receiver: str,
        type: str,  # noqa: A002 (the field's own name)
        data: Any,
        *,
        intercept_share: float = 0.0,
    ) -> MessageReport:
        """Send a message from a container to one of its group. See `Messages.send`."""
        return await self.call(
            lambda parts: parts.messages.send(sender, receiver, type, data, intercept_share=intercept_share)
        )

    async def messages(self, name: str, *, unread_only: bool = False) -> tuple[OpenedMessage, ...]:
        """The messages of a container in the order of their delivery; from now on they count as read."""
        check("messages got", "unread_only", unread_only, bool)
        return await self.call(lambda parts: parts.messages.read(name, unread_only=unread_only))

    async def maintenance(self, *, renew: bool = False) -> MaintenanceReport:
        """Prepare faded registers again and put right what is not as it should be; see
        `Upkeep.maintenance`."""
        check("maintenance got", "renew", renew, bool)
        return await self.call(lambda parts: parts.upkeep.maintenance(renew=renew))

    async def call(self, work: Callable[[ContainerEngine], T]) -> T:
        """Do anything with the engine's parts in a thread: ``await engine.call(lambda e: e.nodes.all())``."""
        parts = self.parts
        return await asyncio.to_thread(work, parts)
