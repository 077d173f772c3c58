"""Requests that do not have the shape of their route are told so in our own words."""

from __future__ import annotations

import pytest
from tests.unit.faces.qdocker.test_http import Service

from qrealm.base.clock import SystemClock
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    engine = ContainerEngine(Config(nodes=()), tmp_path_factory.mktemp("misshapen") / "home", SystemClock())
    return Service(container_app(engine, Leaving()))


MODES = "'same', 'opposite' or 'spread'"
PAIR = {"first": "a", "second": "b"}
X = {"gate": "X", "names": ["a"]}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("state", {"data": {}, "x": 1}, "body has no field 'x'"),
        ("state", {}, "body lacks the field 'data'"),
        ("state", {"data": 1}, "body.data must be an object; it is 1"),
        ("state", [1], "body must be an object; it is a list of 1"),
        ("state", {"data": {}, "take_over": 1}, "body.take_over must be true or false; it is 1"),
        ("state", {"data": {}, "lose_volumes": 1}, "body.lose_volumes must be true or false; it is 1"),
        ("disentanglements", {"names": "web"}, "body.names must be a list; it is 'web'"),
        ("disentanglements", {"names": ["a", 3]}, "body.names[1] must be text; it is 3"),
        ("disentanglements", {"names": ["a", None]}, "body.names[1] must be text; it is null"),
        ("disentanglements", {"names": {"a": 1}}, "body.names must be a list; it is an object"),
        ("entanglements", {**PAIR, "mod": "odd"}, "body has no field 'mod'"),
        ("entanglements", {**PAIR, "mode": "odd"}, f"body.mode must be {MODES}; it is 'odd'"),
        ("entanglements", None, "body is missing"),
        ("gates", {**X, "names": []}, "body.names must have 1 or more entries; it is a list of 0"),
        ("gates", {**X, "names": ["a"] * 3}, "body.names must have 2 entries at most; it is a list of 3"),
        ("gates", {**X, "angle": "1"}, "body.angle must be a number; it is '1'"),
        ("gates", {**X, "qubit": 1.5}, "body.qubit must be a whole number; it is 1.5"),
        ("gates", {**X, "qubit": True}, "body.qubit must be a whole number; it is true"),
        ("gates", {**X, "gate": ["x" * 99]}, "body.gate must be text; it is a list of 1"),
        ("nodes", {"name": "n", "endpoint": {}, "labels": {"a": 1}}, "body.labels.a must be text; it is 1"),
        ("containers/web/stop", {"grace_s": "x" * 99}, f"body.grace_s must be a number; it is '{'x' * 60}'…"),
        ("containers", [1], "body must be an object; it is a list of 1"),
    ],
)
def test_bodies(http, path, body, words):
    answer = http.post(f"/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "QR300")
    assert answer.json()["message"] == f"POST /v1/{path}: {words}"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("events?after_id=x", "query.after_id must be a whole number; it is 'x'"),
        ("events?after_id=-1", "query.after_id must be 0 or more; it is '-1'"),
        ("events?since=x", "query.since must be a number; it is 'x'"),
        ("events?since=nan", "query.since must be a finite number; it is 'nan'"),
        ("events?follow=maybe", "query.follow must be true or false; it is 'maybe'"),
        (
            f"containers/web/logs?tail={10**19}",
            f"query.tail must be 9223372036854775807 or less; it is '{10**19}'",
        ),
        (
            f"containers/web/logs?tail={'9' * 5000}",
            f"query.tail must be a whole number of 64 bits; it is '{'9' * 60}'…",
        ),
    ],
)
def test_queries(http, path, words):
    answer = http.get(f"/v1/{path}")
    assert answer.status_code == 422
    assert answer.json()["message"] == f"GET /v1/{path.partition('?')[0]}: {words}"


def test_what_is_not_said_to_be_json(http):
    answer = http.post("/v1/entanglements", content=b"abc", headers={"Content-Type": "text/plain"})
    assert answer.json()["message"] == "POST /v1/entanglements: body must be an object; it is no JSON"
