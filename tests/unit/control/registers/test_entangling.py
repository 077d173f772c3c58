"""Entangling: what was declared holds in every outcome, coherently, and the first keeps its probabilities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import RegisterError, TooLargeError
from qrealm.control.containers import registers as rg
from qrealm.control.containers.grouping import contradicted, tied_together
from qrealm.control.containers.values import Member, Register, Relation
from qrealm.simulate.sparse_density import to_dense

OURS = rg.find_simulator("qrealm")


class World:
    """Registers and relations as whoever keeps them would."""

    def __init__(self, num_containers: int, num_states: int, probabilities=(0.2, 0.5, 0.7)) -> None:
        self.k = num_states
        self.registers: list[Register] = []
        self.relations: list[Relation] = []
        self.now = 0.0
        for i in range(num_containers):
            member = Member("abcdefgh"[i], num_states, probabilities[i % len(probabilities)])
            self.registers.append(rg.prepare(member, 0.0, OURS))

    def register(self, name: str) -> Register:
        return next(r for r in self.registers if any(m.container == name for m in r.members))

    def entangle(self, first: str, second: str, mode: str, limit: int = 16) -> rg.Entangled:
        held = list({id(r): r for r in (self.register(first), self.register(second))}.values())
        found = rg.entangle(held, self.relations, first, second, mode, self.now, limit, OURS)  # type: ignore[arg-type]
        self.registers = [r for r in self.registers if r not in held]
        self.registers += [found.register, *found.others]
        self.relations = [r for r in self.relations if r not in found.relations_dropped]
        self.relations += found.relations_new
        return found

    def spend(self, names: Sequence[str]) -> None:
        """As after a measurement: these are alone again, and nothing ties them."""
        self.relations = [each for each in self.relations if each.first not in names]
        for register in [r for r in self.registers if any(m.container in names for m in r.members)]:
            self.registers.remove(register)
            self.registers += [rg.prepare(member, self.now, OURS) for member in register.members]

    def decay(self, seconds: float) -> None:
        self.now += seconds
        self.registers = [rg.decayed(r, self.now, 2.0, 1.0, OURS) for r in self.registers]

    def gate(self, name: str, *targets: str, angle: float | None = None) -> None:
        held = list({id(r): r for r in map(self.register, targets)}.values())
        made = rg.apply_gate(held, name, [(t, 0) for t in targets], angle, self.now, 16, OURS)
        self.registers = [*(r for r in self.registers if r not in held), made]

    def remove(self, name: str) -> None:
        register = self.register(name)
        left = rg.without(register, name)
        self.registers = [r for r in self.registers if r is not register] + ([left] if left else [])
        new, gone = rg.relations_without(self.relations, name, self.k)
        self.relations = [*(r for r in self.relations if r not in gone), *new]

    def holds(self, relation: Relation) -> bool:
        joint = rg.joint_probabilities(self.register(relation.first), [relation.first, relation.second])

        def follower(x: int) -> int:
            if relation.mode == "opposite":
                return self.k - 1 - x
            return (x + relation.shift) % self.k

        return all(y == follower(x) for x, y in joint)


def chances(world: World, name: str):
    return rg.probabilities(world.register(name), name)


def root_of(world: World, name: str) -> str:
    """Who leads a container, directly or over others; itself where it follows nobody."""
    leader = {relation.second: relation.first for relation in world.relations}
    while name in leader:
        name = leader[name]
    return name


@pytest.mark.parametrize(
    "mode, outcomes", [("same", {(0, 0): 0.2, (1, 1): 0.8}), ("opposite", {(0, 1): 0.2, (1, 0): 0.8})]
)
def test_two_states_become_a_coherent_pair(mode, outcomes):
    world = World(2, 2)
    found = world.entangle("a", "b", mode)
    assert rg.joint_probabilities(found.register, ["a", "b"]) == pytest.approx(outcomes)
    assert rg.purity(found.register) == pytest.approx(1)
    entropy = -(0.2 * math.log2(0.2) + 0.8 * math.log2(0.8))
    assert rg.mutual_information_bits(found.register, "a", "b") == pytest.approx(2 * entropy)
    assert found.relations_new == (Relation("a", "b", mode, 0, 0.0),)
    assert found.relations_dropped == found.others == ()
    assert not found.already


def test_spread_deals_every_state_once():
    world = World(3, 3)
    world.entangle("a", "b", "spread")
    world.entangle("b", "c", "spread")
    joint = rg.joint_probabilities(world.register("a"), ["a", "b", "c"])
    assert joint == pytest.approx({(0, 1, 2): 0.2, (1, 2, 0): 0.4, (2, 0, 1): 0.4})


@settings(max_examples=60)
@given(st.integers(2, 5), st.data())
def test_whatever_is_entangled_in_whatever_order_what_was_declared_holds(k, data):
    world = World(5 if k < 5 else 4, k)
    names = "abcdefgh"[: len(world.registers)]
    pairs = st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True)
    for _ in range(data.draw(st.integers(1, 6))):
        what = data.draw(st.sampled_from(["entangle", "entangle", "entangle", "decay", "gate"]))
        if what == "decay":
            world.decay(data.draw(st.sampled_from([1e-6, 0.2, 100.0])))
            continue
        first, second = data.draw(pairs)
        if what == "gate":
            world.gate("cx", first, second)
            continue
        mode = data.draw(st.sampled_from(["same", "opposite", "spread"]))
        leaders = root_of(world, first), root_of(world, second)
        before = {name: chances(world, name) for name in (first, *leaders)}
        declared = list(world.relations)
        try:
            found = world.entangle(first, second, mode)
        except RegisterError as problem:
            assert "otherwise" in str(problem)  # noqa: PT017
            continue
        if leaders[0] == leaders[1]:
            assert not found.relations_new
            assert world.relations == declared
            assert chances(world, leaders[0]) == pytest.approx(before[leaders[0]], abs=1e-9)
        else:
            assert chances(world, first) == pytest.approx(before[first], abs=1e-9)
    roots = Counter(relation.second for relation in world.relations)
    assert all(count == 1 for count in roots.values())
    # Prepared anew by the same relations, every one holds.
    for register in list(world.registers):
        fresh = rg.prepare_group(register.members, world.relations, 0.0)
        world.registers[world.registers.index(register)] = fresh
        assert rg.fresh_fidelity(fresh, world.relations) == pytest.approx(1)
    assert all(world.holds(relation) for relation in world.relations)


@settings(max_examples=40)
@given(st.integers(2, 4), st.lists(st.integers(0, 24), min_size=3, max_size=8))
def test_spread_is_even_in_every_outcome(k, choices):
    """However groups grow into each other: each state is had by floor or ceil of m/k containers."""
    world = World(5, k)
    for choice in choices:
        first, second = "abcde"[choice // 5], "abcde"[choice % 5]
        if first != second:
            world.entangle(first, second, "spread")
        for register in world.registers:
            names = [member.container for member in register.members]
            for outcome in rg.joint_probabilities(register, names):
                counts = [outcome.count(state) for state in range(k)]
                assert max(counts) - min(counts) <= 1


def is_even(registers, relations, k):
    """Whether, in every outcome, each state is had as often as can be by those who are spread together."""
    for names in components(each for each in relations if each.mode == "spread"):
        (register,) = (r for r in registers if names[0] in [m.container for m in r.members])
        for outcome in rg.joint_probabilities(register, names):
            counts = [outcome.count(state) for state in range(k)]
            if max(counts) - min(counts) > 1:
                return False
    return True


def components(relations):
    found: list[set[str]] = []
    for each in relations:
        met = [names for names in found if each.first in names or each.second in names]
        found = [names for names in found if names not in met] + [{each.first, each.second}.union(*met)]
    return [sorted(names) for names in found]


@settings(max_examples=200)
@given(st.integers(2, 4), st.data())
def test_what_is_spread_is_even_now_and_when_all_is_in_force_again(k, data):
    """Whatever was measured in between: what is spent ties nothing now, and counts again at renewal."""
    world = World(6, k)
    spent: list[Relation] = []
    for _ in range(data.draw(st.integers(2, 9))):
        if data.draw(st.integers(0, 3)) == 0:
            group = data.draw(st.sampled_from([None, *components(world.relations)]))
            spent += [each for each in world.relations if group is not None and each.first in group]
            world.spend(group or [])
            continue
        first, second = data.draw(st.permutations("abcdef"))[:2]
        mode = data.draw(st.sampled_from(["spread", "spread", "same"]))
        with suppress(rg.ContradictionError):
            world.entangle(first, second, mode)
        assert is_even(world.registers, world.relations, k)
        replaced = contradicted([*world.relations, *(replace(each, spent=True) for each in spent)])
        gone = {(each.first, each.second) for each in replaced}
        spent = [each for each in spent if (each.first, each.second) not in gone]
    now = {(each.first, each.second): each for each in [*spent, *world.relations]}
    members = [Member(name, k, 0.3) for name in "abcdef"]
    again = rg.dealt_evenly(list(now.values()), dict.fromkeys("abcdef", k))
    assert {(r.first, r.second, r.mode) for r in again} == {(r.first, r.second, r.mode) for r in now.values()}
    assert rg.dealt_evenly(again, dict.fromkeys("abcdef", k)) == again
    fresh = [rg.prepare_group(group, again, 0.0) for group in tied_together(members, again, ())]
    assert is_even(fresh, again, k)


def test_what_is_dealt_evenly_already_is_left():
    dealt = [Relation("a", "b", "spread", 2), Relation("b", "c", "opposite"), Relation("c", "d", "spread", 1)]
    assert rg.dealt_evenly(dealt, dict.fromkeys("abcd", 3)) == dealt


def test_circles_and_second_leaders_of_older_versions_are_left():
    circle = [Relation("a", "b", "same"), Relation("b", "a", "same")]
    assert rg.dealt_evenly(circle, dict.fromkeys("ab", 2)) == circle
    both = [Relation("a", "c", "same"), Relation("b", "c", "spread", 1)]
    assert rg.dealt_evenly(both, dict.fromkeys("abc", 2)) == both


def test_a_circle_of_older_versions_is_mended_from_the_first():
    world = World(2, 2)
    world.entangle("a", "b", "same")
    world.relations.append(Relation("b", "a", "same"))
    world.gate("X", "b")
    assert not world.entangle("a", "b", "same").already
    assert world.holds(world.relations[0])


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["same", "opposite", "spread"]), min_size=3, max_size=3), st.integers(0, 3))
def test_groups_are_joined_with_all_their_relations(modes, second):
    world = World(4, 4)
    world.entangle("a", "b", modes[0])
    world.entangle("c", "d", modes[1])
    before = chances(world, "b")
    world.entangle("b", "dccd"[second], modes[2])
    assert len(world.registers) == 1
    assert len(world.relations) == 3
    assert all(world.holds(relation) for relation in world.relations)
    assert chances(world, "b") == pytest.approx(before)
    assert rg.purity(world.registers[0]) == pytest.approx(1)


def test_entangling_twice_does_nothing_and_after_decay_it_mends():
    world = World(3, 2)
    world.entangle("a", "b", "same")
    world.entangle("b", "c", "opposite")
    again = world.entangle("a", "b", "same")
    assert again.already
    assert again.register is world.register("a")
    assert world.entangle("a", "c", "opposite").already  # implied by the two others
    assert world.entangle("b", "a", "same").already  # the other way round
    world.decay(0.5)
    assert not world.holds(Relation("a", "c", "opposite"))
    before = chances(world, "a")
    mended = world.entangle("a", "c", "opposite")
    assert not mended.already
    assert mended.relations_new == mended.relations_dropped == ()
    assert chances(world, "a") == pytest.approx(before)
    assert all(world.holds(relation) for relation in world.relations)
    assert world.holds(Relation("a", "c", "opposite"))


def test_a_leader_that_is_named_second_still_leads():
    world = World(3, 3)
    world.entangle("a", "b", "spread")
    world.entangle("b", "c", "same")
    declared, led = list(world.relations), chances(world, "a")
    world.decay(0.5)
    relaxed = chances(world, "a")
    assert relaxed == pytest.approx(led), "it declares what it has"
    found = world.entangle("b", "a", "spread")
    assert not found.already
    assert found.relations_new == found.relations_dropped == ()
    assert world.relations == declared
    assert chances(world, "a") == pytest.approx(led)
    assert all(world.holds(relation) for relation in declared)


@pytest.mark.parametrize("seconds", [1e-6, 0.5, 1000.0])
def test_a_redundant_relation_of_two_followers_leaves_their_leader(seconds):
    """T1 is 2 s: from hardly relaxed to relaxed altogether."""
    world = World(3, 2, (0.2, 0.9, 0.6))
    world.entangle("a", "b", "same")
    world.entangle("a", "c", "opposite")
    declared = list(world.relations)
    world.decay(seconds)
    found = world.entangle("b", "c", "spread")
    assert not found.already
    assert found.relations_new == found.relations_dropped == ()
    assert rg.joint_probabilities(found.register, ["a", "b", "c"]) == pytest.approx(
        {(0, 0, 1): 0.2, (1, 1, 0): 0.8}
    )
    fresh = rg.prepare_group(found.register.members, world.relations, world.now)
    assert world.relations == declared
    assert rg.joint_probabilities(fresh, ["a", "b", "c"]) == pytest.approx({(0, 0, 1): 0.2, (1, 1, 0): 0.8})


def test_only_the_ways_to_the_two_follow_again():
    """a leads b and c; b leads d, c leads e; f follows a. Only what is below b and c is mended."""
    world = World(6, 2, (0.2, 0.9, 0.6))
    for first, second in ("ab", "ac", "bd", "ce", "af"):  # f declares 0.6
        world.entangle(first, second, "same")
    world.decay(1000.0)
    before = {name: chances(world, name) for name in "af"}
    found = world.entangle("d", "c", "same")
    assert found.relations_new == found.relations_dropped == ()
    for name in "af":
        assert chances(world, name) == pytest.approx(before[name])
    assert all(world.holds(Relation("a", name, "same")) for name in "bcde")
    assert not world.holds(Relation("a", "f", "same"))


def test_a_direct_relation_again_keeps_what_a_gate_has_made_of_the_first():
    world = World(3, 2, (0.2,))
    world.entangle("a", "b", "same")
    world.entangle("b", "c", "same")
    world.gate("x", "b")
    found = world.entangle("b", "c", "same")
    assert rg.joint_probabilities(found.register, ["a", "b", "c"]) == pytest.approx(
        {(0, 1, 1): 0.2, (1, 0, 0): 0.8}
    )


def test_mending_that_would_not_fit_once_it_decays_is_refused():
    """Twenty-two that were declared to be one state for sure, until a gate turned their leader."""
    members = [Member(f"{i:02d}", 2, 1.0) for i in range(22)]
    relations = [Relation("00", "01", "same")]
    relations += [Relation("01", member.container, "same") for member in members[2:]]
    group = rg.prepare_group(members, relations, 0.0)
    turned = rg.apply_gate([group], "h", [("00", 0)], None, 0.0, 31, OURS)
    with pytest.raises(TooLargeError, match="entangle"):
        rg.entangle([turned], relations, "00", "01", "same", 0.0, 31, OURS)


@pytest.mark.parametrize("k, mode", [(2, "opposite"), (2, "spread"), (3, "opposite"), (3, "spread")])
def test_what_contradicts_is_refused(k, mode):
    world = World(2, k)
    world.entangle("a", "b", "same")
    with pytest.raises(RegisterError, match="say otherwise") as problem:
        world.entangle("a", "b", mode)
    assert problem.value.hint == "to end what ties them: qdocker disentangle a b"


def test_opposite_of_two_states_is_spread_too():
    world = World(2, 2)
    world.entangle("a", "b", "opposite")
    assert world.entangle("a", "b", "spread").already


def test_who_is_joined_by_a_gate_alone_keeps_its_own_state():
    world = World(4, 2, (0.5,))
    world.gate("ry", "d", angle=-math.pi / 2)  # d to |0⟩
    world.gate("cx", "b", "d")
    world.entangle("b", "c", "same")
    assert len(world.register("b").members) == 3
    found = world.entangle("a", "b", "same")
    assert {m.container for m in found.register.members} == {"a", "b", "c"}
    (left,) = found.others
    assert [m.container for m in left.members] == ["d"]
    np.testing.assert_allclose(to_dense(left.density), np.eye(2) / 2, atol=1e-14)
    assert all(world.holds(relation) for relation in world.relations)


def test_inside_one_register_nobody_is_split_off():
    world = World(3, 2, (0.5,))
    world.gate("cx", "a", "b")
    world.gate("cx", "b", "c")
    found = world.entangle("a", "b", "same")
    assert found.others == ()
    assert found.register.num_qubits == 3
    assert world.holds(Relation("a", "b", "same"))


def test_the_first_keeps_its_state_and_undeclared_indices_are_copied():
    world = World(2, 3)
    world.gate("x", "a")  # weight on index 3, which stands for no state
    before = chances(world, "a")
    assert before[3] == pytest.approx(0.4)
    found = world.entangle("a", "b", "opposite")
    joint = rg.joint_probabilities(found.register, ["a", "b"])
    assert joint == pytest.approx({(0, 2): before[0], (1, 1): before[1], (3, 3): before[3]})


@pytest.mark.parametrize(
    "first, second, mode, words",
    [
        ("a", "a", "same", "same container twice"),
        ("a", "b", "likewise", "one of same, opposite, spread"),
        ("a", "b", "same", r"2 \+ 2 = 4 qubits; a group may have 3"),
    ],
)
def test_what_cannot_be(first, second, mode, words):
    world = World(2, 3)
    with pytest.raises(RegisterError, match=words):
        world.entangle(first, second, mode, limit=3)


def test_different_numbers_of_states():
    registers = [rg.prepare(Member("a", 2, 0.5), 0.0, OURS), rg.prepare(Member("b", 3, 0.5), 0.0, OURS)]
    with pytest.raises(RegisterError, match="2 and 3 states"):
        rg.entangle(registers, (), "a", "b", "same", 0.0, 16, OURS)


@settings(max_examples=60)
@given(st.integers(2, 3), st.data())
def test_whoever_was_tied_through_a_removed_container_is_tied_directly(k, data):
    world = World(4, k)
    for second in "bcd":
        first = data.draw(st.sampled_from("abc"[: "abcd".index(second)]))
        world.entangle(first, second, data.draw(st.sampled_from(["same", "opposite", "spread"])))
    world.remove(data.draw(st.sampled_from("abcd")))
    assert all(world.holds(relation) for relation in world.relations)
    followers = [relation.second for relation in world.relations]
    assert len(followers) == len(set(followers))
    if k == 2:  # every tie between two states has a name
        assert len(world.relations) == 2


def test_the_leader_of_a_removed_container_leads_its_followers():
    later = Relation("b", "c", "opposite", 0, 1.0)
    leader = Relation("a", "b", "same", 0, 5.0)
    new, gone = rg.relations_without([later, leader], "b", 3)
    assert new == (Relation("a", "c", "opposite", 0, 5.0),)
    assert set(gone) == {later, leader}
    # With three states no mode says "opposite and then one further".
    assert rg.relations_without([Relation("a", "b", "spread", 1), later], "b", 3)[0] == ()
    assert rg.relations_without([later], "z", 3) == ((), ())


def test_a_ghz_state_of_sixteen():
    registers = [rg.prepare(Member(f"{i:02d}", 2, 0.3), 0.0, OURS) for i in range(16)]
    group, relations = registers[0], []
    for register in registers[1:]:
        name = register.members[0].container
        found = rg.entangle([group, register], relations, "00", name, "same", 0.0, 16, OURS)
        group = found.register
        relations += found.relations_new
    assert len(group.density.values) == 4
    joint = rg.joint_probabilities(group, [m.container for m in group.members])
    assert joint == pytest.approx({(0,) * 16: 0.3, (1,) * 16: 0.7})
    other = rg.prepare(Member("x", 2, 0.3), 0.0, OURS)
    with pytest.raises(RegisterError, match="16 \\+ 1 = 17 qubits; a group may have 16"):
        rg.entangle([group, other], relations, "00", "x", "same", 0.0, 16, OURS)
