"""The `qrealm` command: one row per command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from qrealm.faces.cli.arguments import spread_values
from qrealm.faces.cli.bench_command import bench
from qrealm.faces.cli.draw_command import draw
from qrealm.faces.cli.estimate_command import estimate
from qrealm.faces.cli.info_command import info
from qrealm.faces.cli.optimize_command import optimize
from qrealm.faces.cli.run_command import run
from qrealm.faces.cli.terminal import ending, speak_plainly, write_data
from qrealm.faces.cli.verify_command import verify
from qrealm.faces.ending import PlainCommand, PlainGroup, folded

_HELP = """
Run quantum circuits on your own machine.

Circuits are OpenQASM 2, OpenQASM 3, JSON or QIR files, or - for stdin.
Results go to stdout, messages to stderr.

[bold]First steps[/bold]

  qrealm run bell.qasm               run a circuit, print its counts

  qrealm run bell.qasm --seed 7 --plot bell.png

  qrealm estimate large.qasm         memory and time, before it runs

  qrealm optimize pods.json          place things, with a proven bound

  qrealm info                        what this machine can do

  qrealm bench --qubits 5 10 15 20   how fast it is

  qrealm verify                      all backends against exact answers
"""

app = typer.Typer(
    name="qrealm",
    cls=PlainGroup,
    help=folded(_HELP),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

for body in (run, estimate, draw, optimize, info, bench, verify):
    app.command(body.__name__, cls=PlainCommand)(ending.command(body))


def _version(wanted: bool) -> None:
    if wanted:
        from qrealm.base.version import installed_version

        write_data(f"qrealm {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of the command itself."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs one command and exits with its code."""
    speak_plainly()
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["bench"]:
        words = spread_values(words, "--qubits")

    def carry_out() -> int:
        try:
            app(words, prog_name="qrealm")
        except SystemExit as ended:  # here, so that what --help wrote is flushed where errors are told
            return ended.code if isinstance(ended.code, int) else 0
        return 0

    sys.exit(ending.code_of(carry_out))
