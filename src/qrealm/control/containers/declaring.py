"""What containers and their relations will be once a cluster is made, with nothing changed yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qrealm.base.errors import QrealmError, RegisterError, TooLargeError
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context
from qrealm.control.containers.grouping import contradicted
from qrealm.control.containers.registers import ContradictionError, entangle, joint_probabilities, prepare
from qrealm.control.containers.values import ContainerRecord, Member, Mode, Register, Relation


class Tie(NamedTuple):
    """Names of two containers, the first of which leads, how they are to be entangled, and which place of a
    file says so."""

    first: str
    second: str
    mode: Mode
    place: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """Relations and registers as they will be.

    Attributes:
        registers: of the containers that are to be made, each by itself, in their order.
        relations: all of them, declared ones and those that are there.
        probabilities: that the next `run` starts it, by the ids of all containers that are to be made or
            entangled.
    """

    registers: tuple[Register, ...]
    relations: tuple[Relation, ...]
    probabilities: Mapping[str, float]


def expected(
    context: Context,
    circuits: QuantumCircuitManager,
    coming: Sequence[ContainerRecord],
    ties: Sequence[Tie] = (),
) -> Expected:
    """What entangling some containers, of which some are not there yet, will come to.

    A container that follows another one takes its probabilities, so a placement cannot go by the declared
    ones.

    Raises:
        RegisterError, TooLargeError: a container or a relation cannot be.
    """
    now, store = context.clock.now(), context.store
    fresh = {c.id: prepare(member_of(c), now, context.simulator) for c in coming}
    registers = dict(fresh)
    relations = list(store.relations.all())
    by_name = {record.name: record for record in (*store.containers.all(), *coming)}
    for tie in ties:
        one, two = by_name[tie.first].id, by_name[tie.second].id
        for each in (one, two):
            if each not in registers:
                there = circuits.register(each)
                registers.update((member.container, there) for member in there.members)
        held = list({id(registers[each]): registers[each] for each in (one, two)}.values())
        inside = {member.container for register in held for member in register.members}
        try:
            joined = entangle(
                held,
                [r for r in relations if not r.spent and r.first in inside],
                one,
                two,
                tie.mode,
                now,
                context.config.num_qubits,
                context.simulator,
            )
        except (RegisterError, TooLargeError) as problem:
            _place(problem, tie, by_name)
            raise
        gone = {(r.first, r.second) for r in (*joined.relations_dropped, *joined.relations_new)}
        relations = [r for r in relations if (r.first, r.second) not in gone] + list(joined.relations_new)
        replaced = contradicted(relations)
        relations = [r for r in relations if r not in replaced]
        for register in (joined.register, *joined.others):
            registers.update((member.container, register) for member in register.members)
    shares = {each: joint_probabilities(register, [each]) for each, register in registers.items()}
    return Expected(
        tuple(fresh.values()),
        tuple(relations),
        {each: share.get((0,), 0.0) for each, share in shares.items()},
    )


def _place(problem: QrealmError, tie: Tie, records: Mapping[str, ContainerRecord]) -> None:
    """Add to an error whose tie it is about, and where that stands; and name those that it names by id."""
    said = f"{tie.first} and {tie.second}: {problem.message}"
    for name, record in records.items():
        said = said.replace(f"container {record.id[:12]}", f"container {name!r}")
    problem.message = f"{tie.place}: {said}" if tie.place else said
    problem.args = (problem.message, *problem.args[1:])
    if isinstance(problem, ContradictionError):
        problem.hint = "it contradicts another line, or a relation that is there; leave one of them out"


def member_of(record: ContainerRecord) -> Member:
    """A container's share of a register."""
    return Member(record.id, len(record.quantum.states), record.quantum.probability)
