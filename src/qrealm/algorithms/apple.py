"""`AppleSiliconQuantumEngine`: the algorithms on Apple's GPU where there is one, else on the CPU kernel."""

from __future__ import annotations

import importlib.util
import platform
import sys
from typing import Any, Literal

from qrealm.algorithms.amplitude_estimation import (
    AmplitudeEstimate,
    run_amplitude_estimation,
    run_iterative_amplitude_estimation,
)
from qrealm.algorithms.entangled_states import EntangledState, run_ghz, run_w
from qrealm.algorithms.fourier import FourierTransform, run_qft
from qrealm.algorithms.grover import GroverResult, run_grover
from qrealm.algorithms.phase_estimation import PhaseEstimate, run_phase_estimation
from qrealm.algorithms.qaoa import QaoaResult, run_maxcut, run_qaoa
from qrealm.algorithms.quantum_volume import QuantumVolumeResult, run_quantum_volume
from qrealm.algorithms.shor import ShorResult, run_shor
from qrealm.algorithms.teleportation import Teleportation, run_teleportation
from qrealm.algorithms.vqe import VqeResult, run_vqe
from qrealm.base.errors import RequestError
from qrealm.simulate.backends import QuantumBackend
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

GPU_BACKEND = "gpu"
"""The backend that runs on Metal through PyTorch."""


def metal_missing() -> str:
    """Why Metal cannot be used here; empty where it can."""
    if sys.platform != "darwin":
        return f"Metal is macOS's, and this is {platform.system() or sys.platform}"
    if GPU_BACKEND not in {each.value for each in QuantumBackend}:
        return "this version of qrealm has no GPU backend"
    if importlib.util.find_spec("torch") is None:
        return "PyTorch, which reaches Metal, is not installed (pip install 'qrealm[torch]')"
    import torch

    if not torch.backends.mps.is_available():
        return "PyTorch finds no Metal device on this machine"
    return ""


class AppleSiliconQuantumEngine:
    """The algorithms as methods, all on one device.

    Metal computes in single precision, so amplitudes and energies there are right to about 1e-6.

    Args:
        device: ``"metal"``, ``"cpu"``, or ``"auto"``: Metal where it can be used.

    Raises:
        RequestError: an unknown device, or Metal was asked for and cannot be used; the message says why.
    """

    __slots__ = ("_device", "_reason")

    def __init__(self, device: Literal["auto", "metal", "cpu"] = "auto") -> None:
        if device not in ("auto", "metal", "cpu"):
            raise RequestError(f"device is {device!r:.60}; it must be 'auto', 'metal' or 'cpu'")
        missing = "" if device == "cpu" else metal_missing()
        if device == "metal" and missing:
            raise RequestError(f"device='metal' cannot be used: {missing}", hint="device='auto' or 'cpu'")
        on_metal = device != "cpu" and not missing
        self._device = "metal" if on_metal else "cpu"
        self._reason = missing or ("Metal is available" if on_metal else "device='cpu' was asked for")

    @property
    def device(self) -> str:
        """``"metal"`` or ``"cpu"``: where everything runs."""
        return self._device

    @property
    def backend(self) -> str:
        """The backend of `qrealm.run` that is used: ``"gpu"`` on Metal, else ``"auto"``, which picks by the
        circuit; the metadata of a result tells what it picked."""
        return GPU_BACKEND if self._device == "metal" else QuantumBackend.AUTO.value

    def describe(self) -> dict[str, str]:
        """Device, backend, why this device, processor and operating system."""
        return {
            "device": self.device,
            "backend": self.backend,
            "reason": self._reason,
            "processor": platform.machine(),
            "system": platform.system(),
        }

    def run(self, circuit: Any, shots: int = 1024, seed: int | None = None, **options: Any) -> Result:
        """`qrealm.run` on this device."""
        return run(circuit, shots, seed, **self._here(options))

    def run_grover(
        self, num_qubits: int, marked_item: Any, iterations: int | None = None, **options: Any
    ) -> GroverResult:
        """`qrealm.run_grover` on this device."""
        return run_grover(num_qubits, marked_item, iterations, **self._here(options))

    def run_qft(self, num_qubits: int, input_value: int = 0, **options: Any) -> FourierTransform:
        """`qrealm.run_qft` on this device."""
        return run_qft(num_qubits, input_value, **self._here(options))

    def run_phase_estimation(
        self, unitary: Any, num_counting_qubits: int, eigenstate: Any = None, **options: Any
    ) -> PhaseEstimate:
        """`qrealm.run_phase_estimation` on this device."""
        return run_phase_estimation(unitary, num_counting_qubits, eigenstate, **self._here(options))

    def run_amplitude_estimation(
        self, preparation: Any, objective: Any, num_counting_qubits: int = 6, **options: Any
    ) -> AmplitudeEstimate:
        """`qrealm.run_amplitude_estimation` on this device."""
        return run_amplitude_estimation(preparation, objective, num_counting_qubits, **self._here(options))

    def run_iterative_amplitude_estimation(
        self, preparation: Any, objective: Any, accuracy: float = 0.01, **options: Any
    ) -> AmplitudeEstimate:
        """`qrealm.run_iterative_amplitude_estimation` on this device."""
        return run_iterative_amplitude_estimation(preparation, objective, accuracy, **self._here(options))

    def run_vqe(self, hamiltonian: Any, ansatz: Any = "hardware_efficient", **options: Any) -> VqeResult:
        """`qrealm.run_vqe` on this device."""
        return run_vqe(hamiltonian, ansatz, **self._here(options))

    def run_qaoa(self, cost: Any, layers: int = 1, **options: Any) -> QaoaResult:
        """`qrealm.run_qaoa` on this device."""
        return run_qaoa(cost, layers, **self._here(options))

    def run_maxcut(self, graph: Any, layers: int = 1, **options: Any) -> QaoaResult:
        """`qrealm.run_maxcut` on this device."""
        return run_maxcut(graph, layers, **self._here(options))

    def run_shor(self, number: int, **options: Any) -> ShorResult:
        """`qrealm.run_shor` on this device."""
        return run_shor(number, **self._here(options))

    def run_teleportation(self, state: Any = (1, 0), **options: Any) -> Teleportation:
        """`qrealm.run_teleportation` on this device."""
        return run_teleportation(state, **self._here(options))

    def run_ghz(self, num_qubits: int, **options: Any) -> EntangledState:
        """`qrealm.run_ghz` on this device."""
        return run_ghz(num_qubits, **self._here(options))

    def run_w(self, num_qubits: int, **options: Any) -> EntangledState:
        """`qrealm.run_w` on this device."""
        return run_w(num_qubits, **self._here(options))

    def run_quantum_volume(
        self, num_qubits: int, num_circuits: int = 100, **options: Any
    ) -> QuantumVolumeResult:
        """`qrealm.run_quantum_volume` on this device."""
        return run_quantum_volume(num_qubits, num_circuits, **self._here(options))

    def _here(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options with this engine's backend, and on Metal with the only precision that it has."""
        if "backend" in options:
            raise RequestError(
                f"backend is this engine's own ({self.backend})", hint="call qrealm's function to choose one"
            )
        if self._device == "metal":
            options = {"precision": "single", **options}
        return {**options, "backend": self.backend}

    def __repr__(self) -> str:
        return f"<AppleSiliconQuantumEngine on {self._device}: {self._reason}>"
