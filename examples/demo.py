"""What `make demo` shows: every circuit in this folder and one written as a dict, run and counted.

Prints a table of counts with a bar per outcome for each circuit, and saves histograms in demo/.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

import qrealm

EXAMPLES = Path(__file__).parent
PICTURES = EXAMPLES.parent / "demo"
SHOTS = 1000
SEED = 7
ROWS_MAX = 8
BAR_WIDTH = 40

# A W state: one excitation, shared by three qubits. No framework is needed to write a circuit down.
SHARED_EXCITATION = {
    "num_qubits": 3,
    "gates": [
        {"type": "X", "qubits": [0]},
        {"type": "CRY", "qubits": [0, 1], "params": [1.9106332362490186]},  # 2 acos(1/√3)
        {"type": "CX", "qubits": [1, 0]},
        {"type": "CRY", "qubits": [1, 2], "params": [1.5707963267948966]},  # 2 acos(1/√2)
        {"type": "CX", "qubits": [2, 1]},
    ],
}


def sources() -> Iterator[tuple[str, object]]:
    """Name and source of every circuit of the demo: paths, and the dict."""
    for path in sorted(EXAMPLES.iterdir()):
        # Some JSON files are problems for `qrealm optimize`.
        if path.suffix == ".qasm" or (path.suffix == ".json" and "gates" in json.loads(path.read_text())):
            yield path.name, path
    yield "w_state.dict", SHARED_EXCITATION


def table_of(title: str, counts: Mapping[str, int]) -> Table:
    """The most frequent outcomes with a bar each, and how many others there are."""
    table = Table(title=title, title_justify="left")
    table.add_column("outcome")
    table.add_column("count", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", min_width=BAR_WIDTH)
    shots = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    for outcome, count in ranked[:ROWS_MAX]:
        bar = "█" * max(1, round(BAR_WIDTH * count / ranked[0][1]))
        table.add_row(outcome, str(count), f"{count / shots:.1%}", bar)
    if others := ranked[ROWS_MAX:]:
        rest = sum(count for _, count in others)
        table.add_row(f"{len(others)} others", str(rest), f"{rest / shots:.1%}", "")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the example circuits and count their outcomes.")
    parser.add_argument("--shots", type=int, default=SHOTS)
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed gives the same counts")
    options = parser.parse_args()
    console = Console()
    PICTURES.mkdir(exist_ok=True)
    # The first call loads the kernel; the times below are of runs.
    qrealm.run(qrealm.read(SHARED_EXCITATION), shots=1)
    for name, source in sources():
        circuit = qrealm.read(source)
        start = time.perf_counter()
        result = qrealm.run(circuit, shots=options.shots, seed=options.seed)
        milliseconds = 1000 * (time.perf_counter() - start)
        console.print(table_of(f"{name}: {circuit.num_qubits} qubits, {milliseconds:.2f} ms", result.counts))
        picture = result.plot(PICTURES / f"{name}.png", title=name)
        console.print(f"saved {picture.relative_to(EXAMPLES.parent)}\n", highlight=False)


if __name__ == "__main__":
    main()
