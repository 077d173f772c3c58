"""qrealm: a self-hosted quantum cloud. A circuit goes in, it is planned and run on your own machines, its
result comes out.

    >>> import qrealm
    >>> bell = qrealm.Circuit(2).h(0).cx(0, 1)
    >>> sorted(qrealm.run(bell, shots=100, seed=7).counts)
    ['00', '11']

Everything here is loaded when it is first used, so that `import qrealm` takes no time.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrealm import containers, errors, noise, optimize
    from qrealm.algorithms.amplitude_estimation import (
        run_amplitude_estimation,
        run_iterative_amplitude_estimation,
    )
    from qrealm.algorithms.ansatz import hardware_efficient_ansatz
    from qrealm.algorithms.apple import AppleSiliconQuantumEngine
    from qrealm.algorithms.cost_functions import maxcut_hamiltonian, qubo_hamiltonian
    from qrealm.algorithms.entangled_states import ghz_circuit, run_ghz, run_w, w_circuit
    from qrealm.algorithms.fourier import qft_circuit, run_qft
    from qrealm.algorithms.grover import grover_circuit, run_grover
    from qrealm.algorithms.hydrogen import hydrogen_hamiltonian
    from qrealm.algorithms.phase_estimation import phase_estimation_circuit, run_phase_estimation
    from qrealm.algorithms.qaoa import qaoa_circuit, run_maxcut, run_qaoa
    from qrealm.algorithms.quantum_volume import quantum_volume_circuit, run_quantum_volume
    from qrealm.algorithms.shor import run_shor
    from qrealm.algorithms.spectrum import ground_energy
    from qrealm.algorithms.teleportation import run_teleportation, teleportation_circuit
    from qrealm.algorithms.vqe import run_vqe
    from qrealm.circuits import Circuit, Parameter, PauliSum, read
    from qrealm.circuits.noise import Channel, CompiledCircuit, Device, NoiseModel, ReadoutError
    from qrealm.control.containers.circuits import QuantumCircuitManager
    from qrealm.control.containers.engine import QuantumDockerEngine
    from qrealm.control.engine import QuantumJobResult, QuantumVirtualizationEngine
    from qrealm.faces.providers.cirq import QrealmSampler, QrealmSimulator
    from qrealm.faces.providers.pennylane import QrealmDevice
    from qrealm.faces.providers.qiskit import EstimatorV2, QrealmProvider, SamplerV2
    from qrealm.faces.providers.torch import QrealmLayer
    from qrealm.network import agree_on_key
    from qrealm.protect import (
        Mitigated,
        ReadoutCorrection,
        fold,
        probabilistic_error_cancellation,
        readout_corrected,
        zero_noise_extrapolation,
    )
    from qrealm.simulate.backends import QuantumBackend
    from qrealm.simulate.backends.gpu.options import GPUOptions
    from qrealm.simulate.backends.mps.options import MPSOptions
    from qrealm.simulate.backends.tensor_network.options import TensorNetworkOptions
    from qrealm.simulate.benchmark import benchmark
    from qrealm.simulate.estimate import estimate
    from qrealm.simulate.gradient import Gradient, Gradients, gradient, gradients
    from qrealm.simulate.results import Result
    from qrealm.simulate.run import expectations, run, sweep
    from qrealm.simulate.verify import VerifyReport, verify

    __version__: str

_HOMES = {
    "AppleSiliconQuantumEngine": "qrealm.algorithms.apple",
    "Channel": "qrealm.circuits.noise",
    "Circuit": "qrealm.circuits",
    "CompiledCircuit": "qrealm.circuits.noise",
    "Device": "qrealm.circuits.noise",
    "EstimatorV2": "qrealm.faces.providers.qiskit",
    "GPUOptions": "qrealm.simulate.backends.gpu.options",
    "Gradient": "qrealm.simulate.gradient",
    "Gradients": "qrealm.simulate.gradient",
    "MPSOptions": "qrealm.simulate.backends.mps.options",
    "Mitigated": "qrealm.protect",
    "NoiseModel": "qrealm.circuits.noise",
    "Parameter": "qrealm.circuits",
    "PauliSum": "qrealm.circuits",
    "QrealmDevice": "qrealm.faces.providers.pennylane",
    "QrealmLayer": "qrealm.faces.providers.torch",
    "QrealmProvider": "qrealm.faces.providers.qiskit",
    "QrealmSampler": "qrealm.faces.providers.cirq",
    "QrealmSimulator": "qrealm.faces.providers.cirq",
    "QuantumBackend": "qrealm.simulate.backends",
    "QuantumCircuitManager": "qrealm.control.containers.circuits",
    "QuantumDockerEngine": "qrealm.control.containers.engine",
    "QuantumJobResult": "qrealm.control.engine",
    "QuantumVirtualizationEngine": "qrealm.control.engine",
    "ReadoutCorrection": "qrealm.protect",
    "ReadoutError": "qrealm.circuits.noise",
    "Result": "qrealm.simulate.results",
    "SamplerV2": "qrealm.faces.providers.qiskit",
    "TensorNetworkOptions": "qrealm.simulate.backends.tensor_network.options",
    "VerifyReport": "qrealm.simulate.verify",
    "agree_on_key": "qrealm.network",
    "benchmark": "qrealm.simulate.benchmark",
    "estimate": "qrealm.simulate.estimate",
    "expectations": "qrealm.simulate.run",
    "fold": "qrealm.protect",
    "ghz_circuit": "qrealm.algorithms.entangled_states",
    "gradient": "qrealm.simulate.gradient",
    "gradients": "qrealm.simulate.gradient",
    "ground_energy": "qrealm.algorithms.spectrum",
    "grover_circuit": "qrealm.algorithms.grover",
    "hardware_efficient_ansatz": "qrealm.algorithms.ansatz",
    "hydrogen_hamiltonian": "qrealm.algorithms.hydrogen",
    "maxcut_hamiltonian": "qrealm.algorithms.cost_functions",
    "phase_estimation_circuit": "qrealm.algorithms.phase_estimation",
    "probabilistic_error_cancellation": "qrealm.protect",
    "qaoa_circuit": "qrealm.algorithms.qaoa",
    "qft_circuit": "qrealm.algorithms.fourier",
    "quantum_volume_circuit": "qrealm.algorithms.quantum_volume",
    "qubo_hamiltonian": "qrealm.algorithms.cost_functions",
    "read": "qrealm.circuits",
    "readout_corrected": "qrealm.protect",
    "run": "qrealm.simulate.run",
    "run_amplitude_estimation": "qrealm.algorithms.amplitude_estimation",
    "run_ghz": "qrealm.algorithms.entangled_states",
    "run_grover": "qrealm.algorithms.grover",
    "run_iterative_amplitude_estimation": "qrealm.algorithms.amplitude_estimation",
    "run_maxcut": "qrealm.algorithms.qaoa",
    "run_phase_estimation": "qrealm.algorithms.phase_estimation",
    "run_qaoa": "qrealm.algorithms.qaoa",
    "run_qft": "qrealm.algorithms.fourier",
    "run_quantum_volume": "qrealm.algorithms.quantum_volume",
    "run_shor": "qrealm.algorithms.shor",
    "run_teleportation": "qrealm.algorithms.teleportation",
    "run_vqe": "qrealm.algorithms.vqe",
    "run_w": "qrealm.algorithms.entangled_states",
    "sweep": "qrealm.simulate.run",
    "teleportation_circuit": "qrealm.algorithms.teleportation",
    "verify": "qrealm.simulate.verify",
    "w_circuit": "qrealm.algorithms.entangled_states",
    "zero_noise_extrapolation": "qrealm.protect",
}
_NEEDS = {
    "EstimatorV2": "qiskit",
    "QrealmDevice": "pennylane",
    "QrealmLayer": "torch",
    "QrealmProvider": "qiskit",
    "QrealmSampler": "cirq",
    "QrealmSimulator": "cirq",
    "SamplerV2": "qiskit",
}
_MODULES = {
    "containers": "qrealm.containers",
    "errors": "qrealm.errors",
    "noise": "qrealm.noise",
    "optimize": "qrealm.optimize",
}

__all__ = [
    "AppleSiliconQuantumEngine",
    "Channel",
    "Circuit",
    "CompiledCircuit",
    "Device",
    "EstimatorV2",
    "GPUOptions",
    "Gradient",
    "Gradients",
    "MPSOptions",
    "Mitigated",
    "NoiseModel",
    "Parameter",
    "PauliSum",
    "QrealmDevice",
    "QrealmLayer",
    "QrealmProvider",
    "QrealmSampler",
    "QrealmSimulator",
    "QuantumBackend",
    "QuantumCircuitManager",
    "QuantumDockerEngine",
    "QuantumJobResult",
    "QuantumVirtualizationEngine",
    "ReadoutCorrection",
    "ReadoutError",
    "Result",
    "SamplerV2",
    "TensorNetworkOptions",
    "VerifyReport",
    "__version__",
    "agree_on_key",
    "benchmark",
    "containers",
    "errors",
    "estimate",
    "expectations",
    "fold",
    "ghz_circuit",
    "gradient",
    "gradients",
    "ground_energy",
    "grover_circuit",
    "hardware_efficient_ansatz",
    "hydrogen_hamiltonian",
    "maxcut_hamiltonian",
    "noise",
    "optimize",
    "phase_estimation_circuit",
    "probabilistic_error_cancellation",
    "qaoa_circuit",
    "qft_circuit",
    "quantum_volume_circuit",
    "qubo_hamiltonian",
    "read",
    "readout_corrected",
    "run",
    "run_amplitude_estimation",
    "run_ghz",
    "run_grover",
    "run_iterative_amplitude_estimation",
    "run_maxcut",
    "run_phase_estimation",
    "run_qaoa",
    "run_qft",
    "run_quantum_volume",
    "run_shor",
    "run_teleportation",
    "run_vqe",
    "run_w",
    "sweep",
    "teleportation_circuit",
    "verify",
    "w_circuit",
    "zero_noise_extrapolation",
]

_EVERYTHING = tuple(__all__)
if not TYPE_CHECKING:
    del __all__  # __getattr__ makes it of what is there: looking for frameworks takes time


def _names() -> list[str]:
    """The names that this installation has the packages for."""
    from importlib.util import find_spec

    packages = {package for package in set(_NEEDS.values()) if find_spec(package) is not None}
    return [name for name in _EVERYTHING if name not in _NEEDS or _NEEDS[name] in packages]


def _found(name: str) -> Any:
    """The object of this name from its home."""
    from qrealm.base.errors import MissingExtraError, MissingNameError

    try:
        return getattr(import_module(_HOMES[name]), name)
    except MissingExtraError as problem:
        # `from qrealm import X` forgets what an AttributeError says, and with it the pip command; it looks
        # for the name by this function first.
        if sys._getframe(2).f_code.co_name == "_handle_fromlist":
            raise
        raise MissingNameError(name, problem) from problem


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return _names()  # not kept: a package may be installed later
    if name == "__version__":
        from qrealm.base.version import installed_version

        value: Any = installed_version()
    elif name in _MODULES:
        value = import_module(_MODULES[name])
    elif name in _HOMES:
        value = _found(name)
    else:
        raise AttributeError(f"module 'qrealm' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_names()})
