"""Filters of `ps`, as Docker's: one of the values of a key must fit, and every key; every label must fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.showing import View, state_of

STATES = (
    *("created", "running", "paused", "restarting", "removing", "exited", "dead"),
    *("waiting", "creating", "unknown"),
)


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
    """What keeps the wanted containers, and whether a status was asked for. Raises RequestError."""
    wanted = split_filters(words, ("id", "name", "label", "status", "node", "cluster", "health"))
    for status in wanted.get("status", ()):
        if status not in STATES:
            raise RequestError(f"--filter got status={status!r:.40}; there are {', '.join(STATES)}")
    for pattern in wanted.get("name", ()):
        try:
            re.compile(pattern)
        except re.error as problem:
            raise RequestError(
                f"--filter got name={pattern!r:.40}; the rule is a regular expression: {problem}"
            ) from problem

    def keeps(view: View) -> bool:
        return all(_fits(view, key, values) for key, values in wanted.items())

    return keeps, "status" in wanted


def _fits(view: View, key: str, values: Sequence[str]) -> bool:
    record: dict[str, Any] = view["record"]
    if key == "label":
        return all(_has_label(record["spec"]["labels"], value) for value in values)
    if key == "id":
        return any(record["id"].startswith(value) for value in values)
    if key == "name":
        return any(re.search(value, record["name"]) for value in values)
    if key == "health":
        health = view["facts"]["health"] if view["facts"] is not None else None
        return (health or "none") in values
    return (state_of(view) if key == "status" else record[key]) in values


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, sign, value = wanted.partition("=")
    return key in labels and (not sign or labels[key] == value)
