"""Spin solvers on Max-Cut graphs at equal time on one core: `python -m benchmarks.spins`.

For each solver and graph: the median over seeds of the best cut, and of the time until 99.9 % of the best
known cut and until the best known cut itself (inf where it was not reached). With ``--peers`` also the
solvers of other projects, each with its best choice of settings for the graph, picked by its time to 99.9 %:

    python -m venv peers && peers/bin/pip install dwave-samplers dimod openjij simulated-bifurcation scipy
    PYTHONPATH=src:. peers/bin/python -m benchmarks.spins --peers

Times are seconds of the process's processor time (``--clock wall`` for wall-clock): what else runs on the
machine then counts less.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.spin_peers import Peer, peers
from qrealm.optimize import Ising, MaxCut
from qrealm.optimize.formats.gset import read_gset
from qrealm.optimize.solvers import SOLVERS, begin, refusal_of
from qrealm.optimize.solvers.bifurcation import BifurcationOptions

# Best known cuts, see AOCoptimizer.jl's data/GSet/reference.csv.
BEST_KNOWN = {"G1": 11624, "G6": 2178, "G11": 564, "G14": 3064, "G43": 6660}
DATA = Path(__file__).parents[2] / "shared" / "data" / "max_cut"
NEAR = 0.999
SLICE_SECONDS = 0.002

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Run:
    """One solver, one graph, one seed.

    Attributes:
        cut: the best one. seconds_to_near, seconds_to_best: until 99.9 % of the best known, and all of it.
    """

    solver: str
    graph: str
    seed: int
    cut: float
    seconds_to_near: float
    seconds_to_best: float


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the seeds."""

    solver: str
    graph: str
    cut: float
    seconds_to_near: float
    seconds_to_best: float
    runs: int


def read_graph(where: str, data: Path) -> MaxCut:
    """A graph by the path of its file, or by its name in `data`."""
    path = Path(where) if Path(where).exists() else data / f"{where}.gz"
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return read_gset(text, path.name.split(".")[0])


def qrealm_attempts(solver: str, options: object) -> Peer:
    """Slices of one of our solvers; setting it up counts."""

    def attempts(ising: Ising, seed: int) -> Iterator[float]:
        yield math.inf
        search, _ = begin(ising, solver, seed=seed, options=options)
        work = 1
        while True:
            started = time.perf_counter()
            search.advance(work, 60.0)
            spent = time.perf_counter() - started
            work = work * 2 if spent < SLICE_SECONDS / 2 else max(1, int(work * SLICE_SECONDS / spent))
            yield math.inf if search.best is None else search.best.value
            if search.done:
                return

    return attempts


def own_solvers(graph: MaxCut) -> dict[str, Peer]:
    """Every solver of qrealm that takes the graph."""
    names = [name for name, card in SOLVERS.items() if not refusal_of(graph, card) and card.sliced]
    found = {name: qrealm_attempts(name, None) for name in names}
    for kind in ("ballistic", "discrete"):
        found[f"bifurcation {kind}"] = qrealm_attempts("bifurcation", BifurcationOptions(kind=kind))
    return found


def measure(name: str, attempts: Peer, graph: MaxCut, seed: int, seconds: float, clock: Clock) -> Run:
    """Attempts until the best known cut is reached or the time is over."""
    best_known = BEST_KNOWN.get(graph.name, math.inf)
    near = math.ceil(NEAR * best_known - 1e-9) if math.isfinite(best_known) else math.inf
    cut, to_near, to_best = -math.inf, math.inf, math.inf
    source = attempts(graph.to_ising(), 1000 * seed)
    next(source)
    started = clock()
    for energy in source:
        spent, found = clock() - started, -energy
        # What came too late does not count.
        if spent <= seconds and found > cut:
            cut = found
            to_near = min(to_near, spent) if cut >= near else to_near
            to_best = min(to_best, spent) if cut >= best_known else to_best
        if spent >= seconds or cut >= best_known:
            break
    return Run(name, graph.name, seed, cut, to_near, to_best)


def row_of(runs: list[Run]) -> Row:
    """Medians of the runs of one solver on one graph."""
    return Row(
        solver=runs[0].solver,
        graph=runs[0].graph,
        cut=median(run.cut for run in runs),
        seconds_to_near=median(run.seconds_to_near for run in runs),
        seconds_to_best=median(run.seconds_to_best for run in runs),
        runs=len(runs),
    )


def best_choices(rows: list[Row]) -> list[Row]:
    """One row for each peer and graph: its settings that were quickest to 99.9 %, then cut most."""
    chosen: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.solver.split(" ")[0], row.graph)
        if key not in chosen or (row.seconds_to_near, -row.cut) < (
            chosen[key].seconds_to_near,
            -chosen[key].cut,
        ):
            chosen[key] = row
    return list(chosen.values())


def table(rows: list[Row]) -> str:
    """The rows as text."""
    lines = [f"{'graph':6} {'solver':42} {'cut':>9} {'best':>6} {'99.9 % (s)':>11} {'best (s)':>9}"]
    lines += [
        f"{row.graph:6} {row.solver:42} {row.cut:9g} {BEST_KNOWN.get(row.graph, 0):6} "
        f"{row.seconds_to_near:11.4g} {row.seconds_to_best:9.4g}"
        for row in sorted(rows, key=lambda row: (row.graph, row.seconds_to_near, -row.cut))
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.spins", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--graphs", nargs="+", default=list(BEST_KNOWN), help="files, or names in --data")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the graphs")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--solvers", nargs="+", help="only those whose name begins so")
    parser.add_argument("--peers", action="store_true", help="also other projects' solvers")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    clock: Clock = time.process_time if options.clock == "cpu" else time.perf_counter
    rows: list[Row] = []
    for where in options.graphs:
        graph = read_graph(where, options.data)
        own, others = own_solvers(graph), peers() if options.peers else {}
        measured: dict[str, Row] = {}
        for name, attempts in (own | others).items():
            if options.solvers and not name.startswith(tuple(options.solvers)):
                continue
            runs = [
                measure(name, attempts, graph, seed, options.seconds, clock)
                for seed in range(1, options.seeds + 1)
            ]
            measured[name] = row_of(runs)
        rows += [measured[name] for name in own if name in measured]
        rows += best_choices([measured[name] for name in others if name in measured])
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
