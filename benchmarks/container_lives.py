"""One container's life, and many at once, on one Docker engine: Docker's own command and SDK beside qrealm's
engine and command. All are made alike: the same image, limits, no capabilities, no network."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engines.docker_engine import docker_engine
from engines.image import IMAGE
from engines.nodes import MIB, engine_of, request
from qrealm.control.containers.engine import ContainerEngine

STEPS = ("create", "start", "stop", "remove")
CPUS, MEMORY_MIB, PIDS = 0.25, 32, 256
_NAMES = (f"c{number}" for number in itertools.count())
_THREADS = 4
_BATCH = 20

Step = Callable[[str], Any]


def cli_steps(url: str) -> dict[str, Step]:
    """Docker's command, a process each."""

    def run(*words: str) -> None:
        subprocess.run(["docker", "-H", url, *words], check=True, capture_output=True)

    limits = [f"--cpus={CPUS}", f"--memory={MEMORY_MIB}m", f"--memory-swap={MEMORY_MIB}m"]
    limits += [f"--pids-limit={PIDS}", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    return {
        "create": lambda name: run("create", f"--name={name}", "--network=none", *limits, IMAGE),
        "start": lambda name: run("start", name),
        "stop": lambda name: run("stop", name),
        "remove": lambda name: run("rm", name),
    }


def sdk_steps(client: Any) -> dict[str, Step]:
    """The Docker SDK for Python, in this process."""
    made = client.containers
    return {
        "create": lambda name: made.create(
            IMAGE,
            name=name,
            network_mode="none",
            nano_cpus=round(CPUS * 1e9),
            mem_limit=MEMORY_MIB * MIB,
            memswap_limit=MEMORY_MIB * MIB,
            pids_limit=PIDS,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        ),
        "start": lambda name: made.get(name).start(),
        "stop": lambda name: made.get(name).stop(),
        "remove": lambda name: made.get(name).remove(),
    }


def engine_steps(engine: ContainerEngine) -> dict[str, Step]:
    """qrealm's engine, in this process."""
    life = engine.lifecycle
    return {
        "create": lambda name: life.create(request(name, memory_mib=MEMORY_MIB)),
        "start": lambda name: life.run(name, force=True),
        "stop": life.stop,
        "remove": life.remove,
    }


def qdocker_steps(home: Path) -> dict[str, Step]:
    """The command `qdocker`, a process each, and its daemon."""
    environment = os.environ | {"QUANTUM_DOCKER_HOME": str(home)}

    def run(*words: str) -> None:
        command = [sys.executable, "-m", "qrealm.faces.qdocker", *words]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    limits = [f"--cpu={CPUS}", f"--memory={MEMORY_MIB}m", "--network=none"]
    return {
        "daemon": lambda config: run("start", "--config", config),
        "create": lambda name: run("create", *limits, IMAGE, name),
        "start": lambda name: run("run", "--force", name),
        "stop": lambda name: run("stop-container", name),
        "remove": lambda name: run("rm", name),
        "end": lambda _: run("stop"),
    }


@contextmanager
def ways() -> Iterator[dict[str, dict[str, Step]]]:
    """By name what makes a container and ends it; all on the same engine, which is gone afterwards."""
    with ExitStack() as held:
        url = held.enter_context(docker_engine()).url
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="qdocker-bench-")))
        client = docker.DockerClient(base_url=url, max_pool_size=_THREADS)
        held.callback(client.close)
        engine = held.enter_context(engine_of({"one": url}, folder / "engine", watch=True))
        config = folder / "config.yaml"
        config.write_text(f"nodes:\n  - {{name: one, driver: docker, url: '{url}'}}\n")
        qdocker = qdocker_steps(folder / "home")
        qdocker["daemon"](str(config))
        held.callback(qdocker["end"], "")
        yield {
            "docker command": cli_steps(url),
            "Docker SDK for Python": sdk_steps(client),
            "qrealm ContainerEngine": engine_steps(engine),
            "qdocker command": qdocker,
        }


def lives(known: Mapping[str, Mapping[str, Step]], rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of each step and of all together, by way; the ways alternate."""
    kinds = (*STEPS, "all")
    seconds: dict[str, dict[str, list[float]]] = {way: {kind: [] for kind in kinds} for way in known}
    for number in range(rounds + 1):
        for way, steps in known.items():
            name = next(_NAMES)
            took = {}
            for step in STEPS:
                begin = time.perf_counter()
                steps[step](name)
                took[step] = time.perf_counter() - begin
            if number == 0:
                continue  # a first life has first calls in it
            for step, value in took.items():
                seconds[way][step].append(value)
            seconds[way]["all"].append(sum(took.values()))
    return {way: {step: statistics.median(each) for step, each in by.items()} for way, by in seconds.items()}


def rates(known: Mapping[str, Mapping[str, Step]], names: Sequence[str], rounds: int) -> dict[str, float]:
    """Containers created and started in a second by four threads, by way: the median of the rounds."""
    found: dict[str, list[float]] = {way: [] for way in names}
    for _ in range(rounds):
        for way in names:
            steps = known[way]
            batch = [next(_NAMES) for _ in range(_BATCH)]

            def begin(name: str, steps: Mapping[str, Step] = steps) -> None:
                steps["create"](name)
                steps["start"](name)

            with ThreadPoolExecutor(_THREADS) as pool:
                start = time.perf_counter()
                list(pool.map(begin, batch))
                found[way].append(len(batch) / (time.perf_counter() - start))
                list(pool.map(steps["stop"], batch))
                list(pool.map(steps["remove"], batch))
    return {way: statistics.median(each) for way, each in found.items()}
