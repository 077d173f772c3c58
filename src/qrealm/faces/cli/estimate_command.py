"""`qrealm estimate`: memory and time, before anything runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from qrealm.base import limits
from qrealm.base.units import format_gib, format_seconds
from qrealm.control import local
from qrealm.faces.cli.arguments import PlainFormat, PrecisionChoice, read_source, title_of
from qrealm.faces.cli.terminal import fact_table, write_json, write_table


def estimate(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="OpenQASM 2, OpenQASM 3 or JSON; - reads stdin.")
    ],
    precision: Annotated[PrecisionChoice, typer.Option(help="As for run.")] = PrecisionChoice.AUTO,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the run.", show_default="by circuit size")
    ] = None,
    shots: Annotated[int, typer.Option(help="Samples to draw.")] = limits.SHOTS_DEFAULT,
    state: Annotated[bool, typer.Option("--state", help="Count a copy of the state vector too.")] = False,
    output: Annotated[PlainFormat, typer.Option("--format", help="How to print.")] = PlainFormat.TABLE,
) -> None:
    """Tell memory, time and whether a circuit fits, without running it.

    The first estimate measures this machine for about half a second and keeps what it found.

    [bold]Examples[/bold]

      qrealm estimate large.qasm

      qrealm estimate large.qasm --precision double --format json
    """
    found = local.estimate(
        read_source(file), precision=precision.value, threads=threads, shots=shots, return_statevector=state
    )
    if output is PlainFormat.JSON:
        write_json({"file": title_of(file), **asdict(found)})
        return
    fit = "yes" if found.fits else "NO"
    threads_word = "thread" if found.threads == 1 else "threads"
    rows = [
        ("file", title_of(file)),
        ("circuit", f"{found.num_qubits} qubits, {found.gates:,} operations, depth {found.depth:,}"),
        ("backend", f"{found.backend}, {found.precision.value} precision, {found.threads} {threads_word}"),
        (
            "memory",
            f"{format_gib(found.memory_bytes)} of {format_gib(found.memory_available_bytes)} available",
        ),
        ("fits", f"{fit} (up to {found.qubits_max} qubits here in {found.precision.value} precision)"),
        ("time", f"about {format_seconds(found.seconds)}"),
        *(("note", reason) for reason in found.reasons),
    ]
    write_table(fact_table(rows))
