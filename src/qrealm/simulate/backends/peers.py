"""What the backends share that carry a circuit to another simulator, for comparison."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from qrealm.base import limits
from qrealm.base.errors import BackendRefusalError, RequestError, WriteError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.circuits.operations import BARRIER, DELAYS, IF, MEASURE, READOUT, RESET, Instruction
from qrealm.circuits.segments import split_readout
from qrealm.circuits.transform import rebuilt
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.bits import BitLayout, Outcomes
from qrealm.simulate.execute import layout_of, to_clbits
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import choose
from qrealm.simulate.plan.traits import certain
from qrealm.simulate.plan.types import BackendCard, CircuitShape, Plan, Precision
from qrealm.simulate.request import RunRequest

Amplitudes = NDArray[np.complex128] | NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the other simulator said of a circuit whose measurements all come last.

    Attributes:
        outcomes: basis indices of all qubits, one for each shot; empty when none was drawn.
        statevector: shape (2^n,), qubit q on bit q of an index; None when it was not asked for.
        density_matrix: shape (2^n, 2^n), the same.
    """

    outcomes: NDArray[np.uint64]
    statevector: Amplitudes | None = None
    density_matrix: Amplitudes | None = None


def plan(
    circuit: Circuit, request: RunRequest, card: BackendCard, *, mixed: bool, arrays: int
) -> tuple[Plan, Reservation]:
    """Plan a run and reserve its memory.

    Args:
        mixed: whether the other simulator holds a density matrix.
        arrays: whole states that it holds besides the first.

    Raises:
        TooLargeError, QubitError, RequestError: see `choose`.
    """
    width = circuit.num_qubits * (2 if mixed else 1)
    shape = CircuitShape(circuit.num_qubits, (1 + arrays) << width, 0, 0)
    card = replace(card, index_bits=2 if mixed else 1, states=1 + arrays)

    def plan_for(available: int | None) -> Plan:
        made = choose(shape, request.planning, card, cores=cores_default(), memory_available_bytes=available)
        return replace(
            made,
            state_bytes=made.state_bytes // (1 + arrays),
            reasons=(*made.reasons, f"carried to {card.summary}"),
        )

    held = Precision.DOUBLE.amplitude_bytes * shape.amplitudes
    if held + request.planning.shots * limits.SHOT_BYTES <= limits.MEMORY_UNCHECKED_BYTES:
        return plan_for(None), NOTHING_RESERVED
    return LEDGER.reserve(plan_for, memory_available_bytes)


def written(write: Callable[[Circuit], Any], circuit: Circuit, name: str) -> Any:
    """A circuit as another framework has it.

    Raises:
        BackendRefusalError: it cannot be written so.
    """
    try:
        return write(circuit)
    except WriteError as problem:
        raise BackendRefusalError(
            f"the {name} backend cannot run this circuit: {problem.message}", hint=problem.hint
        ) from problem


def without_final_readout(circuit: Circuit) -> Circuit:
    """The circuit without the detector's errors that the caller applies to the finished counts."""
    kept, _ = split_readout(circuit.instructions)
    return rebuilt(circuit, kept)


def gates_of(circuit: Circuit) -> Circuit:
    """The circuit without measurements, readout errors and barriers, nor resets of qubits that nothing was
    done to: not every simulator has a reset."""
    left_out = (MEASURE, READOUT, BARRIER, *DELAYS)
    kept: list[Instruction] = []
    touched: set[int] = set()
    for op, qubits, args in circuit.instructions:
        if op in left_out or (op is RESET and touched.isdisjoint(qubits)):
            continue
        touched.update(qubits)
        kept.append((op, qubits, args))
    return rebuilt(circuit, kept)


def single_assignment(circuit: Circuit) -> tuple[Circuit, dict[int, int]]:
    """The circuit with a classical bit of its own for each measurement, conditions moved along.

    Conditions that only look at bits that nothing has measured yet are decided here: such bits are 0. A
    measurement inside a condition that is not decided so has no single value; cards refuse it.

    Returns:
        (circuit, for each old bit the new one that has its final value).
    """
    newest: dict[int, int] = {}
    count = itertools.count()
    instructions = _renumbered(circuit.instructions, newest, count)
    twin = Circuit(circuit.num_qubits, next(count), global_phase=circuit.global_phase)
    return rebuilt(twin, instructions), newest


def _renumbered(
    instructions: Iterable[Instruction], newest: dict[int, int], count: Iterator[int]
) -> list[Instruction]:
    """Instructions, the measurements numbered by `count`; `newest` is brought up to date."""
    found: list[Instruction] = []
    for op, qubits, args in instructions:
        if op is MEASURE:
            newest[args[0]] = number = next(count)
            found.append((op, qubits, (number,)))
        elif op is IF:
            condition, then, otherwise = args
            holds = certain(condition, newest)
            if holds is not None:
                found += _renumbered(then if holds else otherwise, newest, count)
                continue
            known = [(place, newest[bit]) for place, bit in enumerate(condition.clbits) if bit in newest]
            value = sum((condition.value >> place & 1) << index for index, (place, _) in enumerate(known))
            moved = replace(condition, clbits=tuple(bit for _, bit in known), value=value)
            bodies = (tuple(_renumbered(body, newest, count)) for body in (then, otherwise))
            found.append((op, qubits, (moved, *bodies)))
        else:
            found.append((op, qubits, args))
    return found


def found_at_end(
    circuit: Circuit, request: RunRequest, made: Plan, answer: Answer, details: Mapping[str, object]
) -> Found:
    """What a run found whose measurements all come last."""
    layout = layout_of(circuit)
    drawn, draws = np.unique(answer.outcomes, return_counts=True)
    outcomes, draws = to_clbits(drawn, draws.astype(np.int64), layout, circuit.num_qubits)
    state, rho = answer.statevector, answer.density_matrix
    values: dict[str, float] = {}
    for name, observable in request.observables if not request.sampled else ():
        strings = observable.strings()
        values[name] = float(
            sum(
                c * (_of_matrix(rho, x, z) if state is None else _of_vector(state, x, z))
                for x, z, c in strings
            )
        )
    amplitudes = {index: complex(state[index]) for index in request.amplitudes} if state is not None else {}
    return Found(
        made,
        layout,
        outcomes,
        draws,
        values,
        dict.fromkeys(values, 0.0),
        amplitudes,
        state if request.planning.state_copy else None,
        rho if request.density_matrix else None,
        details=details,
    )


def found_by_shots(
    circuit: Circuit, made: Plan, outcomes: Sequence[int], details: Mapping[str, object]
) -> Found:
    """What a run found that measured half-way: an outcome of the classical bits for each shot (of the qubits
    where the circuit measures nothing)."""
    distinct, draws = np.unique(np.array(outcomes, dtype=object), return_counts=True)
    layout: BitLayout = layout_of(circuit)
    told: Outcomes = [int(value) for value in distinct]
    if layout.num_bits <= 64:
        told = np.array(told, dtype=np.uint64)
    return Found(made, layout, told, draws.astype(np.int64), details=details)


def only_counts(request: RunRequest, name: str) -> None:
    """Refuse exact values of a circuit that measures half-way."""
    if request.planning.exact or request.density_matrix:
        raise RequestError(
            f"the {name} backend gives only counts of a circuit that measures half-way",
            hint='ask for shots, or use backend="statevector"',
        )


def as_amplitudes(array: Any, precision: Precision) -> Amplitudes:
    """Another simulator's numbers in the precision of the run."""
    width = np.complex64 if precision is Precision.SINGLE else np.complex128
    return cast(Amplitudes, np.asarray(array, dtype=width))


def with_all_measured(circuit: Circuit) -> tuple[Circuit, dict[int, int]]:
    """The circuit with all qubits measured at its end, and the bit of each."""
    twin = Circuit(circuit.num_qubits, circuit.num_qubits, global_phase=circuit.global_phase)
    ends = [(MEASURE, (qubit,), (qubit,)) for qubit in range(circuit.num_qubits)]
    return rebuilt(twin, [*circuit.instructions, *ends]), {
        qubit: qubit for qubit in range(circuit.num_qubits)
    }


def numbers_of_rows(table: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows of bits, the lowest first, as integers; at most 64 columns."""
    found = np.zeros(len(table), dtype=np.uint64)
    for place, column in enumerate(table.T):
        found |= column.astype(np.uint64) << np.uint64(place)
    return found


def small_seed(seed: int) -> int:
    """A seed of 31 bits, which every simulator takes, made of all 64."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]) >> 1


def _of_vector(state: Amplitudes, x: int, z: int) -> float:
    """<state| P |state> with P|b> = i^|xz| (-1)^|bz| |b ^ x>."""
    index = np.arange(len(state))
    total = np.sum(state[index ^ x].conj() * state * _signs(index, z), dtype=np.complex128)
    return float((total * 1j ** ((x & z).bit_count() % 4)).real)


def _of_matrix(rho: Amplitudes | None, x: int, z: int) -> float:
    """Tr(P rho): the sum over b of i^|xz| (-1)^|bz| rho[b, b ^ x]."""
    assert rho is not None  # exact values were asked for, so one of the two was fetched
    index = np.arange(len(rho))
    total = np.sum(rho[index, index ^ x] * _signs(index, z), dtype=np.complex128)
    return float((total * 1j ** ((x & z).bit_count() % 4)).real)


def _signs(index: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    shared = index & mask
    for shift in (32, 16, 8, 4, 2, 1):
        shared ^= shared >> shift
    return np.asarray(1.0 - 2.0 * (shared & 1), dtype=np.float64)
