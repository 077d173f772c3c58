"""What every optimization solver promises, whatever it does inside: this suite runs for each row."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qrealm.base.errors import ProblemError
from qrealm.optimize import Assignment, Bin, Ising, Item, MaxCut, Objective, Qubo, apart, solve
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import SOLVERS, adapt, begin, refusal_of

SECONDS = 20.0
WORDS = {"classical", "quantum-inspired", "quantum (simulated)"}


def problems():
    rng = np.random.default_rng(4)
    bins = tuple(Bin(f"b{k}", {"cpu": 4, "mem": 6}, cost=1.0 + k) for k in range(3))
    items = tuple(Item(f"i{k}", {"cpu": 1 + k % 2, "mem": 2}) for k in range(5))
    weights = rng.integers(-5, 6, (9, 9)).astype(float)
    return {
        "packing": Assignment.packing(rng.integers(1, 6, (7, 2)), [10, 10], num_bins=5),
        "costs": Assignment(items, bins, (apart("i0", "i1"),), Objective(cost=1.0)),
        "qubo": Qubo.from_matrix(weights),
        "ising": Ising.build(rng.normal(size=8), {(i, (i + 1) % 8): 1.5 - i for i in range(8)}),
        "cut": MaxCut.build(9, *np.nonzero(np.triu(weights, 1))),
    }


PROBLEMS = problems()
PAIRS = [
    pytest.param(
        name,
        problem,
        id=f"{name}-{what}",
        marks=pytest.mark.skipif(
            bool(card.package) and "pip install" in refusal_of(problem, card),
            reason=f"{card.package} is not installed",
        ),
    )
    for name, card in SOLVERS.items()
    for what, problem in PROBLEMS.items()
    if not refusal_of(problem, card) or "pip install" in refusal_of(problem, card)
]


def value_of(problem, answer):
    if isinstance(problem, Assignment):
        assert violations(problem, answer) == []
        return evaluate(problem, answer).value
    return problem.energy(answer)


def optimum(problem):
    """The smallest value of all answers, one by one."""
    if isinstance(problem, Assignment):
        places = itertools.product(range(len(problem.bins)), repeat=len(problem.items))
        candidates = [np.array(place, dtype=np.int32) for place in places]
        best = float("inf")
        for answer in candidates:
            value = evaluate(problem, answer).value
            if value < best and not violations(problem, answer):
                best = value
        return best
    bits = (np.arange(2**problem.num_variables)[:, None] >> np.arange(problem.num_variables)) & 1
    answers = bits if isinstance(problem, Qubo) else 1 - 2 * bits
    return min(problem.energy(answer) for answer in answers)


OPTIMA = {what: optimum(problem) for what, problem in PROBLEMS.items() if what != "packing"}


@pytest.mark.parametrize("name, problem", PAIRS)
def test_the_answer_may_be_used_and_its_value_is_true(name, problem):
    best = next((OPTIMA[what] for what in OPTIMA if PROBLEMS[what] is problem), None)
    result = solve(problem, solver=name, seconds=1.0, seed=5, threads=1, target=best)
    assert result.value == pytest.approx(value_of(problem, result.answer), abs=1e-9)
    assert result.bound <= result.value
    if best is not None:
        assert result.bound <= best + 1e-9 <= result.value + 2e-9
        if SOLVERS[name].exact and result.is_optimal:
            assert result.value == pytest.approx(best)


@pytest.mark.parametrize("name, problem", [pair for pair in PAIRS if SOLVERS[pair.values[0]].sliced])
def test_the_same_work_gives_the_same_answer_however_it_is_sliced(name, problem):
    whole, adapted = begin(problem, name, seed=9)
    whole.advance(12, SECONDS)
    sliced, _ = begin(problem, name, seed=9)
    while sliced.work < whole.work and not sliced.done:
        sliced.advance(min(5, whole.work - sliced.work), SECONDS)
    assert sliced.work == whole.work
    assert (whole.best is None) == (sliced.best is None)
    if whole.best is not None and sliced.best is not None:
        assert sliced.best.value == whole.best.value
        assert sliced.best.answer.tolist() == whole.best.answer.tolist()
        found = adapted.to_answer(whole.best.answer)
        assert whole.best.value == pytest.approx(value_of(problem, found), abs=1e-9)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_card_says_what_it_is(name):
    card = SOLVERS[name]
    assert card.name == name
    assert card.word in WORDS
    assert card.help
    assert card.unit
    assert set(card.takes) <= {"Assignment", "Ising", "Qubo", "MaxCut"}


@pytest.mark.parametrize("name", SOLVERS)
def test_what_it_cannot_take_is_refused_by_name(name):
    for problem in PROBLEMS.values():
        if adapt(problem, SOLVERS[name]) is None:
            with pytest.raises(ProblemError, match=name) as caught:
                solve(problem, solver=name, seed=1)
            assert "these can take it" in caught.value.hint
