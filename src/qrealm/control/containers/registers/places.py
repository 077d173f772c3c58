"""Where a member's qubits are in its register."""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.base.errors import NoSuchContainerError, RegisterError
from qrealm.control.containers.values import Member, Register
from qrealm.simulate.sparse_density import SparseDensity, joined
from qrealm.simulate.sparse_density_simulators import DensitySimulator


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


def check_joined(made_by: str, sizes: Sequence[int], limit_qubits: int, simulator: DensitySimulator) -> None:
    """Refuses to join registers to one with too many qubits.

    Args:
        made_by: what was called, for the message.
        sizes: qubits of each register.
        limit_qubits: most qubits of a group that the configuration allows.

    Raises:
        RegisterError: more than that, or than the simulator takes.
    """
    limit, hint = limit_qubits, "raise num_qubits in the configuration"
    whose = ""
    if simulator.qubits_max < limit:
        limit, hint = simulator.qubits_max, 'set simulation_backend to "qrealm", which takes more'
        whose = f" with the simulation backend {simulator.name!r}, which holds the whole matrix"
    if sum(sizes) > limit:
        raise RegisterError(
            f"{made_by} would make a group of {' + '.join(map(str, sizes))} = {sum(sizes)} qubits; a group "
            f"may have {limit}{whose}",
            hint=f"have fewer containers in the group, measure what is joined already, or {hint}",
        )
