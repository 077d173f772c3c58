"""`qrealm bench`: how fast this machine is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from qrealm.base.units import format_rate, format_seconds
from qrealm.control import local
from qrealm.faces.cli.arguments import OutputFormat, PrecisionChoice, ThreadsOption, check_folder
from qrealm.faces.cli.terminal import message_console, write_csv, write_json, write_table

_QUBITS_DEFAULT = (5, 10, 15, 20)
_LAYERS_DEFAULT = 10
_RUN_SECONDS_MAX = 60.0
_ANNOUNCED_SECONDS = 2.0
"""A width is announced without --verbose from so long a run on: nobody waits before an empty screen."""


def bench(
    qubits: Annotated[
        list[int] | None,
        typer.Option(help="Widths to measure: --qubits 5 10 15.", show_default="5 10 15 20"),
    ] = None,
    layers: Annotated[int, typer.Option(help="Layers of the circuit.")] = _LAYERS_DEFAULT,
    precision: Annotated[PrecisionChoice, typer.Option(help="As for run.")] = PrecisionChoice.SINGLE,
    threads: ThreadsOption = None,
    max_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Refuse widths where one run would take longer.")
    ] = _RUN_SECONDS_MAX,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more, and as it goes.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Save time against qubits: .png, .svg or .pdf.", show_default=False)
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = OutputFormat.TABLE,
) -> None:
    """Measure this machine: a circuit of rotations and neighbour gates at each width, 1,000 shots, median
    time.

    [bold]Examples[/bold]

      qrealm bench --qubits 5 10 15 20 25 --verbose

      qrealm bench --qubits 10 20 --precision double --plot speed.png
    """
    console = message_console()
    if plot is not None:
        local.check_picture(plot, "--plot")
        check_folder(plot, "--plot")

    def tell(row: local.BenchmarkRow) -> None:
        if verbose:
            console.print(f"{row.qubits} qubits, {row.gates:,} gates: {format_seconds(row.seconds)}")

    def announce(expected: local.Estimate) -> None:
        if verbose or expected.seconds > _ANNOUNCED_SECONDS:
            console.print(
                f"{expected.num_qubits} qubits on {expected.backend}: about "
                f"{format_seconds(expected.seconds)} a run, two runs at least"
            )

    rows = local.benchmark(
        qubits or _QUBITS_DEFAULT,
        layers=layers,
        precision=precision.value,
        threads=threads,
        progress=tell,
        announce=announce,
        run_seconds_max=max_seconds,
    )
    if output is OutputFormat.JSON:
        write_json([asdict(row) for row in rows])
    elif output is OutputFormat.CSV:
        write_csv(list(asdict(rows[0])), [list(asdict(row).values()) for row in rows])
    else:
        write_table(_table(rows, verbose))
    if plot is not None:
        path = local.save_benchmark(rows, plot, title=f"{layers} layers of RY, RZ and CX, 1,000 shots")
        console.print(f"saved {path}", soft_wrap=True, markup=False)


def _table(rows: list[local.BenchmarkRow], verbose: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("qubits", "seconds", "gates per second"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("backend", no_wrap=True)
    if verbose:
        for name in ("gates", "threads"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("precision", no_wrap=True)
    for row in rows:
        cells = [str(row.qubits), format_seconds(row.seconds), format_rate(row.gates_per_second), row.backend]
        if verbose:
            cells += [f"{row.gates:,}", str(row.threads), row.precision.value]
        table.add_row(*(Text(cell) for cell in cells))
    return table
