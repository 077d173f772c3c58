"""`qdocker ps` and `inspect`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qrealm.base.errors import NoSuchContainerError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path
from qrealm.faces.qdocker.filters import container_filter
from qrealm.faces.qdocker.showing import COLUMNS, HEADINGS, inspect_document, ps_row, state_of
from qrealm.faces.qdocker.tables import fill, read_template, write_listing
from qrealm.faces.qdocker.terminal import EXIT_ERROR, report, tell, write, write_json

_RUNS = ("running", "restarting", "paused")


def ps(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that do not run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids.")] = False,
    last: Annotated[int, typer.Option("--last", "-n", metavar="N", help="The last N made.")] = -1,
    latest: Annotated[bool, typer.Option("--latest", "-l", help="The last one made.")] = False,
    no_trunc: options.NoTruncOption = False,
    filters: options.FilterOption = None,
    output: options.FormatOption = "table",
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
    rows = [ps_row(view, full=full) for view in views if keeps(view)]
    if output == "json" and not no_trunc:
        rows = [{**row, "ID": row["ID"][:12]} for row in rows]
    if quiet:
        for row in rows:
            write(row["ID"])
        return
    write_listing(rows, COLUMNS, output, headings=HEADINGS)
    if output == "table" and any(row["State"] == "missing" for row in rows):
        tell("hint: qdocker maintenance makes again what is missing; qdocker rm forgets it")


def inspect(
    names: options.NamesArgument,
    output: Annotated[
        str, typer.Option("--format", metavar="json|TEMPLATE", help='Such as "{{.State.Status}}".')
    ] = "json",
) -> int:
    """Print all that is known of containers, as a JSON array. Exit code 1 when one is not there.

    [bold]Examples[/bold]

      qdocker inspect web

      qdocker inspect --format "{{.Node.Name}} {{json .Quantum.Probabilities}}" web
    """
    template = "" if output == "json" else read_template(output)
    client = Client()
    found: list[dict[str, Any]] = []
    missing = []
    for name in names:
        try:
            found.append(inspect_document(client.get(container_path(name))))
        except NoSuchContainerError as problem:
            missing.append(problem)
    if template:
        for document in found:
            write(fill(template, document) + "\n")
    else:
        write_json(found)
    for each in missing:
        report(each)
    return EXIT_ERROR if missing else 0
