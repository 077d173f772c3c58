"""Options of the tensor-network backend."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from qrealm.base.errors import RequestError

TRIALS_LIMIT = 100_000
"""More trials than this never find a better path in a sensible time."""

BYTES_MIN = 1 << 20
"""Slicing below this makes more slices than anyone waits for."""


@dataclass(frozen=True, slots=True)
class TensorNetworkOptions:
    """How a network is contracted.

    Attributes:
        memory_bytes: what one contraction may take; networks that need more are cut into slices that are
            summed. None takes a quarter of what is available, up to 4 GiB.
        trials: contraction paths that are tried; None scales them with the work of the best so far.

    Raises:
        RequestError: a value of the wrong type or out of range.
    """

    memory_bytes: int | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        _check("memory_bytes", self.memory_bytes, BYTES_MIN, 1 << 62)
        _check("trials", self.trials, 1, TRIALS_LIMIT)


def _check(name: str, value: object, least: int, most: int) -> None:
    if value is None:
        return
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RequestError(f"{name} is {value!r:.60}; it must be an integer or None") from None
    if not least <= number <= most:
        raise RequestError(f"{name} is {number}; it must be from {least} to {most}")
