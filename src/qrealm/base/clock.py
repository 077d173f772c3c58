"""The clock that control logic is given, so that a test or a simulation can hold time still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC. May go backwards when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment in the past, for durations. Never goes backwards, whatever is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves when it is told to.

    Args:
        now: seconds since 1970-01-01 UTC that it shows at first.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._passed = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self._now += seconds
        self._passed += seconds

    def set(self, now: float) -> None:
        """Show another time of day, as when somebody sets the machine's clock; no time passes."""
        self._now = now
