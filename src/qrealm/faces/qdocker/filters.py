"""Filters of `ps`, `nodes ls` and `events`, as Docker's: one of the values of a key must fit, and every key;
every label must fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.showing import View, state_of

STATES = (
    *("created", "running", "paused", "restarting", "removing", "exited", "dead"),
    *("waiting", "creating", "missing", "unknown"),
)
CONTAINER_KEYS = ("id", "name", "label", "status", "exited", "node", "cluster", "health")
NODE_KEYS = ("name", "label", "status", "driver")
NODE_STATES = ("ready", "draining", "lost")
EVENT_KEYS = ("type", "event", "name")
EVENT_TYPES = ("container", "register", "node", "message", "engine", "cluster")
NODE_DRIVERS = ("docker", "podman", "swarm", "simulated")
HEALTHS = ("starting", "healthy", "unhealthy", "none")


def split_filters(words: Sequence[str] | None, known: Sequence[str]) -> dict[str, list[str]]:
    """Values by key of ``KEY=VALUE`` words. Raises RequestError."""
    found: dict[str, list[str]] = {}
    for word in words or ():
        key, sign, value = word.partition("=")
        if not sign or key not in known:
            raise RequestError(
                f"--filter got {word!r:.60}; the rule is KEY=VALUE, KEY one of {', '.join(known)}"
            )
        found.setdefault(key, []).append(value)
    return found


def container_filter(words: Sequence[str] | None) -> tuple[Callable[[View], bool], bool]:
    """What keeps the wanted containers, and whether some that do not run may be meant. Raises
    RequestError."""
    wanted = split_filters(words, CONTAINER_KEYS)
    _check_words(wanted, status=STATES, health=HEALTHS)
    _check_names(wanted)
    for code in wanted.get("exited", ()):
        if not code.isdigit():
            raise RequestError(f"--filter got exited={code!r:.40}; the rule is an exit code")

    def keeps(view: View) -> bool:
        return all(_fits(view, key, values) for key, values in wanted.items())

    return keeps, "status" in wanted or "exited" in wanted


def node_filter(words: Sequence[str] | None) -> Callable[[View], bool]:
    """What keeps the wanted nodes. Raises RequestError."""
    wanted = split_filters(words, NODE_KEYS)
    _check_words(wanted, status=NODE_STATES, driver=NODE_DRIVERS)
    _check_names(wanted)

    def fits(record: dict[str, Any], key: str, values: Sequence[str]) -> bool:
        if key == "label":
            return all(_has_label(record["labels"], value) for value in values)
        if key == "name":
            return any(re.search(value, record["name"]) for value in values)
        return (record["state"] if key == "status" else record["endpoint"]["driver"]) in values

    return lambda view: all(fits(view["record"], key, values) for key, values in wanted.items())


def event_filter(words: Sequence[str] | None) -> Callable[[View], bool]:
    """What keeps the wanted events. Raises RequestError."""
    wanted = split_filters(words, EVENT_KEYS)
    _check_words(wanted, type=EVENT_TYPES)

    def keeps(event: View) -> bool:
        values = {"type": event["type"], "event": event["action"], "name": event["name"]}
        return all(values[key] in allowed for key, allowed in wanted.items())

    return keeps


def _check_words(wanted: Mapping[str, Sequence[str]], **known: Sequence[str]) -> None:
    """That values are among the known ones of their key. Raises RequestError."""
    for key, words in known.items():
        for value in wanted.get(key, ()):
            if value not in words:
                raise RequestError(f"--filter got {key}={value!r:.40}; there are {', '.join(words)}")


def _check_names(wanted: Mapping[str, Sequence[str]]) -> None:
    """That names are regular expressions. Raises RequestError."""
    for pattern in wanted.get("name", ()):
        try:
            re.compile(pattern)
        except re.error as problem:
            raise RequestError(
                f"--filter got name={pattern!r:.40}; the rule is a regular expression: {problem}"
            ) from problem


def _fits(view: View, key: str, values: Sequence[str]) -> bool:
    record: dict[str, Any] = view["record"]
    if key == "label":
        return all(_has_label(record["spec"]["labels"], value) for value in values)
    if key == "id":
        return any(record["id"].startswith(value) for value in values)
    if key == "name":
        return any(re.search(value, record["name"]) for value in values)
    if key == "exited":
        return state_of(view) == "exited" and str(view["facts"]["exit_code"]) in values
    if key == "health":
        health = view["facts"]["health"] if view["facts"] is not None else None
        return (health or "none") in values
    return (state_of(view) if key == "status" else record[key]) in values


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, sign, value = wanted.partition("=")
    return key in labels and (not sign or labels[key] == value)
