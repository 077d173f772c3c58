"""Numbers as people read them: bytes in GiB, seconds with a prefix. Text only; values keep their units in
names."""

from __future__ import annotations

KIB = 1024
MIB = 1024**2
GIB = 1024**3

_BYTE_STEPS = ((1024**4, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))
_TIME_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def format_gib(size_bytes: float) -> str:
    """The size in GiB with at least three significant digits: ``"0.25 GiB"``, ``"8,192 GiB"``."""
    value = size_bytes / GIB
    return f"{value:.3g} GiB" if value < 999.5 else f"{value:,.0f} GiB"


def format_bytes(size_bytes: float) -> str:
    """The size in the largest binary unit that gives a value of at least one: ``"8 GiB"``, ``"512 B"``."""
    for factor, unit in _BYTE_STEPS:
        if size_bytes >= factor:
            value = size_bytes / factor
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{size_bytes:.0f} B"


def format_seconds(seconds: float) -> str:
    """The duration with three significant digits in s, ms, µs or ns; minutes, hours and days when long."""
    if seconds >= 86_400:
        return f"{seconds / 86_400:.3g} d"
    if seconds >= 3_600:
        return f"{seconds / 3_600:.3g} h"
    if seconds >= 120:
        return f"{seconds / 60:.3g} min"
    for factor, unit in _TIME_STEPS:
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return "0 s" if seconds == 0 else f"{seconds / 1e-9:.3g} ns"


def format_rate(per_second: float) -> str:
    """A rate with a decimal prefix: ``"1.25 M/s"``."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_second >= factor:
            return f"{per_second / factor:.3g} {prefix}/s"
    return f"{per_second:.3g} /s"
