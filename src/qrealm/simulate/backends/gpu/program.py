"""A circuit compiled for a device: fused steps, and its gradient by the adjoint method."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.gpu import arrays, paulis, tile_launch
from qrealm.simulate.backends.gpu.device import Device, refusal_told
from qrealm.simulate.backends.gpu.fusion import Step, fuse
from qrealm.simulate.backends.gpu.gates import Op, derivatives, operations
from qrealm.simulate.backends.gpu.state import GPUState
from qrealm.simulate.backends.gpu.tiles import MATRIX_QUBITS_MAX as TILE_MATRIX_QUBITS_MAX
from qrealm.simulate.backends.gpu.tiles import Stage, plan_stages
from qrealm.simulate.plan.types import Precision, Work

_PASSES_PER_MATRIX = 3  # gathering, multiplying, writing back
_WHOLE = Step((), (), np.ones((1, 1), dtype=np.complex128))


class GPUProgram:
    """A circuit fused into steps, for one precision and device."""

    __slots__ = ("device", "kernel", "packed", "precision", "steps")

    def __init__(
        self, packed: PackedCircuit, precision: Precision, device: Device, kernel: str = "library"
    ) -> None:
        self.packed = packed
        self.precision = precision
        self.device = device
        self.kernel = kernel
        self.steps: list[Stage | Step]
        if kernel == "tiles":
            narrow = fuse(operations(packed), TILE_MATRIX_QUBITS_MAX)
            self.steps = plan_stages(narrow, packed.num_qubits, precision)
        else:
            self.steps = list(fuse(operations(packed)))

    def passes(self, array: arrays.Tensor) -> Iterator[int]:
        """Apply the steps in place; yields a number before each, so that the caller can stop."""
        for number, step in enumerate(self.steps):
            yield number
            if isinstance(step, Stage):
                tile_launch.launch(array, self.packed.num_qubits, step, self.precision)
            else:
                arrays.apply(array, self.packed.num_qubits, step, arrays.upload(step, array))

    def describe(self) -> dict[str, object]:
        """Device, steps and sizes, JSON-ready."""
        return {
            "device": self.device.kind,
            "device_name": self.device.name,
            "num_qubits": self.packed.num_qubits,
            "precision": self.precision.value,
            "gates": len(self.packed),
            "kernel": self.kernel,
            "steps": len(self.steps),
            "state_bytes": self.precision.amplitude_bytes << self.packed.num_qubits,
        }

    def work(self, shots: int) -> Work:
        """What a run with this many shots costs."""
        num_qubits = self.packed.num_qubits
        moved = flops = 0
        for each in self.steps:
            if isinstance(each, Stage):
                moved += 2 * self.precision.amplitude_bytes << num_qubits
            for step in each.steps if isinstance(each, Stage) else (each,):
                touched = 1 << max(0, num_qubits - len(step.controls))
                flops += step.flops * touched
                if step is each:
                    passes = 1 if step.is_table else _PASSES_PER_MATRIX
                    moved += 2 * passes * touched * self.precision.amplitude_bytes
        size = self.precision.amplitude_bytes << num_qubits
        return Work(size, len(self.steps), moved + size, flops, len(self.packed), shots)

    @refusal_told
    def counts(self, shots: int, seed: int, threads: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Distinct basis indices, ascending, and their counts."""
        state = GPUState(self.packed.num_qubits, self.precision, self.device)
        state.apply(self, threads)
        values, counts = np.unique(state.sample(shots, seed, threads), return_counts=True)
        return values, counts.astype(np.int64)

    @refusal_told
    def gradient(
        self,
        terms: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]],
        wanted: NDArray[np.uint8],
        threads: int,
    ) -> tuple[float, NDArray[np.float64]]:
        """Value and derivatives by the marked parameters, by the adjoint method (Jones and Gacon,
        arXiv:2009.02823).

        With psi the state and lambda = H psi, both are walked back through the circuit; before the inverse of
        a gate acts on lambda, the derivative is 2 Re <lambda| dU |psi>.
        """
        num_qubits = self.packed.num_qubits
        psi = GPUState(num_qubits, self.precision, self.device)
        psi.apply(self, threads)
        lam = GPUState(num_qubits, self.precision, self.device, paulis.applied(psi.array, num_qubits, *terms))
        value = float(arrays.overlaps(lam.array, psi.array, num_qubits, _WHOLE)[0, 0].real)
        slopes = np.zeros(len(self.packed.params))
        waiting: list[Op] = []  # inverses that both states still have to take
        for op in reversed(list(operations(self.packed))):
            places = [place for place in range(len(op.params)) if wanted[op.first_param + place]]
            if op.code < 0 or not places or not derivatives(op):
                waiting.append(op.dagger())
                continue
            back = op.dagger()
            for state, added in ((psi, [back]), (lam, [])):
                self._take(state, [*waiting, *added])
            found = arrays.overlaps(lam.array, psi.array, num_qubits, _bare(op))
            for place in places:
                slope = 2 * np.real(np.sum(derivatives(op)[place] * found))
                slopes[op.first_param + place] = slope
            self._take(lam, [back])
            waiting = []
        return value, slopes

    def _take(self, state: GPUState, ops: list[Op]) -> None:
        for step in fuse(ops):
            cancel.check()
            arrays.apply(state.array, state.num_qubits, step, arrays.upload(step, state.array))
        state.wait()


def _bare(op: Op) -> Step:
    """An operation as a step that is not fused, its matrix dense."""
    return Step(op.controls, op.targets, op.matrix)
