"""What a container may be: each rule stands here once, for files, commands, programs and imported states.

The functions of single values give the value back, and raise ValueError, in words, for what it cannot be.
`check_spec` is for containers that are asked for; `check_held` asks less: a record has what `create` took
when it was made.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from qrealm.base.errors import RequestError
from qrealm.base.units import MIB
from qrealm.fleet.containers.addresses import check_reference, reference_fault
from qrealm.fleet.containers.host_ports import own_clash, published, twice
from qrealm.fleet.containers.protocol import ContainerSpec, HealthCheck, Restart, Tmpfs

CPUS_MIN = 0.01
CPUS_MAX = 1_000_000
MEMORY_MIN = 6 * MIB
"""Less than this no engine takes."""
MEMORY_MAX = 1 << 60
PIDS_MAX = 4_194_304
"""As many processes as Linux has numbers for."""
PIDS_HELD_MAX = (1 << 63) - 1
"""More than this cannot be told to an engine."""
COUNT_MAX = 1_000_000
"""Of failures and new starts that are counted."""
PORT_MAX = 65_535
GRACE_S_MAX = 86_400
CHECK_S_MIN, CHECK_S_MAX = 0.001, 86_400
MODE_MAX = 0o7777
HOSTNAME_LETTERS_MAX = 63
LABELS_RESERVED = "io.qrealm."
_WRITTEN_MAX = 10**30

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9-]+)*")
_OF_ENGINES = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_OF_OTHERS = ("service:", "container:")
_NETWORKS_OF_ENGINES = ("bridge", "default", "host", "none")
_CAPABILITIES = frozenset(
    "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE "
    "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE "
    "MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG "
    "SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG WAKE_ALARM".split()
)


def check_spec(spec: ContainerSpec) -> None:
    """Raises RequestError for a container that no engine can make, or that would not be what it says."""
    _check(spec, PIDS_MAX, (*_ASKED, *_HELD))


class Fault(NamedTuple):
    """What of a container breaks a rule: the field of its specification (of its limits with a dot, as
    ``limits.cpus``), what people call that, and what is wrong."""

    field: str
    part: str
    what: str


def spec_faults(spec: ContainerSpec) -> Iterator[Fault]:
    """Everything that `check_spec` would refuse."""
    try:
        container_name(spec.name)
    except ValueError as problem:
        yield Fault("name", "name", str(problem))
    if fault := reference_fault(spec.image):
        yield Fault("image", "image", fault)
    yield from _faults(spec, PIDS_MAX, (*_ASKED, *_HELD))


def check_held(spec: ContainerSpec) -> None:
    """Raises RequestError for a container that cannot have been made, or that no engine can be told of."""
    _check(spec, PIDS_HELD_MAX, _HELD)


def _check(spec: ContainerSpec, pids_max: int, parts: Parts) -> None:
    try:
        container_name(spec.name)
    except ValueError as problem:
        raise RequestError(f"create got the name {problem}") from None
    check_reference(spec.image)
    for fault in _faults(spec, pids_max, parts):
        told = f"the {fault.part} of {spec.name!r} wrong: {fault.what}" if fault.part else fault.what
        raise RequestError(f"create got {told}", hint=_HINTS.get(fault.field, ""))


def _faults(spec: ContainerSpec, pids_max: int, parts: Parts) -> Iterator[Fault]:
    for field, part, check in (*_numbers_asked(pids_max), *parts):
        try:
            check(spec)
        except ValueError as problem:
            yield Fault(field, part, str(problem))


def container_name(text: str) -> str:
    """Of a container."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r:.80}: a name has two or more letters, digits, '_', '.' and '-', and begins with a "
            "letter or digit"
        )
    return text


def port_number(value: int) -> int:
    """A port that can be used."""
    if not 1 <= value <= PORT_MAX:
        raise ValueError(f"the port {shown(value).replace(',', '')} is not between 1 and {PORT_MAX}")
    return value


def host_address(text: str) -> str:
    """An address of the host, or nothing for all of them."""
    if text:
        try:
            # A zone is a name of this machine's, and containers are on others.
            ipaddress.ip_address("" if "%" in text else text)
        except ValueError:
            raise ValueError(f"{text!r:.60} is no address of a host") from None
    return text


def mount_source(text: str) -> str:
    """A host folder as an absolute path, or the name of a volume."""
    if not text.startswith("/") and not _OF_ENGINES.fullmatch(text):
        raise ValueError(
            f"{text!r:.80} is neither a folder, which begins with / or ./, nor a name of a volume, which has "
            "letters, digits, '_', '.' and '-'"
        )
    return plain_text(text, f"the source {text!r:.80}")


def mount_target(text: str) -> str:
    """An absolute path inside the container."""
    if not text.startswith("/") or inside(text) == "/":
        raise ValueError(
            f"{text!r:.80} is no folder inside the container; it must begin with / and not be / itself"
        )
    return plain_text(text, f"the folder {text!r:.80}")


def inside(target: str) -> str:
    """The one way to write a folder inside: ``/a/`` and ``//b/../a`` are ``/a``."""
    return posixpath.normpath("/" + target.lstrip("/"))


def another_at(target: str, taken: Iterable[str]) -> str:
    """What is wrong with a second volume, or folder in memory, at one place; empty when nothing is."""
    place = inside(target)
    return f"another volume is at {place!r} already" if place in map(inside, taken) else ""


def memory_folder(folder: Tmpfs) -> Tmpfs:
    """A folder in memory."""
    mount_target(folder.target)
    if folder.size_bytes is not None and not 1 <= folder.size_bytes <= MEMORY_MAX:
        size = shown(folder.size_bytes)
        raise ValueError(
            f"{folder.target!r:.80} has a size of {size} bytes; it must be from 1 to {MEMORY_MAX:,}"
        )
    if folder.mode is not None and not 0 <= folder.mode <= MODE_MAX:
        raise ValueError(
            f"{folder.target!r:.80} has the mode {folder.mode:o}; it must be from 0 to {MODE_MAX:o}"
        )
    return folder


def hostname(text: str) -> str:
    """What a container calls itself."""
    if len(text) > HOSTNAME_LETTERS_MAX or not _HOSTNAME.fullmatch(text):
        raise ValueError(
            f"{text!r:.80} must be letters, digits, '-' and '.', {HOSTNAME_LETTERS_MAX} at most, and begin "
            "with a letter or digit"
        )
    return text


def network(text: str) -> str:
    """A network of its engine."""
    if text.startswith(_OF_OTHERS):
        raise ValueError(f"{text!r:.80}: sharing the network of another container is not supported")
    if not _OF_ENGINES.fullmatch(text):
        raise ValueError(
            f"{text!r:.80} must be letters, digits, '_', '.' and '-', and begin with a letter or digit"
        )
    return text


def variable_name(text: str) -> str:
    """Of an environment variable."""
    if not text or "=" in text or not text.isprintable() or any(letter.isspace() for letter in text):
        raise ValueError(f"{text!r:.60} is no name of a variable; one has no '=' and no spaces")
    return text


def label_name(text: str) -> str:
    """Of a label that is not ours."""
    if text.startswith(LABELS_RESERVED):
        raise ValueError(f"the label {text!r:.80} is qrealm's own; choose another that does not begin so")
    if not text.strip() or "=" in text or not text.isprintable():
        raise ValueError(f"{text!r:.60} is no name of a label; one has no '=' and no line breaks")
    return text


def capability(text: str) -> str:
    """One of Linux's, as Docker writes them, ``CAP_`` before it or not."""
    if text.upper().removeprefix("CAP_") not in _CAPABILITIES:
        raise ValueError(f"{text!r:.60} is no capability; they are called as NET_ADMIN")
    return text


def user(text: str) -> str:
    """As whom it runs."""
    if not text or not text.isprintable() or any(letter.isspace() for letter in text):
        raise ValueError(f"{text!r:.60} is no user; write it as NAME, ID or ID:GROUP")
    return text


def working_dir(text: str) -> str:
    """Where its command begins."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r:.80} is no absolute path; it must begin with /")
    return plain_text(text, f"the folder {text!r:.80}")


def plain_text(text: str, told: str) -> str:
    """What a process can be given. `told` begins the message: what stands there may be a secret."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{told} is no text in UTF-8") from None
    if "\0" in text:
        raise ValueError(f"{told} has a NUL character")
    return text


def _one_line(text: str) -> str:
    """The least that is asked of what has a form of its own."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r:.80} must be text in one line")
    return text


def restart(policy: Restart) -> Restart:
    """When its engine starts it again."""
    if policy.retries_max and policy.name != "on-failure":
        raise ValueError("only on-failure takes a number of retries, as on-failure:3")
    if not 0 <= policy.retries_max <= COUNT_MAX:
        raise ValueError(f"{shown(policy.retries_max)} retries; there may be from 0 to {COUNT_MAX:,}")
    return policy


def check_s(value: float) -> float:
    """Seconds from one check of health to the next, or that one may last."""
    if not CHECK_S_MIN <= value <= CHECK_S_MAX:
        raise ValueError(f"must be from 1 ms to {CHECK_S_MAX:,} s; it is {shown(value)} s")
    return value


def start_period_s(value: float) -> float:
    """Seconds at first in which no failed check counts."""
    return value if value == 0 else check_s(value)


def retries(value: int) -> int:
    """Failures in a row that make it unhealthy."""
    if not 1 <= value <= COUNT_MAX:
        raise ValueError(f"must be from 1 to {COUNT_MAX:,}; it is {shown(value)}")
    return value


def grace_s(value: float) -> float:
    """Seconds from SIGTERM to SIGKILL."""
    if not 0 <= value <= GRACE_S_MAX:
        raise ValueError(f"a grace of {shown(value)} s; it must be from 0 to {GRACE_S_MAX:,}")
    return value


def shown(value: float) -> str:
    """A number in a message."""
    if isinstance(value, float):
        return f"{value:g}"
    # Python has whole numbers that it does not write.
    return f"{value:,}" if abs(value) < _WRITTEN_MAX else "more than can be written"


def memory(size_bytes: int) -> int:
    """How much a container may use."""
    if size_bytes < MEMORY_MIN:
        raise ValueError(f"{_bytes_shown(size_bytes)}; engines need at least {_bytes_shown(MEMORY_MIN)}")
    if size_bytes > MEMORY_MAX:
        raise ValueError(f"{_bytes_shown(size_bytes)}; the most is {_bytes_shown(MEMORY_MAX)}")
    return size_bytes


def _bytes_shown(size_bytes: int) -> str:
    return f"{shown(size_bytes)} bytes" if size_bytes % MIB else f"{shown(size_bytes // MIB)} MiB"


def _numbers_asked(pids_max: int) -> Parts:
    def cpus(spec: ContainerSpec) -> None:
        if not CPUS_MIN <= spec.limits.cpus <= CPUS_MAX:
            told = shown(spec.limits.cpus)
            raise ValueError(f"cpu={told}; it must be at least {CPUS_MIN}, and at most {CPUS_MAX:,}")

    def memory_limit(spec: ContainerSpec) -> None:
        try:
            memory(spec.limits.memory_bytes)
        except ValueError as problem:
            raise ValueError(f"a memory limit of {problem}") from None

    def pids(spec: ContainerSpec) -> None:
        count = spec.limits.pids
        if not 1 <= count <= pids_max:
            raise ValueError(f"a limit of {shown(count)} processes; it must be from 1 to {pids_max:,}")

    return (
        ("limits.cpus", "", cpus),
        ("limits.memory_bytes", "", memory_limit),
        ("limits.pids", "", pids),
        ("stop_grace_s", "", lambda spec: grace_s(spec.stop_grace_s)),
    )


def _ports(spec: ContainerSpec) -> None:
    for port in spec.ports:
        port_number(port.container_port)
        if port.host_port is not None:  # else the engine chooses one
            port_number(port.host_port)
        if port.host_ip:
            _one_line(port.host_ip)
    if (both := own_clash(published(spec))) is not None:
        raise ValueError(twice(both))


def _addresses(spec: ContainerSpec) -> None:
    for port in spec.ports:
        host_address(port.host_ip)


def _mounts(spec: ContainerSpec) -> None:
    for mount in spec.mounts:
        if mount.source.startswith("/"):
            plain_text(mount.source, f"the source {mount.source!r:.80}")
        else:
            _one_line(mount.source)
        mount_target(mount.target)


def _places(spec: ContainerSpec) -> None:
    taken: list[str] = []
    for mount in spec.mounts:
        mount_source(mount.source)
    for target in [each.target for each in spec.mounts] + [each.target for each in spec.tmpfs]:
        if fault := another_at(target, taken):
            raise ValueError(fault)
        taken.append(target)


def _memory_folders(spec: ContainerSpec) -> None:
    for folder in spec.tmpfs:
        memory_folder(folder)


def _environment(spec: ContainerSpec) -> None:
    for name, value in spec.environment.items():
        plain_text(value, f"the value of {_one_line(name)!r:.60}")


def _variable_names(spec: ContainerSpec) -> None:
    for name in spec.environment:
        variable_name(name)


def _labels(spec: ContainerSpec) -> None:
    for name, value in spec.labels.items():
        if name.startswith(LABELS_RESERVED):
            label_name(name)
        plain_text(value, f"the value of {_one_line(name)!r:.60}")


def _label_names(spec: ContainerSpec) -> None:
    for name in spec.labels:
        label_name(name)


def _words(words: Iterable[str] | None) -> None:
    for word in words or ():
        plain_text(word, f"the word {word!r:.60}")


def _health(spec: ContainerSpec) -> None:
    check = spec.health
    if check is None:
        return
    if not check.command:
        raise ValueError("it has no command")
    for word in check.command:
        plain_text(word, f"the word {word!r:.60}")
    for told, rule, value in _numbers_of(check):
        try:
            rule(value)
        except ValueError as problem:
            raise ValueError(f"its {told} {problem}") from None


def _health_command(spec: ContainerSpec) -> None:
    if spec.health is not None and spec.health.command[:1] == ("",):
        raise ValueError("it has no command")


def _numbers_of(check: HealthCheck) -> Iterable[tuple[str, Callable[..., float], float]]:
    return (
        ("interval", check_s, check.interval_s),
        ("timeout", check_s, check.timeout_s),
        ("start period", start_period_s, check.start_period_s),
        ("number of retries", retries, check.retries),
    )


def _network(spec: ContainerSpec) -> None:
    if spec.network is not None:
        _one_line(spec.network)
    if spec.network_made:
        of_others = spec.network is None or spec.network.startswith(_OF_OTHERS)
        if of_others or spec.network in _NETWORKS_OF_ENGINES:
            raise ValueError(f"{spec.network!r} cannot be made: a network that is made has a name of its own")
    for alias in spec.aliases:
        network(alias)


def _capabilities(spec: ContainerSpec) -> None:
    for each in spec.cap_add:
        capability(each)


def _capability_lines(spec: ContainerSpec) -> None:
    for each in spec.cap_add:
        _one_line(each)


Rule = Callable[[str], str]
Parts = Sequence[tuple[str, str, Callable[[ContainerSpec], object]]]
"""A field, what a message calls it (nothing where the rule says it), and the rule for it."""


def _optional(name: str, rule: Rule) -> Callable[[ContainerSpec], None]:
    def check(spec: ContainerSpec) -> None:
        if (value := getattr(spec, name)) is not None:
            rule(value)

    return check


def _folder(text: str) -> str:
    return plain_text(text, f"the folder {text!r:.80}")


_HINTS = {
    "ports": "publish another port, or let the engine choose one",
    "cap_add": "name it as Linux does, for example NET_ADMIN or SYS_TIME",
    "limits.memory_bytes": "give it from 6 MiB to 1 EiB: 6m where text is read, 6 << 20 bytes in Python",
}
_HELD: Parts = (
    ("ports", "ports", _ports),
    ("mounts", "volumes", _mounts),
    ("tmpfs", "folders in memory", _memory_folders),
    ("environment", "environment", _environment),
    ("labels", "labels", _labels),
    ("entrypoint", "command", lambda spec: _words(spec.entrypoint)),
    ("command", "command", lambda spec: _words(spec.command)),
    ("health", "health check", _health),
    ("restart", "restart policy", lambda spec: restart(spec.restart)),
    ("network", "network", _network),
    ("hostname", "hostname", _optional("hostname", _one_line)),
    ("user", "user", _optional("user", _one_line)),
    ("working_dir", "working folder", _optional("working_dir", _folder)),
    ("cap_add", "capabilities", _capability_lines),
)
_ASKED: Parts = (
    ("ports", "ports", _addresses),
    ("mounts", "volumes", _places),
    ("environment", "environment", _variable_names),
    ("labels", "labels", _label_names),
    ("health", "health check", _health_command),
    ("network", "network", _optional("network", network)),
    ("hostname", "hostname", _optional("hostname", hostname)),
    ("user", "user", _optional("user", user)),
    ("working_dir", "working folder", _optional("working_dir", working_dir)),
    ("cap_add", "capabilities", _capabilities),
)
