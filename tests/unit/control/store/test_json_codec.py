"""Records to JSON and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given, settings

from qrealm.base.errors import SchemaError
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.reports import ContainerView, CreateReport
from qrealm.control.containers.values import ContainerRecord, Measured, MessageRecord, NodeRecord
from unit.control.store import records


class Colour(Enum):
    RED = "red"
    BLUE = 2


@dataclass(frozen=True)
class Everything:
    number: float
    pair: tuple[int, str]
    some: frozenset[int] = frozenset()
    many: tuple[bytes, ...] = ()
    colour: Colour | None = None
    mode: Literal["a", "b"] = "a"
    named: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    mixed: int | str | None = None
    anything: Any = None
    inner: Everything | None = None


@given(records.RECORDS)
@settings(max_examples=200)
def test_every_record_comes_back(record):
    text = json.dumps(to_json(record), allow_nan=False)
    assert from_json(type(record), json.loads(text)) == record


def test_nested_reports_come_back():
    report = CreateReport(records.container(1), records.decision("web-1"), True)
    view = ContainerView(report.container, None, records.node("a"), {"running": 0.5}, ("a",), 1, 1.0, None)
    assert from_json(CreateReport, to_json(report)) == report
    assert from_json(tuple[ContainerView, ...], to_json((view, view))) == (view, view)


def test_every_kind_of_field():
    inner = Everything(math.inf, (1, "x"), frozenset({3, 1}), (b"\xff", b""), Colour.BLUE, "b")
    value = Everything(
        -math.inf, (0, ""), named={"a": (1.0,)}, mixed="7", anything=[1, {"k": None}], inner=inner
    )
    data = to_json(value)
    assert data["number"] == "-inf"
    assert data["inner"]["some"] == [1, 3]
    assert data["inner"]["many"] == ["/w==", ""]
    assert from_json(Everything, json.loads(json.dumps(data))) == value


def test_nan_comes_back():
    back = from_json(Everything, to_json(Everything(math.nan, (1, ""))))
    assert math.isnan(back.number)


def test_fields_with_a_default_may_be_missing():
    assert from_json(Measured | None, None) is None
    data = to_json(records.container(1))
    for name in ("cluster", "restarts", "measured"):
        del data[name]
    del data["spec"]["cap_add"]
    assert from_json(ContainerRecord, data) == records.container(1)


@pytest.mark.parametrize(
    "change, place, words",
    [
        (lambda d: d.pop("name"), "", "lacks the field 'name'"),
        (lambda d: d.update(nane="x"), "", "has no field 'nane'; did you mean 'name'?"),
        (lambda d: d.update(restarts=1.0), "restarts", "must be a whole number; it is 1.0"),
        (lambda d: d.update(restarts=True), "restarts", "must be a whole number; it is True"),
        (lambda d: d.update(created_at="1"), "created_at", "must be a number; it is '1'"),
        (lambda d: d.update(created_at=10**400), "created_at", "must be a number that a computer can hold"),
        (lambda d: d.update(phase="old"), "phase", "must be one of 'creating', 'ready'"),
        (lambda d: d["spec"].update(command="ls"), "spec.command", "must be a list; it is 'ls'"),
        (lambda d: d["spec"].update(command=["ls", 1]), "spec.command[1]", "must be text; it is 1"),
        (lambda d: d["spec"].update(environment=[]), "spec.environment", "must be an object; it is []"),
        (lambda d: d["spec"]["environment"].update(A=1), "spec.environment['A']", "must be text"),
        (lambda d: d["spec"]["restart"].update(name="x"), "spec.restart.name", "must be one of 'no'"),
    ],
)
def test_wrong_data_is_named(change, place, words):
    data = to_json(records.container(1))
    change(data)
    with pytest.raises(SchemaError) as told:
        from_json(ContainerRecord, data)
    assert told.value.rule == place
    assert words in told.value.message


def test_broken_base64_and_wrong_lengths():
    with pytest.raises(SchemaError, match="must be Base64"):
        from_json(bytes, "a?b=")
    with pytest.raises(SchemaError, match="must have 2 entries; it has 3"):
        from_json(tuple[int, str], [1, "a", 2])
    with pytest.raises(SchemaError, match="must be an object"):
        from_json(NodeRecord, None)


@pytest.mark.parametrize(
    "header, words",
    [
        ({"key": b"x"}, "header holds a value of type bytes"),
        ({"rate": math.nan}, "header holds nan"),
        ({"a": [{1: 2}]}, "header has the key 1"),
    ],
)
def test_what_would_not_come_back_is_refused(header, words):
    message = MessageRecord("1", "a", "b", "note", b"", header, 0.0, False, 0, 0.0)
    with pytest.raises(SchemaError, match=words):
        to_json(message)


def test_unknown_types_are_refused():
    with pytest.raises(SchemaError, match=r"\[1\] is of type complex"):
        to_json([1, 2j])
    with pytest.raises(SchemaError, match="no way to read"):
        from_json(complex, 1)
