"""The daemon's configuration file."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from qrealm.base.errors import ConfigError
from qrealm.control.containers.files.fields import (
    EMPTY_LIST,
    EMPTY_MAPPING,
    Flag,
    Name,
    Number,
    Pairs,
    Shape,
    Text,
    Whole,
    validated,
)
from qrealm.control.containers.files.problems import Problem, raise_problems, suggestion
from qrealm.control.containers.files.values import Config, NodeEntry
from qrealm.control.containers.files.yaml_lines import Document, read_yaml
from qrealm.fleet.containers import DRIVERS
from qrealm.fleet.containers.certificates import tls_faults
from qrealm.fleet.containers.endpoints import endpoint_faults
from qrealm.fleet.containers.protocol import Endpoint
from qrealm.fleet.containers.typed import check

MIB = 1 << 20
MEMBER_HINT = "for each member that is meant write a node, with its host name as member: `docker node ls`"
DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Config)}
PATHS = ("folder", "tls_ca", "tls_cert", "tls_key")
"""Of an endpoint."""
TIME_MS_MAX = 1e15
"""Longest decoherence or relaxation time: ten times as much is finite, and nothing is lost in a lifetime."""


def _driver(name: str) -> str:
    if name not in DRIVERS:
        raise ValueError(f"there is no driver {name!r}: {', '.join(DRIVERS)}{suggestion(name, DRIVERS)}")
    return name


def _absolute(text: str) -> str:
    # The daemon keeps a copy of the file elsewhere, so a path must not depend on where the file is.
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise ValueError(f"{text!r} must be a whole path, one that begins with / or ~")
    return str(path)


def _lasting(time_ms: float) -> float:
    if time_ms > TIME_MS_MAX:
        raise ValueError(f"{time_ms:g} is over {TIME_MS_MAX:g} milliseconds, which are 30,000 years")
    return time_ms


TimeMs = Annotated[Number, Field(gt=0), AfterValidator(_lasting)]
WholePath = Annotated[Text, AfterValidator(_absolute)]


class TlsShape(Shape):
    """Paths of PEM files."""

    ca: WholePath
    cert: WholePath
    key: WholePath


class NodeShape(Shape):
    """One of `nodes`; `memory` in MiB."""

    name: Name
    driver: Annotated[str, AfterValidator(_driver)] = "docker"
    url: str = ""
    member: Text | None = None
    tls: TlsShape | None = None
    folder: WholePath | None = None
    labels: Pairs = Field(default_factory=dict)
    cpus: Annotated[Number, Field(gt=0)] | None = None
    memory: Annotated[Number, Field(gt=0)] | None = None


class ConfigShape(Shape):
    """The keys below `quantum_docker_config`, as `Config` explains them."""

    num_qubits: Annotated[Whole, Field(ge=1, le=31)] = DEFAULTS["num_qubits"]
    simulation_backend: Literal["qrealm", "cirq", "qiskit"] = "qrealm"
    max_containers: Annotated[Whole, Field(ge=1)] = DEFAULTS["max_containers"]
    enable_quantum_networking: Flag = DEFAULTS["enable_quantum_networking"]
    enable_quantum_scheduling: Flag = DEFAULTS["enable_quantum_scheduling"]
    enable_quantum_load_balancing: Flag = DEFAULTS["enable_quantum_load_balancing"]
    decoherence_time_ms: TimeMs = DEFAULTS["decoherence_time_ms"]
    relaxation_time_ms: TimeMs | None = None
    cpu_overcommit: Annotated[Number, Field(ge=1)] = DEFAULTS["cpu_overcommit"]
    node_lost_after_s: Annotated[Number, Field(gt=0)] = DEFAULTS["node_lost_after_s"]
    move_cost: Annotated[Number, Field(ge=0)] = DEFAULTS["move_cost"]
    seed: Annotated[Whole, Field(ge=0)] | None = None
    scheduler: Text | None = None


class ConfigFileShape(Shape):
    """The whole file."""

    quantum_docker_config: Annotated[ConfigShape, EMPTY_MAPPING] = ConfigShape()
    nodes: Annotated[list[NodeShape], EMPTY_LIST] = Field(default_factory=list)


def load_config(
    path: str | os.PathLike[str] | None = None, *, certificates: bool = True, schedulers: bool = True
) -> Config:
    """Read a configuration file; None gives the defaults.

    Args:
        certificates: whether the files that `tls` names must be there and hold what they should.
        schedulers: whether the scheduler that it names must be there.

    Raises:
        ConfigError: it cannot be read, or breaks rules: all of them are told, each with file, line and key.
        RequestError: `path` is no path.
    """
    check("load_config got", "path", path, str | os.PathLike | None)
    if path is None:
        return Config()
    document = read_yaml(_text_of(path), str(path))
    shape = validated(ConfigFileShape, document)
    problems = _disagreements(shape, document)
    if certificates:
        problems += _certificates_amiss(shape, document)
    if schedulers:
        problems += _scheduler_amiss(shape.quantum_docker_config, document, ("quantum_docker_config",))
    raise_problems(document.filename, problems)
    chosen = shape.quantum_docker_config.model_dump(exclude_unset=True, exclude_none=True)
    return Config(**chosen, nodes=tuple(_node(node) for node in shape.nodes))


def _text_of(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ConfigError(
            f"the configuration cannot be read: {problem.strerror}",
            file=str(path),
            hint="give the path of a YAML file",
        ) from None
    except UnicodeDecodeError as problem:
        raise ConfigError(
            f"the configuration is no UTF-8 text: byte {problem.start} cannot be read",
            file=str(path),
            hint="save the file as UTF-8",
        ) from None


def _disagreements(shape: ConfigFileShape, document: Document) -> list[Problem]:
    """What is wrong with keys that are right alone."""
    problems = []
    if fault := _relaxation_fault(shape.quantum_docker_config):
        problems.append(document.problem(("quantum_docker_config", "relaxation_time_ms"), fault))
    names: set[str] = set()
    for index, node in enumerate(shape.nodes):
        if node.name in names:
            problems.append(
                document.problem(("nodes", index, "name"), f"another node is called {node.name!r}")
            )
        names.add(node.name)
        problems += _endpoint_problems(_node(node).endpoint, document, ("nodes", index))
    return problems


def _endpoint_problems(endpoint: Endpoint, document: Document, place: tuple[str | int, ...]) -> list[Problem]:
    return [
        document.problem((*place, part), fault, MEMBER_HINT if part == "member" else "")
        for part, fault in endpoint_faults(endpoint).items()
    ]


def _relaxation_fault(config: ConfigShape) -> str:
    relaxation = config.relaxation_time_ms
    if relaxation is None or relaxation >= config.decoherence_time_ms:
        return ""
    return (
        f"must be decoherence_time_ms ({config.decoherence_time_ms:g}) or more; it is {relaxation:g}: "
        "registers relax, and dephase on top of that, so no coherence outlives populations"
    )


class EntryShape(Shape):
    """What of a `NodeEntry` is no part of its endpoint."""

    name: Name
    labels: dict[Text, str]
    cpus: Annotated[Number, Field(gt=0)] | None
    memory_bytes: Annotated[Whole, Field(ge=1)] | None


class ProgramShape(ConfigShape):
    """A `Config` as a program makes it."""

    nodes: list[EntryShape]


def check_config(config: Config) -> None:
    """What a program chose, by the rules of the file. Whether schedulers and certificates are there is not
    looked at, see `check_there`.

    Raises:
        ConfigError: it breaks rules: all of them are told.
    """
    given = {name: getattr(config, name) for name in ConfigShape.model_fields}
    relaxation = given["relaxation_time_ms"]
    if relaxation == 0.0 and not isinstance(relaxation, bool):
        del given["relaxation_time_ms"]
    document = Document("", given, {})
    _check_entries(config.nodes, document)
    given["nodes"] = [_entry(node) for node in config.nodes]
    shape = validated(ProgramShape, document)
    problems = []
    if fault := _relaxation_fault(shape):
        problems.append(document.problem(("relaxation_time_ms",), fault))
    names: set[str] = set()
    for index, node in enumerate(config.nodes):
        if node.name in names:
            problems.append(
                document.problem(("nodes", index, "name"), f"another node is called {node.name!r}")
            )
        names.add(node.name)
        place = ("nodes", index, "endpoint")
        problems += _endpoint_problems(node.endpoint, document, place)
        for part in PATHS:
            path = getattr(node.endpoint, part)
            if path is not None and not Path(path).is_absolute():
                what = f"{path!r} must be a whole path, one that begins with /"
                problems.append(document.problem((*place, part), what))
    raise_problems("", problems)


def _check_entries(nodes: object, document: Document) -> None:
    if not isinstance(nodes, list | tuple):
        what = f"must be a tuple of NodeEntry; it is {nodes!r:.60}"
        raise_problems("", [document.problem(("nodes",), what)])
        return
    wrong = [(index, node) for index, node in enumerate(nodes) if not isinstance(node, NodeEntry)]
    what = "must be a NodeEntry; it is "
    raise_problems("", [document.problem(("nodes", at), f"{what}{node!r:.60}") for at, node in wrong])


def _entry(node: NodeEntry) -> dict[str, Any]:
    found = {name: getattr(node, name) for name in EntryShape.model_fields}
    return {**found, "labels": dict(node.labels)}


def _node(shape: NodeShape) -> NodeEntry:
    tls = shape.tls
    return NodeEntry(
        name=shape.name,
        endpoint=Endpoint(
            driver=shape.driver,
            url=shape.url,
            member=shape.member,
            tls_ca=tls.ca if tls else None,
            tls_cert=tls.cert if tls else None,
            tls_key=tls.key if tls else None,
            folder=shape.folder,
        ),
        labels={name: value or "" for name, value in shape.labels.items()},
        cpus=shape.cpus,
        memory_bytes=None if shape.memory is None else round(shape.memory * MIB),
    )


def check_there(config: Config) -> None:
    """Whether what a program's configuration names is there now: the scheduler, which must be able to balance
    where it shall, and files of certificates.

    Raises:
        ConfigError: it is not, or cannot.
    """
    document = Document("", {}, {})
    problems = _scheduler_amiss(config, document, ())
    for index, node in enumerate(config.nodes):
        for kind, fault in tls_faults(node.endpoint).items():
            problems.append(document.problem(("nodes", index, "endpoint", f"tls_{kind}"), fault))
    raise_problems("", problems)


def _scheduler_amiss(
    config: ConfigShape | Config, document: Document, place: tuple[str, ...]
) -> list[Problem]:
    # Solvers, of which nobody else who reads a file has need.
    from qrealm.control.containers.placement.schedulers import UNEVEN, scheduler_names, uneven

    name = config.scheduler
    if name is None:
        return []
    place, known = (*place, "scheduler"), scheduler_names()
    if name not in known:
        what = f"there is no scheduler {name!r}: {', '.join(known)}{suggestion(name, known)}"
        return [document.problem(place, what)]
    if uneven(name) and config.enable_quantum_load_balancing:
        return [document.problem(place, f"{name} {UNEVEN}; set it to false, or choose another")]
    return []


def _certificates_amiss(shape: ConfigFileShape, document: Document) -> list[Problem]:
    return [
        document.problem(("nodes", index, "tls", kind), fault)
        for index, node in enumerate(shape.nodes)
        for kind, fault in tls_faults(_node(node).endpoint).items()
    ]
