"""Making one container follow another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qrealm.base.errors import RegisterError
from qrealm.control.containers.registers.decaying import check_lasting
from qrealm.control.containers.registers.limits import refuse_entries
from qrealm.control.containers.registers.measuring import part_of
from qrealm.control.containers.registers.places import (
    check_joined,
    member_of,
    qubits_by_member,
    qubits_of,
    register_of,
)
from qrealm.control.containers.registers.preparing import copying, fresh_entries
from qrealm.control.containers.registers.relating import (
    StateMap,
    map_of,
    maps_from,
    neighbours_of,
    rooted,
    roots_of,
    way_between,
)
from qrealm.control.containers.values import MODES, Member, Mode, Register, Relation
from qrealm.simulate.sparse_density import basis_state, joined
from qrealm.simulate.sparse_density_measures import outcome_probabilities
from qrealm.simulate.sparse_density_simulators import DensitySimulator
from qrealm.simulate.sparse_density_steps import Preparation, Step

VIOLATION_MAX = 1e-9
"""Probability that a relation fails below which it counts as kept."""


class ContradictionError(RegisterError):
    """Two containers were to be tied in another way than they are."""


Tree = Sequence[tuple[Relation, Relation]]


@dataclass(frozen=True, slots=True)
class Entangled:
    """What `entangle` made of the registers it was given; all of them are replaced by these.

    Attributes:
        register: the group of both containers.
        others: what is left of the second's register: containers that only a gate had joined to it.
        relations_new: to be kept from now on.
        relations_dropped: to be kept no more: relations that are replaced by one the other way round, or by
            one with another shift.
        already: whether the relation held, so that nothing was done.

    Where the two were related before, there is neither a new relation nor a dropped one.
    """

    register: Register
    others: tuple[Register, ...]
    relations_new: tuple[Relation, ...]
    relations_dropped: tuple[Relation, ...]
    already: bool


def entangle(
    registers: Sequence[Register],
    relations: Sequence[Relation],
    first_id: str,
    second_id: str,
    mode: Mode,
    now: float,
    limit_qubits: int,
    simulator: DensitySimulator,
    current: Callable[[Register], Register] | None = None,
) -> Entangled:
    """Has a container follow another, in every outcome and coherently.

    The second, and whoever is tied to it by relations, is put into |0⟩ and takes the state that the relations
    say of the first's, by |x⟩|0⟩ → |x⟩|f(x)⟩. The first's probabilities stay what they are, and from a
    superposition comes a state like (|00⟩ + |11⟩)/√2. With ``same`` f(x) = x, with ``opposite`` k - 1 - x,
    with ``spread`` x + shift mod k. All containers that spread relations tie together are dealt evenly over
    the k states in every outcome: the second's side is dealt anew, each to the least used. An index that
    stands for no state is copied as it is.

    A container that only a gate has joined to the second is left out: it keeps the state that it has by
    itself. Where the relations say it of the two already, directly or over others, none is declared anew, and
    none is changed. Where the state keeps it too (up to 1e-9), nothing is done. Where it does not, the
    nearest container that leads both, which may be one of them, keeps its state, and whoever follows it
    towards them follows again.

    Args:
        registers: those of the two containers.
        relations: those of the two groups; others do no harm.
        now: seconds since 1970 UTC.
        limit_qubits: most qubits of a group.
        current: brings a register up to `now`, once the rest is known to be possible; None where the
            registers are decayed up to then.

    Raises:
        RegisterError: the same container twice, different numbers of states, a relation that contradicts
            those declared, an unknown mode, or a group over `limit_qubits`.
        NoSuchContainerError: a container is in none of the registers.
        TooLargeError: more entries than one matrix may have, now or when the group has decayed.
    """
    first, second = member_of(registers, first_id), member_of(registers, second_id)
    _check(first, second, mode)
    brought = current or (lambda register: register)
    k = first.num_states
    tree = rooted(first_id, relations, k)
    implied = maps_from(first_id, tree, k)
    if second_id in implied:
        _check_agrees(implied[second_id], mode, first_id, second_id, relations)
        register = brought(register_of(registers, first_id))
        return _repeated(register, relations, implied[second_id], (first_id, second_id), now, simulator)
    around_first = register_of(registers, first_id)
    around_second = register_of(registers, second_id)
    side = rooted(second_id, relations, k)
    new, link = _dealt(first_id, second_id, mode, tree, side, k, now)
    names = [second_id, *(away.second for away in new)]
    parts = [around_first]
    if around_first is not around_second:
        added = tuple(member for member in around_second.members if member.container in names)
        width = sum(member.num_qubits for member in added)
        check_joined("entangle", (around_first.num_qubits, width), limit_qubits, simulator)
        parts.append(Register(added, basis_state(width, 0), now, now))
    members = tuple(member for part in parts for member in part.members)
    steps = _following((link, *new), qubits_by_member(members), k)
    check_lasting("entangle", parts, steps)
    tied = [*(old for old, _ in tree), link, *new]
    ends = {end for relation in tied for end in (relation.first, relation.second)}
    together = [member for member in members if member.container in ends]
    # What was measured needs less room than what maintenance will prepare.
    refuse_entries("entangle", together, fresh_entries(together, tied))
    density = brought(around_first).density
    others: tuple[Register, ...] = ()
    if around_first is not around_second:
        density = joined(density, parts[1].density)
        left = frozenset(m.container for m in around_second.members) - set(names)
        others = (replace(part_of(brought(around_second), left), time=now),) if left else ()
    register = Register(members, simulator.evolve(density, steps), now, now)
    changed = [(old, away) for (old, _), away in zip(side, new, strict=True) if old != away]
    relations_new = (link, *(away for _, away in changed))
    return Entangled(register, others, relations_new, tuple(old for old, _ in changed), already=False)


def violation(register: Register, first_id: str, second_id: str, follow: StateMap) -> float:
    """Probability that the second's state is not what the first's says."""
    source, target = qubits_of(register, first_id), qubits_of(register, second_id)
    size = 1 << len(source)
    chances = outcome_probabilities(register.density, (*source, *target))
    kept = np.arange(size, dtype=np.uint32) + size * follow.table()
    return max(0.0, 1.0 - float(chances[kept].sum() / chances.sum()))


def _check(first: Member, second: Member, mode: Mode) -> None:
    if mode not in MODES:
        raise RegisterError(f"entangle got the mode {mode!r:.40}; the rule is one of {', '.join(MODES)}")
    if first.container == second.container:
        raise RegisterError("entangle got the same container twice; the rule is two containers")
    if first.num_states != second.num_states:
        raise RegisterError(
            f"entangle got containers with {first.num_states} and {second.num_states} states; the rule is as "
            "many states in both",
        )


def _check_agrees(
    implied: StateMap, mode: Mode, first_id: str, second_id: str, relations: Sequence[Relation]
) -> None:
    k = implied.num_states
    if mode == "same":
        agrees = implied.same_as(StateMap(k))
    elif mode == "opposite":
        agrees = implied.same_as(StateMap(k, -1, k - 1))
    else:
        # Of more containers than states, some that are dealt out together have the same state.
        together = _spread_offsets(first_id, rooted(first_id, relations, k), k)
        agrees = second_id in together or not implied.has_fixed_state()
    if not agrees:
        way = way_between(relations, (first_id, second_id))
        steps = [set(pair) for pair in itertools.pairwise(way)]
        said = "; ".join(
            f"container {each.second[:12]} follows container {each.first[:12]}: {each.mode}"
            for step in steps
            for each in relations
            if {each.first, each.second} == step
        )
        raise ContradictionError(
            f"entangle got the mode {mode}; the relations that are declared say otherwise: {said}",
            hint=f"to end what ties them: qdocker disentangle {' '.join(way)}",
        )


def _repeated(
    register: Register,
    relations: Sequence[Relation],
    follow: StateMap,
    ends: tuple[str, str],
    now: float,
    simulator: DensitySimulator,
) -> Entangled:
    """The two are related already: done, or what leads both of them is followed again, as it was declared."""
    if violation(register, *ends, follow) <= VIOLATION_MAX:
        return Entangled(register, (), (), (), already=True)
    way = way_between(relations, ends)
    followers = {each.second for each in relations if each.first in way and each.second in way}
    # Nobody leads a circle, which commands make no more, but older versions imported.
    leader = next((name for name in way if name not in followers), ends[0])
    again: list[Relation] = []
    names: set[str] = set()
    for _, away in rooted(leader, relations, follow.num_states):
        if away.first in names or (away.first == leader and away.second in way):
            names.add(away.second)
            again.append(away)
    steps = _following(again, qubits_by_member(register.members), follow.num_states)
    check_lasting("entangle", [register], steps)
    density = simulator.evolve(register.density, steps)
    return Entangled(Register(register.members, density, now, now), (), (), (), already=False)


def _following(
    relations: Sequence[Relation], places: Mapping[str, tuple[int, ...]], num_states: int
) -> list[Step]:
    """Every second is put into |0⟩, then takes its state from its first; leaders come before followers."""
    steps: list[Step] = []
    for relation in relations:
        qubits = places[relation.second]
        zero = np.zeros(1 << len(qubits), dtype=np.complex128)
        zero[0] = 1
        steps.append(Preparation(zero, qubits))
    for relation in relations:
        follow = map_of(relation, num_states)
        steps.append(copying(follow, places[relation.first], places[relation.second]))
    return steps


def _dealt(
    first_id: str, second_id: str, mode: Mode, tree: Tree, side: Tree, num_states: int, now: float
) -> tuple[list[Relation], Relation]:
    """The relations of the second's side, pointing away from it and dealt anew, and the one between."""
    new = [away for _, away in side]
    if mode != "spread":
        return new, Relation(first_id, second_id, mode, 0, now)
    offsets = _spread_offsets(first_id, tree, num_states)
    used = np.bincount(list(offsets.values()), minlength=num_states)
    for name in _spread_offsets(second_id, side, num_states):
        offsets[name] = int(np.argmin(used))
        used[offsets[name]] += 1
    for place, away in enumerate(new):
        if away.mode == "spread" and away.second in offsets:
            shift = (offsets[away.second] - offsets[away.first]) % num_states
            new[place] = replace(away, shift=shift)
    return new, Relation(first_id, second_id, mode, offsets[second_id], now)


def dealt_evenly(relations: Sequence[Relation], num_states_of: Mapping[str, int]) -> list[Relation]:
    """Relations that come into force together. Spread ones that were declared in parts, by which one state
    would be had twice more than another, are dealt anew, each to the least used."""
    found = {(each.first, each.second): each for each in relations}
    for root in roots_of(num_states_of, relations):
        k = num_states_of[root]
        tree = rooted(root, relations, k)
        tops = [root, *(away.second for _, away in tree if away.mode != "spread")]
        shifts: dict[str, int] = {}
        for top in tops:
            offsets = _spread_offsets(top, tree, k)
            used = np.bincount(list(offsets.values()), minlength=k)
            if used.max() - used.min() > 1:
                offsets = {name: place % k for place, name in enumerate(offsets)}
            shifts |= offsets
        for each, _ in tree:
            if each.mode == "spread":
                shift = (shifts[each.second] - shifts[each.first]) % k
                found[each.first, each.second] = replace(each, shift=shift)
    return list(found.values())


def _spread_offsets(root: str, tree: Tree, num_states: int) -> dict[str, int]:
    """Who is tied to a container by spread relations alone, and how far its state is from the container's."""
    found = {root: 0}
    for _, away in tree:
        if away.mode == "spread" and away.first in found:
            found[away.second] = (found[away.first] + away.shift) % num_states
    return found


def relations_without(
    relations: Sequence[Relation], container_id: str, num_states: int
) -> tuple[tuple[Relation, ...], tuple[Relation, ...]]:
    """What becomes of relations when a container is removed: whoever was tied through it is tied directly.

    Returns:
        The new relations, and those that are dropped. A tie that no mode can name, an opposite chained to a
        spread of more than two states, is dropped without another in its place.
    """
    gone = tuple(neighbours_of(relations).get(container_id, ()))
    around = [r if r.first == container_id else _away(r, num_states) for r in gone]
    leaders = [each for each, old in zip(around, gone, strict=True) if old.second == container_id]
    ordered = [*leaders, *(each for each in around if each not in leaders)]
    new = []
    for follower in ordered[1:]:
        tie = _tie(ordered[0], follower, num_states)
        if tie is not None:
            new.append(tie)
    return tuple(new), gone


def _away(relation: Relation, num_states: int) -> Relation:
    return rooted(relation.second, (relation,), num_states)[0][1]


def _tie(leader: Relation, follower: Relation, num_states: int) -> Relation | None:
    """From two relations of one first, the relation of their seconds."""
    follow = map_of(leader, num_states).inverse().then(map_of(follower, num_states))
    declared_at = max(leader.declared_at, follower.declared_at)
    found = None
    if "spread" in (leader.mode, follower.mode):
        shifted = StateMap(num_states, 1, follow.shift)
        if follow.same_as(shifted):
            found = Relation(leader.second, follower.second, "spread", follow.shift, declared_at)
    elif follow.same_as(StateMap(num_states)):
        found = Relation(leader.second, follower.second, "same", 0, declared_at)
    else:
        found = Relation(leader.second, follower.second, "opposite", 0, declared_at)
    return found
