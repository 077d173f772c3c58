"""Quantum algorithms: for each a circuit builder and a run that returns a typed result."""

from __future__ import annotations

from qrealm.algorithms.amplitude_estimation import (
    AmplitudeEstimate,
    grover_operator,
    run_amplitude_estimation,
    run_iterative_amplitude_estimation,
)
from qrealm.algorithms.ansatz import hardware_efficient_ansatz
from qrealm.algorithms.apple import AppleSiliconQuantumEngine
from qrealm.algorithms.cost_functions import maxcut_hamiltonian, qubo_hamiltonian
from qrealm.algorithms.entangled_states import EntangledState, ghz_circuit, run_ghz, run_w, w_circuit
from qrealm.algorithms.fourier import FourierTransform, qft_circuit, run_qft
from qrealm.algorithms.grover import GroverResult, grover_circuit, grover_oracle, run_grover
from qrealm.algorithms.hydrogen import hydrogen_ansatz, hydrogen_hamiltonian
from qrealm.algorithms.modular_arithmetic import controlled_modular_multiplier, fourier_adder, modular_adder
from qrealm.algorithms.phase_estimation import (
    PhaseEstimate,
    iterative_phase_estimation_circuit,
    phase_estimation_circuit,
    run_phase_estimation,
)
from qrealm.algorithms.qaoa import QaoaResult, qaoa_circuit, run_maxcut, run_qaoa
from qrealm.algorithms.quantum_volume import QuantumVolumeResult, quantum_volume_circuit, run_quantum_volume
from qrealm.algorithms.shor import ShorAttempt, ShorResult, order_finding_circuit, run_shor
from qrealm.algorithms.spectrum import ground_energy
from qrealm.algorithms.teleportation import Teleportation, run_teleportation, teleportation_circuit
from qrealm.algorithms.vqe import VqeResult, run_vqe

__all__ = [
    "AmplitudeEstimate",
    "AppleSiliconQuantumEngine",
    "EntangledState",
    "FourierTransform",
    "GroverResult",
    "PhaseEstimate",
    "QaoaResult",
    "QuantumVolumeResult",
    "ShorAttempt",
    "ShorResult",
    "Teleportation",
    "VqeResult",
    "controlled_modular_multiplier",
    "fourier_adder",
    "ghz_circuit",
    "ground_energy",
    "grover_circuit",
    "grover_operator",
    "grover_oracle",
    "hardware_efficient_ansatz",
    "hydrogen_ansatz",
    "hydrogen_hamiltonian",
    "iterative_phase_estimation_circuit",
    "maxcut_hamiltonian",
    "modular_adder",
    "order_finding_circuit",
    "phase_estimation_circuit",
    "qaoa_circuit",
    "qft_circuit",
    "quantum_volume_circuit",
    "qubo_hamiltonian",
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
    "teleportation_circuit",
    "w_circuit",
]
