"""What every driver for containers takes and gives: a specification in, facts out.

A driver speaks to one engine, at one endpoint. It holds no state of its own that matters: what there is,
the engine knows, and containers are found again by their labels. Calls block, and may come from several
threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from qrealm.fleet.containers.typed import check_fields

RestartName = Literal["no", "always", "unless-stopped", "on-failure"]
Health = Literal["starting", "healthy", "unhealthy"]
PIDS_DEFAULT = 256
GRACE_S = 10.0
"""From SIGTERM to SIGKILL where nothing else is said, as Docker has it."""

CHECK_S = 30.0
"""From one check of health to the next, and how long one may last, where nothing else is said, as Docker has
it."""

LABEL_ENGINE = "io.qrealm.engine"
"""Label of every container that qrealm made: the id of the engine that owns it."""

LABEL_CONTAINER = "io.qrealm.container"
"""Label of every container that qrealm made: qrealm's own id of it."""

LABEL_NETWORK = "io.qrealm.network"
"""Label of every network that qrealm made, and of the containers it was made for: the network's name."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine is, and how to speak to it.

    Attributes:
        driver: a name in `DRIVERS`.
        url: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host``; empty for the driver's own default.
        member: the one node of a swarm that is meant, by its host name; None for the engine itself.
        tls_ca, tls_cert, tls_key: paths of PEM files; all None for no TLS.
        folder: where a driver without an engine keeps its containers; only `simulated` needs one.
    """

    driver: str
    url: str = ""
    member: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use at most; set on the engine.

    Attributes:
        cpus: processor cores, a fraction allowed.
        memory_bytes: memory, swap included.
        pids: processes and threads.
    """

    cpus: float = 1.0
    memory_bytes: int = 512 << 20
    pids: int = PIDS_DEFAULT

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Mount:
    """A host folder (`source` begins with a slash) or a named volume inside the container."""

    source: str
    target: str
    read_only: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A folder of the container in memory, which counts against its limit, and empty at each start; `mode` is
    who may do what in it, 0o1777 when None; `size_bytes` None sets no limit of its own."""

    target: str
    size_bytes: int | None = None
    mode: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the container that its host shows; `host_port` None lets the engine choose one."""

    container_port: int
    host_port: int | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    host_ip: str = ""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A command that tells whether the container is well: exit code 0 means healthy."""

    command: tuple[str, ...]
    interval_s: float = CHECK_S
    timeout_s: float = CHECK_S
    retries: int = 3
    start_period_s: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Restart:
    """What the engine does when the container's process ends; `retries_max` counts for on-failure, 0 is no
    limit."""

    name: RestartName = "no"
    retries_max: int = 0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that makes a container.

    Every container is hardened: no new privileges, all capabilities dropped but those in `cap_add`, a limit
    on processes, no host folders but those in `mounts`.

    Attributes:
        name: on its engine, unique there.
        image: a reference such as ``"nginx:1.27"``.
        command: replaces the image's own; None keeps it. `entrypoint` likewise.
        environment: names and values.
        labels: beside those that qrealm adds.
        network: name of an engine's network; None for the engine's default.
        network_made: whether the driver makes that network with the first container of it, and removes it
            with the last: a bridge of the engine, an overlay of a swarm. Containers find each other there by
            name.
        aliases: more names by which it is found in a network that is made.
        hostname: what it calls itself; None for what the engine gives.
        tmpfs: folders in memory.
        stop_grace_s: from SIGTERM to SIGKILL whenever it is stopped, also to move it.
        init: whether the engine's own small init is its first process: it passes signals on and buries
            orphans.
        user: ``"uid:gid"`` or a name; None for the image's own.
        read_only: whether the root file system cannot be written.

    Raises:
        RequestError: something of another type, here and in the values that it holds.
    """

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    restart: Restart = field(default_factory=Restart)
    health: HealthCheck | None = None
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    network: str | None = None
    user: str | None = None
    working_dir: str | None = None
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    network_made: bool = False
    aliases: tuple[str, ...] = ()
    hostname: str | None = None
    tmpfs: tuple[Tmpfs, ...] = ()
    stop_grace_s: float = GRACE_S
    init: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


class ContainerState(StrEnum):
    """As Docker names them."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What an engine says of one container.

    Attributes:
        engine_id: the engine's own id, whole.
        name: on the engine.
        image: the reference that it was made from.
        state: see `ContainerState`.
        exit_code: of its process, once it has ended.
        health: None without a health check, or when it does not run.
        started_at, finished_at: seconds since 1970 UTC; None when that has not been.
        error: what the engine said when it could not start it; usually empty.
        out_of_memory: whether the kernel ended it for want of memory.
        ports: as published, with the host's ports that the engine chose.
        labels: all of them.
        volumes: folders inside whose data is in volumes to which the engine gave a name itself, as it does
            for those that the image declares.
        volume_names: by folder of `volumes` that name, where the volume can outlive the container.
        volumes_known: whether `volumes` is all of them; else there may be more that nobody can see.
        entrypoint, command: what it runs, the image's own where nothing else was asked for; None for none,
            and where the engine does not tell.
    """

    engine_id: str
    name: str
    image: str
    state: ContainerState
    exit_code: int | None = None
    health: Health | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error: str = ""
    out_of_memory: bool = False
    ports: tuple[Port, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    volume_names: Mapping[str, str] = field(default_factory=dict)
    volumes_known: bool = True
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None

    @property
    def exit_told(self) -> str:
        """Its exit code in words: ``unknown`` where the engine does not tell."""
        return "unknown" if self.exit_code is None else str(self.exit_code)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine is.

    Attributes:
        engine: such as ``"Docker 20.10.24"``.
        cpus, memory_bytes: of its host.
        host: its host's name.
        simulated: whether containers there are nothing but records.
        members: host names of a swarm's nodes; empty for an engine of one node.
    """

    engine: str
    cpus: float
    memory_bytes: int
    host: str
    architecture: str
    simulated: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step of a pull: a layer's id (empty for the whole image), what happens to it, and bytes of it where
    they are known."""

    layer: str
    status: str
    bytes_done: int | None = None
    bytes_total: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of what a container wrote."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which part of a container's output: the last `tail` lines (None: all), from and to a time in seconds
    since 1970 UTC, each line with its time if `timestamps`; `follow` goes on until the container ends."""

    follow: bool = False
    tail: int | None = None
    since: float | None = None
    until: float | None = None
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A command to run inside a container that runs; `stdin` is given to it whole."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    working_dir: str | None = None
    stdin: bytes | None = None


class ExecRun(Protocol):
    """A command that runs inside a container."""

    def output(self) -> Iterator[Output]:
        """What it writes, as it comes; ends when it ends."""
        ...

    def exit_code(self) -> int:
        """Its exit code, once `output` has ended."""
        ...


class ContainerDriver(Protocol):
    """Speaks to one engine.

    Every call may raise `EngineUnavailableError` (no answer within `timeout_s` of the driver's making, or
    the connection broke) and `EngineRefusalError` (it answered no; the message has its words). Calls about a
    container that is not there raise `NoSuchContainerError`. Stopping, starting and removing what is already
    in that state is no error.
    """

    def ping(self) -> None:
        """Nothing, when the engine answers. Asks for no container, so that none that is stuck can keep the
        answer back.

        Raises:
            NodeDownError: whoever watches over the engine says that it is gone.
        """
        ...

    def facts(self) -> EngineFacts:
        """What the engine is."""
        ...

    def tidy(self, owner: str) -> None:
        """Remove what was made for containers of an engine of qrealm, by its id, and has none left: networks
        whose last container went while nobody could say so."""
        ...

    def has_image(self, image: str) -> bool: ...

    def pull(self, image: str, progress: Callable[[PullProgress], None] | None = None) -> None:
        """Fetch an image. Raises ImageError when there is none of this name or no registry answers."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Make a container, not started, and return its engine id.

        Raises:
            ImageError: the engine does not have the image; it is not fetched here.
            NameTakenError: another container of the engine has this name.
            EngineRefusalError: also for a network that the engine cannot make, or that somebody else made.
        """
        ...

    def start(self, engine_id: str) -> None:
        """Start it. Raises CommandNotFoundError or CommandNotRunnableError when its command cannot be run."""
        ...

    def stop(self, engine_id: str, grace_s: float = GRACE_S) -> None:
        """Ask its process to end (SIGTERM); after `grace_s` kill it."""
        ...

    def remove(self, engine_id: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it, and the network that was made for it when it is the last one there. Without `force` a
        running one is refused. No error when it is not there.

        Args:
            volumes: also the volumes without a name that were made for it, and never one that it mounts by
                name. Else they stay, where the engine can keep them: a swarm cannot.
        """
        ...

    def inspect(self, engine_id: str) -> ContainerFacts: ...

    def find(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        """All containers, stopped ones too, that have these labels."""
        ...

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        """The same with no more than a list tells: id, name, image, state, exit code, health, volumes and
        labels are sure, the rest may be left out. Where the engine can, without asking for each container."""
        ...

    def logs(self, engine_id: str, request: LogRequest) -> Iterator[Output]: ...

    def execute(self, engine_id: str, spec: ExecSpec) -> ExecRun:
        """Run a command inside. Raises CommandNotFoundError or CommandNotRunnableError where the engine tells
        before it runs; else `exit_code` is 127 or 126."""
        ...

    def close(self) -> None:
        """Give up connections. The driver is not used afterwards."""
        ...
