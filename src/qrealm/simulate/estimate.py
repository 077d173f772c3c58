"""What a run would take, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qrealm.base import limits
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit, read
from qrealm.circuits.operations import BARRIER
from qrealm.circuits.types import Conditional, Segment, UnitarySegment
from qrealm.simulate.backends import QuantumBackend, backend_named, loaded
from qrealm.simulate.backends.protocol import Backend
from qrealm.simulate.calibrate import rates
from qrealm.simulate.execute import packed_or_none, shape_of_branches
from qrealm.simulate.plan.choose import fits, plan_unchecked, qubits_max
from qrealm.simulate.plan.types import CircuitShape, Estimate, Plan, Precision, Request, Work
from qrealm.simulate.request import check_precision, check_shots, check_threads


def estimate(
    circuit: Any,
    precision: str | Precision = "auto",
    threads: int | None = None,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    return_statevector: bool = False,
    backend: str | QuantumBackend | None = None,
) -> Estimate:
    """Memory and time of a run, and whether it fits; nothing of the state is allocated.

    The time comes from a cost model whose constants are measured on this machine at first use, in about
    half a second (a slow machine stops after a second), and kept in the user's cache folder.

    Args:
        circuit: a `Circuit`, or anything that `qrealm.read` takes.
        precision, threads, shots, return_statevector, backend: as for `run`.

    Raises:
        QubitError: more qubits than the backend can number.
        RequestError, ReadError, CircuitError: as `run`.
    """
    if not isinstance(circuit, Circuit):
        circuit = read(circuit)
    engine = loaded(backend_named(backend))
    number = check_shots(shots)
    request = Request(
        number, check_precision(precision), check_threads(threads), return_statevector, return_statevector
    )
    available = memory_available_bytes()
    shape = _shape(circuit, request, engine)
    plan = plan_unchecked(
        shape, request, engine.card, cores=cores_default(), memory_available_bytes=available
    )
    work, branches = _work(circuit, plan, number, engine)
    seconds = engine.card.seconds(work, rates(engine, plan.precision, plan.threads))
    reasons = plan.reasons
    if not work.stages and plan.state_bytes > limits.MEMORY_UNCHECKED_BYTES:
        reasons += ("too large to plan in detail: the time is a lower bound, one pass over the state",)
    if branches > 1:
        reasons += (
            f"the time is an upper bound: at most {branches} outcomes of the measurements half-way are run",
        )
    gates = sum(op is not BARRIER for op, _, _ in circuit)
    return Estimate(
        engine.card.name,
        plan.precision,
        plan.threads,
        circuit.num_qubits,
        gates,
        circuit.depth(),
        plan.memory_bytes,
        available,
        fits(plan.memory_bytes, available),
        seconds,
        qubits_max(plan.precision, engine.card, available),
        reasons,
    )


def _shape(circuit: Circuit, request: Request, engine: Backend) -> CircuitShape:
    packed = packed_or_none(circuit)
    if packed is None:
        return shape_of_branches(circuit)
    amplitudes = 1 << circuit.num_qubits
    if not request.exact and 1 <= circuit.num_qubits <= engine.card.qubits_max:
        precision = request.precision or Precision.SINGLE
        amplitudes = engine.compile(packed, precision).work(0).state_bytes // precision.amplitude_bytes
    return CircuitShape(circuit.num_qubits, amplitudes, 0, 0)


def _work(circuit: Circuit, plan: Plan, shots: int, engine: Backend) -> tuple[Work, int]:
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
