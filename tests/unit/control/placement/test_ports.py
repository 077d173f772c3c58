"""A host gives each of its ports to one container: who comes later goes elsewhere, or nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.placement.building import NOW, container, id_of, ids, node

from qrealm.base.errors import NoRoomError, RunError
from qrealm.control.containers.placement import (
    SchedulerAnswer,
    Snapshot,
    decide,
    problem_of,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.control.containers.placement.ports import port_rules
from qrealm.control.containers.values import NodeState
from qrealm.fleet.containers.host_ports import clash
from qrealm.fleet.containers.protocol import ContainerSpec, Port

SCHEDULERS = ["portfolio", "greedy", "placement_annealing", "exact", "qaoa"]


def on_port(name, where=None, port=80, *, protocol="tcp", address="", network=None, **more):
    made = container(name, where, **more)
    ports = (Port(8080, port, protocol, address),)
    return replace(made, spec=replace(made.spec, ports=ports, network=network))


def nodes(*names):
    return tuple(node(name) for name in names)


def moving(snapshot, *names):
    return replace(snapshot, moving=ids(*names))


def places(plan):
    return {move.container: move.target for move in plan.moves}


def spec(*ports, network=None):
    return ContainerSpec("x", "busybox", ports=ports, network=network)


@pytest.mark.parametrize(
    "one, other, meet",
    [
        (Port(80, 9000), Port(81, 9000), True),
        (Port(80, 9000), Port(80, 9001), False),
        (Port(80, 9000), Port(80, 9000, "udp"), False),
        (Port(80, 9000, "tcp", "127.0.0.1"), Port(80, 9000), True),
        (Port(80, 9000, "tcp", "127.0.0.1"), Port(80, 9000, "tcp", "127.0.0.1"), True),
        (Port(80, 9000, "tcp", "127.0.0.1"), Port(80, 9000, "tcp", "10.0.0.1"), False),
        (Port(80, 9000, "tcp", "127.0.0.1"), Port(80, 9000, "tcp", "0.0.0.0"), True),
        (Port(80, 9000, "tcp", "::1"), Port(80, 9000, "tcp", "::"), True),
        (Port(80, 9000, "tcp", "::1"), Port(80, 9000, "tcp", "0:0:0:0:0:0:0:1"), True),
        (Port(80, 9000, "tcp", "::1"), Port(80, 9000, "tcp", "0.0.0.0"), False),
        (Port(80, 9000, "tcp", "::1"), Port(80, 9000), True),
        (Port(80, 9000, "tcp", "127.0.0.1"), Port(80, 9000, "tcp", "::ffff:127.0.0.1"), False),
        # Older releases took anything for an address.
        (Port(80, 9000, "tcp", "gate"), Port(80, 9000, "tcp", "gate"), True),
        (Port(80, 9000, "tcp", "gate"), Port(80, 9000, "tcp", "127.0.0.1"), False),
        (Port(80), Port(80), False),
        (Port(80, 0), Port(80, 0), False),
    ],
)
def test_which_ports_one_host_cannot_give_twice(one, other, meet):
    assert (clash(spec(one), spec(other)) is not None) is meet
    assert (clash(spec(Port(1, 1), other), spec(one)) is not None) is meet


@pytest.mark.parametrize("network", ["host", "none"])
def test_without_a_network_of_its_own_a_container_publishes_nothing(network):
    port = Port(80, 9000)
    assert clash(spec(port, network=network), spec(port)) is None
    assert clash(spec(port), spec(port, network=network)) is None
    assert clash(spec(port, network="back"), spec(port)) == port


def test_a_node_whose_port_is_taken_is_refused_and_why_says_by_whom():
    snapshot = Snapshot(nodes("a", "b"), (on_port("old", "a"), on_port("new")), moving=ids("new"))
    (decision,) = decide(snapshot, action="create", now=NOW).decisions
    assert decision.chosen == "b"
    assert decision.refused == {"a": "port 80 is taken by old"}


def test_the_words_have_address_and_protocol():
    old = replace(
        container("old", "a"),
        spec=replace(container("old").spec, ports=(Port(1, 53, "udp"), Port(2, 443, "tcp", "::1"))),
    )
    new = replace(
        container("new"), spec=replace(container("new").spec, ports=(Port(1, 53, "udp", "10.0.0.1"),))
    )
    other = replace(
        container("other"), spec=replace(container("other").spec, ports=(Port(2, 443, "tcp", "::1"),))
    )
    problem = problem_of(Snapshot(nodes("a", "b"), (old, new, other), moving=ids("new", "other")))
    assert problem.refusals["new"] == {"a": "port 10.0.0.1:53/udp is taken by old"}
    assert problem.refusals["other"] == {"a": "port [::1]:443 is taken by old"}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_new_ones_with_one_port_go_to_different_nodes(scheduler):
    containers = tuple(on_port(f"w{k}") for k in range(3))
    snapshot = Snapshot(nodes("a", "b", "c"), containers, moving=frozenset(c.id for c in containers))
    plan = decide(snapshot, scheduler, action="create-cluster", now=NOW)
    assert sorted(places(plan).values()) == ["a", "b", "c"]
    at = {node: name for name, node in places(plan).items()}
    for decision in plan.decisions:
        others = {node: f"port 80 is taken by {at[node]}" for node in at if node != decision.chosen}
        assert decision.refused == others


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_too_few_nodes_are_refused_with_the_port_in_the_words(scheduler):
    containers = tuple(on_port(f"w{k}") for k in range(3))
    snapshot = Snapshot(nodes("a", "b"), containers, moving=frozenset(c.id for c in containers))
    with pytest.raises(
        NoRoomError, match=r"a: port 80 is taken by w\d; b: port 80 is taken by w\d"
    ) as caught:
        decide(snapshot, scheduler, action="create-cluster", now=NOW)
    assert "with the others of the same call placed" in caught.value.message
    assert caught.value.hint.startswith("publish another port, or let the engine choose one")
    assert "ask for less" not in caught.value.hint


def test_many_copies_spread_over_many_nodes_and_one_too_many_is_told():
    names = [f"n{k}" for k in range(12)]
    containers = tuple(on_port(f"w{k}", cpus=0.1, memory=16) for k in range(12))
    snapshot = Snapshot(nodes(*names), containers, moving=frozenset(c.id for c in containers))
    plan = decide(snapshot, action="create-cluster", now=NOW)
    assert sorted(places(plan).values()) == sorted(names)
    with pytest.raises(NoRoomError, match="port 80 is taken by"):
        decide(replace(snapshot, nodes=snapshot.nodes[:-1]), action="create-cluster", now=NOW)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_one_that_is_asked_for_a_node_has_it_and_the_other_goes_elsewhere(scheduler):
    snapshot = Snapshot(
        nodes("a", "b"),
        (on_port("free"), on_port("bound")),
        moving=ids("free", "bound"),
        pinned={id_of("bound"): "a"},
    )
    plan = decide(snapshot, scheduler, action="create-cluster", now=NOW)
    assert places(plan) == {"free": "b", "bound": "a"}
    refused = {decision.container: decision.refused for decision in plan.decisions}
    assert refused["free"] == {"a": "port 80 is taken by bound"}


def test_two_that_are_asked_for_one_node_are_refused():
    snapshot = Snapshot(
        nodes("a", "b"),
        (on_port("aa"), on_port("bb")),
        moving=ids("aa", "bb"),
        pinned={id_of("aa"): "a", id_of("bb"): "a"},
    )
    with pytest.raises(NoRoomError, match="a: port 80 is taken by bb; b: node a was asked for"):
        decide(snapshot, action="create-cluster", now=NOW)


def test_what_waits_goes_to_a_node_whose_port_is_free_or_waits_on():
    gone = node("gone", state=NodeState.LOST)
    there = (on_port("one", "gone"), on_port("two", "gone"), on_port("old", "a"))
    snapshot = Snapshot((*nodes("a", "b"), gone), there, moving=ids("one", "two"))
    plan = decide(snapshot, action="node lost", now=NOW)
    (moved,) = plan.moves
    assert moved.target == "b"
    (waits,) = plan.waiting
    (decision,) = [each for each in plan.decisions if each.container == waits]
    assert decision.refused["a"] == "port 80 is taken by old"
    assert decision.refused["b"] == f"port 80 is taken by {moved.container}"
    assert f"b: port 80 is taken by {moved.container}" in decision.reason


def test_a_drain_leaves_what_finds_its_port_nowhere():
    closed = node("a", state=NodeState.DRAINING)
    containers = (on_port("old", "b"), on_port("stays", "a"), on_port("goes", "a", 81))
    snapshot = Snapshot((closed, node("b")), containers, moving=ids("stays", "goes"))
    plan = decide(snapshot, action="drain", now=NOW)
    assert places(plan) == {"goes": "b"}
    assert plan.kept == ("stays",)
    (decision,) = [each for each in plan.decisions if each.container == "stays"]
    assert decision.refused == {"b": "port 80 is taken by old"}


def test_of_two_that_share_a_port_from_of_old_a_drain_sends_one_to_each_other_node():
    closed = node("a", state=NodeState.DRAINING)
    pair = (on_port("one", "a", weight=2.0), on_port("two", "a"))
    snapshot = Snapshot((closed, node("b")), pair, moving=ids("one", "two"))
    plan = decide(snapshot, action="drain", now=NOW)
    assert places(plan) == {"one": "b"}
    assert plan.kept == ("two",)
    (decision,) = [each for each in plan.decisions if each.container == "two"]
    assert decision.refused == {"b": "port 80 is taken by one"}
    assert [each.node for each in decision.candidates] == ["a"]
    more = replace(snapshot, nodes=(closed, *nodes("b", "c")))
    assert sorted(places(decide(more, action="drain", now=NOW)).values()) == ["b", "c"]


def test_balancing_moves_nothing_to_where_its_port_is():
    """Four that run for sure on one node and one on the other: without ports some would move."""
    crowd = tuple(on_port(f"c{k}", "a", 80 + k, probability=1.0) for k in range(4))
    other = tuple(on_port(f"o{k}", "b", 80 + k, probability=0.0, cpus=0.1, memory=16) for k in range(4))
    snapshot = Snapshot(nodes("a", "b"), (*crowd, *other), moving=frozenset(c.id for c in crowd))
    assert decide(snapshot, action="rebalance", now=NOW).moves == ()
    without = tuple(on_port(f"o{k}", "b", 90 + k, probability=0.0, cpus=0.1, memory=16) for k in range(4))
    free = replace(snapshot, containers=(*crowd, *without))
    assert decide(free, action="rebalance", now=NOW).moves


def test_two_do_not_move_to_one_node_together():
    heavy = tuple(on_port(f"h{k}", f"n{k}", weight=5.0) for k in range(2))
    more = tuple(container(f"m{k}", f"n{k % 2}", weight=5.0) for k in range(4))
    snapshot = Snapshot(nodes("n0", "n1", "free"), (*heavy, *more), moving=ids("h0", "h1"))
    plan = decide(snapshot, action="rebalance", now=NOW)
    assert len(plan.moves) == 1


def test_two_that_share_a_port_on_one_node_from_of_old_are_parted_where_that_can_be():
    pair = (on_port("one", "a"), on_port("two", "a"))
    snapshot = Snapshot(nodes("a", "b"), pair, moving=ids("one", "two"))
    assert len(decide(snapshot, action="rebalance", now=NOW).moves) == 1
    alone = replace(snapshot, nodes=nodes("a"))
    assert decide(alone, action="rebalance", now=NOW).moves == ()
    # Also when only one of them may move.
    assert len(decide(moving(snapshot, "two"), action="load-balance", now=NOW).moves) == 1


def test_an_answer_of_anybody_that_gives_a_port_twice_is_refused():
    class Careless:
        name = "careless"
        help = "all to the first"

        def place(self, problem, *, seconds, seed):
            demands = [rule.items for rule in problem.rules if rule.weight is None]
            assert demands == [("one", "two")]
            return SchedulerAnswer({item.name: problem.bins[0].name for item in problem.items})

    register_scheduler(Careless())
    snapshot = Snapshot(nodes("a", "b"), (on_port("one"), on_port("two")), moving=ids("one", "two"))
    try:
        with pytest.raises(RunError, match=r"broke a demand \(apart\): items one, two"):
            decide(snapshot, "careless", action="create-cluster", now=NOW)
    finally:
        unregister_scheduler("careless")


def test_those_that_nobody_decides_about_cost_nothing():
    both = (on_port("one", "na"), on_port("two", "na"))
    homes = {each.id: each.node for each in both}
    assert port_rules(both, (), homes, 1.0) == ()
    (rule,) = port_rules(both, {both[0].id}, homes, 1.0)
    assert set(rule.items) == {"one", "two"}
