"""How close to the optimum packings come, beside 351 published variants: `python -m benchmarks.packing`.

Instances are the Triplet sets after A. Caprara and E. Falkenauer, in several dimensions, and those after R.
Panigrahy and others, with optima known; both from the folder given by --data. Every packing is checked by
the independent validator. Items are shuffled first: the files list those of a planted bin side by side, and
first fit in that order would be given the answer. "First fit" takes items in shuffled order, "FFD" by
decreasing sum of squares; "published" is the best that any of 351 variants of published heuristics found for
that instance, which is more than any one of them does.
"""

from __future__ import annotations

import argparse
import csv
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from qrealm.base.machine import cores_default
from qrealm.optimize import Assignment, solve
from qrealm.optimize.choose import entries_for
from qrealm.optimize.formats.vbp import read_vbp
from qrealm.optimize.problems.evaluate import violations
from qrealm.optimize.solvers import AUTO, begin
from qrealm.optimize.solvers.greedy import GreedyOptions

DATA = Path("../shared/data/vector_bin_packing")
SHUFFLE_SEED = 20261121
PACKING = "packing"
SETS = {"triplet": "Triplet", "panigrahy": "Panigrahy"}


@dataclass(frozen=True, slots=True)
class Instance:
    """One problem, its fewest bins, and the fewest of any published variant. `group`: class, items and
    dimensions."""

    name: str
    group: str
    problem: Assignment
    optimum: int
    published: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Bins used by each method, the proven bound, and what it took."""

    name: str
    group: str
    optimum: int
    bound: int
    ours: int
    first_fit: int
    ffd: int
    published: int
    solver: str
    seconds: float
    processor_seconds: float


METHODS = ("ours", "first_fit", "ffd", "published")


def instances(collection: str, folder: Path, sample: int | None) -> Iterator[Instance]:
    """Those with a known optimum; with `sample`, so many of each group, spread over it."""
    with (folder / f"{collection}_known.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if int(row["OPT"]) > 0]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["instance_name"].rsplit("_", 1)[0], []).append(row)
    with tarfile.open(folder / f"{collection}_instances.tar.gz") as packed:
        texts: dict[str, bytes] = {}
        for member in packed:
            content = packed.extractfile(member)
            if content is not None:
                texts[Path(member.name).stem] = content.read()
    for number, (group, members) in enumerate(groups.items()):
        count = len(members) if sample is None else min(sample, len(members))
        for k in range(count):
            row = members[(number + k * len(members) // count) % len(members)]
            name = row["instance_name"]
            problem = _shuffled(read_vbp(texts[name].decode(), name))
            yield Instance(name, group, problem, int(row["OPT"]), int(row["best_overall"]))


def _shuffled(problem: Assignment) -> Assignment:
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(problem.items))
    return replace(problem, items=tuple(problem.items[index] for index in order))


def measure(instance: Instance, solver: str, seconds: float, seed: int) -> Measured:
    """Raises AssertionError for a packing that breaks a demand, or a bound above the optimum."""
    problem = instance.problem
    if solver == AUTO and PACKING not in {entry.solver for entry in entries_for(problem, cores_default())}:
        solver = PACKING
    clock, processor = time.perf_counter(), time.process_time()
    result = solve(problem, solver=solver, seconds=seconds, seed=seed)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    assert not violations(problem, result.answer), f"{instance.name}: {violations(problem, result.answer)[0]}"
    assert result.bound <= instance.optimum <= result.value, f"{instance.name}: bound {result.bound}"
    return Measured(
        name=instance.name,
        group=instance.group,
        optimum=instance.optimum,
        bound=round(result.bound),
        ours=round(result.value),
        first_fit=_greedy(problem, GreedyOptions("first", "l2", decreasing=False)),
        ffd=_greedy(problem, GreedyOptions("first", "l2")),
        published=instance.published,
        solver=result.solver,
        seconds=clock,
        processor_seconds=processor,
    )


def _greedy(problem: Assignment, options: GreedyOptions) -> int:
    search, _ = begin(problem, "greedy", seed=0, options=options)
    search.advance(len(problem.items) + 1, 60.0)
    # First fit may fail where items bring room: every item in a bin of its own is what is left then.
    return len(problem.items) if search.best is None else round(search.best.value)


def mean_gap(rows: list[Measured], method: str) -> float:
    """Mean of (bins / fewest bins - 1), in per cent."""
    return 100 * sum(getattr(row, method) / row.optimum - 1 for row in rows) / len(rows)


def print_table(rows: list[Measured], by_group: bool) -> None:
    """Mean gaps: one line for each class, or for each group, and one for all."""
    families: dict[str, list[Measured]] = {}
    for row in rows:
        key = row.group if by_group else row.group.split("_")[0]
        families.setdefault(key, []).append(row)
    heads = "".join(f"{name:>11}" for name in METHODS)
    print(f"{'mean gap to the optimum, %':28}{heads}{'optimal':>9}{'proven':>8}")
    for name, members in {**families, "all": rows}.items():
        gaps = "".join(f"{mean_gap(members, method):11.2f}" for method in METHODS)
        found = sum(row.ours == row.optimum for row in members)
        proven = sum(row.ours == row.bound for row in members)
        print(f"{name:20}{len(members):8}{gaps}{found:9}{proven:8}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.packing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--set", choices=[*SETS, "both"], default="both", help="which instances")
    parser.add_argument("--sample", type=int, help="so many of each group instead of all")
    parser.add_argument("--seconds", type=float, default=2.0, help="wall-clock for each instance")
    parser.add_argument("--solver", default=AUTO)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--groups", action="store_true", help="a line for each group, not each class")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the archives and lists")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no instances: {options.data} is not a folder; --data names one that holds")
        print("Triplet_instances.tar.gz, Triplet_known.csv, Panigrahy_instances.tar.gz, Panigrahy_known.csv")
        return
    chosen = SETS if options.set == "both" else {options.set: SETS[options.set]}
    written: dict[str, object] = {"machine": describe_machine().title(), "seconds": options.seconds}
    for name, collection in chosen.items():
        rows = [
            measure(instance, options.solver, options.seconds, options.seed)
            for instance in instances(collection, options.data, options.sample)
        ]
        spent = sum(row.processor_seconds for row in rows) / len(rows)
        print(f"\n{name}, {options.seconds:g} s each; {spent:.2f} s of processor time each")
        print_table(rows, options.groups)
        written[name] = [asdict(row) for row in rows]
    if options.json:
        options.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
