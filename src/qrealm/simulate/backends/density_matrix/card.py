"""What planning must know of the density-matrix backend. Imports no compiled code."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.plan.branches import Branches, branches
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants

PAIR_FLOPS = 32.0
"""Floating-point operations for each entry of ρ that a superoperator on one qubit takes: 4 complex
multiply-adds."""

GATE_FLOPS = 6.0
"""The same for a gate alone, on rows and columns."""

# What a channel on several qubits costs, in superoperators on one: measured with 8 to 12 qubits.
DEPOLARISING_PAIRS = 0.8
WIDE_PAIRS = {1: 1.0, 2: 2.5, 3: 12.0}

GATES_PER_STAGE = 40
"""Operations that one pass over a state larger than the caches carries out, typically."""

STEP_SECONDS = 11e-6
"""Python's and the planner's share of one gate or channel, measured with 2 to 6 qubits."""

BRANCH_SECONDS = 1.5e-4
"""Fixed cost of following one outcome: a diagonal, a projection to plan; the same for the end of a branch."""

PARTING_PASSES = 5.0
"""Times that a state is read or written for it: a copy, the projection, and what follows in a pass of its
own. Measured with 6 to 10 qubits."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A mixed state has no amplitudes."""
    if wants.statevector:
        return "it keeps a density matrix, and a mixed state has no state vector"
    if wants.amplitudes:
        return "it keeps a density matrix, and a mixed state has no amplitudes"
    if wants.sampled and traits.mid_circuit:
        return "sampled=True needs a circuit whose measurements all come last"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take, from the circuit's size alone."""
    precision = wants.precision_or_default
    entries = 4.0 ** min(traits.num_qubits, 100)
    flops, passes = _work(traits)
    moved = 2 * precision.amplitude_bytes * (1 + passes / GATES_PER_STAGE)
    once = entries * (flops / rates.flops_per_second + moved / rates.bytes_per_second)
    once += (traits.gates + traits.channels) * STEP_SECONDS
    walk = branches(traits, max(2.0, wants.shots)) if traits.mid_circuit else Branches(1.0, 0.0, 0.0, 1.0)
    parted = BRANCH_SECONDS + entries * precision.amplitude_bytes * PARTING_PASSES / rates.bytes_per_second
    states = 1 + int(wants.density_matrix) + min(traits.branch_points, 2)
    return Cost(
        rates.run_seconds + BRANCH_SECONDS * walk.ways + parted * walk.partings + once * walk.share,
        int(entries * precision.amplitude_bytes) * states + limits.RUN_OVERHEAD_BYTES,
    )


def _work(traits: Traits) -> tuple[float, float]:
    """(flops for each entry of ρ, operations that each visit it) of one way through the circuit."""
    gates = GATE_FLOPS * traits.gates
    if not traits.channels:
        return gates, 2.0 * traits.gates
    # Between two gates on several qubits, all that happens to one qubit is one superoperator.
    runs = 2.0 * traits.two_qubit_gates + 3.0 * traits.wide_gates + traits.num_qubits
    several = traits.two_qubit_gates + traits.wide_gates
    joint = min(traits.channels, several) if traits.channel_qubits > 1 else 0
    per_joint = DEPOLARISING_PAIRS if traits.non_pauli is None else WIDE_PAIRS[traits.channel_qubits]
    pairs = min(traits.channels - joint, runs) + per_joint * joint
    flops = PAIR_FLOPS * pairs + GATE_FLOPS * traits.wide_gates
    return min(flops, PAIR_FLOPS * pairs + gates), pairs + 2.0 * traits.two_qubit_gates


CARD = BackendCard(
    name="density_matrix",
    summary="the mixed state of all qubits, 4^n numbers: exact noise, resets and averages over outcomes",
    qubits_max=limits.QUBITS_MAX // 2,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    index_bits=2,
)
