"""Which numbers are times of an imported state."""

from __future__ import annotations

from collections.abc import Iterator

TIME_MAX = 253_402_300_799.0
"""The last second of the year 9999: no calendar shows a later one."""


def is_time(at: float) -> bool:
    """Whether seconds since 1970 UTC are a time that can be shown; nan is none."""
    return 0.0 <= at <= TIME_MAX


def time_fault(place: str, at: float) -> Iterator[tuple[str, str]]:
    """What is wrong with a time, if anything is."""
    if not is_time(at):
        yield place, f"{at:g} is no time in seconds since 1970"
