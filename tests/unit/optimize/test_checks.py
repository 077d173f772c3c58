"""Fields of problems and options of `solve` that are not what they must be, and what depends on them."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from qrealm.base.errors import InfeasibleError, ProblemError, SchemaError, SolverRefusalError
from qrealm.optimize import (
    Assignment,
    Bin,
    Ising,
    Item,
    MaxCut,
    Objective,
    Qubo,
    Rule,
    apart,
    solve,
    spread,
    together,
)
from qrealm.optimize.bounds import first_bound
from qrealm.optimize.formats.problem_json import problem_from_dict
from qrealm.optimize.problems.arrays import build_arrays
from qrealm.optimize.problems.evaluate import amount_of, evaluate, violations
from qrealm.optimize.quick_answer import QUICK, quick_answer


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Item(7, {}), "an item is called 7"),
        (lambda: Bin("", {}), "a bin is called ''"),
        (lambda: Item("x", None), "the demand of item 'x' is None"),
        (lambda: Item("x", {3: 1}), "speaks of resource 3"),
        (lambda: Item("x", {}, needs=5), "the needs of item 'x' is 5"),
        (lambda: Item("x", {}, needs={"zone": 1}), "'zone': 1; labels and values must be text"),
        (lambda: Bin("b", {}, {"zone": 1}), "the labels of bin 'b' has 'zone': 1"),
        (lambda: Item("x", {}, current=0), "the current bin of item 'x' is called 0"),
        (lambda: Item("x", {}, allowed="node0"), "must be a sequence of names"),
        (lambda: Item("x", {}, allowed=(1,)), "every name must be text"),
        (lambda: Rule("together", "xy"), "must be a sequence of names"),
        (lambda: Rule("together", ("x",), over=3), "the over of a rule"),
        (lambda: Assignment(("x",), ()), "each must be of class Item"),
        (lambda: Assignment((), (), objective="bins"), "objective is 'bins'"),
        (lambda: Assignment.packing([[1.0]], [2.0], num_bins=-3), "num_bins is -3"),
        (lambda: Item("x", {"c": 1e308}), "between 1e-150 and 1e"),
        (lambda: Bin("x", {"c": 1e-320}), "between 1e-150 and 1e"),
        (lambda: Ising.build([1e308, 0.0], {}), "linear part holds a number of size 1e"),
        (lambda: MaxCut.build(2, [0], [1], [1e308]), "holds a number of size 1e"),
        (lambda: Assignment((Item("x", {}),), (Bin("b", {}),), placement_cost=[[math.nan]]), "NaN"),
        *[
            (lambda p=p: Item("x", {}, priority=p), "the priority of item 'x' is")
            for p in (math.nan, "high", 1.5, True, 2**31)
        ],
        *[
            (lambda s=s: spread("x", over="zone", skew=s), "the skew of a rule of kind spread is")
            for s in (math.nan, 1.5, 10**30, -1)
        ],
    ],
)
def test_a_field_that_is_not_what_it_must_be(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


@pytest.mark.parametrize(
    "changes", [{"needs": 5}, {"name": 7}, {"allowed": "b"}, {"priority": 1.5}, {"demand": None}]
)
def test_the_same_in_json_says_where(changes):
    item = {"name": "x", "demand": {"c": 1}} | changes
    content = {"kind": "assignment", "items": [item], "bins": [{"name": "b", "capacity": {"c": 1}}]}
    with pytest.raises(SchemaError, match=r"items\[0\]"):
        problem_from_dict(json.loads(json.dumps(content)))


def every_answer(problem):
    places = range(-1 if problem.may_leave_out else 0, len(problem.bins))
    for answer in itertools.product(places, repeat=len(problem.items)):
        chosen = np.array(answer, dtype=np.int32)
        if not violations(problem, chosen):
            yield chosen


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_first_bound_with_placement_costs_below_zero(seed, leave_out):
    rng = np.random.default_rng(seed)
    items = [
        Item(f"i{k}", {"c": float(rng.integers(1, 4))}, weight=float(k), allowed=("b0", "b1") if k else None)
        for k in range(4)
    ]
    problem = Assignment(
        items,
        [Bin(f"b{k}", {"c": 6.0}, cost=0.5) for k in range(3)],
        objective=Objective(cost=2.0),
        may_leave_out=leave_out,
        placement_cost=rng.normal(size=(4, 3)) * 5,
    )
    least = min(evaluate(problem, answer).value for answer in every_answer(problem))
    assert first_bound(problem) <= least + 1e-9
    result = solve(problem, seconds=0.5, seed=1, threads=1)
    assert result.bound <= least + 1e-9
    if result.is_optimal:
        assert result.value == pytest.approx(least)


def test_a_problem_without_resources():
    problem = Assignment((Item("x", {}), Item("y", {})), (Bin("b", {}),))
    for solver in ("auto", "greedy", "packing", "placement_annealing", "exact"):
        assert solve(problem, solver=solver, seconds=0.3, seed=1).value == 1.0


def test_over_bin_is_the_bin_whatever_labels_there_are():
    bins = (Bin("a", {"c": 4}, {"bin": "same"}), Bin("b", {"c": 4}, {"bin": "same"}))
    items = (Item("x", {"c": 1}), Item("y", {"c": 1}))
    problem = Assignment(items, bins, (apart("x", "y"),))
    assert violations(problem, np.array([0, 1])) == []
    assert [v.kind for v in violations(problem, np.array([0, 0]))] == ["apart"]
    answer = solve(problem, seconds=0.2, seed=1, threads=1).answer
    assert set(answer.tolist()) == {0, 1}
    large = (Item("x", {"c": 3}), Item("y", {"c": 3}))
    with pytest.raises(InfeasibleError):
        solve(Assignment(large, bins, (together("x", "y"),)), seconds=0.2, seed=1, threads=1)


@pytest.mark.parametrize("seed", range(20))
def test_the_validator_agrees_with_what_solvers_read(seed):
    rng = np.random.default_rng(seed)
    labels = [{}, {"zone": "x"}, {"zone": "y"}, {"zone": "b0"}]
    bins = (*(Bin(f"b{k}", {}, labels[rng.integers(4)]) for k in range(4)), Bin("z", {}, {"zone": "x"}))
    names = [f"i{k}" for k in range(6)]
    over = ("bin", "zone")[seed % 2]
    kinds = ("together", "apart", "spread")
    rules = tuple(Rule(kind, tuple(rng.permutation(names)[:4].tolist()), over) for kind in kinds[:2])
    rules = (rules[seed // 2 % 2], Rule("spread", tuple(names[:5]), over, skew=int(rng.integers(2))))
    problem = Assignment([Item(n, {}) for n in names], bins, rules, may_leave_out=True)
    for _ in range(20):
        answer = rng.integers(-1, 5, 6).astype(np.int32)
        broken = [rule.rule.kind for rule in build_arrays(problem).rules if amount_of(rule, answer)]
        assert [v.kind for v in violations(problem, answer)] == broken


def test_priority_counts_for_an_item_that_weighs_nothing():
    items = (Item("vip", {"c": 4}, weight=0, priority=9), Item("low", {"c": 4}, weight=1))
    problem = Assignment(items, (Bin("a", {"c": 4}),), may_leave_out=True, objective=Objective())
    result = solve(problem, seconds=0.3, seed=1, threads=1)
    assert result.placement == {"vip": "a", "low": None}
    alone = Assignment(items[:1], (Bin("a", {"c": 4}),), may_leave_out=True)
    assert alone.arrays.left_out_price.tolist() == [0.0]


def chain(count):
    return MaxCut.build(count, range(count - 1), range(1, count))


@pytest.mark.parametrize("target", ["a", math.nan, math.inf, True])
def test_a_target_that_is_no_number(target):
    with pytest.raises(ProblemError, match="target"):
        solve(chain(5), seconds=0.1, target=target)


@pytest.mark.parametrize(
    "work, message",
    [
        ({"foo#1": 3}, "speaks of 'foo#1'; this run has tabu#1"),
        ({"tabu#2": 3}, "speaks of 'tabu#2'"),
        ({"tabu#1": -1}, "the work of tabu#1 is -1"),
        ({"tabu#1": 1.5}, "the work of tabu#1 is 1.5"),
    ],
)
def test_work_of_another_run(work, message):
    with pytest.raises(ProblemError, match=message):
        solve(chain(5), solver="tabu", seed=1, threads=1, work=work)


def test_work_without_an_answer():
    problem = Assignment((Item("x", {"c": 1}),), (Bin("b", {"c": 1}),))
    with pytest.raises(ProblemError, match="no answer is found with this work"):
        solve(problem, solver="greedy", seed=1, work={})


def test_a_solver_by_name_that_refuses_says_why_once():
    problem = Assignment.packing([[1.0]], [2.0])
    with pytest.raises(SolverRefusalError, match="tabu takes Ising, not Assignment") as caught:
        solve(problem, solver="tabu", seconds=0.1, threads=2)
    assert "these can take it: greedy" in caught.value.hint


@pytest.mark.parametrize("kind", ["qubo", "ising", "maxcut"])
@pytest.mark.parametrize("seed", range(4))
def test_the_quick_answer_is_a_descent(kind, seed):
    rng = np.random.default_rng(seed)
    rows, cols = np.triu_indices(30, 1)
    weights = rng.integers(-4, 5, len(rows)) * (rng.random(len(rows)) < 0.3)
    problem = {
        "qubo": lambda: Qubo.from_parts(rng.normal(size=30), rows, cols, weights),
        "ising": lambda: Ising.from_parts(rng.normal(size=30), rows, cols, weights),
        "maxcut": lambda: MaxCut.build(30, rows, cols, weights),
    }[kind]()
    found = quick_answer(problem)
    start = np.zeros(30) if kind == "qubo" else np.ones(30)
    assert found.value == problem.energy(found.answer) < problem.energy(start)


def test_too_little_time_for_spins_gives_a_quick_answer():
    problem = chain(3000)
    result = solve(problem, solver="tempering", seconds=1e-6, seed=1, threads=1)
    assert result.solver == QUICK
    assert result.value == problem.energy(result.answer) < 0
    again = solve(problem, solver="tempering", seed=1, threads=1, work=result.work)
    assert again.answer.tolist() == result.answer.tolist()


def test_the_quick_answer_of_a_long_chain_cuts_most_of_it():
    # No flip that gains is left where every node has a neighbour on the other side: at least half is cut.
    assert quick_answer(chain(100_000)).value <= -50_000
