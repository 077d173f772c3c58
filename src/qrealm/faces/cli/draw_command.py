"""`qrealm draw`: a circuit as text."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from qrealm.faces.cli.arguments import read_source
from qrealm.faces.cli.terminal import unicode_output, write_data

_PIPE_WIDTH = 120
_WIDTH_MIN = 40


def draw(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="OpenQASM 2, OpenQASM 3 or JSON; - reads stdin.")
    ],
    width: Annotated[
        int | None, typer.Option(help="Columns before the drawing wraps.", show_default="the terminal's")
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Use no characters outside ASCII.")] = False,
) -> None:
    """Draw a circuit as text, qubit 0 on top.

    [bold]Examples[/bold]

      qrealm draw bell.qasm

      qrealm draw bell.qasm --ascii --width 60
    """
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
    circuit = read_source(file)
    write_data(circuit.draw(width=max(_WIDTH_MIN, width), ascii_only=ascii_only or not unicode_output()))
