"""What planning must know of the stabilizer backend. Does not import stim."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants

QUBITS_MAX = 1 << 20
"""Beyond what a circuit may hold; a tableau of that size would take terabytes, and memory says so first."""

STATE_QUBITS_MAX = 30
"""A state vector is handed out up to this many qubits: 16 GiB in double precision."""

CHUNK_BYTES = 64 * 1024**2
"""Samples that are held unpacked at once, one byte for each bit."""

RUN_SECONDS = 3e-4
"""Fixed cost of a run, measured."""

OPERATION_SECONDS = 1.6e-6
"""Reading and translating one gate or channel, measured with 10^4 to 10^5 of them."""

GATE_QUBIT_SECONDS = 4e-12
"""One gate on the tableau, for each qubit of the circuit."""

COLLAPSE_SECONDS = 1.5e-11
"""The first sample: one measurement, for each square of the number of qubits."""

RECORD_SECONDS = 2.5e-9
"""One measured bit or noisy operation of one shot, measured with 1,000 to 2,000 qubits."""

WALKED_SHOT_SECONDS = 3e-5
"""Fixed cost of one shot that is walked alone, as conditions may demand."""

TERM_SECONDS = 1e-4
"""One Pauli string, for each level of channels that it is taken back through."""


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
    seconds = RUN_SECONDS + operations * OPERATION_SECONDS + traits.gates * count * GATE_QUBIT_SECONDS
    if wants.shots:
        passes = 1 + (wants.terms if wants.sampled else 0)
        seconds += passes * records * count**2 * COLLAPSE_SECONDS
        seconds += passes * wants.shots * (records + traits.channels) * RECORD_SECONDS
        if traits.conditions:
            seconds += wants.shots * (WALKED_SHOT_SECONDS + operations * GATE_QUBIT_SECONDS * 100)
    if wants.values:
        levels = traits.depth if traits.channels or traits.mid_circuit else 1
        seconds += wants.terms * (levels * TERM_SECONDS + operations * 2e-8)
    amplitudes = float(1 << traits.num_qubits) if wants.statevector else 0.0
    seconds += amplitudes * 4e-8
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
)
