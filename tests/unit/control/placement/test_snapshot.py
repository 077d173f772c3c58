"""A snapshot as a placement problem: amounts, who may go where, wishes."""

from __future__ import annotations

import pytest
from tests.unit.control.placement.building import container, id_of, ids, node, relation

from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers.placement import (
    AFFINITY,
    ANTI_AFFINITY,
    FAILOVER,
    Policy,
    Snapshot,
    assignment_of,
    problem_of,
)
from qrealm.control.containers.values import NodeState, Phase
from qrealm.optimize.problems.evaluate import violations


def item_of(problem, name):
    return next(item for item in problem.items if item.name == name)


def bin_of(problem, name):
    return next(place for place in problem.bins if place.name == name)


def test_demands_are_limits_and_weight_times_probability():
    web = container("web", cpus=1.5, memory=768, weight=4.0, probability=0.25)
    problem = assignment_of(Snapshot((node("a"),), (web,), moving=ids("web")))
    assert item_of(problem, "web").demand == {"cpus": 1.5, "memory": 768.0, "load": 1.0}
    measured = Snapshot((node("a"),), (web,), moving=ids("web"), probabilities={id_of("web"): 1.0})
    assert item_of(assignment_of(measured), "web").demand["load"] == 4.0
    # What rounding leaves of a probability is none, below zero too.
    for rest in (1e-200, -1e-17):
        gone = Snapshot((node("a"),), (web,), moving=ids("web"), probabilities={id_of("web"): rest})
        assert item_of(assignment_of(gone), "web").demand["load"] == 0.0


def test_capacities_are_overcommitted_cpus_and_plain_memory():
    policy = Policy(cpu_overcommit=3.0)
    problem = assignment_of(Snapshot((node("a", cpus=4, memory=1000),), (), policy=policy))
    assert bin_of(problem, "a").capacity["cpus"] == 12
    assert bin_of(problem, "a").capacity["memory"] == 1000


def test_load_never_binds_and_compares_by_processors():
    containers = tuple(container(f"c{k}", weight=5.0, cpus=0.1, memory=8) for k in range(9))
    nodes = (node("small", cpus=2), node("large", cpus=8))
    problem = assignment_of(Snapshot(nodes, containers, moving=frozenset(c.id for c in containers)))
    total = 9 * 5.0 * 0.5
    assert bin_of(problem, "small").capacity["load"] == pytest.approx(total)
    assert bin_of(problem, "large").capacity["load"] == pytest.approx(4 * total)
    assert violations(problem, problem.answer({c.name: "small" for c in containers})) == []


def test_those_that_may_not_move_stay():
    snapshot = Snapshot((node("a"), node("b")), (container("x", "a"), container("y", "b")), moving=ids("y"))
    problem = problem_of(snapshot)
    assert item_of(problem.assignment, "x").allowed == ("a",)
    assert item_of(problem.assignment, "y").allowed is None
    assert problem.movable == ("y",)


def test_only_a_container_with_a_node_pays_for_a_move():
    policy = Policy(move_cost=0.5)
    snapshot = Snapshot(
        (node("a"),), (container("x", "a"), container("y")), moving=ids("x", "y"), policy=policy
    )
    problem = assignment_of(snapshot)
    assert item_of(problem, "x").move_cost == 0.5
    assert item_of(problem, "y").move_cost == 0.0


def test_lost_nodes_are_no_bins_and_what_was_there_is_no_item_unless_it_is_placed_again():
    nodes = (node("a"), node("b", state=NodeState.LOST))
    containers = (container("x", "a"), container("y", "b"))
    idle = assignment_of(Snapshot(nodes, containers))
    assert [place.name for place in idle.bins] == ["a"]
    assert [item.name for item in idle.items] == ["x"]
    problem = problem_of(Snapshot(nodes, containers, moving=ids("y")))
    assert item_of(problem.assignment, "y").current is None
    assert problem.before == {"y": "b"}
    assert problem.refusals["y"] == {"b": "does not answer (lost)"}


def test_a_draining_node_is_a_bin_for_what_is_there_and_nothing_else():
    nodes = (node("a"), node("b", state=NodeState.DRAINING))
    containers = (container("x", "b"), container("y"))
    problem = problem_of(Snapshot(nodes, containers, moving=ids("y")))
    assert [place.name for place in problem.assignment.bins] == ["a", "b"]
    assert item_of(problem.assignment, "y").allowed == ("a",)
    assert item_of(problem.assignment, "x").allowed == ("b",)
    empty = problem_of(Snapshot(nodes, containers[1:], moving=ids("y")))
    assert [place.name for place in empty.assignment.bins] == ["a"]


def test_a_node_that_holds_too_much_is_just_full():
    held = tuple(container(f"c{k}", "a", memory=600) for k in range(2))
    snapshot = Snapshot((node("a", memory=1000), node("b")), (*held, container("new")), moving=ids("new"))
    problem = assignment_of(snapshot)
    assert bin_of(problem, "a").capacity["memory"] == 1200
    stay = {"c0": "a", "c1": "a"}
    assert violations(problem, problem.answer({**stay, "new": "b"})) == []
    assert violations(problem, problem.answer({**stay, "new": "a"}))[0].kind == "capacity"


def test_what_is_being_removed_takes_room_and_is_not_moved():
    import dataclasses

    going = dataclasses.replace(container("x", "a"), phase=Phase.REMOVING)
    problem = problem_of(Snapshot((node("a"), node("b")), (going,), moving=ids("x")))
    assert problem.movable == ()
    assert item_of(problem.assignment, "x").allowed == ("a",)


@pytest.mark.parametrize(
    "more, where, reason",
    [
        ({"cpus": 4.0}, "small", "its host has 2 processors, the container wants 4"),
        ({}, "draining", "closed (draining)"),
        ({}, "lost", "does not answer (lost)"),
        ({}, "simulated", "is simulated, and the container is real"),
        ({"volumes": ("data",)}, "small", "its volume data is on node large"),
    ],
)
def test_refusals_name_the_reason(more, where, reason):
    nodes = (
        node("small", cpus=2),
        node("large", cpus=8),
        node("draining", state=NodeState.DRAINING),
        node("lost", state=NodeState.LOST),
        node("simulated", simulated=True),
    )
    containers = (container("old", "large", volumes=("data",)), container("new", **more))
    problem = problem_of(Snapshot(nodes, containers, moving=ids("new")))
    assert problem.refusals["new"][where] == reason
    assert "large" not in problem.refusals["new"]


def test_data_keeps_a_container_where_it_is():
    nodes = (node("a"), node("b"))
    for source, kind in (("data", "volume"), ("/srv", "folder")):
        snapshot = Snapshot(nodes, (container("x", "a", volumes=(source,)),), moving=ids("x"))
        problem = problem_of(snapshot)
        assert item_of(problem.assignment, "x").allowed == ("a",)
        assert problem.refusals["x"] == {"b": f"its {kind} {source} is on node a"}
    fresh = Snapshot(nodes, (container("x", volumes=("data", "/srv")),), moving=ids("x"))
    assert item_of(assignment_of(fresh), "x").allowed is None


def test_a_container_goes_to_the_node_that_the_user_names():
    nodes = (node("a"), node("b"), node("s", simulated=True))
    new = container("new")
    for wanted in ("b", "s"):
        problem = problem_of(Snapshot(nodes, (new,), moving=ids("new"), pinned={new.id: wanted}))
        assert item_of(problem.assignment, "new").allowed == (wanted,)
        assert problem.refusals["new"]["a"] == f"node {wanted} was asked for"
    with pytest.raises(NoSuchContainerError, match="'nowhere'; the nodes are a, b, s"):
        problem_of(Snapshot(nodes, (new,), moving=ids("new"), pinned={new.id: "nowhere"}))


def test_simulated_containers_stay_simulated_and_real_ones_real():
    nodes = (node("r"), node("s", simulated=True), node("t", simulated=True))
    containers = (container("real", "r"), container("model", "s"), container("new"))
    problem = assignment_of(Snapshot(nodes, containers, moving=frozenset(c.id for c in containers)))
    assert item_of(problem, "real").allowed == ("r",)
    assert item_of(problem, "model").allowed == ("s", "t")
    assert item_of(problem, "new").allowed == ("r",)
    # Not even where the real node is gone.
    lost = (node("r", state=NodeState.LOST), *nodes[1:])
    assert item_of(assignment_of(Snapshot(lost, containers, moving=ids("new"))), "new").allowed == ()
    only = assignment_of(Snapshot(nodes[1:], (container("new"),), moving=ids("new")))
    assert item_of(only, "new").allowed is None


def test_relations_become_wishes():
    names = ("a", "b", "c", "d", "e", "f")
    relations = (
        relation("a", "b", "same"),
        relation("c", "b", "same"),
        relation("d", "e", "spread"),
        relation("e", "f", "spread"),
        relation("a", "d", "opposite"),
        relation("d", "b", "opposite"),
        relation("a", "elsewhere", "same"),
    )
    containers = tuple(container(name) for name in names)
    nodes = (node("x"), node("y"))
    unbalanced = Policy(balance=False)
    snapshot = Snapshot(nodes, containers, relations, moving=ids(*names), policy=unbalanced)
    rules = {(rule.kind, frozenset(rule.items)): rule.weight for rule in assignment_of(snapshot).rules}
    assert rules == {
        ("together", frozenset("abc")): AFFINITY,
        ("apart", frozenset("ad")): FAILOVER,
        ("apart", frozenset("bd")): FAILOVER,
        ("apart", frozenset("def")): ANTI_AFFINITY,
    }
    balanced = assignment_of(Snapshot(nodes, containers, relations, moving=ids(*names)))
    assert balanced.objective.balance == 6 * 2**2
    assert {rule.weight for rule in balanced.rules} == {24 * w for w in (AFFINITY, FAILOVER, ANTI_AFFINITY)}


@pytest.mark.parametrize("containers, nodes", [(6, 2), (12, 3), (40, 5)])
def test_a_move_is_worth_the_same_in_clusters_of_all_sizes(containers, nodes):
    """Of the load alone: 2 (a - b - m/n), see `unit_of`; a third of it in the mean of three resources."""
    from qrealm.optimize.problems.evaluate import evaluate

    places = tuple(node(f"n{k}") for k in range(nodes))
    many = tuple(
        container(f"c{k}", "n0" if k < containers // 2 else "n1", cpus=0.0, memory=0)
        for k in range(containers)
    )
    problem = assignment_of(Snapshot(places, many, moving=ids("c0")))
    before = problem.arrays.current
    after = before.copy()
    after[0] = 1
    change = evaluate(problem, after).balance - evaluate(problem, before).balance
    assert change == pytest.approx(-2 * (0 - nodes / containers) / 3)
