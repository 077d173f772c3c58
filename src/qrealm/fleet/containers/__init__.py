"""Drivers for container engines: one row each, loaded on use."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

from qrealm.base.errors import RequestError
from qrealm.fleet.containers.addresses import check_url
from qrealm.fleet.containers.connection import knock
from qrealm.fleet.containers.protocol import ContainerDriver, Endpoint

_PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DriverRow:
    """One driver.

    Attributes:
        name: as in `Endpoint.driver`.
        about: one line of help.
        extra: the extra of qrealm that it needs; None for none.
        urls: where such an engine usually is, in the order in which they are tried.
        simulated: whether its containers are nothing but records.
    """

    name: str
    about: str
    extra: str | None
    urls: tuple[str, ...]
    simulated: bool
    module: str
    class_name: str

    def load(self) -> type:
        """The driver's class. Its package is imported when one is made."""
        found: type = getattr(importlib.import_module(self.module), self.class_name)
        return found


def _run_dir() -> str:
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def _rows() -> dict[str, DriverRow]:
    home = f"{__name__}."
    docker_urls = (
        "unix:///var/run/docker.sock",
        f"unix://{_run_dir()}/docker.sock",
        f"unix://{Path.home()}/.docker/run/docker.sock",
    )
    podman_urls = ("unix:///run/podman/podman.sock", f"unix://{_run_dir()}/podman/podman.sock")
    rows = (
        DriverRow(
            "docker",
            "Docker, here or through TLS or ssh",
            "docker",
            docker_urls,
            False,
            f"{home}docker",
            "DockerDriver",
        ),
        DriverRow(
            "podman",
            "Podman, through its socket",
            "docker",
            podman_urls,
            False,
            f"{home}podman",
            "PodmanDriver",
        ),
        DriverRow(
            "swarm",
            "one node of a Docker swarm",
            "docker",
            docker_urls[:1],
            False,
            f"{home}swarm",
            "SwarmDriver",
        ),
        DriverRow(
            "simulated",
            "no engine: containers are records, and nothing runs",
            None,
            ("simulated://local",),
            True,
            f"{home}simulated",
            "SimulatedDriver",
        ),
    )
    return {row.name: row for row in rows}


DRIVERS = _rows()


def connect(endpoint: Endpoint, timeout_s: float = 10.0) -> ContainerDriver:
    """The driver of an endpoint. It speaks to the engine with its first call, not here.

    Args:
        endpoint: where the engine is; an empty url means the first of the driver's urls.
        timeout_s: how long each call may wait for an answer.

    Raises:
        RequestError: no such driver, or a url of no kind that it knows.
        MissingExtraError: the driver's package is not installed.
    """
    if (row := DRIVERS.get(endpoint.driver)) is None:
        raise RequestError(
            f"there is no driver {endpoint.driver!r}; there are {', '.join(DRIVERS)}",
            hint="; ".join(f"{each.name}: {each.about}" for each in DRIVERS.values()),
        )
    if not row.simulated:
        check_url(endpoint.url)
    driver: ContainerDriver = row.load()(endpoint, timeout_s)
    return driver


def detect(folder: str | None = None) -> Endpoint:
    """The engine that is here: ``DOCKER_HOST`` where it is set, else the first socket of Docker or Podman
    that takes a connection, else `simulated`.

    Args:
        folder: where simulated containers are kept.
    """
    if url := os.environ.get("DOCKER_HOST"):
        return _from_environment(url)
    for name in ("docker", "podman"):
        for url in DRIVERS[name].urls:
            if _answers(url):
                return Endpoint(name, url)
    return Endpoint("simulated", DRIVERS["simulated"].urls[0], folder=folder)


def _from_environment(url: str) -> Endpoint:
    name = "podman" if "podman" in url else "docker"
    certificates = os.environ.get("DOCKER_CERT_PATH")
    if not os.environ.get("DOCKER_TLS_VERIFY") or not url.startswith("tcp://"):
        return Endpoint(name, url)
    folder = Path(certificates) if certificates else Path.home() / ".docker"
    paths = [str(folder / file) for file in ("ca.pem", "cert.pem", "key.pem")]
    return Endpoint(name, url, tls_ca=paths[0], tls_cert=paths[1], tls_key=paths[2])


def _answers(url: str) -> bool:
    try:
        knock(url, _PROBE_SECONDS)
    except OSError:
        return False
    return True
