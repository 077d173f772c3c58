"""What a mitigated estimate is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mitigated:
    """An expectation value with less error than the noisy runs that it came from.

    Attributes:
        value: the estimate.
        standard_error: of the estimate, from the shots taken; bias that mitigation leaves is not in it.
        unmitigated: the same circuit's plain noisy estimate.
        unmitigated_error: its standard error.
        method: what was done.
        shots: all shots taken, calibration and every circuit included.
        overhead: how many times more shots this method needs than a plain run for the same standard error.
        details: the method's own figures, JSON-ready.
    """

    value: float
    standard_error: float
    unmitigated: float
    unmitigated_error: float
    method: str
    shots: int
    overhead: float
    details: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.value:.6g} ± {self.standard_error:.2g} by {self.method} "
            f"({self.unmitigated:.6g} ± {self.unmitigated_error:.2g} without; {self.shots:,} shots, "
            f"{self.overhead:.3g} times as many for the same standard error)"
        )
