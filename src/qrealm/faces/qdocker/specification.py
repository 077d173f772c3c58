"""From Docker's words on the command line to a container's specification, as JSON for the daemon.

What reads the words is loaded only when there are any, so that a short command is quick.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from qrealm.base.errors import QrealmError, RequestError
from qrealm.faces.qdocker.times import read_duration

T = TypeVar("T")


def _read(option: str, word: str, read: Callable[[str], T], hint: str) -> T:
    """A word by the rules that files have for it. Raises RequestError."""
    try:
        return read(word)
    except ValueError as problem:
        raise RequestError(f"{option} got {_said(word, str(problem))}", hint=hint) from problem


def _said(word: str, told: str) -> str:
    """What is wrong with a word, after "got"."""
    if not told.startswith(repr(word)):
        return f"{word!r:.80}: {told}"
    rest = told.removeprefix(repr(word))
    return told if rest.startswith(":") else f"{word!r}, which{rest}"


def read_memory(text: str, option: str = "--memory") -> int:
    """Bytes of ``"512"`` (MiB), ``"512m"``, ``"1g"``. Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "a number is of MiB, or has b, k, m, g or t: 512, 512m, 1g"
    return _read(option, text, lambda word: short_forms.memory_bytes(word, "m"), hint)


def read_limit(text: str) -> int:
    """The same for what a container may use. Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "a number is of MiB, or has b, k, m, g or t: 512, 512m, 1g"
    return _read("--memory", text, lambda word: short_forms.container_memory(word, "m"), hint)


def read_capability(word: str) -> str:
    """A capability of Linux. Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "for example --cap-add NET_ADMIN"
    return _read("--cap-add", word, short_forms.capability, hint)


def read_angle(text: str) -> float:
    """Radians: a number, or arithmetic with pi, as circuits have it. Raises RequestError."""
    try:
        if math.isfinite(found := float(text)):
            return found
    except ValueError:
        # Loaded only where it is needed, as it takes longer than most commands.
        from qrealm.circuits.formats.arithmetic import evaluate

        with suppress(QrealmError, TypeError):
            return float(evaluate(text, ()))
    raise RequestError(
        f"--angle got {text!r:.60}; the rule is a finite number of radians, or arithmetic with pi",
        hint="for example --angle 1.5708, --angle pi/2, --angle=-3*pi/4",
    )


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
    from qrealm.control.containers import short_forms

    try:
        name, value = short_forms.variable(word)
    except ValueError as problem:
        # What stands behind the name may be a secret.
        told = _said(word.partition("=")[0], str(problem))
        raise RequestError(f"{option} got {told}", hint="write NAME=VALUE or NAME") from problem
    if value is not None:
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
    from qrealm.control.containers import short_forms

    hint = "for example -v /srv/data:/data:ro, or -v cache:/var/cache for a named volume"
    return asdict(_read("--volume", word, lambda text: short_forms.mount(text, Path()), hint))


def read_tmpfs(word: str) -> dict[str, Any]:
    """A folder in memory of ``TARGET[:size=SIZE,mode=MODE]``; as Docker, a size without a unit is in bytes.
    Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "for example --tmpfs /run, --tmpfs /tmp:size=64m,mode=1777"
    return asdict(_read("--tmpfs", word, short_forms.tmpfs, hint))


def read_ports(word: str) -> list[dict[str, Any]]:
    """Ports of ``[[IP:][HOST]:]CONTAINER[/tcp|udp]``; ranges of equal length. Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "for example -p 8080:80, -p 127.0.0.1:5353:53/udp, -p 8000-8002:80-82"
    return [asdict(port) for port in _read("--publish", word, short_forms.ports, hint)]


def read_restart(word: str) -> dict[str, Any]:
    """A restart policy. Raises RequestError."""
    from qrealm.control.containers import short_forms

    hint = "for example --restart unless-stopped, --restart on-failure:3"
    return asdict(_read("--restart", word, short_forms.restart, hint))


def read_health(
    command: str | None,
    interval: str | None,
    timeout: str | None,
    retries: int | None,
    start_period: str | None,
) -> dict[str, Any] | None:
    """A health check, run by the container's shell. Raises RequestError, also for the other options without
    a command: the image's own check cannot be changed. As in Docker, a duration of 0 is the usual one."""
    found: dict[str, Any] = {}
    durations = (("interval", interval), ("timeout", timeout), ("start-period", start_period))
    for name, text in durations:
        if text is not None:
            found[f"{name.replace('-', '_')}_s"] = read_duration(text, f"--health-{name}")
    if retries is not None:
        found["retries"] = retries
    if command is None:
        if found:
            option = next(iter(found)).removesuffix("_s").replace("_", "-")
            raise RequestError(
                f"--health-{option} got a value without --health-cmd; it belongs to a check of its own",
                hint="name the check with --health-cmd; without it the image's own runs as it was built",
            )
        return None
    given = {name: value for name, value in found.items() if value != 0 or name == "retries"}
    return {"command": ["/bin/sh", "-c", command], **given}
