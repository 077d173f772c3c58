"""A state in a device's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.base.errors import RequestError
from qrealm.simulate.backends.gpu import arrays, paulis
from qrealm.simulate.backends.gpu.device import Device, refusal_told
from qrealm.simulate.backends.gpu.sampling import draw
from qrealm.simulate.backends.protocol import Program, State
from qrealm.simulate.plan.types import Precision

if TYPE_CHECKING:
    from qrealm.simulate.backends.gpu.program import GPUProgram

_WAIT_QUBITS = 22
"""From this many qubits on, a step takes longer than waiting for it: then Ctrl-C is heard between steps."""


class GPUState:
    """All amplitudes in the memory of a device, which has threads of its own: the argument `threads` of the
    protocol has no meaning here."""

    __slots__ = ("array", "device", "num_qubits")

    @refusal_told
    def __init__(
        self, num_qubits: int, precision: Precision, device: Device, array: arrays.Tensor | None = None
    ) -> None:
        if precision not in device.precisions:
            raise RequestError(
                f"{device.name} has no {precision.value} precision",
                hint='use precision="single", or options=GPUOptions(device="cpu")',
            )
        self.num_qubits = num_qubits
        self.device = device
        if array is None:
            array = torch.zeros(1 << num_qubits, dtype=arrays.dtype_of(precision), device=device.kind)
            array[0] = 1
        self.array = array

    @property
    def precision(self) -> Precision:
        """Width of its numbers."""
        return Precision.SINGLE if self.array.dtype == torch.complex64 else Precision.DOUBLE

    @refusal_told
    def apply(self, program: Program, threads: int) -> None:  # noqa: ARG002
        """Run a program compiled for the same precision."""
        for _ in cast("GPUProgram", program).passes(self.array):
            self.wait()
            cancel.check()

    def wait(self) -> None:
        """Wait for what the device still has to do, where that is worth it."""
        if self.num_qubits >= _WAIT_QUBITS and self.device.kind == "cuda":
            torch.cuda.synchronize()

    @refusal_told
    def load(self, amplitudes: NDArray[np.complex128] | NDArray[np.complex64]) -> None:
        """Replace the state; the array is converted to the state's precision."""
        width = np.complex64 if self.precision is Precision.SINGLE else np.complex128
        self.array.copy_(torch.from_numpy(np.array(amplitudes, dtype=width)))

    @refusal_told
    def to_array(self, threads: int) -> NDArray[np.complex128] | NDArray[np.complex64]:  # noqa: ARG002
        """All amplitudes in the order of basis indices."""
        held = self.array.cpu()
        return (held.clone() if held is self.array else held).numpy()  # type: ignore[no-any-return]

    @refusal_told
    def amplitudes(self, indices: NDArray[np.uint64]) -> NDArray[np.complex128]:
        """Amplitudes of chosen basis states."""
        places = torch.from_numpy(indices.astype(np.int64)).to(self.array.device)
        return self.array[places].cpu().numpy().astype(np.complex128)  # type: ignore[no-any-return]

    @refusal_told
    def probabilities(self, qubits: Sequence[int], threads: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Outcome probabilities of some qubits, the first one bit 0."""
        return arrays.probabilities(self.array, self.num_qubits, qubits)

    @refusal_told
    def sample(self, shots: int, seed: int, threads: int) -> NDArray[np.uint64]:  # noqa: ARG002
        """Basis indices, one per shot."""
        return draw(self.array, self.num_qubits, shots, seed)

    @refusal_told
    def expectation(
        self,
        x_masks: NDArray[np.uint64],
        z_masks: NDArray[np.uint64],
        threads: int,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """One value per Pauli string."""
        return paulis.expectations(self.array, self.num_qubits, x_masks, z_masks)

    @refusal_told
    def collapse(self, qubit: int, outcome: int, threads: int) -> float:
        """Project and normalise; returns the probability before."""
        probability = float(self.probabilities([qubit], threads)[outcome])
        if not probability > 0:
            raise RequestError(f"qubit {qubit} has no outcome {outcome}: its probability is {probability:g}")
        halves = torch.as_strided(
            self.array,
            (1 << self.num_qubits - qubit - 1, 2, 1 << qubit),
            (1 << qubit + 1, 1 << qubit, 1),
        )
        halves[:, 1 - outcome].zero_()
        halves[:, outcome].mul_(probability**-0.5)
        return probability

    @refusal_told
    def copy(self) -> State:
        """An independent copy."""
        return GPUState(self.num_qubits, self.precision, self.device, self.array.clone())
