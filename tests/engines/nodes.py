"""Docker engines as nodes of a container engine, and containers for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines.image import IMAGE
from qrealm.base.clock import Clock
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.control.containers.files.values import NodeEntry
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint, Limits

MIB = 1 << 20
WAIT_S = 60.0
"""For what must come about, however slow the machine is."""
HOUR_MS = 3.6e6
PATIENCE_S = 6.0
"""How long a node of tests may be silent: twice as long as usual, so that an engine that is only busy with
other tests is not taken for dead."""


def config_of(urls: Mapping[str, str], *, node_mib: int | None = None, **more: Any) -> Config:
    """A configuration with one node for each url, each with `node_mib` of memory to give away (None: all that
    it has), registers that last, and patience with nodes."""
    share = None if node_mib is None else node_mib * MIB
    nodes = tuple(NodeEntry(name, Endpoint("docker", url), {}, None, share) for name, url in urls.items())
    usual = {"seed": 11, "decoherence_time_ms": HOUR_MS, "node_lost_after_s": PATIENCE_S}
    return Config(**{**usual, "nodes": nodes, **more})


@contextmanager
def engine_of(
    urls: Mapping[str, str],
    home: Path,
    *,
    clock: Clock | None = None,
    drivers: DriverPool | None = None,
    watch: bool = False,
    **more: Any,
) -> Iterator[ContainerEngine]:
    """A container engine that is open; `more` goes into its configuration."""
    engine = ContainerEngine(config_of(urls, **more), home, clock, drivers).open(watch=watch)
    try:
        yield engine
    finally:
        engine.close()


def request(
    name: str,
    *command: str,
    probability: float = 1.0,
    weight: float = 1.0,
    node: str | None = None,
    memory_mib: int = 32,
    image: str = IMAGE,
    network: str | None = "none",
    **more: Any,
) -> CreateRequest:
    """A small container; the image's own command runs until it is told to end."""
    spec = ContainerSpec(
        name,
        image,
        command=command or None,
        network=network,
        limits=Limits(cpus=0.25, memory_bytes=memory_mib * MIB),
        **more,
    )
    return CreateRequest(spec, QuantumSpec(probability=probability, weight=weight), node=node)


def wait_until(condition: Callable[[], bool], seconds: float = WAIT_S) -> float:
    """Wait until it holds; the seconds that it took. AssertionError when they are over."""
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, f"not so after {waited:.1f} s"
        time.sleep(0.05)
    return time.monotonic() - begun


def where(engine: ContainerEngine) -> dict[str, str | None]:
    """The node of every container by its record."""
    return {view.record.name: view.record.node for view in engine.views.containers()}


def make(engine: ContainerEngine, requests: Sequence[CreateRequest]) -> None:
    """Create containers one after the other, and run them all at once."""
    for each in requests:
        engine.lifecycle.create(each)
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(engine.lifecycle.run, [each.spec.name for each in requests]))
