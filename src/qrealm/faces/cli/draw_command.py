"""`qrealm draw`: a circuit as text."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from qrealm.base.errors import RequestError
from qrealm.faces.cli.arguments import FileArgument, ParameterOption, read_bound, read_parameters
from qrealm.faces.cli.terminal import unicode_output, write_data

_PIPE_WIDTH = 120
_WIDTH_MIN = 40


def draw(
    file: FileArgument,
    width: Annotated[
        int | None,
        typer.Option(help="Columns before the drawing wraps, at least 40.", show_default="the terminal's"),
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Use no characters outside ASCII.")] = False,
    parameter: ParameterOption = None,
) -> None:
    """Draw a circuit as text, qubit 0 on top.

    [bold]Examples[/bold]

      qrealm draw bell.qasm

      qrealm draw bell.qasm --ascii --width 60
    """
    if width is None:
        width = max(_WIDTH_MIN, shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH)
    if width < _WIDTH_MIN:
        raise RequestError(f"--width got {width}; the rule is at least {_WIDTH_MIN} columns")
    circuit = read_bound(file, read_parameters(parameter))
    write_data(circuit.draw(width=width, ascii_only=ascii_only or not unicode_output()))
