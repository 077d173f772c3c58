"""Containers on one node of a Docker swarm, through a manager of the swarm.

A container is a service with one replica, or none while it is stopped, bound to its node. What a swarm
cannot do like an engine alone:

* A stopped service keeps neither exit code nor output. A container that ended by itself keeps both.
* No new privileges needs Docker 25 on the node, or the node's dockerd with ``--no-new-privileges``; older
  ones ignore the wish. Memory is limited, swap is not.
* A container that becomes unhealthy is ended by the swarm, and started again if its restart policy says so.
  Where this manager does not host the node, a start waits until the first check is passed.
* The grace of a stop is the one that the container was made with; where this manager hosts the node, a
  shorter one counts.
* A node fetches an image when it starts a container; `pull` acts where this manager hosts the node.
* Commands inside a container run only where this manager hosts the node; its logs come from anywhere.
* A node that dies is known to be down after three heartbeats that are missing, of 5 s each unless
  ``docker swarm update --dispatcher-heartbeat`` says otherwise; until then its containers seem to run.
* Volumes that an image declares last until the container is stopped: the next start makes new ones, and the
  swarm's nodes remove the old ones with what used them. Where this manager does not host the node, nobody
  can tell whether there are any.
* The swarm knows a service's name once: see `service_name`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    ImageError,
    NoSuchContainerError,
    QrealmError,
)
from qrealm.fleet.containers.addresses import check_reference
from qrealm.fleet.containers.connection import IMAGE_HINT, refusal
from qrealm.fleet.containers.docker import BegunExec, DockerDriver, log_query, short
from qrealm.fleet.containers.docker_form import facts_of, labels_of
from qrealm.fleet.containers.protocol import (
    GRACE_S,
    ContainerFacts,
    ContainerSpec,
    ContainerState,
    EngineFacts,
    ExecSpec,
    LogRequest,
    Output,
    PullProgress,
)
from qrealm.fleet.containers.swarm_form import (
    ENDED,
    LABEL_FAULT,
    LABEL_NAME,
    Told,
    endpoint_spec,
    facts_of_service,
    fault_label,
    grace_of,
    latest,
    replicas_of,
    starts_of,
    task_template,
)
from qrealm.fleet.containers.swarm_members import SwarmMember, find_member, service_name

if TYPE_CHECKING:
    from docker import APIClient

_POLL_S = 0.05
_FETCH_SECONDS_MAX = 600.0  # a node that fetches an image before it starts a container
_TRIES = 5
_LOOKS_PER_MEMBER = 10  # how often a container is asked for before its node is


class SwarmDriver(DockerDriver):
    """A `ContainerDriver` for one node of a swarm.

    Args:
        endpoint: of a manager; `member` is the node's host name, or its id where host names are not unique.
    """

    engine: ClassVar[str] = "Docker swarm"
    network_kind: ClassVar[str] = "overlay"

    def ping(self) -> None:
        """Whether the manager answers, and says that the member keeps what runs there."""
        try:
            member = self._member("ask for the node")
        except EngineRefusalError as refused:
            # A manager that knows no such member, or is none any more, is as good as silent about it.
            raise EngineUnavailableError(refused.message, hint=refused.hint) from refused
        member.check_keeps(f"{self._wire.name}: ask for the node")

    def facts(self) -> EngineFacts:
        doing = f"{self._wire.name}: list the swarm's nodes"
        with self._wire.calling("list the swarm's nodes") as client:
            nodes = client.nodes()
        members = tuple(sorted(node["Description"]["Hostname"] for node in nodes))
        if self.endpoint.member is None:
            return replace(super().facts(), members=members)
        member = find_member(nodes, self.endpoint.member, doing)
        member.check_takes(doing)
        told = member.told["Description"]
        return EngineFacts(
            engine=f"{self.engine} {told['Engine']['EngineVersion']}",
            cpus=told["Resources"]["NanoCPUs"] / 1e9,
            memory_bytes=int(told["Resources"]["MemoryBytes"]),
            host=told["Hostname"],
            architecture=told["Platform"]["Architecture"],
            members=members,
        )

    def has_image(self, image: str) -> bool:
        check_reference(image)
        return super().has_image(image) if self._hosted_here() else True

    def pull(self, image: str, progress: Callable[[PullProgress], None] | None = None) -> None:
        check_reference(image)
        if self._hosted_here():
            super().pull(image, progress)
        elif progress is not None:
            progress(PullProgress("", f"node {self.endpoint.member} fetches it when the container starts"))

    def create(self, spec: ContainerSpec) -> str:
        check_reference(spec.image)
        doing = f"create {spec.name!r}"
        if addressed := [port for port in spec.ports if port.host_ip]:
            raise EngineRefusalError(
                f"{self._wire.name}: {doing}: a swarm shows ports on all addresses of a node, "
                f"not on {addressed[0].host_ip} alone"
            )
        if spec.network == "none":
            raise EngineRefusalError(
                f"{self._wire.name}: {doing}: a swarm cannot leave a container without a network",
                hint="name another network or none at all, or add the host with the driver docker",
            )
        member = self._member(doing)
        member.check_takes(f"{self._wire.name}: {doing}")
        if not self.has_image(spec.image):
            raise ImageError(f"{self._wire.name}: {doing}: no such image: {spec.image}", hint=IMAGE_HINT)
        with self._networks.holding(spec, doing), self._wire.calling(doing) as client:
            made = client.create_service(
                task_template(spec, member.constraint),
                name=service_name(spec.name, member, client.services(), f"{self._wire.name}: {doing}"),
                labels={**labels_of(spec), LABEL_NAME: spec.name},
                mode={"Replicated": {"Replicas": 0}},
                endpoint_spec=endpoint_spec(spec),
            )
        return str(made["ID"])

    def start(self, engine_id: str) -> None:
        doing = f"start {short(engine_id)}"
        service, tasks = self._look(engine_id, doing)
        task = latest(tasks)
        wanted = replicas_of(service)
        if not wanted or task is None or task["Status"]["State"] in ENDED:
            number = self._scale(engine_id, 1, doing)
        else:
            number = starts_of(service["Spec"]["TaskTemplate"])
        if fault := self._fault_of_start(engine_id, number, doing):
            why, status = fault
            with suppress(QrealmError):  # the fault itself is what the caller has to hear
                self._scale(engine_id, 0, doing, fault_label(status))
            raise why

    def stop(self, engine_id: str, grace_s: float = GRACE_S) -> None:
        doing = f"stop {short(engine_id)}"
        service, tasks = self._look(engine_id, doing)
        if not replicas_of(service):
            return
        task = latest(tasks)
        if task is not None and task["Status"]["State"] in ENDED and not _may_go_on(service):
            return  # it ended by itself: its exit code and its output stay
        container = self._container_here(tasks)
        self._scale(engine_id, 0, doing)
        if container is not None:
            with suppress(NoSuchContainerError, EngineRefusalError):  # the swarm was quicker
                super().stop(container, grace_s)
        self._wait_for_end(engine_id, doing, max(grace_s, grace_of(service)) + self.timeout_s)

    def remove(self, engine_id: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it, always with its volumes without a name, whatever `volumes` says: the swarm's nodes
        remove what a service leaves behind, and nobody can tell them to keep these."""
        del volumes
        doing = f"remove {short(engine_id)}"
        try:
            service, tasks = self._look(engine_id, doing)
            if not force and self._facts(service, tasks).state is ContainerState.RUNNING:
                raise EngineRefusalError(
                    f"{self._wire.name}: {doing}: it runs", hint="stop it first, or use force"
                )
            with self._wire.calling(doing) as client:
                client.remove_service(engine_id)
        except NoSuchContainerError:
            return
        if container := self._container_here(tasks):
            # Nobody asks for its end to be seen: what is forced away is killed, as a container alone is.
            self._removed(container, force=True, volumes=True)
        self._wait_for_end(engine_id, doing, grace_of(service) + self.timeout_s)
        self._sweep_after(service["Spec"].get("Labels") or {})

    def _holders(self, client: APIClient, label: str) -> list[Any]:
        return list(client.services(filters={"label": label}))

    def inspect(self, engine_id: str) -> ContainerFacts:
        return self._facts(*self._look(engine_id, f"inspect {short(engine_id)}"))

    def find(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        doing = "list services"
        wanted = [f"{name}={value}" for name, value in labels.items()]
        member = None
        if self.endpoint.member is not None:
            member = self._member(doing)
            member.check_keeps(f"{self._wire.name}: {doing}")
        with self._wire.calling(doing) as client:
            services = client.services(filters={"label": wanted})
            mine = [service for service in services if member is None or member.owns(service)]
            tasks = client.tasks() if mine else []
        here = self._node_here() if mine else None
        return [
            self._facts(service, [task for task in tasks if task["ServiceID"] == service["ID"]], here)
            for service in mine
        ]

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        # The swarm's own list does not tell a container that starts from one that waits for its node.
        return self.find(labels)

    def logs(self, engine_id: str, request: LogRequest) -> Iterator[Output]:
        doing = f"logs of {short(engine_id)}"
        _, tasks = self._look(engine_id, doing)
        container = self._container_here(tasks)
        # Of a container that was started again the swarm has what all its turns wrote.
        whole = len(tasks) > 1 and not request.follow and request.until is None
        if container is not None and not whole:
            return super().logs(container, request)
        if request.until is not None or request.follow:
            raise EngineRefusalError(
                f"{self._wire.name}: {doing}: node {self.endpoint.member!r} is another host than this "
                "manager, and a swarm can neither end nor follow the output of a container there",
                hint="ask without follow and until",
            )
        with self._wire.calling(doing) as client:
            path = f"/services/{engine_id}/logs"
            answer = self._wire.request(client, "GET", path, doing, params=log_query(request))
        return self._wire.frames(answer, doing)

    def begin_exec(self, engine_id: str, spec: ExecSpec, *, stdin: bool, terminal: bool = False) -> BegunExec:
        doing = f"run {spec.command[0]!r} in {short(engine_id)}"
        service, tasks = self._look(engine_id, doing)
        container = self._container_here(tasks)
        if self._facts(service, tasks).state is not ContainerState.RUNNING:
            raise EngineRefusalError(f"{self._wire.name}: {doing}: it is not running")
        if container is None:
            raise EngineRefusalError(
                f"{self._wire.name}: {doing}: node {self.endpoint.member!r} is another host than this "
                "manager, and a swarm runs no commands there",
                hint="add the host as a node of its own with the driver docker",
            )
        return super().begin_exec(container, spec, stdin=stdin, terminal=terminal)

    def _member(self, doing: str) -> SwarmMember:
        doing_there = f"{self._wire.name}: {doing}"
        with self._wire.calling(doing) as client:
            nodes = client.nodes()
        if self.endpoint.member is None:
            hosts = ", ".join(sorted(str(node["Description"]["Hostname"]) for node in nodes))
            raise EngineRefusalError(
                f"{doing_there}: the endpoint names no member of the swarm", hint=f"its members are: {hosts}"
            )
        return find_member(nodes, self.endpoint.member, doing_there)

    def _hosted_here(self) -> bool:
        with self._wire.calling("info") as client:
            told = client.info()
        here = (told["Name"], (told.get("Swarm") or {}).get("NodeID"))
        return self.endpoint.member is None or self.endpoint.member in here

    def _node_here(self) -> str:
        """Id, in the swarm, of the node that this manager runs on."""
        with self._wire.calling("info") as client:
            return str(client.info()["Swarm"]["NodeID"])

    def _look(self, engine_id: str, doing: str) -> tuple[Told, list[Told]]:
        with self._wire.calling(doing) as client:
            return client.inspect_service(engine_id), client.tasks(filters={"service": engine_id})

    def _facts(self, service: Told, tasks: Sequence[Told], here: str | None = None) -> ContainerFacts:
        facts = facts_of_service(service, tasks)
        if not (container := self._container_here(tasks, here)):
            return facts
        try:
            with self._wire.calling(f"inspect {short(container)}") as client:
                near = facts_of(client.inspect_container(container))
        except NoSuchContainerError:
            return replace(facts, volumes_known=True)  # it has gone, with what it had
        return replace(
            near,
            engine_id=facts.engine_id,
            name=facts.name,
            image=facts.image,
            # Between two tasks the last container has ended, and the swarm knows that another comes.
            state=facts.state if facts.state is ContainerState.RESTARTING else near.state,
            error=near.error or facts.error,
            labels=facts.labels,
            volume_names={},  # they go with it
        )

    def _container_here(self, tasks: Sequence[Told], here: str | None = None) -> str | None:
        """Id of the latest task's container, where this engine is its node; `here`: that node, if known."""
        task = latest(tasks)
        if task is None:
            return None
        told = (task["Status"].get("ContainerStatus") or {}).get("ContainerID")
        if not told:
            return None
        return str(told) if task.get("NodeID") == (here or self._node_here()) else None

    def _scale(
        self, engine_id: str, replicas: int, doing: str, fault: Mapping[str, str] | None = None
    ) -> int:
        """Have it run or not, with a label of why it could not be started; the number of the start that this
        belongs to."""
        for attempt in range(_TRIES):
            with self._wire.calling(doing) as client:
                service = client.inspect_service(engine_id)
                spec: dict[str, Any] = service["Spec"]
                template = spec["TaskTemplate"]
                number = starts_of(template) + replicas
                template["ForceUpdate"] = number
                spec["Mode"] = {"Replicated": {"Replicas": replicas}}
                kept = {name: word for name, word in spec["Labels"].items() if name != LABEL_FAULT}
                spec["Labels"] = {**kept, **(fault or {})}
                path = f"/services/{engine_id}/update"
                version = {"version": service["Version"]["Index"]}
                try:
                    self._wire.request(client, "POST", path, doing, params=version, json=spec).close()
                except EngineRefusalError as refused:
                    # The swarm itself writes into a service now and then.
                    if "out of sequence" not in refused.message or attempt == _TRIES - 1:
                        raise
                else:
                    return number
        raise AssertionError("unreachable")

    def _fault_of_start(self, engine_id: str, number: int, doing: str) -> tuple[QrealmError, Told] | None:
        """Wait until the container of this start runs, or has run; else what kept it from that, and its
        task's status."""
        begin, looks = time.monotonic(), 0
        while True:
            _, tasks = self._look(engine_id, doing)
            mine = [task for task in tasks if starts_of(task["Spec"]) == number]
            status = first["Status"] if (first := min(mine, key=_made, default=None)) else {}
            state = status.get("State")
            told = str(status.get("Err") or status.get("Message") or "no node has taken it")
            # It may have run and ended between two looks; "task:" begins what is said of a process that ran.
            if state in ("running", "complete") or (state in ENDED and told.startswith("task:")):
                return None
            # One with a health check counts as starting until it is well.
            if state == "starting" and self._runs_here(mine):
                return None
            if state in ENDED:
                return refusal(f"{self._wire.name}: {doing}", None, told), status
            looks += 1
            if looks % _LOOKS_PER_MEMBER == 0:
                self._member(doing).check_keeps(f"{self._wire.name}: {doing}")
            waited = time.monotonic() - begin
            if waited > (_FETCH_SECONDS_MAX if state == "preparing" else self.timeout_s):
                late = f"not started after {waited:.0f} s: {told}"
                return EngineRefusalError(f"{self._wire.name}: {doing}: {late}"), {"Err": late}
            time.sleep(_POLL_S)

    def _runs_here(self, tasks: Sequence[Told]) -> bool:
        if not (container := self._container_here(tasks)):
            return False
        with self._wire.calling(f"inspect {short(container)}") as client:
            return bool(client.inspect_container(container)["State"]["Running"])

    def _wait_for_end(self, engine_id: str, doing: str, seconds: float) -> None:
        deadline, looks = time.monotonic() + seconds, 0
        while True:
            with self._wire.calling(doing) as client:
                tasks = [task for task in client.tasks() if task["ServiceID"] == engine_id]
            if all(task["Status"]["State"] in ENDED for task in tasks):
                return
            looks += 1
            if looks % _LOOKS_PER_MEMBER == 0:
                self._member(doing).check_keeps(f"{self._wire.name}: {doing}")
            if time.monotonic() > deadline:
                raise EngineUnavailableError(
                    f"{self._wire.name}: {doing}: node {self.endpoint.member!r} has not ended it after "
                    f"{seconds:g} s",
                    hint="is the node up?",
                )
            time.sleep(_POLL_S)


def _made(task: Told) -> str:
    return str(task["CreatedAt"])


def _may_go_on(service: Told) -> bool:
    """Whether the swarm starts a container again that has ended."""
    return bool(service["Spec"]["TaskTemplate"]["RestartPolicy"]["Condition"] != "none")
