"""Whoever asked for the work of a thread, and whether anybody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from qrealm.base.errors import CancelledRunError


@dataclass
class Asker:
    """Somebody who may go while the work that they asked for waits for its turn.

    Attributes:
        is_gone: whether nobody waits for the work any more.
        begun: the work has had a turn: it is done to its end.
    """

    is_gone: Callable[[], bool]
    begun: bool = False


_ASKER: ContextVar[Asker | None] = ContextVar("asker", default=None)


def asker() -> Asker | None:
    """Who asked for what this thread does; None for somebody who does not go."""
    return _ASKER.get()


def check_wanted() -> None:
    """Raises CancelledRunError when nobody waits any more for what is about to begin."""
    if (who := asker()) is not None and not who.begun and who.is_gone():
        raise CancelledRunError("whoever asked is gone, and it was not begun")


def begin() -> None:
    """What somebody asked for begins now. Raises CancelledRunError when nobody waits for it any more."""
    check_wanted()
    if (who := asker()) is not None:
        who.begun = True


@contextmanager
def carried_out() -> Iterator[None]:
    """In the body work is done to its end whoever goes; what they asked for has not begun with it."""
    who = asker()
    if who is None or who.begun:
        yield
        return
    who.begun = True
    try:
        yield
    finally:
        who.begun = False


@contextmanager
def asked_by(is_gone: Callable[[], bool]) -> Iterator[None]:
    """In the body, and in threads that take its context over, work is for somebody who may go."""
    token = _ASKER.set(Asker(is_gone))
    try:
        yield
    finally:
        _ASKER.reset(token)
