"""What planning must know of the GPU backend. Imports no PyTorch."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.simulate.backends.gpu.options import GPUOptions
from qrealm.simulate.plan.clock import seconds
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants, Work

OVERHEAD_BYTES = 768 * 1024**2
"""What a run takes on the device beside its state: three arrays of `arrays.CHUNK_BYTES` while a matrix is
applied, and about as much for the libraries of CUDA themselves."""

GATES_PER_PASS = 4
"""Gates that one pass over the state carries out, typically: five qubits are fused into one matrix."""

PASSES_PER_MATRIX = 3
"""A matrix is applied by gathering its rows, multiplying, and writing back."""

FLOPS_PER_PASS = 8 * 2**5
"""Floating-point operations for each amplitude: a dense matrix on five qubits."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A pure state has no noise in it."""
    if traits.channels:
        return "it keeps a pure state, and the circuit has noise"
    if traits.misread:
        return "a bit is misread half-way, and something looks at it"
    if wants.density_matrix:
        return "it keeps a pure state, not a density matrix"
    return None


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take on the device that `rates` were measured on; the bytes are the device's."""
    precision = wants.precision_or_default
    amplitudes = float(1 << min(traits.num_qubits, 200))
    passes = 1 + traits.gates / GATES_PER_PASS
    branches = min(max(1, wants.shots), 2 ** min(traits.branch_points, 40))
    width = precision.amplitude_bytes
    moved = 2 * PASSES_PER_MATRIX * amplitudes * width * (passes + wants.terms) * branches
    work = Work(
        state_bytes=int(amplitudes * width),
        stages=int(passes),
        moved_bytes=int(moved),
        flops=int(FLOPS_PER_PASS * amplitudes * passes * branches),
        gates=traits.gates * branches,
        shots=wants.shots,
    )
    copies = 1 + int(wants.statevector) + min(traits.branch_points, 1)
    return Cost(seconds(work, rates), work.state_bytes * copies + OVERHEAD_BYTES)


CARD = BackendCard(
    name="gpu",
    summary="all 2^n amplitudes in the memory of a graphics processor: CUDA or Metal through PyTorch",
    qubits_max=limits.QUBITS_MAX,
    precisions=(Precision.SINGLE, Precision.DOUBLE),
    overhead_bytes=OVERHEAD_BYTES,
    refusal=refusal,
    cost=cost,
    seconds=seconds,
    packages=("torch",),
    extra="torch",
    options=GPUOptions,
    needs_device=True,
)
