"""What the registers of containers are, as the model of the property test has it.

States are dense matrices of `tests.reference.groups`. Where docs/registers.md leaves a choice (which state a
spread container is dealt, who leads once a leader is removed), the engine's is taken over once it is found to
be allowed.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.property import container_relations as ways
from tests.property.container_relations import in_force
from tests.reference.groups import Group, Part, controlled, gate_matrix

CLOSE = 1e-9
WEAK = 0.9
"""A relation that held with less is told by a measurement; `CLOSE` to this, either is right."""

KEPT = 1e-9
"""A relation that fails with a smaller probability holds; about this, either is right."""

FADED = 0.5
UNSURE = 1e-6


class Quantum:
    """Groups and relations of all containers."""

    def __init__(self, clock, t1_s, t2_s, limit):
        self.clock, self.t1_s, self.t2_s, self.limit = clock, t1_s, t2_s, limit
        self.parts = {}
        self.groups = []
        self.ties = []

    @property
    def force(self):
        return in_force(self.ties)

    def group(self, name):
        return next(group for group in self.groups if name in group.names)

    def now(self, group):
        return group.decayed(self.clock.now(), self.t1_s, self.t2_s)

    def put(self, group, *gone):
        self.groups = [each for each in self.groups if each not in gone]
        self.groups.append(group)

    def create(self, name, states, chance):
        self.parts[name] = part = Part(name, states, chance)
        self.groups.append(Group.prepared(part, self.clock.now()))

    # Gates and measurements.

    def refuses_gate(self, names, qubit):
        parts = [self.parts[name] for name in names]
        if len(set(names)) < len(names):
            return True
        if qubit is None and len(parts) > 1 and any(part.qubits > 1 for part in parts):
            return True
        if any(qubit is not None and qubit >= part.qubits for part in parts):
            return True
        groups = {id(group): group for group in map(self.group, names)}
        return len(groups) > 1 and sum(group.qubits for group in groups.values()) > self.limit

    def turn(self, gate, name, angle, qubit):
        group, part = self.group(name), self.parts[name]
        turned = self.now(group)
        for each in range(part.qubits) if qubit is None else [qubit]:
            turned = turned.turned(part.gate(gate_matrix(gate, angle), each), [name])
        self.put(turned, group)

    def control(self, gate, one, other, qubit):
        groups = self.group(one), self.group(other)
        both = self.now(groups[0])
        if groups[0] is not groups[1]:
            both = both.joined(self.now(groups[1]))
        matrix = controlled(gate, self.parts[one], qubit or 0, self.parts[other], qubit or 0)
        self.put(both.turned(matrix, [one, other]), *groups)

    def collapse(self, name, outcomes, probability):
        """A measurement has told this, by basis index; the group is spent."""
        group = self.now(self.group(name))
        assert outcomes.keys() == set(group.names)
        chance = group.diagonal[tuple(outcomes[each] for each in group.names)]
        assert chance > 0.0, (outcomes, group.diagonal)
        assert probability == pytest.approx(chance, abs=CLOSE)
        self.groups = [each for each in self.groups if name not in each.names]
        self.groups += [Group.alone(part, outcomes[part.name], group.time) for part in group.parts]
        self.ties = [
            replace(tie, spent=True) if {tie.first, tie.second} & outcomes.keys() else tie
            for tie in self.ties
        ]

    # Relations.

    def refuses_entangling(self, one, other, mode):
        states = self.parts[one].states
        if one == other or self.parts[other].states != states:
            return True
        otherwise = ways.says_otherwise(one, other, mode, self.force, states)
        if otherwise is not None:
            return otherwise
        here, there = self.group(one), self.group(other)
        more = sum(self.parts[name].qubits for name in ways.joined(other, self.force))
        return here is not there and here.qubits + more > self.limit

    def entangle(self, one, other, mode, told, already=None):
        """Has a container follow another; `told` are the relations that the engine has then."""
        states = self.parts[one].states
        if ways.says_otherwise(one, other, mode, self.force, states) is not None:
            return self.follow_again(one, other, already)
        side = sorted(ways.joined(other, self.force))
        dealt = ways.spread_over(one, self.force)
        more = len(ways.spread_over(other, self.force))
        ties = [tie for tie in self.force if tie.first not in side]
        link = ways.Tie(one, other, mode, 0, False, states)
        again = [*ways.turned_to(other, self.force), link]
        if mode == "spread":
            shifts = {(tie.first, tie.second): tie.shift for tie in told}
            spread = ways.spread_over(other, self.force)
            for place, tie in enumerate(again):
                if tie.mode == "spread" and (tie is link or tie.first in spread):
                    again[place] = replace(tie, shift=shifts.get((tie.first, tie.second), 1))
        ties += again
        if mode == "spread" and told:
            counts = ways.shares(ways.spread_over(one, ties), states)
            assert counts == ways.dealt_on(dealt, more, states)
        here, there = self.group(one), self.group(other)
        left = None if here is there else self.now(there).without([n for n in there.names if n in side])
        images = ways.images_from(one, ties, self.parts[one].size)
        joint = self.now(here).following(one, {self.parts[name]: images[name] for name in side})
        self.put(joint, here, there)
        if left is not None:
            self.groups.append(left)
        spent = [tie for tie in self.ties if tie.spent]
        self.ties = [*ties, *(tie for tie in told if tie.spent)]
        # The very two may have had a spent relation, which is in force again or replaced.
        ways.check_spent([tie for tie in spent if (tie.first, tie.second) != (one, other)], self.ties)
        return False

    def astray(self, group, one, other, images):
        """Probability that the state of the other is not the one that belongs to the first's."""
        both = group.without([name for name in group.names if name not in (one, other)])
        assert both is not None
        shares = both.diagonal if both.names[0] == one else both.diagonal.T
        return 1.0 - float(sum(shares[index, image] for index, image in enumerate(images)))

    def holds(self, tie, group=None):
        """Probability that a relation would be found to hold, now or in its group as given; None where it is
        spent."""
        if tie.spent:
            return None
        group = self.now(self.group(tie.first)) if group is None else group
        images = map(tie.image, range(self.parts[tie.first].size))
        return 1.0 - self.astray(group, tie.first, tie.second, images)

    def check_weak(self, name, told):
        """A measurement of a container is about to collapse its group; it has told these to be weak."""
        stored = self.group(name)
        ties = {(tie.first, tie.second, tie.mode): tie for tie in self.force if tie.first in stored.names}
        holds = {key: self.holds(tie) for key, tie in ties.items()}
        weak = {(each.first, each.second, each.mode): each for each in told}
        assert len(weak) == len(told)
        assert {key for key, share in holds.items() if share < WEAK - CLOSE} <= weak.keys()
        assert weak.keys() <= {key for key, share in holds.items() if share < WEAK + CLOSE}
        assert [each.holds for each in told] == sorted(each.holds for each in told)
        for key, each in weak.items():
            assert each.holds == pytest.approx(holds[key], abs=CLOSE)
            before = self.holds(ties[key], stored)
            assert each.decayed is (before >= WEAK) or abs(before - WEAK) < CLOSE

    def follow_again(self, one, other, already):
        """What is declared holds: whoever strays from it follows again. Whether it was kept."""
        group = self.now(self.group(one))
        images = ways.images_from(one, self.force, self.parts[one].size)[other]
        astray = self.astray(group, one, other, images)
        kept = astray <= KEPT
        if already is not None and KEPT / 10 < astray < KEPT * 10:
            kept = already
        if kept:
            return True
        above = [[end, *ways.leaders_of(end, self.force)] for end in (one, other)]
        leader = next(name for name in above[0] if name in above[1])
        tops = [chain[chain.index(leader) - 1] for chain in above if chain[0] != leader]
        again = {name for top in tops for name in (top, *ways.below(top, self.force))}
        images = ways.images_from(leader, self.force, self.parts[leader].size)
        again = {self.parts[name]: images[name] for name in sorted(again)}
        self.put(group.following(leader, again), self.group(one))
        return False

    def refuses_disentangling(self, names):
        if len(set(names)) < len(names) or len(names) < 2:
            return True
        left = [tie for tie in self.ties if not {tie.first, tie.second} <= set(names)]
        return any(ways.joined(name, left) & set(names) != {name} for name in names)

    def disentangle(self, names):
        """Ends relations; those that were."""
        ended = [tie for tie in self.ties if {tie.first, tie.second} <= set(names)]
        self.ties = [tie for tie in self.ties if tie not in ended]
        return ended

    def remove(self, names, told):
        """Containers go; `told` are the relations that the engine has then."""
        for name in names:
            group = self.group(name)
            rest = group.without([name])
            self.groups = [each for each in self.groups if each is not group]
            if rest is not None:
                self.groups.append(rest)
            del self.parts[name]
        ways.check_forest(told)
        ways.check_removed(self.force, in_force(told), set(names))
        for tie in told:
            if tie.spent and tie not in self.ties:
                old = [each for each in self.ties if each.spent]
                says = ways.images_from(tie.first, old, tie.states)[tie.second]
                assert says == tuple(map(tie.image, range(tie.states)))
        for tie in self.ties:
            if tie.spent and tie not in told and not {tie.first, tie.second} & set(names):
                assert tie.second in ways.joined(tie.first, told) or ways.leader_of(tie.second, told)
        self.ties = list(told)

    # Maintenance.

    def components(self):
        """Names that relations or groups hold together."""
        found = [set(group.names) for group in self.groups]
        for tie in self.ties:
            ends = [each for each in found if {tie.first, tie.second} & each]
            found = [each for each in found if each not in ends] + [set().union(*ends)]
        return found

    def faded(self, group):
        """Whether less than half of its coherence is left; None where that is a matter of rounding."""
        present = self.now(group)
        left = [1.0]
        if group.coherence() > 1e-12:
            left.append(present.coherence() / group.coherence())
        force, roots = self.force, []
        for part in group.parts:
            if ways.leader_of(part.name, force) is None:
                roots.append(float(np.sum(part.declared() ** 2)))
        most = max(1.0 - float(np.sum(group.diagonal**2)), 1.0 - math.prod(roots))
        if most > 1e-12:
            left.append(1.0 - (1.0 - present.purity()) / most)
        share = min(left)
        return None if abs(share - FADED) < UNSURE else share < FADED

    def maintain(self, prepared, told, renew):
        """Maintenance says that it prepared these again."""
        for names in self.components():
            fades = [self.faded(group) for group in self.groups if set(group.names) <= names]
            again = bool(names & set(prepared))
            assert names <= set(prepared) or not again
            assert again is (renew or True in fades) or (None in fades and True not in fades)
            if again:
                self.prepare(names, [tie for tie in told if tie.first in names])
        assert sorted(map(str, self.ties)) == sorted(map(str, told))

    def prepare(self, names, told):
        ties = [tie for tie in self.ties if tie.first in names]
        if sum(self.parts[name].qubits for name in names) > self.limit:
            ties = in_force(ties)  # together only over what was spent
        ways.check_dealt([replace(tie, spent=False) for tie in ties], told)
        self.ties = [tie for tie in self.ties if tie.first not in names] + told
        self.groups = [group for group in self.groups if group.names[0] not in names]
        for root in sorted(names):
            if ways.leader_of(root, told) is None:
                images = ways.images_from(root, told, self.parts[root].size)
                fresh = Group.prepared(self.parts[root], self.clock.now())
                others = {self.parts[name]: images[name] for name in sorted(images) if name != root}
                self.groups.append(fresh.following(root, others))
