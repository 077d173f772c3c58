"""Plans: optimal where that can be checked, valid always, and every decision with its reason."""

from __future__ import annotations

import itertools
from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from tests.unit.control.placement.building import NOW, container, ids, node, relation

from qrealm.base.errors import NoRoomError
from qrealm.control.containers.placement import (
    Policy,
    Snapshot,
    decide,
    explain,
    problem_of,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.control.containers.placement.exhaustive import best_placement
from qrealm.control.containers.placement.pruning import pruned
from qrealm.control.containers.placement.schedulers import SchedulerAnswer
from qrealm.control.containers.values import NodeState
from qrealm.optimize import Assignment, Bin, Item, Objective
from qrealm.optimize.problems.evaluate import evaluate


def decided(snapshot, action="create", scheduler="portfolio", **more):
    return decide(snapshot, scheduler, action=action, now=NOW, **more)


def standing_on(snapshot, state):
    """Ids of the containers on nodes of a state."""
    names = {node.name for node in snapshot.nodes if node.state is state}
    return frozenset(each.id for each in snapshot.containers if each.node in names)


def where_after(snapshot, plan):
    """Node of every container when the plan is carried out."""
    places = {c.name: c.node for c in snapshot.containers}
    return places | {move.container: move.target for move in plan.moves}


def carried_out(snapshot, plan):
    places = where_after(snapshot, plan)
    return replace(snapshot, containers=tuple(replace(c, node=places[c.name]) for c in snapshot.containers))


def all_moving(nodes, containers, relations=(), **more):
    return Snapshot(nodes, containers, relations, moving=frozenset(c.id for c in containers), **more)


def cost_by_hand(snapshot, places):
    """The objective from the records alone: nothing of qrealm.optimize in it. None where there is no room."""
    nodes, containers = snapshot.nodes, snapshot.containers
    loads = {c.name: c.quantum.weight * c.quantum.probability for c in containers}
    unit = len(containers) * len(nodes) ** 2
    smallest = min(n.cpus for n in nodes)
    shares = []
    for n in nodes:
        here = [c for c in containers if places[c.name] == n.name]
        cpus = sum(c.spec.limits.cpus for c in here)
        memory = sum(c.spec.limits.memory_bytes for c in here)
        if cpus > n.cpus * snapshot.policy.cpu_overcommit + 1e-9 or memory > n.memory_bytes:
            return None
        if any(c.spec.limits.cpus > n.cpus for c in here):
            return None
        load = sum(loads[c.name] for c in here) / (sum(loads.values()) * n.cpus / smallest)
        shares.append((cpus / (n.cpus * snapshot.policy.cpu_overcommit), memory / n.memory_bytes, load))
    balance = unit * float(np.mean(np.var(np.array(shares), axis=0)))
    moves = sum(
        snapshot.policy.move_cost for c in containers if c.node is not None and c.node != places[c.name]
    )
    names = {c.id: c.name for c in containers}
    wishes = 0.0
    for r in snapshot.relations:
        together = places[names[r.first]] == places[names[r.second]]
        price = {"same": 1.0, "opposite": 2.0, "spread": 4.0}[r.mode]
        wishes += unit * price * (together is not (r.mode == "same"))
    return balance + moves + wishes


def random_snapshot(rng, count):
    nodes = tuple(
        node(f"n{k}", cpus=float(rng.choice([2, 4, 8])), memory=int(rng.choice([2048, 4096])))
        for k in range(3)
    )
    containers = tuple(
        container(
            f"c{k}",
            f"n{rng.integers(3)}" if rng.random() < 0.5 else None,
            cpus=float(rng.choice([0.5, 1, 2])),
            memory=int(rng.choice([128, 256, 512])),
            weight=float(rng.choice([0.5, 1, 3])),
            probability=float(rng.random()),
        )
        for k in range(count)
    )
    # Pairs that share no member: there a group is a pair, as `cost_by_hand` has it.
    modes = rng.choice(["same", "opposite", "spread"], 2)
    relations = (relation("c0", "c1", modes[0]), relation("c2", "c3", modes[1]))
    return all_moving(nodes, containers, relations)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [4, 6, 7])
def test_the_portfolio_finds_what_trying_everything_finds(seed, count):
    """4 and 6 containers are few enough for the scheduler to try all itself; 7 go to the solvers."""
    snapshot = random_snapshot(np.random.default_rng([count, seed]), count)
    names = [c.name for c in snapshot.containers]
    costs = (
        cost_by_hand(snapshot, dict(zip(names, places, strict=True)))
        for places in itertools.product([n.name for n in snapshot.nodes], repeat=count)
    )
    best = min(cost for cost in costs if cost is not None)
    plan = decided(snapshot, "create-cluster", seconds=5.0)
    assert plan.objective_after + plan.move_costs == pytest.approx(best, abs=1e-6)
    assert cost_by_hand(snapshot, where_after(snapshot, plan)) == pytest.approx(best, abs=1e-6)
    assert plan.bound == pytest.approx(best, abs=1e-5)
    assert plan.decisions[0].bound == plan.bound


@pytest.mark.parametrize("seed", range(10))
def test_what_candidates_cost_is_what_choosing_them_would_cost(seed):
    snapshot = random_snapshot(np.random.default_rng(seed), 5)
    problem = problem_of(snapshot).assignment
    plan = decided(snapshot, "create-cluster")
    places = where_after(snapshot, plan)
    value = evaluate(problem, problem.answer(places)).value
    for decision in plan.decisions:
        assert decision.candidates[0].node == decision.chosen
        for candidate in decision.candidates:
            other = evaluate(problem, problem.answer(places | {decision.container: candidate.node})).value
            assert candidate.change - decision.candidates[0].change == pytest.approx(other - value)
            assert sum(candidate.parts.values()) == pytest.approx(candidate.change)
        costs = [candidate.change for candidate in decision.candidates[1:]]
        assert costs == sorted(costs)
        assert decision.runner_up_cost is None or decision.runner_up_cost >= -1e-9
        # Every node is a candidate or refused, and never both.
        told = [candidate.node for candidate in decision.candidates] + list(decision.refused)
        assert sorted(told) == ["n0", "n1", "n2"]


def test_spread_is_apart_and_same_is_together():
    nodes = tuple(node(f"n{k}") for k in range(3))
    containers = tuple(container(f"c{k}") for k in range(6))
    relations = (
        relation("c0", "c1", "spread"),
        relation("c1", "c2", "spread"),
        relation("c3", "c4", "same"),
        relation("c4", "c5", "same"),
    )
    places = where_after(
        snapshot := all_moving(nodes, containers, relations), decided(snapshot, "create-cluster")
    )
    assert len({places["c0"], places["c1"], places["c2"]}) == 3
    assert len({places["c3"], places["c4"], places["c5"]}) == 1


def test_anti_affinity_outweighs_affinity_and_failover_comes_between():
    nodes = (node("a"), node("b"))
    old = (container("x", "a"), container("y", "a"))
    for others, expected in (
        ((relation("x", "new", "same"), relation("y", "new", "spread")), "b"),
        ((relation("x", "new", "same"), relation("y", "new", "opposite")), "b"),
        ((relation("x", "new", "same"),), "a"),
        ((relation("x", "new", "spread"),), "b"),
    ):
        snapshot = Snapshot(nodes, (*old, container("new")), others, moving=ids("new"))
        decision = decided(snapshot).decisions[0]
        assert decision.chosen == expected
    # x on a wants it there as a failover would not, y on b as a spread would not.
    apart = (container("x", "a"), container("y", "b"), container("new"))
    relations = (relation("x", "new", "opposite"), relation("y", "new", "spread"))
    decision = decided(Snapshot(nodes, apart, relations, moving=ids("new"))).decisions[0]
    assert decision.chosen == "a"
    assert decision.candidates[1].parts["anti-affinity"] == 2 * decision.candidates[0].parts["anti-affinity"]


def test_fewest_nodes_where_balancing_is_off():
    nodes = tuple(node(f"n{k}") for k in range(3))
    containers = tuple(container(f"c{k}") for k in range(5))
    plan = decided(all_moving(nodes, containers, policy=Policy(balance=False)), "create-cluster")
    assert len({move.target for move in plan.moves}) == 1
    assert plan.objective_after == 1.0
    even = decided(all_moving(nodes, containers[:3]), "create-cluster")
    assert len({move.target for move in even.moves}) == 3


def test_load_counts_weight_times_probability_of_running():
    nodes = (node("a"), node("b"))
    heavy, light = container("heavy", "a", weight=9.0), container("light", "b", weight=1.0)
    snapshot = Snapshot(nodes, (heavy, light, container("new")), moving=ids("new"))
    assert decided(snapshot).decisions[0].chosen == "b"
    measured = replace(snapshot, probabilities={heavy.id: 0.0, light.id: 1.0})
    assert decided(measured).decisions[0].chosen == "a"


def test_no_room_tells_what_each_node_lacks_the_nearest_first():
    nodes = (
        node("far", memory=512),
        node("near", memory=1024),
        node("weak", cpus=1),
        node("shut", state=NodeState.DRAINING),
    )
    big = container("big", cpus=2, memory=1100)
    with pytest.raises(NoRoomError) as caught:
        decided(Snapshot(nodes, (big,), moving=ids("big")))
    assert caught.value.message == (
        "no node takes container 'big', which wants 2 processors and 1,100 MiB of memory: "
        "near: needs 76 MiB more memory; far: needs 588 MiB more memory; "
        "weak: its host has 1 processor, the container wants 2; shut: closed (draining)"
    )
    assert "qdocker nodes add" in caught.value.hint
    with pytest.raises(NoRoomError, match="there is no node"):
        decided(Snapshot((), (big,), moving=ids("big")))


def test_no_room_for_several_names_one_that_is_left_over():
    containers = tuple(container(f"c{k}", memory=600) for k in range(3))
    snapshot = all_moving((node("a", memory=1000), node("b", memory=1000)), containers)
    for scheduler in ("portfolio", "greedy"):
        with pytest.raises(NoRoomError, match=r"with the others of the same call placed.*200 MiB more"):
            decided(snapshot, "create-cluster", scheduler)


def test_processors_are_overcommitted_as_configured():
    busy = tuple(container(f"c{k}", "a") for k in range(8))
    snapshot = Snapshot((node("a"),), (*busy, container("new")), moving=ids("new"))
    assert decided(snapshot).decisions[0].chosen == "a"
    with pytest.raises(NoRoomError, match="needs 1 more processor than the 8 that it may give"):
        decided(replace(snapshot, policy=Policy(cpu_overcommit=2.0)))


def test_only_the_named_move():
    nodes = (node("a"), node("b"))
    containers = tuple(container(f"c{k}", "a") for k in range(4))
    plan = decided(Snapshot(nodes, containers, moving=ids("c1", "c2")), "load-balance")
    assert {move.container for move in plan.moves} == {"c1", "c2"}
    assert {d.container for d in plan.decisions} == {"c1", "c2"}
    assert plan.loads["a"]["load"] == plan.loads["b"]["load"] == 0.5
    assert plan.objective_before > 0
    assert plan.objective_after == 0


def test_volumes_stay_where_they_are():
    nodes = (node("a"), node("b"))
    containers = tuple(container(f"c{k}", "a", volumes=("v",)) for k in range(4))
    plan = decided(all_moving(nodes, containers), "rebalance")
    assert plan.moves == ()
    assert plan.kept == ("c0", "c1", "c2", "c3")
    assert plan.decisions[0].refused == {"b": "its volume v is on node a"}
    assert plan.decisions[0].reason == "stays on a: no other node takes it"


def test_a_move_pays_or_is_not_made():
    nodes = (node("a"), node("b"))
    containers = tuple(container(f"c{k}", "a") for k in range(4))
    for price in (0.01, 0.7, 1.5, 100.0):
        snapshot = all_moving(nodes, containers, policy=Policy(move_cost=price))
        plan = decided(snapshot, "rebalance")
        places = where_after(snapshot, plan)
        problem = problem_of(snapshot).assignment
        value = evaluate(problem, problem.answer(places)).value
        for move in plan.moves:
            back = evaluate(problem, problem.answer(places | {move.container: "a"})).value
            assert back > value
        if len(plan.moves) == 1:
            assert plan.moves[0].reason.startswith("moving it from a to b lowers the objective by")
            assert plan.moves[0].reason.endswith(f"; the move costs {price:.4g}")
        for move in plan.moves[1:]:
            assert move.reason.startswith("moves from a to b with c")
            assert move.reason.endswith(f"; the moves cost {plan.move_costs:.4g}")
        assert plan.move_costs == pytest.approx(price * len(plan.moves))
    assert plan.moves == ()
    assert "would lower the objective by" in plan.decisions[0].reason
    assert "and cost 100" in plan.decisions[0].reason


def test_a_scheduler_that_shuffles_is_held_to_moves_that_pay():
    class Shuffler:
        name = "shuffler"
        help = "moves everything"

        def place(self, problem, *, seconds, seed):
            turned = {"a": "b", "b": "a"}
            return SchedulerAnswer({item.name: turned[item.current] for item in problem.items})

    register_scheduler(Shuffler())
    try:
        containers = tuple(container(f"c{k}", "ab"[k % 2]) for k in range(6))
        plan = decided(all_moving((node("a"), node("b")), containers), "rebalance", "shuffler")
    finally:
        unregister_scheduler("shuffler")
    assert plan.moves == ()
    assert plan.objective_before == plan.objective_after


def test_moves_come_in_an_order_that_finds_room():
    """b is full until d has left it."""
    nodes = (node("a", memory=1000), node("b", memory=1000), node("c", memory=1000))
    containers = (
        container("x", "a", memory=600),
        container("y", "a", memory=400),
        container("d", "b", memory=900),
    )
    relations = (relation("x", "y", "spread"),)

    class Ring:
        name = "ring"
        help = "x to b, d to c"

        def place(self, problem, *, seconds, seed):
            return SchedulerAnswer({"x": "b", "y": "a", "d": "c"})

    register_scheduler(Ring())
    try:
        snapshot = all_moving(nodes, containers, relations, policy=Policy(move_cost=0.0))
        plan = decided(snapshot, "rebalance", "ring")
    finally:
        unregister_scheduler("ring")
    assert [(move.container, move.target) for move in plan.moves] == [("d", "c"), ("x", "b")]
    gain = plan.objective_before - plan.objective_after
    told = f"moves from b to c with x: together they lower the objective by {gain:.4g} ("
    assert plan.moves[0].reason.startswith(told)


def test_moves_are_taken_back_one_at_a_time_two_at_a_time_and_all_together():
    bins = [Bin(name, {"memory": 10.0}) for name in ("a", "b", "c")]

    def item(name, current, memory):
        return Item(name, {"memory": memory}, current=current, move_cost=0.0)

    # Two equal ones were swapped, which neither can take back alone; the third's move pays.
    items = [item("x", "a", 8.0), item("y", "b", 8.0), item("z", "a", 2.0)]
    problem = Assignment(items, bins, objective=Objective(balance=1.0))
    assert pruned(problem, np.array([1, 0, 2], dtype=np.int32)).tolist() == [0, 1, 2]
    # A ring of three is only taken back as a whole.
    ring = Assignment(
        [item(name, name, 8.0) for name in ("a", "b", "c")], bins, objective=Objective(balance=1.0)
    )
    assert pruned(ring, np.array([1, 2, 0], dtype=np.int32)).tolist() == [0, 1, 2]


def test_of_equal_placements_the_one_with_the_fewest_moves_is_found():
    bins = [Bin(name, {"memory": 10.0}) for name in ("a", "b")]
    items = [Item(name, {"memory": 8.0}, current=where) for name, where in (("x", "b"), ("y", "a"))]
    problem = Assignment(items, bins, objective=Objective(balance=1.0))
    answer, value = best_placement(problem)
    assert answer.tolist() == [1, 0]
    assert value == 0.0


def test_explain_tells_everything():
    nodes = (node("a"), node("b"), node("c", memory=100), node("d", state=NodeState.DRAINING))
    containers = (container("x", "a"), container("new"))
    decision = decided(
        Snapshot(nodes, containers, (relation("x", "new", "spread"),), moving=ids("new"))
    ).decisions[0]
    text = explain(decision)
    more = f"{decision.runner_up_cost:.4g}"
    assert text.splitlines()[0].startswith(
        f"new on b (create, by portfolio): b is the best of 2 nodes; a would cost {more} more"
    )
    assert "anti-affinity +72" in text
    assert f"  a would have cost {more} more" in text
    assert "  not c: needs 412 MiB more memory" in text
    assert "  not d: closed (draining)" in text
    assert "proven to be the best there is" in text


def test_of_equal_nodes_the_reason_says_so():
    decision = decided(Snapshot((node("a"), node("b")), (container("new"),), moving=ids("new"))).decisions[0]
    assert decision.reason == "no node is better than a; b is as good"
    only = decided(Snapshot((node("a"),), (container("new"),), moving=ids("new"))).decisions[0]
    assert only.reason == "a is the only node that takes it"
    assert only.runner_up_cost is None


# Without a scheduler.


def test_what_a_lost_node_had_is_placed_on_the_others_and_nothing_else_moves():
    nodes = tuple(node(f"n{k}") for k in range(3))
    containers = tuple(container(f"c{k}", f"n{k % 3}") for k in range(9))
    relations = (relation("c0", "c1", "spread"), relation("c0", "c5", "same"))
    snapshot = Snapshot((replace(nodes[0], state=NodeState.LOST), *nodes[1:]), containers, relations)
    snapshot = replace(snapshot, moving=standing_on(snapshot, NodeState.LOST))
    plan = decided(snapshot, "node lost")
    assert {move.container for move in plan.moves} == {"c0", "c3", "c6"}
    assert {move.source for move in plan.moves} == {"n0"}
    assert where_after(snapshot, plan)["c0"] == "n2"
    assert plan.scheduler == "replacement"
    assert plan.decisions[0].refused["n0"] == "does not answer (lost)"
    assert all(d.reason.startswith("node n0 is lost; ") for d in plan.decisions)


def test_what_fits_nowhere_waits_the_lightest_first():
    nodes = (node("gone", state=NodeState.LOST), node("a", memory=1000))
    containers = (
        container("light", "gone", memory=900, weight=1.0),
        container("heavy", "gone", memory=800, weight=5.0, probability=0.0),
        container("data", "gone", memory=10, volumes=("v",)),
    )
    snapshot = Snapshot(nodes, containers, moving=ids("light", "heavy", "data"))
    plan = decided(snapshot, "node lost")
    assert [move.container for move in plan.moves] == ["heavy"]
    assert set(plan.waiting) == {"light", "data"}
    why = {d.container: d for d in plan.decisions}
    assert why["light"].chosen is None
    assert why["light"].candidates == ()
    assert "a: needs 700 MiB more memory" in why["light"].reason
    assert why["data"].refused["a"] == "its volume v is on node gone"
    assert explain(why["light"]).startswith("light has no node (node lost, without a scheduler): no node")
    # With room again it is placed.
    room = Snapshot(
        (node("a", memory=4000),),
        (container("heavy", "a", memory=800), container("light", memory=900, waiting=True)),
    )
    again = decided(replace(room, moving=room.waiting()), "start after waiting")
    assert [(move.container, move.source, move.target) for move in again.moves] == [("light", None, "a")]


def test_a_drained_node_is_emptied_where_that_can_be():
    nodes = (node("a"), node("b", memory=1024), node("shut", state=NodeState.DRAINING))
    containers = (
        container("x", "shut"),
        container("fixed", "shut", volumes=("v",)),
        container("wide", "shut", memory=9000),
        container("busy", "a"),
    )
    snapshot = Snapshot(nodes, containers)
    snapshot = replace(snapshot, moving=standing_on(snapshot, NodeState.DRAINING))
    plan = decided(snapshot, "drain")
    assert [move.container for move in plan.moves] == ["x"]
    assert plan.moves[0].reason.startswith("node shut is draining; ")
    assert set(plan.kept) == {"fixed", "wide"}
    assert plan.waiting == ()
    why = {d.container: d for d in plan.decisions}
    assert why["x"].refused == {"shut": "closed (draining)"}
    assert "needs 1,832 MiB more memory" in why["wide"].refused["a"]


def test_a_loss_is_answered_fast():
    """Measured: 4 ms and 30 ms on one core of a virtual machine; a search to the end of its time, 1 s."""
    for count, nodes, limit in ((50, 3, 0.3), (50, 10, 0.3), (1000, 100, 0.9)):
        places = tuple(node(f"n{k}", cpus=16, memory=65536) for k in range(nodes))
        containers = tuple(container(f"c{k}", f"n{k % nodes}", cpus=0.5) for k in range(count))
        snapshot = Snapshot((replace(places[0], state=NodeState.LOST), *places[1:]), containers)
        snapshot = replace(snapshot, moving=standing_on(snapshot, NodeState.LOST))
        times = []
        for _ in range(3):
            started = process_time()
            plan = decided(snapshot, "node lost")
            times.append(process_time() - started)
        assert len(plan.moves) == len(snapshot.moving) == -(-count // nodes)
        assert min(times) < limit


def test_the_same_seed_gives_the_same_plan():
    containers = tuple(container(f"c{k}", memory=64 * (1 + k % 5), weight=1 + k % 3) for k in range(12))
    snapshot = all_moving(tuple(node(f"n{k}") for k in range(4)), containers)
    plans = [decided(snapshot, "create-cluster", seconds=10.0, seed=11) for _ in range(2)]
    assert plans[0].objective_after == pytest.approx(plans[1].objective_after, abs=1e-9)


def test_nothing_to_decide_is_an_empty_plan():
    for action in ("rebalance", "node lost"):
        plan = decided(Snapshot((node("a"),), (container("x", "a"),)), action)
        assert plan.moves == plan.decisions == plan.waiting == ()


@pytest.mark.parametrize("scheduler", ["portfolio", "greedy"])
def test_new_containers_that_share_a_volume_go_to_one_node(scheduler):
    nodes = (node("a"), node("b"), node("c"))
    tied = tuple(container(name, volumes=("pages",)) for name in ("x", "y"))
    loose = tuple(container(name, volumes=(f"own-{name}",)) for name in ("u", "v"))
    plan = decided(
        all_moving(nodes, (*tied, *loose), (relation("x", "y", "spread"),)), "create-cluster", scheduler
    )
    places = {d.container: d.chosen for d in plan.decisions}
    assert places["x"] == places["y"]
    if scheduler == "portfolio":
        assert len(set(places.values())) == 3


def test_a_runner_up_that_is_as_good_would_have_cost_the_same():
    snapshot = Snapshot((node("a"), node("b")), (container("x"),), moving=ids("x"))
    (decision,) = decided(snapshot).decisions
    assert "b would have cost the same, all else as decided" in explain(decision)
