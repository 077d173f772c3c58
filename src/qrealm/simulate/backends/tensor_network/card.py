"""What planning must know of the tensor-network backend. Imports none of it."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.circuits.circuit import QUBITS_MAX
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.simulate.backends.tensor_network.options import TensorNetworkOptions
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants

OPEN_QUBITS_MAX = 20
"""Qubits joined by gates that are sampled, or handed out as a state, through all their amplitudes."""

# Seconds, measured on one core of an Intel Xeon (Sapphire Rapids).
RUN_SECONDS = 2e-3
PATH_GATE_SECONDS = 6e-3
"""Looking for a path, for each gate: 16 trials and their improvement."""
CONTRACT_GATE_SECONDS = 8e-5
FLOPS_PER_SECOND = 2e9
_WIDTH_MAX = 120.0


def refusal(traits: Traits, wants: Wants) -> str | None:
    """Amplitudes and exact values of pure states; samples only where few qubits hang together."""
    if traits.channels:
        what = traits.state_dependent or traits.non_pauli
        return f"it contracts pure states, and the circuit has noise{f': {what}' if what else ''}"
    if wants.density_matrix:
        return "it contracts pure states, and a density matrix is asked for"
    if traits.mid_circuit:
        return "it contracts gates alone, and the circuit measures, resets or decides something half-way"
    if traits.preparation_qubits > MATRIX_QUBITS_MAX:
        return (
            f"it prepares up to {MATRIX_QUBITS_MAX} qubits together by amplitudes, and the circuit prepares "
            f"{traits.preparation_qubits}"
        )
    if wants.sampled:
        return "it computes observables exactly, and sampled=True asks for samples"
    if wants.shots and traits.largest_group > OPEN_QUBITS_MAX:
        return (
            f"it samples up to {OPEN_QUBITS_MAX} qubits that are joined by gates, and {traits.largest_group} "
            "are (take mps, or statevector)"
        )
    if wants.statevector and traits.num_qubits > OPEN_QUBITS_MAX:
        return (
            f"it hands out state vectors of up to {OPEN_QUBITS_MAX} qubits, and the circuit has "
            f"{traits.num_qubits} (take mps, or statevector)"
        )
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """A crude bound: what contracting takes is known only once a path is found.

    No tensor on a good path has more legs than one pass through the circuit in the order of its qubits would
    need: as many as the Schmidt rank across a cut has bits (twice for a value, which has the circuit and its
    inverse), or all qubits of the light cone.
    """
    del rates  # paths and small contractions have their own speed
    tasks: list[tuple[float, float, float]] = []  # how many, width, gates
    gates, width = float(traits.gates), float(min(traits.schmidt_log2 + 1, traits.num_qubits))
    if wants.amplitudes:
        tasks.append((wants.amplitudes, width, gates))
    if wants.values:
        tasks.append((wants.terms, min(2 * width, traits.cone_qubits + 1), 2.0 * traits.cone_gates))
    if wants.shots or wants.statevector:
        tasks.append((1, float(traits.largest_group), gates))
    seconds, widest = RUN_SECONDS, 0.0
    for many, wide, size in tasks:
        flops = 8 * size * 2.0 ** min(wide, _WIDTH_MAX)
        seconds += size * PATH_GATE_SECONDS + many * (size * CONTRACT_GATE_SECONDS + flops / FLOPS_PER_SECOND)
        widest = max(widest, wide)
    # Wider networks are cut into slices of what there is.
    amplitude = (wants.precision or Precision.DOUBLE).amplitude_bytes
    memory = 4.0 * amplitude * 2.0 ** min(widest, 26.0) + wants.shots * (
        limits.SHOT_BYTES + 4.0 * traits.num_qubits
    )
    return Cost(seconds, int(memory) + limits.RUN_OVERHEAD_BYTES)


CARD = BackendCard(
    name="tensor_network",
    summary="the circuit as one network: single amplitudes and exact values of wide or deep circuits",
    qubits_max=QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    packages=("cotengra",),
    extra="tensor",
    options=TensorNetworkOptions,
    index_bits=0,
)
