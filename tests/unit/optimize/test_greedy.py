"""Greedy passes: sliced, within their time, and the start of the portfolio, not its end."""

from __future__ import annotations

import time

import numpy as np
import pytest

from qrealm.base.errors import ProblemError
from qrealm.optimize import Assignment, Bin, Ising, Item, MaxCut, Objective, solve
from qrealm.optimize.solvers import SOLVERS, begin, refusal_of
from qrealm.optimize.solvers.greedy import DescentSearch


def _graph(size: int, edges: int, seed: int = 0) -> Ising:
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(0, size, edges), rng.integers(0, size, edges)
    kept = rows != cols
    return MaxCut.build(size, rows[kept], cols[kept], rng.integers(-3, 4, int(kept.sum()))).to_ising()


def _wide(num_items: int, num_bins: int) -> Assignment:
    rng = np.random.default_rng(0)
    items = tuple(Item(f"i{k}", {"c": float(rng.integers(1, 9))}) for k in range(num_items))
    bins = tuple(Bin(f"b{k}", {"c": 60.0 + k % 7}) for k in range(num_bins))
    return Assignment(items, bins, objective=Objective(bins=0, balance=1))


def _descent_over_all_spins(problem: Ising) -> np.ndarray:
    coupling = np.zeros((problem.num_variables, problem.num_variables))
    np.add.at(coupling, (problem.couplings.rows, problem.couplings.cols), problem.couplings.values)
    coupling += coupling.T
    spins = np.zeros(problem.num_variables)
    for _ in range(problem.num_variables):
        fields = problem.linear + coupling @ spins
        chosen = int(np.where(spins == 0, np.abs(fields), -1.0).argmax())
        spins[chosen] = -1 if fields[chosen] > 0 else 1
    return spins


@pytest.mark.parametrize(("size", "edges"), [(1, 0), (2, 1), (7, 12), (60, 100), (60, 1500)])
def test_descent_takes_the_strongest_of_all_fields(size, edges):
    problem = _graph(size, edges)
    search = DescentSearch(problem)
    while not search.done:
        search.advance(3, 60.0)
    assert search.best.answer.tolist() == _descent_over_all_spins(problem).tolist()
    assert search.best.value == pytest.approx(problem.energy(search.best.answer))


@pytest.mark.parametrize("problem", [_graph(300, 900), _wide(40, 6)], ids=["spins", "items"])
def test_slices_change_nothing(problem):
    whole, _ = begin(problem, "greedy", seed=0)
    whole.advance(10**6, 60.0)
    sliced, _ = begin(problem, "greedy", seed=0)
    while not sliced.done:
        sliced.advance(7, 60.0)
    assert sliced.work == whole.work
    assert sliced.best.answer.tolist() == whole.best.answer.tolist()


@pytest.mark.parametrize("problem", [_graph(200_000, 400_000), _wide(5000, 2000)], ids=["spins", "items"])
def test_time_ends_a_pass(problem):
    search, _ = begin(problem, "greedy", seed=0)
    started = time.perf_counter()
    search.advance(10**9, 0.1)
    assert time.perf_counter() - started < 20
    assert search.best is None
    assert search.work > 0


def test_auto_leaves_the_clock_to_those_that_improve():
    problem = _wide(5000, 2000)
    result = solve(problem, seconds=1.0, seed=1, threads=1)
    alone = solve(problem, solver="placement_annealing", seconds=1.0, seed=1, threads=1)
    assert result.solver == "placement_annealing"
    assert result.value <= 1.5 * alone.value
    greedy = next(row for row in result.contenders if row.solver == "greedy")
    assert greedy.seconds < 0.4


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("options", [3, {"foo": 1}, "fast"])
def test_options_of_another_class_are_refused(solver, options):
    problems = (
        Assignment.packing([[0.5], [0.4]], [1.0]),
        MaxCut.build(3, [0, 1], [1, 2], [1.0, 1.0]),
    )
    problem = next((each for each in problems if not refusal_of(each, SOLVERS[solver])), None)
    if problem is None:
        pytest.skip(refusal_of(problems[1], SOLVERS[solver]))
    with pytest.raises(ProblemError, match="options"):
        begin(problem, solver, seed=0, options=options)
