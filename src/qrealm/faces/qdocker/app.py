"""The `qdocker` command: one row per command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from qrealm.faces.ending import EXIT_INTERRUPTED, PlainCommand, PlainGroup, folded
from qrealm.faces.qdocker.completion import complete, completion
from qrealm.faces.qdocker.container_commands import create, rm, run, stop_container
from qrealm.faces.qdocker.daemon_commands import start, status, stop
from qrealm.faces.qdocker.listing_commands import inspect, ps
from qrealm.faces.qdocker.output_commands import events, execute, logs
from qrealm.faces.qdocker.placement_commands import (
    load_balance,
    nodes_activate,
    nodes_add,
    nodes_drain,
    nodes_ls,
    nodes_rm,
    rebalance,
    schedulers,
    why,
)
from qrealm.faces.qdocker.quantum_commands import (
    apply_gate,
    disentangle,
    entangle,
    measure,
    messages,
    send_message,
)
from qrealm.faces.qdocker.state_commands import (
    create_cluster,
    export_state,
    import_state,
    maintenance,
    rm_cluster,
)
from qrealm.faces.qdocker.terminal import ending_of, speak_plainly, usage_code, write

_HELP = """
Containers with registers of qubits, on real container engines.

A container is in superposition of its states until it is measured; `qdocker run` measures it and starts it if
it is found in its first state. Entangled containers are measured together. Simulated nodes, for machines
without an engine, say so in every listing.

[bold]First steps[/bold]

  qdocker start                      start the daemon

  qdocker create nginx:1.27 canary   one run in two starts it

  qdocker ps -a                      list containers

  qdocker run canary                 measure, then start or not

  qdocker why canary                 why it is on its node

Exit codes: 1 for an error, also of wrong words. create, run and exec have those of `docker run`: 125 for an
error of qdocker, the engine or wrong words, 126 when a command cannot be run, 127 when it is not found, else
the command's own. 130 after Ctrl-C, 141 when nobody reads the output any more. """

_NODES_HELP = """
The engines that containers are placed on.

[bold]Examples[/bold]

  qdocker nodes add east --url ssh://me@east

  qdocker nodes ls

  qdocker nodes drain east           move its containers to others
"""

_GROUPS = ("nodes",)
_LATE = {"allow_interspersed_args": False}
"""What stands after a command inside the container is that command's, also where it looks like an option."""

COMMANDS: dict[str, tuple[Callable[..., int | None], str]] = {
    "start": (start, "Daemon"),
    "stop": (stop, "Daemon"),
    "status": (status, "Daemon"),
    "create": (create, "Containers"),
    "run": (run, "Containers"),
    "stop-container": (stop_container, "Containers"),
    "rm": (rm, "Containers"),
    "ps": (ps, "Containers"),
    "inspect": (inspect, "Containers"),
    "logs": (logs, "Containers"),
    "exec": (execute, "Containers"),
    "measure": (measure, "Registers"),
    "entangle": (entangle, "Registers"),
    "disentangle": (disentangle, "Registers"),
    "apply-gate": (apply_gate, "Registers"),
    "send-message": (send_message, "Registers"),
    "messages": (messages, "Registers"),
    "load-balance": (load_balance, "Placement"),
    "rebalance": (rebalance, "Placement"),
    "why": (why, "Placement"),
    "schedulers": (schedulers, "Placement"),
    "create-cluster": (create_cluster, "Clusters and state"),
    "rm-cluster": (rm_cluster, "Clusters and state"),
    "maintenance": (maintenance, "Clusters and state"),
    "export-state": (export_state, "Clusters and state"),
    "import-state": (import_state, "Clusters and state"),
    "events": (events, "Clusters and state"),
    "completion": (completion, "Clusters and state"),
}
NODE_COMMANDS: dict[str, Callable[..., int | None]] = {
    "add": nodes_add,
    "ls": nodes_ls,
    "rm": nodes_rm,
    "drain": nodes_drain,
    "activate": nodes_activate,
}

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="qdocker",
    cls=PlainGroup,
    help=folded(_HELP),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=_SETTINGS,
)
_nodes = typer.Typer(cls=PlainGroup, help=folded(_NODES_HELP), context_settings=_SETTINGS)

for _name, (_body, _panel) in COMMANDS.items():
    _late = _LATE if _name in ("create", "exec") else {}
    _settings = {**_SETTINGS, **_late}
    app.command(_name, cls=PlainCommand, rich_help_panel=_panel, context_settings=_settings)(
        ending_of(_name).command(_body)
    )
for _name, _body in NODE_COMMANDS.items():
    _nodes.command(_name, cls=PlainCommand, context_settings=_SETTINGS)(
        ending_of(f"nodes {_name}").command(_body)
    )
app.add_typer(_nodes, name="nodes", rich_help_panel="Placement")


def _version(wanted: bool) -> None:
    if wanted:
        from qrealm.base.version import installed_version

        write(f"qdocker {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of the command itself."""


def option_names(name: str) -> list[str]:
    """Every option of a command, as ``create`` or ``nodes add``."""
    found: Any = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    # By attribute, as the class of parameters is not in typer's own names.
    words = [word for each in found.params for word in each.opts if word.startswith("-")]
    words += [word for each in found.params for word in each.secondary_opts]
    return [*words, "-h", "--help"]


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs one command and exits with its code."""
    speak_plainly()
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["__complete"]:
        sys.exit(complete(words[1:]))
    if not words or words in ([group] for group in _GROUPS):
        words = [*words, "--help"]

    def carry_out() -> int | None:
        try:
            code = app(words, prog_name="qdocker", standalone_mode=False)
        except typer.Abort:
            return EXIT_INTERRUPTED
        except _UsageError as problem:
            problem.show()
            return usage_code(words[0])
        return code if isinstance(code, int) else 0

    # Commands have their own; this is for what is before and after them, such as the text of --help.
    sys.exit(ending_of(words[0]).code_of(carry_out))


# The base of all errors about words on the command line; typer gives it no name of its own.
_UsageError: Any = typer.BadParameter.__mro__[2]
