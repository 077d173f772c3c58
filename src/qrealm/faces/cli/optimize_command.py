"""`qrealm optimize`: a problem in, the best answer that was found and a proven bound out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qrealm.base.units import format_seconds
from qrealm.control import optimization
from qrealm.faces.cli.arguments import PlainFormat, check_folder
from qrealm.faces.cli.terminal import fact_table, message_console, warn, write_data, write_json, write_table
from qrealm.faces.ending import EXIT_INTERRUPTED

ROWS_MAX = 40


def optimize(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A problem: .json, .vbp, a G-set graph or a BQM; also .gz."),
    ] = None,
    solver: Annotated[
        str, typer.Option(metavar="NAME", help="auto: several side by side; else one of --list.")
    ] = optimization.AUTO,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Wall-clock limit; Ctrl-C ends it earlier.")
    ] = 5.0,
    seed: Annotated[int | None, typer.Option(help="Repeat a search.", show_default="random")] = None,
    threads: Annotated[int | None, typer.Option(help="Workers.", show_default="all cores")] = None,
    target: Annotated[
        float | None, typer.Option(help="Stop at a value this small.", show_default=False)
    ] = None,
    output: Annotated[PlainFormat, typer.Option("--format", help="How to print.")] = PlainFormat.TABLE,
    plot: Annotated[
        Path | None,
        typer.Option(help="Save value and bound over time: .png, .svg, .pdf.", show_default=False),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the solvers and end.")] = False,
) -> int:
    """Solve a placement, packing, cut, QUBO or Ising problem, and say how far from the best the answer may
    be.

    The bound is proven: no answer can cost less. Values are to be made small; of a graph the cut is
    printed too.

    [bold]Examples[/bold]

      qrealm optimize pods.json

      qrealm optimize items.vbp --seconds 2 --seed 7 --format json

      qrealm optimize G14.gz --solver tabu --seconds 10 --plot cut.png

      qrealm optimize --list
    """
    if listing:
        write_table(_solvers())
        return 0
    if file is None:
        raise typer.BadParameter("a FILE is needed; or --list", param_hint="FILE")
    if plot is not None:
        optimization.check_picture(plot, "--plot")
        check_folder(plot, "--plot")
    problem = optimization.read_problem(file)
    console = message_console()
    with Live(console=console, refresh_per_second=8, transient=True, redirect_stdout=False) as live:
        result = optimization.solve(
            problem,
            solver=solver,
            seconds=seconds,
            seed=seed,
            threads=threads,
            target=target,
            progress=lambda news: live.update(_news(problem, news)),
        )
    if output is PlainFormat.JSON:
        write_json(_record(result))
    else:
        _show(result)
    if plot is not None:
        path = result.plot(plot, title=file.name)
        console.print(f"saved {path}", soft_wrap=True, markup=False)
    if result.interrupted:
        warn("interrupted: this is the best answer so far")
        return EXIT_INTERRUPTED
    return 0


def _solvers() -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("solver", "takes", "kind", "proves", "what it does"):
        table.add_column(name, no_wrap=name != "what it does")
    for card in optimization.SOLVERS.values():
        words = (card.name, ", ".join(card.takes), card.word, "yes" if card.exact else "", card.help)
        table.add_row(*(Text(word) for word in words))
    return table


def _gap(gap: float) -> str:
    return f"{gap:.2%}" if math.isfinite(gap) else "unknown"


def _number(value: float) -> str:
    return f"{value:.10g}" if math.isfinite(value) else "none yet"


def _news(problem: optimization.Problem, news: optimization.Progress) -> Text:
    """One line: time, best, bound, gap."""
    share = min(1.0, news.seconds / news.seconds_max)
    done = round(share * 20)
    best = (
        -news.value if isinstance(problem, optimization.MaxCut) and math.isfinite(news.value) else news.value
    )
    what = "cut" if isinstance(problem, optimization.MaxCut) else "value"
    by = f" by {news.found_by}" if news.found_by else ""
    return Text(
        f"[{'#' * done}{'.' * (20 - done)}] {news.seconds:.1f} s of {news.seconds_max:g} s, "
        f"{what} {_number(best)}{by}, gap {_gap(news.gap)}"
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _record(result: optimization.OptimizeResult) -> dict[str, Any]:
    """Everything, for JSON; what is not known is null."""
    problem = result.problem
    solution: Any = result.answer.tolist()
    if isinstance(problem, optimization.Assignment):
        solution = result.placement
    record: dict[str, Any] = {"solver": result.solver, "value": result.value}
    if isinstance(problem, optimization.MaxCut):
        record["cut"] = result.cut
    return record | {
        "bound": _finite(result.bound),
        "gap": _finite(result.gap),
        "optimal": result.is_optimal,
        "seconds": result.seconds,
        "found_after_seconds": _finite(result.found_after_seconds),
        "seed": result.seed,
        "threads": result.threads,
        "interrupted": result.interrupted,
        "solution": solution,
        "contenders": [
            {
                "solver": row.solver,
                "seed": row.seed,
                "value": _finite(row.value),
                "bound": _finite(row.bound),
                "seconds": row.seconds,
                "work": row.work,
                "note": row.note,
            }
            for row in result.contenders
        ],
    }


def _show(result: optimization.OptimizeResult) -> None:
    """The facts, who took part, and the answer where it is short."""
    problem = result.problem
    facts = [("solver", f"{result.solver}, after {format_seconds(result.found_after_seconds)}")]
    if isinstance(problem, optimization.MaxCut):
        facts.append(("cut", _number(result.cut)))
    facts += [
        ("value", _number(result.value)),
        ("bound", _number(result.bound) if math.isfinite(result.bound) else "none proven"),
        ("gap", "0, proven optimal" if result.is_optimal else _gap(result.gap)),
        ("time", f"{format_seconds(result.seconds)}, {result.threads} threads, seed {result.seed}"),
    ]
    write_table(fact_table(facts))
    write_data("")
    write_table(_contenders(result))
    if isinstance(problem, optimization.Assignment):
        write_data("")
        write_table(_placement(result))


def _contenders(result: optimization.OptimizeResult) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("solver", no_wrap=True)
    for name in ("value", "bound", "time", "work"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in sorted(result.contenders, key=lambda row: row.value):
        unit = optimization.SOLVERS[row.solver].unit
        cells = (
            row.solver,
            _number(row.value) if math.isfinite(row.value) else "",
            _number(row.bound) if math.isfinite(row.bound) else "",
            format_seconds(row.seconds),
            f"{row.work:,} {unit}" if row.work else "",
            row.note,
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _placement(result: optimization.OptimizeResult) -> Table:
    """What is in each bin in use."""
    held: dict[str, list[str]] = {}
    for item, place in result.placement.items():
        held.setdefault(place or "(left out)", []).append(item)
    table = Table(box=None, pad_edge=False)
    table.add_column("bin", no_wrap=True)
    table.add_column("items")
    for place, items in list(held.items())[:ROWS_MAX]:
        table.add_row(Text(place), Text(", ".join(items)))
    if len(held) > ROWS_MAX:
        table.add_row("...", f"{len(held) - ROWS_MAX} bins more; --format json has all")
    return table
