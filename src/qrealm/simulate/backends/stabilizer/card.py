"""What planning must know of the stabilizer backend. Does not import stim."""

from __future__ import annotations

import math

from qrealm.base import limits
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants

QUBITS_MAX = 1 << 20
"""Beyond what a circuit may hold; a tableau of that size would take terabytes, and memory says so first."""

STATE_QUBITS_MAX = 30
"""A state vector is handed out up to this many qubits: 16 GiB in double precision."""

CHUNK_BYTES = 64 * 1024**2
"""Samples that are held unpacked at once, one byte for each bit."""

RUN_SECONDS = 2e-4
"""Fixed cost of a run, measured."""

OPERATION_SECONDS = 3e-6
"""Reading, translating and hashing one gate or channel, measured with 10^4 to 10^5 of them."""

COLLAPSE_SECONDS = 5e-11
"""The first sample, for each cube of the number of qubits: measured with 500 to 4,000 qubits of random
circuits, where every measurement touches about every stabilizer."""

SHOT_SECONDS = 7e-7
"""Sorting one shot among the outcomes, measured with 10^5 to 10^6 shots."""

RECORD_SECONDS = 3e-9
"""One measured bit of one shot, measured with 50 to 4,000 qubits."""

GATE_SHOT_SECONDS = 4e-11
"""One gate for one shot, measured with 10^4 shots: stim works on 256 of them at a time."""

CHANNEL_SHOT_SECONDS = 3e-10
"""One channel for one shot, measured likewise at error rates of 0.1 and 1 %."""

WALKED_SHOT_SECONDS = 7e-5
"""One shot that is walked alone, as conditions may demand; measured."""

WALKED_OPERATION_SECONDS = 1.5e-7
"""One operation of it, measured with 50 to 200 qubits."""

LEVEL_SECONDS = 2e-5
"""One Pauli string taken back through one level of gates and channels, measured with 20 to 100 qubits."""

LEVEL_QUBIT_SECONDS = 5e-8
"""The same for each qubit, measured with 1,000."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """Clifford gates and Pauli noise, nothing else."""
    if traits.preparation is not None:
        return f"it cannot prepare {traits.preparation}"
    if traits.non_clifford is not None:
        return f"{traits.non_clifford} is no Clifford gate"
    if traits.non_pauli is not None:
        return f"{traits.non_pauli} is no mixture of Pauli errors"
    if wants.density_matrix:
        return "it keeps stabilizers, not a density matrix"
    if wants.statevector or wants.amplitudes:
        if traits.channels or traits.mid_circuit:
            return "noise and measurements half-way leave no single pure state"
        if wants.statevector and traits.num_qubits > STATE_QUBITS_MAX:
            return f"it hands out state vectors of up to {STATE_QUBITS_MAX} qubits"
    if traits.conditions and wants.sampled:
        return "sampled=True needs a circuit without conditions"
    if traits.conditions and wants.values and not wants.shots:
        return "with conditions its values are averages over shots, and shots=0; give a number of shots"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:  # noqa: ARG001  stim's speed is none of the kernel's
    """What a run would take: linear in gates, and in bits that are sampled."""
    count = float(traits.num_qubits)
    operations = traits.gates + traits.channels + traits.branch_points
    records = count + traits.branch_points
    seconds = RUN_SECONDS + operations * OPERATION_SECONDS
    if wants.shots:
        # A tree of CX is measured in one blow; every further layer spreads the stabilizers.
        spread = min(1.0, max(0.02, (traits.two_qubit_gates / count - 1) / 4))
        passes = 1 + (wants.terms if wants.sampled else 0)
        # Few shots are sorted in the cache, a million are not.
        each = SHOT_SECONDS * (math.log10(wants.shots + 1) / 6) ** 2 + records * RECORD_SECONDS
        each += traits.gates * GATE_SHOT_SECONDS + traits.channels * CHANNEL_SHOT_SECONDS
        if traits.conditions:
            each += WALKED_SHOT_SECONDS + operations * WALKED_OPERATION_SECONDS
        seconds += passes * (spread * count**3 * COLLAPSE_SECONDS + wants.shots * each)
    if wants.values:
        levels = traits.depth if traits.channels or traits.mid_circuit else 1
        seconds += wants.terms * levels * (LEVEL_SECONDS + count * LEVEL_QUBIT_SECONDS)
    amplitudes = float(1 << traits.num_qubits) if wants.statevector else 0.0
    seconds += amplitudes * 4e-8 + wants.amplitudes * count * 1e-6
    memory = memory_bytes(traits.num_qubits, int(records), wants.shots, traits.gates + traits.channels)
    return Cost(seconds, memory + int(amplitudes * 48))


def memory_bytes(num_qubits: int, records: int, shots: int, operations: int) -> int:
    """Peak memory: the tableau twice (4 n^2 bits each), the circuit as text and as stim's, packed samples
    with their integers, a chunk of unpacked ones."""
    packed = 3 * shots * (records // 8 + 1)
    chunk = 2 * min(shots * records, CHUNK_BYTES)
    return (
        num_qubits * num_qubits
        + 120 * operations
        + packed
        + chunk
        + shots * limits.SHOT_BYTES
        + limits.RUN_OVERHEAD_BYTES
    )


CARD = BackendCard(
    name="stabilizer",
    summary="Clifford gates, measurements and Pauli noise on thousands of qubits, by stim",
    qubits_max=QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    packages=("stim",),
    extra="stabilizer",
    index_bits=0,
    global_phase=False,
)
