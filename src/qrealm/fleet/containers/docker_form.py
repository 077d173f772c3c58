"""Specifications and facts as Docker's HTTP interface writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

from qrealm.fleet.containers.protocol import (
    LABEL_NETWORK,
    ContainerFacts,
    ContainerSpec,
    ContainerState,
    Health,
    HealthCheck,
    Port,
    Tmpfs,
)

NANO = 1_000_000_000
_EXITED = re.compile(r"(?:Exited|Restarting) \((\d+)\)")
UNNAMED = re.compile(r"[0-9a-f]{64}")
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")
# Podman has words of its own for two of Docker's states.
_STATES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}


def container_body(spec: ContainerSpec) -> dict[str, Any]:
    """The body of ``POST /containers/create``."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": labels_of(spec),
        "ExposedPorts": {f"{port.container_port}/{port.protocol}": {} for port in spec.ports},
        "HostConfig": host_config(spec),
        "StopTimeout": math.ceil(spec.stop_grace_s),
    }
    optional = {
        "Cmd": None if spec.command is None else list(spec.command),
        "Entrypoint": None if spec.entrypoint is None else list(spec.entrypoint),
        "User": spec.user,
        "Hostname": spec.hostname,
        "WorkingDir": spec.working_dir,
        "Healthcheck": None if spec.health is None else health_check(spec.health),
    }
    body |= {key: value for key, value in optional.items() if value is not None}
    if spec.network_made and spec.network is not None:
        # The engine adds the container's name by itself.
        there = {"Aliases": list(spec.aliases)}
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network: there}}
    return body


def labels_of(spec: ContainerSpec) -> dict[str, str]:
    """Its labels, with the one that keeps its network."""
    made = {LABEL_NETWORK: spec.network} if spec.network_made and spec.network is not None else {}
    return {**spec.labels, **made}


def host_config(spec: ContainerSpec) -> dict[str, Any]:
    """Its part ``HostConfig``: limits, hardening, mounts, ports."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        key = f"{port.container_port}/{port.protocol}"
        host_port = "" if port.host_port is None else str(port.host_port)
        bindings.setdefault(key, []).append({"HostIp": port.host_ip, "HostPort": host_port})
    retries = spec.restart.retries_max if spec.restart.name == "on-failure" else 0
    config: dict[str, Any] = {
        "NanoCpus": round(spec.limits.cpus * NANO),
        "Memory": spec.limits.memory_bytes,
        "MemorySwap": spec.limits.memory_bytes,
        "PidsLimit": spec.limits.pids,
        "RestartPolicy": {"Name": spec.restart.name, "MaximumRetryCount": retries},
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.cap_add),
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": spec.read_only,
        "Mounts": mounts(spec),
        "PortBindings": bindings,
    }
    if spec.network is not None:
        config["NetworkMode"] = spec.network
    if spec.init:  # else as the engine is configured
        config["Init"] = True
    return config


def mounts(spec: ContainerSpec) -> list[dict[str, Any]]:
    return [
        {
            "Type": "bind" if mount.source.startswith("/") else "volume",
            "Source": mount.source,
            "Target": mount.target,
            "ReadOnly": mount.read_only,
        }
        for mount in spec.mounts
    ] + [_in_memory(folder) for folder in spec.tmpfs]


def _in_memory(folder: Tmpfs) -> dict[str, Any]:
    options = {"SizeBytes": folder.size_bytes, "Mode": folder.mode}
    given = {name: value for name, value in options.items() if value is not None}
    return {"Type": "tmpfs", "Target": folder.target} | ({"TmpfsOptions": given} if given else {})


def health_check(check: HealthCheck) -> dict[str, Any]:
    return {
        "Test": ["CMD", *check.command],
        "Interval": round(check.interval_s * NANO),
        "Timeout": round(check.timeout_s * NANO),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period_s * NANO),
    }


def facts_of(told: Mapping[str, Any]) -> ContainerFacts:
    """What ``GET /containers/ID/json`` says."""
    state = told["State"]
    name = state["Status"]
    kind = ContainerState(_STATES.get(name, name))
    started, finished = seconds_of(state.get("StartedAt")), seconds_of(state.get("FinishedAt"))
    ended = kind in (ContainerState.EXITED, ContainerState.DEAD) or (
        kind is ContainerState.RESTARTING and finished is not None
    )
    if ended and started is not None and finished is not None:
        # Of a process that ends at once, Docker may note the end first.
        finished = max(started, finished)
    return ContainerFacts(
        engine_id=told["Id"],
        name=told["Name"].removeprefix("/"),
        image=told["Config"]["Image"],
        state=kind,
        exit_code=state.get("ExitCode") if ended or state.get("Error") else None,
        health=_health(state, kind),
        started_at=started,
        finished_at=finished,
        error=state.get("Error") or "",
        out_of_memory=bool(state.get("OOMKilled")),
        ports=_ports(told),
        labels=dict(told["Config"].get("Labels") or {}),
        volumes=tuple(names := _volumes(told)),
        volume_names=names,
        entrypoint=tuple(told["Config"].get("Entrypoint") or ()) or None,
        command=tuple(told["Config"].get("Cmd") or ()) or None,
    )


def facts_of_row(row: Mapping[str, Any]) -> ContainerFacts:
    """What one row of ``GET /containers/json`` says."""
    kind = ContainerState(_STATES.get(row["State"], row["State"]))
    # In words, such as "Up 2 minutes (healthy)" and "Exited (137) 5 minutes ago".
    told = str(row.get("Status") or "")
    ended = _EXITED.match(told)
    health = _HEALTH.search(told) if kind is ContainerState.RUNNING else None
    return ContainerFacts(
        engine_id=row["Id"],
        name=row["Names"][0].removeprefix("/") if row.get("Names") else "",
        image=row["Image"],
        state=kind,
        exit_code=int(ended[1]) if ended else None,
        health=cast(Health, health[1]) if health else None,
        labels=dict(row.get("Labels") or {}),
        volumes=tuple(names := _volumes(row)),
        volume_names=names,
    )


def _health(state: Mapping[str, Any], kind: ContainerState) -> Health | None:
    # Podman's older name for it is Healthcheck.
    told = (state.get("Health") or state.get("Healthcheck") or {}).get("Status")
    runs = kind is ContainerState.RUNNING
    return cast(Health, told) if runs and told in ("starting", "healthy", "unhealthy") else None


def _volumes(told: Mapping[str, Any]) -> dict[str, str]:
    """By folder inside, the volumes to which the engine gave a name itself."""
    return dict(
        sorted(
            (mount["Destination"], mount["Name"])
            for mount in told.get("Mounts") or ()
            # Podman's list has the folders alone.
            if isinstance(mount, Mapping)
            and mount.get("Type") == "volume"
            and UNNAMED.fullmatch(mount.get("Name") or "")
        )
    )


def _ports(told: Mapping[str, Any]) -> tuple[Port, ...]:
    shown = (told.get("NetworkSettings") or {}).get("Ports") or {}
    if not any(shown.values()):  # it does not run: what was asked for
        shown = (told.get("HostConfig") or {}).get("PortBindings") or {}
    return tuple(
        Port(
            int(key.split("/")[0]),
            int(binding["HostPort"]) if binding.get("HostPort") not in (None, "", "0") else None,
            cast(Literal["tcp", "udp"], key.partition("/")[2] or "tcp"),
            binding.get("HostIp") or "",
        )
        for key, bindings in sorted(shown.items())
        for binding in bindings or ()
    )


def seconds_of(moment: str | None) -> float | None:
    """Seconds since 1970 UTC of an RFC 3339 time; None for none, and for Go's zero time."""
    if not moment or moment.startswith("0001-"):
        return None
    # Python reads at most six digits of a second; engines write nine.
    head, dot, rest = moment.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        moment = f"{head}.{rest[: min(digits, 6)]:0<6}{rest[digits:]}"
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
