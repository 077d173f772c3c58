"""The state-vector backend's own options."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateVectorOptions:
    """How circuits are compiled for the kernel.

    Attributes:
        instruction_set: one of `instruction_sets()`, or ``"auto"`` for the best.
        passes: bit mask of the kernel's planner passes, None for all. Results agree to rounding whatever is
            chosen.
    """

    instruction_set: str = "auto"
    passes: int | None = None
