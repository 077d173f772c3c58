"""Options of the MPS backend."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from qrealm.base.errors import RequestError

BOND_LIMIT = 1 << 16
"""Larger bonds need more than 100 GiB for one tensor."""

TRUNCATION_DEFAULT = 1e-12
"""Discarded weight per split. Amplitudes are then right to about 1e-6, as in single precision, and a thousand
splits stay far below `qrealm.run`'s default accuracy of 1e-6."""


@dataclass(frozen=True, slots=True)
class MPSOptions:
    """How much of a state is kept.

    Attributes:
        bond_max: most singular values kept at any bond, which bounds memory and time; None keeps all that
            `truncation` does not drop, and the run ends with an error when they outgrow the memory.
        truncation: share of the state's weight that one split may drop. 0 drops rounding only.

    Raises:
        RequestError: a value of the wrong type or out of range.
    """

    bond_max: int | None = None
    truncation: float = TRUNCATION_DEFAULT

    def __post_init__(self) -> None:
        if self.bond_max is not None:
            try:
                bond = operator.index(self.bond_max)
            except TypeError:
                raise RequestError(
                    f"bond_max is {self.bond_max!r:.60}; it must be an integer or None"
                ) from None
            if not 1 <= bond <= BOND_LIMIT:
                raise RequestError(f"bond_max is {bond}; it must be from 1 to {BOND_LIMIT}")
        try:
            share = float(self.truncation)
        except (TypeError, ValueError):
            raise RequestError(f"truncation is {self.truncation!r:.60}; it must be a number") from None
        if not 0 <= share < 1:
            raise RequestError(
                f"truncation is {share:g}; it must be from 0 to 1: the share of the state's weight that one "
                "split may drop"
            )
