"""`qdocker start`, `stop` and `status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qrealm.base.errors import QrealmError, RequestError
from qrealm.base.units import format_bytes
from qrealm.faces.qdocker.client import Client
from qrealm.faces.qdocker.home import debug_wanted, find_home
from qrealm.faces.qdocker.launch import REQUESTS_END_S, WORK_END_S, end, launch
from qrealm.faces.qdocker.options import PlainFormatOption, is_json, write_line
from qrealm.faces.qdocker.showing import cpus_allowed, decay_times
from qrealm.faces.qdocker.tables import write_facts
from qrealm.faces.qdocker.terminal import EXIT_ERROR, report, tell, warn, write
from qrealm.faces.qdocker.times import spoken

_STOP_S = 30.0
_PAIRS_SHOWN = 12
_STAND_IN = ("local", "simulated", "simulated://local")
"""Name, driver and address of a simulated node that no configuration and no `nodes add` has named."""


def start(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML; kept for later starts.", show_default="the last one"),
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay here and log to stderr; Ctrl-C ends it.")
    ] = False,
) -> None:
    """Start the daemon that holds the containers' state and answers the other commands.

    It keeps everything in $QUANTUM_DOCKER_HOME, else $XDG_STATE_HOME/qdocker, else ~/.local/state/qdocker.
    QUANTUM_DOCKER_DEBUG=1 makes its log detailed. Safe to repeat: a daemon that runs is left as it is.

    [bold]Examples[/bold]

      qdocker start

      qdocker start --config qdocker.yaml --foreground
    """
    home = find_home()
    if foreground:
        from qrealm.faces.qdocker.daemon import serve, start_logging

        start_logging(debug_wanted())
        serve(home, None if config is None else config.absolute())
        return
    pid, now, notices = launch(home, config, tell)
    client = Client(home)
    nodes, version = client.get("/nodes"), client.get("/ping")["version"]
    write(f"qdocker {version} runs {'' if now else 'already '}as process {pid}")
    write(f"socket: {home.socket}")
    write(f"log: {home.log}")
    for notice in notices:
        warn(notice)
    _warn_of(nodes)


def _warn_of(nodes: list[dict[str, Any]]) -> None:
    """What is wrong with the nodes that a daemon starts with."""
    lost = [node for node in nodes if node["record"]["state"] == "lost"]
    for node in lost:
        # It may answer, and be none that can be taken in: then the reason tells what is wrong with it.
        why = f": {node['error']}; it is taken in once that is over" if node["error"] else ""
        warn(f"node {node['record']['name']} is lost{why or ': it is taken in when it answers'}")
    if not nodes:
        warn("there is no node: nothing can be created")
        tell("hint: qdocker nodes add NAME --driver docker, or podman, swarm, simulated")
    elif len(lost) < len(nodes) and all(node["record"]["simulated"] for node in nodes if node not in lost):
        which = "every node that answers" if lost else "every node"
        warn(f"{which} is simulated: containers there are nothing but records")
        if any(map(_stands_in, nodes)):
            tell("hint: start Docker or Podman, then qdocker nodes add NAME")


def _stands_in(node: dict[str, Any]) -> bool:
    """Whether a node is the one that the engine takes where it finds none, and that nobody asked for."""
    endpoint = node["record"]["endpoint"]
    return (node["record"]["name"], endpoint["driver"], endpoint["url"]) == _STAND_IN


def stop(
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for its end.")
    ] = _STOP_S,
) -> None:
    """Stop the daemon. Containers go on as they are, and the next daemon finds them.

    [bold]Example[/bold]

      qdocker stop
    """
    if not timeout >= 0:  # NaN neither
        raise RequestError(f"stop --timeout got {timeout:g}; the rule is seconds from 0")
    pid = end(find_home(), timeout, _waiting_for)
    if pid is None:
        tell(f"no daemon runs for {str(find_home().folder)!r}")
        return
    write(f"the daemon, process {pid}, has ended; containers go on as they are")


def _waiting_for(pid: int) -> None:
    tell(
        f"the daemon, process {pid}, waits for what is under way: after {REQUESTS_END_S:g} s it lets whoever "
        f"asked for it go, and what has not ended within {WORK_END_S:g} s more it cuts off"
    )


def status(output: PlainFormatOption = "table") -> int:
    """Show the daemon, its nodes and what the registers hold. Exit code 1 when no daemon runs.

    [bold]Examples[/bold]

      qdocker status

      qdocker status --format json
    """
    wants_json = is_json(output)
    try:
        found = Client().get("/status")
    except QrealmError as problem:
        if wants_json:
            write_line({"running": False, "error": problem.message})
        report(problem)
        return EXIT_ERROR
    if wants_json:
        write_line({"running": True, **found})
        return 0
    write_facts(_facts(found))
    return 0


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    engine, containers, nodes = found["engine"], found["containers"], found["nodes"]
    resources = found["resources"]
    places = f"{nodes['total']}, {nodes['ready']} ready, {nodes['lost']} lost"
    if nodes["simulated"]:
        places += f", {nodes['simulated']} simulated"
    counted = f"{containers['total']} of at most {containers['max']}, {containers['running']} running"
    if containers["waiting"]:
        counted += f", {containers['waiting']} waiting for a node"
    taken = format_bytes(resources["memory_taken_bytes"])
    cpus = cpus_allowed(resources["cpus_allowed"], resources["cpus"])
    rows = [
        ("qdocker", engine["version"]),
        ("process", f"{engine['pid']}, up {spoken(engine['uptime_s']).lower()}"),
        ("home", engine["home"]),
        ("engine id", engine["id"]),
        ("scheduler", engine["scheduler"]),
        ("simulator", engine["simulation_backend"]),
        ("decoherence", decay_times(engine)),
        ("containers", counted),
        ("nodes", places),
        ("cpus", f"{resources['cpus_taken']:g} of {cpus} given to containers"),
        ("memory", f"{taken} of {format_bytes(resources['memory_bytes'])} given to containers"),
        ("qubits", str(resources["qubits"])),
    ]
    coherence = resources["quantum_coherence"]
    rows.append(("coherence", _bits(coherence["sum_bits"])))
    rows += [(f"  {name}", _bits(bits)) for name, bits in coherence["registers"].items()]
    pairs = resources["resource_entanglement"]["pairs"]
    told = f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''}" if pairs else "no containers are entangled"
    rows.append(("mutual information", told))
    rows += [(f"  {name}", _bits(bits)) for name, bits in list(pairs.items())[:_PAIRS_SHOWN]]
    if len(pairs) > _PAIRS_SHOWN:
        rows.append(("  …", f"{len(pairs) - _PAIRS_SHOWN} more; --format json has all"))
    return rows


def _bits(value: float | None) -> str:
    return "too large to tell" if value is None else f"{value + 0.0:.4f} bits"
