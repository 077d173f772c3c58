"""Clusters: several containers from one file, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qrealm.base.errors import (
    EngineRefusalError,
    NoSuchContainerError,
    QrealmError,
    RequestError,
)
from qrealm.control.containers import half_made
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.files import ClusterFile, load_cluster
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.reports import (
    PORTFOLIO,
    ClusterReport,
    CreateReport,
    CreateRequest,
    EntangleReport,
)
from qrealm.control.containers.values import ContainerRecord
from qrealm.fleet.containers.protocol import PullProgress

Progress = Callable[[str, PullProgress], None]


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
        scheduler: str = PORTFOLIO,
        progress: Progress | None = None,
        environ: Mapping[str, str] | None = None,
        folder: str | Path | None = None,
    ) -> ClusterReport:
        """Make every container of a cluster or Compose file and entangle them as it says.

        Whatever fails, what this call made is removed again. Containers of the cluster that are there
        already, made from the same lines, are kept: the command is safe to repeat.

        Args:
            text: of the file.
            filename: for messages.
            progress: told the container's name and each step of fetching its image.
            environ: variables that the file names; those of this process when None.
            folder: where relative host folders in it begin; that of `filename` when None.

        Raises:
            ConfigError: with file, line and key.
            QrealmError: what stood in the way of a container, named in the message.
        """
        file = load_cluster(text, filename, environ, None if folder is None else Path(folder))
        wanted = [self._request(file, index, scheduler) for index in range(len(file.containers))]
        with self._ctx.names.hold(half_made.turn(file.name)):
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
        made: list[CreateReport] = []
        entangled: list[EntangleReport] = []
        half_made.begin(self._ctx, file.name)
        try:
            for request in wanted:
                if request.spec.name in existing:
                    continue
                made.append(self._lifecycle.create(request, _told(request.spec.name, progress)))
            fresh = {report.container.name for report in made}
            with self._ctx.planning, self._ctx.store.transaction():
                for relation in file.entangled:
                    first, *others = relation.between
                    for other in others:
                        if {first, other} & fresh:
                            entangled.append(self._circuits.entangle(first, other, relation.mode))
                half_made.end(self._ctx, file.name)
        except BaseException as problem:
            self._undo(file.name)
            if isinstance(problem, QrealmError):
                problem.message = f"cluster {file.name!r} was not made: {problem.message}"
                problem.args = (problem.message, *problem.args[1:])
            raise
        if made:
            self._ctx.tell("cluster", "create", file.name, {"containers": str(len(wanted))})
        return ClusterReport(file.name, tuple(made), tuple(sorted(existing)), tuple(entangled))

    def names(self) -> dict[str, tuple[str, ...]]:
        """Names of the containers of each cluster."""
        found: dict[str, list[str]] = {}
        for record in self._ctx.store.containers.all():
            if record.cluster is not None:
                found.setdefault(record.cluster, []).append(record.name)
        return {name: tuple(members) for name, members in found.items()}

    def remove(self, name: str, *, force: bool = False) -> tuple[str, ...]:
        """Remove all containers of a cluster; without `force` only when none of them runs."""
        members = self.names().get(name)
        if members is None:
            raise NoSuchContainerError(
                f"rm-cluster got {name!r}, which is no cluster",
                hint=f"there are: {', '.join(sorted(self.names())) or 'none'}",
            )
        if not force:
            for member in members:
                self._lifecycle.check_removable(member)
        removed = [self._lifecycle.remove(member, force=force) for member in members]
        self._ctx.tell("cluster", "remove", name)
        return tuple(removed)

    def _request(self, file: ClusterFile, index: int, scheduler: str) -> CreateRequest:
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
            if record.cluster != file.name:
                raise RequestError(
                    f"cluster {file.name!r} was not made: container {record.name!r} is there already and is "
                    "not of this cluster",
                    hint="give it another name in the file, or remove the other one",
                )
            if (record.spec, record.quantum) != (request.spec, request.quantum):
                raise EngineRefusalError(
                    f"cluster {file.name!r} was not made: container {record.name!r} is there and was made "
                    "from other lines",
                    hint=f"qdocker rm {record.name}, then create the cluster again",
                )
            existing.add(record.name)
        return existing

    def _undo(self, cluster: str) -> None:
        try:
            half_made.take_back(self._ctx, self._lifecycle, cluster)
        except QrealmError as problem:
            # It stays written down: maintenance, or the next start, tries again.
            log.error("cannot take back cluster %s yet: %s", cluster, problem)


def _told(name: str, progress: Progress | None) -> Callable[[PullProgress], None] | None:
    if progress is None:
        return None

    def tell(step: PullProgress) -> None:
        progress(name, step)

    return tell
