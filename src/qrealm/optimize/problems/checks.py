"""What the fields of problems may hold: amounts, names, labels and whole numbers, refused when made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from qrealm.base.errors import ProblemError

# Squares of amounts, and quotients of two, stay finite and above 0.
AMOUNT_MAX = 1e150
AMOUNT_MIN = 1e-150


def number_of(where: str, value: Any) -> float:
    """A number that can be counted with. Raises ProblemError, which names `where`."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ProblemError(f"{where} is {value!r:.60}; it must be a number") from None
    if number == 0.0 or AMOUNT_MIN <= abs(number) <= AMOUNT_MAX:
        return number
    if not math.isfinite(number):
        raise ProblemError(f"{where} is {number}; it must be finite")
    raise ProblemError(
        f"{where} is {number:g}; it must be 0 or between {AMOUNT_MIN:g} and {AMOUNT_MAX:g} in size",
        hint="use another unit",
    )


def amount_of(where: str, value: Any) -> float:
    """A number that is not negative. Raises ProblemError, which names `where`."""
    number = number_of(where, value)
    if number < 0:
        raise ProblemError(f"{where} is {number:g}; it must not be negative")
    return number


def check_numbers(what: str, values: np.ndarray) -> None:
    """An array of numbers that can be counted with. Raises ProblemError."""
    if not np.all(np.isfinite(values)):
        raise ProblemError(f"{what} holds a number that is NaN or infinite; all must be finite")
    sizes = np.abs(values)
    strange = sizes[(sizes > AMOUNT_MAX) | ((sizes > 0) & (sizes < AMOUNT_MIN))]
    if len(strange):
        raise ProblemError(
            f"{what} holds a number of size {strange[0]:g}; each must be 0 or between {AMOUNT_MIN:g} and "
            f"{AMOUNT_MAX:g} in size",
            hint="use another unit",
        )


def check_name(kind: str, name: Any) -> None:
    """A name is text that is not empty. Raises ProblemError."""
    if not isinstance(name, str) or not name:
        raise ProblemError(f"{kind} is called {name!r:.60}; a name must be text, and not empty")


def whole_of(where: str, value: Any, lowest: int, highest: int) -> int:
    """A whole number in a range. Raises ProblemError, which names `where`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not lowest <= value <= highest:
        raise ProblemError(f"{where} is {value!r:.60}; it must be a whole number from {lowest} to {highest}")
    return int(value)


def names_of(where: str, values: Any) -> tuple[str, ...]:
    """Several names. Raises ProblemError for one text, whose letters would pass for names."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ProblemError(
            f"{where} is {values!r:.60}; it must be a sequence of names",
            hint=f"write ({values!r:.60},) for one name" if isinstance(values, str) else "",
        )
    names = tuple(values)
    strange = [name for name in names if not isinstance(name, str)]
    if strange:
        raise ProblemError(f"{where} has {strange[0]!r:.60}; every name must be text")
    return names


def table_of(where: str, values: Any) -> Mapping[Any, Any]:
    """Amounts by resource. Raises ProblemError for what is no mapping from names."""
    if not isinstance(values, Mapping):
        raise ProblemError(f"{where} is {values!r:.60}; it must be a mapping from resources to amounts")
    strange = [name for name in values if not isinstance(name, str)]
    if strange:
        raise ProblemError(f"{where} speaks of resource {strange[0]!r:.60}; its name must be text")
    return values


def check_labels(where: str, values: Any) -> None:
    """Labels: text to text. Raises ProblemError."""
    if not isinstance(values, Mapping):
        raise ProblemError(f"{where} is {values!r:.60}; it must be a mapping from labels to their values")
    for label, value in values.items():
        if not isinstance(label, str) or not isinstance(value, str):
            raise ProblemError(f"{where} has {label!r:.60}: {value!r:.60}; labels and values must be text")
