"""Whether registers and relations of an imported state could be: states of qubits that physics has, in groups
that `entangle` makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qrealm.control.containers.possible_times import is_time
from qrealm.control.containers.values import ContainerRecord, Member, Register, Relation
from qrealm.simulate.sparse_density_faults import density_fault

AHEAD_S_MAX = 86_400.0
"""By how much the clock of who exported may be ahead of ours."""

Faults = Iterator[tuple[str, str]]
"""Places in the document, and what is wrong there."""


def register_faults(
    containers: Sequence[ContainerRecord], registers: Sequence[Register], now: float
) -> Faults:
    """What is wrong with registers; each container must be a member of one."""
    records = {record.id: record for record in containers}
    found: dict[str, int] = {}
    for number, register in enumerate(registers):
        place = f"registers[{number}]"
        for member in register.members:
            if (other := found.setdefault(member.container, number)) != number:
                yield place, f"container {_named(member, records)} is a member of registers[{other}], too"
            elif fault := _member_fault(member, records.get(member.container)):
                yield place, fault
        if len({member.container for member in register.members}) < len(register.members):
            yield place, "a container is a member of it twice"
        for name in ("time", "prepared_at"):
            at = getattr(register, name)
            if not is_time(at):
                yield f"{place}.{name}", f"{at:g} is no time"
            elif at > now + AHEAD_S_MAX:
                yield f"{place}.{name}", f"it is {at - now:,.0f} s ahead of the clock of this machine"
        if fault := density_fault(register.density):
            yield place, fault
    for number, record in enumerate(containers):
        if record.id not in found:
            yield f"containers[{number}] ({record.name})", "it is a member of no register"


def _named(member: Member, records: Mapping[str, ContainerRecord]) -> str:
    record = records.get(member.container)
    return f"{member.container:.12}" if record is None else record.name


def _member_fault(member: Member, record: ContainerRecord | None) -> str:
    if record is None:
        return f"its member {member.container!r:.80} is no container here"
    states = len(record.quantum.states)
    if member.num_states != states:
        return f"it has {member.num_states} states of {record.name}, which has {states}"
    if not 0.0 <= member.probability <= 1.0:
        return f"the probability {member.probability:g} of a member; it must be from 0 to 1"
    if member.probability != record.quantum.probability:
        return (
            f"it has {record.name} with the probability {member.probability:g}; the container declares "
            f"{record.quantum.probability:g}"
        )
    return ""


def relation_faults(
    containers: Sequence[ContainerRecord], relations: Sequence[Relation], registers: Sequence[Register]
) -> Faults:
    """What is wrong with relations: each container follows one other at most, and none itself."""
    records = {record.id: record for record in containers}
    group_of = {m.container: number for number, each in enumerate(registers) for m in each.members}
    followed: dict[str, int] = {}
    leaders: dict[str, str] = {}
    for number, tie in enumerate(relations):
        place = f"relations[{number}]"
        strange = [end for end in ("first", "second") if getattr(tie, end) not in records]
        if strange:
            yield f"{place}.{strange[0]}", f"{getattr(tie, strange[0])!r:.80} is no container here"
            return
        first, second = records[tie.first], records[tie.second]
        if tie.first == tie.second:
            yield place, f"{first.name} with itself; the rule is two containers"
        if fault := _relation_fault(tie, len(first.quantum.states), len(second.quantum.states)):
            yield place, fault
        if not is_time(tie.declared_at):
            yield f"{place}.declared_at", f"{tie.declared_at:g} is no time"
        if not tie.spent and group_of.get(tie.first) != group_of.get(tie.second):
            yield place, f"{first.name} and {second.name} share no register, and it is not spent"
        if (other := followed.setdefault(tie.second, number)) != number:
            yield place, f"{second.name} follows a container already, by relations[{other}]"
        leaders[tie.second] = tie.first
        if _root(tie.first, leaders) is None:
            yield place, f"{second.name} follows {first.name}, which follows it through others"


def _relation_fault(tie: Relation, first: int, second: int) -> str:
    if first != second:
        return f"containers with {first} and {second} states; the rule is as many states in both"
    if not 0 <= tie.shift < first:
        return f"the shift {tie.shift}; it must be from 0 to {first - 1}"
    if tie.shift and tie.mode != "spread":
        return f"the shift {tie.shift}, and its mode is {tie.mode!r}; only spread shifts"
    return ""


def _root(container: str, leaders: Mapping[str, str]) -> str | None:
    """Whom a container follows in the end; None where that leads in a circle."""
    seen = {container}
    while (leader := leaders.get(container)) is not None:
        if leader in seen:
            return None
        seen.add(leader)
        container = leader
    return container
