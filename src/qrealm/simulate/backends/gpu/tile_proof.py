"""Whether the tile kernel does on this device what PyTorch's own products do. Asked once per process."""

from __future__ import annotations

import functools

import numpy as np

from qrealm.base.errors import RequestError, RunError
from qrealm.circuits import Circuit
from qrealm.simulate.backends.gpu import tile_launch
from qrealm.simulate.backends.gpu.device import Device
from qrealm.simulate.backends.gpu.program import GPUProgram
from qrealm.simulate.backends.gpu.state import GPUState
from qrealm.simulate.plan.types import Precision

_QUBITS = 15
_TOLERANCE = {Precision.SINGLE: 1e-4, Precision.DOUBLE: 1e-10}


def sample_circuit() -> Circuit:
    """Matrices, phases and controls inside and outside of tiles, several stages."""
    circuit = Circuit(_QUBITS)
    for layer in range(3):
        for qubit in range(_QUBITS):
            circuit.u(0.3 + layer + 0.1 * qubit, 0.2 * qubit, 0.5 - layer, qubit)
        for qubit in range(_QUBITS):
            circuit.cx(qubit, (qubit + 4 + layer) % _QUBITS).cp(
                0.1 + 0.2 * qubit, qubit, (qubit + 7) % _QUBITS
            )
        circuit.append("rccx", [14, layer, 9]).append("mcx", [12, 13, 14, layer, 5])
        circuit.append("mcp", [0, 3, 6, 9, 12, 13, 14, 1, 2], [0.7])
    return circuit


@functools.cache
def prove(device: Device, precision: Precision) -> None:
    """Compare both ways on the device.

    Raises:
        RequestError: the device is not CUDA's, or PyTorch cannot compile kernels.
        RunError: they differ, or the kernel does not compile.
    """
    if device.kind != "cuda":
        raise RequestError(
            f'GPUOptions(kernel="tiles") is for CUDA devices; this is {device.name}',
            hint='use kernel="library"',
        )
    tile_launch.check_available()
    packed = sample_circuit().packed()
    found = []
    for kernel in ("library", "tiles"):
        state = GPUState(_QUBITS, precision, device)
        state.apply(GPUProgram(packed, precision, device, kernel), 1)
        found.append(state.to_array(1))
    worst = float(np.abs(found[0] - found[1]).max())
    if not worst <= _TOLERANCE[precision]:
        raise RunError(
            f"the tile kernel is wrong on {device.name}: amplitudes differ by {worst:.2g}",
            hint='use GPUOptions(kernel="library"), and please report it',
        )
