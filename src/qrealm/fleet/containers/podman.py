"""Containers on Podman, through its Docker-compatible socket."""

from __future__ import annotations

from qrealm.fleet.containers.docker import DockerDriver


class PodmanDriver(DockerDriver):
    """A `ContainerDriver` for Podman 4 and later, through ``podman.socket`` or ``podman system service``."""

    engine = "Podman"
    url_default = "unix:///run/podman/podman.sock"
    unavailable_hint = "start it (systemctl start podman.socket), or name the engine's own url"
