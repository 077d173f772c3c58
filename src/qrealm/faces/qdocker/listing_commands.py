"""`qdocker ps` and `inspect`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from qrealm.base.errors import NoSuchContainerError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path
from qrealm.faces.qdocker.filters import container_filter
from qrealm.faces.qdocker.showing import COLUMNS, HEADINGS, inspect_document, ps_row, state_of
from qrealm.faces.qdocker.tables import write_listing
from qrealm.faces.qdocker.terminal import EXIT_ERROR, report, tell, write, write_json

_RUNS = ("running", "restarting", "paused")


def ps(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that do not run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids.")] = False,
    last: Annotated[
        int, typer.Option("--last", "-n", metavar="N", help="The last N made.", show_default=False)
    ] = -1,
    latest: Annotated[bool, typer.Option("--latest", "-l", help="The last one made.")] = False,
    no_trunc: options.NoTruncOption = False,
    filters: options.FilterOption = None,
    output: options.ContainersFormatOption = "table",
) -> None:
    """List containers that run, newest first; QUANTUM is what a measurement would find at this moment.

    Filters: id, name (a regular expression), label, status, exited (an exit code), node, cluster, health.
    Simulated containers, which are nothing but records, say so in STATUS; Missing are those that their engine
    has no more.

    [bold]Examples[/bold]

      qdocker ps -a

      qdocker ps -a --filter label=tier=web --filter status=exited

      qdocker ps --format "table {{.Names}}\\t{{.Quantum}}\\t{{.Node}}"

      qdocker ps -a --format json
    """
    keeps, by_status = container_filter(filters)
    count = 1 if latest else last
    views = Client().get("/containers")
    views = views if count < 0 else views[:count]
    if not (everything or by_status or count >= 0):
        views = [view for view in views if state_of(view) in _RUNS]
    full = no_trunc or output == "json"
    views = [view for view in views if keeps(view)]
    rows = [ps_row(view, full=full) for view in views]
    if output == "json" and not no_trunc:
        rows = [{**row, "ID": row["ID"][:12]} for row in rows]
    if quiet:
        for row in rows:
            write(row["ID"])
        return
    labels = [view["record"]["spec"]["labels"] for view in views]
    write_listing(rows, COLUMNS, output, headings=HEADINGS, labels=labels)
    if output == "table" and any(row["State"] == "missing" for row in rows):
        tell("hint: qdocker maintenance makes again what is missing; qdocker rm forgets it")


def inspect(
    names: options.NamesArgument,
    output: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="json|TEMPLATE",
            show_default=False,
            help='json: on one line; or a template such as "{{.State.Status}}".',
        ),
    ] = "",
) -> int:
    """Print all that is known of containers, as a JSON array. Exit code 1 when one is not there.

    Templates are Go's, as in Docker: fields, index, len, join, json, upper, lower, title, eq and others,
    pipes, if, range and with.

    [bold]Examples[/bold]

      qdocker inspect web

      qdocker inspect -f "{{.Node.Name}} {{json .Quantum.Probabilities}}" web

      qdocker inspect -f '{{index .Config.Labels "tier"}}' web

      qdocker inspect -f '{{range .Mounts}}{{.Destination}} {{end}}' web
    """
    write_found = _writer_of(output)
    client = Client()
    found: list[dict[str, Any]] = []
    missing = []
    for name in names:
        try:
            found.append(inspect_document(client.get(container_path(name))))
        except NoSuchContainerError as problem:
            missing.append(problem)
    write_found(found)
    for each in missing:
        report(each)
    return EXIT_ERROR if missing else 0


def _writer_of(output: str) -> Callable[[list[dict[str, Any]]], None]:
    """What prints documents as `--format` says; a template is read before anybody is asked. Raises
    RequestError."""
    if not output:
        return write_json
    if output == "json":
        return options.write_line
    from qrealm.faces.qdocker.templates import Template

    template = Template(output)

    def filled(documents: list[dict[str, Any]]) -> None:
        for document in documents:
            write(template.filled(document) + "\n")

    return filled
