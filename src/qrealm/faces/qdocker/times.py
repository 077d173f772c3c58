"""Times as Docker's users read and write them."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timedelta

from qrealm.base.errors import RequestError

_STEPS = (
    (60.0, 1.0, "second"),
    (3600.0, 60.0, "minute"),
    (48 * 3600.0, 3600.0, "hour"),
    (14 * 86400.0, 86400.0, "day"),
    (60 * 86400.0, 7 * 86400.0, "week"),
    (2 * 365 * 86400.0, 30 * 86400.0, "month"),
    (float("inf"), 365 * 86400.0, "year"),
)
UNKNOWN = "?"
"""What stands for a time that is none."""

_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LETTERS = {"m": "min"}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def spoken(seconds: float) -> str:
    """A duration in words: ``"3 minutes"``."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return "Less than a second"
    for below, size, name in _STEPS:
        if seconds < below:
            count = int(seconds // size)
            return f"{count} {name}" + ("" if count == 1 else "s")
    raise AssertionError("the last step is endless")


def with_unit(seconds: float) -> str:
    """A duration with its unit, the largest in which it is a short number: ``"250 ms"``, ``"1.5 h"``."""
    fitting = [(seconds / size, unit) for unit, size in _UNITS_S.items() if seconds >= size]
    short = [each for each in fitting if each[0] < 1e4 and math.isclose(each[0], float(f"{each[0]:.4g}"))]
    count, unit = (short or fitting or [(seconds * 1e3, "ms")])[-1]
    return f"{count:.4g} {_LETTERS.get(unit, unit)}"


def ago(at: float, now: float | None = None) -> str:
    """How long ago a time in seconds since 1970 UTC was: ``"3 minutes ago"``."""
    passed = (time.time() if now is None else float(now)) - float(at)
    return f"{spoken(max(0.0, passed))} ago" if math.isfinite(passed) else UNKNOWN


def stamp(at: float) -> str:
    """A time as Docker prints it in ``CreatedAt``: ``"2026-03-01 12:00:00 +0100 CET"``."""
    moment = _moment(at)
    return UNKNOWN if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S %z %Z")


def iso(at: float) -> str:
    """A local time with its offset, to the microsecond (RFC 3339)."""
    moment = _moment(at)
    return UNKNOWN if moment is None else moment.isoformat(timespec="microseconds")


def _moment(at: float) -> datetime | None:
    """A local time; None for a number that is none, which JSON has as a word."""
    try:
        return datetime.fromtimestamp(float(at)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def read_duration(text: str, option: str) -> float:
    """Seconds of ``"1m30s"``, ``"500ms"`` or a plain number of seconds. Raises RequestError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise RequestError(
            f"{option} got {text!r:.40}; the rule is a duration", hint="for example 500ms, 10s, 1m30s, 2h"
        )
    return timedelta(
        seconds=sum(float(count) * _UNITS_S[unit] for count, unit in _PART.findall(text))
    ).total_seconds()


def read_moment(text: str | None, option: str, now: float | None = None) -> float | None:
    """Seconds since 1970 UTC of ``"10m"`` (that long ago), a Unix time, or a date and time in ISO form, which
    is local time where it names no offset. None for None. Raises RequestError."""
    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if _DURATION.fullmatch(text):
        return (time.time() if now is None else now) - read_duration(text, option)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as problem:
        raise RequestError(
            f"{option} got {text!r:.40}; the rule is a duration, a Unix time or a date",
            hint="for example 10m, 1767225600, 2026-01-01T12:00:00Z",
        ) from problem
