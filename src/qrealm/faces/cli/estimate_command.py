"""`qrealm estimate`: memory and time, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from qrealm.base import limits
from qrealm.base.units import format_gib, format_seconds
from qrealm.control import local
from qrealm.faces.cli.arguments import (
    AccuracyOption,
    BackendOption,
    DepolarizingOption,
    FileArgument,
    NoiseOption,
    ObservableOption,
    ParameterOption,
    PlainFormat,
    PrecisionChoice,
    SampledOption,
    ShotsOption,
    ThreadsOption,
    check_asked,
    read_bound,
    read_noise,
    read_parameters,
    title_of,
)
from qrealm.faces.cli.terminal import fact_table, write_data, write_json, write_table


def estimate(
    file: FileArgument,
    precision: Annotated[PrecisionChoice, typer.Option(help="As for run.")] = PrecisionChoice.AUTO,
    threads: ThreadsOption = None,
    shots: ShotsOption = limits.SHOTS_DEFAULT,
    state: Annotated[bool, typer.Option("--state", help="Count a copy of the state vector too.")] = False,
    backend: BackendOption = "auto",
    noise: NoiseOption = None,
    depolarizing: DepolarizingOption = None,
    observable: ObservableOption = None,
    sampled: SampledOption = False,
    accuracy: AccuracyOption = local.ACCURACY_DEFAULT,
    parameter: ParameterOption = None,
    output: Annotated[PlainFormat, typer.Option("--format", help="How to print.")] = PlainFormat.TABLE,
) -> None:
    """Tell memory, time and whether a circuit fits, without running it.

    With the choice left to auto, it also tells what every other backend would take, or why it cannot run the
    circuit. The first estimate measures this machine for about half a second and keeps what it found.

    [bold]Examples[/bold]

      qrealm estimate large.qasm

      qrealm estimate large.qasm --precision double --format json

      qrealm estimate large.qasm --backend mps

      qrealm estimate large.qasm --shots 0 --observable "Z0 Z1"
    """
    check_asked(shots, observable or (), sampled, state, "--state")
    found = local.estimate(
        read_bound(file, read_parameters(parameter)),
        precision=precision.value,
        threads=threads,
        shots=shots,
        return_statevector=state,
        observables=observable or None,
        sampled=sampled,
        accuracy=accuracy,
        backend=backend,
        noise=read_noise(noise, depolarizing),
    )
    if output is PlainFormat.JSON:
        write_json(_plain({"file": title_of(file), **asdict(found)}))
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
    if found.considered:
        write_data("")
        write_table(_considered(found.considered))


def _considered(choices: Sequence[local.Considered]) -> Table:
    """What every backend would take, the cheapest first."""
    table = Table(box=None, pad_edge=False)
    table.add_column("backend", no_wrap=True)
    for name in ("time", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for place, each in enumerate(choices):
        cost = each.cost
        known = cost is not None and math.isfinite(cost.seconds)
        words = each.refused or ("chosen" if place == 0 else "")  # able ones come first
        if cost is not None and cost.error and not each.refused:
            words = f"{words + ', ' if words else ''}error about {cost.error:.1g}"
        table.add_row(
            each.name,
            f"about {format_seconds(cost.seconds)}" if cost is not None and known else "",
            format_gib(cost.memory_bytes) if cost is not None else "",
            Text(words),
        )
    return table


def _plain(value: Any) -> Any:
    """The value with None for what is infinite: JSON has no such number."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
