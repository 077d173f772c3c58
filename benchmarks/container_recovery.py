"""How long it takes until the containers of a node that dies run elsewhere: nine on three engines, one of
which is killed. What runs is what the engines that are left say themselves."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engines.docker_engine import DockerEngine, docker_engines
from engines.eyes import docker
from engines.image import IMAGE
from engines.nodes import HOUR_MS, engine_of, make, request, where
from engines.swarm_nodes import Member, swarm
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.control.containers.files.values import NodeEntry
from qrealm.fleet.containers.protocol import Endpoint

NODES = ("n1", "n2", "n3")
CONTAINERS = 9
_SECONDS_MAX = 90.0
_POLL_S = 0.02


def by_qdocker(node_lost_after_s: float) -> float:
    """qdocker with three Docker engines as nodes."""
    with ExitStack() as held:
        machines = dict(zip(NODES, held.enter_context(docker_engines(3)), strict=True))
        home = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="qdocker-bench-")))
        urls = {node: machine.url for node, machine in machines.items()}
        engine = held.enter_context(engine_of(urls, home, watch=True, node_lost_after_s=node_lost_after_s))
        make(engine, [request(f"c{number}", network="none") for number in range(CONTAINERS)])
        return _lose(_where_most(engine, machines), machines)


def by_qdocker_on_swarm(heartbeat: str | None) -> float:
    """qdocker with the three members of a swarm as nodes."""
    with ExitStack() as held:
        machines = dict(zip(NODES, held.enter_context(swarm(3, heartbeat=heartbeat)), strict=True))
        home = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="qdocker-bench-")))
        manager = machines["n1"].url
        nodes = tuple(
            NodeEntry(node, Endpoint("swarm", manager, member=machine.name), {}, None, None)
            for node, machine in machines.items()
        )
        config = Config(seed=11, decoherence_time_ms=HOUR_MS, nodes=nodes)
        engine = ContainerEngine(config, home).open()
        held.callback(engine.close)
        make(engine, [request(f"c{number}", network=None) for number in range(CONTAINERS)])
        return _lose("n3", machines)


def by_swarm(heartbeat: str | None) -> float:
    """Docker Swarm itself: a service of nine."""
    with swarm(3, heartbeat=heartbeat) as members:
        machines: dict[str, Member] = dict(zip(NODES, members, strict=True))
        words = ["--replicas", str(CONTAINERS), "--limit-memory", "32m", "--limit-cpu", "0.25"]
        docker(members[0].url, "service", "create", "-d", "--name", "web", *words, IMAGE)
        _wait(lambda: _running(members) == CONTAINERS)
        return _lose("n3", machines)


def _where_most(engine: ContainerEngine, machines: Mapping[str, DockerEngine]) -> str:
    places = list(where(engine).values())
    return max(machines, key=places.count)


def _lose(node: str, machines: Mapping[str, DockerEngine]) -> float:
    """Kill a node's engine; seconds until all containers run on the others."""
    left = [machine for name, machine in machines.items() if name != node]
    _wait(lambda: _running(list(machines.values())) == CONTAINERS)
    time.sleep(1.0)  # what was just begun has settled
    gone = _running([machines[node]])
    assert gone > 0, "it had nothing to lose"
    begin = time.perf_counter()
    machines[node].kill()
    _wait(lambda: _running(left) == CONTAINERS)
    return time.perf_counter() - begin


def _running(machines: Sequence[DockerEngine]) -> int:
    return sum(len(docker(machine.url, "ps", "-q").split()) for machine in machines)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not so after {_SECONDS_MAX:g} s")
        time.sleep(_POLL_S)


WAYS: dict[str, Callable[[], float]] = {
    "qdocker, as it comes (lost after 3 s)": lambda: by_qdocker(Config().node_lost_after_s),
    "qdocker, node_lost_after_s 1": lambda: by_qdocker(1.0),
    "Docker Swarm, as it comes (heartbeat 5 s)": lambda: by_swarm(None),
    "Docker Swarm, --dispatcher-heartbeat 1s": lambda: by_swarm("1s"),
    "qdocker on that swarm (heartbeat 1 s)": lambda: by_qdocker_on_swarm("1s"),
}


def recoveries(rounds: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds of each round by way; the ways alternate."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, measure in WAYS.items():
            found[way].append(measure())
            tell(f"{way}: {found[way][-1]:.1f} s")
    return found
