"""What is told of moves adds up to what all of them gain, whatever moves and whoever proposed it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.control.placement.building import NOW, container, ids, node, relation
from tests.unit.control.placement.test_properties import snapshots

from qrealm.base.errors import NoRoomError, RunError
from qrealm.control.containers.placement import (
    Policy,
    SchedulerAnswer,
    Snapshot,
    decide,
    explain,
    problem_of,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.control.containers.placement.gains import gains_of, groups_of
from qrealm.control.containers.placement.pruning import pruned
from qrealm.control.containers.values import NodeState
from qrealm.fleet.containers.protocol import Port
from qrealm.optimize import Assignment, Bin, Item, Objective, apart
from qrealm.optimize.problems.evaluate import evaluate

TOLD = re.compile(
    r"(?:moving it from \S+ to \S+|moves from \S+ to \S+ with (?P<with>.+): together they) "
    r"(?:(?P<way>lower|raise)s? the objective by (?P<gain>\S+) \((?P<parts>.+)\)"
    r"|leaves? the objective as it is); the moves? costs? (?P<cost>\S+)$"
)


class Fixed:
    """A scheduler that answers what it is told to."""

    name = "fixed"
    help = "what a test wants"

    def __init__(self, places):
        self.places = places

    def place(self, problem, *, seconds, seed):
        return SchedulerAnswer(
            {item.name: self.places.get(item.name, item.current) for item in problem.items}
        )


@pytest.fixture
def fixed():
    scheduler = Fixed({})
    register_scheduler(scheduler)
    yield scheduler
    unregister_scheduler("fixed")


def told_of(plan):
    """Of each group of moves that is told: its names, and the gain, the change of each part and the cost."""
    found = {}
    for move in plan.moves:
        match = TOLD.search(move.reason)
        assert match, move.reason
        others = re.split(", | and ", match["with"]) if match["with"] else []
        sign = {"lower": 1.0, "raise": -1.0, None: 0.0}[match["way"]]
        parts = dict(part.rsplit(" ", 1) for part in (match["parts"] or "").split(", ") if part)
        told = (
            sign * float(match["gain"] or 0.0),
            {name: float(value) for name, value in parts.items()},
            float(match["cost"]),
        )
        group = frozenset({move.container, *others})
        assert found.setdefault(group, told) == told
    return found


def rounding(told):
    """What four digits leave out, of all numbers at most."""
    return sum(abs(value) for value in told) * 5.01e-4 + 1e-9


def check_told(plan):
    """Each move is in one group, and the groups add up to the whole."""
    told = told_of(plan)
    named = [name for group in told for name in group]
    assert sorted(named) == sorted(move.container for move in plan.moves)
    gains = [gain for gain, _, _ in told.values()]
    assert abs(sum(gains) - (plan.objective_before - plan.objective_after)) <= rounding(gains)
    costs = [cost for _, _, cost in told.values()]
    assert abs(sum(costs) - plan.move_costs) <= rounding(costs)
    for gain, parts, _ in told.values():
        assert abs(sum(parts.values()) + gain) <= rounding([gain, *parts.values()])


def objective(problem, answer):
    """Without what moves cost, and without what leaving out would."""
    score = evaluate(problem, answer)
    return score.value - score.moves - score.left_out


# Clusters of all kinds.

READY = st.just(NodeState.READY)


@settings(max_examples=300)
@given(snapshots(states=READY, memory=(512, 4096)), st.data())
def test_groups_are_independent_and_add_up(snapshot, data):
    """Whatever was placed, also where room and ports do not allow it: the gain of a group is what it changes
    alone, what it changes last, and what it changes after any others."""
    problem = problem_of(snapshot, may_wait=True).assignment
    current = problem.arrays.current
    bins = st.integers(0, len(problem.bins) - 1)
    answer = np.array([data.draw(bins) for _ in current], dtype=np.int32)
    gains, groups = gains_of(problem, answer), groups_of(problem, answer)
    names = [item.name for item in problem.items]
    assert [gain.members for gain in gains] == [tuple(names[item] for item in group) for group in groups]
    assert sorted(itertools.chain(*groups)) == np.flatnonzero(current != answer).tolist()
    scale = 1e-10 * (1.0 + abs(objective(problem, current)) + abs(objective(problem, answer)))
    whole = objective(problem, answer) - objective(problem, current)
    assert abs(sum(gain.change for gain in gains) - whole) < scale
    assert sum(gain.costs for gain in gains) == pytest.approx(evaluate(problem, answer).moves)
    for group, gain in zip(groups, gains, strict=True):
        others = [other for other in groups if other is not group and data.draw(st.booleans())]
        start = current.copy()
        for item in itertools.chain(*others):
            start[item] = answer[item]
        end = start.copy()
        end[group] = answer[group]
        assert abs(objective(problem, end) - objective(problem, start) - gain.change) < 10 * scale


@settings(max_examples=200)
@given(snapshots(states=READY, memory=(512, 4096), all_placed=True), st.data())
def test_what_is_printed_adds_up_whatever_moves(snapshot, data):
    """Any answer of any scheduler, after what does not pay was taken back."""
    nodes = [n.name for n in snapshot.nodes]
    everyone = frozenset(c.id for c in snapshot.containers)
    snapshot = replace(snapshot, moving=everyone, policy=replace(snapshot.policy, move_cost=0.02))
    problem = problem_of(snapshot)
    places = {}
    for item in problem.assignment.items:
        places[item.name] = data.draw(st.sampled_from(list(item.allowed or nodes)))
    scheduler = Fixed(places)
    register_scheduler(scheduler)
    try:
        plan = decide(snapshot, "fixed", action="rebalance", now=NOW)
    except RunError:
        assume(False)  # it breaks a demand
    finally:
        unregister_scheduler("fixed")
    check_told(plan)
    for gain, _, cost in told_of(plan).values():
        assert gain > 0
        assert cost > 0


@settings(max_examples=150)
@given(snapshots(states=READY, memory=(4096, 8192), all_placed=True))
def test_what_the_portfolio_moves_adds_up(snapshot):
    try:
        plan = decide(snapshot, action="rebalance", now=NOW, seconds=0.2)
    except NoRoomError:
        return
    check_told(plan)


# What hangs together.


def test_two_that_stay_apart_and_swap_gain_no_anti_affinity(fixed):
    """Each of them alone would come to where the other is."""
    nodes = (node("a", cpus=2), node("b", cpus=4))
    containers = (
        container("web-1", "a", weight=3.0, probability=1.0),
        container("web-2", "b", weight=1.0, probability=1.0),
        container("x", "a"),
    )
    fixed.places = {"web-1": "b", "web-2": "a"}
    snapshot = Snapshot(
        nodes, containers, (relation("web-1", "web-2", "spread"),), moving=ids("web-1", "web-2")
    )
    plan = decide(snapshot, "fixed", action="load-balance", now=NOW)
    gain = plan.objective_before - plan.objective_after
    assert 0 < gain < 10
    told = f"together they lower the objective by {gain:.4g} (balance {-gain:+.4g}); the moves cost 0.2"
    assert {move.container: move.reason for move in plan.moves} == {
        "web-1": f"moves from a to b with web-2: {told}",
        "web-2": f"moves from b to a with web-1: {told}",
    }
    check_told(plan)
    # The price of a node for one of them is that with the other where it is now, and says so.
    (decision, _) = plan.decisions
    assert decision.runner_up_cost > 40
    assert f"a would have cost {decision.runner_up_cost:.4g} more, all else as decided" in explain(decision)


def test_gains_of_moves_that_change_each_other_are_told_together():
    nodes = (node("a"), node("b"))
    crowded = Snapshot(nodes, tuple(container(f"c{k}", "a") for k in range(4)), moving=ids("c1", "c2"))
    plan = decide(crowded, action="load-balance", now=NOW)
    assert len(plan.moves) == 2
    gain = plan.objective_before - plan.objective_after
    told = f"together they lower the objective by {gain:.4g} (balance {-gain:+.4g}); the moves cost 0.2"
    reasons = {move.container: move.reason for move in plan.moves}
    assert reasons == {"c1": f"moves from a to b with c2: {told}", "c2": f"moves from a to b with c1: {told}"}
    alone = decide(replace(crowded, moving=ids("c1")), action="load-balance", now=NOW)
    assert len(alone.moves) == 1
    gain = alone.objective_before - alone.objective_after
    told = f"lowers the objective by {gain:.4g} (balance {-gain:+.4g}); the move costs 0.1"
    assert alone.moves[0].reason == f"moving it from a to b {told}"


def test_moves_that_share_nothing_are_told_each_for_itself(fixed):
    nodes = tuple(node(name) for name in "abcd")
    containers = tuple(container(f"{name}{k}", name) for name in "ac" for k in range(2))
    fixed.places = {"a1": "b", "c1": "d"}
    snapshot = Snapshot(nodes, containers, moving=frozenset(c.id for c in containers))
    plan = decide(snapshot, "fixed", action="rebalance", now=NOW)
    assert [move.container for move in plan.moves] == ["a1", "c1"]
    assert all(move.reason.startswith("moving it from ") for move in plan.moves)
    check_told(plan)
    # With nodes of two sizes the mean use changes, and with it what the others gain.
    unequal = replace(snapshot, nodes=tuple(node(name, cpus=2.0 + (name in "bd")) for name in "abcd"))
    plan = decide(unequal, "fixed", action="rebalance", now=NOW)
    assert {move.container for move in plan.moves} == {"a1", "c1"}
    assert all(move.reason.startswith("moves from ") for move in plan.moves)
    check_told(plan)


def test_a_move_that_makes_room_is_told_with_the_one_that_takes_it(fixed):
    """Where few nodes are filled and both nodes stay in use, nothing but room ties the two."""
    nodes = (node("a", memory=1000), node("b", memory=1000), node("c", memory=1000))
    containers = (
        container("x", "a", memory=600),
        container("b0", "b", memory=100),
        container("d", "b", memory=900),
        container("c0", "c", memory=100),
        container("y", "c", memory=100),
    )
    relations = (relation("x", "b0", "same"), relation("d", "c0", "same"))
    fixed.places = {"x": "b", "d": "c", "c0": "c", "y": "c"}
    snapshot = Snapshot(
        (nodes[0], nodes[1], replace(nodes[2], memory_bytes=1200 << 20)),
        (*containers, container("a0", "a", memory=100)),
        relations,
        moving=ids("x", "d"),
        policy=Policy(balance=False),
    )
    plan = decide(snapshot, "fixed", action="rebalance", now=NOW)
    assert [(move.container, move.target) for move in plan.moves] == [("d", "c"), ("x", "b")]
    assert [move.reason for move in plan.moves] == [
        "moves from b to c with x: together they lower the objective by 2 (affinity -2); the moves cost 0.2",
        "moves from a to b with d: together they lower the objective by 2 (affinity -2); the moves cost 0.2",
    ]


def test_those_that_want_one_port_are_told_together():
    bins = [Bin(name, {"memory": 10.0}) for name in ("a", "b", "c")]
    items = [Item(name, {"memory": 1.0}, current=at) for name, at in (("x", "a"), ("y", "b"), ("z", "c"))]
    stays = [Item(f"{name}0", {"memory": 1.0}, current=name) for name in "abc"]
    loose = Assignment([*items, *stays], bins, objective=Objective(bins=1.0))
    answer = np.array([1, 2, 2, 0, 1, 2], dtype=np.int32)
    assert groups_of(loose, answer) == [[0], [1]]
    port = Assignment([*items, *stays], bins, (apart("x", "y"),), Objective(bins=1.0))
    assert groups_of(port, answer) == [[0, 1]]


def test_a_group_of_three_that_does_not_pay_is_taken_back():
    """Another move pays, so that not all are taken back at once."""
    bins = [Bin(f"n{k}", {"memory": 10.0}) for k in range(5)]
    ring = [Item(f"c{k}", {"memory": 8.0}, current=f"n{k}") for k in range(3)]
    crowd = [Item(f"d{k}", {"memory": 4.0}, current="n3") for k in range(2)]
    problem = Assignment([*ring, *crowd], bins, objective=Objective(balance=1.0))
    answer = np.array([1, 2, 0, 3, 4], dtype=np.int32)
    assert groups_of(problem, answer) == [[0, 1, 2], [4]]
    assert pruned(problem, answer).tolist() == [0, 1, 2, 3, 4]


def test_what_may_not_stay_is_told_with_what_it_costs(fixed):
    """Somebody's pin sends it away, whatever that costs."""
    nodes = (node("a"), node("b"))
    containers = (container("x", "a"), container("y", "b"))
    fixed.places = {"x": "b"}
    snapshot = Snapshot(nodes, containers, moving=ids("x"), pinned={containers[0].id: "b"})
    (move,) = (plan := decide(snapshot, "fixed", action="rebalance", now=NOW)).moves
    worse = plan.objective_after - plan.objective_before
    assert move.reason == (
        "it may not stay on a: node b was asked for; b is the only node that takes it; moving it from a to b "
        f"raises the objective by {worse:.4g} (balance {worse:+.4g}); the move costs 0.1"
    )


def test_many_are_not_all_named():
    nodes = (node("a", cpus=16, memory=65536), node("b", cpus=16, memory=65536))
    containers = tuple(container(f"c{k}", "a") for k in range(16))
    plan = decide(
        Snapshot(nodes, containers, moving=frozenset(c.id for c in containers)), action="rebalance", now=NOW
    )
    more = len(plan.moves) - 6
    assert more > 0
    assert all(f" and {more} more: together they lower " in move.reason for move in plan.moves)


def test_who_is_placed_beside_others_is_told_so():
    nodes = (node("a"), node("b"))
    both = (container("x"), container("y"))
    snapshot = Snapshot(nodes, both, (relation("x", "y", "spread"),), moving=ids("x", "y"))
    plan = decide(snapshot, action="create-cluster", now=NOW)
    assert all("is the best of 2 nodes, all else as decided; " in d.reason for d in plan.decisions)
    alone = decide(replace(snapshot, moving=ids("x"), containers=both[:1]), action="create", now=NOW)
    assert "all else" not in alone.decisions[0].reason


def test_a_port_that_two_share_from_of_old_is_no_gain_twice(fixed):
    """Two with one port on one node, and both leave it: that they part is one gain."""
    nodes = (node("a"), node("b"), node("c"))
    both = tuple(
        replace(each, spec=replace(each.spec, ports=(Port(80, 80),)))
        for each in (container("x", "a"), container("y", "a"))
    )
    fixed.places = {"x": "b", "y": "c"}
    snapshot = Snapshot(nodes, both, moving=ids("x", "y"), policy=Policy(move_cost=0.0))
    problem = problem_of(snapshot).assignment
    gains = gains_of(problem, np.array([1, 2], dtype=np.int32))
    assert [gain.members for gain in gains] == [("x", "y")]
    whole = objective(problem, [0, 0]) - objective(problem, [1, 2])
    assert -gains[0].change == pytest.approx(whole)
