"""Cluster files: qrealm's own form, and Compose files with quantum keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from qrealm.control.containers import short_forms
from qrealm.control.containers.files.compose import read_compose
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
from qrealm.control.containers.files.fields import Name, Number, Shape, Text, Whole, as_far_as_it_goes
from qrealm.control.containers.files.problems import Path as KeyPath
from qrealm.control.containers.files.problems import Problem, raise_problems
from qrealm.control.containers.files.values import ClusterContainer, ClusterFile
from qrealm.control.containers.files.variables import substituted
from qrealm.control.containers.files.yaml_lines import Document, read_yaml
from qrealm.control.containers.values import STATES_DEFAULT
from qrealm.fleet.containers import rules
from qrealm.fleet.containers.protocol import PIDS_DEFAULT, ContainerSpec, Limits

MIB = 1 << 20
_KEYS: dict[str, KeyPath] = {
    "limits.cpus": ("resource_requirements", "cpu"),
    "limits.memory_bytes": ("resource_requirements", "memory"),
    "limits.pids": ("resource_requirements", "pids"),
}


def _mebibytes(value: object) -> object:
    """A number is MiB; text must have a unit, because Docker takes one without for bytes."""
    if not isinstance(value, str):
        return value
    if value.strip()[-1:].isdigit():
        raise ValueError(f"{value!r} has no unit; write {value} without quotes for MiB, or {value}m")
    return short_forms.container_memory(value) / MIB


class ResourcesShape(Shape):
    """What a container may use; `memory` in MiB, or text such as ``1g``."""

    cpu: Annotated[Number, Field(ge=rules.CPUS_MIN, le=rules.CPUS_MAX)] = 1.0
    memory: Annotated[
        Number,
        BeforeValidator(_mebibytes),
        Field(ge=rules.MEMORY_MIN / MIB, le=rules.MEMORY_MAX / MIB),
    ] = 512.0
    pids: Annotated[Whole, Field(ge=1, le=rules.PIDS_MAX)] = PIDS_DEFAULT


class ClusterContainerShape(ContainerShape):
    """One of `containers`."""

    name: Name
    quantum_weight: Weight = 1.0
    quantum_probability: Probability = 0.5
    superposition_states: States = Field(default_factory=lambda: list(STATES_DEFAULT))
    resource_requirements: ResourcesShape = ResourcesShape()
    network: Annotated[Text, AfterValidator(rules.network)] | None = None
    node: Text | None = None


class ClusterShape(Shape):
    """The whole file."""

    name: Name
    containers: Annotated[list[ClusterContainerShape], Field(min_length=1)]
    entangle: list[EntangleShape] = Field(default_factory=list)


def load_cluster(
    text: str,
    filename: str = "",
    environ: Mapping[str, str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> ClusterFile:
    """Read a cluster file, or a Compose file, which is one with `services`.

    Args:
        text: of the file.
        filename: for messages.
        environ: variables of a Compose file, and environment variables that are named without a value; None
            takes those of this process.
        folder: where relative host folders begin, and whose name a Compose file has that says none; None
            takes that of `filename`, or the one that this process is in.

    Raises:
        ConfigError: it breaks rules: all of them are told, each with file, line and key.
    """
    environ = os.environ if environ is None else environ
    # Which of the two it is must be known first: only in Compose files do dollar signs mean something.
    document = read_yaml(text, filename)
    if document.data is None:
        what = "the file is empty; a cluster has a name and containers, a Compose file services"
        raise_problems(filename, [Problem(None, "", what)])
    place = Path(folder) if folder is not None else Path(filename).parent if filename else Path()
    place = place.absolute()
    if isinstance(document.data, dict) and "services" in document.data:
        document = read_yaml(text, filename, lambda value: substituted(value, environ))
        return read_compose(document, place, environ)
    return _read_cluster(document, place, environ)


def _read_cluster(document: Document, folder: Path, environ: Mapping[str, str]) -> ClusterFile:
    shape, problems = as_far_as_it_goes(ClusterShape, document)
    reader = Reader(document, folder, environ, problems=problems)
    containers: list[ClusterContainer] = []
    names: set[str] = set()
    for index, item in enumerate(shape.containers):
        path = ("containers", index)
        if item.name in names:
            reader.note((*path, "name"), f"another container is called {item.name!r}")
        names.add(item.name)
        resources = item.resource_requirements
        limits = Limits(resources.cpu, round(resources.memory * MIB), resources.pids)
        network = in_network(shape.name, item.network)
        spec = ContainerSpec(name=item.name, limits=limits, **network, **reader.keys(item, path))
        reader.check(spec, path, _KEYS)
        register = quantum(item.superposition_states, item.quantum_probability, item.quantum_weight)
        containers.append(ClusterContainer(spec, register, item.node))
    members = {name: (name,) for name in (container.spec.name for container in containers)}
    entangled = reader.entangled(shape.entangle, ("entangle",), members, containers)
    raise_problems(document.filename, reader.problems)
    return ClusterFile(shape.name, tuple(containers), entangled)
