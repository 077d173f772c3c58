"""What planning must know of the state-vector backend. Imports no compiled code."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.plan.branches import Branches, branches, found
from qrealm.simulate.plan.clock import seconds
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants, Work

GATES_PER_STAGE = 40
"""Gates that one pass over a state larger than the caches carries out, typically."""

FLOPS_PER_AMPLITUDE = 3.5
"""Floating-point operations of one gate for each amplitude: a rotation is 4, a dense pair of qubits 32."""


PARTING_SECONDS = 4e-5
"""Following one outcome of a measurement half-way, on a small state: probabilities, a draw, a copy, the
gates after it. Measured with 8 to 12 qubits, as `COLLAPSE_SECONDS`."""

COLLAPSE_SECONDS = 5e-6
"""Projecting one qubit of it."""

PARTING_PASSES, COLLAPSE_PASSES = 2.0, 1.5
"""Times that a large state is read and written for them: a copy and its probabilities; a projection. Measured
with 16 to 24 qubits in whole runs, whose outcomes are less many than those of fair coins."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A pure state has no noise in it."""
    if traits.channels:
        return "it keeps a pure state, and the circuit has noise"
    if wants.density_matrix:
        return "it keeps a pure state, not a density matrix"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take, from the circuit's size alone; a compiled program tells it exactly."""
    precision = wants.precision_or_default
    amplitudes = float(1 << min(traits.num_qubits if wants.exact else traits.largest_group, 200))
    stages = 1 + traits.gates / GATES_PER_STAGE
    walk = _walk(traits, wants.shots)
    width = precision.amplitude_bytes
    passes = stages * walk.share + wants.terms * walk.ways
    passes += PARTING_PASSES * walk.partings + COLLAPSE_PASSES * walk.collapses
    work = Work(
        state_bytes=int(amplitudes * width),
        stages=int(stages),
        moved_bytes=int(2 * amplitudes * width * passes),
        flops=int(FLOPS_PER_AMPLITUDE * amplitudes * traits.gates * walk.share),
        gates=traits.gates,
        shots=wants.shots,
    )
    copies = 1 + int(wants.statevector) + min(traits.branch_points, 1)
    deciding = PARTING_SECONDS * walk.partings + COLLAPSE_SECONDS * walk.collapses
    memory = work.state_bytes * copies + wants.shots * limits.SHOT_BYTES + limits.RUN_OVERHEAD_BYTES
    return Cost(seconds(work, rates) + deciding, memory)


def _walk(traits: Traits, shots: int) -> Branches:
    """What deciding comes to: what `branches` says, and resets and measurements after the last gate."""
    if not traits.branch_points:
        return Branches(1.0, 0.0, 0.0, 1.0)
    drawn = float(shots) if shots else 2.0 ** min(traits.branch_points, 40)
    walk = branches(traits, drawn)
    more = traits.branch_points - sum(opened + certain for _, opened, certain in traits.decided)
    if more <= 0:
        return walk
    ways = min(drawn, walk.ways * found(min(more, 60), drawn))
    return Branches(walk.share, walk.partings + ways, walk.collapses + ways * more, ways)


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
