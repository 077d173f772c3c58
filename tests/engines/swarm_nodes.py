"""Several Docker engines of one swarm on one machine: each in a network of its own, under a host name of its
own, joined by a bridge. Their sockets lie in the file system, so each is also reached by itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from engines.docker_engine import DockerEngine, free_number
from engines.eyes import docker, why_no_eyes
from engines.image import load_image

_JOIN_SECONDS = 60.0
_TOOLS = ("ip", "nsenter", "unshare", "hostname")


def why_no_swarm() -> str | None:
    """Why no swarm of several members can be made here; None when one can."""
    if missing := [name for name in _TOOLS if shutil.which(name) is None]:
        return (
            f"docker: {', '.join(missing)} not found (Debian: apt-get install iproute2 util-linux hostname)"
        )
    if (reason := why_no_eyes()) is not None:
        return reason
    # In a container without the right to, root alone is not enough.
    made = subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True, check=False)
    return None if made.returncode == 0 else "docker: a swarm of several members needs namespaces of networks"


class Member(DockerEngine):
    """One dockerd of a swarm.

    Args:
        name: its host name, and its network's.
        bridge: that joins the members' networks.
        address: in the bridge's network, such as ``"10.214.7.1"``.
    """

    def __init__(self, name: str, bridge: str, address: str) -> None:
        inside = ["nsenter", f"--net=/var/run/netns/{name}", "unshare", "--uts", "sh", "-c"]
        super().__init__(within=[*inside, f'hostname {name}; exec "$0" "$@"'])
        self.name = name
        self.address = address
        self._wire = f"{name}v"
        self._joined = bridge

    def plug_in(self) -> None:
        """Make its network."""
        name, wire = self.name, self._wire
        self._unplug()  # what a run that was killed has left
        _ip("netns", "add", name)
        _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", wire, "master", self._joined, "up")
        _ip("-n", name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def cut_off(self) -> None:
        """Take its network cable out; its containers and its socket stay."""
        _ip("link", "set", self._wire, "down")

    def reconnect(self) -> None:
        """Put the cable in again."""
        _ip("link", "set", self._wire, "up")

    def close(self) -> None:
        super().close()
        self._unplug()

    def _unplug(self) -> None:
        for words in (["link", "del", self._wire], ["netns", "del", self.name]):
            with suppress(subprocess.CalledProcessError):
                _ip(*words)


@contextmanager
def swarm(count: int, *, heartbeat: str | None = "1s") -> Iterator[list[Member]]:
    """A swarm with the test's image on each member; the first is its manager. Gone afterwards.

    Args:
        heartbeat: how often a member tells the manager that it is there; None for Docker's own 5 s. After
            three that are missing it counts as down.
    """
    number = free_number("qrsw{}")
    bridge, net = f"qrsw{number}", f"10.214.{number}"
    with ExitStack() as held:
        _ip("link", "add", "name", bridge, "type", "bridge")
        held.callback(_ip, "link", "del", bridge)
        _ip("link", "set", bridge, "up")
        members = [Member(f"sw{number}x{i + 1}", bridge, f"{net}.{i + 1}") for i in range(count)]
        for member in members:
            held.callback(member.close)
            member.plug_in()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(_start_with_image, members))
        _join(members, heartbeat)
        yield members


def set_heartbeat(manager: Member, heartbeat: str) -> None:
    """Have members tell that they are there this often, such as ``"1s"``."""
    docker(manager.url, "swarm", "update", "--dispatcher-heartbeat", heartbeat)


def _start_with_image(member: Member) -> None:
    member.start()
    load_image(member.url)


def _join(members: Sequence[Member], heartbeat: str | None) -> None:
    manager = members[0]
    docker(manager.url, "swarm", "init", "--advertise-addr", manager.address)
    if heartbeat is not None:
        # Before the others join: a member learns of it with its next heartbeat.
        set_heartbeat(manager, heartbeat)
    token = docker(manager.url, "swarm", "join-token", "-q", "worker").strip()
    for member in members[1:]:
        docker(member.url, "swarm", "join", "--token", token, f"{manager.address}:2377")
    wait_until_ready(manager, len(members))


def wait_until_ready(manager: Member, count: int, seconds: float = _JOIN_SECONDS) -> None:
    """Wait until the swarm has so many members that are ready."""
    deadline = time.monotonic() + seconds
    while _ready(manager) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not {count} ready members: {docker(manager.url, 'node', 'ls')}")
        time.sleep(0.1)


def _ready(manager: Member) -> int:
    try:
        return docker(manager.url, "node", "ls", "--format", "{{.Status}}").split().count("Ready")
    except subprocess.CalledProcessError:
        return 0  # a manager that has just begun has no leader yet


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
