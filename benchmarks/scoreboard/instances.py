"""The problems of the scoreboard: seeded generators of ours, and published files where a folder has them."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qrealm.optimize import Assignment, Bin, Item, MaxCut, Objective, Problem, Qubo, apart, spread
from qrealm.optimize.formats.read import read_problem
from qrealm.optimize.formats.vbp import read_vbp

# Best known cuts, as published for the G-set.
BEST_CUTS = {"G1": 11624, "G6": 2178, "G11": 564, "G14": 3064, "G43": 6660}


@dataclass(frozen=True, slots=True)
class Instance:
    """One problem.

    Attributes:
        family: what it stands for. best_known: smallest value that is known or proven; None when unknown.
    """

    family: str
    name: str
    problem: Problem
    best_known: float | None = None


def all_instances(data: Path | None) -> Iterator[Instance]:
    """Ours, and those in files when there is a folder with them."""
    yield from cuts(data)
    for seed in range(3):
        yield Instance("QUBO", f"random-{seed}", random_qubo(250, 0.1, seed))
    yield from packings(data)
    for seed in range(3):
        yield Instance("assignment", f"correlated-{seed}", correlated_assignment(8, 40, seed))
    for seed in range(3):
        yield Instance("cluster", f"balance-{seed}", cluster(60, 12, seed))


def cuts(data: Path | None) -> Iterator[Instance]:
    """G-set graphs from files, or graphs of the same kinds made here."""
    folder = None if data is None else data / "max_cut"
    if folder is not None and folder.is_dir():
        for name, cut in BEST_CUTS.items():
            problem = read_problem(folder / f"{name}.gz")
            yield Instance("largest cut", name, problem, -float(cut))
        return
    yield Instance("largest cut", "random-800", random_graph(800, 0.06, (1,), 1))
    yield Instance("largest cut", "random-signs-800", random_graph(800, 0.06, (-1, 1), 2))
    yield Instance("largest cut", "torus-100x8", torus(100, 8, 3))


def packings(data: Path | None) -> Iterator[Instance]:
    """Published vector bin packing instances, or triplets made here: a third of the items is optimal."""
    archive = None if data is None else data / "vector_bin_packing" / "Triplet_instances.tar.gz"
    if archive is None or not archive.exists():
        for seed, (count, dimensions) in enumerate([(60, 3), (120, 5), (249, 10)]):
            yield Instance(
                "packing", f"triplet-{count}-{dimensions}", triplets(count, dimensions, seed), count / 3
            )
        return
    wanted = {"Triplet": ("classC_60_3_0", "classF_120_5_0", "classC_249_10_0")}
    wanted["Panigrahy"] = ("class2_120_5_0", "class7_250_3_0", "class9_60_10_0")
    for collection, names in wanted.items():
        folder = archive.parent
        with (folder / f"{collection}_known.csv").open() as file:
            known = {row["instance_name"]: float(row["OPT"]) for row in csv.DictReader(file, delimiter="\t")}
        with tarfile.open(folder / f"{collection}_instances.tar.gz") as packed:
            for member in packed:
                name = Path(member.name).stem
                content = packed.extractfile(member) if name in names else None
                if content is not None:
                    yield Instance("packing", name, read_vbp(content.read().decode(), name), known[name])


def random_graph(nodes: int, density: float, weights: tuple[int, ...], seed: int) -> MaxCut:
    """Every pair is an edge with probability `density`, its weight one of `weights`."""
    rng = np.random.default_rng(seed)
    rows, cols = np.triu_indices(nodes, 1)
    kept = rng.random(len(rows)) < density
    return MaxCut.build(nodes, rows[kept], cols[kept], rng.choice(weights, int(kept.sum())))


def torus(width: int, height: int, seed: int) -> MaxCut:
    """A grid that closes on itself, weights +1 and -1."""
    node = np.arange(width * height).reshape(height, width)
    rows = np.concatenate([node.ravel(), node.ravel()])
    cols = np.concatenate([np.roll(node, 1, 0).ravel(), np.roll(node, 1, 1).ravel()])
    weights = np.random.default_rng(seed).choice((-1, 1), len(rows))
    return MaxCut.build(width * height, rows, cols, weights)


def random_qubo(size: int, density: float, seed: int) -> Qubo:
    """Whole weights from -100 to 100, in a share `density` of the places, as in Beasley's instances."""
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.integers(-100, 101, (size, size)) * (rng.random((size, size)) < density))
    np.fill_diagonal(matrix, rng.integers(-100, 101, size))
    return Qubo.from_matrix(matrix.astype(float))


def triplets(count: int, dimensions: int, seed: int) -> Assignment:
    """Three items fill a bin of 100 exactly in every dimension, so count / 3 bins are needed and enough."""
    rng = np.random.default_rng(seed)
    first = rng.integers(38, 50, (count // 3, dimensions))
    second = np.floor(rng.uniform(25, (100 - first) / 2 + 1)).astype(int)
    items = np.concatenate([first, second, 100 - first - second])
    return Assignment.packing(
        rng.permutation(items), [100] * dimensions, name=f"triplet-{count}-{dimensions}"
    )


def correlated_assignment(agents: int, jobs: int, seed: int) -> Assignment:
    """Generalised assignment where what costs little needs much time: type D of the literature.

    A job needs another time on every agent. So each agent has a resource of its own, scarce there
    and plenty elsewhere.
    """
    rng = np.random.default_rng(seed)
    need = rng.integers(1, 101, (agents, jobs)).astype(float)
    cost = 111 - need + rng.integers(-10, 11, (agents, jobs))
    names = [f"agent{k}" for k in range(agents)]
    plenty = need.sum()
    items = tuple(Item(f"job{j}", dict(zip(names, need[:, j].tolist(), strict=True))) for j in range(jobs))
    bins = tuple(
        Bin(
            name,
            dict.fromkeys(names, plenty) | {name: float(round(0.8 * need[k].sum() / agents))},
            cost=0.0,
        )
        for k, name in enumerate(names)
    )
    return Assignment(items, bins, objective=Objective(cost=1.0), placement_cost=cost.T)


def cluster(pods: int, nodes: int, seed: int) -> Assignment:
    """Pods of services on nodes in three zones: copies apart or spread, balanced use, one needs a GPU."""
    rng = np.random.default_rng(seed)
    bins = tuple(
        Bin(
            f"node{k}",
            {"cpu": float(rng.choice([8, 16])), "memory": 64.0},
            {"zone": "abc"[k % 3], "gpu": "yes" if k < 3 else "no"},
        )
        for k in range(nodes)
    )
    items, rules = [], []
    for service in range(pods // 6):
        cpu, memory = float(rng.choice([0.5, 1, 1.5])), float(rng.choice([2, 4, 8]))
        names = [f"service{service}-{copy}" for copy in range(6)]
        needs = {"gpu": "yes"} if service == 0 else {}
        items += [Item(name, {"cpu": cpu, "memory": memory}, needs=needs) for name in names]
        rules.append(spread(*names, over="zone", skew=1, weight=0.01) if service else apart(*names[:3]))
    return Assignment(tuple(items), bins, tuple(rules), Objective(balance=1.0))
