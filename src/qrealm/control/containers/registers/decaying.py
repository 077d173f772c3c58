"""Decay of registers with wall-clock time, and how large it makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from qrealm.base.errors import RegisterError
from qrealm.control.containers.registers.limits import refuse_entries
from qrealm.control.containers.registers.places import qubits_by_member
from qrealm.control.containers.registers.preparing import distribution
from qrealm.control.containers.values import Register
from qrealm.simulate.sparse_density import normalised
from qrealm.simulate.sparse_density_relaxed import entries_when_changed, entries_when_relaxed
from qrealm.simulate.sparse_density_simulators import DensitySimulator
from qrealm.simulate.sparse_density_steps import Relaxation, Step


def decayed(
    register: Register, now: float, t1_s: float, t2_s: float, simulator: DensitySimulator
) -> Register:
    """A register at a later time, each container relaxed towards its declared distribution.

    Thermal relaxation of every container on its own: its populations go to π with T1, its coherences, and so
    those of the group that differ in its state, to 0 with T2. After the time t,

        ρ → e^(-t/T1) D(ρ) + (1 - e^(-t/T1)) diag(π) ⊗ Tr ρ

    where Tr is over the container and D multiplies what is off the diagonal in its index by
    e^(-t(1/T2-1/T1)). With two states it is the usual channel of a qubit at a finite temperature.
    Decay over a and then over b is decay over a + b. A basis state that stands for no state relaxes away.

    Args:
        now: seconds since 1970 UTC. A time before `register.time`, which comes of a clock that was set back,
            counts as no time passed; the register goes on from there.
        t1_s: relaxation time, seconds; may be infinite.
        t2_s: decoherence time, seconds; at most `t1_s`.

    Raises:
        RegisterError: times that are not positive, T2 over T1, or more qubits than the simulator takes.
        TooLargeError: more entries than one matrix may have.
    """
    steps = relaxations(register, now, t1_s, t2_s)
    if now <= register.time:
        return replace(register, time=now)
    return replace(register, density=normalised(simulator.evolve(register.density, steps)), time=now)


def relaxations(register: Register, now: float, t1_s: float, t2_s: float) -> list[Relaxation]:
    """What happens to each member from `register.time` to `now`, in their order. Arguments and errors as of
    `decayed`."""
    if not (0.0 < t2_s <= t1_s):  # NaN fails too
        raise RegisterError(
            f"relaxation_time_ms is {t1_s * 1000:g} and decoherence_time_ms is {t2_s * 1000:g}; "
            "the rule is 0 < decoherence time ≤ relaxation time",
            hint="raise relaxation_time_ms or lower decoherence_time_ms",
        )
    elapsed_s = max(0.0, now - register.time)
    places = qubits_by_member(register.members)
    populations_kept, coherences_kept = math.exp(-elapsed_s / t1_s), math.exp(-elapsed_s / t2_s)
    return [
        Relaxation(distribution(member), populations_kept, coherences_kept, places[member.container])
        for member in register.members
    ]


def entries_to_come(register: Register) -> float:
    """The most entries that a register will have at any later time."""
    return entries_when_relaxed(register.density, relaxations(register, register.time, 1.0, 1.0))


def check_lasting(made_by: str, parts: Sequence[Register], change: Sequence[Step]) -> None:
    """Refuses a change after which a group would be too large, at once or once it decays. Quick, because
    nothing of it is computed.

    Args:
        made_by: what was called, for the message.
        parts: registers that become one, the first one's qubits lowest; they may have to decay before.
        change: what happens to them together.

    Raises:
        TooLargeError: it would have more than `LASTING_ENTRIES_MAX` entries.
    """
    count = entries_when_changed(
        [(each.density, relaxations(each, each.time, 1.0, 1.0)) for each in parts], change
    )
    refuse_entries(made_by, [member for each in parts for member in each.members], count)
