"""The version of qrealm that is installed."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version() -> str:
    """Version of the installed package; ``"0+source"`` when it is used from a source tree never installed."""
    try:
        return version("qrealm")
    except PackageNotFoundError:
        return "0+source"
