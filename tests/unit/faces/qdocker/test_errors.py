"""An error keeps its class, words and exit code when it crosses the connection."""

from __future__ import annotations

import json

import pytest

from qrealm.base import errors
from qrealm.faces.http.error_json import error_from_json, error_to_json, status_of
from qrealm.faces.qdocker.terminal import exit_code_of, usage_code

EVERY = [
    errors.NoSuchContainerError("there is no container 'x'", hint="qdocker ps"),
    errors.ConfigError("unknown key", file="c.yaml", line=3, key="a.b", hint="see"),
    errors.MissingExtraError("the Docker driver", package="docker", extra="docker"),
    errors.TooLargeError("a register", needed_bytes=1 << 40, available_bytes=1 << 30),
    errors.SchemaError("wrong field", source="s", line=2, column=1, text="abc", rule="r"),
    errors.InfeasibleError("no way", conflict=("a", "b"), proven=True),
    errors.CommandNotFoundError("no such command"),
    errors.DaemonError("gone"),
    errors.InternalError("broken"),
]


@pytest.mark.parametrize("problem", EVERY, ids=lambda each: type(each).__name__)
def test_there_and_back(problem):
    back = error_from_json(json.loads(json.dumps(error_to_json(problem))))
    assert type(back) is type(problem)
    assert str(back) == str(problem)
    assert back.hint == problem.hint
    assert vars(back) == vars(problem)


def test_a_class_of_a_newer_version_keeps_its_words():
    back = error_from_json({"code": "QR999", "kind": "NewerError", "message": "m", "hint": "h"})
    assert type(back) is errors.QrealmError
    assert back.message == "m"
    known = error_from_json({"code": "QR521", "kind": "RenamedError", "message": "m"})
    assert type(known) is errors.NoRoomError


@pytest.mark.parametrize(
    "problem, status",
    [
        (errors.NoSuchContainerError("x"), 404),
        (errors.NameTakenError("x"), 409),
        (errors.NoRoomError("x"), 409),
        (errors.EngineUnavailableError("x"), 503),
        (errors.RequestError("x"), 400),
        (errors.StoreError("x"), 500),
        (errors.InternalError("x"), 500),
    ],
)
def test_status(problem, status):
    assert status_of(problem) == status


@pytest.mark.parametrize(
    "problem, name, code",
    [
        (errors.CommandNotFoundError("x"), "run", 127),
        (errors.CommandNotRunnableError("x"), "exec", 126),
        (errors.ImageError("x"), "create", 125),
        (errors.DaemonError("x"), "run", 125),
        (errors.CommandNotFoundError("x"), "rm", 1),
        (errors.RequestError("x"), "ps", 1),
    ],
)
def test_exit_codes_are_dockers(problem, name, code):
    assert exit_code_of(problem, name) == code
    assert usage_code(name) == (125 if name in ("run", "exec", "create") else 1)
