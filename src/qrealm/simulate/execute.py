"""Carries out one checked request: the straight way for gates then measurements, by branches for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qrealm.base import limits
from qrealm.base.errors import NotUnitaryError, RequestError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.circuits.operations import MEASURE
from qrealm.circuits.pack import PackedCircuit
from qrealm.circuits.types import Measurement
from qrealm.simulate import bits
from qrealm.simulate.backends.devices import is_on_device
from qrealm.simulate.backends.protocol import (
    Backend,
    Found,
    Program,
    State,
    SteeredBackend,
    WholeBackend,
    is_steered,
)
from qrealm.simulate.bits import BitLayout, Outcomes
from qrealm.simulate.branching import BranchWalk, Leaf, branch_points, measures, prepares
from qrealm.simulate.leaves import LeafAverages, check_single_state
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.misread import FAULTLESS, Detector, detector_of, misread
from qrealm.simulate.observables import exact_values, sampled_values
from qrealm.simulate.plan.choose import choose, too_many_qubits
from qrealm.simulate.plan.types import Choice, CircuitShape, Plan, Precision, Request
from qrealm.simulate.request import RunRequest
from qrealm.simulate.results import Provenance, Result

_NO_OUTCOMES = np.zeros(0, dtype=np.uint64)
_NO_DRAWS = np.zeros(0, dtype=np.int64)
_UNCHECKED_QUBITS = (limits.MEMORY_UNCHECKED_BYTES // Precision.DOUBLE.amplitude_bytes).bit_length() - 1
_WORD_BITS = 64


def execute(circuit: Circuit, request: RunRequest, backend: Backend, choice: Choice | None = None) -> Result:
    """Run one circuit whose parameters are all bound; `choice` tells how AUTO came to the backend.

    Raises:
        TooLargeError, RequestError, QubitError, ParameterError: see `run`.
    """
    started = perf_counter()
    return finish(circuit, request, find_on(circuit, request, backend), started, choice)


def find_on(circuit: Circuit, request: RunRequest, backend: Backend) -> Found:
    """What a backend finds, before the detector's errors. Raises as `execute`."""
    if not is_steered(backend):
        return cast(WholeBackend, backend).run(circuit, request)
    if is_on_device(backend):
        there = backend.configured(request.options)
        found = _steer(circuit, request, there)
        return replace(
            found,
            details={**found.details, **there.details()},
            warnings=found.warnings + there.warnings(),
        )
    return _steer(circuit, request, backend)


def _steer(circuit: Circuit, request: RunRequest, backend: SteeredBackend) -> Found:
    """The straight way where the circuit is one piece, else by branches."""
    packed = packed_or_none(circuit)
    if packed is not None:
        return _found_packed(circuit, packed, request, backend)
    return _execute_branches(circuit, request, backend)


def packed_or_none(circuit: Circuit) -> PackedCircuit | None:
    """The whole circuit for one call of the kernel; None when it has to be walked segment by segment."""
    if circuit.terminal_measurements is None:
        return None
    try:
        return circuit.packed()
    except NotUnitaryError:  # a preparation too wide for one matrix, or noise
        return None


def execute_packed(
    circuit: Circuit,
    packed: PackedCircuit,
    request: RunRequest,
    backend: SteeredBackend,
    started: float,
    choice: Choice | None = None,
) -> Result:
    """Run gates followed by measurements; `circuit` tells only where the measurements go."""
    return finish(circuit, request, _found_packed(circuit, packed, request, backend), started, choice)


def _found_packed(
    circuit: Circuit, packed: PackedCircuit, request: RunRequest, backend: SteeredBackend
) -> Found:
    find = _from_state if request.planning.exact else _from_counts
    layout = layout_of(circuit)
    detector = detector_of(circuit, layout) if request.sampled else FAULTLESS
    return find(packed, layout, request, backend, detector)


def finish(
    circuit: Circuit, request: RunRequest, found: Found, started: float, choice: Choice | None = None
) -> Result:
    """The result of what was found, the detector's errors in it.

    Args:
        started: when the run began, by `perf_counter`.
        choice: how AUTO came to the backend, for the result's metadata.
    """
    outcomes, draws = found.outcomes, found.draws
    if len(draws) and circuit.num_clbits:
        errors = detector_of(circuit, found.layout).errors
        if errors:
            outcomes, draws = misread(outcomes, draws, errors, found.layout.num_bits, request.seed)
    return Result(
        num_qubits=circuit.num_qubits,
        shots=request.planning.shots,
        layout=found.layout,
        bit_order=request.bit_order,
        outcomes=outcomes,
        draws=draws,
        statevector=found.statevector,
        density_matrix=found.density_matrix,
        amplitudes=found.amplitudes,
        values=found.values,
        errors=found.errors,
        provenance=Provenance(
            found.plan,
            request.seed,
            request.seed_was_given,
            perf_counter() - started,
            found.packed,
            "" if found.packed is not None else circuit.digest,
            found.backend,
            found.branches,
            found.details,
            found.warnings + _inaccurate(found, request.accuracy),
            choice,
        ),
    )


def _inaccurate(found: Found, accuracy: float) -> tuple[str, ...]:
    """A warning where an approximation threw away more than was to be borne."""
    lost = found.details.get("truncation_error")
    if not isinstance(lost, float) or lost <= accuracy:
        return ()
    share = f"{lost:.4g} of the state's weight, and accuracy= allows {accuracy:.2g}"
    return (f"the {found.plan.backend} backend threw away {share}: allow larger bonds, or name another",)


def _from_counts(
    packed: PackedCircuit,
    layout: BitLayout,
    request: RunRequest,
    backend: SteeredBackend,
    detector: Detector,
) -> Found:
    """Gates, then samples only: the backend need not keep the state."""
    planning = request.planning
    plan, program, reserved = plan_counts(packed, planning, backend)
    values: dict[str, float] = {}
    errors: dict[str, float] = {}
    with reserved:
        outcomes, draws = to_clbits(
            *program.counts(planning.shots, request.seed, plan.threads), layout, packed.num_qubits
        )
        if request.sampled:
            values, errors = sampled_values(
                packed, request.observables, backend, plan, planning.shots, request.seed, detector
            )
    return Found(plan, layout, outcomes, draws, values, errors, packed=packed, backend=backend)


def plan_counts(
    packed: PackedCircuit, planning: Request, backend: SteeredBackend
) -> tuple[Plan, Program, Reservation]:
    """Plan and compile a run of which only counts are wanted, and reserve its memory.

    A small run is planned without asking the machine anything. For a large one the compiled program tells how
    many amplitudes it really holds: the backend may keep unentangled qubits apart.

    Raises:
        TooLargeError, QubitError, RequestError: see `choose`.
    """
    num_qubits, card = packed.num_qubits, backend.card
    precision = planning.precision or Precision.SINGLE
    if num_qubits <= _UNCHECKED_QUBITS and planning.shots <= limits.SHOTS_UNCHECKED:
        plan = choose(
            CircuitShape(num_qubits, 1 << num_qubits, 0, 0),
            planning,
            card,
            cores=cores_default(),
            memory_available_bytes=None,
        )
        return plan, backend.compile(packed, precision), NOTHING_RESERVED
    if num_qubits > card.qubits_max:
        raise too_many_qubits(num_qubits, card)
    program = backend.compile(packed, precision)
    amplitudes = program.work(planning.shots).state_bytes // precision.amplitude_bytes
    plan, reserved = _plan_large(CircuitShape(num_qubits, amplitudes, 0, 0), planning, backend)
    return plan, program, reserved


def plan_state(shape: CircuitShape, planning: Request, backend: SteeredBackend) -> tuple[Plan, Reservation]:
    """Plan a run that holds the whole state, and reserve its memory.

    Raises:
        TooLargeError, QubitError, RequestError: see `choose`.
    """
    arrays = 1 + max(shape.state_arrays, int(planning.state_copy))
    if (
        arrays << shape.num_qubits <= 1 << _UNCHECKED_QUBITS
        and planning.shots <= limits.SHOTS_UNCHECKED
        and not shape.branch_points
    ):
        cores = cores_default()
        plan = choose(shape, planning, backend.card, cores=cores, memory_available_bytes=None)
        return plan, NOTHING_RESERVED
    return _plan_large(shape, planning, backend)


def _plan_large(shape: CircuitShape, planning: Request, backend: SteeredBackend) -> tuple[Plan, Reservation]:
    """Plan with what the machine has, and wait until other runs leave enough of it."""
    cores, card = cores_default(), backend.card
    ledger, free_bytes = LEDGER, memory_available_bytes
    if is_on_device(backend):
        ledger, free_bytes = backend.ledger, backend.memory_available_bytes
    return ledger.reserve(
        lambda available: choose(shape, planning, card, cores=cores, memory_available_bytes=available),
        free_bytes,
    )


def layout_of(circuit: Circuit) -> BitLayout:
    """Which bits the outcomes of a circuit have: its classical bits, or all qubits when it measures
    nothing."""
    num_qubits, num_clbits = circuit.num_qubits, circuit.num_clbits
    if num_clbits == 0:
        return _qubit_layout(num_qubits)
    terminal = circuit.terminal_measurements
    if terminal is None:
        segments = circuit.segments()
        if not measures(segments):
            return _qubit_layout(num_qubits)
        last = segments[-1]
        terminal = dict(zip(last.qubits, last.clbits, strict=True)) if isinstance(last, Measurement) else {}
    elif not any(op is MEASURE for op, _, _ in reversed(circuit.instructions)):
        return _qubit_layout(num_qubits)
    return BitLayout(_registers(circuit), tuple(terminal.get(qubit, -1) for qubit in range(num_qubits)))


def to_clbits(
    outcomes: NDArray[np.uint64], draws: NDArray[np.int64], layout: BitLayout, num_qubits: int
) -> tuple[Outcomes, NDArray[np.int64]]:
    """Outcomes of all qubits as outcomes of the classical bits, ascending, equal ones added up."""
    places = layout.bit_of_qubit
    if layout.num_bits == num_qubits and places == _qubit_layout(num_qubits).bit_of_qubit:
        return outcomes, draws
    measured = [qubit for qubit in range(num_qubits) if places[qubit] >= 0]
    picked = bits.gather(outcomes, measured)
    picked, draws = bits.merge_array(picked, draws)
    moved = bits.scatter(picked, [places[qubit] for qubit in measured])
    if layout.num_bits <= _WORD_BITS:
        return bits.merge_array(np.array(moved, dtype=np.uint64), draws)
    return bits.merge(moved, draws.tolist())


@lru_cache(maxsize=256)
def _qubit_layout(num_qubits: int) -> BitLayout:
    return BitLayout((("q", num_qubits),), tuple(range(num_qubits)))


def _registers(circuit: Circuit) -> tuple[tuple[str, int], ...]:
    """(name, size) of each register, and of the bits between them that belong to none, lowest first."""
    rows: list[tuple[str, int]] = []
    position = 0
    for register in circuit.registers:
        if register.start > position:
            rows.append(("", register.start - position))
        rows.append((register.name, register.size))
        position = register.start + register.size
    if position < circuit.num_clbits:
        rows.append(("", circuit.num_clbits - position))
    return tuple(row for row in rows if row[1])


# ---- with a state --------------------------------------------------------------------------------


def _from_state(
    packed: PackedCircuit,
    layout: BitLayout,
    request: RunRequest,
    backend: SteeredBackend,
    detector: Detector,
) -> Found:
    """Gates, then whatever is asked of the state."""
    num_qubits, planning = packed.num_qubits, request.planning
    plan, reserved = plan_state(CircuitShape(num_qubits, 1 << num_qubits, 0, 0), planning, backend)
    outcomes: Outcomes = _NO_OUTCOMES
    draws = _NO_DRAWS
    errors: dict[str, float] = {}
    with reserved:
        program = backend.compile(packed, plan.precision)
        state = backend.start(num_qubits, plan.precision)
        state.apply(program, plan.threads)
        if planning.shots:
            drawn, how_often = np.unique(
                state.sample(planning.shots, request.seed, plan.threads), return_counts=True
            )
            outcomes, draws = to_clbits(drawn, how_often.astype(np.int64), layout, num_qubits)
        amplitudes = _chosen_amplitudes(state, request.amplitudes)
        array = state.to_array(plan.threads) if planning.state_copy else None
        if request.sampled:
            del state  # every measured basis makes one of its own
            values, errors = sampled_values(
                packed, request.observables, backend, plan, planning.shots, request.seed, detector
            )
        else:
            values = exact_values(state, request.observables, plan.threads)
            del state
    return Found(
        plan, layout, outcomes, draws, values, errors, amplitudes, array, packed=packed, backend=backend
    )


def _chosen_amplitudes(state: State, indices: Sequence[int]) -> dict[int, complex]:
    if not indices:
        return {}
    found = state.amplitudes(np.array(indices, dtype=np.uint64))
    return dict(zip(indices, found.tolist(), strict=True))


# ---- by branches ---------------------------------------------------------------------------------


def shape_of_branches(circuit: Circuit) -> CircuitShape:
    """What planning must know of a circuit that is walked segment by segment."""
    segments = circuit.segments()
    return CircuitShape(
        circuit.num_qubits, 1 << circuit.num_qubits, branch_points(segments), 2 if prepares(segments) else 0
    )


def _execute_branches(circuit: Circuit, request: RunRequest, backend: SteeredBackend) -> Found:
    planning = request.planning
    if request.sampled:
        raise RequestError(
            "sampled=True needs a circuit whose measurements all come last",
            hint="leave it out: with measurements half-way the values are averaged over the shots' "
            "branches, with standard errors",
        )
    if circuit.num_qubits > backend.card.qubits_max:
        raise too_many_qubits(circuit.num_qubits, backend.card)
    plan, reserved = plan_state(shape_of_branches(circuit), planning, backend)
    layout = layout_of(circuit)
    walk = BranchWalk(circuit, backend, plan, planning.shots, np.random.default_rng(request.seed))
    gathered = _Gathered(circuit, request, plan, walk)
    with reserved:
        walk.walk(gathered.visit)
    outcomes, draws = bits.merge(gathered.outcomes, gathered.draws)
    values, errors = gathered.averages.found()
    return Found(
        plan,
        layout,
        outcomes,
        draws,
        values,
        errors,
        gathered.amplitudes,
        gathered.array,
        branches=walk.leaves,
    )


class _Gathered:
    """What the leaves of a walk add up to."""

    def __init__(self, circuit: Circuit, request: RunRequest, plan: Plan, walk: BranchWalk) -> None:
        self._request = request
        self._threads = plan.threads
        self._walk = walk
        self._measured = measures(circuit.segments())
        self.outcomes: list[int] = []
        self.draws: list[int] = []
        self.amplitudes: dict[int, complex] = {}
        self.array: NDArray[np.complex128] | NDArray[np.complex64] | None = None
        self.averages = LeafAverages(request.observables, request.planning.shots)

    def visit(self, leaf: Leaf) -> None:
        """Add one leaf."""
        planning = self._request.planning
        if planning.state_copy or self._request.amplitudes:
            self._keep_state(leaf)
        values = exact_values(leaf.state, self._request.observables, self._threads)
        self.averages.add(leaf.share, values)
        if leaf.shots:
            self._sample(leaf)

    def _keep_state(self, leaf: Leaf) -> None:
        check_single_state(self._walk.leaves)
        self.amplitudes = _chosen_amplitudes(leaf.state, self._request.amplitudes)
        if self._request.planning.state_copy:
            self.array = leaf.state.to_array(self._threads)

    def _sample(self, leaf: Leaf) -> None:
        if self._measured and leaf.final is None:
            self.outcomes.append(leaf.clbits)
            self.draws.append(leaf.shots)
            return
        seed = self._walk.draw_seed()
        drawn, how_often = np.unique(leaf.state.sample(leaf.shots, seed, self._threads), return_counts=True)
        if leaf.final is not None:
            picked = bits.gather(drawn, leaf.final.qubits)
            drawn, how_often = bits.merge_array(picked, how_often.astype(np.int64))
            kept = leaf.clbits & ~sum(1 << bit for bit in leaf.final.clbits)
            self.outcomes += [kept | moved for moved in bits.scatter(drawn, leaf.final.clbits)]
        else:
            self.outcomes += drawn.tolist()
        self.draws += how_often.tolist()
