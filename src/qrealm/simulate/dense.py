"""Exact answers for circuits of a few qubits in plain NumPy: what `verify` holds every backend against.

It multiplies the matrices of the gate table one after the other, and shares no code with any backend: neither
lowering nor packing, fusion, kernels or sampling.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import NotUnitaryError
from qrealm.circuits import Circuit
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.matrices import ComplexMatrix, pauli_string
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    IF,
    INITIALIZE,
    MEASURE,
    READOUT,
    RESET,
    Instruction,
    State,
)

QUBITS_MAX = 12
"""Largest circuit of gates alone; a state of 2^12 amplitudes is multiplied in microseconds."""

MIXED_QUBITS_MAX = 6
"""Largest circuit with noise, measurements half-way or conditions: a density matrix per outcome so far."""

_P0, _P1 = np.diag([1.0, 0.0]).astype(complex), np.diag([0.0, 1.0]).astype(complex)
_LOWER = np.array([[0, 1], [0, 0]], dtype=complex)


def final_state(circuit: Circuit) -> NDArray[np.complex128]:
    """The state before the final measurements, shape (2^n,).

    Raises:
        NotUnitaryError: noise, or something decided half-way.
    """
    state = np.zeros(1 << circuit.num_qubits, dtype=np.complex128)
    state[0] = np.exp(1j * float(circuit.global_phase))
    for op, qubits, args in circuit:
        if op in (BARRIER, MEASURE, READOUT):
            continue
        if not isinstance(op, Gate):
            raise NotUnitaryError(f"a state vector has no {op.name} in it")
        state = _applied(_matrix(op, qubits, args), qubits, state, circuit.num_qubits)
    return state


def outcome_probabilities(circuit: Circuit) -> dict[int, float]:
    """Probability of each outcome: of the classical bits, or of all qubits when the circuit measures nothing.

    Faulty readout counts as it is read.
    """
    worlds = _walked(circuit)
    if _measures(circuit.instructions):
        return {bits: float(np.trace(rho).real) for bits, rho in worlds.items()}
    diagonal = sum(np.diagonal(rho).real for rho in worlds.values())
    return {index: float(value) for index, value in enumerate(np.asarray(diagonal)) if value > 0}


def mixed_state(circuit: Circuit) -> NDArray[np.complex128]:
    """The density matrix at the end, averaged over all outcomes, final measurements left out."""
    last = circuit.terminal_measurements
    instructions = [
        each for each in circuit.instructions if last is None or each[0] not in (MEASURE, READOUT)
    ]
    worlds = _run(instructions, circuit.num_qubits, {0: _start(circuit.num_qubits)})
    return np.asarray(sum(worlds.values()))


def pauli_value(state: NDArray[np.complex128], letters: str) -> float:
    """The value of a Pauli string on a state vector or a density matrix; letter i acts on qubit i."""
    num_qubits = len(state).bit_length() - 1
    chosen = [q for q, letter in enumerate(letters) if letter != "I"]
    matrix = pauli_string("".join(letters[q] for q in chosen))
    if state.ndim == 1:
        return float(np.vdot(state, _applied(matrix, chosen, state, num_qubits)).real)
    return float(np.trace(_applied(matrix, chosen, state, num_qubits)).real)


def _start(num_qubits: int) -> NDArray[np.complex128]:
    rho = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=np.complex128)
    rho[0, 0] = 1
    return rho


_Worlds = dict[int, NDArray[np.complex128]]
"""For each value of the classical bits so far: the density matrix, its trace the probability."""


def _walked(circuit: Circuit) -> _Worlds:
    return _run(circuit.instructions, circuit.num_qubits, {0: _start(circuit.num_qubits)})


def _run(instructions: Sequence[Instruction], num_qubits: int, worlds: _Worlds) -> _Worlds:
    for op, qubits, args in instructions:
        if isinstance(op, Gate):
            worlds = _each(worlds, [_matrix(op, qubits, args)], qubits, num_qubits)
        elif op is CHANNEL:
            worlds = _each(worlds, list(args[0].kraus), qubits, num_qubits)
        elif op is RESET:
            worlds = _each(worlds, [_P0, _LOWER], qubits, num_qubits)
        elif op is INITIALIZE:
            for qubit in qubits:
                worlds = _each(worlds, [_P0, _LOWER], (qubit,), num_qubits)
            worlds = _each(worlds, [_preparing(args[0])], qubits, num_qubits)
        elif op is MEASURE:
            worlds = _measured(worlds, qubits[0], args[0], num_qubits)
        elif op is READOUT:
            worlds = _misread(worlds, args[0].assignment, args[1:])
        elif op is IF:
            worlds = _branched(worlds, args, num_qubits)
    return worlds


def _measured(worlds: _Worlds, qubit: int, clbit: int, num_qubits: int) -> _Worlds:
    found: _Worlds = {}
    for bits, rho in worlds.items():
        for value, projector in enumerate((_P0, _P1)):
            part = _evolved([projector], (qubit,), rho, num_qubits)
            _add(found, bits & ~(1 << clbit) | value << clbit, part)
    return found


def _misread(worlds: _Worlds, assignment: NDArray[np.float64], clbits: Sequence[int]) -> _Worlds:
    found: _Worlds = {}
    for bits, rho in worlds.items():
        true = sum((bits >> bit & 1) << place for place, bit in enumerate(clbits))
        for read in range(1 << len(clbits)):
            kept = bits & ~sum(1 << bit for bit in clbits)
            told = kept | sum((read >> place & 1) << bit for place, bit in enumerate(clbits))
            _add(found, told, assignment[read, true] * rho)
    return found


def _branched(worlds: _Worlds, args: tuple[object, ...], num_qubits: int) -> _Worlds:
    condition, body, otherwise = args
    found: _Worlds = {}
    for bits, rho in worlds.items():
        value = sum((bits >> bit & 1) << place for place, bit in enumerate(condition.clbits))  # type: ignore[attr-defined]
        chosen = body if value == condition.value else otherwise  # type: ignore[attr-defined]
        for told, part in _run(chosen, num_qubits, {bits: rho}).items():  # type: ignore[arg-type]
            _add(found, told, part)
    return found


def _add(worlds: _Worlds, bits: int, rho: NDArray[np.complex128]) -> None:
    if np.trace(rho).real > 1e-15:
        worlds[bits] = worlds[bits] + rho if bits in worlds else rho


def _each(worlds: _Worlds, kraus: Sequence[ComplexMatrix], qubits: Sequence[int], num_qubits: int) -> _Worlds:
    return {bits: _evolved(kraus, qubits, rho, num_qubits) for bits, rho in worlds.items()}


def _evolved(
    kraus: Sequence[ComplexMatrix], qubits: Sequence[int], rho: NDArray[np.complex128], num_qubits: int
) -> NDArray[np.complex128]:
    """The sum of K rho K†."""
    total = np.zeros_like(rho)
    for operator in kraus:
        half = _applied(operator, qubits, rho, num_qubits)
        total += _applied(operator, qubits, half.conj().T, num_qubits).conj().T
    return total


def _matrix(op: Gate, qubits: Sequence[int], args: Sequence[object]) -> ComplexMatrix:
    controls = len(qubits) - (args[0].num_qubits if op is UNITARY else op.targets)  # type: ignore[attr-defined]
    return op.full_matrix(args, controls)  # type: ignore[arg-type]


def _preparing(state: State) -> ComplexMatrix:
    """|state><0|."""
    amplitudes = state.amplitudes
    if amplitudes is None:
        amplitudes = np.zeros(1 << state.num_qubits, dtype=np.complex128)
        amplitudes[int(state.bits or "0", 2)] = 1
    matrix = np.zeros((len(amplitudes), len(amplitudes)), dtype=np.complex128)
    matrix[:, 0] = amplitudes
    return matrix


def _applied(
    matrix: ComplexMatrix, qubits: Sequence[int], array: NDArray[np.complex128], num_qubits: int
) -> NDArray[np.complex128]:
    """A matrix on some qubits of the first index of an array; the first qubit is the matrix's lowest bit."""
    if not qubits:
        return np.asarray(matrix[0, 0] * array)
    count = len(qubits)
    axes = [num_qubits - 1 - qubit for qubit in reversed(qubits)]
    tensor = array.reshape((2,) * num_qubits + array.shape[1:])
    blocks = matrix.reshape((2,) * (2 * count))
    moved = np.tensordot(blocks, tensor, axes=(range(count, 2 * count), axes))
    return np.moveaxis(moved, range(count), axes).reshape(array.shape)


def _measures(instructions: Sequence[Instruction]) -> bool:
    return any(
        op is MEASURE or (op is IF and (_measures(args[1]) or _measures(args[2])))
        for op, _, args in instructions
    )
