"""Memory of a density-matrix run, planned before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qrealm.base import limits
from qrealm.base.errors import QubitError, TooLargeError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.base.units import format_gib
from qrealm.simulate.backends.density_matrix.card import CARD
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import fits, qubits_max, threads_for, too_many_qubits
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.request import RunRequest


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run holds at once, in whole states.

    Attributes:
        states: states that must be there together.
        arrays: arrays of a whole state beside them, for a while.
        copies: more states that would save running a branch again.
    """

    states: int
    arrays: int
    copies: int


def plan_run(num_qubits: int, request: RunRequest, needs: Needs) -> tuple[Plan, Reservation]:
    """Plan a run and reserve its memory.

    Raises:
        TooLargeError: it needs more memory than there is.
        QubitError: no qubits, or more than the backend can number.
    """
    if num_qubits < 1:
        raise QubitError("a run needs at least one qubit; the circuit has none")
    if num_qubits > CARD.qubits_max:
        raise too_many_qubits(num_qubits, CARD)
    cores = cores_default()
    small = _plan(num_qubits, request, needs, cores, None)
    if small.memory_bytes - CARD.overhead_bytes <= limits.MEMORY_UNCHECKED_BYTES:
        return small, NOTHING_RESERVED
    return LEDGER.reserve(
        lambda available: _checked(num_qubits, request, needs, cores, available), memory_available_bytes
    )


def _checked(num_qubits: int, request: RunRequest, needs: Needs, cores: int, available: int) -> Plan:
    plan = _plan(num_qubits, request, needs, cores, available)
    if fits(plan.memory_bytes, available):
        return plan
    asked = request.planning.precision
    if plan.precision is Precision.DOUBLE:
        narrow = replace(request, planning=replace(request.planning, precision=Precision.SINGLE))
        single = _plan(num_qubits, narrow, needs, cores, available)
        if fits(single.memory_bytes, available):
            if asked is None:
                reasons = ("single precision, because double does not fit in memory",)
                return replace(single, reasons=reasons)
            raise _too_large(
                num_qubits,
                plan,
                available,
                f'use precision="single": it needs {format_gib(single.memory_bytes)} and fits',
            )
    raise _too_large(num_qubits, plan, available, "")


def _plan(num_qubits: int, request: RunRequest, needs: Needs, cores: int, available: int | None) -> Plan:
    planning = request.planning
    precision = planning.precision_or_default
    state_bytes = precision.amplitude_bytes << 2 * num_qubits
    base_bytes = state_bytes * (needs.states + needs.arrays) + CARD.overhead_bytes
    copies = min(needs.copies, limits.BRANCH_COPIES_MAX)
    if available is not None:
        share = available * limits.BRANCH_COPIES_SHARE_MAX
        room = min(available * limits.MEMORY_SHARE_MAX - base_bytes, share)
        copies = max(0, min(copies, int(room // state_bytes)))
    reasons = [f"{needs.states} density matrices are held at once"] if needs.states > 1 else []
    if needs.copies:
        reasons.append(f"{needs.copies} outcomes are decided half-way; up to {copies} states are kept")
    return Plan(
        CARD.name,
        precision,
        threads_for(2 * num_qubits, planning.threads, cores),
        state_bytes,
        base_bytes + copies * state_bytes,
        copies,
        tuple(reasons),
    )


def _too_large(num_qubits: int, plan: Plan, available: int, advice: str) -> TooLargeError:
    largest = qubits_max(Precision.SINGLE, CARD, available)
    in_double = qubits_max(Precision.DOUBLE, CARD, available)
    hints = [
        *([advice] if advice else []),
        f"use at most {largest} qubits here in single precision ({in_double} in double)",
        "use a machine with more memory",
    ]
    return TooLargeError(
        f"a {plan.precision.value}-precision run of {num_qubits} qubits on the {CARD.name} backend",
        needed_bytes=plan.memory_bytes,
        available_bytes=int(available * limits.MEMORY_SHARE_MAX),
        hint="; or ".join(hints),
    )
