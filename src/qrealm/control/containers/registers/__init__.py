"""Registers of qubits: what containers are in superposition and entangled with, simulated exactly.

A container with k states owns ceil(log2 k) qubits; state i is basis index i. An entangled group is one
register. Everything here is a pure function from registers to registers: the time and random numbers come as
arguments, and nothing is written down.
"""

from qrealm.control.containers.registers.decaying import decayed, entries_to_come
from qrealm.control.containers.registers.entangling import (
    ContradictionError,
    Entangled,
    dealt_evenly,
    entangle,
    relations_without,
)
from qrealm.control.containers.registers.gates import Target, apply_gate, gate_named
from qrealm.control.containers.registers.limits import LASTING_ENTRIES_MAX
from qrealm.control.containers.registers.measures import (
    all_mutual_information_bits,
    coherence_bits,
    coherence_share,
    fresh_fidelity,
    joint_probabilities,
    mutual_information_bits,
    probabilities,
    probabilities_at,
    purity,
    relation_probability_at,
)
from qrealm.control.containers.registers.measuring import MeasuredGroup, measure, without
from qrealm.control.containers.registers.preparing import (
    distribution,
    fresh_entries,
    preparation_circuit,
    prepare,
    prepare_group,
)
from qrealm.simulate.sparse_density_simulators import (
    SIMULATORS,
    DensitySimulator,
    find_simulator,
    simulator_of,
)

__all__ = [
    "LASTING_ENTRIES_MAX",
    "SIMULATORS",
    "ContradictionError",
    "DensitySimulator",
    "Entangled",
    "MeasuredGroup",
    "Target",
    "all_mutual_information_bits",
    "apply_gate",
    "coherence_bits",
    "coherence_share",
    "dealt_evenly",
    "decayed",
    "distribution",
    "entangle",
    "entries_to_come",
    "find_simulator",
    "fresh_entries",
    "fresh_fidelity",
    "gate_named",
    "joint_probabilities",
    "measure",
    "mutual_information_bits",
    "preparation_circuit",
    "prepare",
    "prepare_group",
    "probabilities",
    "probabilities_at",
    "purity",
    "relation_probability_at",
    "relations_without",
    "simulator_of",
    "without",
]
