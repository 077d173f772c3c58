"""Cuts a circuit into unitary parts and what stands between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Gate, Matrix
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
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
    clbits_of,
)
from qrealm.circuits.pack import GateInstruction, pack
from qrealm.circuits.types import (
    Conditional,
    Initialize,
    Measurement,
    Misread,
    Noise,
    Reset,
    Segment,
    UnitarySegment,
)


def final_measurements(instructions: Sequence[Instruction]) -> dict[int, int] | None:
    """qubit -> classical bit when every measurement is the last thing on its qubit, else None.

    Where two qubits are measured into one bit the later one counts, so the earlier is left out.
    """
    by_clbit: dict[int, int] = {}
    measured: set[int] = set()
    for op, qubits, args in instructions:
        if op is MEASURE:
            if qubits[0] in measured:
                return None
            measured.add(qubits[0])
            by_clbit[args[0]] = qubits[0]
        elif op is IF or (op is not BARRIER and not measured.isdisjoint(qubits)):
            return None
    return {qubit: clbit for clbit, qubit in by_clbit.items()}


def split_readout(instructions: Sequence[Instruction]) -> tuple[list[Instruction], tuple[Misread, ...]]:
    """(what comes before, readout errors that may act on the finished counts).

    A bit that nothing looks at later may as well be misread at the end. Of those that are overwritten nobody
    learns.
    """
    kept: list[Instruction] = []
    final: list[Misread] = []
    looked_at: set[int] = set()
    for instruction in reversed(instructions):
        op, _, args = instruction
        if op is READOUT and looked_at.isdisjoint(args[1:]):
            final.append(Misread(args[0], args[1:]))
            continue
        looked_at.update(clbits_of(op, args))
        kept.append(instruction)
    return kept[::-1], tuple(final[::-1])


def cut(num_qubits: int, instructions: Sequence[Instruction], global_phase: float) -> tuple[Segment, ...]:
    """Segments in the order of execution; final measurements come together at the end, and readout errors
    after which nothing looks at their bits are left out: see `split_readout`.

    Raises:
        ParameterError: a parameter is not bound yet.
    """
    instructions, _ = split_readout(instructions)
    final = final_measurements(instructions)
    cutter = _Cutter(num_qubits, global_phase)
    for instruction in instructions:
        if final is None or instruction[0] not in (MEASURE, READOUT):
            cutter.add(instruction)
    if final:
        cutter.measure(tuple(final), tuple(final.values()))
    return cutter.finish()


def gates_only(num_qubits: int, instructions: Sequence[Instruction]) -> list[GateInstruction] | None:
    """The gates (preparations of fresh qubits too) when only final measurements follow; else None."""
    if final_measurements(instructions) is None:
        return None
    cutter = _Cutter(num_qubits, 0.0)
    for instruction in instructions:
        if instruction[0] is not MEASURE and instruction[0] is not READOUT:
            cutter.add(instruction)
    return None if cutter.segments else cutter.gates


def terminal_map(
    num_qubits: int, instructions: Sequence[Instruction], special: bool
) -> dict[int, int] | None:
    """`Circuit.terminal_measurements`; `special` tells whether there is anything but gates."""
    everything = {qubit: qubit for qubit in range(num_qubits)}
    if not special:
        return everything
    touched: set[int] = set()
    for op, qubits, _ in instructions:
        if op in (RESET, INITIALIZE) and not touched.isdisjoint(qubits):
            return None
        if op is not BARRIER and op is not RESET:
            touched.update(qubits)
    final = final_measurements(instructions)
    return final if final is None else final or everything


def preparation(amplitudes: NDArray[np.complex128]) -> Matrix:
    """A unitary whose first column is `amplitudes` (norm 1): a Householder reflection with a phase."""
    phase = amplitudes[0] / abs(amplitudes[0]) if abs(amplitudes[0]) > 0 else 1.0
    v = -amplitudes / phase  # the reflection that swaps |0> and amplitudes / phase, whose first entry is real
    v[0] += 1.0
    norm = float(np.vdot(v, v).real)
    matrix = np.eye(len(v), dtype=np.complex128)
    if norm > 1e-30:
        matrix -= (2.0 / norm) * np.outer(v, v.conj())
    return Matrix(matrix * phase)


class _Cutter:
    """Collects gates until something else comes."""

    def __init__(self, num_qubits: int, global_phase: float, touched: set[int] | None = None) -> None:
        self.num_qubits = num_qubits
        self.global_phase = global_phase
        self.touched: set[int] = set() if touched is None else touched  # all others are still |0>
        self.gates: list[GateInstruction] = []
        self.segments: list[Segment] = []

    def add(self, instruction: Instruction) -> None:
        op, qubits, args = instruction
        if isinstance(op, Gate):
            self.gates.append((op, qubits, args))
            self.touched.update(qubits)
        elif op is MEASURE:
            self.measure(qubits, args)
        elif op is RESET:
            self.reset(qubits)
        elif op is INITIALIZE:
            self.initialize(qubits, args[0])
        elif op is CHANNEL:
            self.flush()
            self.segments.append(Noise(args[0], qubits))
            self.touched.update(qubits)
        elif op is READOUT:
            self.flush()
            self.segments.append(Misread(args[0], args[1:]))
        elif op is IF:
            self.conditional(args)

    def flush(self) -> None:
        if self.gates or self.global_phase != 0.0:
            self.segments.append(UnitarySegment(pack(self.num_qubits, self.gates, self.global_phase)))
            self.gates, self.global_phase = [], 0.0

    def measure(self, qubits: tuple[int, ...], clbits: tuple[int, ...]) -> None:
        self.flush()
        last = self.segments[-1] if self.segments else None
        if (
            isinstance(last, Measurement)
            and set(last.qubits).isdisjoint(qubits)
            and set(last.clbits).isdisjoint(clbits)
        ):
            self.segments[-1] = Measurement(last.qubits + qubits, last.clbits + clbits)
        else:
            self.segments.append(Measurement(qubits, clbits))

    def reset(self, qubits: tuple[int, ...]) -> None:
        for qubit in qubits:
            if qubit in self.touched:
                self.flush()
                self.segments.append(Reset(qubit))
                self.touched.discard(qubit)

    def initialize(self, qubits: tuple[int, ...], state: State) -> None:
        self.reset(qubits)
        self.touched.update(qubits)
        if state.amplitudes is None:
            bits = state.bits or ""
            self.gates.extend(
                (GATES["x"], (q,), ()) for q, bit in zip(qubits, reversed(bits), strict=True) if bit == "1"
            )
        elif len(qubits) <= MATRIX_QUBITS_MAX:
            self.gates.append((UNITARY, qubits, (preparation(state.amplitudes),)))
        else:
            self.flush()
            self.segments.append(Initialize(qubits, state.amplitudes))

    def conditional(self, args: tuple[object, ...]) -> None:
        condition, body, otherwise = args
        self.flush()
        before = set(self.touched)
        branches = []
        for instructions in (body, otherwise):
            inner = _Cutter(self.num_qubits, 0.0, set(before))
            for instruction in instructions:  # type: ignore[attr-defined]
                inner.add(instruction)
            branches.append(inner.finish())
            self.touched |= inner.touched
        self.segments.append(Conditional(condition.clbits, condition.value, *branches))  # type: ignore[attr-defined]

    def finish(self) -> tuple[Segment, ...]:
        self.flush()
        return tuple(self.segments)
