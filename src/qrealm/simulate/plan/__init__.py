"""Planning: precision, memory, time, and whether it fits. Pure functions on frozen values; runs nothing."""

from qrealm.simulate.plan.choose import choose, fits, qubits_max, threads_for
from qrealm.simulate.plan.types import (
    BackendCard,
    CircuitShape,
    Estimate,
    Plan,
    Precision,
    Rates,
    Request,
    Work,
)

__all__ = [
    "BackendCard",
    "CircuitShape",
    "Estimate",
    "Plan",
    "Precision",
    "Rates",
    "Request",
    "Work",
    "choose",
    "fits",
    "qubits_max",
    "threads_for",
]
