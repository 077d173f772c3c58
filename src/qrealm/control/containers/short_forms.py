"""The short forms that Docker's users know: ``512m``, ``1m30s``, ``8080:80/tcp``, ``data:/var/lib:ro``.

Every function raises ValueError, in words, for what it cannot read.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Literal, cast

from qrealm.fleet.containers import rules
from qrealm.fleet.containers.protocol import Mount, Port, Restart, RestartName, Tmpfs

MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?", re.IGNORECASE)
MEMORY_POWERS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)")
DURATION_S = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9]+\.[0-9.]+):)?(?:(?P<host>\d*(?:-\d+)?):)?(?P<inside>\d+(?:-\d+)?)"
    r"(?:/(?P<protocol>\w+))?"
)
MODE = re.compile(r"0?[0-7]{3,4}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
PLAIN_VALUE = re.compile(r"""'[^']*'|"[^"\\$`]*"|(?![\'"#])(?:[^$"'\s]|[ \t](?!#))*""")
RESTARTS: tuple[RestartName, ...] = ("no", "always", "unless-stopped", "on-failure")


def memory_bytes(text: str, unit: str = "b") -> int:
    """``"512m"``, ``"1.5g"``, ``"1073741824"``, ``"64kb"``: units of 1024, as in Docker; `unit` is that of
    a number alone."""
    found = MEMORY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no amount of memory; write it as 512m or 1g")
    amount = float(found[1]) * (1 << MEMORY_POWERS[found[2].lower() or unit])
    if amount > rules.MEMORY_MAX:
        raise ValueError(f"{text!r:.60} is more memory than there can be")
    return round(amount)


def container_memory(text: str, unit: str = "b") -> int:
    """The same for what a container may use."""
    size = memory_bytes(text, unit)
    if size < rules.MEMORY_MIN:
        alone = text.strip()[-1:].isdigit()
        told = f"{text} {'MiB' if unit == 'm' else 'bytes'}" if alone else text
        raise ValueError(f"must be {rules.MEMORY_MIN >> 20}m or more; it is {told:.60}")
    return size


def capability(text: str) -> str:
    """``NET_ADMIN`` or ``CAP_NET_ADMIN``."""
    return rules.capability(text)


def duration_s(text: str) -> float:
    """``"1m30s"``, ``"500ms"``, ``"1.5h"``: seconds."""
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no length of time; write it as 30s or 1m30s")
    return sum(float(number) * DURATION_S[unit] for number, unit in parts)


def restart(text: str) -> Restart:
    """``no``, ``always``, ``unless-stopped``, ``on-failure`` or ``on-failure:3``."""
    name, colon, retries = text.partition(":")
    if name not in RESTARTS:
        raise ValueError(f"{text!r} is no restart policy; it must be one of {', '.join(RESTARTS)}")
    if colon and (name != "on-failure" or not retries.isdecimal()):
        raise ValueError(f"{text!r}: only on-failure takes a number of retries, as on-failure:3")
    return rules.restart(Restart(name, int(retries or 0)))


def ports(text: str) -> tuple[Port, ...]:
    """``80``, ``8080:80``, ``127.0.0.1:8080:80/udp``, ``[::1]::80``, ``8000-8002:80-82``."""
    found = PORT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no port; write it as 8080:80, 80, or 127.0.0.1:8080:80/tcp")
    inside = _span(found["inside"])
    # Without a host's port the engine chooses one; 0 says the same.
    host = _span(found["host"]) if found["host"] else []
    if host == [0]:
        host = []
    if host and len(host) != len(inside):
        raise ValueError(f"{text!r}: {len(host)} ports of the host for {len(inside)} of the container")
    return tuple(
        Port(
            container_port=rules.port_number(port),
            host_port=rules.port_number(host[index]) if host else None,
            protocol=port_protocol(found["protocol"] or "tcp"),
            host_ip=rules.host_address((found["ip"] or "").strip("[]")),
        )
        for index, port in enumerate(inside)
    )


def _span(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not dash:
        return [int(first)]
    if not first or int(first) > int(last) or int(last) > rules.PORT_MAX:
        raise ValueError(f"{text!r} is no range of ports")
    return list(range(int(first), int(last) + 1))


def port_protocol(text: str) -> Literal["tcp", "udp"]:
    """``tcp`` or ``udp``."""
    if text not in ("tcp", "udp"):
        raise ValueError(f"{text!r} is no protocol of ports; it must be tcp or udp")
    return cast(Literal["tcp", "udp"], text)


def mount(text: str, folder: Path) -> Mount:
    """``NAME:/inside``, ``/host/folder:/inside:ro``, ``./near:/inside``; relative ones begin at `folder`."""
    source, colon, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not colon:
        raise ValueError(f"{text!r} has no source; write it as NAME:/inside or /host/folder:/inside")
    if options not in ("", "ro", "rw"):
        raise ValueError(f"{text!r}: the option {options!r} is not supported; there are ro and rw")
    return Mount(mount_source(source, folder), rules.mount_target(target), options == "ro")


def mount_source(text: str, folder: Path) -> str:
    """A host folder as an absolute path, or the name of a volume."""
    if text.startswith(("/", "./", "../", "~/")) or text in (".", "..", "~"):
        path = (folder / Path(text).expanduser()).absolute()
        # Resolving would follow links, which may point elsewhere on the machine that the containers run on.
        parts: list[str] = []
        for part in path.parts[1:]:
            if part == "..":
                del parts[-1:]
            else:
                parts.append(part)
        return "/" + "/".join(parts)
    if text.startswith("."):
        raise ValueError(f"{text!r:.80} is no name of a volume; a folder is written {'./' + text!r:.80}")
    return rules.mount_source(text)


def tmpfs(text: str) -> Tmpfs:
    """``/run``, ``/tmp:size=64m,mode=1777``."""
    target, _, rest = text.partition(":")
    size = mode = None
    said: set[str] = set()
    for option in rest.split(",") if rest else ():
        name, _, value = option.partition("=")
        if name in said:
            raise ValueError(f"{text!r}: the option {name!r} stands twice")
        said.add(name)
        if name == "size":
            size = memory_bytes(value)
        elif name == "mode" and MODE.fullmatch(value):
            mode = int(value, 8)
        else:
            known = "there are size=64m and mode=1777"
            raise ValueError(f"{text!r}: the option {option!r} is not supported; {known}")
    return rules.memory_folder(Tmpfs(target, size, mode))


def variable(text: str) -> tuple[str, str | None]:
    """``NAME=value``, or ``NAME``, which has None."""
    name, equals, value = text.partition("=")
    return rules.variable_name(name), value if equals else None


def variables(text: str) -> dict[str, str | None]:
    """The lines of a file of environment variables: ``NAME=value``, quotes around the value taken off; a name
    alone has None. Empty lines and those that begin with # say nothing. What Compose would change in a value,
    such as a dollar sign outside single quotes, is refused."""
    found: dict[str, str | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        told = line.strip()
        if not told or told.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in told.removeprefix("export ").partition("="))
        # What stands there may be a secret, and is not told.
        if not VARIABLE.fullmatch(name):
            raise ValueError(f"line {number} is not NAME=value")
        if not PLAIN_VALUE.fullmatch(value):
            raise ValueError(
                f"line {number}: the value of {name} has a dollar sign, a comment, a backslash or a quote; "
                "what is meant as it stands goes between single quotes"
            )
        found[name] = (value[1:-1] if value[:1] in ("'", '"') else value) if equals else None
    return found


def words(text: str) -> tuple[str, ...]:
    """A command line cut into words as a shell does, without running anything."""
    try:
        return tuple(shlex.split(text))
    except ValueError as problem:
        raise ValueError(f"{text!r} cannot be cut into words: {str(problem).lower()}") from None
