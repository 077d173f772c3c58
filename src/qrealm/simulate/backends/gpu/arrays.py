"""Steps applied to amplitudes that lie in a PyTorch tensor. Nothing here allocates more than a few chunks.

Amplitude i of 2^n belongs to basis index i. A step looks at the tensor through a strided view with one
dimension of length 2 for each of its qubits and one for each run of qubits between them; controls and, for
large states, the highest qubits that the step leaves alone are an offset of the view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.simulate.backends.gpu.fusion import Step
from qrealm.simulate.plan.types import Precision

CHUNK_BYTES = 128 * 1024**2
"""Largest temporary array on a GPU: enough work for one launch, and little beside a state worth a GPU."""

CHUNK_BYTES_CPU = 1024**2
"""The same on the processor, where three of them should stay in its caches."""

Tensor = Any


def dtype_of(precision: Precision) -> Any:
    """PyTorch's type of an amplitude."""
    return torch.complex64 if precision is Precision.SINGLE else torch.complex128


def chunk_amplitudes(array: Tensor) -> int:
    """Amplitudes of the largest temporary array, a power of two."""
    size = CHUNK_BYTES_CPU if array.device.type == "cpu" else CHUNK_BYTES
    return int(size // array.element_size())


def upload(step: Step, array: Tensor) -> Tensor:
    """A step's numbers, where and as the amplitudes are."""
    return torch.from_numpy(np.ascontiguousarray(step.matrix)).to(dtype=array.dtype, device=array.device)


def apply(array: Tensor, num_qubits: int, step: Step, numbers: Tensor) -> None:
    """Apply a step in place."""
    for part, order in windows(array, num_qubits, step.qubits, step.controls):
        if step.is_table:
            shape = [2 if axis in order else 1 for axis in range(part.dim())]
            part.mul_(numbers.reshape(shape))
            continue
        rows = part.permute(*order, *(axis for axis in range(part.dim()) if axis not in order))
        block = rows.reshape(len(step.matrix), -1)
        rows.copy_(product(numbers, block).view(rows.shape))


def product(matrix: Tensor, block: Tensor) -> Tensor:
    """matrix @ block. Metal multiplies real matrices only."""
    if block.device.type != "mps":
        return torch.matmul(matrix, block)
    return real_product(matrix, block)


def real_product(matrix: Tensor, block: Tensor) -> Tensor:
    """matrix @ block of complex numbers, by four products of real ones."""
    a, b, x, y = matrix.real, matrix.imag, block.real, block.imag
    return torch.complex(a @ x - b @ y, a @ y + b @ x)


def overlaps(left: Tensor, right: Tensor, num_qubits: int, step: Step) -> np.ndarray[Any, Any]:
    """Entry [i, j]: sum of conj(left[i, r]) right[j, r] over all r, where i and j are the step's qubits and
    its controls are 1; complex128, shape (2^k, 2^k)."""
    size = 1 << len(step.qubits)
    total = np.zeros((size, size), dtype=np.complex128)
    pairs = zip(
        windows(left, num_qubits, step.qubits, step.controls),
        windows(right, num_qubits, step.qubits, step.controls),
        strict=True,
    )
    for (one, order), (other, _) in pairs:
        axes = (*order, *(axis for axis in range(one.dim()) if axis not in order))
        a, b = (part.permute(*axes).reshape(size, -1) for part in (one, other))
        total += product(a.conj().resolve_conj(), b.T).cpu().numpy()
    return total


def windows(
    array: Tensor, num_qubits: int, qubits: Sequence[int], controls: Sequence[int] = ()
) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """Views of the amplitudes whose controls are 1, each of them at most a chunk, all together all of them.

    Yields:
        (view, dimensions of the qubits in it: the last of `qubits` first, so that reading them in this order
        gives an index whose least significant bit is ``qubits[0]``).
    """
    involved = set(qubits).union(controls)
    free = [qubit for qubit in range(num_qubits - 1, -1, -1) if qubit not in involved]
    width = num_qubits - len(controls)
    fixed: list[int] = []
    while width > 0 and 1 << width > chunk_amplitudes(array) and len(fixed) < len(free):
        fixed.append(free[len(fixed)])
        width -= 1
    gone = {*controls, *fixed}
    sizes: list[int] = []
    strides: list[int] = []
    axis_of: dict[int, int] = {}
    run = 0  # qubits of the present run between the step's own
    for qubit in range(num_qubits - 1, -1, -1):
        if qubit in gone or qubit in involved:
            if run:
                sizes.append(1 << run)
                strides.append(1 << qubit + 1)
                run = 0
            if qubit not in gone:
                axis_of[qubit] = len(sizes)
                sizes.append(2)
                strides.append(1 << qubit)
        else:
            run += 1
    if run or not sizes:
        sizes.append(1 << run)
        strides.append(1)
    base = sum(1 << qubit for qubit in controls)
    order = tuple(axis_of[qubit] for qubit in reversed(qubits))
    for number in range(1 << len(fixed)):
        offset = base + sum(1 << qubit for place, qubit in enumerate(fixed) if number >> place & 1)
        yield torch.as_strided(array, sizes, strides, offset), order


def weights(part: Tensor) -> Tensor:
    """Squared magnitudes; real, of the amplitudes' precision."""
    return part.real.square() + part.imag.square()


def total(values: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """Sums over the dimensions, in double precision where the device has it."""
    kind = None if values.device.type == "mps" else torch.float64
    return values.sum(dtype=kind) if dims is None else values.sum(dim=tuple(dims), dtype=kind)


def probabilities(array: Tensor, num_qubits: int, qubits: Sequence[int]) -> NDArray[np.float64]:
    """Outcome probabilities of some qubits, shape (2^k,), the first qubit bit 0."""
    ordered = sorted(qubits)
    bits = min(num_qubits, chunk_amplitudes(array).bit_length() - 1)
    low = [qubit for qubit in ordered if qubit < bits]
    found = np.zeros(1 << len(ordered))
    for number, part in enumerate(array.view(-1, 1 << bits)):
        cancel.check()
        high = 0
        for place, qubit in enumerate(ordered[len(low) :]):
            high |= (number >> qubit - bits & 1) << place
        begin = high << len(low)
        found[begin : begin + (1 << len(low))] += _marginal(weights(part), bits, low)
    index = np.arange(len(found))
    source = np.zeros_like(index)
    for place, qubit in enumerate(qubits):
        source |= (index >> place & 1) << ordered.index(qubit)
    return found[source]


def _marginal(values: Tensor, bits: int, kept: Sequence[int]) -> NDArray[np.float64]:
    """Sums over all bits of the index but the kept ones, which stay in their order."""
    end = bits
    for qubit in [*reversed(kept), -1]:
        if qubit + 1 < end:  # the bits between this one and the next higher that stays
            values = total(values.reshape(-1, 1 << end - qubit - 1, 1 << qubit + 1), [1])
        end = qubit
    return values.reshape(-1).cpu().numpy().astype(np.float64)  # type: ignore[no-any-return]
