"""Which containers hang together, over registers and relations, and whether that is still so."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from qrealm.control.containers.values import Member, Register, Relation


def alike(one: Register, other: Register) -> bool:
    """Whether two registers are the same, entry by entry."""
    a, b = one.density, other.density
    return (
        (one.members, one.time, one.prepared_at) == (other.members, other.time, other.prepared_at)
        and np.array_equal(a.rows, b.rows)
        and np.array_equal(a.cols, b.cols)
        and np.array_equal(a.values, b.values)
    )


def tied_together(
    members: Sequence[Member], relations: Iterable[Relation], registers: Iterable[Register]
) -> list[list[Member]]:
    """The members in groups that relations or shared registers tie together, directly or over others, each in
    the given order."""
    group_of = {member.container: {member.container} for member in members}
    ties = [(relation.first, relation.second) for relation in relations]
    for register in registers:
        ties += itertools.pairwise(member.container for member in register.members)
    for one, other in ties:
        joined = group_of[one] | group_of[other]
        group_of.update(dict.fromkeys(joined, joined))
    groups = {min(group): group for group in group_of.values()}
    return [[member for member in members if member.container in group] for group in groups.values()]


def contradicted(relations: Iterable[Relation]) -> list[Relation]:
    """Spent relations that relations in force have replaced: they would close a circle, or have a container
    follow two others."""
    group_of: dict[str, set[str]] = {}
    followers: set[str] = set()
    dropped = []
    for relation in sorted(relations, key=lambda each: (each.spent, each.declared_at)):
        one = group_of.setdefault(relation.first, {relation.first})
        other = group_of.setdefault(relation.second, {relation.second})
        if relation.spent and (one is other or relation.second in followers):
            dropped.append(relation)
            continue
        joined = one | other
        group_of.update(dict.fromkeys(joined, joined))
        followers.add(relation.second)
    return dropped
