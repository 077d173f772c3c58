"""Decay of registers with wall-clock time, and how large it makes them."""

from __future__ import annotations

import math
from dataclasses import replace

from qrealm.base.errors import RegisterError, TooLargeError
from qrealm.control.containers.registers.places import qubits_by_member
from qrealm.control.containers.registers.preparing import distribution
from qrealm.control.containers.values import Register
from qrealm.simulate.sparse_density import ENTRY_BYTES, normalised
from qrealm.simulate.sparse_density_relaxed import entries_when_relaxed
from qrealm.simulate.sparse_density_simulators import DensitySimulator
from qrealm.simulate.sparse_density_steps import Relaxation

LASTING_ENTRIES_MAX = 1 << 21
"""Most entries that a register may come to as it decays: half of what fits, so that a gate on it takes a few
seconds at most, and reading it from the store a third of one."""


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


def check_lasting(register: Register, made_by: str) -> None:
    """Refuses a register that is small enough now and will not be once it decays.

    Args:
        made_by: what was called, for the message.

    Raises:
        TooLargeError: it would have more than `LASTING_ENTRIES_MAX` entries.
    """
    count = entries_to_come(register)
    if count > LASTING_ENTRIES_MAX:
        raise TooLargeError(
            f"{made_by} would make a group of {register.num_qubits} qubits whose density matrix, as it "
            f"decays, comes to {count:.0f} entries that are not zero (at most {LASTING_ENTRIES_MAX}): it",
            needed_bytes=int(ENTRY_BYTES * count),
            available_bytes=ENTRY_BYTES * LASTING_ENTRIES_MAX,
            hint="entangle fewer containers, or measure the group first: superposition on many qubits of a "
            "large group fills its matrix",
        )
