"""Exact probabilities of a circuit's classical bits: every outcome of every measurement is followed.

By the reference simulator, gate by gate; for circuits with measurements half-way, resets and conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import BARRIER, IF, INITIALIZE, MEASURE, RESET, Instruction
from qrealm.circuits.pack import pack
from reference.dense import DenseSimulator

State = NDArray[np.complex128]
Branch = tuple[State, int]
"""An unnormalised state and the classical bits as an integer."""

SMALL = 1e-13


def outcomes(circuit: Circuit) -> dict[int, float]:
    """Classical bits as an integer -> probability."""
    start = np.zeros(1 << circuit.num_qubits, dtype=np.complex128)
    start[0] = 1
    found: dict[int, float] = {}
    for state, bits in _all(circuit.num_qubits, circuit.instructions, (start, 0)):
        found[bits] = found.get(bits, 0.0) + float(np.vdot(state, state).real)
    return {bits: weight for bits, weight in found.items() if weight > SMALL}


def named_outcomes(circuit: Circuit) -> dict[tuple[tuple[str, int], ...], float]:
    """The same with bits sorted into registers: ((name, value), ...) sorted by name -> probability."""
    found = {}
    for bits, weight in outcomes(circuit).items():
        values = [(r.name, bits >> r.start & ((1 << r.size) - 1)) for r in circuit.registers]
        found[tuple(sorted(values))] = weight
    return found


def assert_same_outcomes(a: dict, b: dict) -> None:
    """Two distributions agree to 1e-9."""
    for key in {*a, *b}:
        assert abs(a.get(key, 0.0) - b.get(key, 0.0)) < 1e-9, f"{key}: {a.get(key)} and {b.get(key)}"


def _all(num_qubits: int, instructions: Sequence[Instruction], branch: Branch) -> Iterator[Branch]:
    branches = [branch]
    for instruction in instructions:
        branches = [after for before in branches for after in _one(num_qubits, instruction, before)]
    yield from branches


def _one(num_qubits: int, instruction: Instruction, branch: Branch) -> Iterator[Branch]:
    op, qubits, args = instruction
    state, bits = branch
    if isinstance(op, Gate):
        simulator = DenseSimulator(num_qubits)
        simulator.state = state.copy()
        simulator.apply(pack(num_qubits, [(op, qubits, args)]))
        yield simulator.state, bits
    elif op is MEASURE or op is RESET:
        ones = (np.arange(len(state)) >> qubits[0] & 1).astype(bool)
        for value in (0, 1):
            kept = np.where(ones == bool(value), state, 0)
            if np.vdot(kept, kept).real < SMALL:
                continue
            if op is MEASURE:
                yield kept, bits & ~(1 << args[0]) | value << args[0]
            else:
                yield np.roll(kept, -(1 << qubits[0])) if value else kept, bits
    elif op is IF:
        condition, then, otherwise = args
        value = sum((bits >> clbit & 1) << i for i, clbit in enumerate(condition.clbits))
        yield from _all(num_qubits, then if value == condition.value else otherwise, branch)
    elif op is INITIALIZE:
        assert args[0].bits is not None, "states by their amplitudes are compared by matrices"
        resets = [(RESET, (q,), ()) for q in qubits]
        ones_of = [q for q, bit in zip(qubits, reversed(args[0].bits), strict=True) if bit == "1"]
        turned = Circuit(num_qubits).x(ones_of).instructions
        yield from _all(num_qubits, [*resets, *turned], branch)
    else:
        assert op is BARRIER, op
        yield branch
