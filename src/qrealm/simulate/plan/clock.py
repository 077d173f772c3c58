"""From work and rates to seconds."""

from __future__ import annotations

from qrealm.simulate.plan.types import Rates, Work


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
