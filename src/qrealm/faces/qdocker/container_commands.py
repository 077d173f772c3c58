"""`qdocker create`, `run`, `stop-container` and `rm`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from qrealm.base.errors import NoSuchContainerError, QrealmError, RequestError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path
from qrealm.faces.qdocker.progress import shown_progress
from qrealm.faces.qdocker.quantum_commands import warn_of_weak
from qrealm.faces.qdocker.specification import (
    read_capability,
    read_environment,
    read_health,
    read_labels,
    read_limit,
    read_mount,
    read_ports,
    read_restart,
    read_tmpfs,
)
from qrealm.faces.qdocker.terminal import EXIT_ERROR, EXIT_OWN_ERROR, report, tell, warn, write

_STATES = "running,stopped"
_SIGNALS_FROM = 128
_KILLED = _SIGNALS_FROM + 9
_SEAL = "io.qrealm.sealed"
"""The label that the daemon alone can open."""

StatesOption = Annotated[
    str, typer.Option(metavar="NAME,NAME,...", help="Its states; it runs in the first and in no other.")
]
VolumeOption = Annotated[
    list[str] | None,
    typer.Option("--volume", "-v", metavar="SOURCE:TARGET[:ro]", help="Host folder or named volume."),
]
PublishOption = Annotated[
    list[str] | None,
    typer.Option("--publish", "-p", metavar="[[IP:]HOST:]CONTAINER[/PROTOCOL]", help="A port; repeatable."),
]
HostnameOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="What it calls itself.", show_default="the engine's choice")
]
TmpfsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TARGET[:size=SIZE,mode=MODE]", help="Folder in memory; repeatable."),
]
PullOption = Annotated[str, typer.Option(metavar="missing|always|never", help="When to fetch the image.")]
MemoryOption = Annotated[
    str, typer.Option("--memory", "-m", metavar="SIZE", help="Memory: MiB, or as 512m, 1g.")
]

RestartOption = Annotated[
    str, typer.Option(metavar="POLICY", help="no, always, unless-stopped, on-failure or on-failure:COUNT.")
]
HealthCommandOption = Annotated[
    str | None, typer.Option(metavar="COMMAND", help="Shell command; 0 means healthy.")
]
HealthIntervalOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Time between checks; with --health-cmd.", show_default="30s"),
]
HealthTimeoutOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Longest time of one check; with --health-cmd.", show_default="30s"),
]
HealthRetriesOption = Annotated[
    int | None, typer.Option(help="Failures in a row that make it unhealthy.", show_default="3")
]
HealthStartPeriodOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Time at first in which none counts.", show_default="0s")
]
EntrypointOption = Annotated[str | None, typer.Option(metavar="COMMAND", help="Instead of the image's own.")]
CapabilityOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="A capability; all are dropped.")
]
NodeOption = Annotated[str | None, typer.Option(metavar="NODE", help="Its node; else the scheduler decides.")]
StopTimeoutOption = Annotated[
    float, typer.Option(metavar="SECONDS", help="From SIGTERM to SIGKILL whenever it is stopped or moved.")
]


def create(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Such as nginx:1.27.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Unique in qdocker.")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="Instead of the image's own.")
    ] = None,
    quantum_weight: Annotated[float, typer.Option(help="How much it counts in placement.")] = 1.0,
    quantum_probability: Annotated[float, typer.Option(help="Of its first state, 0 to 1.")] = 0.5,
    states: StatesOption = _STATES,
    cpu: Annotated[float, typer.Option("--cpu", "--cpus", help="Processor cores.")] = 1.0,
    memory: MemoryOption = "512",
    env: options.EnvOption = None,
    env_file: Annotated[list[Path] | None, typer.Option(help="File of variables, one a line.")] = None,
    volume: VolumeOption = None,
    publish: PublishOption = None,
    tmpfs: TmpfsOption = None,
    hostname: HostnameOption = None,
    restart: RestartOption = "no",
    health_cmd: HealthCommandOption = None,
    health_interval: HealthIntervalOption = None,
    health_timeout: HealthTimeoutOption = None,
    health_retries: HealthRetriesOption = None,
    health_start_period: HealthStartPeriodOption = None,
    label: options.LabelOption = None,
    network: Annotated[str | None, typer.Option(metavar="NAME", help="A network of its engine.")] = None,
    user: options.UserOption = None,
    workdir: options.WorkdirOption = None,
    entrypoint: EntrypointOption = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Root file system read only.")] = False,
    cap_add: CapabilityOption = None,
    init: Annotated[bool, typer.Option("--init", help="The engine's init runs first in it.")] = False,
    stop_timeout: StopTimeoutOption = 10.0,
    pids_limit: Annotated[int, typer.Option(help="Most processes and threads.")] = 256,
    node: NodeOption = None,
    scheduler: options.SchedulerOption = None,
    pull: PullOption = "missing",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Make a container in superposition of its states, on the node that the scheduler chooses; print its id.

    Options stand before IMAGE; what stands after NAME is the container's command. `qdocker run NAME` measures
    it and starts it if it is found in its first state. Exit code 125 for an error of any kind.

    [bold]Examples[/bold]

      qdocker create nginx:1.27 web

      qdocker create --quantum-probability 0.2 -p 8080:80 nginx:1.27 canary

      qdocker create --states blue,green,off busybox:1.36 job sh -c 'sleep 60'
    """
    refuse_late_options(words or (), name)
    health = read_health(health_cmd, health_interval, health_timeout, health_retries, health_start_period)
    spec = {
        "name": name,
        "image": image,
        "command": words or None,
        "entrypoint": None if entrypoint is None else [entrypoint] if entrypoint else [],
        "environment": read_environment(env, env_file),
        "labels": read_labels(label),
        "limits": {"cpus": cpu, "memory_bytes": read_limit(memory), "pids": pids_limit},
        "restart": read_restart(restart),
        "health": health,
        "mounts": [read_mount(word) for word in volume or ()],
        "ports": [port for word in publish or () for port in read_ports(word)],
        "network": network or None,  # as Docker: an empty one is none
        "hostname": hostname,
        "tmpfs": [read_tmpfs(word) for word in tmpfs or ()],
        "user": user or None,
        "working_dir": workdir or None,
        "read_only": read_only,
        "init": init,
        "stop_grace_s": stop_timeout,
        "cap_add": [read_capability(word) for word in cap_add or ()],
    }
    quantum = {"states": states.split(","), "probability": quantum_probability, "weight": quantum_weight}
    request: dict[str, Any] = {"spec": spec, "quantum": quantum, "node": node, "pull": pull}
    if scheduler is not None:
        request["scheduler"] = scheduler
    _create(request, quiet)


def _create(request: dict[str, Any], quiet: bool) -> None:
    """Have a container made and print its id; what the engine does meanwhile is shown."""
    with shown_progress(quiet) as shown:
        for line in Client().lines("POST", "/containers", request):
            if "progress" in line:
                shown.step(line["progress"])
    made: dict[str, Any] = line["result"]
    write(made["container"]["id"])
    if note := made["note"]:
        warn(note)


def refuse_late_options(words: Sequence[str], name: str) -> None:
    """Say so when one of our own options stands where the container's command begins: it would be taken for
    that command, and be without effect. Raises RequestError."""
    if words and words[0].split("=")[0] in _own_options():
        raise RequestError(
            f"create got {words[0]!r:.40} after the name {name!r}, where the container's command begins",
            hint="options stand before IMAGE; for a command that begins with it write it as --entrypoint",
        )


def _own_options() -> frozenset[str]:
    from qrealm.faces.qdocker.app import option_names

    return frozenset(word for word in option_names("create") if word.startswith("--"))


def run(
    name: options.NameArgument,
    force: Annotated[bool, typer.Option("--force", "-f", help="Start it whatever is measured.")] = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Measure a container's group, then start the container if it was found in its first state, and stop it
    in any other.

    Exit codes: 125 for an error of qdocker or the engine, 126 when the container's command cannot be run, 127
    when it is not in the image, as `docker run`; the container's own code when it ends at once. 0 when the
    outcome says that it shall not run, and, with a warning, when the engine starts it again and again.

    [bold]Examples[/bold]

      qdocker run canary

      qdocker run --force canary
    """
    wants_json = options.is_json(output)
    found = Client().post(container_path(name, "/run"), {"force": force})
    if wants_json:
        options.write_line(_without_seal(found))
    else:
        write(_told(found))
    warn_of_weak(found["measured"]["weak"])
    return _code_at_once(found)


def _without_seal(found: dict[str, Any]) -> dict[str, Any]:
    """The report without that label."""
    if found["facts"] is None:
        return found
    labels = {key: value for key, value in found["facts"]["labels"].items() if key != _SEAL}
    return {**found, "facts": {**found["facts"], "labels": labels}}


def _told(found: dict[str, Any]) -> str:
    measured = found["measured"]
    if found["forced"]:
        did = "started all the same" if found["started"] else "runs all the same"
    elif found["started"]:
        did = "started"
    elif found["stopped"]:
        did = "stopped"
    else:
        did = "runs already" if found["was_running"] else "not started"
    if found["simulated"]:
        did += " (simulated: nothing really runs)"
    others = ", ".join(
        f"{name} {state}" for name, state in measured["outcomes"].items() if name != found["name"]
    )
    text = f"{found['name']}: measured {measured['state']} (probability {measured['probability']:.3g}), {did}"
    return f"{text}; with it: {others}" if others else text


def _code_at_once(found: dict[str, Any]) -> int:
    """Exit code of a container that ended as soon as it was started; else 0."""
    facts = found["facts"]
    if not found["started"] or facts is None:
        return 0
    name, again = found["name"], found["starts_again"]
    if not again and facts["state"] not in ("exited", "dead"):
        return 0
    ended = f"container {name} ended at once{_end_of(facts)}"
    if again:
        warn(f"{ended}; its engine starts it again, as --restart says")
    else:
        tell(ended)
    tell(f"hint: {_hint(facts, name)}")
    if again:
        return 0
    return EXIT_OWN_ERROR if facts["exit_code"] is None else int(facts["exit_code"])


def _end_of(facts: dict[str, Any]) -> str:
    """``" for want of memory with code 137, which is signal 9"``; nothing where it runs again, and the engine
    has forgotten."""
    cause = " for want of memory" if facts["out_of_memory"] else ""
    if facts["state"] == "running":
        return cause
    code = facts["exit_code"]
    if code is None:
        return f"{cause} with a code that its engine does not tell{_said(facts)}"
    killed = f", which is signal {code - _SIGNALS_FROM}" if code > _SIGNALS_FROM else ""
    return f"{cause} with code {code}{killed}{_said(facts)}"


def _hint(facts: dict[str, Any], name: str) -> str:
    """What to do about an end."""
    logs = f"qdocker logs {name}"
    if facts["out_of_memory"]:
        return f"--memory of qdocker create gives it more; {logs}"
    if facts["exit_code"] == _KILLED:
        # Docker hears of want of memory apart from the end, and not always in time.
        return f"signal 9 from nobody's hand is often want of memory: see --memory; {logs}"
    if facts["exit_code"] in (None, 0):
        return f"{logs} has what it wrote"
    return (
        f"{logs}; if a permission is missing: containers have no capabilities but those of --cap-add, and "
        "images that begin as root often need CHOWN, SETGID and SETUID"
    )


def _said(facts: dict[str, Any]) -> str:
    return f": {facts['error']}" if facts["error"] else ""


def stop_container(
    names: options.NamesArgument,
    time: Annotated[
        float | None,
        typer.Option(
            "--time",
            "-t",
            metavar="SECONDS",
            help="From SIGTERM to SIGKILL.",
            show_default="the container's own, else 10",
        ),
    ] = None,
) -> int:
    """Stop containers, whatever their registers say; these are not touched. Prints each name.

    [bold]Example[/bold]

      qdocker stop-container --time 2 web canary
    """
    client = Client()

    def stop(name: str) -> Any:
        stopped = client.post(container_path(name, "/stop"), {"grace_s": time})
        if stopped["simulated"]:
            tell(f"{stopped['name']} is simulated: nothing really ran")
        return stopped["name"]

    return for_each(names, stop)


def rm(
    names: options.NamesArgument,
    force: options.ForceOption = False,
    volumes: options.VolumesOption = False,
) -> int:
    """Remove containers, with their registers, relations and messages. Prints each name.

    Exit code 1 when one is not there; with --force 0, as `docker rm`. Volumes without a name stay on their
    node, too, unless --volumes is there; a swarm keeps none. Those with a name always stay.

    [bold]Examples[/bold]

      qdocker rm web

      qdocker rm --volumes db

      qdocker rm --force $(qdocker ps -aq)
    """
    client = Client()

    def remove(name: str) -> Any:
        return client.delete(container_path(name), {"force": force, "volumes": volumes})["name"]

    return for_each(names, remove, absent_is_done=force)


def for_each(names: Sequence[str], act: Callable[[str], Any], *, absent_is_done: bool = False) -> int:
    """Do something to each, print what comes of it, go on after an error; 1 if there was one, but for what is
    not there if `absent_is_done`: that is told, and no error."""
    code = 0
    for name in names:
        try:
            write(act(name))
        except QrealmError as problem:
            if absent_is_done and isinstance(problem, NoSuchContainerError):
                tell(problem.message)
            else:
                report(problem)
                code = EXIT_ERROR
    return code
