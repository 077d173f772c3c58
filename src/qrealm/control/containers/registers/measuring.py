"""Measurement of a whole group, and what is left of a group without a container."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qrealm.control.containers.registers.decaying import relaxations
from qrealm.control.containers.registers.places import qubits_by_member, qubits_of
from qrealm.control.containers.values import Register
from qrealm.simulate.sparse_density import basis_state, reduced
from qrealm.simulate.sparse_density_measures import relaxed_outcome


@dataclass(frozen=True, slots=True)
class MeasuredGroup:
    """One joint outcome of a group.

    Attributes:
        outcomes: container id to the index that its qubits showed; k and above stand for no state.
        probability: that this joint outcome had.
        registers: one for every container, in its basis state, in the order of the members.
    """

    outcomes: Mapping[str, int]
    probability: float
    registers: tuple[Register, ...]


def measure(
    register: Register, rng: np.random.Generator, now: float, t1_s: float = math.inf
) -> MeasuredGroup:
    """Measures every qubit of a group: one joint outcome is drawn, and the group collapses to it.

    Afterwards nothing ties the containers together; the caller drops their relations. Odds relax by
    themselves, so the register's decay since `register.time` is taken into account without being computed.

    Args:
        rng: takes one uniform number of it.
        now: seconds since 1970 UTC.
        t1_s: as of `decayed`; infinite for a register that is decayed up to `now` already.
    """
    drawn, chance = relaxed_outcome(register.density, relaxations(register, now, t1_s, t1_s), rng.random())
    outcomes: dict[str, int] = {}
    alone: list[Register] = []
    places = qubits_by_member(register.members)
    for member in register.members:
        index = drawn >> places[member.container][0] & (1 << member.num_qubits) - 1
        outcomes[member.container] = index
        alone.append(Register((member,), basis_state(member.num_qubits, index), now, now))
    return MeasuredGroup(outcomes, chance, tuple(alone))


def without(register: Register, container_id: str) -> Register | None:
    """A register after a container was removed: the state of the others, the container traced out. It may be
    one that is not decayed yet: the others decay alike, with it or without it.

    Returns:
        None when nobody is left.

    Raises:
        NoSuchContainerError: it is not a member.
    """
    gone = qubits_of(register, container_id)
    members = tuple(member for member in register.members if member.container != container_id)
    if not members:
        return None
    kept = [qubit for qubit in range(register.num_qubits) if qubit not in gone]
    return replace(register, members=members, density=reduced(register.density, kept))


def part_of(register: Register, container_ids: frozenset[str]) -> Register:
    """The state of some members alone, in the register's order; the others traced out."""
    places = qubits_by_member(register.members)
    members = tuple(member for member in register.members if member.container in container_ids)
    kept = [qubit for member in members for qubit in places[member.container]]
    return replace(register, members=members, density=reduced(register.density, kept))
