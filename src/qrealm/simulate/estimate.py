"""What a run would take, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qrealm.base import limits
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit, read
from qrealm.circuits.circuit import check_bound
from qrealm.circuits.noise.model import checked_model
from qrealm.circuits.operations import BARRIER
from qrealm.circuits.types import Conditional, Segment, UnitarySegment
from qrealm.simulate.backends import BACKENDS, QuantumBackend, backend_named, loaded
from qrealm.simulate.backends.devices import is_on_device
from qrealm.simulate.backends.protocol import SteeredBackend, is_steered
from qrealm.simulate.calibrate import rates
from qrealm.simulate.decide import (
    QUICK,
    comes_apart,
    consider,
    is_unasked,
    machine_rates,
    planner,
    supports,
)
from qrealm.simulate.execute import packed_or_none, shape_of_branches
from qrealm.simulate.part_runs import parts_of
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.choose import fits, plan_unchecked, qubits_max, threads_for
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import (
    BackendCard,
    Choice,
    CircuitShape,
    Considered,
    Estimate,
    Plan,
    Precision,
    Request,
    Traits,
    Work,
)
from qrealm.simulate.refusals import check_named
from qrealm.simulate.request import ACCURACY_DEFAULT, Observables, RunRequest, check_shots, make_request

if TYPE_CHECKING:
    from qrealm.circuits.noise import NoiseModel


def estimate(
    circuit: Any,
    precision: str | Precision = "auto",
    threads: int | None = None,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    return_statevector: bool = False,
    observables: Observables | None = None,
    backend: str | QuantumBackend | None = None,
    noise: NoiseModel | None = None,
    sampled: bool = False,
    accuracy: float = ACCURACY_DEFAULT,
) -> Estimate:
    """Memory and time of a run, and whether it fits; nothing of the state is allocated.

    The time comes from a cost model whose constants are measured on this machine at first use, in about
    half a second (a slow machine stops after a second), and kept in the user's cache folder.

    Args:
        circuit: a `Circuit`, or anything that `qrealm.read` takes.
        precision, threads, shots, return_statevector, observables, backend, noise, sampled, accuracy: as for
            `run`.

    Raises:
        BackendRefusalError: the named backend cannot run it.
        QubitError: more qubits than the backend can number.
        ParameterError: a parameter is not bound yet.
        RequestError, ReadError, CircuitError: as `run`.
    """
    if not isinstance(circuit, Circuit):
        circuit = read(circuit)
    if noise is not None:
        circuit = checked_model(noise).apply(circuit)
    check_bound(circuit)
    number = check_shots(shots)
    request = make_request(
        circuit.num_qubits,
        shots=number,
        seed=0,
        precision=precision,
        threads=threads,
        return_statevector=return_statevector,
        observables=observables,
        amplitudes=None,
        sampled=sampled,
        bit_order="little",
        backend=backend_named(backend),
        accuracy=accuracy,
    )
    facts = traits(circuit, supports(request))
    if request.backend is QuantumBackend.AUTO and comes_apart(facts):
        if not is_unasked(circuit, request, planner(circuit, request)):
            return _of_parts(circuit, request)
    return _of_whole(circuit, request, facts)


def _of_parts(circuit: Circuit, request: RunRequest) -> Estimate:
    """The parts that the observables depend on, one after the other: the account of the widest, the time of
    all."""
    found: list[Estimate] = []
    for cone, asked in parts_of(circuit, request):
        part = cone.circuit()
        found.append(_of_whole(part, asked, traits(part, supports(asked))))
    widest = max(found, key=lambda each: each.num_qubits)
    largest = max(found, key=lambda each: each.memory_bytes)
    told = (
        f"the observables depend on at most {widest.num_qubits} qubits at a time: {len(found)} runs of parts"
    )
    return replace(
        widest,
        num_qubits=circuit.num_qubits,
        gates=_gates(circuit),
        depth=circuit.depth(),
        memory_bytes=largest.memory_bytes,
        fits=all(each.fits for each in found),
        seconds=sum(each.seconds for each in found),
        reasons=(told, *widest.reasons),
    )


def _of_whole(circuit: Circuit, request: RunRequest, facts: Traits) -> Estimate:
    """The circuit in one run."""
    name = request.backend
    # Kept when nothing fits too: it tells why each backend cannot.
    considered, choice = _chosen(circuit, facts, request) if name is QuantumBackend.AUTO else ((), None)
    if choice is not None:
        name = QuantumBackend(choice.name)
    elif name is QuantumBackend.AUTO:
        name = QuantumBackend.STATEVECTOR
    check_named(BACKENDS[name].card, facts, request)
    engine = loaded(name)
    if is_on_device(engine):
        engine = engine.configured(request.options)
    if is_steered(engine):
        found = _of_steered(circuit, request.planning, engine)
    else:
        found = _of_card(circuit, request, facts, engine.card)
    told = (choice.why,) if choice is not None else ()
    return replace(found, reasons=told + found.reasons, considered=considered)


def _chosen(
    circuit: Circuit, facts: Traits, request: RunRequest
) -> tuple[tuple[Considered, ...], Choice | None]:
    """(what every backend would take, the one that a run takes first; what a run would begin on)."""
    planned = planner(circuit, request)
    considered = consider(facts, request, planned)
    if not is_unasked(circuit, request, planned):
        return considered, auto.chosen(considered)
    return tuple(sorted(considered, key=lambda each: each.name != QUICK.name)), QUICK


def _of_card(circuit: Circuit, request: RunRequest, facts: Traits, card: BackendCard) -> Estimate:
    """What a backend's card tells."""
    available = memory_available_bytes()
    planning = request.planning
    precision = planning.precision or card.precisions[-1]
    cost = card.cost(facts, request.wants, machine_rates(request))
    return Estimate(
        card.name,
        precision,
        threads_for(circuit.num_qubits, planning.threads, cores_default()),
        circuit.num_qubits,
        _gates(circuit),
        circuit.depth(),
        cost.memory_bytes,
        available,
        fits(cost.memory_bytes, available),
        cost.seconds,
        qubits_max(precision, card, available),
        (f"an error of about {cost.error:.1g} is expected",) if cost.error else (),
    )


def _of_steered(circuit: Circuit, request: Request, engine: SteeredBackend) -> Estimate:
    """What a compiled program tells."""
    available = engine.memory_available_bytes() if is_on_device(engine) else memory_available_bytes()
    shape = _shape(circuit, request, engine)
    plan = plan_unchecked(
        shape, request, engine.card, cores=cores_default(), memory_available_bytes=available
    )
    work, branches = _work(circuit, plan, request.shots, engine)
    assert engine.card.seconds is not None  # steered backends tell their work
    seconds = engine.card.seconds(work, rates(engine, plan.precision, plan.threads))
    reasons = plan.reasons
    if not work.stages and plan.state_bytes > limits.MEMORY_UNCHECKED_BYTES:
        reasons += ("too large to plan in detail: the time is a lower bound, one pass over the state",)
    if branches > 1:
        reasons += (
            f"the time is an upper bound: at most {branches} outcomes of the measurements half-way are run",
        )
    return Estimate(
        engine.card.name,
        plan.precision,
        plan.threads,
        circuit.num_qubits,
        _gates(circuit),
        circuit.depth(),
        plan.memory_bytes,
        available,
        fits(plan.memory_bytes, available),
        seconds,
        qubits_max(plan.precision, engine.card, available),
        reasons,
    )


def _gates(circuit: Circuit) -> int:
    return sum(op is not BARRIER for op, _, _ in circuit)


def _shape(circuit: Circuit, request: Request, engine: SteeredBackend) -> CircuitShape:
    packed = packed_or_none(circuit)
    if packed is None:
        return shape_of_branches(circuit)
    amplitudes = 1 << circuit.num_qubits
    if not request.exact and 1 <= circuit.num_qubits <= engine.card.qubits_max:
        precision = request.precision or Precision.SINGLE
        amplitudes = engine.compile(packed, precision).work(0).state_bytes // precision.amplitude_bytes
    return CircuitShape(circuit.num_qubits, amplitudes, 0, 0)


def _work(circuit: Circuit, plan: Plan, shots: int, engine: SteeredBackend) -> tuple[Work, int]:
    """(work of the whole run, branches it may take)."""
    packed = packed_or_none(circuit)
    if packed is not None:
        work = engine.compile(packed, plan.precision).work(shots)
        # Every amplitude that is held is written once and read once, whatever the gates are.
        return replace(work, moved_bytes=max(work.moved_bytes, 2 * plan.state_bytes)), 1
    segments = circuit.segments()
    parts = [engine.compile(each.packed, plan.precision).work(0) for each in _unitary(segments)]
    points = shape_of_branches(circuit).branch_points
    branches = max(1, min(shots, 1 << min(points, 40)))
    # Deciding a branch point reads the state for the probabilities and rewrites it for the collapse.
    steering = 3 * points * plan.state_bytes
    return Work(
        plan.state_bytes,
        sum(part.stages for part in parts) * branches,
        (sum(part.moved_bytes for part in parts) + steering) * branches,
        sum(part.flops for part in parts) * branches,
        sum(part.gates for part in parts) * branches,
        shots,
    ), branches


def _unitary(segments: tuple[Segment, ...]) -> list[UnitarySegment]:
    found: list[UnitarySegment] = []
    for each in segments:
        if isinstance(each, UnitarySegment):
            found.append(each)
        elif isinstance(each, Conditional):
            found += _unitary(each.segments) + _unitary(each.otherwise)
    return found
