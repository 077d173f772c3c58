"""What ties containers together, as it is told, and how it is ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from qrealm.base.errors import RegisterError
from qrealm.control.containers.asking import check_names
from qrealm.control.containers.context import Context
from qrealm.control.containers.registers import (
    joint_probabilities,
    probabilities_at,
    relation_probability_at,
)
from qrealm.control.containers.registers.relating import way_between
from qrealm.control.containers.reports import (
    DisentangleReport,
    EndedRelation,
    OverriddenOdds,
    RelationView,
    WeakRelation,
)
from qrealm.control.containers.values import ContainerRecord, Mode, Register, Relation

ODDS_TOLD = 1e-3
"""By how much a probability must differ from the declared one to be told."""

WEAK_BELOW = 0.9
"""A relation that holds with less than this is not much to rely on."""

PROBABILITY_SHOWN = 1e-12


def relations_of(
    context: Context, container_id: str, register: Register, names: Mapping[str, str]
) -> tuple[RelationView, ...]:
    """The declared relations of one container, spent ones too.

    Args:
        register: the container's in the store.
        names: of all containers, by id.
    """
    now, t1_s = context.clock.now(), context.t1_s
    return tuple(
        RelationView(
            names[each.second if each.first == container_id else each.first],
            each.mode,
            follows=each.second == container_id,
            spent=each.spent,
            holds=None if each.spent else relation_probability_at(register, each, now, t1_s),
        )
        for each in context.store.relations.all([container_id])
    )


def weak_relations(
    context: Context, register: Register, now: float, names: Mapping[str, ContainerRecord]
) -> tuple[WeakRelation, ...]:
    """Which relations in force of a group hold with less than `WEAK_BELOW`, the weakest first.

    Args:
        register: the group's in the store.
        now: seconds since 1970 UTC.
        names: records of all containers, by id.
    """
    found = []
    for each in context.store.relations.all([member.container for member in register.members]):
        holds = 1.0 if each.spent else relation_probability_at(register, each, now, context.t1_s)
        if holds < WEAK_BELOW:
            before = relation_probability_at(register, each, register.time, context.t1_s)
            first, second = names[each.first].name, names[each.second].name
            found.append(WeakRelation(first, second, each.mode, holds, decayed=before >= WEAK_BELOW))
    return tuple(sorted(found, key=lambda each: each.holds))


def state_name(record: ContainerRecord, index: int) -> str:
    """The name of the state that a basis index stands for."""
    states = record.quantum.states
    return states[index] if index < len(states) else f"undeclared:{index}"


def joint_odds(register: Register, one: ContainerRecord, two: ContainerRecord) -> dict[str, float]:
    """Of every joint outcome of two members that is possible, by the names of their states."""
    return {
        f"{state_name(one, i)},{state_name(two, j)}": share
        for (i, j), share in sorted(joint_probabilities(register, [one.id, two.id]).items())
        if share > PROBABILITY_SHOWN
    }


def overridden(
    records: Iterable[ContainerRecord],
    registers: Mapping[str, Register],
    now: float,
    t1_s: float,
    before: Mapping[str, Register] | None = None,
) -> dict[str, OverriddenOdds]:
    """Which containers have, at the time `now`, another probability of their first state than the declared
    one; with `before` only those that would have yet another in these registers. By name."""

    def chance(among: Mapping[str, Register], container: str) -> float:
        return float(probabilities_at(among[container], container, now, t1_s)[0])

    found = {}
    for record in records:
        here, declared = chance(registers, record.id), record.quantum.probability
        same = before is not None and abs(here - chance(before, record.id)) <= ODDS_TOLD
        if abs(here - declared) > ODDS_TOLD and not same:
            found[record.name] = OverriddenOdds(record.quantum.states[0], declared, here)
    return found


def disentangle(context: Context, references: Sequence[str]) -> DisentangleReport:
    """End the relations that tie some containers to each other, those in force and those that are spent.

    Their registers stay as they are: what they have become goes on until it is measured or decays. Placement
    goes by the relations no more, and maintenance prepares each by itself.

    Raises:
        RegisterError: fewer than two containers, one of them twice, or two that would still be tied to each
            other through one that is not named.
        NoSuchContainerError: there is no such container.
    """
    check_names("disentangle", references)
    store = context.store
    with store.transaction():
        records = [store.containers.find(reference) for reference in references]
        asked = [record.name for record in records]
        for name in asked:
            if asked.count(name) > 1:
                raise RegisterError(f"disentangle got {name!r} twice; it takes different containers")
        if len(records) < 2:
            raise RegisterError(
                f"disentangle got {', '.join(map(repr, asked)) or 'no container'}; it takes two or more"
            )
        names = {record.id: record.name for record in store.containers.all()}
        ids = {record.id for record in records}
        every = store.relations.all()
        ended = [each for each in every if {each.first, each.second} <= ids]
        way = way_between([each for each in every if each not in ended], [record.id for record in records])
        if way:
            first, *between, last = (names[each] for each in way)
            raise RegisterError(
                f"{first!r} and {last!r} are tied to each other through {', '.join(map(repr, between))}",
                hint="to end these relations too, name all of them: "
                f"qdocker disentangle {' '.join([*asked, *between])}",
            )
        store.relations.delete(ended)
        if ended:
            context.tell("register", "disentangle", asked[0], {"with": ",".join(asked[1:])})
        joint = [
            tuple(names[member.container] for member in register.members)
            for register in {id(r): r for r in (store.registers.of(each) for each in ids) if r}.values()
        ]
    told = tuple(EndedRelation(names[r.first], names[r.second], r.mode, r.spent) for r in ended)
    shared = sorted({group for group in joint if len(set(group) & set(asked)) > 1})
    return DisentangleReport(tuple(asked), told, tuple(shared))


class Related(NamedTuple):
    """How two containers are related, as `EntangleReport` tells it."""

    declared: bool
    through: tuple[str, ...]
    note: str


def how_related(
    relations: Sequence[Relation],
    one: ContainerRecord,
    two: ContainerRecord,
    mode: Mode,
    names: Mapping[str, ContainerRecord],
) -> Related:
    """How two containers are related that were entangled.

    Args:
        relations: that relate them, directly or over others.
        mode: as asked.
        names: records of all containers, by id.
    """
    way = way_between(relations, (one.id, two.id))
    if through := tuple(names[each].name for each in way[1:-1]):
        return Related(False, through, "")
    direct = next(each for each in relations if {each.first, each.second} == {one.id, two.id})
    if (direct.first, direct.mode) == (one.id, mode):
        return Related(True, (), where_they_are(one, two, mode))
    note = (
        f"{names[direct.second].name} follows {names[direct.first].name}: {direct.mode}; to declare it "
        f"another way, end that first: qdocker disentangle {one.name} {two.name}"
    )
    return Related(False, (), note)


def with_replaced(
    note: str, before: Sequence[Relation], after: Sequence[Relation], names: Mapping[str, ContainerRecord]
) -> str:
    """A note, and which spent relations are there no more because of what was declared."""
    left = {(each.first, each.second, each.mode) for each in after}
    gone = [each for each in before if each.spent and (each.first, each.second, each.mode) not in left]
    told = ", ".join(f"{names[r.second].name} followed {names[r.first].name}: {r.mode}" for r in gone)
    return "; ".join(filter(None, (f"this takes the place of what was spent: {told}" if told else "", note)))


def where_they_are(one: ContainerRecord, two: ContainerRecord, mode: Mode) -> str:
    """What is to be said of the nodes of two containers that were entangled; may be empty."""
    if one.node is None or two.node is None:
        return ""
    if mode == "same" and one.node != two.node:
        return f"{one.name} is on node {one.node} and {two.name} on {two.node}; rebalance may join them"
    if mode == "spread" and one.node == two.node:
        return f"both are on node {one.node}; rebalance spreads them where there are other nodes"
    return ""


def by_name(problem: RegisterError, records: Iterable[ContainerRecord]) -> RegisterError:
    """The same error: registers know containers by their ids, people by their names."""
    message, hint = problem.message, problem.hint
    for record in records:
        message = message.replace(f"container {record.id[:12]}", f"container {record.name!r}")
        hint = hint.replace(record.id, record.name)
    return RegisterError(message, hint=hint)
