"""Problems without an answer: proven, in words, with demands that contradict each other and few others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from qrealm.base.errors import InfeasibleError
from qrealm.optimize import Assignment, Bin, Item, apart, solve, spread, together
from qrealm.optimize.bounds import bins_needed
from qrealm.optimize.infeasible import find_conflict
from reference.assignments import best_by_trying_all, random_assignment


def bins(count, capacity=4.0, **labels):
    return tuple(
        Bin(f"b{k}", {"cpu": capacity}, {key: values[k] for key, values in labels.items()})
        for k in range(count)
    )


def items(count, demand=1.0, **more):
    return tuple(Item(f"i{k}", {"cpu": demand}, **more) for k in range(count))


@pytest.mark.parametrize(
    "problem, words",
    [
        (Assignment(items(1, needs={"disk": "ssd"}), bins(2)), ["'i0'", "no bin has the label disk=ssd"]),
        (Assignment(items(1, 5.0), bins(2)), ["'i0'", "5 cpu", "more than 4 cpu"]),
        (Assignment(items(9), bins(2)), ["take 9 cpu in all", "have 8 cpu in all"]),
        (
            Assignment((*items(5, allowed=("b0",)), Item("x", {"cpu": 1})), bins(3)),
            ["take 5 cpu in all", "'b0'"],
        ),
        (
            Assignment(items(3), bins(4, zone="xxyy"), (apart("i0", "i1", "i2", over="zone"),)),
            ["must each be in another zone", "(3) must all be placed", "2 of the domains"],
        ),
        (Assignment(items(3, 3.0), bins(2, 5.0)), ["'i0', 'i1', 'i2'", "2 bins"]),
        (
            Assignment(items(3, 2.0), bins(5), (together("i0", "i1"), together("i1", "i2"))),
            ["together they take 6 cpu", "no bin"],
        ),
        (
            Assignment(items(3), bins(3), (together("i0", "i1"), together("i1", "i2"), apart("i2", "i0"))),
            ["'i2' and 'i0' cannot be both", "must be in one bin"],
        ),
        (
            Assignment(
                items(4, allowed=("b0", "b1")),
                bins(3, zone="xyz"),
                (spread("i0", "i1", "i2", "i3", over="zone"),),
            ),
            ["1 of the 3 domains", "2 of 4"],
        ),
    ],
)
def test_contradictions_seen_at_once(problem, words):
    with pytest.raises(InfeasibleError) as caught:
        solve(problem, seconds=5)
    assert caught.value.proven
    for word in words:
        assert word in " ".join(caught.value.conflict)
    # Proven, so trying everything finds nothing.
    if len(problem.items) < 6:
        assert math.isinf(best_by_trying_all(problem))


def test_the_exact_solver_names_what_matters():
    # Two fit in each bin, and there are five; the other three items do not matter.
    sizes = [2.8] * 5 + [0.0] * 3
    problem = Assignment(
        tuple(Item(f"i{k}", {"cpu": s, "memory": 1.0}) for k, s in enumerate(sizes)),
        tuple(Bin(f"b{k}", {"cpu": 7.0 + k / 2, "memory": 99.0}) for k in range(2)),
    )
    conflict = find_conflict(problem, seconds=20)
    assert conflict.irreducible
    text = " ".join(conflict.demands)
    assert all(f"'i{k}'" in text for k in range(5))
    assert not any(f"'i{k}'" in text for k in range(5, 8))
    assert "7 to 7.5 cpu" in text
    assert "99" not in text


def test_an_item_that_may_go_nowhere():
    problem = Assignment((Item("a", {"cpu": 1}, allowed=()),), bins(2))
    conflict = find_conflict(problem)
    assert "may go nowhere" in conflict.demands[0]
    assert conflict.demands[1] == "its list of allowed bins is empty"


@pytest.mark.parametrize("many", [4, 12])
def test_the_bins_that_are_large_enough_are_shown(many):
    # Only one bin is large enough for either item, and not for both.
    problem = Assignment(
        (Item("i0", {"cpu": 4.5}), Item("i1", {"cpu": 4.6})),
        (Bin("large", {"cpu": 7.6}), *(Bin(f"b{k}", {"cpu": 3.7}) for k in range(many - 1))),
    )
    conflict = find_conflict(problem, seconds=20)
    assert conflict.irreducible
    texts = " ".join(conflict.demands)
    assert "3.7 to 7.6 cpu" in texts
    if many == 4:
        assert "'large' 7.6, 'b0' 3.7, 'b1' 3.7, 'b2' 3.7" in texts
    else:
        assert "1 of them 4.6 or more, 1 of them 4.5 or more" in texts


def test_rules_that_matter_are_named():
    # a and b share one of two bins; c must leave it for the one, d for the other, and c and d may not meet.
    names = tuple(Item(name, {"cpu": 1}) for name in "abcde")
    rules = (together("a", "b"), apart("a", "c"), apart("b", "d"), apart("c", "d"), apart("e", "c"))
    problem = Assignment(names, bins(2, 9.0), rules)
    conflict = find_conflict(problem, seconds=20)
    assert conflict.irreducible
    text = " ".join(conflict.demands)
    assert all(f"'{name}'" in text for name in "abcd")
    assert "'e'" not in text
    assert "cpu each" not in text
    assert math.isinf(best_by_trying_all(problem))


def test_no_false_proof():
    for seed in range(60):
        problem = random_assignment(seed, num_items=5, room=1.1, may_leave_out=False, placement_cost=False)
        if find_conflict(problem) is not None:
            assert math.isinf(best_by_trying_all(problem)), seed


def test_not_proven_is_said():
    rng = np.random.default_rng(0)
    problem = Assignment.packing(rng.integers(200, 400, (60, 3)), [1000, 1000, 1000])
    problem = replace(problem, bins=problem.bins[: bins_needed(problem)])
    with pytest.raises(InfeasibleError) as caught:
        solve(problem, solver="greedy", seconds=0.2)
    assert not caught.value.proven or caught.value.conflict


def test_where_items_may_be_left_out_there_is_an_answer():
    problem = Assignment(items(3, 9.0), bins(1), may_leave_out=True)
    assert find_conflict(problem, seconds=1) is None
    assert solve(problem, seconds=0.2).answer.tolist() == [-1, -1, -1]
