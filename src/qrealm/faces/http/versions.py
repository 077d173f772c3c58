"""Whoever updates qrealm goes on with the daemon of before until it is started anew: a command of another
version is told so before anything is done, since what the two take and answer may differ."""

from __future__ import annotations

from qrealm.base.errors import DaemonError
from qrealm.base.version import installed_version

_PROGRAM = "qrealm"


class OtherVersionError(DaemonError):
    """The daemon was started by another version of qrealm."""


def user_agent() -> str:
    """What a command calls itself in the header ``User-Agent``."""
    return f"{_PROGRAM}/{installed_version()}"


def check_caller(agent: str) -> None:
    """Other programs than qrealm's commands may ask whatever they like.

    Args:
        agent: the request's ``User-Agent``.

    Raises:
        OtherVersionError: a command of another version.
    """
    program, _, theirs = agent.partition("/")
    ours = installed_version()
    if program == _PROGRAM and theirs != ours:
        raise OtherVersionError(
            f"this command is of qrealm {theirs}, and the daemon of qrealm {ours}; nothing was done",
            hint="qdocker stop, then qdocker start: containers go on meanwhile, and nothing is lost",
        )
