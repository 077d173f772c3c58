"""How many workers a run of trajectories has, and how many shots go together: all before anything is
allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qrealm.base import limits
from qrealm.base.errors import QubitError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.simulate.backends.trajectories.card import CARD, EVENT_BYTES, SHOTS_TOGETHER_MAX
from qrealm.simulate.backends.trajectories.steps import Script
from qrealm.simulate.backends.trajectories.walk import states_alive
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import fits, too_large, too_many_qubits
from qrealm.simulate.plan.types import CircuitShape, Plan, Precision, Request

SERIAL_QUBITS_MAX = 8
"""Up to this many qubits Python's share of a trajectory is most of it, and one worker is as fast as two."""

READING_BYTES = 16
"""Memory for each shot and sampled observable: its reading, and a copy while the mean is taken."""


@dataclass(frozen=True, slots=True)
class Division:
    """How the work is divided.

    Attributes:
        workers: trajectories that are computed side by side.
        threads: of each of them.
        batch: shots that are walked together.
    """

    workers: int
    threads: int
    batch: int


@dataclass(frozen=True, slots=True)
class Divided:
    """A plan, and the division of the work that it is for."""

    plan: Plan
    division: Division

    @property
    def memory_bytes(self) -> int:
        """Peak memory of the run."""
        return self.plan.memory_bytes


def plan_run(
    script: Script, planning: Request, precision: Precision, num_qubits: int, readings: int = 0
) -> tuple[Divided, Reservation]:
    """Plan a run and reserve its memory.

    Args:
        script: what is run.
        planning, precision, num_qubits: what was asked.
        readings: observables that are sampled, each read once by every shot.

    Raises:
        TooLargeError: one state needs more memory than there is.
        QubitError: no qubits, or more than the backend can number.
    """
    if num_qubits < 1:
        raise QubitError("a run needs at least one qubit; the circuit has none")
    if num_qubits > CARD.qubits_max:
        raise too_many_qubits(num_qubits, CARD)
    shots = max(1, planning.shots)
    threads = planning.threads or (1 if num_qubits <= SERIAL_QUBITS_MAX else cores_default())
    distinct = shots if script.splits else 1 + shots * -math.expm1(-script.events)
    widest = max(1, min(threads, round(distinct)))
    most = min(shots, SHOTS_TOGETHER_MAX)
    divisions = [Division(workers, threads // workers, most) for workers in _halves(widest)]
    divisions += [Division(1, threads, batch) for batch in _halves(most)[1:]]
    best = _plan(script, planning, precision, divisions[0], readings)
    if best.memory_bytes - CARD.overhead_bytes <= limits.MEMORY_UNCHECKED_BYTES:
        return Divided(best, divisions[0]), NOTHING_RESERVED

    def divided_for(available: int) -> Divided:
        for division in divisions:
            plan = _plan(script, planning, precision, division, readings)
            if fits(plan.memory_bytes, available):
                return Divided(plan, division)
        shape = CircuitShape(num_qubits, 1 << num_qubits, 0, 0)
        raise too_large(shape, plan, replace(planning, exact=False), CARD, available)

    return LEDGER.reserve(divided_for, memory_available_bytes)


def _plan(script: Script, planning: Request, precision: Precision, division: Division, readings: int) -> Plan:
    state_bytes = precision.amplitude_bytes << script.num_qubits
    states = states_alive(division.batch, script.splits) * division.workers
    arrays = 2 if script.loads else 0
    shots = max(1, planning.shots)
    reasons = [f"{division.workers} trajectories side by side"] if division.workers > 1 else []
    if division.batch < min(shots, SHOTS_TOGETHER_MAX):
        reasons.append(f"{division.batch} shots are walked together, because more would not fit in memory")
    return Plan(
        CARD.name,
        precision,
        division.workers * division.threads,
        state_bytes,
        CARD.overhead_bytes
        + state_bytes * (states + arrays * division.workers)
        + shots * (limits.SHOT_BYTES + READING_BYTES * readings)
        + division.batch * EVENT_BYTES,
        states - 1,
        tuple(reasons),
    )


def _halves(number: int) -> list[int]:
    """The number, its half, and so on down to 1."""
    found = [number]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return found
