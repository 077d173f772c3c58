"""What planning must know of the state-vector backend. Imports no compiled code."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants, Work


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


GATES_PER_STAGE = 40
"""Gates that one pass over a state larger than the caches carries out, typically."""

FLOPS_PER_AMPLITUDE = 3.5
"""Floating-point operations of one gate for each amplitude: a rotation is 4, a dense pair of qubits 32."""


DECISION_SECONDS = 1e-4
"""Deciding one measurement half-way for one branch, on a small state: probabilities, a draw, a projection."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A pure state has no noise in it."""
    if traits.channels:
        return "it keeps a pure state, and the circuit has noise"
    if wants.density_matrix:
        return "it keeps a pure state, not a density matrix"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take, from the circuit's size alone; a compiled program tells it exactly."""
    precision = wants.precision or (Precision.DOUBLE if wants.exact else Precision.SINGLE)
    amplitudes = float(1 << min(traits.num_qubits if wants.exact else traits.largest_group, 200))
    stages = 1 + traits.gates / GATES_PER_STAGE
    branches = min(max(1, wants.shots), 2 ** min(traits.branch_points, 40))
    width = precision.amplitude_bytes
    work = Work(
        state_bytes=int(amplitudes * width),
        stages=int(stages),
        moved_bytes=int(2 * amplitudes * width * (stages + wants.terms) * branches),
        flops=int(FLOPS_PER_AMPLITUDE * amplitudes * traits.gates * branches),
        gates=traits.gates,
        shots=wants.shots,
    )
    copies = 1 + int(wants.statevector) + min(traits.branch_points, 1)
    # Shots that go the same way part only once: the ways taken are fewer than the ways that there are.
    deciding = traits.branch_points * DECISION_SECONDS * branches**0.5
    return Cost(seconds(work, rates) + deciding, work.state_bytes * copies + limits.RUN_OVERHEAD_BYTES)


CARD = BackendCard(
    name="statevector",
    summary="all 2^n amplitudes in memory, exact to rounding, every gate, measurement and condition",
    qubits_max=limits.QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    seconds=seconds,
)
