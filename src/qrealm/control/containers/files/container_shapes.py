"""What cluster files and Compose files write alike of a container, and how that becomes a specification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FolderPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from qrealm.control.containers import asked, short_forms
from qrealm.control.containers.files.fields import (
    LONG,
    SHORT,
    SHORT_OR_LONG,
    Command,
    Duration,
    Flag,
    Name,
    Number,
    Pairs,
    ScalarText,
    Shape,
    Text,
    Whole,
)
from qrealm.control.containers.files.problems import Path, Problem, key_text
from qrealm.control.containers.files.values import ClusterContainer, Entanglement
from qrealm.control.containers.files.yaml_lines import Document
from qrealm.control.containers.values import Mode, QuantumSpec
from qrealm.fleet.containers import rules
from qrealm.fleet.containers.addresses import reference_fault
from qrealm.fleet.containers.host_ports import once, own_clash, twice
from qrealm.fleet.containers.protocol import GRACE_S, ContainerSpec, HealthCheck, Mount, Port, Restart, Tmpfs

ENV_FILE_BYTES_MAX = 1 << 20
_KEYS: dict[str, Path] = {
    "mounts": ("volumes",),
    "health": ("healthcheck",),
    "stop_grace_s": ("stop_grace_period",),
}
"""Of fields of ContainerSpec that both kinds of file call by another name."""


def _own_labels(labels: dict[str, str | None]) -> dict[str, str | None]:
    for name in labels:
        rules.label_name(name)
    return labels


def _variables(pairs: dict[str, str | None]) -> dict[str, str | None]:
    for name in pairs:
        rules.variable_name(name)
    return pairs


def _image(text: str) -> str:
    if fault := reference_fault(text):
        raise ValueError(fault)
    return text


def _states(names: list[str]) -> list[str]:
    doubles = [name for name, count in Counter(names).items() if count > 1]
    if doubles:
        raise ValueError(f"the state {doubles[0]!r} stands twice")
    return names


def _restart_text(value: str) -> str:
    short_forms.restart(value)
    return value


def _port_text(value: str) -> str:
    short_forms.ports(value)
    return value


def _published(value: str) -> str:
    # A range would need one port of the container for each.
    if not value.isdecimal():
        raise ValueError(f"must be one port, or 0 to let the engine choose; it is {value!r}")
    if int(value):
        rules.port_number(int(value))
    return value


def _volume_text(value: str) -> str:
    # Where it begins is known later; whether it can be read is told with everything else.
    short_forms.mount(value, FolderPath("/"))
    return value


def _tmpfs_text(value: str) -> str:
    short_forms.tmpfs(value)
    return value


def _grace(value: object) -> object:
    if isinstance(value, str) and short_forms.duration_s(value) > rules.GRACE_S_MAX:
        raise ValueError(f"must be {rules.GRACE_S_MAX // 3600}h or less; it is {value!r:.60}")
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


States = Annotated[list[Name], Field(min_length=2), AfterValidator(_states)]
Labels = Annotated[Pairs, AfterValidator(_own_labels)]
Seconds = Annotated[Duration, AfterValidator(rules.check_s)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Weight = Annotated[Number, AfterValidator(asked.weight)]


class PortShape(Shape):
    """A port in Compose's long form."""

    target: Annotated[Whole, AfterValidator(rules.port_number)]
    published: Annotated[ScalarText, AfterValidator(_published)] | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    host_ip: Annotated[str, AfterValidator(rules.host_address)] = ""


class VolumeShape(Shape):
    """A volume or host folder in Compose's long form."""

    type: Literal["volume", "bind"]
    source: Text
    target: Text
    read_only: Flag = False


def _test(value: object) -> object:
    return ["CMD-SHELL", value] if isinstance(value, str) else value


def _test_command(test: list[str]) -> list[str]:
    match test:
        case ["CMD-SHELL", line]:
            return ["/bin/sh", "-c", line]
        case ["CMD", _, *_]:
            return test[1:]
    raise ValueError("must be a command as text, or a list that begins with CMD or CMD-SHELL")


Test = Annotated[list[str], BeforeValidator(_test), AfterValidator(_test_command)]


class HealthShape(Shape):
    """A health check; `test` as text is run by the container's shell."""

    test: Test
    interval: Seconds = 30.0
    timeout: Seconds = 30.0
    retries: Annotated[Whole, AfterValidator(rules.retries)] = 3
    start_period: Annotated[Duration, AfterValidator(rules.start_period_s)] = 0.0


PortItem = Annotated[
    Annotated[ScalarText, AfterValidator(_port_text), SHORT] | Annotated[PortShape, LONG], SHORT_OR_LONG
]
VolumeItem = Annotated[
    Annotated[str, AfterValidator(_volume_text), SHORT] | Annotated[VolumeShape, LONG], SHORT_OR_LONG
]


TmpfsItem = Annotated[str, AfterValidator(_tmpfs_text)]


class ContainerShape(Shape):
    """Keys of a container that cluster files and Compose files share."""

    image: Annotated[Text, AfterValidator(_image)]
    command: Command | None = None
    entrypoint: Command | None = None
    environment: Annotated[Pairs, AfterValidator(_variables)] = Field(default_factory=dict)
    env_file: Annotated[list[Text], BeforeValidator(_one_or_more)] = Field(default_factory=list)
    ports: list[PortItem] = Field(default_factory=list)
    volumes: list[VolumeItem] = Field(default_factory=list)
    restart: Annotated[str, AfterValidator(_restart_text)] = "no"
    healthcheck: HealthShape | None = None
    labels: Labels = Field(default_factory=dict)
    user: Annotated[ScalarText, AfterValidator(rules.user)] | None = None
    working_dir: Annotated[str, AfterValidator(rules.working_dir)] | None = None
    hostname: Annotated[str, AfterValidator(rules.hostname)] | None = None
    tmpfs: Annotated[list[TmpfsItem], BeforeValidator(_one_or_more)] = Field(default_factory=list)
    read_only: Flag = False
    stop_grace_period: Annotated[Duration, BeforeValidator(_grace)] = GRACE_S
    init: Flag = False
    cap_add: list[Annotated[str, AfterValidator(rules.capability)]] = Field(default_factory=list)


class EntangleShape(Shape):
    """Containers that follow the first of them."""

    between: Annotated[list[Text], Field(min_length=1)]
    mode: Literal["same", "opposite", "spread"] = "same"


class Reader:
    """Turns shapes into values, and collects what only then shows to be wrong.

    Args:
        document: that the shapes were read from.
        folder: where relative paths begin.
        environ: what environment variables without a value take theirs from.
        volume: the engine's name of a volume, from its name in the file; raises ValueError.
        problems: what is known to be wrong before.
    """

    def __init__(
        self,
        document: Document,
        folder: FolderPath,
        environ: Mapping[str, str],
        volume: Callable[[str], str] = lambda name: name,
        problems: Iterable[Problem] = (),
    ) -> None:
        self.problems: list[Problem] = list(problems)
        self._document = document
        self._folder = folder
        self._environ = environ
        self._volume = volume

    def note(self, path: Path, what: str, hint: str = "") -> None:
        """Something wrong with what stands at `path`."""
        self.problems.append(self._document.problem(path, what, hint))

    def keys(self, shape: ContainerShape, path: Path) -> dict[str, Any]:
        """The fields of ContainerSpec that the shared keys say, all but name, limits and network."""
        return {
            "image": shape.image,
            "command": None if shape.command is None else tuple(shape.command),
            "entrypoint": None if shape.entrypoint is None else tuple(shape.entrypoint),
            "environment": self._environment(shape, (*path, "env_file")),
            "labels": {name: value or "" for name, value in shape.labels.items()},
            "restart": short_forms.restart(shape.restart) if shape.restart else Restart(),
            "health": _health(shape.healthcheck),
            "mounts": (mounts := tuple(self._mounts(shape.volumes, (*path, "volumes")))),
            "ports": self._ports(shape.ports, (*path, "ports")),
            "user": shape.user,
            "working_dir": shape.working_dir,
            "hostname": shape.hostname,
            "tmpfs": self._memory_folders(shape.tmpfs, mounts, (*path, "tmpfs")),
            "read_only": shape.read_only,
            "stop_grace_s": shape.stop_grace_period,
            "init": shape.init,
            "cap_add": tuple(shape.cap_add),
        }

    def check(self, spec: ContainerSpec, path: Path, keys: Mapping[str, Path], hint: str = "") -> None:
        """Tell what is wrong with a container as a whole, but for the keys of which something was told.

        Args:
            keys: under which keys a kind of file says what of a container, where these are not called as the
                fields of ContainerSpec.
            hint: for a name that cannot be.
        """
        place = key_text(path)
        told = [p for p in self.problems if p.key.startswith((f"{place}.", f"{place}["))]
        for fault in rules.spec_faults(spec):
            at = (*path, *{**_KEYS, **keys}.get(fault.field, (fault.field,)))
            if fault.field == "name":
                self.note(at, fault.what, hint)
            # A place that two keys want is told at one of them.
            elif not any(p.key.startswith(key_text(at)) or p.message.endswith(fault.what) for p in told):
                self.note(at, fault.what)

    def _memory_folders(self, items: Sequence[str], mounts: Sequence[Mount], path: Path) -> tuple[Tmpfs, ...]:
        taken = [mount.target for mount in mounts]
        folders = tuple(map(short_forms.tmpfs, items))
        for index, folder in enumerate(folders):
            if fault := rules.another_at(folder.target, taken):
                self.note((*path, index), fault)
            taken.append(folder.target)
        return folders

    def _ports(self, items: Sequence[str | PortShape], path: Path) -> tuple[Port, ...]:
        """Each once; one that takes a port of the host that another has is told."""
        ports: tuple[Port, ...] = ()
        for position, item in enumerate(items):
            before, ports = ports, once((*ports, *_port(item)))
            if (both := own_clash(ports)) is not None and own_clash(before) is None:
                self.note((*path, position), twice(both))
        return ports

    def entangled(
        self,
        shapes: Sequence[EntangleShape],
        path: Path,
        members: Mapping[str, Sequence[str]],
        containers: Sequence[ClusterContainer],
    ) -> tuple[Entanglement, ...]:
        """The file's relations; `members` has the containers that each name in it stands for."""
        states = {container.spec.name: len(container.quantum.states) for container in containers}
        made = []
        for index, shape in enumerate(shapes):
            between: list[str] = []
            place = (*path, index, "between")
            for position, name in enumerate(shape.between):
                if name not in members:
                    known = f"; there are {', '.join(members)}" if members else ""
                    self.note((*place, position), f"there is no container {name!r} in this file{known}")
                else:
                    between.extend(members[name])
            for name, count in Counter(between).items():
                if count > 1:
                    self.note(place, f"the container {name!r} stands twice")
            if len(between) < 2 and all(name in members for name in shape.between):
                self.note(place, "at least two containers must stand here")
            if len({states[name] for name in between if name in states}) > 1:
                told = ", ".join(f"{name} has {states[name]}" for name in between if name in states)
                self.note(place, f"entangled containers must have equally many states: {told}")
            where = self._document.place(place)
            made.append(Entanglement(tuple(between), _mode(shape.mode), where))
        return tuple(made)

    def _environment(self, shape: ContainerShape, path: Path) -> dict[str, str]:
        """As Compose: what stands here goes before what a file has; a name alone takes its value from
        outside, and is left out where there is none. In a file it is refused there: whoever sends this
        document sends the variables that are named in it, and cannot know those of its files."""
        pairs: dict[str, str | None] = {}
        alone: dict[str, tuple[int, str]] = {}
        for index, file in enumerate(shape.env_file):
            place = self._folder / FolderPath(file).expanduser()
            try:
                if place.exists() and (not place.is_file() or place.stat().st_size > ENV_FILE_BYTES_MAX):
                    raise ValueError(f"must be a file of no more than {ENV_FILE_BYTES_MAX:,} bytes")
                text = place.read_text(encoding="utf-8-sig")
                found = short_forms.variables(text)
                pairs |= found
                alone |= {name: (index, f"{str(place)!r}: line {_line_of(name, text)}") for name in found}
            except OSError as problem:
                self.note((*path, index), f"{str(place)!r} cannot be read: {problem.strerror}")
            except ValueError as problem:
                self.note((*path, index), f"{str(place)!r}: {problem}")
        for name, (index, where) in alone.items():
            if pairs[name] is None and name not in shape.environment and name not in self._environ:
                # The name may be a secret that lost its own, and is not told.
                self.note(
                    (*path, index),
                    f"{where} is a name without a value; write NAME=value there, or the name under "
                    "environment, where it takes its value from outside",
                )
        pairs |= shape.environment
        told = {name: self._environ.get(name) if value is None else value for name, value in pairs.items()}
        return {name: value for name, value in told.items() if value is not None}

    def _mounts(self, items: Sequence[str | VolumeShape], path: Path) -> Iterator[Mount]:
        taken: list[str] = []
        for index, item in enumerate(items):
            try:
                mount = self._mount(item)
            except ValueError as problem:
                self.note((*path, index), str(problem))
                continue
            if fault := rules.another_at(mount.target, taken):
                self.note((*path, index), fault)
            taken.append(mount.target)
            yield mount

    def _mount(self, item: str | VolumeShape) -> Mount:
        if isinstance(item, str):
            mount = short_forms.mount(item, self._folder)
        else:
            source = item.source
            if item.type == "bind" and not source.startswith(("/", "./", "../", "~")):
                source = f"./{source}"
            mount = Mount(
                short_forms.mount_source(source, self._folder),
                rules.mount_target(item.target),
                item.read_only,
            )
            if item.type == "volume" and mount.source.startswith("/"):
                raise ValueError(f"a volume's source is its name, not the folder {item.source!r}")
        if mount.source.startswith("/"):
            return mount
        return Mount(self._volume(mount.source), mount.target, mount.read_only)


def _line_of(name: str, text: str) -> int:
    """The last line of a file of variables that is about this one."""
    lines = [line.strip().removeprefix("export ").partition("=")[0].strip() for line in text.splitlines()]
    return len(lines) - lines[::-1].index(name)


def in_network(cluster: str, chosen: str | None, alias: str | None = None) -> dict[str, Any]:
    """The fields of ContainerSpec about networks: the one that was chosen, else the cluster's own, called as
    Compose calls it; there `alias` means the container, too."""
    if chosen is not None:
        return {"network": chosen}
    aliases = () if alias is None else (alias,)
    return {"network": asked.own_network(cluster), "network_made": True, "aliases": aliases}


def _mode(text: str) -> Mode:
    modes: dict[str, Mode] = {"same": "same", "opposite": "opposite", "spread": "spread"}
    return modes[text]


def _port(item: str | PortShape) -> tuple[Port, ...]:
    if isinstance(item, str):
        return short_forms.ports(item)
    host_port = int(item.published or 0) or None
    return (Port(item.target, host_port, item.protocol, item.host_ip),)


def _health(shape: HealthShape | None) -> HealthCheck | None:
    if shape is None:
        return None
    return HealthCheck(tuple(shape.test), shape.interval, shape.timeout, shape.retries, shape.start_period)


def quantum(states: Sequence[str], probability: float, weight: float) -> QuantumSpec:
    """The register of a container."""
    return QuantumSpec(tuple(states), probability, weight)
