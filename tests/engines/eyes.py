"""What an engine itself says of its containers, through Docker's own command: nothing here is shared with the
driver that is tested."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from engines.docker_engine import why_no_docker

_SECONDS_MAX = 60


def why_no_eyes() -> str | None:
    """Why no engine can be started and looked at here; None when one can."""
    if shutil.which("docker") is None:
        return "docker: its command is not found (Debian: apt-get install docker.io)"
    return why_no_docker()


def docker(url: str, *words: str) -> str:
    """Run a command of Docker at an engine; what it prints. CalledProcessError when it fails."""
    done = subprocess.run(
        ["docker", "-H", url, *words], capture_output=True, text=True, timeout=_SECONDS_MAX, check=True
    )
    return done.stdout


def answers(url: str) -> bool:
    """Whether there is an engine."""
    try:
        docker(url, "version")
    except subprocess.SubprocessError:
        return False
    return True


def inspect(url: str, name: str) -> dict[str, Any]:
    """What ``docker inspect`` says of a container. An engine that has none of this name looks for an id that
    begins so, and such a stranger is none."""
    found: list[dict[str, Any]] = json.loads(docker(url, "container", "inspect", name))
    assert name in (found[0]["Name"].removeprefix("/"), found[0]["Id"]), (name, found[0]["Name"])
    return found[0]


def states(url: str) -> dict[str, str]:
    """The state of every container, stopped ones too, by name."""
    lines = docker(url, "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.State}}").splitlines()
    return dict(line.split() for line in lines)


def running(url: str) -> set[str]:
    """Names of the containers that run."""
    return {name for name, state in states(url).items() if state == "running"}


def seen(url: str, name: str, action: str, since: float) -> list[float]:
    """When something happened to a container, such as ``"start"`` or ``"die"``: seconds since 1970 UTC.

    Args:
        name: whole, or its whole id.
        since: what was before is left out; likewise seconds since 1970 UTC.
    """
    words = ["--since", f"{since:.6f}", "--until", f"{time.time():.6f}", "--format", "{{json .}}"]
    lines = docker(url, "events", *words, "-f", "type=container", "-f", f"event={action}").splitlines()
    # Its own filter by name also finds those whose id begins so.
    actors = [(each["Actor"], each) for each in map(json.loads, lines)]
    told = [each for actor, each in actors if name in (actor["Attributes"]["name"], actor["ID"])]
    return [each["timeNano"] / 1e9 for each in told]


def clean(urls: Sequence[str]) -> None:
    """Remove all containers and named volumes of engines, as far as these answer."""
    for url in urls:
        with suppress(subprocess.SubprocessError):
            if ids := docker(url, "ps", "-aq").split():
                docker(url, "rm", "-f", "-v", *ids)
            if names := docker(url, "volume", "ls", "-q").split():
                docker(url, "volume", "rm", "-f", *names)
