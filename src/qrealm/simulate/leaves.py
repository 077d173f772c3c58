"""What the leaves of a walk add up to: averages of observables, and the one state where there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qrealm.base.errors import RequestError
from qrealm.simulate.observables import Named


class LeafAverages:
    """Means of observables over leaves, and their standard errors over the shots.

    Args:
        observables: whose values each leaf has.
        shots: of the run; 0 where the shares of the leaves are exact.
    """

    def __init__(self, observables: Named, shots: int) -> None:
        self._shots = shots
        self._sums = {name: 0.0 for name, _ in observables}
        self._squares = dict(self._sums)

    def add(self, share: float, values: Mapping[str, float]) -> None:
        """Add a leaf that has this share of the whole."""
        for name, value in values.items():
            self._sums[name] += share * value
            self._squares[name] += share * value * value

    def found(self) -> tuple[dict[str, float], dict[str, float]]:
        """(mean of each observable, its standard error: 0 below two shots)."""
        errors: dict[str, float] = {}
        for name, mean in self._sums.items():
            variance = max(0.0, self._squares[name] - mean * mean)
            errors[name] = math.sqrt(variance / (self._shots - 1)) if self._shots > 1 else 0.0
        return dict(self._sums), errors


def check_single_state(leaves: int) -> None:
    """Raises RequestError where a walk has come to more than one leaf, and a state is asked for."""
    if leaves > 1:
        raise RequestError(
            "the circuit measures half-way with more than one outcome, so it has no single final state",
            hint="take one run's state with shots=1, or ask for counts or observables",
        )
