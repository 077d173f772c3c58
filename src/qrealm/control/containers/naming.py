"""What engines refuse, told with the names that people know: engines have their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qrealm.base.errors import EngineRefusalError

_ID_LETTERS = 12


@contextmanager
def told_by_name(engine_id: str, name: str, node: object) -> Iterator[None]:
    """Say of what an engine refuses inside the block which container on which node it is about."""
    try:
        yield
    except EngineRefusalError as problem:
        told = problem.message.replace(f" in {engine_id[:_ID_LETTERS]}", "")
        problem.message = f"container {name!r} on node {str(node)!r}: {told}"
        problem.args = (problem.message, *problem.args[1:])
        raise
