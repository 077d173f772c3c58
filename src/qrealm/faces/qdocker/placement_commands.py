"""`qdocker load-balance`, `rebalance`, `why`, `schedulers` and `nodes`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path, node_path
from qrealm.faces.qdocker.container_commands import for_each
from qrealm.faces.qdocker.filters import node_filter
from qrealm.faces.qdocker.showing import node_row
from qrealm.faces.qdocker.specification import read_labels, read_memory
from qrealm.faces.qdocker.tables import write_facts, write_listing, write_table
from qrealm.faces.qdocker.terminal import EXIT_ERROR, tell, warn, write
from qrealm.faces.qdocker.times import iso

NODE_COLUMNS = {
    "Name": "NAME",
    "Status": "STATUS",
    "Engine": "ENGINE",
    "Endpoint": "ENDPOINT",
    "Containers": "CONTAINERS",
    "CPU": "CPU",
    "Memory": "MEMORY",
    "Load": "LOAD",
    "Labels": "LABELS",
    "Reason": "REASON",
}
TIE = 1e-11
"""Differences below this are rounding, as where the decision is made."""
COST = (
    "COST is what the objective changes by if the container goes there, all else as decided: the less the "
    "better, below 0 it improves. The objective has no unit; move_cost in the configuration is measured in "
    "it."
)
NO_SCHEDULER = "replacement"
"""What is recorded where none was asked, as by a drain. Nobody has chosen one of that name."""
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Name of a node.")]
NodesArgument = Annotated[list[str], typer.Argument(metavar="NODE", help="Names of nodes.")]
PathOption = Annotated[Path | None, typer.Option(help="A PEM file.", show_default=False)]


def load_balance(
    names: options.NamesArgument,
    scheduler: options.SchedulerOption = None,
    dry_run: options.DryRunOption = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Place the named containers anew, the others staying where they are. Prints the moves.

    Exit code 1 when a move failed; its container stays where it was.

    [bold]Example[/bold]

      qdocker load-balance web cache --dry-run
    """
    body = {"names": names, "scheduler": scheduler, "dry_run": dry_run}
    return _show_balance("/load-balance", body, output)


def rebalance(
    scheduler: options.SchedulerOption = None,
    dry_run: options.DryRunOption = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Improve the placement of all containers; only what pays for its move is moved. Prints the moves.

    [bold]Example[/bold]

      qdocker rebalance --dry-run
    """
    return _show_balance("/rebalance", {"scheduler": scheduler, "dry_run": dry_run}, output)


def _show_balance(path: str, body: Mapping[str, Any], output: str) -> int:
    wants_json = options.is_json(output)
    return show_balance(Client().post(path, body), wants_json)


def show_balance(found: Mapping[str, Any], wants_json: bool, *, all_must_go: bool = False) -> int:
    """Print what a `BalanceReport` says; 1 if a move failed, or something stays and `all_must_go`."""
    failed = [move for move in found["moves"] if move["error"]]
    code = EXIT_ERROR if failed or (all_must_go and found["stays"]) else 0
    if wants_json:
        options.write_line(found)
        return code
    rows = [
        (move["name"], move["source"] or "-", move["target"], _move_state(move), move["reason"])
        for move in found["moves"]
    ]
    write_table(("CONTAINER", "FROM", "TO", "MOVED", "REASON"), rows)
    bound = "" if found["bound"] is None else f", proven bound {_amount(found['bound'], 4)}"
    moves = f" and {_amount(found['move_costs'], 4)} for moves" if found["move_costs"] else ""
    values = ""
    if found["objective_before"] is not None:
        before, after = found["objective_before"], found["objective_after"]
        values = f"objective {_amount(before, 4)} to {_amount(after, 4)}{moves}{bound}; "
    idle = "; nothing was done" if found["dry_run"] else ""
    start = f"{found['scheduler']}: {values}"
    if found["scheduler"] == NO_SCHEDULER:
        start = f"{sum(move['done'] for move in found['moves'])} moved, "
    tell(f"{start}{len(found['kept'])} stay; {found['seconds']:.3g} s{idle}")
    for node, shares in found["loads"].items():
        tell(f"  {node}: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    for move in failed:
        warn(f"{move['name']} was not moved: {move['error']}")
    for name, reason in found["stays"].items():
        if all(move["name"] != name for move in failed):
            told = f"{name} {reason}" if reason.startswith("stays ") else f"{name} stays: {reason}"
            (warn if all_must_go else tell)(told)
    return code


def _move_state(move: Mapping[str, Any]) -> str:
    return "yes" if move["done"] else "failed" if move["error"] else "no"


def why(
    name: options.NameArgument,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every decision, newest first.")] = False,
    output: options.PlainFormatOption = "table",
) -> None:
    """Show why a container is where it is: each candidate's cost, what the runner-up would have cost more,
    and why the other nodes were refused.

    [bold]Examples[/bold]

      qdocker why web

      qdocker why web --all --format json
    """
    wants_json = options.is_json(output)
    found = Client().get(container_path(name, "/decisions"))
    shown = found if everything else found[:1]
    if wants_json:
        for each in shown:
            options.write_line(each)
        return
    if not shown:
        tell(f"nothing was decided about {name} yet")
    for index, each in enumerate(shown):
        if index:
            write("")
        show_decision(each)
    if any(each["candidates"] for each in shown):
        tell(COST)


def show_decision(decision: Mapping[str, Any]) -> None:
    """Print a `DecisionRecord`: the facts, what each node would cost, who was refused and why."""
    candidates = decision["candidates"]
    none = decision["scheduler"] == NO_SCHEDULER
    by = "without a scheduler" if none else f"by {decision['scheduler']}"
    facts = [
        ("container", decision["container"]),
        ("decided", f"{iso(decision['at'])}, {decision['action']}, {by}"),
        ("node", f"{decision['chosen'] or 'none'}, before: {decision['before'] or 'none'}"),
        ("reason", decision["reason"]),
    ]
    if len(candidates) > 1:
        more = candidates[1]["change"] - candidates[0]["change"]
        compared = f"{candidates[1]['node']} would have cost {_compared(more)}, all else as decided"
        facts.append(("runner-up", compared))
    if decision["objective"] is not None:
        bound = "" if decision["bound"] is None else f", proven bound {_amount(decision['bound'])}"
        by = f", found by {decision['solver']}" if decision["solver"] else ""
        facts.append(
            ("objective", f"{_amount(decision['objective'])}{bound}{by} in {decision['seconds']:.3g} s")
        )
    write_facts(facts)
    if candidates:
        parts = list(dict.fromkeys(part for each in candidates for part in each["parts"]))
        header = ("CANDIDATE", "COST", *(part.replace("_", " ").upper() for part in parts))
        rows = [
            (
                each["node"],
                _amount(each["change"]),
                *(_amount(each["parts"][part]) if part in each["parts"] else "-" for part in parts),
            )
            for each in candidates
        ]
        write_table(header, rows)
    if decision["refused"]:
        write_table(("REFUSED", "REASON"), list(decision["refused"].items()))


def _compared(more: float) -> str:
    if abs(more) <= TIE:
        return "the same"
    return f"{abs(more):.6g} {'more' if more > 0 else 'less'}"


def _amount(value: float, digits: int = 6) -> str:
    return "0" if abs(value) <= TIE else f"{value:.{digits}g}"


def schedulers(output: options.SchedulersFormatOption = "table") -> None:
    """List the schedulers that --scheduler takes, your own entry points among them, and who brings each. A
    package that cannot be used is listed with what is wrong.

    [bold]Example[/bold]

      qdocker schedulers
    """
    rows = [
        {
            "Name": each["name"],
            "Origin": each["origin"],
            "Description": f"cannot be used: {each['problem']}" if each["problem"] else each["help"],
            "Problem": each["problem"],
        }
        for each in Client().get("/schedulers")
    ]
    write_listing(rows, {"Name": "NAME", "Origin": "FROM", "Description": "DESCRIPTION"}, output)


def nodes_add(
    name: Annotated[str, typer.Argument(metavar="NODE", help="A name for it.")],
    driver: Annotated[
        str, typer.Option(metavar="NAME", help="docker, podman, swarm or simulated.")
    ] = "docker",
    url: Annotated[
        str, typer.Option(metavar="URL", help="unix://, tcp:// or ssh://; else the driver's own default.")
    ] = "",
    member: Annotated[
        str | None, typer.Option(metavar="HOST", help="The host meant, of a swarm.", show_default=False)
    ] = None,
    tls_ca: PathOption = None,
    tls_cert: PathOption = None,
    tls_key: PathOption = None,
    cpu: Annotated[float | None, typer.Option(help="Cores to share.", show_default="all that it has")] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory to share.", show_default="all that it has")
    ] = None,
    label: options.LabelOption = None,
) -> None:
    """Add a node: an engine that containers are placed on. Prints its name.

    [bold]Examples[/bold]

      qdocker nodes add west --url ssh://me@west --label zone=west

      qdocker nodes add n1 --driver swarm --url tcp://10.0.0.9:2375 --member n1

      qdocker nodes add trial --driver simulated --cpu 8 --memory 16g
    """
    endpoint = {"driver": driver, "url": url, "member": member}
    for option, path in (("tls_ca", tls_ca), ("tls_cert", tls_cert), ("tls_key", tls_key)):
        endpoint[option] = None if path is None else str(path.absolute())
    body = {
        "name": name,
        "endpoint": endpoint,
        "labels": read_labels(label),
        "cpus": cpu,
        "memory_bytes": None if memory is None else read_memory(memory),
    }
    write(Client().post("/nodes", body)["record"]["name"])


def nodes_ls(
    quiet: options.QuietOption = False,
    no_trunc: options.NoTruncOption = False,
    filters: options.FilterOption = None,
    output: options.NodesFormatOption = "table",
) -> None:
    """List the nodes and what of them is taken; REASON is why one does not answer. CPU is what limits add up
    to, of what they may: the processors, times cpu_overcommit of the configuration. LOAD adds up the weights
    of the containers that run, and of the others weight times the probability that their next run starts
    them.

    Filters: name (a regular expression), label, status (ready, draining, lost), driver.

    [bold]Examples[/bold]

      qdocker nodes ls

      qdocker nodes ls -q --filter status=lost

      qdocker nodes ls --no-trunc --format "table {{.Name}}\\t{{.Reason}}"
    """
    keeps = node_filter(filters)
    views = [view for view in Client().get("/nodes") if keeps(view)]
    as_json = output == "json"
    rows = [node_row(view, full=no_trunc or as_json, exact=as_json) for view in views]
    if quiet:
        for row in rows:
            write(row["Name"])
        return
    labels = [view["record"]["labels"] for view in views]
    write_listing(rows, NODE_COLUMNS, output, headings={"Driver": "DRIVER", "Seen": "SEEN"}, labels=labels)


def nodes_rm(names: NodesArgument, force: options.ForceOption = False) -> int:
    """Forget nodes. With --force their containers are removed too, and named on stderr. Prints each name.

    [bold]Example[/bold]

      qdocker nodes rm east
    """
    client = Client()

    def remove(name: str) -> Any:
        done = client.delete(node_path(name), {"force": force})
        for container in done["removed"]:
            tell(f"container {container} was removed with node {name}")
        for cluster, left in done["incomplete"].items():
            warn(
                f"cluster {cluster} is incomplete: what is left of it is {', '.join(left)}; create-cluster "
                "with its file makes the others again"
            )
        if done["configured"]:
            tell(
                f"the configuration names {name}, and later starts leave it out all the same; "
                "nodes add takes it in again, or another entry of that name"
            )
        return done["name"]

    return for_each(names, remove)


def nodes_drain(name: NodeArgument, output: options.PlainFormatOption = "table") -> int:
    """Close a node and move its containers to others, as far as these take them. Prints the moves, and what
    stays and why; exit code 1 when something does.

    [bold]Example[/bold]

      qdocker nodes drain east
    """
    wants_json = options.is_json(output)
    return show_balance(Client().post(node_path(name, "/drain")), wants_json, all_must_go=True)


def nodes_activate(names: NodesArgument) -> int:
    """Let drained nodes take containers again. Prints each name.

    [bold]Example[/bold]

      qdocker nodes activate east
    """
    client = Client()
    return for_each(names, lambda name: client.post(node_path(name, "/activate"))["name"])
