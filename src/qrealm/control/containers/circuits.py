"""`QuantumCircuitManager`: the registers of all containers, kept in the store, current when they are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from qrealm.base.errors import InternalError, RegisterError, TooLargeError
from qrealm.circuits import Circuit
from qrealm.control.containers.asking import check_gate_call
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.grouping import alike, contradicted, tied_together
from qrealm.control.containers.registers import (
    LASTING_ENTRIES_MAX,
    Entangled,
    all_mutual_information_bits,
    apply_gate,
    coherence_bits,
    coherence_share,
    dealt_evenly,
    decayed,
    entangle,
    entries_to_come,
    fresh_entries,
    measure,
    preparation_circuit,
    prepare_group,
    probabilities_at,
    purity,
    relations_without,
    simulator_of,
    without,
)
from qrealm.control.containers.reports import (
    DisentangleReport,
    EntangleReport,
    GateReport,
    MeasureReport,
    OverriddenOdds,
)
from qrealm.control.containers.ties import (
    PROBABILITY_SHOWN,
    by_name,
    disentangle,
    how_related,
    joint_odds,
    overridden,
    state_name,
    weak_relations,
    with_replaced,
)
from qrealm.control.containers.values import (
    MODES,
    ContainerRecord,
    Measured,
    Member,
    Mode,
    Register,
    Relation,
)
from qrealm.simulate.sparse_density_simulators import SparseSimulator

Made = TypeVar("Made")
Told = TypeVar("Told")

COHERENCE_FLOOR = 0.5
"""`maintenance` prepares a register again when less than this share of its coherence is left, see
`coherence_share`. Gates and measurements take none of it away."""

ENTRIES_TOLD_MAX = 1 << 18
"""Registers that may come to more entries are not decayed for what is only shown: 0.2 s."""

PAIRS_WORK_MAX = 1 << 25
"""Most entries that are gone through for the mutual information of all pairs of a register: 0.5 s."""

OVERTAKEN_MAX = 2
"""Times that a gate or an entanglement is computed anew because of what others did meanwhile."""


@dataclass(frozen=True)
class _Seen:
    """Containers, and what is computed from: their registers, each once, and the relations in force among the
    members; None where these do not count."""

    records: tuple[ContainerRecord, ...]
    registers: Sequence[Register]
    relations: tuple[Relation, ...] | None = None


class QuantumCircuitManager:
    """The registers of qubits of all containers.

    Every container's qubits belong to exactly one register; containers of one register are a group. A
    register in the store is the state at its `time`; whoever looks at it gets it with the decay since then.

    Odds relax by themselves, so what needs no more than them (listing, placing, measuring) works however
    large a register becomes. So does removing, because the others decay alike without the one that goes.
    """

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def register(self, reference: str) -> Register:
        """The register of a container's group at this moment."""
        return self._look(reference)[1]

    def registers(self) -> tuple[Register, ...]:
        """Those of all groups at this moment."""
        return tuple(self._now(register) for register in self._ctx.store.registers.all())

    def picture(self, node: str | None = None) -> tuple[tuple[ContainerRecord, ...], dict[str, Register]]:
        """All containers, and the register of each by its id, as they are written down together; registers of
        a node's containers alone when one is named. For `probabilities_in`, `coherence_of` and
        `entanglement_in`, which take the decay since into account."""
        store = self._ctx.store
        with store.snapshot():
            records, stored = store.containers.all(), store.registers.all()
        shown = {record.id for record in records if node in (None, record.node)}
        found: dict[str, Register] = {}
        for register in stored:
            if any(member.container in shown for member in register.members):
                found.update((member.container, register) for member in register.members)
        return records, found

    def group(self, reference: str) -> tuple[str, ...]:
        """Names of the containers that share a container's register, itself included, in the register's
        order."""
        with self._ctx.store.snapshot():
            record = self._ctx.store.containers.find(reference)
            names = self._names()
            return tuple(names[m.container].name for m in self._stored(record.id).members)

    def probabilities(self, reference: str) -> dict[str, float]:
        """Of each of a container's states at this moment; undeclared ones are named where they have any."""
        with self._ctx.store.snapshot():
            record = self._ctx.store.containers.find(reference)
            register = self._stored(record.id)
        return self.probabilities_in(register, record)

    def probabilities_in(self, register: Register, record: ContainerRecord) -> dict[str, float]:
        """Of each of a container's states, from the register that it has in the store, at this moment."""
        return self._probabilities(register, record, self._ctx.clock.now())

    def coherence_of(self, register: Register) -> tuple[float | None, float | None]:
        """Purity and relative entropy of coherence in bits of a register in the store, at this moment; None
        for what would take more than about half a second."""
        present = len(register.density.values)
        try:
            if present > ENTRIES_TOLD_MAX or entries_to_come(register) > ENTRIES_TOLD_MAX:
                return None, None
            now = self._shown(register)
        except TooLargeError:
            return None, None
        return purity(now), coherence_bits(now)

    def entanglement_in(self, register: Register) -> dict[tuple[str, str], float | None]:
        """Quantum mutual information in bits of every two containers of a register in the store, at this
        moment, by their ids; None as of `coherence_of`."""
        ctx = self._ctx
        count = len(register.members)
        if count * (count - 1) // 2 * len(register.density.values) > PAIRS_WORK_MAX:
            return dict.fromkeys(itertools.combinations([m.container for m in register.members], 2))
        return all_mutual_information_bits(register, ctx.clock.now(), ctx.t1_s, ctx.t2_s)

    def simulator_of(self, register: Register) -> str:
        """Name of the simulator that computes a register: qrealm's own where the chosen one takes no register
        of its size."""
        return simulator_of(self._ctx.simulator, register.num_qubits)

    def circuit(self, reference: str) -> Circuit:
        """The circuit that prepares a container's group as declared: without gates applied since, decay and
        measurements. Its qubits are those of the register."""
        with self._ctx.store.snapshot():
            register = self._stored(self._ctx.store.containers.find(reference).id)
            relations = self._relations(register.members)
        return preparation_circuit(register.members, relations)

    def measure(self, reference: str) -> MeasureReport:
        """Draw one joint outcome of the container's group. Every container of it is then in its own register,
        in the state that was found; the group's relations are spent until maintenance prepares it again."""
        ctx = self._ctx
        with ctx.store.transaction():
            record = ctx.store.containers.find(reference)
            names, stored, now = self._names(), self._stored(record.id), ctx.clock.now()
            weak = weak_relations(ctx, stored, now, names)
            drawn = measure(stored, ctx.random(), now, ctx.t1_s)
            ctx.store.registers.save(drawn.registers)
            ctx.store.relations.save(
                replace(relation, spent=True) for relation in ctx.store.relations.all(drawn.outcomes)
            )
            outcomes = {}
            for container, index in drawn.outcomes.items():
                other = names[container]
                outcomes[other.name] = state_name(other, index)
                told = Measured(outcomes[other.name], now)
                ctx.store.containers.save(replace(other, measured=told))
            told_all = ",".join(f"{name}={state}" for name, state in outcomes.items())
            ctx.tell("register", "measure", record.name, {"outcomes": told_all})
        return MeasureReport(record.name, outcomes[record.name], outcomes, drawn.probability, weak)

    def entangle(self, first: str, second: str, mode: str = "same") -> EntangleReport:
        """Make the second container follow the first: the same state, the opposite one, or another one.

        Raises:
            RegisterError: different numbers of states, a contradiction to a relation of the group, too many
                qubits.
        """
        checked = _mode(mode)

        def look() -> _Seen:
            one, two = self._ctx.store.containers.find(first), self._ctx.store.containers.find(second)
            if one.id == two.id:
                raise RegisterError(f"entangle got {one.name!r} twice; it takes two containers")
            registers = self._registers_of([one.id, two.id])
            return _Seen((one, two), registers, self._relations_of(registers))

        def write(seen: _Seen, joined: Entangled) -> EntangleReport:
            return self._related(seen, checked, joined)

        return self._settled(look, lambda seen: self._entangled(seen, checked), write)

    def _entangled(self, seen: _Seen, mode: Mode) -> Entangled:
        ctx = self._ctx
        now = ctx.clock.now()
        one, two = (record.id for record in seen.records)
        limit, simulator = ctx.config.num_qubits, ctx.simulator
        relations, current = seen.relations or (), lambda each: self._at(each, now)
        try:
            return entangle(seen.registers, relations, one, two, mode, now, limit, simulator, current)
        except RegisterError as problem:
            raise by_name(problem, self._names().values()) from problem

    def _related(self, seen: _Seen, mode: Mode, joined: Entangled) -> EntangleReport:
        """Write down what two containers were made to be; inside a transaction."""
        ctx = self._ctx
        names = self._names()
        one, two = (names[record.id] for record in seen.records)
        related = how_related(joined.relations_new or seen.relations or (), one, two, mode, names)
        note = related.note
        if not joined.already:
            before = ctx.store.relations.all()
            ctx.store.relations.delete(joined.relations_dropped)
            ctx.store.relations.save(joined.relations_new)
            ctx.store.relations.delete(contradicted(ctx.store.relations.all()))
            note = with_replaced(note, before, ctx.store.relations.all(), names)
            ctx.store.registers.save([joined.register, *joined.others])
            told = {"with": two.name, "mode": mode}
            if related.through:
                told["through"] = ",".join(related.through)
            ctx.tell("register", "entangle", one.name, told)
        return EntangleReport(
            one.name,
            two.name,
            mode,
            tuple(names[member.container].name for member in joined.register.members),
            joined.register.num_qubits,
            joined.already,
            joint_odds(joined.register, one, two),
            note,
            self._overridden(seen, joined, names),
            related.declared,
            related.through,
            ctx.config.decoherence_time_ms,
            ctx.config.relaxation_time_ms,
        )

    def _overridden(
        self, seen: _Seen, joined: Entangled, names: Mapping[str, ContainerRecord]
    ) -> dict[str, OverriddenOdds]:
        """Whose declared odds an entanglement has replaced."""
        before = {member.container: each for each in seen.registers for member in each.members}
        after = {member.container: joined.register for member in joined.register.members}
        records = [names[each] for each in after]
        return overridden(records, after, joined.register.time, self._ctx.t1_s, before)

    def disentangle(self, references: Sequence[str]) -> DisentangleReport:
        """End the relations that tie some containers to each other; see `ties.disentangle`."""
        return disentangle(self._ctx, references)

    def apply_gate(
        self, gate: str, references: Sequence[str], angle: float | None = None, qubit: int | None = 0
    ) -> GateReport:
        """Apply a gate to a container's qubits, or one of two qubits to a qubit of each of two containers.

        Args:
            gate: a name of the gate table, such as ``"X"``, ``"RY"`` or ``"CX"``.
            references: the containers, the control first.
            angle: radians; for rotations, and only for those.
            qubit: of each container, from 0, the lowest bit of its state's index; None for all of them.
        """
        check_gate_call(gate, references)

        def look() -> _Seen:
            records = tuple(self._ctx.store.containers.find(reference) for reference in references)
            return _Seen(records, self._registers_of([record.id for record in records]))

        def write(seen: _Seen, changed: Register) -> tuple[_Seen, Register]:
            self._ctx.store.registers.save([changed])
            told = {"gate": gate.upper(), **({} if angle is None else {"angle": repr(angle)})}
            if len(seen.records) > 1:
                told["with"] = ",".join(record.name for record in seen.records[1:])
            self._ctx.tell("register", "gate", seen.records[0].name, told)
            return seen, changed

        seen, changed = self._settled(look, lambda seen: self._turned(seen, gate, angle, qubit), write)
        names = tuple(record.name for record in seen.records)
        shares = {record.name: self._probabilities(changed, record, changed.time) for record in seen.records}
        return GateReport(gate.upper(), names, shares)

    def _turned(self, seen: _Seen, gate: str, angle: float | None, qubit: int | None) -> Register:
        ctx = self._ctx
        now = ctx.clock.now()
        targets = [(record.id, qubit) for record in seen.records]
        limit, simulator = ctx.config.num_qubits, ctx.simulator
        try:
            return apply_gate(
                seen.registers, gate, targets, angle, now, limit, simulator, lambda each: self._at(each, now)
            )
        except RegisterError as problem:
            raise by_name(problem, self._names().values()) from problem

    def _settled(
        self,
        look: Callable[[], _Seen],
        compute: Callable[[_Seen], Made],
        write: Callable[[_Seen, Made], Told],
    ) -> Told:
        """Compute from what is seen, outside the transaction, because large registers take seconds; look and
        write are inside. What others changed meanwhile is looked at again. After that has been so
        `OVERTAKEN_MAX` times, the others wait: who measures a member each second would hold up for ever
        what takes longer."""
        store = self._ctx.store
        for _ in range(OVERTAKEN_MAX):
            with store.transaction():
                seen = look()
            made = compute(seen)
            with store.transaction():
                if self._unchanged(seen):
                    return write(seen, made)
        with store.transaction():
            seen = look()
            return write(seen, compute(seen))

    def _unchanged(self, seen: _Seen) -> bool:
        """Whether the registers of some containers, and the relations in force among their members where they
        count, are still what was seen; inside a transaction."""
        ids = [record.id for record in seen.records]
        if any(self._ctx.store.registers.of(container) is None for container in ids):
            return False
        present = self._registers_of(ids)
        return (
            len(present) == len(seen.registers)
            and all(map(alike, seen.registers, present))
            and (seen.relations is None or self._relations_of(present) == seen.relations)
        )

    def drop(self, container_id: str) -> None:
        """Take a container out of its register, as if nobody looked at its qubits again; inside a
        transaction."""
        store = self._ctx.store
        register = store.registers.of(container_id)
        if register is not None:
            rest = without(register, container_id)
            store.registers.delete_of(container_id)
            if rest is not None:
                store.registers.save([rest])
            states = next(m.num_states for m in register.members if m.container == container_id)
            relations = store.relations.all()
            for spent in (False, True):
                these = [relation for relation in relations if relation.spent is spent]
                new, gone = relations_without(these, container_id, states)
                store.relations.delete(gone)
                store.relations.save(replace(relation, spent=spent) for relation in new)
            store.relations.delete(contradicted(store.relations.all()))

    def prepare_again(self, *, all_of_them: bool = False) -> tuple[str, ...]:
        """Prepare the groups again of which a register has lost its coherence, with all their relations,
        spent ones too; or every group. A register that has become too large to tell is prepared again. Names
        of their containers."""
        ctx = self._ctx
        renewed: list[str] = []
        # Outside the transaction, because large registers take seconds. One that changes meanwhile is left.
        looked_at = () if all_of_them else ctx.store.registers.all()
        in_force = [] if all_of_them else [r for r in ctx.store.relations.all() if not r.spent]
        known = {(each.members, each.time): self._has_faded(each, in_force) for each in looked_at}
        with ctx.store.transaction():
            names = self._names()
            registers = ctx.store.registers.all()
            members = [member for register in registers for member in register.members]
            relations = ctx.store.relations.all()
            faded = {
                member.container
                for register in registers
                if all_of_them or known.get((register.members, register.time), False)
                for member in register.members
            }
            for tied in tied_together(members, relations, registers):
                if not faded.isdisjoint(member.container for member in tied):
                    self._prepare(tied, relations)
                    group = [names[member.container].name for member in tied]
                    renewed.extend(group)
                    for member in tied:  # the outcome was that of the state before
                        ctx.store.containers.save(replace(names[member.container], measured=None))
                    ctx.tell("register", "prepare", group[0], {"group": ",".join(group)})
        return tuple(renewed)

    def _prepare(self, tied: Sequence[Member], relations: Sequence[Relation]) -> None:
        """Prepare some containers as declared; those that only a gate had joined are alone again."""
        ctx = self._ctx
        ids = {member.container for member in tied}
        mine = [relation for relation in relations if relation.first in ids]
        num_qubits = sum(member.num_qubits for member in tied)
        if num_qubits > ctx.config.num_qubits or fresh_entries(tied, mine) > LASTING_ENTRIES_MAX:
            # Together only over relations that are spent: as one group they would be too many.
            ctx.store.relations.delete(relation for relation in mine if relation.spent)
            mine = [relation for relation in mine if not relation.spent]
        states = {member.container: member.num_states for member in tied}
        declared = dealt_evenly([replace(relation, spent=False) for relation in mine], states)
        fresh = [
            prepare_group(members, declared, ctx.clock.now())
            for members in tied_together(tied, declared, ())
        ]
        ctx.store.registers.save(fresh)
        ctx.store.relations.save(declared)

    def _has_faded(self, register: Register, relations: Sequence[Relation]) -> bool:
        try:
            return coherence_share(register, self._shown(register), relations) < COHERENCE_FLOOR
        except TooLargeError as problem:
            log.warning("a register is prepared again: %s", problem.message)
            return True

    def _probabilities(self, register: Register, record: ContainerRecord, now: float) -> dict[str, float]:
        states = record.quantum.states
        found = dict.fromkeys(states, 0.0)
        for index, share in enumerate(probabilities_at(register, record.id, now, self._ctx.t1_s).tolist()):
            if index < len(states) or share > PROBABILITY_SHOWN:
                found[state_name(record, index)] = share
        return found

    def _relations(self, members: Iterable[Member]) -> tuple[Relation, ...]:
        """The relations in force among some containers."""
        found = self._ctx.store.relations.all([member.container for member in members])
        return tuple(relation for relation in found if not relation.spent)

    def _look(self, reference: str) -> tuple[ContainerRecord, Register]:
        """A container and its register at this moment, as they are together."""
        with self._ctx.store.snapshot():
            record = self._ctx.store.containers.find(reference)
            stored = self._stored(record.id)
        return record, self._now(stored)

    def _stored(self, container_id: str) -> Register:
        register = self._ctx.store.registers.of(container_id)
        if register is None:
            raise InternalError(f"container {container_id[:12]} has no register")
        return register

    def _now(self, register: Register) -> Register:
        return self._at(register, self._ctx.clock.now())

    def _at(self, register: Register, now: float) -> Register:
        ctx = self._ctx
        if self.simulator_of(register) != ctx.simulator.name:
            log.warning(
                "a register of %d qubits is computed by %s: the simulation backend %s takes up to %d",
                register.num_qubits,
                self.simulator_of(register),
                ctx.simulator.name,
                ctx.simulator.qubits_max,
            )
        return decayed(register, now, ctx.t1_s, ctx.t2_s, ctx.simulator)

    def _shown(self, register: Register) -> Register:
        """A register at this moment for what is only looked at: by qrealm's own simulator, the quickest of
        them, whatever the backend. The numbers are the same."""
        ctx = self._ctx
        return decayed(register, ctx.clock.now(), ctx.t1_s, ctx.t2_s, SparseSimulator())

    def _registers_of(self, ids: Iterable[str]) -> list[Register]:
        """The registers of some containers, each once, as they are in the store."""
        stored = [self._stored(container) for container in ids]
        return list({register.members[0].container: register for register in stored}.values())

    def _relations_of(self, registers: Iterable[Register]) -> tuple[Relation, ...]:
        return self._relations(member for register in registers for member in register.members)

    def _names(self) -> Mapping[str, ContainerRecord]:
        return {record.id: record for record in self._ctx.store.containers.all()}


def _mode(mode: str) -> Mode:
    for known in MODES:
        if mode == known:
            return known
    raise RegisterError(f"entangle got the mode {mode!r:.40}; it must be one of {', '.join(MODES)}")
