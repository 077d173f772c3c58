"""`qrealm run`: circuits in, counts, states and expectation values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from qrealm.base import limits
from qrealm.base.errors import QrealmError, RequestError
from qrealm.control import local
from qrealm.faces.cli.arguments import (
    STDIN,
    BitOrderChoice,
    OutputFormat,
    PrecisionChoice,
    numbered_path,
    read_source,
    title_of,
)
from qrealm.faces.cli.results_tables import counts_table, headline, values_table
from qrealm.faces.cli.terminal import message_console, report, write_csv, write_data, write_json, write_table


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `qrealm run` was told, apart from the files."""

    shots: int
    seed: int | None
    precision: str
    threads: int | None
    bit_order: str
    observables: tuple[str, ...]
    plot: Path | None
    statevector: Path | None


@dataclass(frozen=True, slots=True)
class Done:
    """What is to be printed of one source; its state, if there was one, is already in its file.

    Attributes:
        name: the source.
        blocks: lines and tables for people.
        record: everything, for JSON.
        rows: one table for CSV: of the observables when any was asked for, else of the counts.
    """

    name: str
    blocks: tuple[str | Table, ...]
    record: dict[str, Any]
    rows: tuple[tuple[object, ...], ...]


def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="OpenQASM 2, OpenQASM 3 or JSON; - reads stdin.")
    ],
    shots: Annotated[int, typer.Option(help="Samples to draw; 0 for none.")] = limits.SHOTS_DEFAULT,
    seed: Annotated[
        int | None,
        typer.Option(help="Repeat a run: the same seed gives the same counts.", show_default="random"),
    ] = None,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="auto: single for counts, double for exact values.")
    ] = PrecisionChoice.AUTO,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the run.", show_default="by circuit size")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = OutputFormat.TABLE,
    plot: Annotated[
        Path | None, typer.Option(help="Save a histogram: .png, .svg or .pdf.", show_default=False)
    ] = None,
    statevector: Annotated[
        Path | None,
        typer.Option(help="Save the state before the final measurements: .npy.", show_default=False),
    ] = None,
    observable: Annotated[
        list[str] | None,
        typer.Option(help='Pauli sum whose exact value to print, such as "Z0 Z1 + 0.5 X2"; repeatable.'),
    ] = None,
    bit_order: Annotated[
        BitOrderChoice, typer.Option(help="little: qubit 0 rightmost in outcomes; big: leftmost.")
    ] = BitOrderChoice.LITTLE,
) -> int:
    """Run circuits and print their counts.

    Several files make a batch: a broken one is reported, the others run, and the exit code is 2.

    [bold]Examples[/bold]

      qrealm run bell.qasm --shots 4096 --seed 7

      qrealm run *.qasm --format json > results.json

      qrealm run bell.qasm --shots 0 --observable "Z0 Z1" --observable "X0 X1"

      qrealm run bell.qasm --statevector state.npy --plot bell.png

      echo '{"num_qubits": 1, "gates": [{"type": "H", "qubits": [0]}]}' | qrealm run -
    """
    options = RunOptions(
        shots, seed, precision.value, threads, bit_order.value, tuple(observable or ()), plot, statevector
    )
    _check(files, options)
    if len(files) == 1:
        _print([_run_one(files[0], options, several=False)], output, options, several=False)
        return 0
    done, exit_code = _run_batch(files, options)
    _print(done, output, options, several=True)
    return exit_code


def _check(files: Sequence[str], options: RunOptions) -> None:
    if len(files) > limits.BATCH_FILES_MAX:
        raise RequestError(
            f"{len(files)} files are too many for one command; the rule is {limits.BATCH_FILES_MAX}"
        )
    if files.count(STDIN) > 1:
        raise RequestError("stdin can be read only once; - was given twice")
    if options.statevector is not None and options.statevector.suffix != ".npy":
        raise RequestError(f"--statevector got {options.statevector.name!r}; the file's ending must be .npy")
    if options.plot is not None and options.shots == 0:
        raise RequestError("--plot shows counts, and --shots 0 draws none", hint="leave one of them out")


def _run_one(name: str, options: RunOptions, *, several: bool) -> Done:
    circuit = read_source(name)
    result = local.run(
        circuit,
        shots=options.shots,
        seed=options.seed,
        precision=options.precision,
        threads=options.threads,
        return_statevector=options.statevector is not None,
        observables=list(options.observables) or None,
        bit_order=options.bit_order,
    )
    if options.statevector is not None:
        _save_state(numbered_path(options.statevector, name, several), result)
    if options.plot is not None:
        path = result.plot(numbered_path(options.plot, name, several), title=Path(title_of(name)).name)
        message_console().print(f"saved {path}", soft_wrap=True, markup=False)
    return _done(title_of(name), result)


def _done(name: str, result: local.Result) -> Done:
    blocks: list[str | Table] = [headline(name, result)]
    rows: list[tuple[object, ...]] = []
    if result.shots:
        blocks.append(counts_table(result))
        rows = [(key, count, count / result.shots) for key, count in result.counts.items()]
    if result.expectation_values:
        blocks.append(values_table(result))
        errors = result.standard_errors
        rows = [(key, value, errors[key]) for key, value in result.expectation_values.items()]
    return Done(name, tuple(blocks), {"file": name, **result.to_dict(state=False)}, tuple(rows))


def _save_state(path: Path, result: local.Result) -> None:
    assert result.statevector is not None  # it was asked for
    try:
        np.save(path, result.statevector)
    except OSError as problem:
        raise RequestError(f"the state cannot be written to {str(path)!r}: {problem.strerror}") from problem
    message_console().print(f"saved {path}", soft_wrap=True, markup=False)


def _run_batch(files: Sequence[str], options: RunOptions) -> tuple[list[Done], int]:
    """Run all files with a progress bar on stderr; (those that ran, the exit code).

    Nothing is printed on stdout before the bar is done, because both may be the same terminal.
    """
    done: list[Done] = []
    exit_code = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=message_console(), redirect_stdout=False) as progress:
        task = progress.add_task("running", total=len(files))
        for name in files:
            try:
                done.append(_run_one(name, options, several=True))
            except QrealmError as problem:
                report(problem, title_of(name), console=progress.console)
                exit_code = max(exit_code, problem.exit_code)
            progress.advance(task)
    return done, exit_code


def _print(done: Sequence[Done], output: OutputFormat, options: RunOptions, *, several: bool) -> None:
    if output is OutputFormat.JSON:
        records = [one.record for one in done]
        write_json(records if several else records[0])
    elif output is OutputFormat.CSV:
        header = (
            ["observable", "value", "standard_error"]
            if options.observables
            else ["outcome", "count", "share"]
        )
        if several:
            write_csv(["file", *header], [(one.name, *row) for one in done for row in one.rows])
        else:
            write_csv(header, done[0].rows)
    else:
        for block in (block for one in done for block in one.blocks):
            write_data(block) if isinstance(block, str) else write_table(block)
