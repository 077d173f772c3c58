"""Problems as values: conversions keep energies, scores follow formulas, nonsense is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import ProblemError
from qrealm.optimize import (
    Assignment,
    Bin,
    Ising,
    Item,
    MaxCut,
    Objective,
    Qubo,
    apart,
    solve,
    spread,
    together,
)
from qrealm.optimize.problems.evaluate import evaluate, violations


def every_bits(count):
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(np.int8)


@pytest.mark.parametrize("seed", range(5))
def test_conversions_keep_every_energy(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(6, 6)) * (rng.random((6, 6)) < 0.6)
    qubo = Qubo.from_matrix(matrix, offset=1.5)
    ising = qubo.to_ising()
    back = ising.to_qubo()
    for bits in every_bits(6):
        energy = bits @ matrix @ bits + 1.5
        assert qubo.energy(bits) == pytest.approx(energy, abs=1e-12)
        assert ising.energy(1 - 2 * bits) == pytest.approx(energy, abs=1e-12)
        assert back.energy(bits) == pytest.approx(energy, abs=1e-12)


def test_a_cut_is_minus_its_energy():
    graph = MaxCut.build(4, [0, 1, 2, 3, 0, 1], [1, 2, 3, 0, 2, 1], [1, 2, 3, 4, 5, 9])
    for bits in every_bits(4):
        spins = 1 - 2 * bits
        weight = {(0, 1): 1, (1, 2): 2, (2, 3): 3, (0, 3): 4, (0, 2): 5}
        cut = sum(w for (i, j), w in weight.items() if bits[i] != bits[j])
        assert graph.cut(spins) == cut
        assert graph.to_ising().energy(spins) == -cut
        assert graph.to_qubo().energy(bits) == -cut


def test_pairs_given_twice_add_up():
    ising = Ising.build([0, 0], {(0, 1): 1.0, (1, 0): 2.0, (1, 1): 4.0})
    assert ising.couplings.values.tolist() == [3.0]
    assert ising.energy([1, 1]) == 7.0


def small_assignment(**changes):
    items = (
        Item("web", {"cpu": 2, "memory": 4}, current="a", move_cost=0.5),
        Item("db", {"cpu": 1, "memory": 8}, needs={"disk": "ssd"}),
        Item("job", {"cpu": 3}, weight=2.0),
    )
    bins = (
        Bin("a", {"cpu": 4, "memory": 8}, {"zone": "x", "disk": "ssd"}, cost=3),
        Bin("b", {"cpu": 4, "memory": 8}, {"zone": "x", "disk": "ssd"}, cost=5),
        Bin("c", {"cpu": 8, "memory": 8}, {"zone": "y"}, cost=7),
    )
    return Assignment(items, bins, **changes)


def test_score_part_by_part():
    objective = Objective(bins=1, cost=10, balance=100, fragmentation=1000, moves=2)
    rules = (apart("web", "job", over="zone", weight=6), spread("web", "db", over="zone", skew=0, weight=4))
    problem = small_assignment(objective=objective, rules=rules, may_leave_out=True)
    score = evaluate(problem, problem.answer({"web": "b", "db": "a", "job": None}))
    assert score.bins == 2
    assert score.cost == 10 * 8
    # cpu: 1/4, 2/4, 0; memory: 1, 1/2, 0.
    assert score.balance == pytest.approx(100 * (np.var([0.25, 0.5, 0]) + np.var([1, 0.5, 0])) / 2)
    assert score.fragmentation == pytest.approx(1000 * (0.75 + 0.0) / 3)
    assert score.moves == 2 * 0.5
    assert score.rules == 4 * 2  # both in zone x, none in y
    assert score.left_out == 2.0


def test_an_even_spread_costs_nothing():
    bins = tuple(Bin(f"b{k}", {"cpu": 4}, {"zone": "xy"[k % 2]}) for k in range(4))
    items = tuple(Item(name, {"cpu": 1}) for name in "pqrs")
    problem = Assignment(items, bins, (spread(*"pqrs", over="zone", skew=0),))
    assert violations(problem, np.array([0, 1, 2, 3])) == []
    assert [v.kind for v in violations(problem, np.array([0, 0, 2, 3]))] == ["spread"]
    assert violations(problem, solve(problem, seed=1).answer) == []


def test_violations_name_what_is_broken():
    problem = small_assignment(rules=(together("web", "db"), apart("db", "job", over="zone")))
    broken = violations(problem, problem.answer({"web": "a", "db": "c", "job": "c"}))
    assert {found.kind for found in broken} == {"allowed", "together", "apart"}
    assert any("disk=ssd" in found.text for found in broken)
    assert {v.kind for v in violations(problem, np.array([0, 0, 0]))} == {"capacity", "apart"}
    assert {v.kind for v in violations(problem, np.array([0, -1, 2]))} == {"left out"}


def test_a_higher_priority_outweighs_all_below():
    items = [Item(f"low{k}", {"cpu": 1}, weight=5) for k in range(10)]
    items.append(Item("high", {"cpu": 1}, weight=0.5, priority=1))
    prices = Assignment(tuple(items), (Bin("a", {"cpu": 1}),), may_leave_out=True).arrays.left_out_price
    assert prices[-1] > prices[:-1].sum()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Item("x", {"cpu": float("nan")}), "demand of item 'x' of cpu is nan"),
        (lambda: Bin("x", {"cpu": -1}), "capacity of bin 'x' of cpu is -1; it must not be negative"),
        (lambda: small_assignment(rules=(apart("web", "nobody"),)), "speaks of item 'nobody'"),
        (lambda: small_assignment(rules=(apart("web", "db", over="rack"),)), "goes over label 'rack'"),
        (
            lambda: small_assignment(rules=(apart("web", "db"), together("web", "db"))),
            "must be together in one bin and apart over bin",
        ),
        (lambda: Qubo.from_matrix([[np.inf]]), "NaN or infinite"),
        (lambda: MaxCut.build(2, [0], [2]), "speaks of variable 2; there are 2"),
        (lambda: Objective(bins=-1), "objective's bins is -1"),
        (lambda: solve(Qubo.from_matrix([[1.0]]), solver="magic"), "there is no solver 'magic'"),
    ],
)
def test_nonsense_is_refused_by_name(make, message):
    with pytest.raises(ProblemError, match=message.replace("(", r"\(")):
        make()


def test_greedy_keeps_every_demand():
    rng = np.random.default_rng(3)
    problem = Assignment.packing(rng.integers(1, 60, (40, 3)), [100, 100, 100])
    result = solve(problem, solver="greedy", seed=1)
    assert violations(problem, result.answer) == []
    assert result.bound <= result.value == evaluate(problem, result.answer).value
