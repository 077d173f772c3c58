"""Annealing of placements: what it keeps up to date is what the definition says, and it finds optima."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import ProblemError
from qrealm.optimize import Assignment, Bin, Item, Objective, apart, solve, spread, together
from qrealm.optimize.problems.evaluate import TOLERANCE, amount_of, evaluate, load_of, violations
from qrealm.optimize.solvers.placement_annealing import PlacementAnnealingOptions, start
from reference.assignments import best_by_trying_all, random_assignment


def penalty_of(problem, answer):
    """Overflow as shares of capacities, and units of the rules that are demands."""
    load, capacity = load_of(problem, answer), problem.arrays.capacity
    over = np.maximum(load - capacity * (1 + TOLERANCE), 0) / capacity
    return over.sum() + sum(amount_of(r, answer) for r in problem.arrays.rules if r.rule.weight is None)


@pytest.mark.parametrize("seed", range(40))
def test_kept_up_to_date_equals_the_definition(seed):
    room = 0.9 if seed % 3 == 0 else 1.5
    problem = random_assignment(seed, num_items=25, num_bins=6, room=room)
    search = start(problem, PlacementAnnealingOptions(hottest=5.0), seed=seed, hint=None)
    for _ in range(12):
        search.advance(1, 10.0)
        answer = search.kernel.answer()
        assert search.kernel.value == pytest.approx(evaluate(problem, answer).value, rel=1e-9, abs=1e-8)
        assert search.kernel.penalty == pytest.approx(penalty_of(problem, answer), abs=1e-9)
        broken = [v for v in violations(problem, answer) if v.kind != "left out"]
        assert search.kernel.keeps_demands == (not broken)
        assert not [v for v in broken if v.kind == "allowed"]


@pytest.mark.parametrize("seed", range(60))
def test_finds_the_optimum_of_small_problems(seed):
    problem = random_assignment(seed)
    best = best_by_trying_all(problem)
    search = start(problem, None, seed=seed, hint=None)
    search.advance(60, 10.0)
    if math.isinf(best):
        assert search.best is None
    else:
        assert search.best.value == pytest.approx(best)
        assert violations(problem, search.best.answer) == []


def test_the_same_work_is_the_same_answer_however_it_is_sliced():
    problem = random_assignment(5, num_items=40, num_bins=8)
    answers = []
    for slices in ([100], [1] * 100, [37, 63]):
        search = start(problem, None, seed=11, hint=None)
        for work in slices:
            search.advance(work, 60.0)
        answers.append((search.work, search.best.value, search.kernel.answer().tolist()))
    assert answers[0] == answers[1] == answers[2]


def test_starts_from_a_hint():
    problem = Assignment.packing(np.full((12, 1), 3.0), [10.0])
    hint = np.repeat(np.arange(4, dtype=np.int32), 3)
    search = start(problem, None, seed=1, hint=hint)
    assert search.best.value == 4
    assert search.best.answer.tolist() == hint.tolist()


def test_groups_go_together_and_others_apart():
    items = [Item(f"web{k}", {"cpu": 2}) for k in range(4)] + [Item(f"db{k}", {"cpu": 2}) for k in range(3)]
    bins = [Bin(f"n{k}", {"cpu": 4}, {"zone": "abc"[k % 3]}, cost=1 + k) for k in range(9)]
    rules = (
        together("web0", "web1", "web2", "web3", over="zone"),
        apart("db0", "db1", "db2", over="zone"),
    )
    problem = Assignment(tuple(items), tuple(bins), rules, Objective(cost=1.0))
    result = solve(problem, solver="placement_annealing", seconds=0.3, seed=2)
    assert violations(problem, result.answer) == []
    # Zones have bins of cost 1, 4, 7; 2, 5, 8; 3, 6, 9. The web fills two bins, a db is in each zone.
    assert result.value == (1 + 4 + 7) + 2 + 3


def test_items_that_do_not_fit_are_left_out_by_priority():
    items = [Item(f"low{k}", {"cpu": 1}, weight=3) for k in range(8)]
    items += [Item("high", {"cpu": 5}, weight=0.1, priority=2)]
    problem = Assignment(tuple(items), (Bin("a", {"cpu": 6}),), objective=Objective(), may_leave_out=True)
    result = solve(problem, solver="placement_annealing", seconds=0.2, seed=1)
    assert result.answer[-1] == 0
    assert np.count_nonzero(result.answer[:-1] >= 0) == 1


def test_spread_over_zones_with_current_places():
    items = tuple(Item(f"i{k}", {"cpu": 1}, current="n0", move_cost=1.0) for k in range(9))
    bins = tuple(Bin(f"n{k}", {"cpu": 9}, {"zone": str(k)}) for k in range(3))
    problem = Assignment(items, bins, (spread(*(i.name for i in items), over="zone"),), Objective())
    result = solve(problem, solver="placement_annealing", seconds=0.2, seed=3)
    assert violations(problem, result.answer) == []
    assert result.value == 6  # only three in each zone differ by no more than 1


def test_negative_demands_bring_room():
    items = (Item("battery", {"watt": -5.0}), Item("heater", {"watt": 12.0}))
    problem = Assignment(items, (Bin("a", {"watt": 8}), Bin("b", {"watt": 7})))
    result = solve(problem, solver="placement_annealing", seconds=0.1, seed=1)
    assert violations(problem, result.answer) == []


def test_large_and_wide():
    rng = np.random.default_rng(1)
    items = tuple(Item(f"i{k}", {"cpu": float(c)}) for k, c in enumerate(rng.integers(1, 9, 3000)))
    bins = tuple(Bin(f"b{k}", {"cpu": 16.0}, cost=float(rng.integers(1, 9))) for k in range(1500))
    problem = Assignment(items, bins, objective=Objective(cost=1.0))
    search = start(problem, None, seed=1, hint=None)
    first = search.best.value
    search.advance(300, 20.0)
    assert search.best.value < first
    assert search.kernel.value == pytest.approx(evaluate(problem, search.kernel.answer()).value)


@pytest.mark.parametrize("options", [{"hottest": 0.0}, {"coldest": math.nan}, {"hottest": math.inf}])
def test_temperatures_out_of_range(options):
    with pytest.raises(ProblemError, match="temperatures"):
        PlacementAnnealingOptions(**options)
