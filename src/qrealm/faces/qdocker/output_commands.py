"""`qdocker logs`, `exec` and `events`."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path
from qrealm.faces.qdocker.filters import event_filter
from qrealm.faces.qdocker.specification import read_environment
from qrealm.faces.qdocker.terminal import EXIT_OWN_ERROR, write
from qrealm.faces.qdocker.times import iso, read_moment


def logs(
    name: options.NameArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    tail: Annotated[
        str, typer.Option("--tail", "-n", metavar="N|all", help="Only the last N lines.")
    ] = "all",
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Each line with its time.")] = False,
) -> None:
    """Print what a container wrote: its stdout to stdout, its stderr to stderr.

    [bold]Examples[/bold]

      qdocker logs --tail 20 web

      qdocker logs -f --since 10m -t web
    """
    if tail != "all" and not tail.isdigit():
        raise RequestError(f"--tail got {tail!r:.40}; the rule is a number of lines, or all")
    query = {
        "follow": follow,
        "tail": None if tail == "all" else int(tail),
        "since": read_moment(since, "--since"),
        "until": read_moment(until, "--until"),
        "timestamps": timestamps,
    }
    for line in Client().lines("GET", container_path(name, "/logs"), query=query):
        _pass_on(line)


def execute(
    name: options.NameArgument,
    words: Annotated[list[str], typer.Argument(metavar="COMMAND", help="Run inside it.")],
    env: options.EnvOption = None,
    user: options.UserOption = None,
    workdir: options.WorkdirOption = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Give stdin to the command, as it comes.")
    ] = False,
    terminal: Annotated[
        bool, typer.Option("--tty", "-t", help="Give it a terminal; with -i, yours is connected with it.")
    ] = False,
) -> int:
    """Run a command inside a container that runs, and exit with the command's code.

    Options stand before NAME. Exit codes are those of `docker run`: 125 for an error of qdocker or the
    engine, also for a container that does not run or is not there (`docker exec`: 1); 126 when the command
    cannot be run; 127 when it is not there (some versions of `docker exec`: 126).

    With -i or -t this command speaks to the node's engine itself; Ctrl-P Ctrl-Q leaves a command that has a
    terminal running.

    [bold]Examples[/bold]

      qdocker exec web cat /etc/hostname

      qdocker exec -it web sh

      echo data | qdocker exec -i -e MODE=test -w /tmp web sh -c 'cat > file'
    """
    spec: dict[str, Any] = {
        "command": words,
        "environment": read_environment(env, None),
        "user": user,
        "working_dir": workdir,
    }
    if interactive or terminal:
        from qrealm.faces.qdocker.live import converse

        view = Client().get(container_path(name))
        return converse(view, spec, interactive=interactive, terminal=terminal)
    code = EXIT_OWN_ERROR
    for line in Client().lines("POST", container_path(name, "/exec"), spec):
        if "exit_code" in line:
            code = int(line["exit_code"])
        else:
            _pass_on(line)
    return code


def _pass_on(piece: Mapping[str, Any]) -> None:
    """What a container wrote, byte by byte, to the stream that it wrote it to."""
    stream = sys.stdout if piece["stream"] == "stdout" else sys.stderr
    stream.buffer.write(base64.b64decode(piece["data"]))
    stream.buffer.flush()


def events(
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for more, until Ctrl-C or --until.")
    ] = True,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    filters: options.FilterOption = None,
    output: options.PlainFormatOption = "table",
) -> None:
    """Print what happens: from now on, or with --since or --no-follow also what has happened.

    Filters: type (container, register, node, message, engine, cluster), event, name.

    [bold]Examples[/bold]

      qdocker events

      qdocker events --since 1h --no-follow --filter type=node

      qdocker events --format json
    """
    wants_json = options.is_json(output)
    keeps = event_filter(filters)
    begin = read_moment(since, "--since")
    if begin is None and follow:
        begin = time.time()
    query = {"since": begin, "until": read_moment(until, "--until"), "follow": follow}
    for event in Client().lines("GET", "/events", query=query):
        if keeps(event):
            if wants_json:
                options.write_line(event)
            else:
                write(_line(event))
            sys.stdout.flush()


def _line(event: Mapping[str, Any]) -> str:
    told = ", ".join(f"{key}={value}" for key, value in event["attributes"].items())
    text = f"{iso(event['at'])} {event['type']} {event['action']} {event['name']}"
    return f"{text} ({told})" if told else text
