"""How much memory a chain may take: planned before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qrealm.base import limits
from qrealm.base.errors import TooLargeError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.simulate.backends.mps.card import CARD
from qrealm.simulate.backends.mps.options import MPSOptions
from qrealm.simulate.backends.mps.program import ChainProgram, LocalOp, operator_rank
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.request import RunRequest

UNBOUNDED_SHARE = 0.5
"""Share of the available memory that a chain may grow to when its bonds have no bound that fits."""

COPIES_UNBOUNDED = 7
"""Chains kept beside the running one, when they may grow so."""

WORKSPACE = 24
"""Bytes, for each byte of the largest pair of sites, that applying and splitting it takes."""

_LOG_MAX = 64


@dataclass(frozen=True, slots=True)
class Room:
    """A plan, and what one chain may take by it."""

    plan: Plan
    chain_bytes: int


def make_room(
    num_qubits: int,
    programs: Sequence[ChainProgram] | None,
    branch_points: int,
    bits: int,
    request: RunRequest,
    options: MPSOptions,
) -> tuple[Room, Reservation]:
    """Plan a run and reserve its memory.

    Args:
        programs: all that the chain goes through, when it is gates alone; None when its bonds can only be
            bounded by its size.
        branch_points: measurements and resets half-way.
        bits: of an outcome.

    Raises:
        TooLargeError: a state vector is asked for that does not fit, or the samples do not.
    """
    planning = request.planning
    precision = planning.precision or (Precision.DOUBLE if planning.exact else Precision.SINGLE)
    bonds = bond_bounds(num_qubits, programs, options.bond_max)
    width = precision.amplitude_bytes
    tensors, workspace = _bytes(bonds, width)
    arrays = 2 * width << num_qubits if planning.state_copy else 0
    fixed = limits.RUN_OVERHEAD_BYTES + arrays + planning.shots * (limits.SHOT_BYTES + 3 * bits)
    wanted_copies = min(branch_points, limits.BRANCH_COPIES_MAX)
    threads = planning.threads or cores_default()

    def room(available: int | None) -> Room:
        copies, chain = wanted_copies, tensors
        reasons: tuple[str, ...] = ()
        while (
            copies and available is not None and not fits(fixed + workspace + chain * (1 + copies), available)
        ):
            copies //= 2
        if available is not None and not fits(fixed + workspace + chain * (1 + copies), available):
            copies = min(wanted_copies, COPIES_UNBOUNDED)
            left = available * limits.MEMORY_SHARE_MAX - fixed
            chain = int(left * UNBOUNDED_SHARE / (1 + copies))
            if left <= 0:
                raise TooLargeError(
                    f"a run of {num_qubits} qubits on the mps backend with {planning.shots} shots"
                    + (" and the whole state vector" if arrays else ""),
                    needed_bytes=fixed,
                    available_bytes=int(available * limits.MEMORY_SHARE_MAX),
                    hint="ask for amplitudes or observables instead of the whole state vector, or draw fewer "
                    "shots at once",
                )
            total = fixed + int(left * UNBOUNDED_SHARE)
            reasons = (
                "the gates could make bonds that do not fit; if the state needs them, the run ends",
            )
        else:
            total = fixed + workspace + chain * (1 + copies)
        plan = Plan(CARD.name, precision, threads, chain, total, copies, reasons)
        return Room(plan, chain)

    small = fixed + workspace + tensors * (1 + wanted_copies)
    if small <= limits.MEMORY_UNCHECKED_BYTES:
        return room(None), NOTHING_RESERVED
    rooms: dict[int, Room] = {}

    def plan_for(available: int) -> Plan:
        found = room(available)
        rooms[id(found.plan)] = found
        return found.plan

    plan, reserved = LEDGER.reserve(plan_for, memory_available_bytes)
    return rooms[id(plan)], reserved


def bond_bounds(num_qubits: int, programs: Sequence[ChainProgram] | None, bond_max: int | None) -> list[int]:
    """Largest bond that there can be at each cut, whatever the gates' angles.

    A gate multiplies the bonds that it crosses by its operator's rank at most. Where qubits are brought
    together from afar they change places, and only the number of qubits on each side is a bound.
    """
    cuts = num_qubits - 1
    logs: list[float] = [float(min(cut + 1, num_qubits - cut - 1)) for cut in range(cuts)]
    crossed = _crossings(num_qubits, programs) if programs is not None else None
    if crossed is not None:
        logs = [min(log, grown) for log, grown in zip(logs, crossed, strict=True)]
    return [min(1 << min(int(log), _LOG_MAX), bond_max or 1 << _LOG_MAX) for log in logs]


def _crossings(num_qubits: int, programs: Sequence[ChainProgram]) -> list[float] | None:
    """log2 of what the gates across each cut can make; None when qubits change places."""
    steps = [0.0] * (num_qubits + 1)
    for number, program in enumerate(programs):
        if number + 1 < len(programs) and program.carrier != tuple(range(num_qubits)):
            return None
        for op in program.ops:
            low, high = min(op.qubits), max(op.qubits)
            if low == high:
                continue
            if isinstance(op, LocalOp):
                if high - low > 1:
                    return None
                added = float((operator_rank(op.matrix) - 1).bit_length())
            else:
                added = 1.0 if op.controls and len(op.targets) == 1 else 1.0 + 2 * (len(op.targets) // 2)
            steps[low] += added
            steps[high] -= added
    found: list[float] = []
    total = 0.0
    for cut in range(num_qubits - 1):
        total += steps[cut]
        found.append(total)
    return found


def _bytes(bonds: Sequence[int], width: int) -> tuple[int, int]:
    """(bytes of all tensors, bytes of the work on the largest pair)."""
    ends = [1, *bonds, 1]
    tensors = sum(2 * left * right * width for left, right in pairwise(ends))
    widest = max(
        (4 * left * right * width for left, right in zip(ends, ends[2:], strict=False)), default=width
    )
    return tensors, WORKSPACE * widest
