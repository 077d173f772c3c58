"""Moves are planned so that each has room when its turn comes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.control.placement.building import NOW, container, ids, node, relation
from tests.unit.control.placement.test_properties import snapshots

from qrealm.control.containers.placement import (
    Policy,
    SchedulerAnswer,
    Snapshot,
    decide,
    problem_of,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.control.containers.placement.standing import Standing
from qrealm.control.containers.placement.turns import in_turns
from qrealm.control.containers.values import NodeState
from qrealm.optimize.problems.evaluate import violations


def lacking(snapshot, plan):
    """The moves that find no room when they are carried out one after the other."""
    problem = problem_of(snapshot).assignment
    standing = Standing(problem, problem.arrays.current)
    place = {each.name: number for number, each in enumerate(problem.bins)}
    found = []
    for move in plan.moves:
        if not standing.prices(move.container).fits[place[move.target]]:
            found.append(move)
        standing.put(move.container, place[move.target])
    return found


@settings(max_examples=300)
@given(snapshots(states=st.just(NodeState.READY), memory=(512, 1024), all_placed=True, containers_max=8))
def test_every_planned_move_has_room_in_its_turn(snapshot):
    problem = problem_of(snapshot).assignment
    if violations(problem, problem.arrays.current):
        return  # what must leave one another's place at once may find none
    assert lacking(snapshot, decide(snapshot, action="rebalance", now=NOW)) == []


class Exchange:
    """Has two change places, and can do no more."""

    name = "exchange"
    help = "what a test wants"

    def __init__(self):
        self.asked = []

    def place(self, problem, *, seconds, seed):
        self.asked.append({item.name: item.allowed for item in problem.items})
        return SchedulerAnswer({"a1": "na", "b1": "nb", "a2": "na", "b2": "nb"})


def test_a_scheduler_that_knows_no_other_answer_fails_nothing():
    scheduler = Exchange()
    register_scheduler(scheduler)
    try:
        plan = decide(paired(), "exchange", action="rebalance", now=NOW)
    finally:
        unregister_scheduler("exchange")
    assert plan.moves == ()
    first, second = scheduler.asked
    assert set(first.values()) == {None}
    assert second == first | {"a2": ("nb",), "b1": ("na",)}


@settings(max_examples=300)
@given(snapshots(states=st.just(NodeState.READY), all_placed=True, containers_max=8), st.data())
def test_whoever_is_left_over_has_no_room_in_the_end(snapshot, data):
    """Whatever is to move, also where room and ports do not allow it."""
    problem = problem_of(snapshot).assignment
    current = problem.arrays.current
    bins = st.integers(0, len(problem.bins) - 1)
    answer = np.array([data.draw(bins) for _ in current], dtype=np.int32)
    turns, stuck = in_turns(problem, answer)
    assert sorted([*turns, *stuck]) == np.flatnonzero(answer != current).tolist()
    standing = Standing(problem, current)
    for item in turns:
        assert standing.prices(problem.items[item].name).fits[answer[item]]
        standing.put(problem.items[item].name, int(answer[item]))
    assert not any(standing.prices(problem.items[item].name).fits[answer[item]] for item in stuck)


def snapshot_of(nodes, containers, relations):
    moving = ids(*(each.name for each in containers))
    return Snapshot(nodes, containers, relations, {}, moving, {}, Policy(cpu_overcommit=1.0, move_cost=0.1))


def paired(*more):
    """Two nodes full of halves that belong together, each with one of the other's."""
    nodes = (node("na", cpus=1.0), node("nb", cpus=1.0), *more)
    homes = {"a1": "na", "b1": "na", "a2": "nb", "b2": "nb"}
    containers = tuple(container(name, home, cpus=0.5) for name, home in homes.items())
    return snapshot_of(nodes, containers, (relation("a1", "a2", "same"), relation("b1", "b2", "same")))


def test_full_nodes_do_not_change_places():
    """It was planned, and both moves failed for want of room."""
    plan = decide(paired(), action="rebalance", now=NOW)
    assert plan.moves == ()
    assert plan.objective_before == plan.objective_after
    for decision in plan.decisions:
        assert decision.reason.startswith(f"stays on {decision.before}: no other node takes it")
        assert "needs 0.5 more processors" in next(iter(decision.refused.values()))


def test_with_room_elsewhere_they_come_together():
    snapshot = paired(node("nc", cpus=1.0))
    plan = decide(snapshot, action="rebalance", now=NOW)
    assert lacking(snapshot, plan) == []
    after = {each.container: each.chosen for each in plan.decisions}
    assert after["a1"] == after["a2"] or after["b1"] == after["b2"]


def test_a_chain_begins_where_there_is_room():
    """Each of four goes to the place that the next one leaves."""
    nodes = tuple(node(f"n{k}", cpus=1.0) for k in range(5))
    halves = tuple(container(f"h{k}", f"n{k}", cpus=0.6) for k in range(4))
    anchors = tuple(container(f"t{k}", f"n{k + 1}", cpus=0.4) for k in range(4))
    relations = tuple(relation(f"h{k}", f"t{k}", "same") for k in range(4))
    snapshot = snapshot_of(nodes, (*halves, *anchors), relations)
    plan = decide(snapshot, action="rebalance", now=NOW)
    assert lacking(snapshot, plan) == []
    assert plan.objective_after < plan.objective_before
