"""Containers on a Docker engine: on this host, or on another through TLS or ssh."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from qrealm.base.errors import (
    CommandNotFoundError,
    EngineRefusalError,
    EngineUnavailableError,
    ImageError,
    NoSuchContainerError,
)
from qrealm.fleet.containers.addresses import check_reference
from qrealm.fleet.containers.connection import Connection, refusal
from qrealm.fleet.containers.docker_form import container_body, facts_of, facts_of_row
from qrealm.fleet.containers.networks import MadeNetworks
from qrealm.fleet.containers.protocol import (
    GRACE_S,
    LABEL_ENGINE,
    LABEL_NETWORK,
    ContainerFacts,
    ContainerSpec,
    Endpoint,
    EngineFacts,
    ExecSpec,
    LogRequest,
    Output,
    PullProgress,
)
from qrealm.fleet.containers.pulling import Pull
from qrealm.fleet.containers.streams import OutputStream

if TYPE_CHECKING:
    from docker import APIClient

_POLL_S = 0.02
CANNOT_RUN = 126
NOT_FOUND = 127


class DockerDriver:
    """A `ContainerDriver` for Docker. It connects with the first call.

    Args:
        endpoint: an empty url means this host's socket.
        timeout_s: how long to wait for an answer.

    Raises:
        MissingExtraError: the Docker SDK is not installed.
    """

    engine: ClassVar[str] = "Docker"
    url_default: ClassVar[str] = "unix:///var/run/docker.sock"
    network_kind: ClassVar[str] = "bridge"
    exec_noise: ClassVar[re.Pattern[bytes] | None] = None
    unavailable_hint: ClassVar[str] = "start it (systemctl start docker), or name the engine's own url"

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        where = endpoint if endpoint.url else replace(endpoint, url=self.url_default)
        self.endpoint = where
        self.timeout_s = timeout_s
        self._wire = Connection(where, timeout_s, engine=self.engine, extra_hint=self.unavailable_hint)
        self._networks = MadeNetworks(self._wire, str(where.url), self.network_kind, self._holders)

    def _holders(self, client: APIClient, label: str) -> list[Any]:
        return list(client.containers(all=True, filters={"label": label}))

    def ping(self) -> None:
        with self._wire.calling("ping") as client:
            client.ping()

    def facts(self) -> EngineFacts:
        with self._wire.calling("info") as client:
            told = client.info()
        return EngineFacts(
            engine=f"{self.engine} {told.get('ServerVersion', '')}".strip(),
            cpus=float(told["NCPU"]),
            memory_bytes=int(told["MemTotal"]),
            host=told.get("Name") or "",
            architecture=told.get("Architecture") or "",
        )

    def tidy(self, owner: str) -> None:
        self._networks.tidy(owner)

    def has_image(self, image: str) -> bool:
        check_reference(image)
        try:
            with self._wire.calling(f"look for image {image!r}") as client:
                client.inspect_image(image)
        except ImageError:
            return False
        return True

    def pull(self, image: str, progress: Callable[[PullProgress], None] | None = None) -> None:
        """Fetch an image.

        While nothing new comes, as from a registry that hangs, `progress` is told the last step again each
        second. What it raises ends the pull.
        """
        check_reference(image)
        with closing(Pull(self._wire, image)) as pull:
            for step in pull.steps():
                if progress is not None:
                    progress(step)

    def create(self, spec: ContainerSpec) -> str:
        check_reference(spec.image)
        doing = f"create {spec.name!r}"
        with self._networks.holding(spec, doing), self._wire.calling(doing) as client:
            return str(client.create_container_from_config(self._body(spec), spec.name)["Id"])

    def _body(self, spec: ContainerSpec) -> dict[str, Any]:
        return container_body(spec)

    def start(self, engine_id: str) -> None:
        with self._wire.calling(f"start {short(engine_id)}") as client:
            client.start(engine_id)

    def stop(self, engine_id: str, grace_s: float = GRACE_S) -> None:
        with self._wire.calling(f"stop {short(engine_id)}") as client:
            client.stop(engine_id, timeout=math.ceil(grace_s))

    def remove(self, engine_id: str, *, force: bool = False, volumes: bool = False) -> None:
        self._sweep_after(self._removed(engine_id, force, volumes))

    def _sweep_after(self, labels: Mapping[str, str]) -> None:
        """Remove the network of what had these labels and was removed, if nobody is left in it."""
        if LABEL_NETWORK in labels:
            self._networks.left(labels.get(LABEL_ENGINE, ""), labels[LABEL_NETWORK])

    def _removed(self, engine_id: str, force: bool, volumes: bool) -> Mapping[str, str]:
        """Remove it; the labels that it had."""
        labels: Mapping[str, str] = {}
        try:
            with self._wire.calling(f"remove {short(engine_id)}") as client:
                labels = client.inspect_container(engine_id)["Config"].get("Labels") or {}
                client.remove_container(engine_id, v=volumes, force=force)
        except NoSuchContainerError:
            return labels
        except EngineRefusalError as refused:
            if "already in progress" not in refused.message:
                raise
            self._wait_until_gone(engine_id)
        return labels

    def _wait_until_gone(self, engine_id: str) -> None:
        deadline = time.monotonic() + self.timeout_s
        while time.monotonic() < deadline:
            try:
                self.inspect(engine_id)
            except NoSuchContainerError:
                return
            time.sleep(_POLL_S)
        raise EngineUnavailableError(
            f"{self._wire.name}: remove {short(engine_id)}: still there after {self.timeout_s:g} s"
        )

    def inspect(self, engine_id: str) -> ContainerFacts:
        with self._wire.calling(f"inspect {short(engine_id)}") as client:
            return facts_of(client.inspect_container(engine_id))

    def find(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with self._wire.calling("list containers") as client:
            rows = client.containers(all=True, filters={"label": wanted})
        found = []
        for row in rows:
            try:
                found.append(self.inspect(row["Id"]))
            except NoSuchContainerError:
                continue  # removed since the list was made
        return found

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with self._wire.calling("list containers") as client:
            rows = client.containers(all=True, filters={"label": wanted})
        return [facts_of_row(row) for row in rows]

    def logs(self, engine_id: str, request: LogRequest) -> Iterator[Output]:
        doing = f"logs of {short(engine_id)}"
        with self._wire.calling(doing) as client:
            answer = self._wire.request(
                client, "GET", f"/containers/{engine_id}/logs", doing, params=log_query(request)
            )
        return self._wire.frames(answer, doing)

    def execute(self, engine_id: str, spec: ExecSpec) -> DockerExec:
        return DockerExec(self.begin_exec(engine_id, spec, stdin=spec.stdin is not None), spec.stdin)

    def begin_exec(self, engine_id: str, spec: ExecSpec, *, stdin: bool, terminal: bool = False) -> BegunExec:
        """Begin a command inside; whether it gets input, and a terminal, is not in `spec`."""
        doing = f"run {spec.command[0]!r} in {short(engine_id)}"
        with self._wire.calling(doing) as client:
            made = client.exec_create(
                engine_id,
                list(spec.command),
                stdin=stdin,
                tty=terminal,
                environment=dict(spec.environment) or None,
                user=spec.user or "",
                workdir=spec.working_dir,
            )
            # Without an upgrade header the answer is a plain body up to the connection's end, which
            # is read without a byte lost; what we write goes to the same socket.
            how = {"Detach": False, "Tty": terminal}
            answer = self._wire.request(client, "POST", f"/exec/{made['Id']}/start", doing, json=how)
        return BegunExec(self._wire, str(made["Id"]), answer, doing, self.exec_noise)

    def close(self) -> None:
        self._wire.close()


@dataclass(frozen=True, slots=True)
class BegunExec:
    """A command inside a container of Docker.

    Attributes:
        wire: the connection to its engine.
        exec_id: the engine's id of it.
        answer: its output, not yet read; its input goes to the same connection.
        doing: what it is, for messages.
        noise: what the engine adds to the reason why it could not begin.
    """

    wire: Connection
    exec_id: str
    answer: Any
    doing: str
    noise: re.Pattern[bytes] | None = None


class DockerExec:
    """A command inside a container of Docker that gets its input whole."""

    def __init__(self, begun: BegunExec, stdin: bytes | None) -> None:
        self._begun = begun
        if stdin is None:
            self._output = begun.wire.frames(begun.answer, begun.doing)
        else:
            self._output = begun.wire.exchange(begun.answer, stdin, begun.doing)
        self._output.noise = begun.noise

    def output(self) -> OutputStream:
        return self._output

    def exit_code(self) -> int:
        code = code_of_exec(self._begun, self._output.first)
        if code is None:
            begun = self._begun
            raise EngineUnavailableError(
                f"{begun.wire.name}: {begun.doing}: no exit code after {begun.wire.timeout_s:g} s"
            )
        return code


def code_of_exec(begun: BegunExec, first: bytes, wait_s: float | None = None) -> int | None:
    """Exit code of a command whose output has ended and began with `first`; None when it still runs after
    `wait_s`, by default what the connection waits for an answer."""
    deadline = time.monotonic() + (begun.wire.timeout_s if wait_s is None else wait_s)
    while True:
        with begun.wire.calling(begun.doing) as client:
            told = client.exec_inspect(begun.exec_id)
        # The output's end may be seen a moment before the engine has noted the exit.
        if not told["Running"] and told["ExitCode"] is not None:
            break
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)
    code = int(told["ExitCode"])
    # Docker writes into the output why it could not begin, and before version 23 it gives 126 for what
    # is not there, too.
    if code == CANNOT_RUN and first.startswith(b"OCI runtime exec failed"):
        meant = refusal(begun.doing, None, first.decode(errors="replace"))
        return NOT_FOUND if isinstance(meant, CommandNotFoundError) else CANNOT_RUN
    return code


def log_query(request: LogRequest) -> dict[str, Any]:
    """The query of ``GET .../logs``."""
    query: dict[str, Any] = {
        "stdout": 1,
        "stderr": 1,
        "follow": int(request.follow),
        "timestamps": int(request.timestamps),
        "tail": "all" if request.tail is None else str(request.tail),
    }
    for name, moment in (("since", request.since), ("until", request.until)):
        if moment is not None:
            query[name] = f"{moment:.6f}"
    return query


def short(engine_id: str) -> str:
    """An engine's id as people write it."""
    return engine_id[:12]
