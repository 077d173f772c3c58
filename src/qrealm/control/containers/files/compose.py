"""Compose files: services become containers; the quantum keys stand under `x-quantum`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from qrealm.control.containers import short_forms
from qrealm.control.containers.files.container_shapes import (
    ContainerShape,
    EntangleShape,
    Probability,
    Reader,
    States,
    Weight,
    in_network,
    quantum,
)
from qrealm.control.containers.files.fields import (
    EMPTY_MAPPING,
    QUANTUM,
    Flag,
    Name,
    ScalarText,
    Shape,
    Text,
    Whole,
    as_far_as_it_goes,
)
from qrealm.control.containers.files.problems import Path as KeyPath
from qrealm.control.containers.files.problems import raise_problems
from qrealm.control.containers.files.values import ClusterContainer, ClusterFile
from qrealm.control.containers.files.yaml_lines import Document
from qrealm.control.containers.values import STATES_DEFAULT
from qrealm.fleet.containers import rules
from qrealm.fleet.containers.protocol import ContainerSpec, Limits

DEFAULTS = Limits()
_NO_NAME = re.compile(r"[^a-zA-Z0-9_.-]")
_NAME_LETTERS = 128
_FOLLOWS = "nothing is started with the file: `qdocker run NAME` measures and starts one at a time"
_ONE_NETWORK = "the services of a file share one network, where each is found by its name"
_HARDENED = "every container has no new privileges and no capabilities but those of cap_add"
INSTEAD = {
    "depends_on": _FOLLOWS,
    "profiles": _FOLLOWS,
    "networks": _ONE_NETWORK,
    "links": _ONE_NETWORK,
    "build": "build the image first, and name it under image",
    "privileged": _HARDENED,
    "cap_drop": _HARDENED,
    "security_opt": _HARDENED,
}
"""What those are told who write keys that many files have."""


def _without_extensions(value: object) -> object:
    """Keys that begin with x- are for other programs, but the one that is ours."""
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if key == QUANTUM or not key.startswith("x-")}


def _processors(value: object) -> object:
    """Compose writes processors as a number or as its text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"must be a number of processors; it is {value!r}") from None


def _bytes(value: object) -> object:
    """Compose writes memory as a number of bytes, or as text with a unit."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    return short_forms.container_memory(str(value))


def _exposed(value: str) -> str:
    if any(port.host_port is not None or port.host_ip for port in short_forms.ports(value)):
        raise ValueError(f"{value!r} names a port of the host; that stands under ports")
    return value


Processors = Annotated[float, BeforeValidator(_processors), Field(ge=rules.CPUS_MIN, le=rules.CPUS_MAX)]
Memory = Annotated[int, BeforeValidator(_bytes)]
Copies = Annotated[Whole, Field(ge=1)]
Processes = Annotated[Whole, Field(ge=1, le=rules.PIDS_MAX)]


class LimitsShape(Shape):
    """What a service may use."""

    cpus: Processors | None = None
    memory: Memory | None = None
    pids: Processes | None = None


class ResourcesShape(Shape):
    """Only limits are supported."""

    limits: LimitsShape = LimitsShape()


class DeployShape(Shape):
    """How many containers a service has, and what each may use."""

    replicas: Copies | None = None
    resources: ResourcesShape = ResourcesShape()


class QuantumShape(Shape):
    """The register of each container of a service."""

    weight: Weight = 1.0
    probability: Probability = 0.5
    states: States = Field(default_factory=lambda: list(STATES_DEFAULT))
    node: Text | None = None


class ServiceShape(ContainerShape):
    """One of `services`."""

    container_name: Name | None = None
    mem_limit: Memory | None = None
    cpus: Processors | None = None
    pids_limit: Processes | None = None
    # Compose takes it for words to people, too: in a network every port is open.
    expose: list[Annotated[ScalarText, AfterValidator(_exposed)]] = Field(default_factory=list)
    network_mode: Annotated[Text, AfterValidator(rules.network)] | None = None
    scale: Copies | None = None
    deploy: DeployShape = DeployShape()
    quantum: QuantumShape = Field(default=QuantumShape(), alias="x-quantum")


class NamedVolumeShape(Shape):
    """A volume that services use by name."""

    name: Text | None = None
    external: Flag = False


class FileQuantumShape(Shape):
    """How the file's containers are entangled; a service's name stands for all its containers."""

    entangle: list[EntangleShape] = Field(default_factory=list)


Service = Annotated[ServiceShape, BeforeValidator(_without_extensions)]
Volume = Annotated[NamedVolumeShape, EMPTY_MAPPING]


class ComposeShape(Shape):
    """The whole file. `version` says nothing any more, to Compose neither."""

    name: Name | None = None
    version: Any = None
    services: Annotated[dict[Name, Service], Field(min_length=1)]
    volumes: dict[Name, Volume] = Field(default_factory=dict)
    quantum: FileQuantumShape = Field(default=FileQuantumShape(), alias="x-quantum")


def read_compose(document: Document, folder: Path, environ: Mapping[str, str]) -> ClusterFile:
    """A Compose file's containers.

    Its name is `name`, or that of its folder, as Compose has it. A service's container is called as the
    service; one of several NAME-1, NAME-2 and so on. Volumes are called NAME_VOLUME after the file's name,
    but those that say otherwise.

    Raises:
        ConfigError: it breaks rules, or asks for what is not supported.
    """
    without = replace(document, data=_without_extensions(document.data))
    shape, problems = as_far_as_it_goes(ComposeShape, without, "not supported", INSTEAD)
    # Of a folder's name what a cluster can be called by, as Compose takes it.
    name = shape.name or _NO_NAME.sub("", folder.name).lstrip("_.-")[:_NAME_LETTERS] or "compose"

    def volume(wanted: str) -> str:
        if wanted not in shape.volumes:
            raise ValueError(f"the volume {wanted!r} is not declared under volumes of the file")
        declared = shape.volumes[wanted]
        return declared.name or (wanted if declared.external else f"{name}_{wanted}")

    reader = Reader(document, folder, environ, volume, problems)
    containers: list[ClusterContainer] = []
    members: dict[str, tuple[str, ...]] = {}
    taken: dict[str, str] = {}
    for service, item in shape.services.items():
        path = ("services", service)
        members[service] = _names(service, item, reader)
        keys = reader.keys(item, path)
        limits = _limits(service, item, reader)
        register = quantum(item.quantum.states, item.quantum.probability, item.quantum.weight)
        for container in members[service]:
            if container in taken:
                what = f"a container of service {taken[container]!r} is called {container!r} too"
                reader.note(path, what)
            taken[container] = service
            network = in_network(name, item.network_mode, service)
            spec = ContainerSpec(name=container, limits=limits, **network, **keys)
            containers.append(ClusterContainer(spec, register, item.quantum.node))
        # They differ in their names, of which the last is the longest.
        last = containers[-1].spec
        reader.check(last, path, _keys(item, last.name), f"container_name: {name}-{last.name}")
    place = (QUANTUM, "entangle")
    # A container of several can be named alone, too.
    alone = {container: (container,) for container in taken if container not in members}
    entangled = reader.entangled(shape.quantum.entangle, place, {**members, **alone}, containers)
    raise_problems(document.filename, reader.problems)
    before = shape.name or folder.name or name
    return ClusterFile(name, tuple(containers), entangled, None if before == name else before)


def _keys(item: ServiceShape, container: str) -> dict[str, KeyPath]:
    """Where what of a service's container stands."""
    limits: KeyPath = ("deploy", "resources", "limits")
    return {
        "name": ("container_name",) if item.container_name == container else (),
        "network": ("network_mode",),
        "limits.cpus": ("cpus",) if item.cpus else (*limits, "cpus"),
        "limits.memory_bytes": ("mem_limit",) if item.mem_limit else (*limits, "memory"),
        "limits.pids": ("pids_limit",) if item.pids_limit else (*limits, "pids"),
    }


def _names(service: str, item: ServiceShape, reader: Reader) -> tuple[str, ...]:
    """Names of a service's containers."""
    path = ("services", service)
    if item.scale is not None and item.deploy.replicas is not None and item.scale != item.deploy.replicas:
        reader.note((*path, "scale"), f"is {item.scale}, and deploy.replicas is {item.deploy.replicas}")
    copies = item.scale or item.deploy.replicas or 1
    if copies == 1:
        return (item.container_name or service,)
    if item.container_name is not None:
        reader.note((*path, "container_name"), f"cannot be given to {copies} containers")
    return tuple(f"{service}-{number}" for number in range(1, copies + 1))


def _limits(service: str, item: ServiceShape, reader: Reader) -> Limits:
    """What each container may use; the same limit must not be given in two places."""
    given = item.deploy.resources.limits
    pairs = (
        ("cpus", item.cpus, given.cpus, "cpus"),
        ("mem_limit", item.mem_limit, given.memory, "memory"),
        ("pids_limit", item.pids_limit, given.pids, "pids"),
    )
    for key, short, long, name in pairs:
        if short is not None and long is not None and short != long:
            what = f"is {short:g}, and deploy.resources.limits.{name} is {long:g}"
            reader.note(("services", service, key), what)
    return Limits(
        cpus=item.cpus or given.cpus or DEFAULTS.cpus,
        memory_bytes=item.mem_limit or given.memory or DEFAULTS.memory_bytes,
        pids=item.pids_limit or given.pids or DEFAULTS.pids,
    )
