"""Whether nodes of an imported state could be, by what `nodes add` asks of them; nobody is spoken to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

from qrealm.base.errors import EngineUnavailableError, QrealmError
from qrealm.control.containers.admitting import same_engine
from qrealm.control.containers.asked import WORD
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.possible_times import is_time
from qrealm.control.containers.values import UNSEEN, ContainerRecord, NodeRecord
from qrealm.fleet.containers import DRIVERS
from qrealm.fleet.containers.endpoints import endpoint_faults
from qrealm.fleet.containers.protocol import Endpoint


def node_faults(nodes: Sequence[NodeRecord]) -> Iterator[tuple[str, str]]:
    """Places in the document, and what is wrong with the nodes there."""
    names: dict[str, int] = {}
    for number, node in enumerate(nodes):
        place = f"nodes[{number}] ({node.name:.80})"
        if not WORD.fullmatch(node.name):
            yield f"nodes[{number}]", f"{node.name!r:.80} is no name of a node"
        if (other := names.setdefault(node.name, number)) != number:
            yield place, f"nodes[{other}] has the same name"
        for fault in (*_endpoint_faults(node.endpoint), *_record_faults(node)):
            yield place, fault


def nodes_that_are_one(
    nodes: Sequence[NodeRecord], containers: Collection[ContainerRecord]
) -> Iterator[tuple[str, str]]:
    """Two nodes that are one engine; simulated ones are records, and are two until one has a container."""
    used = {record.node for record in containers}
    for (one, first), (other, second) in combinations(enumerate(nodes), 2):
        empty = (first.simulated or second.simulated) and used.isdisjoint({first.name, second.name})
        if not empty and same_engine(first.endpoint, second.endpoint):
            yield f"nodes[{other}] ({second.name})", f"nodes[{one}] ({first.name}) is the same engine"


def opening_fault(node: NodeRecord, drivers: DriverPool, limit_s: float) -> tuple[str, str]:
    """Why a node can never be spoken to, and what to do; empty where it can. Nobody is spoken to."""
    try:
        drivers.of(node, limit_s)
    except EngineUnavailableError:
        pass  # it was given up, and may come back
    except QrealmError as problem:
        return problem.message, problem.hint
    return "", ""


def _endpoint_faults(endpoint: Endpoint) -> Iterator[str]:
    for part, fault in endpoint_faults(endpoint).items():
        if part != "url":  # whoever opens connections knows best which it takes
            yield f"endpoint.{part}: {fault}"


def _record_faults(node: NodeRecord) -> Iterator[str]:
    seen = node.engine != UNSEEN
    row = DRIVERS.get(node.endpoint.driver)
    # One that has never answered is not known to have anything.
    if not (node.cpus > 0.0 or (node.cpus == 0.0 and not seen)) or node.cpus == float("inf"):
        yield f"its cpus are {node.cpus:g}; they must be more than 0"
    if node.memory_bytes < (1 if seen else 0):
        yield f"its memory_bytes are {node.memory_bytes}; they must be more than 0"
    if row is not None and seen and node.simulated is not row.simulated:
        yield f"simulated is {node.simulated}, and its driver is {node.endpoint.driver}"
    if "" in node.labels:
        yield "one of its labels has no name"
    for name in ("seen_at", "added_at"):
        if not is_time(at := getattr(node, name)):
            yield f"{name} {at:g} is no time"
