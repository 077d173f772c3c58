"""Fresh registers: a container alone, a group by its relations, and the circuit that does the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RegisterError
from qrealm.circuits import Circuit
from qrealm.control.containers.registers.limits import refuse_entries
from qrealm.control.containers.registers.places import qubits_by_member
from qrealm.control.containers.registers.relating import StateMap, map_of, maps_from, rooted, roots_of
from qrealm.control.containers.values import Member, Register, Relation
from qrealm.simulate.sparse_density import QUBITS_MAX, basis_state
from qrealm.simulate.sparse_density_maps import changed
from qrealm.simulate.sparse_density_simulators import DensitySimulator
from qrealm.simulate.sparse_density_steps import Permutation, Preparation, Step


def distribution(member: Member) -> NDArray[np.float64]:
    """π, the declared probability of every basis state of a container, shape (2^q,).

    The first state has `member.probability`, the other k - 1 share the rest equally; a basis state that
    stands for no state has none.

    Raises:
        RegisterError: fewer than two states, or a probability outside 0 to 1.
    """
    if member.num_states < 2:
        raise RegisterError(
            f"container {member.container[:12]} has {member.num_states} states; the rule is at least two"
        )
    if not 0.0 <= member.probability <= 1.0:  # NaN fails too
        raise RegisterError(
            f"container {member.container[:12]} has the probability {member.probability}; the rule is 0 to 1"
        )
    found = np.zeros(1 << member.num_qubits)
    found[: member.num_states] = (1.0 - member.probability) / (member.num_states - 1)
    found[0] = member.probability
    return found


def prepare(member: Member, now: float, simulator: DensitySimulator) -> Register:
    """A container's own register in the pure state Σ √π_i |i⟩.

    Args:
        now: seconds since 1970 UTC.

    Raises:
        RegisterError: see `distribution`; or more qubits than the simulator takes.
        TooLargeError: so many states that the register has too many entries.
    """
    if member.num_qubits > simulator.qubits_max:
        raise RegisterError(
            f"simulation backend {simulator.name!r} got a register of {member.num_qubits} qubits; "
            f"it holds the whole matrix and takes up to {simulator.qubits_max}",
            hint='set simulation_backend to "qrealm", which keeps only what is not zero',
        )
    refuse_entries("create", (member,), fresh_entries((member,), ()))
    return prepare_group((member,), (), now)


def prepare_group(members: Sequence[Member], relations: Sequence[Relation], now: float) -> Register:
    """A group as it is when it was just entangled: roots in superposition, the others follow coherently.

    Such a state is known, so it is written down by qrealm's own means, whatever the simulation backend.

    Args:
        members: in the order of their qubits.
        relations: those among them; each tree has one root, a container that follows nobody.

    Raises:
        RegisterError, TooLargeError: as of `prepare`.
    """
    num_qubits = sum(member.num_qubits for member in members)
    if num_qubits > QUBITS_MAX:
        raise RegisterError(
            f"a register of {num_qubits} qubits was asked for; at most {QUBITS_MAX} go into one",
            hint="give the containers fewer states, or entangle fewer of them",
        )
    places = qubits_by_member(members)
    by_id = {member.container: member for member in members}
    inside = [r for r in relations if r.first in by_id and r.second in by_id]
    steps: list[Step] = []
    for root in roots_of(by_id, inside):
        amplitudes = np.sqrt(distribution(by_id[root])).astype(np.complex128)
        steps.append(Preparation(amplitudes, places[root]))
        for _, away in rooted(root, inside, by_id[root].num_states):
            follow = map_of(away, by_id[root].num_states)
            steps.append(copying(follow, places[away.first], places[away.second]))
    density = changed(basis_state(num_qubits, 0), steps)
    return Register(tuple(members), density, now, now)


def fresh_entries(members: Sequence[Member], relations: Sequence[Relation]) -> float:
    """The most entries that a group will have at any time after it was prepared by `prepare_group`, which is
    not done. Of a tree with m possible states of its root, m (m - 1) off the diagonal in all of its members,
    and on it every combination that its members may come to.

    Args:
        members, relations: as of `prepare_group`.
    """
    by_id = {member.container: member for member in members}
    inside = [r for r in relations if r.first in by_id and r.second in by_id]
    total = 1.0
    for root in roots_of(by_id, inside):
        k = by_id[root].num_states
        states = np.flatnonzero(distribution(by_id[root]))
        reached = 1.0
        for name, follow in maps_from(root, rooted(root, inside, k), k).items():
            may_be = distribution(by_id[name]) > 0.0
            may_be[follow.table()[states]] = True
            reached *= np.count_nonzero(may_be)
        total *= len(states) * (len(states) - 1) + reached
    return total


def copying(follow: StateMap, source: Sequence[int], target: Sequence[int]) -> Permutation:
    """The unitary |x⟩|y⟩ → |x⟩|y ⊕ f(x)⟩, which takes a target in |0⟩ to f of the source, coherently."""
    size = 1 << len(source)
    indices = np.arange(size * size, dtype=np.uint32)
    images = follow.table()[indices % size] << np.uint32(len(source))
    return Permutation(indices ^ images, (*source, *target))


def preparation_circuit(members: Sequence[Member], relations: Sequence[Relation]) -> Circuit:
    """The gates that prepare a group from |0…0⟩: rotations on the roots, controlled X for the relations.

    Args:
        members, relations: as of `prepare_group`, whose state it makes.

    Raises:
        RegisterError: see `distribution`.
    """
    places = qubits_by_member(members)
    by_id = {member.container: member for member in members}
    inside = [r for r in relations if r.first in by_id and r.second in by_id]
    circuit = Circuit(sum(member.num_qubits for member in members))
    for root in roots_of(by_id, inside):
        k = by_id[root].num_states
        _rotate(circuit, distribution(by_id[root]), places[root])
        for _, away in rooted(root, inside, k):
            _copy(circuit, map_of(away, k), places[away.first], places[away.second])
    return circuit


def _rotate(circuit: Circuit, chances: NDArray[np.float64], qubits: Sequence[int]) -> None:
    """Σ √π_i |i⟩ by rotations about Y: the highest qubit first, each further one for every value of those."""
    width = len(qubits)
    for place in reversed(range(width)):
        controls = qubits[place + 1 :]
        for above in range(1 << len(controls)):
            start = above << place + 1
            zero = float(chances[start : start + (1 << place)].sum())
            one = float(chances[start + (1 << place) : start + (2 << place)].sum())
            if one > 0.0:
                angle = 2.0 * math.atan2(math.sqrt(one), math.sqrt(zero))
                values = above if controls else None
                circuit.append("ry", (qubits[place],), (angle,), controls=controls, control_state=values)


def _copy(circuit: Circuit, follow: StateMap, source: Sequence[int], target: Sequence[int]) -> None:
    k = follow.num_states
    if follow.same_as(StateMap(k)):
        for qubit, copy in zip(source, target, strict=True):
            circuit.cx(qubit, copy)
    elif k == 1 << len(source) and follow.same_as(StateMap(k, -1, k - 1)):
        for qubit, copy in zip(source, target, strict=True):
            circuit.cx(qubit, copy).x(copy)
    else:
        for state in range(k):
            for place, copy in enumerate(target):
                if follow(state) >> place & 1:
                    circuit.append("x", (copy,), controls=tuple(source), control_state=state)
