"""Whatever the cluster: plans keep every demand, tell about every node, and need no second asking."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.control.placement.building import NOW, container, id_of, node, relation

from qrealm.base.errors import NoRoomError
from qrealm.control.containers.placement import Policy, Snapshot, decide, explain, problem_of
from qrealm.control.containers.values import NodeState
from qrealm.fleet.containers.host_ports import clash
from qrealm.fleet.containers.protocol import Port
from qrealm.optimize.problems.evaluate import evaluate, violations

STATES = st.sampled_from([NodeState.READY] * 4 + [NodeState.DRAINING, NodeState.LOST])

PORTS = ((), (), (Port(80, 80),), (Port(80, 80), Port(81, 81)), (Port(80, 80, "tcp", "127.0.0.1"),))


@st.composite
def snapshots(
    draw, states=STATES, memory=(256, 1024, 4096), containers_max=6, all_placed=False, published=PORTS
):
    """Clusters of all kinds: overfull nodes, lost ones, data, pins, simulated nodes, contradicting wishes,
    ports that are wanted twice."""
    count = draw(st.integers(1, 4))
    nodes = tuple(
        node(
            f"n{k}",
            cpus=draw(st.sampled_from([1.0, 2.0, 8.0])),
            memory=draw(st.sampled_from(memory)),
            state=draw(states),
            simulated=draw(st.sampled_from([False, False, True])),
        )
        for k in range(count)
    )
    names = [f"c{k}" for k in range(draw(st.integers(1, containers_max)))]
    places = st.sampled_from([n.name for n in nodes])
    containers = tuple(
        container(
            name,
            draw(places if all_placed else st.none() | places),
            cpus=draw(st.sampled_from([0.1, 0.5, 2.0])),
            memory=draw(st.sampled_from([16, 64, 300])),
            weight=draw(st.sampled_from([0.0, 1.0, 2.5])),
            probability=draw(st.sampled_from([0.0, 0.2, 1.0])),
            volumes=draw(st.sampled_from([(), (), ("v",), ("/srv",)])),
        )
        for name in names
    )
    containers = tuple(
        replace(each, spec=replace(each.spec, ports=draw(st.sampled_from(published)))) for each in containers
    )
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda pair: pair[0] != pair[1])
    related = draw(st.lists(pairs, max_size=4)) if len(names) > 1 else []
    modes = st.sampled_from(["same", "opposite", "spread"])
    relations = tuple(relation(one, other, draw(modes)) for one, other in related)
    moving = frozenset(id_of(name) for name in names if draw(st.booleans()))
    policy = Policy(
        balance=draw(st.booleans()),
        cpu_overcommit=draw(st.sampled_from([1.0, 4.0])),
        move_cost=draw(st.sampled_from([0.0, 0.02, 1.0])),
    )
    return Snapshot(nodes, containers, relations, {}, moving, {}, policy)


def check(snapshot, plan, *, may_wait):
    """The plan carried out keeps every demand of the problem, and its figures are true."""
    problem = problem_of(snapshot, may_wait=may_wait)
    assignment = problem.assignment
    places = {item.name: item.current for item in assignment.items}
    places |= {move.container: move.target for move in plan.moves}
    answer = assignment.answer(places)
    assert violations(assignment, answer) == []
    score = evaluate(assignment, answer)
    assert abs(score.value - score.moves - score.left_out - plan.objective_after) < 1e-9
    assert abs(score.moves - plan.move_costs) < 1e-9
    if plan.bound is not None:
        assert plan.bound <= plan.objective_after + plan.move_costs + 1e-9
    told = {move.container for move in plan.moves} | set(plan.kept) | set(plan.waiting)
    assert told == {decision.container for decision in plan.decisions}
    nodes = {n.name for n in snapshot.nodes}
    for decision in plan.decisions:
        assert decision.chosen == places[decision.container]
        assert decision.reason
        assert explain(decision).startswith(decision.container)
        named = [candidate.node for candidate in decision.candidates]
        assert not set(named) & set(decision.refused)
        if decision.chosen is not None:
            assert {*named, *decision.refused} == nodes
        else:
            assert set(decision.refused) == nodes
    for shares in plan.loads.values():
        assert all(0 <= share <= 1 + 1e-9 for share in shares.values())
    check_ports(snapshot, plan)


def check_ports(snapshot, plan):
    """Nobody comes to a node where another has one of its ports, or gets it."""
    after = {c.name: c.node for c in snapshot.containers} | {m.container: m.target for m in plan.moves}
    pairs = {frozenset((m.container, c.name)) for m in plan.moves for c in snapshot.containers}
    specs = {c.name: c.spec for c in snapshot.containers}
    before = {c.name: c.node for c in snapshot.containers}
    lost = {n.name for n in snapshot.nodes if n.state is NodeState.LOST}
    for one, other in (sorted(pair) for pair in pairs if len(pair) == 2):
        # Two that were together already stay as they can.
        shared = before[one] is not None and before[one] == before[other] and before[one] not in lost
        if after[one] == after[other] is not None and not shared:
            assert clash(specs[one], specs[other]) is None


@settings(max_examples=150)
@given(snapshots(), st.sampled_from(["create-cluster", "rebalance"]))
def test_a_plan_is_valid_or_there_is_no_room(snapshot, action):
    try:
        plan = decide(snapshot, action=action, now=NOW, seconds=0.2)
    except NoRoomError:
        # Leaving all where it is always is an answer for those that have a node that answers.
        homes = {n.name for n in snapshot.nodes if n.state is not NodeState.LOST}
        assert any(c.id in snapshot.moving and c.node not in homes for c in snapshot.containers)
        return
    check(snapshot, plan, may_wait=False)
    moved = {move.container for move in plan.moves}
    assert moved <= {c.name for c in snapshot.containers if c.id in snapshot.moving}


@settings(max_examples=150)
@given(snapshots(), st.sampled_from(["node lost", "drain", "start after waiting"]))
def test_placing_again_is_valid_and_never_fails(snapshot, action):
    plan = decide(snapshot, action=action, now=NOW)
    check(snapshot, plan, may_wait=True)
    ready = {n.name for n in snapshot.nodes if n.state is NodeState.READY}
    assert {move.target for move in plan.moves} <= ready
    # What has a good node stays there.
    for move in plan.moves:
        assert move.source not in ready


@settings(max_examples=80)
@given(
    snapshots(
        states=st.just(NodeState.READY),
        memory=(4096, 8192),
        containers_max=5,
        all_placed=True,
        # A move may free a port of its old node, for which the next rebalance has a use.
        published=((),),
    )
)
def test_rebalancing_twice_moves_nothing_the_second_time(snapshot):
    """With up to 5 containers on 4 nodes, all 1,024 placements are tried, so the first answer is the best."""
    snapshot = replace(snapshot, policy=replace(snapshot.policy, cpu_overcommit=16.0))
    first = decide(snapshot, action="rebalance", now=NOW)
    assert first.objective_after + first.move_costs <= first.objective_before + 1e-9
    places = {move.container: move.target for move in first.moves}
    after = tuple(replace(c, node=places.get(c.name, c.node)) for c in snapshot.containers)
    second = decide(replace(snapshot, containers=after), action="rebalance", now=NOW)
    assert second.moves == ()
    assert abs(second.objective_after - first.objective_after) < 1e-9
