"""Vector bin packing files (.vbp): dimensions, the bin's capacities, the number of kinds of items, then a
line for each
kind: its sizes and how many there are of it."""

from __future__ import annotations

import numpy as np

from qrealm.base.errors import SyntaxReadError
from qrealm.optimize.problems import Assignment

SUFFIXES = (".vbp",)
ITEMS_MAX = 1_000_000


def read_vbp(text: str, name: str = "<text>") -> Assignment:
    """The problem in a .vbp file. Raises SyntaxReadError, with the line."""
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 3:
        raise SyntaxReadError(
            f"dimensions, capacities and a number of items must stand on three lines; there are {len(lines)}",
            source=name,
        )
    dimensions = _whole(lines[0], _numbers(lines[0], 1, name)[0], "the number of dimensions", name)
    capacity = _numbers(lines[1], dimensions, name)
    kinds = _whole(lines[2], _numbers(lines[2], 1, name)[0], "the number of kinds", name)
    if len(lines) != 3 + kinds:
        raise SyntaxReadError(
            f"line {lines[2][0]} promises {kinds} lines of items; there are {len(lines) - 3}",
            source=name,
            line=lines[2][0],
            column=1,
        )
    demands: list[list[float]] = []
    for line in lines[3:]:
        *sizes, count = _numbers(line, dimensions + 1, name)
        demands += [sizes] * _whole(line, count, "the count", name)
    table = np.array(demands, dtype=np.float64).reshape(len(demands), dimensions)
    return Assignment.packing(table, capacity, name=name)


def _whole(line: tuple[int, list[str]], value: float, what: str, name: str) -> int:
    if value != int(value) or not 0 <= value <= ITEMS_MAX:
        raise SyntaxReadError(
            f"{what} is {value:g}; it must be a whole number up to {ITEMS_MAX:,}",
            source=name,
            line=line[0],
            column=1,
        )
    return int(value)


def _numbers(line: tuple[int, list[str]], count: int, name: str) -> list[float]:
    number, words = line
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not all(np.isfinite(values)):
        raise SyntaxReadError(
            f"{' '.join(words)[:60]!r} stands where {count} numbers must",
            source=name,
            line=number,
            column=1,
        )
    return values
