"""`qdocker measure`, `entangle`, `disentangle`, `apply-gate`, `send-message` and `messages`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker import options
from qrealm.faces.qdocker.client import Client, container_path
from qrealm.faces.qdocker.showing import decay_times
from qrealm.faces.qdocker.specification import read_angle
from qrealm.faces.qdocker.tables import write_table
from qrealm.faces.qdocker.terminal import tell, warn, write
from qrealm.faces.qdocker.times import ago

_MODES = ("same", "opposite", "spread")
_WEAK_SHOWN = 3
_SHARE_SHOWN = 0.00005
_SOON_MS = 60_000.0
"""A relation that fades with less than this is soon gone."""


def measure(
    name: options.NameArgument,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only its state.")] = False,
    output: options.PlainFormatOption = "table",
) -> None:
    """Measure a container: its register and all that is entangled with it collapse to one joint outcome.

    Nothing is started or stopped; `qdocker run` does that.

    [bold]Examples[/bold]

      qdocker measure web

      if [ "$(qdocker measure -q canary)" = running ]; then echo deploy; fi
    """
    wants_json = options.is_json(output)
    found = Client().post(container_path(name, "/measure"))
    if quiet:
        write(found["state"])
    elif wants_json:
        options.write_line(found)
    else:
        outcomes = dict(found["outcomes"])
        first = {found["name"]: outcomes.pop(found["name"])}
        write_table(("CONTAINER", "STATE"), list({**first, **outcomes}.items()))
        tell(f"probability of this outcome: {found['probability']:.4g}")
    warn_of_weak(found["weak"])


def warn_of_weak(relations: Sequence[Mapping[str, Any]]) -> None:
    """Say which relations were not much to rely on when they were measured; see `MeasureReport.weak`."""
    for each in relations[:_WEAK_SHOWN]:
        # Down, for none is to look as if it held with 0.9; what is short of a digit by rounding has it.
        holds = math.floor(100 * each["holds"] + 1e-9) / 100
        why = "decoherence" if each["decayed"] else "gates, or decoherence"
        warn(
            f"{each['first']} and {each['second']} are declared `{each['mode']}` and held with {holds:.2f} "
            f"before this measurement ({why})"
        )
    if len(relations) > _WEAK_SHOWN:
        warn(f"{len(relations) - _WEAK_SHOWN} more relations held with less than 0.9; --format json has all")


def entangle(
    first: Annotated[str, typer.Argument(metavar="A", help="A container.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The container that follows it.")],
    mode: Annotated[str, typer.Option(metavar="same|opposite|spread", help="How B follows A.")] = "same",
    output: options.PlainFormatOption = "table",
) -> None:
    """Entangle two containers, so that what one is measured to be decides the other.

    same: both in the same state, and placed together where that is possible. opposite: in mirrored states.
    spread: in different states, and placed on different nodes.

    [bold]Examples[/bold]

      qdocker entangle web cache

      qdocker entangle blue green --mode opposite
    """
    if mode not in _MODES:
        raise RequestError(f"--mode got {mode!r:.40}; there are {', '.join(_MODES)}")
    wants_json = options.is_json(output)
    found = Client().post("/entanglements", {"first": first, "second": second, "mode": mode})
    if wants_json:
        options.write_line(found)
        return
    write(entangled_line(found))
    write(f"group: {', '.join(found['group'])} ({found['num_qubits']} qubits)")
    shares = found["probabilities"].items()
    rows = [(outcome, f"{share:.2%}") for outcome, share in shares if share >= _SHARE_SHOWN]
    # Names as they are: they are case-sensitive.
    write_table((f"{found['first']},{found['second']}", "PROBABILITY"), rows)
    if len(rows) < len(shares):
        tell(f"joint outcomes that are not listed have less than {100 * _SHARE_SHOWN:g} %")
    for line in overridden_lines(found["overridden"]):
        tell(line)
    if found["note"]:
        tell(found["note"])
    for line in fading_lines([found]):
        tell(line)


def fading_lines(entangled: Sequence[Mapping[str, Any]]) -> list[str]:
    """How fast relations fade that were declared, and what renews them, where that is soon; at most a line.

    Args:
        entangled: what `EntangleReport` says of each.
    """
    if not entangled or float(entangled[0]["decoherence_time_ms"]) >= _SOON_MS:
        return []
    line = (
        f"note: relations fade with {decay_times(entangled[0])} (decoherence_time_ms, relaxation_time_ms); "
        "qdocker maintenance renews groups that have lost half of their coherence, with --renew all of them"
    )
    return [line]


def entangled_line(found: Mapping[str, Any]) -> str:
    """What `EntangleReport` says of the two."""
    both = f"{found['first']} and {found['second']}"
    if found["declared"]:
        done = "were entangled so before" if found["already"] else "are entangled"
        return f"{both} {done}: {found['mode']}"
    through = f", through {', '.join(found['through'])}" if found["through"] else ""
    return f"{both} are related so already{through}: nothing new is declared"


def overridden_lines(overridden: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What `EntangleReport.overridden` says, a line for each container."""
    return [
        f"{name}: {odds['state']} with {100 * odds['present']:.3g} % instead of its declared "
        f"{100 * odds['declared']:.3g} %"
        for name, odds in overridden.items()
    ]


def disentangle(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Two containers, or more.")],
    output: options.PlainFormatOption = "table",
) -> None:
    """End the relations of containers to each other: nothing ties them any more that placement goes by, or
    that maintenance puts into force again.

    Their registers stay as they are: what they have become, one measurement decides, until one of them is
    measured or it decays. Prints the relations that ended; where there is none, that is said, and the exit
    code is 0. Containers that hang together through one that is not named are refused.

    [bold]Examples[/bold]

      qdocker disentangle web cache

      qdocker disentangle front cache database
    """
    wants_json = options.is_json(output)
    found = Client().post("/disentanglements", {"names": names})
    if wants_json:
        options.write_line(found)
        return
    for each in found["ended"]:
        spent = ", which was spent" if each["spent"] else ""
        write(f"{each['first']} and {each['second']} have no relation any more: it was {each['mode']}{spent}")
    if not found["ended"]:
        write(f"{' and '.join(found['names'])} have no relation to each other")
    for group in found["joint"]:
        tell(f"{', '.join(group)} share a register as before, until it is measured or maintenance renews it")


def apply_gate(
    name: options.NameArgument,
    gate: Annotated[str, typer.Argument(metavar="GATE", help="X, Y, Z, H, RX, RY, RZ, CX and others.")],
    other: Annotated[
        str | None, typer.Argument(metavar="NAME2", help="The target of a gate on two containers.")
    ] = None,
    angle: Annotated[
        str | None,
        typer.Option(metavar="RADIANS", help="Of a rotation: 1.57, pi/2, -3*pi/4.", show_default=False),
    ] = None,
    qubit: Annotated[
        str, typer.Option(metavar="Q|all", help="Which of its qubits; 0 is the lowest bit of its state.")
    ] = "0",
    output: options.PlainFormatOption = "table",
) -> None:
    """Apply a gate to a container's register and show the probabilities of its states.

    [bold]Examples[/bold]

      qdocker apply-gate web X

      qdocker apply-gate web RY --angle pi/3

      qdocker apply-gate web CX cache
    """
    if qubit != "all" and not qubit.isdigit():
        raise RequestError(f"--qubit got {qubit!r:.40}; the rule is a number from 0, or all")
    wants_json = options.is_json(output)
    body = {
        "gate": gate,
        "names": [name] if other is None else [name, other],
        "angle": None if angle is None else read_angle(angle),
        "qubit": None if qubit == "all" else int(qubit),
    }
    found = Client().post("/gates", body)
    if wants_json:
        options.write_line(found)
        return
    rows = [
        (container, state, f"{share:.2%}")
        for container, shares in found["probabilities"].items()
        for state, share in shares.items()
    ]
    write_table(("CONTAINER", "STATE", "PROBABILITY"), rows)


def send_message(
    sender: Annotated[str, typer.Argument(metavar="SENDER", help="A container.")],
    receiver: Annotated[str, typer.Argument(metavar="RECEIVER", help="One entangled with it.")],
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="A word of your own.")],
    data: Annotated[str, typer.Option(metavar="JSON", help="What to send.")] = "null",
    intercept_share: Annotated[
        float, typer.Option(metavar="SHARE", help="Let an eavesdropper measure this share of the pairs.")
    ] = 0.0,
    output: options.PlainFormatOption = "table",
) -> None:
    """Send a message between containers of one group, encrypted with a key that simulated BB84 over fresh
    pairs and a real key exchange give together; the group's own entanglement is neither used nor spent.
    Prints its id.

    [bold]Examples[/bold]

      qdocker send-message web cache purge --data '{"path": "/index.html"}'

      qdocker send-message web cache test --intercept-share 0.5
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except ValueError as problem:
        raise RequestError(
            f"--data got {data!r:.60}, which is not JSON: {problem}", hint="""for example --data '{"a": 1}'"""
        ) from problem
    wants_json = options.is_json(output)
    body = {
        "sender": sender,
        "receiver": receiver,
        "type": kind,
        "data": value,
        "intercept_share": intercept_share,
    }
    found = Client().post("/messages", body)
    message = found["message"]
    if wants_json:
        # What is sealed only the daemon can open.
        shown = {key: each for key, each in message.items() if key not in ("sealed", "header")}
        options.write_line({**found, "message": shown})
        return
    write(message["id"])
    tell(f"{found['pairs']} pairs, {message['key_bits']} bits of key: {found['reason']}")


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(f"{name} is no value of JSON")


def messages(
    name: options.NameArgument,
    unread: Annotated[bool, typer.Option("--unread", help="Only those that nobody has read.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only their ids, whole.")] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Do not cut ids.")] = False,
    output: options.PlainFormatOption = "table",
) -> int:
    """Read a container's messages; they count as read afterwards, also with --quiet.

    One that was changed in the store is listed as damaged, without its data, and the exit code is 1.

    [bold]Examples[/bold]

      qdocker messages cache

      qdocker messages cache --unread --format json
    """
    wants_json = options.is_json(output)
    found = Client().get(container_path(name, "/messages"), {"unread_only": unread})
    if quiet:
        for each in found:
            write(each["id"])
    elif wants_json:
        for each in found:
            options.write_line(each)
    else:
        header = ("MESSAGE ID", "FROM", "TYPE", "SENT", "ERROR RATE", "LISTENED", "READ", "DATA")
        write_table(header, [_message_row(each, no_trunc) for each in found])
    damaged = [each for each in found if each["damaged"]]
    for each in damaged:
        tell(f"message {each['id'][:12]} is damaged: {each['damaged']}")
    return 1 if damaged else 0


def _message_row(each: dict[str, Any], full: bool) -> tuple[str, ...]:
    return (
        each["id"] if full else each["id"][:12],
        each["sender"],
        each["type"],
        ago(each["sent_at"]),
        f"{each['error_rate']:.2%}",
        "yes" if each["listened"] else "no",
        "before" if each["read_before"] else "now",
        "damaged" if each["damaged"] else json.dumps(each["data"], ensure_ascii=False),
    )
