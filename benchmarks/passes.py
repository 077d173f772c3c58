"""`python -m benchmarks.passes`: what each idea of the kernel is worth. Every planner pass is switched off by
itself, every instruction set and some tile sizes are run, all in turns in one process.

A figure above 1 is how many times slower a run is without the idea.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

import qrealm
from benchmarks.cases import FAMILIES, Case
from benchmarks.peers.qrealm import as_dict
from qrealm import _kernels

SHOTS = 1000


def variants(num_qubits: int) -> dict[str, dict[str, object]]:
    """Options of the kernel's planner, by what the table calls them; the first is the default."""
    every = sum(_kernels.PLANNER_PASSES.values())
    found: dict[str, dict[str, object]] = {"all on": {}}
    found |= {f"no {name}": {"passes": every - bit} for name, bit in _kernels.PLANNER_PASSES.items()}
    found |= {isa: {"isa": isa} for isa in _kernels.instruction_sets()[1:]}
    found |= {f"tile 2^{size}": {"tile_qubits": size} for size in (12, 14, 18) if size < num_qubits}
    return found


def runner(
    family: str, num_qubits: int, single: bool, threads: int, options: dict[str, object]
) -> Callable[[], None]:
    """A run of one family, planning included."""
    packed = qrealm.read(as_dict(Case.build(family, num_qubits))).packed()

    def run() -> None:
        plan = _kernels.plan(*packed.arrays(), single=single, **options)
        _kernels.run_counts(plan, SHOTS, 1, threads)

    return run


def measure(family: str, num_qubits: int, single: bool, threads: int, repeats: int) -> dict[str, float]:
    """Median seconds of each variant, run in turns."""
    runs = {
        name: runner(family, num_qubits, single, threads, options)
        for name, options in variants(num_qubits).items()
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.passes", description=__doc__)
    parser.add_argument("--qubits", type=int, default=24)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--precision", choices=["single", "double"], default="single")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = Table(
        title=f"{options.qubits} qubits, {options.precision}, {options.threads} threads: times the default"
    )
    table.add_column("variant")
    columns = {}
    for family in options.families:
        columns[family] = measure(
            family, options.qubits, options.precision == "single", options.threads, options.repeats
        )
        table.add_column(family, justify="right")
    for name in variants(options.qubits):
        cells = [
            f"{1000 * seconds[name]:.1f} ms"
            if name == "all on"
            else f"{seconds[name] / seconds['all on']:.2f}"
            for seconds in columns.values()
        ]
        table.add_row(name, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
