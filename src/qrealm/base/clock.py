"""The clock that control logic is given, so that a test or a simulation can hold time still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC. May go backwards when the machine's clock is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()


class ManualClock:
    """A clock that moves when it is told to.

    Args:
        now: seconds since 1970-01-01 UTC that it shows at first.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self._now += seconds
