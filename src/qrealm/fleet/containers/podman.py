"""Containers on Podman, through its Docker-compatible socket.

What Podman does otherwise, and stays so: images of no registry are called ``localhost/NAME``; processor
cores are not compared with what the host has; a host folder that is not there is noticed at the start; of a
start that failed it keeps neither error nor exit code.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from qrealm.base.errors import EngineRefusalError, NoSuchContainerError
from qrealm.fleet.containers.docker import DockerDriver, short
from qrealm.fleet.containers.docker_form import NANO, UNNAMED, facts_of, seconds_of
from qrealm.fleet.containers.protocol import ContainerFacts, ContainerSpec, ContainerState, Endpoint

LABEL_MOUNTED = "io.qrealm.mounted"
"""Label of a container: the volumes it mounts whose names look like Podman's own, joined with commas."""

_SHELLS = (("/bin/sh", "-c"), ("sh", "-c"))
_KEEPS_WORDS = (5, 8)
"""The first version that keeps the words of a health check as they are."""
_NOT_KEPT = re.compile(r"\s\s|[^\S ]|^\s|\s$")
"""White space in a check that Podman would not give back as it was."""


class PodmanDriver(DockerDriver):
    """A `ContainerDriver` for Podman 4 and later, through ``podman.socket`` or ``podman system service``.

    Podman has timers of systemd run its health checks. Where there is no systemd nobody runs them, so looking
    at a container runs the check that is due.
    """

    engine = "Podman"
    url_default = "unix:///run/podman/podman.sock"
    exec_noise = re.compile(rb"^Error: read unixpacket [^\r\n]*: connection reset by peer\r?\n", re.MULTILINE)
    unavailable_hint = "start it (systemctl start podman.socket), or name the engine's own url"

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        super().__init__(endpoint, timeout_s)
        self._version: tuple[int, ...] | None = None

    def _body(self, spec: ContainerSpec) -> dict[str, Any]:
        body = super()._body(spec)
        body["Labels"][LABEL_MOUNTED] = ",".join(
            dict.fromkeys(mount.source for mount in spec.mounts if UNNAMED.fullmatch(mount.source))
        )
        if spec.health is not None and not are_plain(spec.health.command) and not self._keeps_words():
            body["Healthcheck"]["Test"] = check_words(spec.health.command)
        return body

    def _keeps_words(self) -> bool:
        if self._version is None:
            with self._wire.calling("version") as client:
                self._version = version_of(client.version())
        return self._version >= _KEEPS_WORDS

    def _removed(self, engine_id: str, force: bool, volumes: bool) -> Mapping[str, str]:
        """The same, with the volumes that Docker would remove. Podman would also remove one that it had named
        for an earlier container, and that this one mounts by that name. Where no label tells of those, as in
        containers that others made, all volumes stay."""
        if not volumes:
            return super()._removed(engine_id, force, volumes=False)
        try:
            facts = super().inspect(engine_id)
        except NoSuchContainerError:
            return {}
        mounted = facts.labels.get(LABEL_MOUNTED)
        labels = super()._removed(engine_id, force, volumes=mounted == "")
        if mounted:
            for name in sorted(set(facts.volume_names.values()) - set(mounted.split(","))):
                self._remove_volume(name)
        return labels

    def _remove_volume(self, name: str) -> None:
        try:
            with self._wire.calling(f"remove volume {short(name)}") as client:
                client.remove_volume(name)
        except EngineRefusalError:
            pass  # another container uses it, or somebody has removed it

    def inspect(self, engine_id: str) -> ContainerFacts:
        doing = f"inspect {short(engine_id)}"
        with self._wire.calling(doing) as client:
            told = client.inspect_container(engine_id)
            if not check_is_due(told, time.time()):
                return facts_of(told)
            try:
                path = f"/libpod/containers/{engine_id}/healthcheck"
                self._wire.request(client, "GET", path, doing).close()
            except EngineRefusalError:
                pass  # it has ended meanwhile; the next look tells
            return facts_of(client.inspect_container(engine_id))

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        # Its list says nothing of health, and looking is what has checks run where there is no systemd.
        return self.find(labels)


def version_of(told: Mapping[str, Any]) -> tuple[int, ...]:
    """Main and minor version in what ``GET /version`` says; nothing where it says none."""
    found = re.match(r"([0-9]+)\.([0-9]+)", str(told.get("Version") or ""))
    return tuple(map(int, found.groups())) if found else ()


def are_plain(command: Sequence[str]) -> bool:
    """Whether words are the same when they were joined with spaces and split there again."""
    return all(word and not re.search(r"\s", word) for word in command)


def check_words(command: Sequence[str]) -> list[str]:
    """A health check's words for Podman until 5.7, which joins them with spaces and splits them there again:
    what needs more than plain words is left to the image's shell, which gets them joined."""
    words = tuple(command)
    if are_plain(words):
        return ["CMD", *words]
    script = words[2] if len(words) == 3 and words[:2] in _SHELLS else shlex.join(words)
    if _NOT_KEPT.search(script):
        script = f"eval \"$(printf %b '{''.join(map(_in_octal, script))}')\""
    return ["CMD-SHELL", script]


def _in_octal(sign: str) -> str:
    """What `printf %b` prints as this sign, with no white space, quote or backslash of the sign's own."""
    if not (sign.isspace() or sign in "\\'"):
        return sign
    return "".join(f"\\0{byte:03o}" for byte in sign.encode())


def check_is_due(told: Mapping[str, Any], now: float) -> bool:
    """Whether a running container's health check is overdue by half an interval, as systemd's never is."""
    check = told["Config"].get("Healthcheck") or {}
    if not check.get("Test") or told["State"]["Status"] != ContainerState.RUNNING:
        return False
    health = told["State"].get("Health") or told["State"].get("Healthcheck") or {}
    last = [seconds_of(entry.get("End")) for entry in health.get("Log") or ()]
    since = max([moment for moment in last if moment is not None], default=None)
    if since is None:
        since = seconds_of(told["State"].get("StartedAt"))
    return since is not None and now - since > 1.5 * check.get("Interval", 30 * NANO) / NANO
