"""Where words go: data to stdout, messages to stderr; and what every command does about errors and Ctrl-C."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from qrealm.base.errors import QrealmError, ReadError
from qrealm.faces.ending import Ending

EXIT_REFUSED = 1
"""The operating system refused something: a full disk under the output, above all."""

_PIPE_COLUMNS = 400
_MEASURE_COLUMNS = 100_000
_PLAIN = {"µ": "u", "█": "#"}


class _DataConsole(Console):
    """A console that tells its caller when nobody reads any more, instead of ending the program itself."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output any more")


def data_console() -> Console:
    """For tables on stdout. In a file or a pipe lines are not folded; colours only on a terminal without
    NO_COLOR."""
    return _DataConsole(
        width=None if sys.stdout.isatty() else _PIPE_COLUMNS, highlight=False, soft_wrap=False
    )


def message_console() -> Console:
    """For messages and progress on stderr."""
    return Console(stderr=True, highlight=False)


def speak_plainly() -> None:
    """Let stdout write every text, whatever its encoding: µ as u, bars as #, what remains as ?."""

    def plain(problem: UnicodeError) -> tuple[str, int]:
        assert isinstance(problem, UnicodeEncodeError)
        lost = problem.object[problem.start : problem.end]
        return "".join(_PLAIN.get(letter, "?") for letter in lost), problem.end

    codecs.register_error("qrealm.plain", plain)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="qrealm.plain")


def write_data(text: str) -> None:
    """Text to stdout, as it is, with a line end."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_json(value: Any) -> None:
    """A value as JSON to stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    write_data(text if _can_print(text) else json.dumps(value, indent=2))


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as CSV to stdout, lines ended with a line feed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_data(buffer.getvalue())


def data_columns() -> int:
    """Columns that tables on stdout may have."""
    return data_console().width


def write_table(table: Table) -> None:
    """A table to stdout. On a terminal that is too narrow for it the terminal folds its lines: no cell of a
    column that may not wrap is cut off."""
    console = data_console()
    console.width = max(console.width, _least_columns(table, console))
    console.print(table)


def _least_columns(table: Table, console: Console) -> int:
    """Columns below which cells would be cut off."""
    wide = console.options.update(width=_MEASURE_COLUMNS)
    total = 0
    for column in table.columns:
        sizes = [Measurement.get(console, wide, each) for each in (column.header, *column.cells)]
        total += 2 + max(size.maximum if column.no_wrap else size.minimum for size in sizes)
    return total


def fact_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Two columns without lines: names, and what they are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("value")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def bar(share: float, width: int) -> str:
    """A bar of up to `width` characters for a share from 0 to 1, in eighths where stdout can print them."""
    if not _can_print("█▏"):
        return "#" * round(share * width)
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def unicode_output() -> bool:
    """Whether stdout can print box-drawing characters."""
    return _can_print("─┤●")


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def report(problem: QrealmError, source: str = "", console: Console | None = None) -> None:
    """An error on stderr: what happened, then the hint; no traceback."""
    console = console or message_console()
    text = str(problem)
    if source and not (isinstance(problem, ReadError) and problem.line and source in text):
        text = f"{source}: {text}"
    head, separator, hint = text.partition("\nhint: ")
    console.print(Text.assemble(("error: ", "bold red"), head), soft_wrap=True)
    if separator:
        console.print(Text.assemble(("hint: ", "bold cyan"), hint), soft_wrap=True)


def warn(text: str, source: str = "") -> None:
    """A warning on stderr."""
    told = f"{source}: {text}" if source else text
    message_console().print(Text.assemble(("warning: ", "bold yellow"), told), soft_wrap=True)


def _refused(_: OSError, words: str) -> int:
    message_console().print(Text.assemble(("error: ", "bold red"), words), soft_wrap=True)
    return EXIT_REFUSED


def _reported(problem: QrealmError) -> int:
    report(problem)
    return problem.exit_code


ending = Ending(lambda text: message_console().print(text), _reported, _refused)
"""An error of qrealm is told in words and gives its own exit code."""
