"""Placement of a running cluster: what decisions say about the objective is what `evaluate` says."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from qrealm.base.errors import ProblemError
from qrealm.optimize import Bin, Item, Objective, apart, spread, together
from qrealm.optimize.placing import Cluster, Placer, place, rebalance, replace
from qrealm.optimize.placing import placer as placer_module
from qrealm.optimize.problems.assignment import FEWEST_BINS
from qrealm.optimize.problems.evaluate import evaluate, violations

ALL_PARTS = Objective(bins=1.0, cost=0.3, balance=5.0, fragmentation=2.0, moves=0.7)


def some_nodes(rng, count=12, shapes=3, first=0):
    sizes = [{"cpu": 4 + 2 * s, "memory": 16.0 * (shapes - s), "gpu": s % 2} for s in range(shapes)]
    return tuple(
        Bin(
            f"n{first + k}",
            sizes[rng.integers(shapes)],
            {"zone": "abc"[k % 3], "disk": ["ssd", "hdd"][int(rng.integers(2))]},
            cost=float(rng.integers(1, 4)),
        )
        for k in range(count)
    )


def some_items(rng, count, first=0, priorities=1):
    items = []
    for k in range(first, first + count):
        demand = {"cpu": round(float(rng.integers(1, 20)) / 10, 1), "memory": float(rng.integers(1, 8))}
        if rng.random() < 0.1:
            demand["gpu"] = 1
        needs = {"disk": "ssd"} if rng.random() < 0.2 else {}
        price = float(rng.integers(0, 3)) / 50
        priority = int(rng.integers(priorities))
        items.append(Item(f"i{k}", demand, needs=needs, move_cost=price, priority=priority))
    return items


def some_rules():
    return (
        apart(*(f"i{k}" for k in range(8))),
        spread(*(f"i{k}" for k in range(8, 16)), over="zone", skew=1),
        apart(*(f"i{k}" for k in range(12, 24)), over="zone", weight=0.4),
        together(*(f"i{k}" for k in range(20, 26)), over="zone", weight=0.6),
        spread(*(f"i{k}" for k in range(24, 34)), over="bin", skew=0, weight=0.2),
        together("i34", "i35", over="zone"),
    )


def value(problem, answer):
    """Without what leaving items out costs."""
    score = evaluate(problem, answer)
    return score.value - score.left_out


def check_change(before, after, decisions, may_break=frozenset()):
    """The decisions' change of the objective is that from one cluster to the next, by `evaluate`."""
    problem = before.problem()
    names = {node.name for node in before.nodes}
    assert {node.name for node in after.nodes} == names
    then = problem.answer({item.name: after.running.get(item.name) for item in before.items})
    assert {violation.kind for violation in violations(problem, then)} <= may_break
    expected = value(problem, then) - value(problem, before.answer())
    assert decisions.change == pytest.approx(expected, abs=1e-9)
    assert sum(decision.change for decision in decisions) == pytest.approx(expected, abs=1e-9)


def with_waiting(cluster, items):
    return cluster.derive(items=(*cluster.items, *items))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", [FEWEST_BINS, Objective(balance=1.0), ALL_PARTS])
def test_changes_are_those_of_evaluate(seed, objective):
    rng = np.random.default_rng(seed)
    cluster = Cluster(some_nodes(rng), rules=some_rules(), objective=objective, seed=seed)
    items = some_items(rng, 40)
    placed = place(cluster, items)
    check_change(with_waiting(cluster, items), placed.cluster, placed.decisions)
    moved = rebalance(placed.cluster, 20)
    check_change(placed.cluster, moved.cluster, moved.decisions)
    assert moved.decisions.change <= 0
    drained = replace(moved.cluster, draining=[moved.cluster.nodes[0].name])
    check_change(moved.cluster, drained.cluster, drained.decisions)


@pytest.mark.parametrize("seed", range(8))
def test_one_replacement_is_one_step(seed):
    """Nodes go, come and are emptied, items leave, are evicted and moved again: all as `evaluate` says."""
    rng = np.random.default_rng(seed)
    start = Cluster(some_nodes(rng, 9), rules=some_rules(), objective=ALL_PARTS, seed=seed)
    cluster = place(start, some_items(rng, 60, priorities=3)).cluster
    assert cluster.waiting
    gone = cluster.nodes[1].name
    leaving = [item.name for item in cluster.items[:5]]
    joining = some_nodes(rng, 2, first=50)
    result = replace(
        cluster, gone=[gone], leaving=leaving, joining=joining, draining=[cluster.nodes[0].name], moves_max=5
    )
    before = Cluster(
        tuple(node for node in (*cluster.nodes, *joining) if node.name != gone),
        tuple(item for item in cluster.items if item.name not in leaving),
        {n: node for n, node in cluster.running.items() if node != gone and n not in leaving},
        rules=cluster.rules,
        objective=cluster.objective,
    )
    check_change(before, result.cluster, result.decisions, may_break={"spread"})
    assert {move.source for move in result.moves} >= {gone}


def test_in_one_step_a_move_is_paid_once():
    nodes = [Bin("a", {"cpu": 4}, cost=1), Bin("b", {"cpu": 4}, cost=5)]
    item = Item("x", {"cpu": 1}, current="a", move_cost=0.5)
    placer = Placer(Cluster(nodes, [item], objective=Objective(cost=1.0, moves=1.0)))
    with placer.one_step():
        first = placer.drain(["a"])
        placer.add_nodes([Bin("c", {"cpu": 4}, cost=2)])
        second = placer.rebalance(5)
    assert placer.where("x") == "c"
    assert first.change == pytest.approx(5 - 1 + 0.5)
    assert second.change == pytest.approx(2 - 5)
    placer.open(["a"])
    assert placer.rebalance(5).change == pytest.approx(1 - 2 + 0.5)
    assert placer.where("x") == "a"


@pytest.mark.parametrize("seed", range(6))
def test_evictions_change_what_evaluate_says(seed):
    rng = np.random.default_rng(seed)
    nodes = some_nodes(rng, 6)
    low, high = some_items(rng, 40), some_items(rng, 10, 40)
    cluster = place(Cluster(nodes, rules=some_rules(), objective=ALL_PARTS, seed=seed), low).cluster
    high = [Item(item.name, item.demand, priority=1) for item in high]
    result = place(cluster, high)
    check_change(with_waiting(cluster, high), result.cluster, result.decisions)
    evicting = [decision for decision in result.decisions if decision.evicted]
    assert evicting
    for decision in evicting:
        assert decision.item in {item.name for item in high}
        assert decision.candidates[0].evicts == len(decision.evicted)
        for name in decision.evicted:
            assert result.why(name).evicted_by == decision.item
    # Nothing more could have been placed by evicting less: no item of low priority waits that fits.
    waiting = {item.name for item in result.cluster.waiting}
    assert all(not result.why(name).fits for name in waiting if name in {i.name for i in high})


@pytest.mark.parametrize("seed", range(6))
def test_every_candidate_costs_what_evaluate_says(seed):
    """Each candidate's parts, and that no other node would be better: by brute force over all nodes."""
    rng = np.random.default_rng(seed)
    cluster = Cluster(some_nodes(rng), rules=some_rules(), objective=ALL_PARTS, seed=seed)
    for item in some_items(rng, 40):
        before = with_waiting(cluster, [item])
        problem = before.problem()
        here = before.answer()
        now = evaluate(problem, here)
        scores = {}
        for number, node in enumerate(cluster.nodes):
            there = here.copy()
            there[-1] = number
            if not violations(problem, there):
                scores[node.name] = evaluate(problem, there)
        result = place(cluster, [item], candidates=8)
        decision = result.why(item.name)
        assert decision.fits == len(scores)
        assert decision.fits + sum(decision.refused.values()) == len(cluster.nodes)
        changes = sorted(s.value - s.left_out - now.value + now.left_out for s in scores.values())
        assert [c.change for c in decision.candidates] == pytest.approx(changes[:8], abs=1e-12)
        for candidate in decision.candidates:
            for part in ("bins", "cost", "balance", "fragmentation", "rules"):
                change = getattr(scores[candidate.node], part) - getattr(now, part)
                assert candidate.parts.get(part, 0.0) == pytest.approx(change, abs=1e-12)
        cluster = result.cluster
    assert len(cluster.running) > 20


@pytest.mark.parametrize("objective", [FEWEST_BINS, Objective(balance=1.0), ALL_PARTS])
def test_the_best_of_many_nodes(objective):
    """Several blocks of equal nodes, filled unevenly: the candidates are the best of all of them."""
    rng = np.random.default_rng(5)
    cluster = Cluster(some_nodes(rng, 300, shapes=2), objective=objective, seed=5)
    scattered = [Item(f"s{k}", {"cpu": 0.3, "memory": 0.5}, move_cost=0.1) for k in range(60)]
    where = {f"s{k}": f"n{number}" for k, number in enumerate(rng.choice(300, size=60).tolist())}
    placer = Placer(Cluster(cluster.nodes, scattered, where, objective=objective, seed=5), candidates=8)
    placer.arrive(some_items(rng, 150))
    for item in some_items(rng, 5, 1000):
        before = with_waiting(placer.cluster, [item])
        decision = placer.arrive([item])[0]
        problem, here = before.problem(), before.answer()
        now = value(problem, here)
        changes = []
        for number in range(300):
            there = here.copy()
            there[-1] = number
            if not violations(problem, there):
                changes.append(value(problem, there) - now)
        assert decision.fits == len(changes)
        assert [c.change for c in decision.candidates] == pytest.approx(sorted(changes)[:8], abs=1e-11)
    assert placer._kernel.check() == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_prices_kept_up_to_date_are_prices_computed_anew(seed):
    rng = np.random.default_rng(seed)
    placer = Placer(Cluster(some_nodes(rng, 30), rules=some_rules(), objective=ALL_PARTS, seed=seed))
    first, nodes = 0, 30
    for _ in range(40):
        event = int(rng.integers(6))
        cluster = placer.cluster
        names = [item.name for item in cluster.items]
        if event <= 1:
            placer.arrive(some_items(rng, 8, first, priorities=3))
            first += 8
        elif event == 2 and names:
            placer.leave(rng.choice(names, size=min(5, len(names)), replace=False).tolist())
        elif event == 3 and len(cluster.nodes) > 10:
            placer.remove_nodes([cluster.nodes[int(rng.integers(len(cluster.nodes)))].name])
        elif event == 4:
            placer.add_nodes(some_nodes(rng, 2, first=nodes))
            nodes += 2
        else:
            placer.rebalance(5)
        assert placer._kernel.check() == 0.0
    cluster = placer.cluster
    problem = cluster.problem()
    broken = {violation.kind for violation in violations(problem, cluster.answer())}
    assert broken <= {"spread"}  # what leaves is not asked whether those that stay are still spread
    assert cluster.running


@pytest.mark.parametrize("seed", range(4))
def test_a_cluster_that_grew_decides_as_one_that_was_built(seed):
    """Also with nodes that come and go, resources that appear, and items evicted."""
    rng = np.random.default_rng(seed)
    grown = Cluster(some_nodes(rng, 8), rules=some_rules(), objective=ALL_PARTS, seed=seed)
    for step in range(10):
        built = Cluster(**{name: getattr(grown, name) for name in grown.__dataclass_fields__})
        change = {
            "gone": [grown.nodes[0].name] if step % 3 == 1 else [],
            "joining": some_nodes(rng, 1, shapes=4, first=100 + step) if step % 2 else [],
            "leaving": [item.name for item in grown.items[:2]] if step % 4 == 2 else [],
            "moves_max": 3,
        }
        items = some_items(rng, 8, 8 * step, priorities=3)
        results = []
        for cluster in (grown, built):
            changed = replace(cluster, **change)
            results.append((changed, place(changed.cluster, items)))
        (first, then), (other, other_then) = results
        assert [d.explain() for d in first.decisions] == [d.explain() for d in other.decisions]
        assert [d.explain() for d in then.decisions] == [d.explain() for d in other_then.decisions]
        assert first.moves == other.moves
        assert then.cluster == other_then.cluster
        grown = then.cluster


def test_the_seed_decides_between_equals_only():
    nodes = [Bin(f"n{k}", {"cpu": 4}) for k in range(20)]
    items = [Item(f"i{k}", {"cpu": 1}) for k in range(30)]
    results = [place(Cluster(nodes, seed=seed), items) for seed in (1, 1, 2)]
    assert results[0].cluster.running == results[1].cluster.running
    assert results[0].cluster.running != results[2].cluster.running
    assert len({len(set(r.cluster.running.values())) for r in results}) == 1


def test_a_full_cluster_says_what_is_missing():
    nodes = [
        Bin("small", {"cpu": 1, "memory": 8}),
        Bin("large", {"cpu": 4, "memory": 8}),
        Bin("shut", {"cpu": 4, "memory": 8}),
        Bin("rocky", {"cpu": 4, "memory": 8}, {"disk": "hdd"}),
    ]
    running = Item("db", {"cpu": 3.2, "memory": 1}, current="large")
    cluster = Cluster(nodes, [running], closed={"shut"}, rules=[apart("db", "web")])
    decision = place(cluster, [Item("web", {"cpu": 1, "memory": 1}, needs={"disk": "hdd"})]).decisions[0]
    assert decision.chosen == "rocky"
    assert decision.refused == {"closed": 1, "not allowed": 2}
    decision = place(cluster, [Item("web", {"cpu": 0.5, "memory": 9}, allowed=["large", "small"])]).decisions[
        0
    ]
    assert decision.chosen is None
    assert decision.kind == "nowhere"
    assert decision.refused == {"closed": 1, "not allowed": 1, "lacks memory": 2}
    assert decision.nearest == ("small", {"memory": 1.0})
    assert "it needs 1 memory more on node small" in decision.explain()
    result = place(cluster, [Item("job", {"cpu": 1.0, "gpu": 1})])
    assert result.decisions[0].refused == {"closed": 1, "lacks gpu": 3}
    assert [item.name for item in result.cluster.waiting] == ["job"]


def test_a_higher_priority_evicts_and_the_evicted_are_placed_again():
    nodes = [Bin(name, {"cpu": 4}) for name in ("a", "b")]
    items = [
        Item("low1", {"cpu": 2}, current="a", priority=1),
        Item("low2", {"cpu": 2}, current="a", priority=2),
        Item("mid", {"cpu": 3}, current="b", priority=3),
    ]
    result = place(Cluster(nodes, items), [Item("high", {"cpu": 2}, priority=9), Item("tiny", {"cpu": 1})])
    high = result.why("high")
    assert (high.kind, high.evicted, high.chosen) == ("placed by eviction", ("low1",), "a")
    assert "low1" in high.explain()
    low = result.why("low1")
    assert (low.chosen, low.evicted_by, low.before) == (None, "high", "a")
    assert result.why("tiny").chosen == "b"
    assert {(m.item, m.source, m.target) for m in result.moves} == {
        ("high", None, "a"), ("low1", "a", None), ("tiny", None, "b")
    }  # fmt: skip
    kept = place(Cluster(nodes, items), [Item("high", {"cpu": 2}, priority=9)], evict=False)
    assert kept.why("high").chosen is None


@pytest.mark.parametrize("seed", range(6))
def test_the_least_important_items_have_to_go(seed):
    """By brute force: on no node would it be enough that less important items go, and none goes in vain."""
    rng = np.random.default_rng(seed)
    nodes = some_nodes(rng, 10)
    cluster = place(Cluster(nodes, seed=seed), some_items(rng, 70, priorities=5)).cluster
    items = {item.name: item for item in cluster.items}
    new = Item("new", {"cpu": 2.5, "memory": 6}, priority=9)
    decision = place(cluster, [new]).decisions[0]
    assert decision.kind == "placed by eviction"

    def fits(node, gone):
        held = [items[name] for name, at in cluster.running.items() if at == node.name and name not in gone]
        load = {r: sum(item.demand.get(r, 0) for item in held) + new.demand[r] for r in new.demand}
        return all(load[r] <= node.capacity.get(r, 0) + 1e-9 for r in load)

    def needed(node):
        """The priority below which all have to go."""
        for level in range(6):
            below = {n for n, at in cluster.running.items() if at == node.name and items[n].priority < level}
            if fits(node, below):
                return level
        return 9

    assert max(items[name].priority for name in decision.evicted) + 1 == min(map(needed, nodes))
    chosen = next(node for node in nodes if node.name == decision.chosen)
    assert fits(chosen, set(decision.evicted))
    assert not any(fits(chosen, set(decision.evicted) - {name}) for name in decision.evicted)


def test_a_node_fails_and_its_items_go_elsewhere():
    nodes = [Bin(f"n{k}", {"cpu": 4}) for k in range(5)]
    start = place(Cluster(nodes), [Item(f"i{k}", {"cpu": 1}) for k in range(14)]).cluster
    gone = next(node for node in start.running.values())
    lost = {name for name, node in start.running.items() if node == gone}
    result = replace(start, gone=[gone])
    assert {move.item for move in result.moves} == lost
    assert all(move.source == gone and move.target not in (gone, None) for move in result.moves)
    assert gone not in {node.name for node in result.cluster.nodes}
    assert len(result.cluster.running) == 14
    assert violations(result.cluster.problem(), result.cluster.answer()) == []


def test_moves_must_pay():
    nodes = [Bin("a", {"cpu": 4}), Bin("b", {"cpu": 4})]
    items = [
        Item("x", {"cpu": 1}, current="a", move_cost=0.6),
        Item("y", {"cpu": 1}, current="b", move_cost=0.8),
    ]
    cluster = Cluster(nodes, items, objective=FEWEST_BINS)
    moved = rebalance(cluster, 5)
    assert [move.item for move in moved.moves] == ["x"]
    assert moved.decisions[0].kind == "moved to empty a node"
    assert moved.decisions.change == pytest.approx(-0.4)
    assert rebalance(cluster, 5, gain_min=0.5).moves == ()
    assert rebalance(cluster, 0).moves == ()
    dear = Cluster(nodes, [Item(i.name, i.demand, current=i.current, move_cost=1.1) for i in items])
    assert rebalance(dear, 5).moves == ()


def test_nothing_to_place_or_nowhere():
    empty = place(Cluster([]), [Item("x", {"cpu": 1})])
    assert empty.why("x").chosen is None
    assert empty.moves == ()
    last = replace(Cluster([Bin("a", {"cpu": 1})], [Item("x", {"cpu": 1}, current="a")]), gone=["a"])
    assert last.cluster.waiting[0].name == "x"
    for objective in (FEWEST_BINS, ALL_PARTS):
        free = place(Cluster([Bin("a", {}), Bin("b", {})], objective=objective), [Item("x", {})])
        assert free.decisions[0].fits == 2
        assert free.decisions.change == pytest.approx(objective.bins + objective.cost)
    assert list(place(Cluster([]), []).decisions) == []


def test_other_rules_hold_from_then_on():
    placer = Placer(Cluster([Bin("a", {"cpu": 9}), Bin("b", {"cpu": 9})]))
    placer.arrive([Item("x", {"cpu": 1})])
    placer.set_rules([apart("x", "y")])
    decision = placer.arrive([Item("y", {"cpu": 1})])[0]
    assert {placer.where("x"), placer.where("y")} == {"a", "b"}
    assert decision.refused == {"a rule forbids": 1}
    assert "1 would break a rule" in decision.explain()


def test_decisions_are_a_sequence():
    result = place(Cluster([Bin("a", {"cpu": 9})]), [Item(f"i{k}", {"cpu": 1}) for k in range(4)])
    assert [d.item for d in result.decisions[1:3]] == ["i1", "i2"]
    assert result.decisions[-1].item == "i3"
    with pytest.raises(IndexError):
        result.decisions[4]


def test_a_cluster_survives_being_copied_and_pickled():
    cluster = place(Cluster([Bin("a", {"cpu": 9})]), [Item("x", {"cpu": 1})]).cluster
    for other in (copy.copy(cluster), pickle.loads(pickle.dumps(cluster))):
        assert other == cluster
        assert place(other, [Item("y", {"cpu": 1})]).cluster.running["y"] == "a"
    assert place(cluster, [Item("y", {"cpu": 1})]).cluster.running == {"x": "a", "y": "a"}
    # The same value again: what was decided before has left it as it was.
    assert place(cluster, [Item("y", {"cpu": 1})]).cluster.running == {"x": "a", "y": "a"}


def test_many_that_leave_are_forgotten(monkeypatch):
    monkeypatch.setattr(placer_module, "LEFT_MAX", 4)
    placer = Placer(Cluster([Bin(f"n{k}", {"cpu": 4}) for k in range(3)]))
    for k in range(40):
        decisions = placer.arrive([Item(f"i{k}", {"cpu": 1})])
        assert placer.where(f"i{k}") == decisions[0].chosen is not None
        if k >= 5:
            placer.leave([f"i{k - 5}"])
            assert decisions[0].item == f"i{k}"
    assert len(placer._items) < 20
    assert len(placer.cluster.running) == 5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda c: place(c, [Item("x", {"cpu": 1})]), "two items are called 'x'"),
        (lambda c: replace(c, gone=["z"]), "has no node 'z'"),
        (lambda c: replace(c, leaving=["z"]), "has no item 'z'"),
        (lambda c: replace(c, joining=[Bin("a", {})]), "two nodes are called 'a'"),
        (lambda c: rebalance(c, -1), "none may be negative"),
        (lambda c: place(c, [], candidates=9), "from 1 to 8"),
        (lambda c: place(c, [Item("y", {}, priority=2**40)]), "the priority of item 'y'"),
        (lambda c: Cluster(c.nodes, c.items, {"x": "nowhere"}), "no such node"),
        (lambda c: Cluster(c.nodes, rules=[spread("x", over="zone", skew=0)]), "has skew 0"),
        (lambda c: Cluster(c.nodes, rules=[together("x", "y"), apart("x", "y")]), "no placement can do both"),
        (lambda c: Placer(c).set_rules([together("x", "y"), apart("x", "y")]), "no placement can do both"),
        (lambda c: place(c, [Item("y", {"cpu": -1})]), "'y' of a cluster has a demand of -1 cpu"),
        (lambda c: Cluster(c.nodes, [Item("y", {"cpu": -1})]), "must not be negative"),
        (lambda c: place(3, []), "got 3 for its cluster; it takes a Cluster"),
        (lambda c: Placer("c"), "it takes a Cluster"),
        (lambda c: place(c, ["x"]), "the items that arrive have 'x' among them"),
        (lambda c: place(c, 5), "must be a sequence of Item"),
        (lambda c: replace(c, joining=["x"]), "each must be of type Bin"),
        (lambda c: Cluster(["x"]), "the nodes of a cluster have 'x'"),
        (lambda c: Cluster(c.nodes, seed=float("nan")), "must be a whole number"),
        (lambda c: Cluster(c.nodes, seed=True), "must be a whole number"),
        (lambda c: place(c, []).why("x"), "nothing was decided about item 'x'"),
    ],
)
def test_nonsense_is_refused_by_name(call, message):
    cluster = Cluster([Bin("a", {"cpu": 1})], [Item("x", {"cpu": 1}, current="a")])
    with pytest.raises(ProblemError, match=message):
        call(cluster)


def test_a_refused_arrival_changes_nothing():
    placer = Placer(Cluster([Bin("a", {"cpu": 4})]))
    with pytest.raises(ProblemError, match="must not be negative"):
        placer.arrive([Item("x", {"cpu": 1}), Item("y", {"gpu": -1})])
    assert placer.cluster.items == ()
    assert placer.arrive([Item("x", {"cpu": 1})])[0].chosen == "a"
    assert placer._kernel.check() == 0.0


def test_shares_of_overfull_nodes_do_not_overflow():
    # 1e9 capacities on one node, beyond 2^63 units of 2^-44.
    nodes = [Bin("a", {"cpu": 1e-3}), Bin("b", {"cpu": 4.0})]
    running = [Item("x", {"cpu": 1e6}, current="a")]
    placer = Placer(Cluster(nodes, running, objective=Objective(balance=1.0)))
    assert placer._kernel.check() == 0.0
    before = placer.cluster
    decision = placer.arrive([Item("y", {"cpu": 1.0})])[0]
    after = placer.cluster
    assert decision.chosen == "b"
    change = value(after.problem(), after.answer()) - value(before.problem(), before.answer())
    assert decision.change == pytest.approx(change, rel=1e-6)
    placer.leave(["x"])
    assert placer._kernel.check() == 0.0
    with pytest.raises(ProblemError, match="may take up to"):
        Placer(Cluster(nodes, [Item("x", {"cpu": 1e12}, current="a")]))


def test_a_label_called_bin_is_not_the_bin():
    nodes = [Bin(f"n{k}", {"cpu": 2}, {"bin": "same"}) for k in range(2)]
    cluster = Cluster(nodes, rules=[apart("x", "y")])
    running = place(cluster, [Item("x", {"cpu": 1}), Item("y", {"cpu": 1})]).cluster.running
    assert sorted(running.values()) == ["n0", "n1"]
