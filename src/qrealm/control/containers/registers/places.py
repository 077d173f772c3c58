"""Where a member's qubits are in its register."""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers.values import Member, Register
from qrealm.simulate.sparse_density import SparseDensity, joined


def qubits_by_member(members: Sequence[Member]) -> dict[str, tuple[int, ...]]:
    """Container id to its qubits, its own lowest first."""
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for member in members:
        found[member.container] = tuple(range(start, start + member.num_qubits))
        start += member.num_qubits
    return found


def qubits_of(register: Register, container_id: str) -> tuple[int, ...]:
    """The qubits of one member, its own lowest first. Raises NoSuchContainerError."""
    member_of((register,), container_id)
    return qubits_by_member(register.members)[container_id]


def member_of(registers: Sequence[Register], container_id: str) -> Member:
    """A member of one of these registers. Raises NoSuchContainerError."""
    for register in registers:
        for member in register.members:
            if member.container == container_id:
                return member
    raise NoSuchContainerError(f"no register at hand has the container {container_id!r:.80}")


def register_of(registers: Sequence[Register], container_id: str) -> Register:
    """The register that a container is a member of. Raises NoSuchContainerError."""
    member_of(registers, container_id)
    return next(r for r in registers if any(m.container == container_id for m in r.members))


def joined_registers(registers: Sequence[Register]) -> tuple[tuple[Member, ...], SparseDensity]:
    """Members and state of several registers side by side.

    Raises:
        TooLargeError: see `joined`.
    """
    members = registers[0].members
    density = registers[0].density
    for register in registers[1:]:
        members += register.members
        density = joined(density, register.density)
    return members, density
