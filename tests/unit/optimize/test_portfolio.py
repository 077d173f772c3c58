"""The portfolio: one clock, the best answer of all, repeats that are exact, clear ends."""

from __future__ import annotations

import _thread
import threading
import time

import numpy as np
import pytest

from qrealm.base.errors import InfeasibleError, ProblemError
from qrealm.optimize import Assignment, Bin, Item, Qubo, solve


def random_qubo(size, seed=0):
    rng = np.random.default_rng(seed)
    return Qubo.from_matrix(rng.integers(-9, 10, (size, size)).astype(float))


def test_same_seed_threads_and_work_give_the_same_answer():
    problem = random_qubo(120)
    first = solve(problem, seconds=0.4, seed=7, threads=2)
    again = solve(problem, seconds=0.1, seed=7, threads=2, work=first.work)
    assert again.value == first.value
    assert again.answer.tolist() == first.answer.tolist()
    assert again.solver == first.solver
    assert again.work == first.work


def test_bound_never_above_value_and_history_only_improves():
    result = solve(random_qubo(60), seconds=0.3, seed=1)
    assert result.bound <= result.value
    values = [step.value for step in result.history]
    assert values == sorted(values, reverse=True)
    assert [step.bound for step in result.history] == sorted(step.bound for step in result.history)
    assert result.value == pytest.approx(result.problem.energy(result.answer))


def test_target_ends_it():
    started = time.perf_counter()
    result = solve(random_qubo(60), seconds=300, seed=1, target=0.0)
    assert result.value <= 0.0
    assert time.perf_counter() - started < 100


def test_progress_is_told_from_the_calling_thread():
    told = []
    caller = threading.get_ident()
    solve(
        random_qubo(300),
        seconds=0.5,
        seed=1,
        progress=lambda news: told.append((news, threading.get_ident())),
    )
    assert told
    assert {thread for _, thread in told} == {caller}
    assert told[-1][0].value >= told[-1][0].bound


def test_ctrl_c_returns_the_best_so_far():
    problem = random_qubo(400)
    started = time.perf_counter()
    result = solve(problem, seconds=300, seed=1, progress=lambda news: _thread.interrupt_main())
    assert result.interrupted
    assert time.perf_counter() - started < 100
    assert result.value == pytest.approx(problem.energy(result.answer))


@pytest.mark.parametrize(
    "options", [{"seconds": 0}, {"seconds": float("nan")}, {"seconds": "5"}, {"options": 3}]
)
def test_options_out_of_range(options):
    with pytest.raises(ProblemError):
        solve(random_qubo(4), **options)


def test_nothing_to_place():
    result = solve(Assignment((), (Bin("a", {}),)), seed=1)
    assert result.value == 0
    assert result.is_optimal


def test_no_bins():
    with pytest.raises(InfeasibleError, match="no bins") as caught:
        solve(Assignment((Item("a", {}),), ()))
    assert caught.value.proven
