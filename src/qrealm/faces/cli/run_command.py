"""`qrealm run`: circuits in, counts, states and expectation values out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from qrealm.base import limits
from qrealm.base.errors import QrealmError, RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.noise.model import NoiseModel
from qrealm.circuits.operations import CHANNEL
from qrealm.control import local
from qrealm.faces.cli.arguments import (
    SOURCES,
    STDIN,
    AccuracyOption,
    BackendOption,
    BitOrderChoice,
    DepolarizingOption,
    NoiseOption,
    ObservableOption,
    OutputFormat,
    ParameterOption,
    PrecisionChoice,
    SampledOption,
    ShotsOption,
    ThreadsOption,
    check_asked,
    check_folder,
    marked_path,
    output_marks,
    read_bound,
    read_noise,
    read_parameters,
    title_of,
)
from qrealm.faces.cli.results_tables import counts_table, headline, values_table
from qrealm.faces.cli.terminal import (
    message_console,
    report,
    warn,
    write_csv,
    write_data,
    write_json,
    write_table,
)
from qrealm.faces.ending import EXIT_INTERRUPTED


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `qrealm run` was told, apart from the files."""

    shots: int
    seed: int | None
    precision: str
    threads: int | None
    bit_order: str
    observables: tuple[str, ...]
    sampled: bool
    plot: Path | None
    statevector: Path | None
    backend: str
    noise: NoiseModel | None
    accuracy: float
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Done:
    """What is to be shown of one source; its state, if there was one, is already in its file.

    Attributes:
        name: the source.
        mark: what it adds to the names of its own outputs.
        blocks: lines and tables for people.
        record: everything, for JSON.
        rows: one table for CSV: of the observables when any was asked for, else of the counts.
        exit_code: 2 when its state could not be saved.
    """

    name: str
    mark: str
    blocks: tuple[str | Table, ...]
    record: dict[str, Any]
    rows: tuple[tuple[object, ...], ...]
    exit_code: int


def run(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help=SOURCES)],
    shots: ShotsOption = limits.SHOTS_DEFAULT,
    seed: Annotated[
        int | None,
        typer.Option(help="Repeat a run: the same seed gives the same counts.", show_default="random"),
    ] = None,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="auto: single for counts, double for exact values.")
    ] = PrecisionChoice.AUTO,
    threads: ThreadsOption = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How to print.")] = OutputFormat.TABLE,
    plot: Annotated[
        Path | None, typer.Option(help="Save a histogram: .png, .svg or .pdf.", show_default=False)
    ] = None,
    statevector: Annotated[
        Path | None,
        typer.Option(help="Save the state before the final measurements: .npy.", show_default=False),
    ] = None,
    observable: ObservableOption = None,
    sampled: SampledOption = False,
    bit_order: Annotated[
        BitOrderChoice, typer.Option(help="little: qubit 0 rightmost in outcomes; big: leftmost.")
    ] = BitOrderChoice.LITTLE,
    backend: BackendOption = "auto",
    noise: NoiseOption = None,
    depolarizing: DepolarizingOption = None,
    accuracy: AccuracyOption = local.ACCURACY_DEFAULT,
    parameter: ParameterOption = None,
) -> int:
    """Run circuits and print their counts.

    Several files make a batch: a broken one is reported, the others run, and the exit code is 2. Ctrl-C still
    prints what is finished.

    [bold]Examples[/bold]

      qrealm run bell.qasm --shots 4096 --seed 7

      qrealm run *.qasm --format json > results.json

      qrealm run bell.qasm --shots 0 --observable "Z0 Z1" --observable "X0 X1"

      qrealm run bell.qasm --statevector state.npy --plot bell.png

      qrealm run bell.qasm --depolarizing 0.01 --backend density_matrix

      qrealm run rotation.qasm --parameter theta=0.5

      qrealm run - < bell.qasm
    """
    options = RunOptions(
        shots,
        seed,
        precision.value,
        threads,
        bit_order.value,
        tuple(observable or ()),
        sampled,
        plot,
        statevector,
        backend,
        read_noise(noise, depolarizing),
        accuracy,
        read_parameters(parameter),
    )
    _check(files, options)
    several = len(files) > 1
    done, exit_code = _run_batch(files, options) if several else ([_run_one(files[0], "", options)], 0)
    _print(done, output, options, several=several)
    sys.stdout.flush()
    if plot is not None:
        exit_code = max(exit_code, _save_pictures(done, plot))
    return max(exit_code, *(one.exit_code for one in done), 0)


def _check(files: Sequence[str], options: RunOptions) -> None:
    if len(files) > limits.BATCH_FILES_MAX:
        raise RequestError(
            f"{len(files)} files are too many for one command; the rule is {limits.BATCH_FILES_MAX}"
        )
    if files.count(STDIN) > 1:
        raise RequestError("stdin can be read only once; - was given twice")
    if options.statevector is not None and options.statevector.suffix != ".npy":
        raise RequestError(f"--statevector got {options.statevector.name!r}; the file's ending must be .npy")
    if options.statevector is not None:
        check_folder(options.statevector, "--statevector")
    if options.plot is not None and options.shots == 0:
        raise RequestError("--plot shows counts, and --shots 0 draws none", hint="leave one of them out")
    state = options.statevector is not None
    check_asked(options.shots, options.observables, options.sampled, state, "--statevector")
    if options.plot is not None:
        local.check_picture(options.plot, "--plot")
        check_folder(options.plot, "--plot")


def _check_pure(circuit: Circuit) -> None:
    """Refuse to save the state of a circuit with noise. Raises RequestError."""
    if any(op is CHANNEL for op, _, _ in circuit):
        raise RequestError(
            "--statevector needs a pure state; the noise of --depolarizing or --noise makes it mixed",
            hint="leave one of them out",
        )


def _run_one(name: str, mark: str, options: RunOptions) -> Done:
    circuit = read_bound(name, options.parameters)
    if options.statevector is not None and options.noise is not None:
        _check_pure(options.noise.apply(circuit))
    result = local.run(
        circuit,
        shots=options.shots,
        seed=options.seed,
        precision=options.precision,
        threads=options.threads,
        return_statevector=options.statevector is not None,
        observables=list(options.observables) or None,
        sampled=options.sampled,
        bit_order=options.bit_order,
        backend=options.backend,
        noise=options.noise,
        accuracy=options.accuracy,
    )
    for warning in result.metadata["warnings"]:
        warn(warning, title_of(name))
    exit_code = 0
    if options.statevector is not None:  # now: the states of a whole batch need not fit in memory together
        try:
            _save_state(marked_path(options.statevector, mark), result)
        except RequestError as problem:  # the counts are there all the same
            report(problem, title_of(name))
            exit_code = problem.exit_code
    return _done(title_of(name), mark, result, exit_code)


def _done(name: str, mark: str, result: local.Result, exit_code: int) -> Done:
    blocks: list[str | Table] = [headline(name, result)]
    rows: list[tuple[object, ...]] = []
    if result.shots:
        blocks.append(counts_table(result))
        rows = [(key, count, count / result.shots) for key, count in result.counts.items()]
    if result.expectation_values:
        blocks.append(values_table(result))
        errors = result.standard_errors
        rows = [(key, value, errors[key]) for key, value in result.expectation_values.items()]
    record = {"file": name, **result.to_dict(state=False)}
    return Done(name, mark, tuple(blocks), record, tuple(rows), exit_code)


def _save_pictures(done: Sequence[Done], plot: Path) -> int:
    """Save a histogram of each source's counts; the exit code."""
    exit_code = 0
    for one in done:
        try:
            path = local.save_histogram(
                one.record["counts"],
                marked_path(plot, one.mark),
                shots=one.record["shots"],
                title=Path(one.name).name,
            )
        except QrealmError as problem:
            report(problem, one.name)
            exit_code = max(exit_code, problem.exit_code)
        else:
            message_console().print(f"saved {path}", soft_wrap=True, markup=False)
    return exit_code


def _save_state(path: Path, result: local.Result) -> None:
    assert result.statevector is not None  # it was asked for
    try:
        np.save(path, result.statevector)
    except OSError as problem:
        raise RequestError(f"the state cannot be written to {str(path)!r}: {problem.strerror}") from problem
    message_console().print(f"saved {path}", soft_wrap=True, markup=False)


def _run_batch(files: Sequence[str], options: RunOptions) -> tuple[list[Done], int]:
    """Run all files with a progress bar on stderr; (those that ran, the exit code).

    Nothing is printed on stdout before the bar is done, because both may be the same terminal. Ctrl-C ends
    the batch; what is finished is kept.
    """
    done: list[Done] = []
    exit_code = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=message_console(), redirect_stdout=False) as progress:
        task = progress.add_task("running", total=len(files))
        for name, mark in zip(files, output_marks(files), strict=True):
            try:
                done.append(_run_one(name, mark, options))
            except KeyboardInterrupt:
                exit_code = EXIT_INTERRUPTED
                break
            except QrealmError as problem:
                report(problem, title_of(name), console=progress.console)
                exit_code = max(exit_code, problem.exit_code)
            progress.advance(task)
    if exit_code == EXIT_INTERRUPTED:
        message_console().print(f"interrupted: {len(done)} of {len(files)} files are finished")
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
