"""Telling a framework's objects without importing the framework."""

from __future__ import annotations

from typing import Any


def comes_from(source: Any, package: str) -> bool:
    """Whether the object's class, or one that it inherits from, is defined in `package`."""
    return any(kind.__module__.split(".", 1)[0] == package for kind in type(source).__mro__)
