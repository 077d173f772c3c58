"""How much memory a chain may take: planned before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qrealm.base import limits
from qrealm.base.errors import TooLargeError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.simulate.backends.mps.card import CARD
from qrealm.simulate.backends.mps.outline import Outline
from qrealm.simulate.backends.mps.program import ChainProgram
from qrealm.simulate.backends.mps.schedule import carry_out
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.types import Plan
from qrealm.simulate.request import RunRequest

UNBOUNDED_SHARE = 0.5
"""Share of the available memory that a chain may grow to when its bonds have no bound that fits."""

COPIES_UNBOUNDED = 7
"""Chains kept beside the running one, when they may grow so."""

WORKSPACE = 24
"""Bytes, for each byte of the largest pair of sites, that applying and splitting it takes."""


@dataclass(frozen=True, slots=True)
class Room:
    """A plan, and what one chain may take by it."""

    plan: Plan
    chain_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Peak memory of the run."""
        return self.plan.memory_bytes


@dataclass(frozen=True, slots=True)
class Bonds:
    """How far bonds can grow.

    Attributes:
        largest: at each cut.
        growth: factor by which a gate's train makes a tensor larger for a while.
    """

    largest: tuple[int, ...]
    growth: int


@dataclass(frozen=True, slots=True)
class _Need:
    """What a run takes, by its parts, in bytes.

    Attributes:
        fixed: beside the chains: samples, a state vector, the run itself.
        chain: one chain with the largest bonds that there can be.
        growth: factor by which a train of tensors makes it larger for a while.
        workspace: of the largest split.
        copies: chains that are wanted beside the running one.
    """

    fixed: int
    chain: int
    growth: int
    workspace: int
    copies: int

    def whole(self, copies: int) -> int:
        """All of it with so many copies."""
        return self.fixed + self.workspace + self.chain * (self.growth + copies)


def make_room(
    num_qubits: int,
    bonds: Bonds,
    branch_points: int,
    bits: int,
    request: RunRequest,
) -> tuple[Room, Reservation]:
    """Plan a run and reserve its memory.

    Args:
        bonds: how far they can grow.
        branch_points: measurements and resets half-way.
        bits: of an outcome.

    Raises:
        TooLargeError: a state vector is asked for that does not fit, or the samples do not.
    """
    planning = request.planning
    precision = planning.precision_or_default
    width = precision.amplitude_bytes
    tensors, workspace = _bytes(bonds.largest, width)
    arrays = 2 * width << num_qubits if planning.state_copy else 0
    need = _Need(
        limits.RUN_OVERHEAD_BYTES + arrays + planning.shots * (limits.SHOT_BYTES + 3 * bits),
        tensors,
        bonds.growth,
        workspace,
        min(branch_points, limits.BRANCH_COPIES_MAX),
    )
    threads = planning.threads or cores_default()
    if need.whole(need.copies) <= limits.MEMORY_UNCHECKED_BYTES:
        plan = Plan(CARD.name, precision, threads, need.chain, need.whole(need.copies), need.copies, ())
        return Room(plan, limits.MEMORY_UNCHECKED_BYTES), NOTHING_RESERVED

    def room_for(available: int) -> Room:
        copies, chain, total, reasons = _shared_out(need, num_qubits, available)
        plan = Plan(CARD.name, precision, threads, min(chain, need.chain), total, copies, reasons)
        return Room(plan, max(chain, limits.MEMORY_UNCHECKED_BYTES))

    return LEDGER.reserve(room_for, memory_available_bytes)


def _shared_out(need: _Need, num_qubits: int, available: int) -> tuple[int, int, int, tuple[str, ...]]:
    """(copies, bytes of the running chain, bytes of all, why) with so much memory."""
    copies = need.copies
    while copies and not fits(need.whole(copies), available):
        copies //= 2
    if fits(need.whole(copies), available):
        return copies, need.chain * need.growth, need.whole(copies), ()
    usable = int(available * limits.MEMORY_SHARE_MAX)
    left = usable - need.fixed
    if left <= 0:
        raise TooLargeError(
            f"a run of {num_qubits} qubits on the mps backend, beside its tensors,",
            needed_bytes=need.fixed,
            available_bytes=usable,
            hint="ask for amplitudes or observables instead of the whole state vector, or draw fewer shots",
        )
    copies = min(need.copies, COPIES_UNBOUNDED)
    # A split works on two sites: of a short chain that is much of the whole.
    chains = int(left * UNBOUNDED_SHARE * num_qubits / (num_qubits + 2 * WORKSPACE))
    why = "the gates could make bonds that do not fit; if the state needs them, the run ends"
    return copies, chains // (1 + copies), need.fixed + int(left * UNBOUNDED_SHARE), (why,)


def bonds_of(program: ChainProgram, bond_max: int | None) -> Bonds:
    """How far bonds can grow while a chain goes through a program, whatever the gates' angles."""
    outline = Outline(program.num_qubits, bond_max)
    carry_out(outline, program)
    return Bonds(tuple(outline.largest), outline.growth)


def bonds_of_ways(
    num_qubits: int, programs: Sequence[ChainProgram], prepared: int, bond_max: int | None
) -> Bonds:
    """An estimate of the same for a circuit that decides something half-way: where qubits meet then depends
    on the way, so there is room for four times as much.

    Args:
        programs: the gates of all ways.
        prepared: qubits of the widest state that is put in by its amplitudes.
    """
    outline = Outline(num_qubits, bond_max)
    for program in programs:
        carry_out(outline, program)
    cap = bond_max if bond_max is not None else 1 << 64
    widened = (min(bond << prepared // 2, cap) for bond in outline.largest)
    return Bonds(tuple(widened), 4 * outline.growth)


def _bytes(bonds: Sequence[int], width: int) -> tuple[int, int]:
    """(bytes of all tensors, bytes of the work on the largest pair)."""
    ends = [1, *bonds, 1]
    tensors = sum(2 * left * right * width for left, right in pairwise(ends))
    widest = max(
        (4 * left * right * width for left, right in zip(ends, ends[2:], strict=False)), default=width
    )
    return tensors, WORKSPACE * widest
