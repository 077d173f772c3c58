"""Tables of results: a bar per outcome, a row per observable."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from qrealm.base.units import format_seconds
from qrealm.control.local import Result
from qrealm.faces.cli.terminal import bar, data_columns

ROWS_MAX = 32
_BAR_WIDTH, _BAR_WIDTH_MIN = 40, 4
_GAP = 2  # columns between columns


def headline(name: str, result: Result) -> str:
    """What ran and how, in one line."""
    facts = result.metadata
    lost = result.truncation_error
    return (
        f"{name}: {result.num_qubits} qubits, {result.shots:,} shots in {format_seconds(facts['seconds'])} "
        f"on {facts['backend']}, {facts['precision']} precision, seed {facts['seed']}"
        + (f", truncation error {lost:.2g}" if lost else "")
    )


def counts_table(result: Result) -> Table:
    """The most frequent outcomes, a bar each in what the terminal has left, and how many others there are."""
    counts, shots = result.counts, result.shots
    table = Table(box=None, pad_edge=False)
    table.add_column("outcome", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [(outcome, f"{count:,}", f"{count / shots:.1%}") for outcome, count in ranked[:ROWS_MAX]]
    if others := ranked[ROWS_MAX:]:
        rest = sum(count for _, count in others)
        rows.append((f"{len(others):,} others", f"{rest:,}", f"{rest / shots:.1%}"))
    headed = [("outcome", "count", "share"), *rows]
    taken = sum(max(map(len, cells)) + _GAP for cells in zip(*headed, strict=True))
    width = min(_BAR_WIDTH, data_columns() - taken)
    if width < _BAR_WIDTH_MIN:
        for row in rows:
            table.add_row(*row)
        return table
    table.add_column("", no_wrap=True)
    bars = [bar(count / ranked[0][1], width) for _, count in ranked[:ROWS_MAX]]
    bars += [""] * (len(rows) - len(bars))
    for row, length in zip(rows, bars, strict=True):
        table.add_row(*row, Text(length, style="blue"))
    return table


def values_table(result: Result) -> Table:
    """Each observable's value, with its standard error where it has one."""
    errors = result.standard_errors
    table = Table(box=None, pad_edge=False)
    table.add_column("observable")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("standard error", justify="right", no_wrap=True)
    for observable, value in result.expectation_values.items():
        error = errors[observable]
        table.add_row(Text(observable), f"{value:+.10f}", f"{error:.2g}" if error else "exact")
    return table
