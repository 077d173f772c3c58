"""Containers without an engine: records in a file, with an engine's manners. Nothing runs."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoSuchContainerError,
    RequestError,
)
from qrealm.base.machine import core_count, memory_limits
from qrealm.fleet.containers.addresses import check_reference
from qrealm.fleet.containers.docker_form import container_body, facts_of
from qrealm.fleet.containers.protocol import (
    GRACE_S,
    ContainerFacts,
    ContainerSpec,
    Endpoint,
    EngineFacts,
    ExecRun,
    ExecSpec,
    LogRequest,
    Output,
    PullProgress,
)
from qrealm.fleet.containers.rules import CPUS_MIN, MEMORY_MIN

NOTICE = b"simulated container: nothing runs here, so it writes nothing\n"
EXIT_ON_SIGTERM = 143
_HINT = "for real containers add a node with an engine: Docker, Podman or Swarm"
_VERSION = 1
_PORT_FIRST = 32768  # where Docker begins, too, when it chooses a host port
_PORT_LAST = 60999
_LOCK_POLL_S = 0.01
_CAPACITY_MAX = 1e12
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")

Record = dict[str, Any]


class SimulatedDriver:
    """A `ContainerDriver` whose containers are records, in the form in which Docker would inspect them.

    They survive the process; several processes may share them.

    Args:
        endpoint: ``simulated://NAME?cpus=4&memory_mib=8192``; without a query it has what this machine has.
            Its `folder` holds one file per name; None means the user's state folder.
        timeout_s: how long to wait for another process that holds the file.

    Raises:
        RequestError: a url of another form.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        self._host, self._cpus, self._memory_bytes = capacity_of(endpoint.url or "simulated://local")
        folder = Path(endpoint.folder) if endpoint.folder else _state_folder()
        self._file = folder / f"{self._host}.json"
        self._timeout_s = timeout_s

    def ping(self) -> None:
        """A file answers always; whether it can be used shows when it is."""

    def facts(self) -> EngineFacts:
        return EngineFacts(
            engine="simulated",
            cpus=self._cpus,
            memory_bytes=self._memory_bytes,
            host=self._host,
            architecture=platform.machine(),
            simulated=True,
        )

    def tidy(self, owner: str) -> None:
        """Nothing: it has no networks."""

    def has_image(self, image: str) -> bool:
        check_reference(image)
        return True

    def pull(self, image: str, progress: Callable[[PullProgress], None] | None = None) -> None:
        check_reference(image)
        if progress is not None:
            progress(PullProgress("", "simulated: nothing is fetched"))

    def create(self, spec: ContainerSpec) -> str:
        doing = f"create {spec.name!r}"
        check_reference(spec.image)
        self._check(doing, spec)
        with self._records(write=True) as records:
            if any(record["Name"] == f"/{spec.name}" for record in records.values()):
                raise NameTakenError(
                    self._told(doing, "another container has this name"),
                    hint="choose another name, or remove the container that has it",
                )
            engine_id = secrets.token_hex(32)
            body = container_body(spec)
            host = body.pop("HostConfig")
            state = {"Status": "created", "StartedAt": None, "FinishedAt": None, "ExitCode": 0}
            records[engine_id] = {
                "Id": engine_id,
                "Name": f"/{spec.name}",
                "Config": body,
                "HostConfig": host,
                "NetworkSettings": {"Ports": {}},
                "State": state,
            }
        return engine_id

    def start(self, engine_id: str) -> None:
        with self._records(write=True) as records:
            record = self._record(records, engine_id, "start")
            if record["State"]["Status"] == "running":
                return
            record["NetworkSettings"]["Ports"] = self._publish(record, records)
            record["State"] |= {"Status": "running", "StartedAt": _now(), "FinishedAt": None, "ExitCode": 0}

    def stop(self, engine_id: str, grace_s: float = GRACE_S) -> None:
        # Nothing runs that could make use of the grace: every container ends as if by SIGTERM.
        del grace_s
        with self._records(write=True) as records:
            record = self._record(records, engine_id, "stop")
            if record["State"]["Status"] != "running":
                return
            record["NetworkSettings"]["Ports"] = {}
            record["State"] |= {"Status": "exited", "FinishedAt": _now(), "ExitCode": EXIT_ON_SIGTERM}

    def remove(self, engine_id: str, *, force: bool = False, volumes: bool = False) -> None:
        del volumes  # it has none
        with self._records(write=True) as records:
            if (record := records.get(engine_id)) is None:
                return
            if record["State"]["Status"] == "running" and not force:
                raise EngineRefusalError(
                    self._told(f"remove {engine_id[:12]}", "it runs"), hint="stop it first, or use force"
                )
            del records[engine_id]

    def inspect(self, engine_id: str) -> ContainerFacts:
        with self._records() as records:
            return facts_of(self._record(records, engine_id, "inspect"))

    def find(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        with self._records() as records:
            every = [facts_of(record) for record in records.values()]
        return [facts for facts in every if labels.items() <= facts.labels.items()]

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        return self.find(labels)

    def logs(self, engine_id: str, request: LogRequest) -> Iterator[Output]:
        self.inspect(engine_id)
        return iter(() if request.tail == 0 else (Output("stderr", NOTICE),))

    def execute(self, engine_id: str, spec: ExecSpec) -> ExecRun:
        self.inspect(engine_id)
        raise EngineRefusalError(
            self._told(
                f"run {' '.join(spec.command)!r} in {engine_id[:12]}",
                "the container is simulated: there is no process and no file system to run a command in",
            ),
            hint=_HINT,
        )

    def close(self) -> None:
        """Nothing is held between calls."""

    def _told(self, doing: str, words: str) -> str:
        return f"simulated engine {self._host!r}: {doing}: {words}"

    def _check(self, doing: str, spec: ContainerSpec) -> None:
        limits = spec.limits
        if not _NAME.fullmatch(spec.name):
            fault = f"a name has two or more letters, digits, '_', '.' and '-'; {spec.name!r} is none"
        elif not CPUS_MIN <= limits.cpus <= self._cpus:
            fault = f"cpus must lie between {CPUS_MIN} and the host's {self._cpus:g}; got {limits.cpus:g}"
        elif limits.memory_bytes < MEMORY_MIN:
            fault = f"memory must be at least {MEMORY_MIN >> 20} MiB; got {limits.memory_bytes} bytes"
        else:
            return
        raise EngineRefusalError(self._told(doing, fault))

    def _record(self, records: dict[str, Record], engine_id: str, doing: str) -> Record:
        if engine_id not in records:
            raise NoSuchContainerError(self._told(f"{doing} {engine_id[:12]}", "no such container"))
        return records[engine_id]

    def _publish(self, record: Record, records: Mapping[str, Record]) -> dict[str, list[dict[str, str]]]:
        """Host ports for a container that starts: those it asked for, and free ones for the rest."""
        taken = {
            (binding["HostPort"], key.partition("/")[2])
            for other in records.values()
            for key, bindings in other["NetworkSettings"]["Ports"].items()
            for binding in bindings
        }
        free = map(str, range(_PORT_FIRST, _PORT_LAST + 1))
        shown: dict[str, list[dict[str, str]]] = {}
        for key, bindings in record["HostConfig"]["PortBindings"].items():
            kind = key.partition("/")[2]
            for binding in bindings:
                port = binding["HostPort"] or next((p for p in free if (p, kind) not in taken), "")
                if not port or (port, kind) in taken:
                    raise EngineRefusalError(
                        self._told(f"start {record['Id'][:12]}", f"host port {port} is already allocated"),
                        hint="choose another host port, or none to let the engine choose",
                    )
                taken.add((port, kind))
                shown.setdefault(key, []).append({"HostIp": binding["HostIp"], "HostPort": port})
        return shown

    @contextmanager
    def _records(self, *, write: bool = False) -> Iterator[dict[str, Record]]:
        """All containers by id, locked; what the body changed is written unless it raises."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.with_suffix(".lock").open("a") as lock:
                self._wait_for(lock.fileno(), fcntl.LOCK_EX if write else fcntl.LOCK_SH)
                records = self._read()
                yield records
                if write:
                    self._write(records)
        except OSError as error:
            raise EngineUnavailableError(
                f"simulated engine {self._host!r}: {self._file} cannot be used: {error}",
                hint="check that its folder can be written and its disk is not full",
            ) from error

    def _wait_for(self, lock: int, kind: int) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process held it for {self._timeout_s:g} s")
            time.sleep(_LOCK_POLL_S)

    def _read(self) -> dict[str, Record]:
        try:
            told = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            told = None
        if not isinstance(told, dict) or told.get("version") != _VERSION:
            raise EngineUnavailableError(
                f"simulated engine {self._host!r}: {self._file} is damaged, or of another version",
                hint="move the file away; the containers in it are only records",
            )
        records: dict[str, Record] = told["containers"]
        return records

    def _write(self, records: dict[str, Record]) -> None:
        # A reader, or a crash, sees the old file or the new one and nothing between.
        new = self._file.with_suffix(".new")
        with new.open("w") as file:
            json.dump({"version": _VERSION, "containers": records}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)


def capacity_of(url: str) -> tuple[str, float, int]:
    """Name, cpus and bytes of memory that a url tells."""
    parts = urlsplit(url)
    host = parts.netloc
    good = parts.scheme == "simulated" and _HOST.fullmatch(host) and not parts.path
    query: dict[str, float] = {}
    try:
        if parts.query:
            given = parse_qs(parts.query, strict_parsing=True, max_num_fields=2)
            query = {name: float(values[-1]) for name, values in given.items()}
    except ValueError:
        good = False
    known = not set(query) - {"cpus", "memory_mib"}
    if not good or not known or not all(0 < value < _CAPACITY_MAX for value in query.values()):
        raise RequestError(
            f"{url!r} is no url of a simulated engine",
            hint="write simulated://NAME or simulated://NAME?cpus=4&memory_mib=8192",
        )
    cpus = query.get("cpus") or float(core_count())
    memory = int(query["memory_mib"] * (1 << 20)) if "memory_mib" in query else memory_limits()[0]
    return host, cpus, memory


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "qrealm" / "simulated"


def _now() -> str:
    return datetime.now(UTC).isoformat()
