"""Stopping work from another thread: a token that the working thread looks at while it works.

Ctrl-C reaches only the main thread. Work that was handed to another one, as a job is, stops because whoever
handed it out cancels its token; long loops and the compiled kernel ask `check` every few milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qrealm.base.errors import CancelledRunError

_watched = threading.local()


class CancelToken:
    """Says once that some work is no longer wanted. Safe to use from any thread."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop; it does so within a fraction of a second."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()


@contextmanager
def watching(token: CancelToken) -> Iterator[None]:
    """Make `check` on this thread look at `token`."""
    before = getattr(_watched, "token", None)
    _watched.token = token
    try:
        yield
    finally:
        _watched.token = before


def check() -> None:
    """Raise CancelledRunError when the token that this thread watches was cancelled."""
    token: CancelToken | None = getattr(_watched, "token", None)
    if token is not None and token.cancelled:
        raise CancelledRunError("the run was cancelled")
