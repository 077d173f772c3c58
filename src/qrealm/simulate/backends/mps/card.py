"""What planning must know of the MPS backend. Imports none of it."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.circuits.circuit import QUBITS_MAX
from qrealm.simulate.backends.mps.options import TRUNCATION_DEFAULT, MPSOptions
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants

# Seconds, measured on one core of an Intel Xeon (Sapphire Rapids), OpenBLAS on one thread: random brickwork
# on 60 qubits with bonds of 2 to 128, GHZ chains of 1,000 qubits, a thousand samples of each.
RUN_SECONDS = 4e-4
GATE_SECONDS = 6e-6
"""Unpacking one gate and joining it with its neighbours."""
SPLIT_SECONDS = 9e-5
"""One gate on two neighbours, whatever the bond."""
SPLIT_CUBED_SECONDS = {Precision.SINGLE: 0.85e-9, Precision.DOUBLE: 1.3e-9}
"""The same, for each cube of the bond that it makes."""
STATE_SECONDS = 4e-8
"""For each amplitude of a state that is written out, measured at 18 to 22 qubits."""

SITE_SECONDS = 7e-5
"""One site of a pass over the chain: sampling, or one Pauli string."""
FLOPS_PER_SECOND = {Precision.SINGLE: 6e10, Precision.DOUBLE: 3e10}
"""Of products of tensors."""
BRANCH_SITE_SECONDS = 1.5e-4
"""One site of a chain from which a branch begins anew."""

_EXPONENT_MAX = 60.0


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A pure state has no noise in it; a vector of amplitudes has its own limit."""
    if traits.channels:
        what = traits.state_dependent or traits.non_pauli
        return f"it keeps a pure state, and the circuit has noise{f': {what}' if what else ''}"
    if wants.density_matrix:
        return "it keeps a pure state, not a density matrix"
    if wants.statevector and traits.num_qubits > limits.QUBITS_MAX:
        return (
            f"a state vector of {traits.num_qubits} qubits is asked for; it hands out up to "
            f"{limits.QUBITS_MAX} (ask for samples, amplitudes or observables)"
        )
    if wants.sampled and traits.mid_circuit:
        return "sampled observables need a circuit whose measurements all come last"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take by the estimate of bonds in `Traits.bond_log2`. That is too large where gates
    between far qubits, each of them in few, let the chain put its qubits in a better order."""
    del rates  # decompositions have their own speed, which memory traffic does not tell
    precision = wants.precision_or_default
    count = max(1, traits.num_qubits)
    cuts = max(1, count - 1)
    log_bond = min(traits.bond_log2 if traits.bond_log2 >= 0 else float(traits.schmidt_log2), _EXPONENT_MAX)
    bond = 2.0**log_bond
    # Cuts near the ends are smaller. A split there is of a matrix (b, 4 b), so the next one costs half.
    full_cuts = max(1.0, min(cuts, count - 2 * log_bond + 1) + 8 / 7)
    crossings = max(traits.reach, traits.two_qubit_gates + traits.wide_gates) / cuts
    # A bond grows to its bound while about log_bond / 1.5 gates cross it; their cubes are a geometric sum.
    grown = max(0.0, crossings - log_bond / 1.5) + min(crossings, 1.15)
    splits = crossings * cuts
    evolve = splits * SPLIT_SECONDS + grown * full_cuts * bond**3 * SPLIT_CUBED_SECONDS[precision]
    flops = 0.0
    sites = 0.0
    if wants.shots:
        rows = min(float(wants.shots), bond**2, 2.0 ** min(count, 50))
        flops += rows * count * 16 * bond**2
        sites += count
        if wants.sampled:
            flops, sites = flops * (1 + min(wants.terms, 10)), sites * (1 + min(wants.terms, 10))
    if wants.values:
        sites += wants.terms * max(2, count / 10)
        flops += sites * 32 * bond**3
    sites += wants.amplitudes * count / 100 + count * int(wants.amplitudes > 0)
    branches = float(min(max(1, wants.shots), 2 ** min(traits.branch_points, 40)))
    seconds = (
        RUN_SECONDS
        + traits.gates * GATE_SECONDS
        + branches * (evolve + sites * SITE_SECONDS + flops / FLOPS_PER_SECOND[precision])
        + (count * BRANCH_SITE_SECONDS * branches if traits.branch_points else 0.0)
        + (STATE_SECONDS * 2.0**count if wants.statevector else 0.0)
    )
    width = precision.amplitude_bytes
    tensors = 2 * width * bond**2 * (full_cuts + 2 / 3) + 64.0 * count
    workspace = 16 * width * (2 * bond) ** 2
    arrays = 2.0 * width * 2.0**count if wants.statevector else 0.0
    memory = tensors + workspace + arrays + wants.shots * (limits.SHOT_BYTES + 3.0 * count)
    return Cost(
        seconds,
        int(min(memory, 2.0**62)) + limits.RUN_OVERHEAD_BYTES,
        TRUNCATION_DEFAULT * splits,  # of one way through the circuit: the mean over all is no larger
    )


CARD = BackendCard(
    name="mps",
    summary="a chain of tensors: wide circuits with little entanglement, with the truncation error told",
    qubits_max=QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=limits.RUN_OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    options=MPSOptions,
    index_bits=0,
)
