"""Errors of qrealm as JSON, and back: the same class with the same words on both sides of a connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qrealm.base.errors import (
    DaemonError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    QrealmError,
    RegisterError,
    UserError,
)

_STATUS: tuple[tuple[type[QrealmError], int], ...] = (
    (NoSuchContainerError, 404),
    (NameTakenError, 409),
    (NoRoomError, 409),
    (RegisterError, 409),
    (DaemonError, 409),
    (EngineUnavailableError, 503),
    (UserError, 400),
)
_STATUS_ELSE = 500
_PLAIN = (str, int, float, bool, type(None))


def status_of(problem: QrealmError) -> int:
    """The HTTP status that tells of this error."""
    return next((status for kind, status in _STATUS if isinstance(problem, kind)), _STATUS_ELSE)


def error_to_json(problem: QrealmError) -> dict[str, Any]:
    """``{"code", "message", "hint", "kind", "details"}``; details are the class's own attributes."""
    details = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(problem).items()
        if name not in ("message", "hint") and _is_plain(value)
    }
    return {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "kind": type(problem).__name__,
        "details": details,
    }


def error_from_json(data: Mapping[str, Any]) -> QrealmError:
    """The error that `error_to_json` was given; a plain `QrealmError` where this version has no such
    class."""
    kind = next((each for each in _kinds(QrealmError) if each.__name__ == data.get("kind")), None)
    if kind is None:
        kind = next((each for each in _kinds(QrealmError) if each.code == data.get("code")), QrealmError)
    message = str(data.get("message", ""))
    # Signatures differ from class to class; the message is already complete, so only the base sees it again.
    problem = kind.__new__(kind, message)
    QrealmError.__init__(problem, message, hint=str(data.get("hint", "")))
    for name, value in dict(data.get("details") or {}).items():
        setattr(problem, name, tuple(value) if isinstance(value, list) else value)
    return problem


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


def _kinds(kind: type[QrealmError]) -> Iterator[type[QrealmError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)
