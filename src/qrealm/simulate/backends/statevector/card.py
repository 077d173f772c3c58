"""What planning must know of the state-vector backend. Imports no compiled code."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.plan.types import BackendCard, Precision, Rates, Work


def seconds(work: Work, rates: Rates) -> float:
    """Time of one run: fixed cost, planning, memory traffic, arithmetic, samples.

    Traffic and arithmetic are added, not overlapped: a stage loads its tile, then works on it. The rates are
    measured with the same sum, so whatever overlap there is sits in them.
    """
    return (
        rates.run_seconds
        + work.gates * rates.gate_seconds
        + work.moved_bytes / rates.bytes_per_second
        + work.flops / rates.flops_per_second
        + work.shots * rates.shot_seconds
    )


CARD = BackendCard(
    name="statevector",
    summary="all 2^n amplitudes in memory, exact to rounding, every gate, measurement and condition",
    qubits_max=limits.QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    seconds=seconds,
)
