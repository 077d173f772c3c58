"""Gates on the qubits of containers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np

from qrealm.base.errors import RegisterError, UnknownGateError
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.gates import Gate, find_gate
from qrealm.control.containers.registers.decaying import check_lasting
from qrealm.control.containers.registers.places import (
    check_joined,
    joined_registers,
    qubits_by_member,
    register_of,
)
from qrealm.control.containers.values import Register
from qrealm.simulate.sparse_density_simulators import DensitySimulator
from qrealm.simulate.sparse_density_steps import Operators

Target = tuple[str, int | None]
"""A container's id and one of its qubits, 0 the lowest; None for every qubit that it has."""


def apply_gate(
    registers: Sequence[Register],
    gate: str,
    targets: Sequence[Target],
    angle: float | None,
    now: float,
    limit_qubits: int,
    simulator: DensitySimulator,
    current: Callable[[Register], Register] | None = None,
) -> Register:
    """A gate of the gate table on qubits of containers, whatever their number of states.

    A gate on two containers joins their registers. Relations stay declared, though the state may no longer
    keep them.

    Args:
        registers: those that the targets are members of.
        gate: name or alias of a gate on one or two qubits with at most one parameter, in any case.
        targets: one for a gate on one qubit; for one on two qubits two, the control first.
        angle: radians, for a gate that has a parameter; None for one that has none.
        limit_qubits: most qubits of a group.
        current: brings a register up to `now`, once the gate is known to be possible; None where the
            registers are decayed up to then.

    Returns:
        The register of all targets, whose `prepared_at` is that of its oldest part.

    Raises:
        RegisterError: an unknown gate, a missing, superfluous or infinite angle, a qubit that the container
            does not have, the same qubit twice, or a group over `limit_qubits`.
        NoSuchContainerError: a target is in none of the registers.
        TooLargeError: more entries than one matrix may have, now or when the register has decayed.
    """
    row = gate_named(gate)
    matrix = np.asarray(row.full_matrix(_params(row, angle)), dtype=np.complex128)
    if len(targets) != row.num_qubits:
        raise RegisterError(
            f"gate {row.name} got {len(targets)} containers; the rule is one target for each of its "
            f"{row.num_qubits} qubits",
            hint=f"qdocker apply-gate A {row.name.upper()}{' B' if row.num_qubits == 2 else ''}",
        )
    held = list({id(r): r for r in (register_of(registers, name) for name, _ in targets)}.values())
    if len(held) > 1:
        check_joined(f"gate {row.name}", [each.num_qubits for each in held], limit_qubits, simulator)
    places = qubits_by_member([member for register in held for member in register.members])
    wires: list[tuple[int, ...]]
    if row.num_qubits == 1:
        wires = [(qubit,) for qubit in _wires(row, targets[0], places)]
    else:
        wires = [tuple(_single(row, target, places) for target in targets)]
    if any(len(set(each)) != len(each) for each in wires):
        raise RegisterError(f"gate {row.name} got the same qubit twice; the rule is different qubits")
    change = [Operators((matrix,), each) for each in wires]
    check_lasting(f"gate {row.name}", held, change)
    members, density = joined_registers([current(each) for each in held] if current else held)
    oldest = min(register.prepared_at for register in held)
    return Register(members, simulator.evolve(density, change), now, oldest)


def gate_named(name: str) -> Gate:
    """The gate of this name or alias. Raises RegisterError where there is none for containers."""
    try:
        row = find_gate(name)
    except UnknownGateError as problem:
        raise RegisterError(problem.message, hint=_THERE_ARE) from None
    if not _fits_containers(row):
        raise RegisterError(
            f"gate {row.name} cannot be applied to a container; the rule is a gate on one or two "
            "qubits with at most one angle",
            hint=_THERE_ARE,
        )
    return row


def _fits_containers(row: Gate) -> bool:
    return row.num_qubits in (1, 2) and row.num_params <= 1 and row.name != "unitary" and not row.variadic


_THERE_ARE = f"there are {', '.join(name.upper() for name, row in GATES.items() if _fits_containers(row))}"


def _params(row: Gate, angle: float | None) -> tuple[float, ...]:
    if angle is not None and not _is_finite(angle):
        raise RegisterError(
            f"gate {row.name} got the angle {angle!r:.40}; the rule is a finite number of radians"
        )
    if row.num_params and angle is None:
        raise RegisterError(f"gate {row.name} needs an angle in radians", hint="--angle 1.5708")
    if not row.num_params and angle is not None:
        raise RegisterError(f"gate {row.name} takes no angle, and got {angle:g}", hint="leave the angle out")
    return () if angle is None else (float(angle),)


def _is_finite(angle: object) -> bool:
    """Of numbers alone: True is no angle, nor is text, nor a whole number too large to be a float."""
    if isinstance(angle, bool) or not isinstance(angle, Real):
        return False
    try:
        return math.isfinite(angle)
    except OverflowError:
        return False


def _wires(row: Gate, target: Target, places: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    name, qubit = target
    if qubit is None:
        return places[name]
    if isinstance(qubit, bool) or not isinstance(qubit, int) or not 0 <= qubit < len(places[name]):
        raise RegisterError(
            f"gate {row.name} got qubit {qubit!r:.40}; container {name[:12]} has qubits 0 to "
            f"{len(places[name]) - 1}"
        )
    return (places[name][qubit],)


def _single(row: Gate, target: Target, places: dict[str, tuple[int, ...]]) -> int:
    found = _wires(row, target, places)
    if len(found) > 1:
        raise RegisterError(
            f"gate {row.name} got all {len(found)} qubits of container {target[0][:12]}; the rule is one "
            "qubit of each container for a gate on two qubits",
            hint="name the qubit, 0 for the lowest",
        )
    return found[0]
