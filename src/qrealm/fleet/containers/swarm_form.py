"""Specifications and facts as a Docker swarm writes them: a container is a service of at most one task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qrealm.fleet.containers.docker_form import NANO, health_check, labels_of, mounts, seconds_of
from qrealm.fleet.containers.protocol import GRACE_S, ContainerFacts, ContainerSpec, ContainerState, Port

SERVICE_NAME_LENGTH_MAX = 63
LABEL_NAME = "io.qrealm.name"
"""Label of a service: the name of its container, which the service's own may have to differ from."""
LABEL_FAULT = "io.qrealm.fault"
"""Label of a service that could not be started: why, which the swarm forgets with the task."""
_RESTART_DELAY_S = 0.1
_CONDITIONS = {"no": "none", "on-failure": "on-failure", "always": "any", "unless-stopped": "any"}
_OURS = (LABEL_NAME, LABEL_FAULT)
ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})

Told = Mapping[str, Any]


def task_template(spec: ContainerSpec, constraint: str) -> dict[str, Any]:
    """What each task of the service is made from."""
    container: dict[str, Any] = {
        "Image": spec.image,
        "Labels": {**labels_of(spec), LABEL_NAME: spec.name},
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Mounts": mounts(spec),
        "ReadOnly": spec.read_only,
        "CapabilityDrop": ["ALL"],
        "CapabilityAdd": [_capability(name) for name in spec.cap_add],
        "Privileges": {"NoNewPrivileges": True},
        "StopGracePeriod": round(spec.stop_grace_s * NANO),
    }
    optional = {
        "Init": True if spec.init else None,
        "Command": None if spec.entrypoint is None else list(spec.entrypoint),
        "Args": None if spec.command is None else list(spec.command),
        "User": spec.user,
        "Hostname": spec.hostname,
        "Dir": spec.working_dir,
        "Healthcheck": None if spec.health is None else health_check(spec.health),
    }
    container |= {key: value for key, value in optional.items() if value is not None}
    limits = spec.limits
    restart: dict[str, Any] = {
        "Condition": _CONDITIONS[spec.restart.name],
        "Delay": round(_RESTART_DELAY_S * NANO),
    }
    if spec.restart.name == "on-failure" and spec.restart.retries_max:
        restart["MaxAttempts"] = spec.restart.retries_max
    template: dict[str, Any] = {
        "ContainerSpec": container,
        "Resources": {
            "Limits": {
                "NanoCPUs": round(limits.cpus * NANO),
                "MemoryBytes": limits.memory_bytes,
                "Pids": limits.pids,
            }
        },
        "RestartPolicy": restart,
        "Placement": {"Constraints": [constraint]},
        "ForceUpdate": 0,
    }
    if spec.network is not None:
        # By this name it is found there, also where its service is called otherwise.
        template["Networks"] = [{"Target": spec.network, "Aliases": [spec.name, *spec.aliases]}]
    return template


def endpoint_spec(spec: ContainerSpec) -> dict[str, Any]:
    """Ports on the member itself, not on every node of the swarm; in a network of ours names lead to the
    container, not to an address that the swarm would have to share out."""
    mode = {"Mode": "dnsrr"} if spec.network_made else {}
    return mode | {
        "Ports": [
            {
                "Protocol": port.protocol,
                "TargetPort": port.container_port,
                "PublishMode": "host",
                **({} if port.host_port is None else {"PublishedPort": port.host_port}),
            }
            for port in spec.ports
        ]
    }


def name_of(service: Told) -> str:
    """Of the container that a service is."""
    spec = service["Spec"]
    return str((spec.get("Labels") or {}).get(LABEL_NAME, spec["Name"]))


def grace_of(service: Told) -> float:
    """Seconds that the swarm gives its process to end by itself."""
    container = service["Spec"]["TaskTemplate"]["ContainerSpec"]
    return float(container.get("StopGracePeriod", GRACE_S * NANO)) / NANO


def replicas_of(service: Told) -> int:
    return int(service["Spec"]["Mode"]["Replicated"].get("Replicas", 1))


def starts_of(told: Told) -> int:
    """How often a service was started; of a task, which of these starts it belongs to."""
    return int(told.get("ForceUpdate") or 0)


def latest(tasks: Sequence[Told]) -> Told | None:
    return max(tasks, key=lambda task: str(task["CreatedAt"]), default=None)


def fault_label(status: Told) -> dict[str, str]:
    """The label for a service whose task, in this status, could not be started."""
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    return {LABEL_FAULT: json.dumps({"code": code, "error": str(status.get("Err") or "")})}


def _never_ran(status: Told) -> bool:
    """Whether a task has ended without a process; ``task:`` begins what is said of one that ran."""
    if status.get("State") == "rejected":
        return True
    begun = status.get("Message") != "starting" or str(status.get("Err") or "").startswith("task:")
    return status.get("State") == "failed" and not begun


def facts_of_service(service: Told, tasks: Sequence[Told]) -> ContainerFacts:
    """What the swarm's manager knows, which is less than what the member's own engine does."""
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    started = starts_of(template)
    task = latest(tasks)
    status: Told = task["Status"] if task is not None else {}
    name, error = status.get("State"), str(status.get("Err") or "")
    exit_code = finished_at = None
    fault = (spec.get("Labels") or {}).get(LABEL_FAULT)
    if fault is not None and not replicas_of(service):
        state, told = ContainerState.CREATED, json.loads(fault)
        exit_code, error = told["code"], told["error"]
    elif name == "running" and replicas_of(service):
        state = ContainerState.RUNNING
    elif name in ENDED and all(_never_ran(each["Status"]) for each in tasks):
        state = ContainerState.CREATED
        exit_code = (status.get("ContainerStatus") or {}).get("ExitCode")
    elif name in ENDED or (started and not replicas_of(service)):
        state = ContainerState.EXITED
        if name in ENDED:  # of a task that ends, or whose member is away, it says 0
            exit_code = (status.get("ContainerStatus") or {}).get("ExitCode")
        finished_at = seconds_of(status.get("Timestamp"))
    elif len(tasks) > 1:
        state = ContainerState.RESTARTING
    else:
        state = ContainerState.CREATED
    return ContainerFacts(
        engine_id=service["ID"],
        name=name_of(service),
        image=template["ContainerSpec"]["Image"],
        state=state,
        exit_code=exit_code,
        started_at=seconds_of(status.get("Timestamp")) if state is ContainerState.RUNNING else None,
        finished_at=finished_at,
        error=error,
        ports=_ports(spec),
        labels={name: word for name, word in (spec.get("Labels") or {}).items() if name not in _OURS},
        # What is stopped has none: they go with its container. Of any other only the member's engine knows.
        volumes_known=not replicas_of(service),
    )


def _ports(spec: Told) -> tuple[Port, ...]:
    told = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return tuple(
        Port(port["TargetPort"], port.get("PublishedPort") or None, port.get("Protocol", "tcp"))
        for port in told
    )


def _capability(name: str) -> str:
    # Unlike a container's, a service's capabilities are not completed.
    return name if name.startswith("CAP_") or name == "ALL" else f"CAP_{name}"
