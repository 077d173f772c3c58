"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _format_option(first: str, second: str) -> Any:
    """--format of a listing; the two are fields that it has."""
    return typer.Option(
        "--format",
        metavar="table|json|TEMPLATE",
        help=f'table; json: one object per line; or a template of Go such as "{first} {second}", with a '
        f'table around it as "table {first}\\t{second}". Taken are fields, functions, pipes, if, range '
        "and with.",
    )


ContainersFormatOption = Annotated[str, _format_option("{{.Names}}", "{{.Status}}")]
NodesFormatOption = Annotated[str, _format_option("{{.Name}}", "{{.Status}}")]
SchedulersFormatOption = Annotated[str, _format_option("{{.Name}}", "{{.Origin}}")]
PlainFormatOption = Annotated[
    str, typer.Option("--format", metavar="table|json", help="table, or json: one object per line.")
]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name, id or first digits (4 or more) of an id.")
]
NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME", help="Names, ids or first digits (4 or more) of ids.")
]
ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Also what runs, or what does not answer.")]
VolumesOption = Annotated[
    bool,
    typer.Option("--volumes", "-v", help="Also their volumes without a name, as an image declares them."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the names or ids.")]
NoTruncOption = Annotated[bool, typer.Option("--no-trunc", help="Do not cut ids and long cells.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="NAME",
        help="Who decides where it goes; `qdocker schedulers` lists them.",
        show_default="as configured",
    ),
]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label; repeatable.")
]
FilterOption = Annotated[
    list[str] | None, typer.Option("--filter", "-f", metavar="KEY=VALUE", help="Only those; repeatable.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From then on: 10m (ago), a Unix time or a date.", show_default=False),
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Up to then; as --since.", show_default=False)
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME[=VALUE]", help="A variable; without = its own value here."),
]
UserOption = Annotated[
    str | None, typer.Option("--user", "-u", metavar="USER[:GROUP]", help="Name or id.", show_default=False)
]
WorkdirOption = Annotated[
    str | None, typer.Option("--workdir", "-w", metavar="PATH", help="Folder inside.", show_default=False)
]


def is_json(wanted: str) -> bool:
    """Whether a `PlainFormatOption` asks for JSON. Raises RequestError for anything else than json or
    table."""
    from qrealm.base.errors import RequestError

    if wanted not in ("table", "json"):
        raise RequestError(f"--format got {wanted!r:.40}; this command has table and json")
    return wanted == "json"


def write_line(value: object) -> None:
    """A value as JSON on one line."""
    import json

    from qrealm.faces.qdocker.terminal import write

    write(json.dumps(value, ensure_ascii=False))
