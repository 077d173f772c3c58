"""CP-SAT: the optimum of trying everything, bounds, the same answer for the same seed, ends from outside."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from qrealm.base.errors import InfeasibleError, SolverRefusalError
from qrealm.optimize import Assignment, Bin, Item, Objective, Qubo, solve
from qrealm.optimize.problems.evaluate import violations
from qrealm.optimize.solvers import begin
from qrealm.optimize.solvers.cp_sat import CpSatSearch
from reference.assignments import best_by_trying_all, random_assignment

pytest.importorskip("ortools")


@pytest.mark.parametrize("seed", range(30))
def test_the_optimum_of_assignments(seed):
    problem = random_assignment(seed, num_items=5)
    problem = replace(problem, objective=replace(problem.objective, balance=0.0, fragmentation=0.0))
    best = best_by_trying_all(problem)
    search, _ = begin(problem, "cp_sat", seed=seed)
    if math.isinf(best):
        with pytest.raises(InfeasibleError):
            search.advance(1, 60.0)
        return
    search.advance(1, 60.0)
    assert violations(problem, search.best.answer) == []
    assert search.best.value == pytest.approx(best)
    assert search.bound <= search.best.value
    assert search.bound == pytest.approx(best, abs=1e-6)


def test_the_optimum_of_bits():
    rng = np.random.default_rng(1)
    for matrix in (rng.integers(-9, 10, (9, 9)).astype(float), rng.normal(size=(9, 9))):
        qubo = Qubo.from_matrix(matrix)
        every = (np.arange(512)[:, None] >> np.arange(9)) & 1
        result = solve(qubo, solver="cp_sat", seconds=30, threads=1)
        assert result.value == pytest.approx(min(qubo.energy(bits) for bits in every))
        assert result.bound == pytest.approx(result.value, abs=1e-6)


def at_the_first_solution(monkeypatch, call):
    """Have something called when CP-SAT itself has found an answer: before, there is the greedy one."""
    offer, offers = CpSatSearch._offer, []

    def offered(search, answer):
        offer(search, answer)
        offers.append(answer)
        if len(offers) == 2:
            call()

    monkeypatch.setattr(CpSatSearch, "_offer", offered)
    return offers


def test_limits_give_an_answer_and_a_bound(monkeypatch):
    rng = np.random.default_rng(1)
    problem = Assignment.packing(rng.integers(100, 400, (60, 3)), [1000, 1000, 1000])
    search, _ = begin(problem, "cp_sat", seed=0)
    offers = at_the_first_solution(monkeypatch, search.cancel)
    started = time.perf_counter()
    search.advance(1, 600.0)
    assert time.perf_counter() - started < 60
    assert len(offers) >= 2
    assert violations(problem, search.best.answer) == []
    assert search.bound <= search.best.value


def test_a_cancellation_just_before_the_solver_begins_is_not_lost(monkeypatch):
    from ortools.sat.python import cp_model

    rng = np.random.default_rng(1)
    search, _ = begin(Assignment.packing(rng.integers(100, 400, (60, 3)), [1000] * 3), "cp_sat", seed=0)
    real = cp_model.CpSolver.solve

    def cancelled(solver, *args):
        search.cancel()
        return real(solver, *args)

    monkeypatch.setattr(cp_model.CpSolver, "solve", cancelled)
    started = time.perf_counter()
    search.advance(1, 600.0)
    assert time.perf_counter() - started < 100
    assert violations(search._problem, search.best.answer) == []


def test_fractions_that_no_rounding_hides():
    items = tuple(Item(f"i{k}", {"cpu": 0.33333340000001}) for k in range(3))
    result = solve(
        Assignment(items, tuple(Bin(f"b{k}", {"cpu": 1.0}) for k in range(2))),
        solver="cp_sat",
        seconds=20,
        threads=1,
    )
    assert result.value == 2
    assert result.is_optimal


def test_shares_are_refused():
    with pytest.raises(SolverRefusalError, match="balance"):
        begin(Assignment((), (), objective=Objective(balance=1.0)), "cp_sat", seed=0)


def test_ctrl_c_returns_the_best_so_far(monkeypatch):
    rng = np.random.default_rng(1)
    problem = Assignment.packing(rng.integers(100, 400, (60, 3)), [1000, 1000, 1000])
    # The signal comes from outside, while the solver is at work.
    at_the_first_solution(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGINT))
    started = time.perf_counter()
    result = solve(problem, solver="cp_sat", seconds=300, seed=1, threads=1)
    assert time.perf_counter() - started < 100
    assert result.interrupted
    assert violations(problem, result.answer) == []
    assert result.bound <= result.value
