"""An exported state as a JSON document: each part of it read by itself, so that a fault has its place."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from qrealm.base.errors import RequestError, SchemaError, StoreError
from qrealm.control.containers.json_codec import from_json
from qrealm.control.containers.values import (
    ContainerRecord,
    DecisionRecord,
    MessageRecord,
    NodeRecord,
    Register,
    Relation,
)
from qrealm.control.store.register_codec import from_bytes
from qrealm.fleet.containers.protocol import CHECK_S

T = TypeVar("T")
FORMAT = "qdocker state"
VERSION = 1
UNCHANGED = "give a file that qdocker export-state wrote, unchanged"
_KEYS = (
    "format",
    "version",
    "engine_id",
    "exported_at",
    "nodes",
    "containers",
    "registers",
    "relations",
    "decisions",
    "messages",
    "identities",
)
_WORDS = ("user", "working_dir", "network", "hostname")
_ENGINE_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class ExportedState:
    """What `read_state` found. `identities` are the containers' private keys, by container id."""

    engine_id: str
    exported_at: float
    nodes: tuple[NodeRecord, ...]
    containers: tuple[ContainerRecord, ...]
    registers: tuple[Register, ...]
    relations: tuple[Relation, ...]
    decisions: tuple[DecisionRecord, ...]
    messages: tuple[MessageRecord, ...]
    identities: Mapping[str, bytes]


def read_state(document: object) -> ExportedState:
    """The state that `export-state` wrote as `document`.

    Raises:
        RequestError: it is something else; the message has the place of what cannot be read.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise RequestError(
            "import-state got something that is no exported state",
            hint="give a file that qdocker export-state wrote",
        )
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise RequestError(
            f"import-state got version {version!r:.40} of an exported state; this qrealm "
            f"reads version {VERSION}",
            hint="export it again with a qrealm that writes this version",
        )
    for key in document:
        if key not in _KEYS:
            raise _unreadable(f"{key!r:.60}", "is no part of a state")
    for key in _KEYS:
        if key not in document:
            raise _unreadable(key, "is not there")
    return ExportedState(
        engine_id=_one(str, document["engine_id"], "engine_id"),
        exported_at=_one(float, document["exported_at"], "exported_at"),
        nodes=_all(NodeRecord, document, "nodes"),
        containers=tuple(map(_of_today, _all(ContainerRecord, document, "containers"))),
        registers=tuple(_register(text, f"registers[{n}]") for n, text in _list(document, "registers")),
        relations=_all(Relation, document, "relations"),
        decisions=_all(DecisionRecord, document, "decisions"),
        messages=_all(MessageRecord, document, "messages"),
        identities=_identities(document["identities"]),
    )


def _of_today(record: ContainerRecord) -> ContainerRecord:
    """A record with what stood for nothing in it written as it is today. Versions before kept what an engine
    takes for its own choice: a word that is empty, a time and a port that are 0."""
    spec = record.spec
    words: dict[str, Any] = {name: getattr(spec, name) or None for name in _WORDS}
    ports = tuple(replace(port, host_port=port.host_port or None) for port in spec.ports)
    health = spec.health
    if health is not None:
        interval_s, timeout_s = health.interval_s or CHECK_S, health.timeout_s or CHECK_S
        health = replace(health, interval_s=interval_s, timeout_s=timeout_s)
    return replace(record, spec=replace(spec, **words, ports=ports, health=health))


def is_engine_id(text: str) -> bool:
    """Whether an engine of qrealm can be called so."""
    return _ENGINE_ID.fullmatch(text) is not None


def text_of(data: bytes) -> str:
    """Bytes as the document has them."""
    return base64.b64encode(data).decode()


def _list(document: Mapping[str, Any], part: str) -> enumerate[Any]:
    found = document[part]
    if not isinstance(found, list | tuple):
        raise _unreadable(part, f"must be a list; it is {found!r:.60}")
    return enumerate(found)


def _all(kind: type[T], document: Mapping[str, Any], part: str) -> tuple[T, ...]:
    return tuple(_one(kind, item, f"{part}[{number}]") for number, item in _list(document, part))


def _one(kind: type[T], data: Any, place: str) -> T:
    try:
        return from_json(kind, data)
    except SchemaError as problem:
        told = problem.message.removeprefix(problem.rule or "the value").strip()
        raise _unreadable(_joined(place, problem.rule), told) from problem
    except RequestError as problem:  # what a record's type says no to
        raise _unreadable(f"{place}:", problem.message) from problem


def _joined(place: str, rule: str) -> str:
    return f"{place}{rule}" if not rule or rule.startswith("[") else f"{place}.{rule}"


def _register(text: object, place: str) -> Register:
    try:
        return from_bytes(_bytes(text, place))
    except StoreError as problem:
        raise _unreadable(place, problem.message.removeprefix("a register ")) from problem


def _identities(found: object) -> dict[str, bytes]:
    if not isinstance(found, Mapping):
        raise _unreadable("identities", f"must be an object; it is {found!r:.60}")
    return {name: _bytes(text, f"identities[{name!r:.80}]") for name, text in found.items()}


def _bytes(text: object, place: str) -> bytes:
    if not isinstance(text, str):
        raise _unreadable(place, f"must be text in Base64; it is {text!r:.60}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable(place, "must be text in Base64") from None


def _unreadable(place: str, told: str) -> RequestError:
    return RequestError(
        f"import-state got a document that cannot be read: {place} {told:.300}", hint=UNCHANGED
    )
