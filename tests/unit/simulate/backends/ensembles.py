"""Every way through a circuit that decides something half-way, by the definition: one ρ for each value of the
classical bits, its trace the probability."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np

from qrealm.circuits import Circuit
from qrealm.circuits.gates import Gate
from qrealm.circuits.pack import pack
from reference.density import DensitySimulator

Ensemble = dict[int, np.ndarray]


def ensemble(circuit: Circuit) -> Ensemble:
    """Classical bits -> ρ times the probability, at the end of the circuit, its measurements carried out."""
    start = DensitySimulator(circuit.num_qubits).rho
    return _after({0: start}, circuit.instructions, circuit.num_qubits)


def mixed(circuit: Circuit) -> np.ndarray:
    """ρ whatever the classical bits are."""
    return np.sum(list(ensemble(circuit).values()), axis=0)


def _after(parts: Ensemble, instructions: Iterable[Any], num_qubits: int) -> Ensemble:
    for op, qubits, args in instructions:
        found: Ensemble = {}
        for clbits, rho in parts.items():
            for bits, image in _one(op, qubits, args, clbits, rho, num_qubits):
                found[bits] = found.get(bits, 0) + image
        parts = {bits: rho for bits, rho in found.items() if np.trace(rho).real > 1e-15}
    return parts


def _one(op: Any, qubits: Any, args: Any, clbits: int, rho: np.ndarray, n: int) -> list[tuple[int, Any]]:
    simulator = DensitySimulator(n)
    simulator.rho = rho
    if isinstance(op, Gate):
        simulator.gates(pack(n, [(op, qubits, args)]))
    elif op.name == "channel":
        simulator.kraus(args[0].kraus, qubits)
    elif op.name == "reset":
        simulator.reset(qubits[0])
    elif op.name == "measure":
        found = []
        for outcome in (0, 1):
            branch = DensitySimulator(n)
            branch.rho = rho
            branch.project(qubits[0], outcome)
            found.append((clbits & ~(1 << args[0]) | outcome << args[0], branch.rho))
        return found
    elif op.name == "readout":
        return [(bits, share * rho) for bits, share in _misread(args[0].assignment, args[1:], clbits)]
    elif op.name == "if":
        condition, then, otherwise = args
        value = sum((clbits >> bit & 1) << place for place, bit in enumerate(condition.clbits))
        body = then if value == condition.value else otherwise
        return list(_after({clbits: rho}, body, n).items())
    elif op.name == "initialize":
        assert args[0].amplitudes is not None
        vector = args[0].amplitudes
        size = len(vector)
        simulator.kraus([np.outer(vector, np.eye(size)[row]) for row in range(size)], qubits)
    else:
        assert op.name == "barrier", op
    return [(clbits, simulator.rho)]


def _misread(assignment: np.ndarray, clbits: Any, value: int) -> list[tuple[int, float]]:
    true = sum((value >> bit & 1) << place for place, bit in enumerate(clbits))
    found = []
    for read in product((0, 1), repeat=len(clbits)):
        number, bits = sum(bit << place for place, bit in enumerate(read)), value
        for place, clbit in enumerate(clbits):
            bits = bits & ~(1 << clbit) | read[place] << clbit
        found.append((bits, float(assignment[number, true])))
    return found
