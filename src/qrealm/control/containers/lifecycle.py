"""One container's life: made, run, stopped, removed; what it writes; commands inside it.

The order is always the same: write down what will be done, have the engine do it, write down that it is done.
Whatever is cut off in between is found by `reconcile` and finished or undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    ImageError,
    InternalError,
    NoRoomError,
    NoSuchContainerError,
    QrealmError,
    RequestError,
    StoreError,
    UserError,
)
from qrealm.control.containers.asked import check_grace, check_request
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.declaring import Tie
from qrealm.control.containers.labels import runs, starts_again
from qrealm.control.containers.naming import told_by_name
from qrealm.control.containers.placement import Action
from qrealm.control.containers.reports import CreateReport, CreateRequest, MeasureReport, RunReport
from qrealm.control.containers.reserving import Reserved, reserve
from qrealm.control.containers.values import (
    UNSEEN,
    ContainerRecord,
    DecisionRecord,
    NodeRecord,
    NodeState,
    Phase,
    Wanted,
)
from qrealm.fleet.containers.host_ports import not_published
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerDriver,
    ContainerFacts,
    ContainerState,
    ExecRun,
    ExecSpec,
    LogRequest,
    Output,
    PullProgress,
)

REMOVED = "removed:"
REMOVED_VOLUMES = "removed-volumes:"
SETTLE_S = 0.4
"""How long a container that was just started is watched, to tell that it ended at once."""

Progress = Callable[[PullProgress], None]
_MAKINGS = (Action.CREATE, Action.CREATE_CLUSTER)


class Lifecycle:
    """What commands about one container call."""

    def __init__(self, context: Context, circuits: QuantumCircuitManager, deciding: Deciding) -> None:
        self._ctx = context
        self._circuits = circuits
        self._deciding = deciding

    def create(self, request: CreateRequest, progress: Progress | None = None) -> CreateReport:
        """Place a container, prepare its register and have its node's engine make it; not started.

        Raises:
            NameTakenError, NoRoomError, ImageError, EngineUnavailableError, EngineRefusalError,
            RegisterError, RequestError: nothing is left behind.
        """
        with self._ctx.names.hold(request.spec.name, f"create with image {request.spec.image}", begins=True):
            ((record, decision),) = self.reserve([request])
            return self.make(record, decision, request.pull, progress)

    def reserve(
        self, requests: Sequence[CreateRequest], ties: Sequence[Tie] = (), action: str = "create"
    ) -> list[Reserved]:
        """Write down containers that are about to be made; see `reserving.reserve`."""
        for request in requests:
            check_request(request, self._ctx.config.num_qubits)
        return reserve(self._ctx, self._circuits, self._deciding, requests, ties, action)

    def make(
        self, record: ContainerRecord, decision: DecisionRecord, pull: str, progress: Progress | None = None
    ) -> CreateReport:
        """Have its node's engine make a container that was reserved. Whoever holds its name's lock calls it.

        Raises:
            QrealmError: nothing is left behind.
        """
        try:
            engine_id, pulled = self._make(record, pull, progress)
            with self._ctx.store.transaction():
                record = self._ctx.change(record.id, engine_id=engine_id, phase=Phase.READY)
                attributes = {"image": record.spec.image, "node": str(record.node)}
                self._ctx.tell("container", "create", record.name, attributes)
        except BaseException:
            self._undo(record)
            raise
        return CreateReport(record, decision, pulled, not_published(record.spec))

    def run(self, reference: str, *, force: bool = False) -> RunReport:
        """Measure the container's group, and bring the container in line with the outcome: started in its
        first state, stopped in any other; started in any case with `force`. One that somebody removed from
        its node behind our back is made again first.

        Raises:
            EngineUnavailableError: its node does not answer. When that shows before the measurement, nothing
                is measured; after it the outcome stands, and is carried out when the node answers again.
            CommandNotFoundError, CommandNotRunnableError: its image does not have the command, or it cannot
                be run. The outcome stands; the message tells it.
        """
        name = self._ctx.store.containers.find(reference).name
        with self._ctx.names.hold(name, "run", begins=True):
            record = self._ready(name)
            driver, engine_id = self._engine_of(record)
            found = self._facts(driver, engine_id)
            if found is None:
                record, engine_id = self._made_again(record, driver)
            before = found or driver.inspect(engine_id)
            if before.state is ContainerState.PAUSED:
                raise EngineRefusalError(
                    f"container {name!r} is paused, which qrealm has not done; it was not measured",
                    hint=f"on its node: docker unpause {name}",
                )
            was_running = runs(before)
            with self._ctx.planning, self._ctx.store.transaction():
                measured = self._circuits.measure(name)
                wanted = measured.state == record.quantum.states[0] or force
                forced = force and measured.state != record.quantum.states[0]
                shall = Wanted.RUNNING if wanted else Wanted.STOPPED
                begun = shall if wanted != was_running else None
                record = self._ctx.change(record.id, wanted=shall, begun=begun)
            facts = before
            if wanted != was_running:
                facts = self._carried_out(record, measured, driver, engine_id, start=wanted)
            return RunReport(
                name,
                measured,
                started=wanted and not was_running,
                forced=forced,
                was_running=was_running,
                stopped=not wanted and was_running,
                facts=facts,
                starts_again=starts_again(record.spec.restart, before, facts),
                simulated=self._node(record).simulated,
            )

    def stop(self, reference: str, grace_s: float | None = None) -> ContainerRecord:
        """Stop the container, whatever its register says; the register is not touched. One that waits for a
        node is not started when it gets one. `grace_s` instead of its own, for this time."""
        if grace_s is not None:
            check_grace("stop-container", grace_s)
        name = self._ctx.store.containers.find(reference).name
        with self._ctx.names.hold(name, "stop-container", begins=True):
            record = self._ctx.store.containers.get(name)
            if record.phase is Phase.WAITING:
                return self._ctx.change_if_same(record, wanted=Wanted.STOPPED)
            record = self._ready(name)
            driver, engine_id = self._engine_of(record)
            if not runs(driver.inspect(engine_id)):
                return self._ctx.change_if_same(record, wanted=Wanted.STOPPED)
            record = self._ctx.change(record.id, wanted=Wanted.STOPPED, begun=Wanted.STOPPED)
            grace_s = record.spec.stop_grace_s if grace_s is None else grace_s
            return self._stop(record, driver, engine_id, grace_s, "asked")

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> str:
        """Remove the container, its share of its register, its relations and its messages.

        With `force` a running one is killed, and one whose node does not answer is forgotten: what is left of
        it there goes when the node comes back.

        Args:
            volumes: also its volumes without a name, as those that its image declares. Else they stay on
                their node, but for a swarm's.

        Returns:
            Its name.
        """
        name = self._ctx.store.containers.find(reference).name
        with self._ctx.names.hold(name, "rm", begins=True):
            record = self._ctx.store.containers.get(name)
            try:
                self._remove_there(record, force, volumes)
            except (EngineUnavailableError, NoSuchContainerError, RequestError) as problem:
                # The record of its node is gone; or its node has an address that is none.
                if not force or self._ctx.drivers.closed:
                    raise
                log.warning("what is left of %s goes when its node is seen again: %s", name, problem)
            self.forget(record)
            return name

    def check_removable(self, reference: str) -> None:
        """Raises EngineRefusalError for a container that runs, EngineUnavailableError for one that may."""
        record = self._ctx.store.containers.find(reference)
        if record.node is None:
            if record.wanted is Wanted.RUNNING and (silent := self._may_run_on(record)):
                raise EngineUnavailableError(
                    f"container {record.name!r} waits for a node, and may still run on one that is silent: "
                    f"{', '.join(silent)}",
                    hint=f"to give it up all the same: qdocker rm --force {record.name}",
                )
            return
        if record.engine_id is not None and runs(self._facts(*self._engine_of(record))):
            raise EngineRefusalError(
                f"container {record.name!r} is running; it must be stopped before it is removed",
                hint=f"qdocker stop-container {record.name}, or qdocker rm --force {record.name}",
            )

    def _may_run_on(self, record: ContainerRecord) -> list[str]:
        """Lost nodes on which a container that waits has been: all that have ever answered, where it is not
        known any more how it was made."""
        store = self._ctx.store
        lost = [n.name for n in store.nodes.all() if n.state is NodeState.LOST and n.engine != UNSEEN]
        been: set[str | None] = set()
        for decision in store.decisions.all(record.name):
            been |= {decision.chosen, decision.before}
            if decision.action in _MAKINGS:
                return [name for name in lost if name in been]
        return lost

    def forget(self, record: ContainerRecord) -> None:
        """Drop a container from the store; its engine has removed it, or will when it is seen there again."""
        store = self._ctx.store
        with store.transaction():
            self._circuits.drop(record.id)
            store.messages.delete_to(record.name)
            store.settings.set(removed_key(record.id), repr(self._ctx.clock.now()))
            store.containers.delete(record.id)
            self._tell(record, "destroy")

    def logs(self, reference: str, request: LogRequest) -> Iterator[Output]:
        """What the container wrote."""
        driver, engine_id = self._engine_of(self._ready(reference))
        return driver.logs(engine_id, request)

    def execute(self, reference: str, spec: ExecSpec) -> ExecRun:
        """Run a command inside a container that runs."""
        if not spec.command:
            raise RequestError("exec got no command", hint="qdocker exec NAME COMMAND [ARGUMENTS]")
        record = self._ready(reference)
        driver, engine_id = self._engine_of(record)
        if driver.inspect(engine_id).state is not ContainerState.RUNNING:
            raise EngineRefusalError(
                f"container {record.name!r} does not run; a command needs one that runs",
                hint=f"qdocker run {record.name}",
            )
        with told_by_name(engine_id, record.name, record.node):
            return driver.execute(engine_id, spec)

    # The steps.

    def _make(self, record: ContainerRecord, pull: str, progress: Progress | None) -> tuple[str, bool]:
        driver = self._ctx.drivers.of(self._node(record))
        pulled = fetch(driver, record.spec.image, pull, progress)
        return driver.create(self._ctx.seals.labelled(record)), pulled

    def _remove_there(self, record: ContainerRecord, force: bool, volumes: bool) -> None:
        """Have its node's engine remove it, and what was left of it by a making that was cut off."""
        if not force:
            self.check_removable(record.name)
        # First of all: also where it is not spoken to now, or this is cut off, somebody finishes it.
        self._note_volumes(record, volumes)
        if record.node is None:
            return
        driver, _ = self._driver_of(record)
        self._ctx.change(record.id, phase=Phase.REMOVING)
        try:
            for facts in own_copies(self._ctx, driver, record):
                driver.remove(facts.engine_id, force=force, volumes=volumes)
        except EngineRefusalError:
            self._ctx.change(record.id, phase=record.phase)
            raise

    def _note_volumes(self, record: ContainerRecord, volumes: bool) -> None:
        """Write down whether a container is removed with its volumes without a name. The last removal that
        was asked for counts."""
        settings = self._ctx.store.settings
        if volumes:
            settings.set(volumes_key(record.id), repr(self._ctx.clock.now()))
        else:
            settings.delete(volumes_key(record.id))

    def _undo(self, record: ContainerRecord) -> None:
        """Leave nothing of a container whose making failed."""
        try:
            driver = self._ctx.drivers.of(self._node(record))
            for facts in own_copies(self._ctx, driver, record):
                driver.remove(facts.engine_id, force=True, volumes=unused(facts, record))
        except QrealmError as problem:
            # Its label is kept as removed, so that it goes when the node is seen again.
            log.warning("cannot clear up after %s: %s", record.name, problem)
        try:
            with self._ctx.store.transaction():
                self._circuits.drop(record.id)
                self._ctx.store.settings.set(removed_key(record.id), repr(self._ctx.clock.now()))
                self._ctx.store.containers.delete(record.id)
        except StoreError as problem:
            # The caller is told why the making failed; the record goes with the next comparison.
            log.error("cannot take back the record of %s: %s", record.name, problem)

    def _made_again(self, record: ContainerRecord, driver: ContainerDriver) -> tuple[ContainerRecord, str]:
        """A container that its node's engine has lost, made there again, and the id that the engine gave it.
        Whoever is cut off here leaves a copy that no record names; `reconcile` removes it."""
        for left in own_copies(self._ctx, driver, record):
            driver.remove(left.engine_id, force=True, volumes=unused(left, record))
        engine_id, _ = self._make(record, "missing", None)
        with self._ctx.store.transaction():
            restarts = record.restarts + 1
            record = self._ctx.change(
                record.id, engine_id=engine_id, restarts=restarts, wanted=Wanted.STOPPED, begun=None
            )
            self._tell(record, "make-again", {"reason": "its engine had lost it"})
        return record, engine_id

    def _carried_out(
        self,
        record: ContainerRecord,
        measured: MeasureReport,
        driver: ContainerDriver,
        engine_id: str,
        *,
        start: bool,
    ) -> ContainerFacts:
        """Bring a container in line with its outcome. An error tells the outcome, which stands."""
        try:
            if start:
                return self._start(record, driver, engine_id)
            self._stop(record, driver, engine_id, record.spec.stop_grace_s, f"measured {measured.state}")
        except QrealmError as problem:
            action, done = ("start-failed", "started") if start else ("stop-failed", "stopped")
            # A node that breaks off may have done it.
            known = "not" if isinstance(problem, EngineRefusalError) else "perhaps not"
            with suppress(StoreError):
                self._tell(record, action, {"measured": measured.state, "reason": problem.message})
            problem.message = (
                f"{record.name} was measured {measured.state} (probability {measured.probability:.4g}) and "
                f"{known} {done}: {problem.message}"
            )
            problem.args = (problem.message, *problem.args[1:])
            raise
        return driver.inspect(engine_id)

    def _start(self, record: ContainerRecord, driver: ContainerDriver, engine_id: str) -> ContainerFacts:
        try:
            driver.start(engine_id)
        except EngineRefusalError:
            self._ctx.change_if_same(record, wanted=Wanted.STOPPED, begun=None)
            raise
        with self._ctx.store.transaction():
            self._ctx.change_if_same(record, begun=None)
            self._tell(record, "start")
        # Records of a simulated node do not end by themselves.
        simulated = self._node(record).simulated
        facts = driver.inspect(engine_id) if simulated else settled(driver, engine_id)
        if not runs(facts):
            with self._ctx.store.transaction():
                self._ctx.change_if_same(record, wanted=Wanted.STOPPED)
                self._tell(record, "die", {"exit_code": facts.exit_told})
        return facts

    def _stop(
        self, record: ContainerRecord, driver: ContainerDriver, engine_id: str, grace_s: float, reason: str
    ) -> ContainerRecord:
        try:
            driver.stop(engine_id, grace_s)
        except EngineRefusalError:
            self._ctx.change_if_same(record, wanted=Wanted.RUNNING, begun=None)
            raise
        with self._ctx.store.transaction():
            self._tell(record, "stop", {"reason": reason})
            return self._ctx.change_if_same(record, begun=None)

    def _ready(self, reference: str) -> ContainerRecord:
        """The record of a container that its engine has."""
        record = self._ctx.store.containers.find(reference)
        if record.phase is Phase.WAITING and record.data_node is not None:
            raise NoRoomError(
                f"container {record.name!r} waits for node {record.data_node!r}, which is gone and has its "
                "data",
                hint="bring the node back, and it goes on there; or give its data up: "
                f"qdocker nodes rm {record.data_node}, and it is made elsewhere",
            )
        if record.phase is Phase.WAITING:
            raise NoRoomError(
                f"container {record.name!r} waits for a node: its own is gone and no other has room",
                hint="add a node (qdocker nodes add) or remove containers; it is then made again by itself",
            )
        if record.phase is not Phase.READY or record.engine_id is None:
            raise EngineUnavailableError(
                f"container {record.name!r} is not there yet: phase {record.phase.value}",
                hint="try again in a moment; qdocker maintenance finishes what was cut off",
            )
        return record

    def _engine_of(self, record: ContainerRecord) -> tuple[ContainerDriver, str]:
        if record.engine_id is None:
            raise InternalError(f"container {record.name!r} has no id on its engine")
        driver, _ = self._driver_of(record)
        return driver, record.engine_id

    def _driver_of(self, record: ContainerRecord) -> tuple[ContainerDriver, NodeRecord]:
        node = self._node(record)
        if node.state is NodeState.LOST:
            raise EngineUnavailableError(
                f"node {node.name!r} of container {record.name!r} does not answer",
                hint="its containers are being placed elsewhere; qdocker nodes ls shows the nodes",
            )
        try:
            return self._ctx.drivers.of(node), node
        except UserError as problem:
            raise EngineUnavailableError(
                f"node {node.name!r} of container {record.name!r} cannot be spoken to: {problem.message}",
                hint=problem.hint,
            ) from problem

    def _facts(self, driver: ContainerDriver, engine_id: str) -> ContainerFacts | None:
        try:
            return driver.inspect(engine_id)
        except NoSuchContainerError:
            return None

    def _node(self, record: ContainerRecord) -> NodeRecord:
        if record.node is None:
            raise InternalError(f"container {record.name!r} has no node")
        return self._ctx.store.nodes.get(record.node)

    def _tell(self, record: ContainerRecord, action: str, extra: dict[str, str] | None = None) -> None:
        self._ctx.tell("container", action, record.name, {"node": str(record.node), **(extra or {})})


def own_labels(context: Context, container_id: str) -> dict[str, str]:
    """By what an engine finds a container of this store."""
    return {LABEL_ENGINE: context.store.engine_id, LABEL_CONTAINER: container_id}


def own_copies(context: Context, driver: ContainerDriver, record: ContainerRecord) -> list[ContainerFacts]:
    """What a node has of a container, without what others gave its labels."""
    found = driver.find(own_labels(context, record.id))
    return [facts for facts in found if context.seals.ours(facts, record)]


def removed_key(container_id: str) -> str:
    """Name of the setting that says that a container was removed on purpose."""
    return f"{REMOVED}{container_id}"


def volumes_key(container_id: str) -> str:
    """Name of the setting that says that its volumes without a name were to be removed with a container."""
    return f"{REMOVED_VOLUMES}{container_id}"


def unused(facts: ContainerFacts, record: ContainerRecord | None) -> bool:
    """Whether a copy that is removed has nothing of its user's in volumes without a name, so that these may
    go with it: it has never run. Of a container that mounts anything none goes: it may have been taken over,
    and its next copy mounts the volumes of this one by the names that the engine gave them."""
    return facts.started_at is None and (record is None or not record.spec.mounts)


def fetch(driver: ContainerDriver, image: str, pull: str, progress: Progress | None = None) -> bool:
    """Get an image onto an engine as `pull` says; whether it was fetched."""
    if pull == "always" or not driver.has_image(image):
        if pull == "never":
            raise ImageError(
                f"image {image!r} is not on the node, and --pull never was asked for",
                hint=f"docker pull {image} there, or leave --pull out",
            )
        driver.pull(image, progress)
        return True
    return False


def settled(driver: ContainerDriver, engine_id: str) -> ContainerFacts:
    """What became of a container shortly after its start: as soon as it has ended, else after a moment."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        facts = driver.inspect(engine_id)
        if not runs(facts) or time.monotonic() >= deadline:
            return facts
        time.sleep(0.05)
