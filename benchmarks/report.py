"""Tables and the plot."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.case_process import Answer
from benchmarks.goals import Verdict, ratio
from benchmarks.limits import Limits, Share
from benchmarks.machine import Machine
from benchmarks.peers import OURS, PEERS, Precision

# A file or a pipe has no width of its own; tables need this much.
console = Console(width=None if sys.stdout.isatty() else 120)


def format_seconds(seconds: float) -> str:
    """A time with the unit that reads best: 12.3 µs, 4.56 ms, 7.89 s."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def print_answer(answer: Answer) -> None:
    """One case: every peer's median, fastest first, and who failed."""
    medians = answer.medians()
    table = Table(
        title=f"{answer.family}, {answer.num_qubits} qubits, {answer.num_gates} gates", title_justify="left"
    )
    for column, justify in (
        ("simulator", "left"),
        ("precision", "left"),
        ("median", "right"),
        ("runs", "right"),
    ):
        table.add_column(column, justify=justify)
    table.add_column("largest error", justify="right")
    for name in sorted(medians, key=medians.__getitem__):
        error = answer.errors.get(name)
        table.add_row(
            f"[bold]{name}[/bold]" if name in OURS.values() else name,
            PEERS[name].precision,
            format_seconds(medians[name]),
            str(len(answer.seconds[name])),
            "not checked" if error is None else f"{error:.1e}",
        )
    console.print(table)
    for name, reason in answer.failures.items():
        console.print(f"{name}: no figure: {reason}", style="red", highlight=False)


def print_ratios(answers: Sequence[Answer], precisions: Iterable[Precision]) -> None:
    """Fastest peer over qrealm, by case and precision."""
    table = Table(title="fastest peer's time over qrealm's", title_justify="left")
    for column in ("case", "qubits", "precision"):
        table.add_column(column)
    table.add_column("same precision", justify="right")
    table.add_column("any precision", justify="right")
    for answer in answers:
        medians = answer.medians()
        for precision in precisions:
            same = ratio(medians, precision, "same precision")
            anyone = ratio(medians, precision, "any precision")
            if same is None and anyone is None:
                continue
            cells = ["" if value is None else f"{value:.2f}" for value in (same, anyone)]
            table.add_row(answer.family, str(answer.num_qubits), precision, *cells)
    if table.row_count:
        console.print(table)


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Goals beside figures."""
    table = Table(title="goals", title_justify="left")
    for column in ("what", "goal", "measured", ""):
        table.add_column(column)
    for verdict in verdicts:
        mark = "[green]met[/green]" if verdict.met else "[red]missed[/red]"
        table.add_row(verdict.what, verdict.goal, verdict.measured, mark)
    console.print(table)


def print_limits(limits: Limits) -> None:
    """What the machine reached."""
    table = Table(title=f"this machine, {limits.threads} threads", title_justify="left")
    table.add_column("limit")
    table.add_column("measured", justify="right")
    table.add_row("copy", f"{limits.copy_bytes_per_s / 1e9:.1f} GB/s")
    table.add_row("scale in place", f"{limits.scale_bytes_per_s / 1e9:.1f} GB/s")
    table.add_row("float32 arithmetic", f"{limits.single_flops_per_s / 1e9:.0f} GFLOP/s")
    table.add_row("float64 arithmetic", f"{limits.double_flops_per_s / 1e9:.0f} GFLOP/s")
    console.print(table)


def print_shares(shares: Sequence[Share]) -> None:
    """Runs beside the limits."""
    table = Table(title="share of the limits (evolving only)", title_justify="left")
    for column in ("case", "qubits", "precision"):
        table.add_column(column)
    for column in ("time", "moved", "operations", "of bandwidth", "of arithmetic"):
        table.add_column(column, justify="right")
    for share in shares:
        table.add_row(
            share.family,
            str(share.num_qubits),
            share.precision,
            format_seconds(share.seconds),
            f"{share.moved_bytes / 2**30:.2f} GiB",
            f"{share.flops / 1e9:.1f} GFLOP",
            f"{share.of_bandwidth:.0%}",
            f"{share.of_arithmetic:.0%}",
        )
    console.print(table)


def plot_answers(answers: Sequence[Answer], machine: Machine, path: Path) -> None:
    """Bars on a logarithmic scale: one panel per size, one group per family, one bar per simulator."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    sizes = sorted({answer.num_qubits for answer in answers})
    names = [name for name in PEERS if any(name in answer.seconds for answer in answers)]
    figure, panels = pyplot.subplots(
        len(sizes), 1, figsize=(10, 1.2 + 2.6 * len(sizes)), squeeze=False, layout="constrained"
    )
    colors = {name: pyplot.get_cmap("tab20")(index / 20) for index, name in enumerate(PEERS)}
    colors |= {OURS["single"]: "black", OURS["double"]: "dimgray"}
    for panel, size in zip(panels[:, 0], sizes, strict=True):
        rows = [answer for answer in answers if answer.num_qubits == size]
        for offset, name in enumerate(names):
            points = [(i, row.medians()[name]) for i, row in enumerate(rows) if name in row.seconds]
            positions = [i + (offset - len(names) / 2) * 0.8 / len(names) for i, _ in points]
            panel.bar(
                positions,
                [time for _, time in points],
                0.8 / len(names),
                color=colors[name],
                label=name,
                align="edge",
            )
        panel.set_yscale("log")
        panel.set_xticks(range(len(rows)), [row.family for row in rows])
        panel.set_ylabel("seconds")
        panel.set_title(f"{size} qubits", loc="left")
        panel.grid(axis="y", alpha=0.3)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), ncols=6, fontsize="small", loc="outside lower center"
    )
    figure.suptitle(f"evolve and draw 1,000 samples; {machine.title()}", fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
