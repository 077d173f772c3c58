"""What planning must know of the trajectories backend. Imports no compiled code."""

from __future__ import annotations

import math
from dataclasses import replace

from qrealm.base import limits
from qrealm.simulate.backends.statevector import card as statevector
from qrealm.simulate.plan import clock
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants, Work

RUN_SECONDS = 1.5e-4
"""Python's and the planner's fixed share of one distinct trajectory, measured with 4 to 12 qubits."""

OPERATION_SECONDS = 5e-7
"""Their share of one operation of it: no two trajectories have a plan in common. Measured likewise."""

SHOT_SECONDS = 1.5e-6
"""Drawing the events of one shot and counting its outcome, measured with 10^5 shots."""

ERRORS_PER_CHANNEL = 5.0
"""Different errors that one channel typically makes: 3 on one qubit, 15 on two."""

DECISION_SECONDS = 1.0e-4
"""Fixed cost of a measurement half-way or of an error that depends on the state, for one group of shots."""

CHANNEL_SECONDS = 4e-5
"""Cutting the circuit at one channel, once for a run, measured with 100 to 600 channels."""

GATES_PER_STAGE = 40
"""Gates that one pass over a state larger than the caches carries out, typically."""

FLOPS_PER_AMPLITUDE = 4.0
"""Floating-point operations of one gate for each amplitude, measured with rotations and CX at 15 to 20
qubits."""

DEPENDENT_FACTOR = 1.6
"""How much longer a run takes where channels such as amplitude damping act between its gates: measured with
one after every gate."""


DEPENDENT_PASSES = 10.0
"""Times that a large state is read and written for such channels in one distinct trajectory: where it parts
is found by going on and back. Measured with 20 to 24 qubits."""

PLAIN_FACTOR = 1.2
"""Without noise the state vector does the same, and strips what cannot change a sample."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """Each shot has a state of its own, and values are averages over shots."""
    if wants.statevector:
        return "every shot has a state vector of its own; ask for counts or observables"
    if wants.density_matrix:
        return "it samples pure states and never holds a density matrix"
    if wants.amplitudes:
        return "every shot has amplitudes of its own; ask for counts or observables"
    if not wants.shots and (traits.channels or traits.mid_circuit):
        return (
            "its values are averages over shots, and shots=0; give a number of shots, or take density_matrix "
            "for exact values"
        )
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take: as many state-vector runs as there are distinct histories."""
    if not traits.channels:
        # It holds the state of all qubits, those that nothing joins too.
        plain = statevector.cost(replace(traits, largest_group=traits.num_qubits), wants, rates)
        return Cost(PLAIN_FACTOR * plain.seconds + RUN_SECONDS, plain.memory_bytes)
    precision = wants.precision or Precision.SINGLE
    amplitudes = float(1 << min(traits.num_qubits, 200))
    shots = max(1, wants.shots)
    away, share = _histories(traits, shots)
    runs = 1.0 + away * share
    operations = traits.gates + traits.events
    stages = 1 + operations / GATES_PER_STAGE + traits.branch_points
    factor = DEPENDENT_FACTOR if traits.state_dependent is not None else 1.0
    work = Work(
        state_bytes=int(amplitudes * precision.amplitude_bytes),
        stages=int(stages),
        moved_bytes=int(2 * amplitudes * precision.amplitude_bytes * (stages + wants.terms)),
        flops=int(FLOPS_PER_AMPLITUDE * amplitudes * operations * factor),
        gates=0,
        shots=1,
    )
    kernel = clock.seconds(work, rates) - rates.run_seconds
    decisions = traits.branch_points + (traits.events if traits.state_dependent is not None else 0.0)
    python = RUN_SECONDS + OPERATION_SECONDS * operations * factor + DECISION_SECONDS * decisions
    passes = DEPENDENT_PASSES * (1.0 + away) if traits.state_dependent is not None else 0.0
    parting = 2 * work.state_bytes * passes / rates.bytes_per_second
    bases = wants.terms if wants.sampled else 0
    seconds = rates.run_seconds + traits.channels * CHANNEL_SECONDS + runs * (kernel + python) + parting
    seconds += (1 + bases) * shots * SHOT_SECONDS
    splits = traits.branch_points or traits.state_dependent is not None
    states = 2 * math.ceil(math.log2(shots + 1)) + 3 if splits else 3
    held = work.state_bytes * (1 if traits.num_qubits > SHARED_QUBITS_MAX else states)
    events_bytes = min(shots, SHOTS_TOGETHER_MAX) * EVENT_BYTES
    return Cost(seconds, held + limits.RUN_OVERHEAD_BYTES + shots * limits.SHOT_BYTES + events_bytes)


SHOTS_TOGETHER_MAX = 1 << 18
"""Shots walked together at most: what sorts them by their events takes `EVENT_BYTES` each."""

EVENT_BYTES = 512
"""Memory for each shot that is walked, its events in Python's own objects."""

SHARED_QUBITS_MAX = 24
"""Beyond, a run that lacks the memory holds one state at a time: it is a matter of time then, not of
memory."""


def _histories(traits: Traits, shots: int) -> tuple[float, float]:
    """(distinct histories besides the quiet one, mean share of a run that each takes)."""
    events = traits.events
    quiet = math.exp(-events)
    once = events * quiet
    kinds = max(1.0, traits.channels * ERRORS_PER_CHANNEL)
    away = kinds * -math.expm1(-shots * once / kinds) + shots * max(0.0, 1 - quiet - once)
    if traits.branch_points:
        # A shot that is alone with its errors has one outcome of everything; the quiet ones part.
        parted = min(max(1.0, shots * quiet), 2.0 ** min(traits.branch_points, 40)) - 1
        return min(away + parted, shots - 1.0), 1.0
    if events < 1e-9:
        return 0.0, 0.0
    first = 1 / events - quiet / -math.expm1(-events)
    return away, 1 - first


CARD = BackendCard(
    name="trajectories",
    summary="noisy shots as pure states: identical histories run once, memory of a few state vectors",
    qubits_max=limits.QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
)
