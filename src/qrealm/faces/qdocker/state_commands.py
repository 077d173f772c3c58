"""`qdocker create-cluster`, `rm-cluster`, `maintenance`, `export-state` and `import-state`."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, cluster_path
from qrealm.faces.qdocker.progress import shown_progress
from qrealm.faces.qdocker.quantum_commands import entangled_line, fading_lines, overridden_lines
from qrealm.faces.qdocker.tables import write_facts
from qrealm.faces.qdocker.terminal import EXIT_ERROR, tell, warn, write

_STDIO = "-"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _file_option(help_text: str) -> Any:
    return typer.Option("--filename", "-f", metavar="FILE", show_default=False, help=help_text)


def create_cluster(
    file: Annotated[str, typer.Argument(metavar="FILE.yaml", help="Cluster or Compose file; - is stdin.")],
    scheduler: options.SchedulerOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    output: options.PlainFormatOption = "table",
) -> None:
    """Make all containers of a file and entangle them as it says; all or none. Prints their names.

    A Compose file has the quantum keys under x-quantum. What is there already and unchanged is kept, and its
    name is printed too: the command is safe to repeat.

    [bold]Example[/bold]

      qdocker create-cluster canary.yaml
    """
    wants_json = options.is_json(output)
    text = _read(file, "create-cluster")
    # The daemon has another environment and another folder than whoever wrote the command.
    named = {word: os.environ[word] for word in _VARIABLE.findall(text) if word in os.environ}
    body: dict[str, Any] = {
        "text": text,
        "filename": "<stdin>" if file == _STDIO else file,
        "environ": named,
        "folder": str(Path.cwd() if file == _STDIO else Path(file).absolute().parent),
    }
    if scheduler is not None:
        body["scheduler"] = scheduler
    with shown_progress(quiet) as shown:
        for line in Client().lines("POST", "/clusters", body):
            if "progress" in line:
                shown.step(line["progress"])
    found = line["result"]
    if wants_json:
        options.write_line(found)
        return
    for each in found["created"]:
        write(each["container"]["name"])
    for name in found["existing"]:
        write(name)
        tell(f"{name} was there already")
    for each in found["entangled"]:
        tell(entangled_line(each))
    for told in overridden_lines(found["overridden"]):
        tell(told)
    if note := found.get("note"):
        tell(note)
    for told in fading_lines(found["entangled"]):
        tell(told)


def rm_cluster(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a cluster.")],
    force: options.ForceOption = False,
    volumes: options.VolumesOption = False,
) -> None:
    """Remove all containers of a cluster. Prints each name.

    Exit code 1 when there is no such cluster; with --force 0, as for `qdocker rm`, and volumes stay as there.

    [bold]Example[/bold]

      qdocker rm-cluster canary --force
    """
    for each in Client().delete(cluster_path(name), {"force": force, "volumes": volumes})["removed"]:
        write(each)


def maintenance(
    renew: Annotated[
        bool, typer.Option("--renew", help="Prepare every register again, as for the next round.")
    ] = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Prepare registers again that lost their coherence, restart unhealthy containers, and bring state and
    engines in line. Exit code 1 when something could not be mended.

    Registers are prepared as declared, with the relations that measurements have spent.

    [bold]Examples[/bold]

      qdocker maintenance

      qdocker maintenance --renew
    """
    wants_json = options.is_json(output)
    found = Client().post("/maintenance", query={"renew": renew})
    if wants_json:
        options.write_line(found)
    else:
        write_facts([(name.replace("_", " "), ", ".join(each) or "-") for name, each in found.items()])
        for name in found["adopted"]:
            warn(f"{name} was not in the database: its register is as declared, without its relations")
        for problem in found["problems"]:
            warn(problem)
    return EXIT_ERROR if found["problems"] else 0


def export_state(
    filename: Annotated[
        str | None, _file_option("Where to; - is stdout, also without it where that is no terminal.")
    ] = None,
) -> None:
    """Write containers, registers, nodes and relations as JSON to a file that only you can read.

    Private keys and environments are in it: without --filename it goes to stdout, and to a terminal it is
    refused. What `>` makes of it others may be able to read.

    [bold]Examples[/bold]

      qdocker export-state --filename state.json

      qdocker export-state | gpg --encrypt --recipient me --output state.gpg
    """
    if filename is None and sys.stdout.isatty():
        raise RequestError(
            "export-state has private keys and environments to write, and got a terminal; the rule is a file "
            "or a pipe",
            hint="qdocker export-state --filename FILE; to see it all the same: --filename -",
        )
    filename = _STDIO if filename is None else filename
    text = json.dumps(Client().get("/state"), indent=2, ensure_ascii=False) + "\n"
    if filename == _STDIO:
        write(text)
        return
    path = Path(filename)
    try:
        # Complete or not at all: a full disk leaves the old file.
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as problem:
        raise RequestError(f"--filename {filename!r} cannot be written: {problem.strerror}") from problem
    tell(f"written: {filename}")


def import_state(
    filename: Annotated[str, _file_option("Where from; stdin without it, or as -.")] = _STDIO,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also what another daemon has: that loses its containers.")
    ] = False,
    lose_volumes: Annotated[
        bool, typer.Option("--lose-volumes", help="With --take-over: also where volumes cannot stay.")
    ] = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Take over what `export-state` wrote: all of it, or nothing when a name is taken.

    Containers that another daemon still has on these nodes are left alone: the import is refused, and names
    them. With --take-over each of them is stopped and removed, and then made again here; that other daemon
    must run no more. What it keeps in volumes without a name, the new one goes on with; where these cannot
    stay, as in a swarm, or cannot be seen, as on other hosts than the swarm's manager, the import is refused
    unless --lose-volumes is there, too. Exit code 1 when something could not be made yet; the daemon goes on
    trying.

    [bold]Examples[/bold]

      qdocker import-state --filename state.json

      qdocker import-state --filename state.json --take-over
    """
    wants_json = options.is_json(output)
    text = _read(filename, "--filename")
    try:
        data = json.loads(text)
    except ValueError as problem:
        raise RequestError(f"--filename {filename!r} is not JSON: {problem}") from problem
    if not isinstance(data, dict):
        raise RequestError(f"--filename {filename!r} is no exported state", hint="qdocker export-state")
    found = Client().post("/state", {"data": data, "take_over": take_over, "lose_volumes": lose_volumes})
    if wants_json:
        options.write_line(found)
    else:
        write_facts([(name.replace("_", " "), _counted(value)) for name, value in found.items()])
        for each in found["problems"]:
            warn(each)
    return EXIT_ERROR if found["problems"] else 0


def _counted(value: object) -> str:
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)


def _read(name: str, what: str) -> str:
    try:
        if name == _STDIO:
            return sys.stdin.buffer.read().decode("utf-8")
        return Path(name).read_text(encoding="utf-8")
    except OSError as problem:
        raise RequestError(f"{what} got {name!r}, which cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise RequestError(f"{what} got {name!r}, which is not UTF-8 text") from problem
