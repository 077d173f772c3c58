"""`qrealm verify`: whether all backends agree with exact answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from qrealm.base.units import format_seconds
from qrealm.control import local
from qrealm.faces.cli.arguments import OutputFormat, numbered, read_source, title_of
from qrealm.faces.cli.terminal import (
    data_columns,
    message_console,
    write_csv,
    write_data,
    write_json,
    write_table,
)

EXIT_DEVIATES = 1
EXIT_NOTHING = 3  # nothing was compared
_NOTES_COLUMNS = 110  # narrower terminals get no times and notes; JSON and CSV have them


def verify(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE", help="Circuits of your own; the standard set without.", show_default=False
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A backend to verify; repeatable.", show_default="all"),
    ] = None,
    qubits: Annotated[
        int, typer.Option(help="Width of the standard set's wide circuits.")
    ] = local.VERIFY_QUBITS_DEFAULT,
    shots: Annotated[
        int, typer.Option(help="Samples of each chi-squared test.")
    ] = local.VERIFY_SHOTS_DEFAULT,
    seed: Annotated[int | None, typer.Option(help="Repeat a report.", show_default="random")] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = OutputFormat.TABLE,
) -> int:
    """Run the same circuits on every backend and compare: amplitudes or expectation values number by number,
    counts by a chi-squared test.

    Exact answers come from plain matrix products, or from closed forms where a circuit is too wide for them.
    Qiskit Aer, Cirq and PennyLane take part where they are installed. The exit code is 1 when something
    deviates, 3 when nothing could be compared.

    [bold]Examples[/bold]

      qrealm verify

      qrealm verify --backend statevector --backend mps --qubits 24 --seed 7

      qrealm verify bell.qasm --format json
    """
    titles = numbered([title_of(name) for name in files or ()])
    circuits = dict(zip(titles, map(read_source, files), strict=True)) if files else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = message_console()
    progress = Progress(
        *columns, console=console, redirect_stdout=False, transient=True, disable=not console.is_terminal
    )
    task = progress.add_task("verifying", total=None)

    def tell(done: int, total: int, following: str) -> None:
        progress.start()  # now: a wrong request is told without a bar above it
        progress.update(task, completed=done, total=total, description=following or "done")

    try:
        report = local.verify(
            backend, qubits=qubits, circuits=circuits, shots=shots, seed=seed, progress=tell
        )
    finally:
        if progress.live.is_started:  # stopping prints a line
            progress.stop()
    if output is OutputFormat.JSON:
        write_json(report.to_dict())
    elif output is OutputFormat.CSV:
        records = [asdict(row) for row in report.rows]
        for record in records:
            record["warnings"] = "; ".join(record["warnings"])
        write_csv(list(records[0]), [list(record.values()) for record in records])
    else:
        _show(report)
    if report.failures:
        return EXIT_DEVIATES
    return 0 if report.passed else EXIT_NOTHING


def _show(report: local.VerifyReport) -> None:
    """The comparisons, what was left out, and the verdict."""
    compared = [row for row in report.rows if row.passed is not None]
    if compared:
        write_table(_comparisons(compared))
    write_data("")
    left_out: dict[tuple[str, str], list[local.VerifyRow]] = {}
    for row in report.rows:
        if row.passed is None:
            left_out.setdefault((row.backend, _kind(row.note)), []).append(row)
    for (backend, _), rows in left_out.items():
        what = rows[0].circuit if len(rows) == 1 else f"{len(rows)} circuits"
        alike = all(row.note == rows[0].note for row in rows)
        write_data(f"not compared: {backend}, {what}: {rows[0].note}{'' if alike else ', and the like'}")
    warned = dict.fromkeys((row.backend, text) for row in report.rows for text in row.warnings)
    for backend, text in warned:
        write_data(f"note: {backend}: {text}")
    for row in report.failures:
        found = "" if row.deviation is None else f" {row.deviation:.2g}"
        why = f": {row.note}" if row.note else ""
        write_data(f"DEVIATES: {row.backend}, {row.circuit}, {row.measure}{found}{why}")
    verdict = "no deviation" if report.passed else f"{len(report.failures)} DEVIATE"
    if not compared:
        verdict = "nothing was compared"
    write_data(
        f"{len(compared)} comparisons in {format_seconds(report.seconds)}, {report.shots:,} shots, "
        f"seed {report.seed}: {verdict}"
    )


def _kind(why: str) -> str:
    """A reason without what differs from circuit to circuit: gates, qubits, precisions, numbers, details."""
    gate = re.sub(r"^\w+(\(.*?\))? on qubits? [][\d, ]+", "", why)
    return re.sub(r"'[^']*'|single|double|[\d.,]+", "", gate.partition(": ")[0])


def _comparisons(rows: Sequence[local.VerifyRow]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)  # the verdict, where no terminal is too narrow for it
    for name in ("circuit", "backend", "measure"):
        table.add_column(name, no_wrap=True)
    wide = data_columns() >= _NOTES_COLUMNS
    for name in ("deviation", "limit", "time") if wide else ("deviation", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("")
    for row in rows:
        by_counts = row.measure == "chi-squared"
        sign = "p=" if by_counts else ""
        deviation = "" if row.deviation is None else f"{sign}{row.deviation:.2g}"
        limit = "" if row.limit is None else f"{'>=' if by_counts else '<='} {row.limit:.1g}"
        verdict = Text("ok") if row.passed else Text("DEVIATES", style="bold red")
        told = [row.circuit, row.backend, row.measure, deviation, limit]
        told += [format_seconds(row.seconds), row.note] if wide else []
        table.add_row(verdict, *map(Text, told))
    return table
