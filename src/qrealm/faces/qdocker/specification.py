"""From Docker's words on the command line to a container's specification, as JSON for the daemon."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.times import read_duration

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_SIZE_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_PORT_MAX = 65535
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9-]+)*")
_HOSTNAME_LETTERS = 63
_MODE = re.compile(r"0?[0-7]{3,4}")


def read_memory(text: str, option: str = "--memory") -> int:
    """Bytes of ``"512"`` (MiB), ``"512m"``, ``"1g"``. Raises RequestError."""
    size = _size(text, "m")
    if size is None:
        raise RequestError(
            f"{option} got {text!r:.40}; the rule is a number of MiB, or one with b, k, m, g or t",
            hint="for example 512, 512m, 1g",
        )
    return size


def _size(text: str, unit_default: str) -> int | None:
    """Bytes; None for what is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = match.groups()
    return round(float(number) * _SIZE_UNITS[unit.lower() or unit_default])


def read_environment(words: Sequence[str] | None, files: Sequence[Path] | None) -> dict[str, str]:
    """Variables of ``--env-file`` and then ``--env``, which wins. Raises RequestError."""
    found: dict[str, str] = {}
    for file in files or ():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise RequestError(f"--env-file {str(file)!r} cannot be read: {problem}") from problem
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.lstrip().startswith("#"):
                _set_variable(found, line.lstrip(), f"--env-file {file}, line {number},")
    for word in words or ():
        _set_variable(found, word, "--env")
    return found


def _set_variable(found: dict[str, str], word: str, option: str) -> None:
    name, sign, value = word.partition("=")
    if not name or any(letter.isspace() for letter in name):
        raise RequestError(f"{option} got {word!r:.60}; the rule is NAME=VALUE or NAME")
    if sign:
        found[name] = value
    elif name in os.environ:  # as Docker: a name that is not set here is not set there
        found[name] = os.environ[name]


def read_labels(words: Sequence[str] | None) -> dict[str, str]:
    """Labels of ``KEY=VALUE`` or ``KEY``. Raises RequestError."""
    found = {}
    for word in words or ():
        key, _, value = word.partition("=")
        if not key:
            raise RequestError(f"--label got {word!r:.60}; the rule is KEY=VALUE or KEY")
        found[key] = value
    return found


def read_mount(word: str) -> dict[str, Any]:
    """A mount of ``SOURCE:TARGET[:ro|rw]``. Raises RequestError."""
    parts = word.split(":")
    mode = parts.pop() if len(parts) == 3 else "rw"
    if len(parts) != 2 or not all(parts) or mode not in ("ro", "rw") or not parts[1].startswith("/"):
        raise RequestError(
            f"--volume got {word!r:.80}; the rule is SOURCE:TARGET[:ro], TARGET beginning with /",
            hint="for example -v /srv/data:/data:ro, or -v cache:/var/cache for a named volume",
        )
    source = parts[0]
    if source.startswith((".", "~")):
        source = str(Path(os.path.normpath(Path(source).expanduser().absolute())))
    return {"source": source, "target": parts[1], "read_only": mode == "ro"}


def read_tmpfs(word: str) -> dict[str, Any]:
    """A folder in memory of ``TARGET[:size=SIZE,mode=MODE]``; as Docker, a size without a unit is in bytes.
    Raises RequestError."""
    target, _, rest = word.partition(":")
    found: dict[str, Any] = {"target": target, "size_bytes": None, "mode": None}
    right = target.startswith("/") and target != "/"
    for each in rest.split(",") if rest else ():
        name, _, value = each.partition("=")
        size = _size(value, "b") if name == "size" else None
        if size:
            found["size_bytes"] = size
        elif name == "mode" and _MODE.fullmatch(value):
            found["mode"] = int(value, 8)
        else:
            right = False
    if not right:
        raise RequestError(
            f"--tmpfs got {word!r:.80}; the rule is TARGET[:size=SIZE,mode=MODE], TARGET beginning with / "
            "and not / itself",
            hint="for example --tmpfs /run, --tmpfs /tmp:size=64m,mode=1777",
        )
    return found


def read_hostname(text: str | None) -> str | None:
    """What a container calls itself. Raises RequestError."""
    if text is not None and (len(text) > _HOSTNAME_LETTERS or not _HOSTNAME.fullmatch(text)):
        raise RequestError(
            f"--hostname got {text!r:.80}; the rule is letters, digits, '-' and '.', at most "
            f"{_HOSTNAME_LETTERS}, beginning with a letter or digit"
        )
    return text


def read_ports(word: str) -> list[dict[str, Any]]:
    """Ports of ``[[IP:][HOST]:]CONTAINER[/tcp|udp]``; ranges of equal length. Raises RequestError."""
    match = re.fullmatch(
        r"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<host>\d*(?:-\d+)?):)?"
        r"(?P<own>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp))?",
        word,
    )
    if match is None:
        raise _port_rule(word)
    own = _port_range(match["own"], word)
    host: Sequence[int | None] = [None] * len(own)
    if match["host"] and match["host"] != "0":  # 0: the engine chooses, as in Docker
        host = _port_range(match["host"], word)
    if len(host) != len(own):
        raise _port_rule(word)
    return [
        {
            "container_port": inner,
            "host_port": outer,
            "protocol": match["protocol"] or "tcp",
            "host_ip": (match["ip"] or "").strip("[]"),
        }
        for inner, outer in zip(own, host, strict=True)
    ]


def _port_range(text: str, word: str) -> Sequence[int]:
    first, _, last = text.partition("-")
    if not first:
        raise _port_rule(word)
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > _PORT_MAX:
        raise _port_rule(word)
    return ports


def _port_rule(word: str) -> RequestError:
    return RequestError(
        f"--publish got {word!r:.60}; the rule is [[IP:][HOST]:]CONTAINER[/tcp|udp], ports from 1 to "
        f"{_PORT_MAX}, ranges of equal length",
        hint="for example -p 8080:80, -p 127.0.0.1:5353:53/udp, -p 8000-8002:80-82",
    )


def read_restart(word: str) -> dict[str, Any]:
    """A restart policy. Raises RequestError."""
    name, sign, count = word.partition(":")
    if name not in ("no", "always", "unless-stopped", "on-failure") or (
        sign and not (name == "on-failure" and count.isdigit())
    ):
        raise RequestError(
            f"--restart got {word!r:.40}; there are no, always, unless-stopped, "
            "on-failure and on-failure:COUNT"
        )
    return {"name": name, "retries_max": int(count or 0)}


def read_health(
    command: str | None,
    interval: str | None,
    timeout: str | None,
    retries: int | None,
    start_period: str | None,
) -> dict[str, Any] | None:
    """A health check, run by the container's shell. Raises RequestError, also for the other options without
    a command: the image's own check cannot be changed."""
    found: dict[str, Any] = {}
    durations = (("interval", interval), ("timeout", timeout), ("start-period", start_period))
    for name, text in durations:
        if text is not None:
            found[f"{name.replace('-', '_')}_s"] = read_duration(text, f"--health-{name}")
    if retries is not None:
        if retries < 1:
            raise RequestError(f"--health-retries got {retries}; the rule is a number from 1")
        found["retries"] = retries
    if command is None:
        if found:
            option = next(iter(found)).removesuffix("_s").replace("_", "-")
            raise RequestError(
                f"--health-{option} got a value without --health-cmd; it belongs to a check of its own",
                hint="name the check with --health-cmd; without it the image's own runs as it was built",
            )
        return None
    return {"command": ["/bin/sh", "-c", command], **found}
