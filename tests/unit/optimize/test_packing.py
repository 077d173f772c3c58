"""Vector bin packing: packings hold, equal brute force where that can be had, repeat, and refuse by name."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrealm.base.errors import InfeasibleError, ProblemError, SolverRefusalError
from qrealm.optimize import Assignment, Bin, Item, Objective, apart, solve
from qrealm.optimize.bounds import bins_needed
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import begin, refusal_of
from qrealm.optimize.solvers.packing import CARD, PackingOptions, whole_numbers


def planted_triples(num_bins, resources, seed):
    """Three items fill a bin of capacity 100 to the brim in every resource."""
    rng = np.random.default_rng(seed)
    first = rng.integers(20, 45, size=(num_bins, resources))
    second = rng.integers(20, 45, size=(num_bins, resources))
    items = np.concatenate([first, second, 100 - first - second])
    return Assignment.packing(rng.permutation(items), [100] * resources)


def run(problem, work=400, seed=1, options=None, hint=None):
    search, _ = begin(problem, "packing", seed=seed, options=options, hint=hint)
    search.advance(work, 60.0)
    return search


def fewest_bins(demand, capacity):
    """By trying all partitions: items one by one into each bin in use or a new one."""
    best = len(demand)

    def place(item, loads):
        nonlocal best
        if len(loads) >= best:
            return
        if item == len(demand):
            best = len(loads)
            return
        for index, load in enumerate(loads):
            if np.all(load + demand[item] <= capacity):
                place(item + 1, [*loads[:index], load + demand[item], *loads[index + 1 :]])
        place(item + 1, [*loads, demand[item]])

    place(0, [])
    return best


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=n, max_size=n)
    )
)
def test_small_packings_equal_brute_force(rows):
    demand = np.array(rows)
    problem = Assignment.packing(demand, [10, 10])
    search = run(problem, work=60)
    assert violations(problem, search.best.answer) == []
    assert search.best.value == evaluate(problem, search.best.answer).value
    assert search.best.value == fewest_bins(demand, np.array([10, 10]))
    assert search.bound <= search.best.value


@pytest.mark.parametrize("resources", [1, 3, 5, 10, 17])
def test_loads_and_overflow_stay_equal_to_their_recomputation(resources):
    rng = np.random.default_rng(resources)
    problem = Assignment.packing(rng.integers(20, 101, size=(80, resources)), [150] * resources)
    search, _ = begin(problem, "packing", seed=5)
    for _ in range(40):
        search.advance(1, 60.0)
        assert search.kernel.consistent()
        assert search.done or search.kernel.target == search.kernel.best_bins - 1
        assert violations(problem, search.best.answer) == []
        assert search.best.value == evaluate(problem, search.best.answer).value
        assert search.bound <= search.best.value


@pytest.mark.parametrize("resources", [3, 10])
def test_planted_triples_are_found_by_full_bins_and_not_without(resources):
    problem = planted_triples(60, resources, seed=resources)
    with_cover = run(problem, work=1)
    assert with_cover.best.value == 60
    assert with_cover.done
    assert violations(problem, with_cover.best.answer) == []
    annealed = run(problem, work=20, options=PackingOptions(full_bins=False))
    assert annealed.best.value > 60


def test_annealing_beats_first_fit_by_a_wide_margin():
    rng = np.random.default_rng(3)
    problem = Assignment.packing(rng.integers(20, 101, size=(250, 3)), [150] * 3)
    greedy = solve(problem, solver="greedy", seconds=20, seed=0)
    assert run(problem, work=1500).best.value <= 0.97 * greedy.value


@pytest.mark.parametrize("slices", [(1,) * 40, (13, 27), (40,)])
def test_the_same_work_gives_the_same_answer_however_it_is_sliced(slices):
    rng = np.random.default_rng(8)
    problem = Assignment.packing(rng.integers(20, 101, size=(120, 5)), [150] * 5)
    search, _ = begin(problem, "packing", seed=11)
    for work in slices:
        search.advance(work, 60.0)
    whole = run(problem, work=40, seed=11)
    assert search.work == whole.work == 40
    np.testing.assert_array_equal(search.best.answer, whole.best.answer)
    assert not np.array_equal(run(problem, work=40, seed=12).best.answer, whole.best.answer)


def test_a_search_starts_from_a_better_packing_and_ignores_a_worse_one():
    problem = planted_triples(30, 3, seed=4)
    best = run(problem, work=1).best
    off = PackingOptions(full_bins=False)
    started = run(problem, work=0, options=off, hint=best.answer)
    assert started.best.value == best.value == 30
    alone = np.arange(90, dtype=np.int32)
    assert run(problem, work=0, options=off, hint=alone).best.value < 90


def test_negative_demands_bring_room():
    demand = [[12, 1], [-4, 1], [9, 1], [10, 1], [-1, 5]]
    problem = Assignment.packing(demand, [10, 10])
    search = run(problem, work=50)
    assert violations(problem, search.best.answer) == []
    # Room for 30 with -5: at least 26 to hold.
    assert search.bound <= search.best.value == 3


def test_fractions_are_exact_and_other_numbers_are_rounded_safely():
    tenths = Assignment.packing([[0.1], [0.2], [0.7]] * 10, [1.0])
    assert run(tenths, work=50).best.value == 10
    rng = np.random.default_rng(2)
    real = rng.random((200, 3)) * math.pi / 10
    numbers, capacity = whole_numbers(real, np.full(3, math.e / 3))
    assert np.all(numbers / capacity >= real / (math.e / 3) * (1 - 1e-9))
    problem = Assignment.packing(real, [math.e / 3] * 3)
    assert violations(problem, run(problem, work=50).best.answer) == []
    decimal, room = whole_numbers(np.array([[0.25], [1.5]]), np.array([3.75]))
    assert decimal[:, 0].tolist() == [room[0] // 15, room[0] // 15 * 6]


def test_rounding_does_not_add_up_beyond_the_tolerance():
    near = Assignment.packing([[1 + 0.9e-9]] * 3, [3 - 2.9e-9], num_bins=3)
    found = run(near, work=20).best
    assert violations(near, found.answer) == []
    assert found.value == 2
    # Noise of floating point is no reason for another bin.
    tenths = Assignment.packing([[0.1 + 0.2], [0.7]] * 4, [1.0])
    assert run(tenths, work=20).best.value == 4
    # As many small items as a bin has units, each a little larger than one.
    numbers, capacity = whole_numbers(np.full((1000, 1), (1 + 9e-9) / 2**20), np.array([1.0]))
    assert numbers.min() / capacity[0] >= (1 + 9e-9) / 2**20


def test_costs_of_equal_bins_and_too_few_bins():
    items = tuple(Item(f"i{k}", {"cpu": 2.0}) for k in range(6))
    bins = tuple(Bin(f"b{k}", {"cpu": 4.0}, cost=2.5) for k in range(4))
    problem = Assignment(items, bins, objective=Objective(cost=1.0))
    result = solve(problem, solver="packing", seconds=5, seed=1)
    assert (result.value, result.bound) == (7.5, 7.5)
    with pytest.raises(InfeasibleError, match="take 10 cpu in all"):
        solve(Assignment(items, bins[:2]), solver="packing", seconds=1, seed=1)
    with pytest.raises(InfeasibleError, match=r"'i0' must have a bin .takes 5 cpu") as caught:
        solve(Assignment((Item("i0", {"cpu": 5.0}),), bins), solver="packing", seconds=1, seed=1)
    assert caught.value.proven


def test_what_packing_cannot_take_is_refused_by_name():
    items = tuple(Item(f"i{k}", {"cpu": 1.0}) for k in range(2))
    bins = tuple(Bin(f"b{k}", {"cpu": 4.0}) for k in range(2))
    cases = [
        (Assignment(items, bins, rules=(apart("i0", "i1"),)), "takes no rules"),
        (Assignment(items, bins, may_leave_out=True), "places every item"),
        (Assignment(items, (bins[0], Bin("c", {"cpu": 5.0}))), "bins that are equal"),
        (Assignment(items, bins, placement_cost=np.zeros((2, 2))), "bins that are equal"),
        (Assignment(items, bins, objective=Objective(balance=1.0)), "number of bins small"),
        (Assignment.packing(np.ones((2, 65)), np.ones(65)), "up to 64 resources"),
    ]
    for problem, reason in cases:
        assert reason in refusal_of(problem, CARD)
        with pytest.raises(SolverRefusalError, match=reason):
            solve(problem, solver="packing", seconds=1, seed=1)
    for hottest, coldest in itertools.product((0.0, -1.0, math.nan, math.inf), (0.1, math.nan)):
        with pytest.raises(ProblemError, match="temperatures"):
            PackingOptions(hottest, coldest)


def test_nothing_to_pack_takes_no_bin():
    search = run(Assignment((), (Bin("b", {"cpu": 1.0}),)), work=1)
    assert search.done
    assert search.best.value == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=7),
    st.sampled_from([20, 21, 30]),
)
def test_bounds_never_exceed_the_fewest_bins(rows, room):
    demand = np.array(rows)
    assert bins_needed(Assignment.packing(demand, [room] * 3)) <= fewest_bins(demand, np.full(3, room))


def test_bounds_see_what_volume_does_not():
    # Sums of two resources above a third of what both hold: no three fit, and volume alone would allow 2.5.
    two_at_most = Assignment.packing([[26, 45], [45, 26]] * 10, [100, 100])
    assert bins_needed(two_at_most) == 10
    # Above a half, and in different resources: no two fit together.
    one_at_most = Assignment.packing([[51, 0, 51], [51, 51, 0], [0, 51, 51]], [100] * 3)
    assert bins_needed(one_at_most) == 3
    # Seven of 30 and seven of 50: 30s three to a bin, 50s two to a bin; 560 in all.
    assert bins_needed(Assignment.packing([[50], [30]] * 7, [100])) == 6
    # A half and a half fit, and a sum of decimal fractions that is a whole but for rounding does.
    assert bins_needed(Assignment.packing([[0.5]] * 6, [1.0])) == 3
    assert bins_needed(Assignment.packing([[0.1]] * 10, [1.0])) == 1
