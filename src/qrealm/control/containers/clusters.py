"""Clusters: several containers from one file, all of them or none."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from qrealm.base.errors import (
    CancelledRunError,
    EngineRefusalError,
    NoSuchContainerError,
    QrealmError,
    RequestError,
)
from qrealm.control.containers import half_made
from qrealm.control.containers.asked import own_network
from qrealm.control.containers.asker import begin, carried_out
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.declaring import Tie
from qrealm.control.containers.files import ClusterFile, load_cluster
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.placement import Action
from qrealm.control.containers.reports import ClusterReport, CreateReport, CreateRequest, OverriddenOdds
from qrealm.control.containers.reserving import Reserved
from qrealm.control.containers.taking_over import carried
from qrealm.control.containers.ties import overridden
from qrealm.control.containers.values import ContainerRecord
from qrealm.fleet.containers.protocol import ContainerSpec, Mount, PullProgress

Progress = Callable[[str, PullProgress], None]
AT_ONCE = 4
"""Containers of a cluster that are made at the same time."""


class Clusters:
    """Makes and removes clusters."""

    def __init__(self, context: Context, circuits: QuantumCircuitManager, lifecycle: Lifecycle) -> None:
        self._ctx = context
        self._circuits = circuits
        self._lifecycle = lifecycle

    def create(
        self,
        text: str,
        filename: str = "",
        scheduler: str | None = None,
        progress: Progress | None = None,
        environ: Mapping[str, str] | None = None,
        folder: str | Path | None = None,
    ) -> ClusterReport:
        """Make every container of a cluster or Compose file and entangle them as it says.

        Their nodes are decided together, by the relations that the file declares too, before anything is
        made. Whatever fails, what this call made is removed again. Containers of the cluster that are there
        already, made from the same lines, are kept: the command is safe to repeat.

        Args:
            text: of the file.
            filename: for messages.
            progress: told the container's name and each step of fetching its image; by several threads.
            environ: variables that the file names; those of this process when None.
            folder: where relative host folders in it begin; that of `filename` when None.

        Raises:
            ConfigError: with file, line and key.
            QrealmError: what stood in the way of a container, named in the message.
        """
        file = load_cluster(text, filename, environ, None if folder is None else Path(folder))
        wanted = [self._request(file, index, scheduler) for index in range(len(file.containers))]
        with self._ctx.names.hold(half_made.turn(file.name), "create-cluster", one_of_several=True):
            with carried_out():
                half_made.take_back(self._ctx, self._lifecycle, file.name)
            self._ctx.making.add(file.name)
            try:
                return self._made(file, wanted, progress)
            finally:
                self._ctx.making.discard(file.name)

    def _made(
        self, file: ClusterFile, wanted: list[CreateRequest], progress: Progress | None
    ) -> ClusterReport:
        """All of the cluster, or nothing more than was there."""
        existing = self._existing(file, wanted)
        fresh = [request for request in wanted if request.spec.name not in existing]
        names = {request.spec.name for request in fresh}
        ties = [
            Tie(relation.between[0], other, relation.mode, relation.place)
            for relation in file.entangled
            for other in relation.between[1:]
            if {relation.between[0], other} & names
        ]
        with ExitStack() as held:
            # In one order for all, so that two who make clusters cannot wait for each other.
            for name in sorted(names):
                turn = self._ctx.names.hold(name, f"create-cluster {file.name}", one_of_several=True)
                held.enter_context(turn)
            begin()
            self._call_by(file.name, existing)
            half_made.begin(self._ctx, file.name)
            try:
                reserved = self._lifecycle.reserve(fresh, ties, Action.CREATE_CLUSTER)
                made = self._all_made(fresh, reserved, progress)
                with self._ctx.planning, self._ctx.store.transaction():
                    entangled = tuple(self._circuits.entangle(*tie[:3]) for tie in ties)
                    followed = self._overridden({name for tie in ties for name in tie[:2]})
                    half_made.end(self._ctx, file.name)
            except BaseException as problem:
                self._undo(file.name)
                if isinstance(problem, QrealmError):
                    problem.message = f"cluster {file.name!r} was not made: {problem.message}"
                    problem.args = (problem.message, *problem.args[1:])
                raise
        if made:
            self._ctx.tell("cluster", "create", file.name, {"containers": str(len(wanted))})
        kept = tuple(request.spec.name for request in wanted if request.spec.name in existing)
        notes = [self._apart(file.name), self._networks(file.name), *(report.note for report in made)]
        return ClusterReport(file.name, made, kept, entangled, "; ".join(filter(None, notes)), followed)

    def _all_made(
        self, requests: Sequence[CreateRequest], reserved: Sequence[Reserved], progress: Progress | None
    ) -> tuple[CreateReport, ...]:
        """Reserved containers, made several at a time. With the first that fails the others are given up."""
        given_up = threading.Event()

        def make(request: CreateRequest, kept: Reserved) -> CreateReport:
            name = request.spec.name

            def tell(step: PullProgress) -> None:
                if given_up.is_set():
                    raise _GivenUpError(f"the making of {name!r} was given up")
                if progress is not None:
                    progress(name, step)

            if given_up.is_set():
                raise _GivenUpError(f"the making of {name!r} was given up")
            return self._lifecycle.make(*kept, request.pull, tell)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="make") as pool:
            tasks = [pool.submit(make, *pair) for pair in zip(requests, reserved, strict=True)]
            try:
                wait(tasks, return_when=FIRST_EXCEPTION)
            finally:
                given_up.set()
        problems = [problem for task in tasks if (problem := task.exception()) is not None]
        # What was given up is no reason.
        for problem in sorted(problems, key=lambda each: isinstance(each, _GivenUpError)):
            raise problem
        return tuple(task.result() for task in tasks)

    def names(self) -> dict[str, tuple[str, ...]]:
        """Names of the containers of each cluster."""
        found: dict[str, list[str]] = {}
        for record in self._ctx.store.containers.all():
            if record.cluster is not None:
                found.setdefault(record.cluster, []).append(record.name)
        return {name: tuple(members) for name, members in found.items()}

    def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> tuple[str, ...]:
        """Remove all containers of a cluster, with `volumes` as `Lifecycle.remove` does; without `force` only
        when there is one and none of it runs."""
        clusters = self.names()
        if name not in clusters and not force:
            known = ", ".join(sorted(clusters))
            raise NoSuchContainerError(
                f"rm-cluster got {name!r}, which is no cluster",
                hint=f"there are: {known}"
                if known
                else 'there is no cluster; to list them: qdocker ps -a --format "{{.Names}} {{.Cluster}}"',
            )
        members = clusters.get(name, ())
        if not force:
            for member in members:
                self._lifecycle.check_removable(member)
        removed = []
        for member in members:
            try:
                removed.append(self._lifecycle.remove(member, force=force, volumes=volumes))
            except NoSuchContainerError:
                # Another command was quicker.
                if not force:
                    raise
        if removed:
            self._ctx.tell("cluster", "remove", name)
        return tuple(removed)

    def _request(self, file: ClusterFile, index: int, scheduler: str | None) -> CreateRequest:
        entry = file.containers[index]
        return CreateRequest(
            spec=entry.spec, quantum=entry.quantum, node=entry.node, scheduler=scheduler, cluster=file.name
        )

    def _existing(self, file: ClusterFile, wanted: list[CreateRequest]) -> set[str]:
        """Names of containers that this file has made before. Raises RequestError for others in the way."""
        known: dict[str, ContainerRecord] = {r.name: r for r in self._ctx.store.containers.all()}
        existing = set()
        for request in wanted:
            record = known.get(request.spec.name)
            if record is None:
                continue
            if record.cluster is None or record.cluster not in {file.name, file.called_before}:
                raise RequestError(
                    f"cluster {file.name!r} was not made: container {record.name!r} is there already and is "
                    "not of this cluster",
                    hint=f"give it another name, in a Compose file with container_name: "
                    f"{file.name}-{record.name}; or remove the other one: qdocker rm {record.name}",
                )
            kept = carried(record, request.spec)
            if (_declared(record, file, kept), record.quantum) != (request.spec, request.quantum):
                told = ", ".join(f"{mount.source}:{mount.target}" for mount in kept)
                raise EngineRefusalError(
                    f"cluster {file.name!r} was not made: container {record.name!r} is there, and the "
                    "file now says something else of it",
                    hint=f"qdocker rm {record.name}, then create the cluster again"
                    + (f"; to go on with its data, have the file mount {told}" if told else ""),
                )
            existing.add(record.name)
        return existing

    def _call_by(self, cluster: str, names: Collection[str]) -> None:
        """Write down what the cluster of some containers is called now."""
        for record in self._ctx.store.containers.all():
            if record.name in names and record.cluster != cluster:
                self._ctx.change(record.id, cluster=cluster)

    def _overridden(self, names: Collection[str]) -> dict[str, OverriddenOdds]:
        """Which of some containers have other odds than they were declared with; inside a transaction."""
        records = [record for record in self._ctx.store.containers.all() if record.name in names]
        _, registers = self._circuits.picture()
        return overridden(records, registers, self._ctx.clock.now(), self._ctx.t1_s)

    def _apart(self, cluster: str) -> str:
        """What is to be said of a cluster whose network is several; empty when nothing is."""
        nodes = {node.name: node for node in self._ctx.store.nodes.all()}
        engines: dict[tuple[str, str], dict[str, list[str]]] = {}
        for record in self._ctx.store.containers.all(cluster):
            node = nodes.get(str(record.node))
            if node is None or node.simulated or not record.spec.network_made:
                continue
            # A swarm's network is one, wherever its members are.
            engine = ("swarm", node.endpoint.url) if node.endpoint.driver == "swarm" else ("", node.name)
            engines.setdefault(engine, {}).setdefault(node.name, []).append(record.name)
        if len(engines) < 2:
            return ""
        groups = "; ".join(
            f"{', '.join(sorted(itertools.chain(*on.values())))} on {' and '.join(sorted(on))}"
            for on in sorted(engines.values(), key=min)
        )
        return (
            f"the cluster is on {len(engines)} engines, and a container finds only those on its own by name: "
            f"{groups}"
        )

    def _networks(self, cluster: str) -> str:
        """What is to be said of a cluster of which a part was made when it had another name; often empty."""
        networks: dict[str, list[str]] = {}
        for record in self._ctx.store.containers.all(cluster):
            if record.spec.network_made:
                networks.setdefault(str(record.spec.network), []).append(record.name)
        if len(networks) < 2:
            return ""
        groups = "; ".join(f"{', '.join(sorted(on))} in {name!r}" for name, on in sorted(networks.items()))
        return (
            f"the cluster has {len(networks)} networks, and a container finds only those in its own by name: "
            f"{groups}; to have one, remove and create it anew: qdocker rm-cluster {cluster}"
        )

    def _undo(self, cluster: str) -> None:
        try:
            half_made.take_back(self._ctx, self._lifecycle, cluster)
        except QrealmError as problem:
            # It stays written down: maintenance, or the next start, tries again.
            log.error("cannot take back cluster %s yet: %s", cluster, problem)


def _declared(record: ContainerRecord, file: ClusterFile, kept: Collection[Mount]) -> ContainerSpec:
    """What a file said of a container: without the mounts that a take-over gave it, and with its cluster's
    network as that is called now. The container stays in its own."""
    spec = replace(record.spec, mounts=tuple(mount for mount in record.spec.mounts if mount not in kept))
    before = file.called_before
    if before is not None and spec.network_made and spec.network == own_network(before):
        return replace(spec, network=own_network(file.name))
    return spec


class _GivenUpError(CancelledRunError):
    """Another container of the cluster could not be made."""
