"""Placing pods on a running cluster: `python -m benchmarks.placing`.

The shape is that of kube-scheduler's own benchmark (SchedulingBasic, 5,000 nodes): nodes of 4 CPU, 32 Gi and
110 pods; pods of 100m CPU and 500 Mi. Everything happens in memory: no API server, nothing is started, so
the figures are not comparable with pods per second of a whole control plane. Times are processor seconds of
this process, which is single-threaded here; wall-clock is beside them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from qrealm.optimize import Assignment, Bin, Item, Objective
from qrealm.optimize.bounds import bins_needed
from qrealm.optimize.placing import Cluster, Decisions, Placer, replace

GIB = 1024.0  # in Mi
FAILURES = 20
T = TypeVar("T")
OBJECTIVES = {"bins": Objective(bins=1.0), "balance": Objective(balance=1.0)}


def nodes_of(count: int) -> tuple[Bin, ...]:
    """Nodes of the benchmark's shape."""
    return tuple(Bin(f"n{k}", {"cpu": 4.0, "memory": 32 * GIB, "pods": 110}) for k in range(count))


def pods_of(count: int, name: str = "p") -> list[Item]:
    """Pods of the benchmark's shape."""
    return [Item(f"{name}{k}", {"cpu": 0.1, "memory": 500.0, "pods": 1}) for k in range(count)]


def mixed_pods(count: int, classes: int) -> list[Item]:
    """Pods of so many different sizes, up to half a node."""
    rng = np.random.default_rng(1)
    cpu, memory = rng.uniform(0.05, 2.0, classes), rng.uniform(100.0, 16 * GIB, classes)
    of = rng.integers(classes, size=count)
    return [
        Item(f"m{k}", {"cpu": float(cpu[c]), "memory": float(memory[c]), "pods": 1})
        for k, c in enumerate(of.tolist())
    ]


def timed(call: Callable[[], T]) -> tuple[T, float, float]:
    """(what it gave, processor seconds, seconds on the wall)."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = call()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def measure_batch(cluster: Cluster, pods: list[Item], repeats: int) -> tuple[Placer, Decisions]:
    """All at once; the median of several times counts."""
    cpu, wall = [], []
    for _ in range(repeats):
        placer = Placer(cluster)
        decisions, seconds, on_wall = timed(lambda placer=placer: placer.arrive(pods))
        cpu.append(seconds)
        wall.append(on_wall)
    rates = len(pods) / np.median(cpu), len(pods) / np.median(wall)
    print(f"  all at once      {rates[0]:12,.0f} decisions/s (wall-clock {rates[1]:,.0f})")
    _, seconds, _ = timed(lambda: [decision.explain() for decision in decisions])
    print(f"  put into words   {seconds / len(decisions) * 1e6:12.1f} us a decision, when asked")
    return placer, decisions


def measure_single(placer: Placer, pods: list[Item]) -> None:
    """One call for each pod: what a decision takes from the call to the answer."""
    times = np.array([timed(lambda pod=pod: placer.arrive([pod]))[1] for pod in pods]) * 1e6
    p50, p99 = np.percentile(times, [50, 99])
    print(f"  one by one       {p50:12.1f} us p50, {p99:.1f} us p99, {1e6 / times.mean():,.0f} decisions/s")


def measure_failures(placer: Placer, cluster: Cluster) -> None:
    """Nodes in use fail one after the other."""
    times, moved = [], 0
    for _ in range(FAILURES):
        name = next(iter(placer.cluster.running.values()))
        decisions, seconds, _ = timed(lambda name=name: placer.remove_nodes([name]))
        times.append(seconds * 1e3)
        moved += len(decisions.moves)
    print(
        f"  a node fails     {np.median(times):12.2f} ms median, {max(times):.2f} ms worst of {FAILURES} "
        f"({moved / FAILURES:.0f} pods placed again each)"
    )
    failing = next(iter(cluster.running.values()))
    first, cold, _ = timed(lambda: replace(cluster, gone=[failing]))
    failing = next(iter(first.cluster.running.values()))
    _, warm, _ = timed(lambda: replace(first.cluster, gone=[failing]))
    print(f"  the same by `replace` {warm * 1e3:7.2f} ms; {cold * 1e3:.2f} ms for a cluster just read")


def print_quality(title: str, nodes: tuple[Bin, ...], pods: list[Item]) -> None:
    """Nodes used against the proven lower bound; placed at once, and one by one in the order of arrival."""
    bound = bins_needed(Assignment(tuple(pods), nodes))
    placer = Placer(Cluster(nodes))
    decisions, seconds, _ = timed(lambda: placer.arrive(pods))
    used = len(set(placer.cluster.running.values()))
    online = Placer(Cluster(nodes))
    online.arrive(pods, largest_first=False)
    used_online = len(set(online.cluster.running.values()))
    print(
        f"  {title:24} {used:5} nodes largest first, {used_online:5} as they come, lower bound {bound}; "
        f"{len(decisions) / seconds:,.0f} decisions/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.placing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--single", type=int, default=2_000, help="pods that come one by one afterwards")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    nodes, pods = nodes_of(options.nodes), pods_of(options.pods)
    for name, objective in OBJECTIVES.items():
        print(f"{len(pods):,} pods on {len(nodes):,} nodes, objective {name}")
        placer, _ = measure_batch(Cluster(nodes, objective=objective), pods, options.repeats)
        cluster = Cluster(nodes, placer.cluster.items, placer.cluster.running, objective=objective)
        measure_single(placer, pods_of(options.single, "q"))
        measure_failures(placer, cluster)
    print("nodes used, objective bins")
    print_quality("equal pods", nodes, pods)
    for classes in (10, 100, options.pods):
        print_quality(f"{classes:,} sizes of pods", nodes, mixed_pods(options.pods, classes))


if __name__ == "__main__":
    main()
