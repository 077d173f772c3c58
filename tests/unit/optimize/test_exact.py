"""Exact solvers: the optimum of trying everything, its proof, limits and ends."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engines.nodes import wait_until
from qrealm.base.errors import InfeasibleError, ProblemError, SolverRefusalError
from qrealm.optimize import Assignment, Bin, Item, MaxCut, Objective, Qubo, solve
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import begin, highs
from reference.assignments import best_by_trying_all, random_assignment
from reference.processes import wait_for_work


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_of_assignments(seed):
    problem = random_assignment(seed, num_items=5, placement_cost=seed % 2 == 0)
    best = best_by_trying_all(problem)
    search, _ = begin(problem, "exact", seed=0)
    if math.isinf(best):
        with pytest.raises(InfeasibleError):
            search.advance(1, 60.0)
        return
    search.advance(1, 60.0)
    assert violations(problem, search.best.answer) == []
    assert search.best.value == pytest.approx(best, abs=1e-6)
    assert search.best.value == evaluate(problem, search.best.answer).value
    assert search.bound == search.best.value


@pytest.mark.parametrize("seed", range(2))
def test_equal_bins_in_one_order(seed):
    rng = np.random.default_rng(seed)
    problem = Assignment.packing(rng.integers(20, 60, (6, 2)), [100, 100])
    search, _ = begin(problem, "exact", seed=0)
    search.advance(1, 60.0)
    few = Assignment.packing(problem.arrays.demand, [100, 100], num_bins=int(search.best.value))
    assert violations(few, np.unique(search.best.answer, return_inverse=True)[1]) == []
    assert math.isinf(best_by_trying_all(Assignment(few.items, few.bins[:-1])))


@pytest.mark.parametrize("seed", range(2))
def test_the_optimum_of_bits_and_cuts(seed):
    rng = np.random.default_rng(seed)
    qubo = Qubo.from_matrix(rng.integers(-9, 10, (9, 9)).astype(float), offset=2.0)
    every = (np.arange(512)[:, None] >> np.arange(9)) & 1
    result = solve(qubo, solver="exact", seconds=30)
    assert result.value == min(qubo.energy(bits) for bits in every)
    assert result.is_optimal
    rows, cols = np.triu_indices(9, 1)
    graph = MaxCut.build(9, rows, cols, rng.integers(-3, 6, len(rows)))
    result = solve(graph, solver="exact", seconds=30)
    assert result.cut == max(graph.cut(1 - 2 * bits) for bits in every)
    assert result.is_optimal


def test_the_time_limit_gives_an_answer_with_its_bound():
    rng = np.random.default_rng(1)
    problem = Assignment.packing(rng.integers(100, 400, (60, 3)), [1000, 1000, 1000])
    started = time.perf_counter()
    result = solve(problem, solver="exact", seconds=2)
    assert time.perf_counter() - started < 40
    assert violations(problem, result.answer) == []
    assert result.bound <= result.value


def at_work(monkeypatch, then=lambda: None):
    """Set, and `then` called, when HiGHS has got the model and its answer is waited for."""
    asked, read = threading.Event(), highs._read

    def reading(pipe):
        if not asked.is_set():
            asked.set()
            then()
        return read(pipe)

    monkeypatch.setattr(highs, "_read", reading)
    return asked


def test_another_thread_ends_it(monkeypatch):
    rng = np.random.default_rng(1)
    problem = Assignment.packing(rng.integers(100, 400, (80, 3)), [1000, 1000, 1000])
    search, _ = begin(problem, "exact", seed=0)
    asked = at_work(monkeypatch)
    another = threading.Thread(target=lambda: asked.wait(60) and search.cancel())
    another.start()
    started = time.perf_counter()
    search.advance(1, 600.0)
    another.join()
    assert asked.is_set()
    assert time.perf_counter() - started < 60
    assert search.work == 0


def test_fractions_that_no_tolerance_hides():
    # Three times 0.3333334 is above 1 by 2e-7: less than HiGHS sees, more than a capacity forgives.
    items = tuple(Item(f"i{k}", {"cpu": 0.33333340000001}) for k in range(3))
    bins = tuple(Bin(f"b{k}", {"cpu": 1.0}) for k in range(2))
    result = solve(Assignment(items, bins), solver="exact", seconds=20)
    assert result.value == 2
    assert result.is_optimal


def test_what_is_too_large_is_refused():
    items = tuple(Item(f"i{k}", {"cpu": 1}) for k in range(2000))
    problem = Assignment(items, tuple(Bin(f"b{k}", {"cpu": 9}) for k in range(600)))
    with pytest.raises(SolverRefusalError, match="1200000"):
        begin(problem, "exact", seed=0)
    ranks = tuple(Item(f"i{k}", {"cpu": 1}, priority=k, weight=10) for k in range(40))
    steep = Assignment(ranks, (Bin("b", {"cpu": 9}),), objective=Objective(), may_leave_out=True)
    with pytest.raises(SolverRefusalError, match="priorities"):
        begin(steep, "exact", seed=0)


def test_ctrl_c_returns_the_best_so_far(monkeypatch):
    rng = np.random.default_rng(1)
    problem = Assignment.packing(rng.integers(100, 400, (80, 3)), [1000, 1000, 1000])
    asked = at_work(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = solve(problem, solver="exact", seconds=300, seed=1, threads=1)
    assert asked.is_set()
    assert result.interrupted
    assert violations(problem, result.answer) == []
    assert result.seconds < 100


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended since
                state, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(owner) == parent and state != "Z":
                    found.append(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let the child run to its limit")
def test_the_child_ends_with_a_killed_caller():
    program = """
import numpy as np
from qrealm.optimize import Assignment, solve
rng = np.random.default_rng(1)
solve(Assignment.packing(rng.integers(100, 400, (80, 3)), [1000] * 3), solver="exact", seconds=600, threads=1)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as caller:
        try:
            wait_until(lambda: len(_children(caller.pid)) == 1)
            (child,) = _children(caller.pid)
            # So HiGHS is at work: to load it takes a fraction of that.
            wait_for_work(child, 2.0)
        finally:
            caller.kill()
    wait_until(lambda: not Path(f"/proc/{child}").exists())  # its time would be over much later


def _many_pairs() -> Assignment:
    rng = np.random.default_rng(0)
    items = tuple(
        Item(f"i{k}", {"c": float(rng.integers(1, 30)), "m": float(rng.random())}) for k in range(700)
    )
    bins = tuple(Bin(f"b{k}", {"c": 40.0, "m": 3 + k / 1000}, cost=float(rng.random())) for k in range(600))
    return Assignment(items, bins, objective=Objective(bins=1, cost=1))


@pytest.mark.parametrize("solver", ["exact", "cp_sat"])
def test_building_the_model_and_starting_are_in_the_time(solver):
    if solver == "cp_sat":
        pytest.importorskip("ortools")
    problem = _many_pairs()
    search, _ = begin(problem, solver, seed=0)
    started = sum(os.times()[:4])
    search.advance(1, 0.8)
    # Work of this process and its children, which a busy machine does not change.
    assert sum(os.times()[:4]) - started < 4.0
    assert violations(problem, search.best.answer) == []
    assert search.work == 0


@pytest.mark.parametrize("solver", ["exact", "cp_sat"])
def test_a_first_answer_before_any_model(solver):
    if solver == "cp_sat":
        pytest.importorskip("ortools")
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(0, 3000, 20000), rng.integers(0, 3000, 20000)
    kept = rows != cols
    graph = MaxCut.build(3000, rows[kept], cols[kept], np.ones(int(kept.sum())))
    for problem in (_many_pairs(), graph):
        search, adapted = begin(problem, solver, seed=0)
        search.advance(1, 0.4)
        assert search.best is not None
        if problem is graph:
            assert search.best.value == pytest.approx(problem.energy(adapted.to_answer(search.best.answer)))
            assert search.best.value < -10_000


@pytest.mark.parametrize("solver", ["exact", "cp_sat"])
def test_what_the_clock_cut_is_not_said_to_repeat(solver):
    if solver == "cp_sat":
        pytest.importorskip("ortools")
    cut = solve(_many_pairs(), solver=solver, seconds=0.5, seed=1, threads=1)
    with pytest.raises(ProblemError, match="clock"):
        cut.work  # noqa: B018 - it raises
    rng = np.random.default_rng(3)
    small = Assignment.packing(rng.integers(20, 60, (8, 2)), [100, 100])
    proven = solve(small, solver=solver, seconds=30, seed=1, threads=1)
    again = solve(small, solver=solver, seconds=30, seed=1, threads=1, work=proven.work)
    assert again.answer.tolist() == proven.answer.tolist()
