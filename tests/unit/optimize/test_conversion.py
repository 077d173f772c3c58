"""Assignments as bits: the best bits are the best placement, and every good placement has its energy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qrealm.base.errors import SolverRefusalError
from qrealm.optimize import Assignment, Bin, Item, Objective, apart, spread, together
from qrealm.optimize.conversion import to_qubo
from qrealm.optimize.problems.evaluate import evaluate, violations
from reference.assignments import best_by_trying_all


def least_energies(converted):
    """The least energy over the auxiliary bits for every setting of the pairs' bits, by trying all."""
    count, couplings = converted.qubo.num_variables, converted.qubo.couplings
    least = np.full(2**converted.num_pairs, math.inf)
    for first in range(0, 2**count, 2**13):
        numbers = np.arange(first, min(first + 2**13, 2**count))
        every = (numbers[:, None] >> np.arange(count)) & 1
        energies = every @ converted.qubo.linear + converted.qubo.offset
        energies += (every[:, couplings.rows] * every[:, couplings.cols]) @ couplings.values
        np.minimum.at(least, numbers % 2**converted.num_pairs, energies)
    return least


PROBLEMS = {
    "bins": Assignment(
        tuple(Item(f"i{k}", {"cpu": c}) for k, c in enumerate((2, 1, 2))),
        tuple(Bin(f"b{k}", {"cpu": 3 + k}, cost=2 - k) for k in range(2)),
        objective=Objective(bins=1.0, cost=2.0, balance=3.0),
    ),
    "rules": Assignment(
        tuple(Item(f"i{k}", {"cpu": 0.5}, current="b0", move_cost=1.0) for k in range(3)),
        tuple(Bin(f"b{k}", {"cpu": 1.5}, cost=1.0) for k in range(2)),
        (apart("i0", "i1"), apart("i1", "i2", weight=5.0)),
        Objective(moves=1.0),
    ),
    "together": Assignment(
        tuple(Item(f"i{k}", {"cpu": 1}) for k in range(3)),
        tuple(Bin(f"b{k}", {"cpu": 2}, cost=k) for k in range(2)),
        (together("i0", "i1"), apart("i0", "i2")),
        Objective(cost=1.0),
    ),
    "left out": Assignment(
        tuple(Item(f"i{k}", {"cpu": 2}, weight=1.0 + k) for k in range(3)),
        (Bin("a", {"cpu": 3}), Bin("b", {"cpu": 2})),
        objective=Objective(balance=1.0),
        may_leave_out=True,
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_energies_over_all_bits(name):
    problem = PROBLEMS[name]
    converted = to_qubo(problem)
    assert converted.qubo.num_variables <= 20
    least = least_energies(converted)
    best = best_by_trying_all(problem)
    assert least.min() == pytest.approx(best)
    for number, energy in enumerate(least):
        bits = (number >> np.arange(converted.qubo.num_variables)) & 1
        answer = converted.decode(bits)
        whole = bits[: converted.num_pairs].sum() == np.count_nonzero(answer >= 0)
        if whole and not violations(problem, answer):
            assert energy == pytest.approx(evaluate(problem, answer).value)
            assert converted.keeps_demands(bits)
        else:
            assert energy > best + 0.5


def small(seed):
    """Three items on two bins with a rule, so small that all bits can be tried."""
    rng = np.random.default_rng(seed)
    count = 2 if seed % 3 == 0 else 3
    items = tuple(
        Item(f"i{k}", {"cpu": float(rng.integers(1, 3))}, current="b0", move_cost=float(rng.integers(0, 3)))
        for k in range(count)
    )
    bins = tuple(
        Bin(f"b{k}", {"cpu": 9.0 if count == 2 else float(rng.integers(2, 4))}, cost=float(k))
        for k in range(2)
    )
    names = [item.name for item in items]
    weight = [None, 2.0][seed % 2]
    rule = [
        spread(*names, over="bin", skew=seed % 2),
        apart(*names[:2], weight=weight),
        together(*names[:2], weight=weight),
    ][seed % 3]
    objective = Objective(balance=float(rng.integers(0, 3)), cost=0.0 if seed % 3 == 0 else 1.0)
    return Assignment(items, bins, (rule,), objective)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_bits_are_the_best_placement(seed):
    problem = small(seed)
    converted = to_qubo(problem)
    assert converted.qubo.num_variables <= 20
    best, least = best_by_trying_all(problem), least_energies(converted)
    answer = converted.decode((int(least.argmin()) >> np.arange(converted.num_pairs)) & 1)
    if math.isinf(best):
        assert violations(problem, answer)
    else:
        assert least.min() == pytest.approx(best)
        assert violations(problem, answer) == []
        assert evaluate(problem, answer).value == pytest.approx(best)


def test_decoding_of_bits_that_are_no_placement():
    converted = to_qubo(PROBLEMS["bins"])
    ones = np.ones(converted.qubo.num_variables, dtype=np.int8)
    assert converted.decode(ones).tolist() == [-1, -1, -1]
    assert not converted.keeps_demands(ones)
    for answer in itertools.product(range(2), repeat=3):
        bits = np.zeros(converted.qubo.num_variables, dtype=np.int8)
        for item, place in enumerate(answer):
            bits[converted._model.pair[item, place]] = 1
        assert converted.decode(bits).tolist() == list(answer)


def test_where_no_item_fits_any_bin():
    problem = Assignment((Item("a", {"cpu": 2}),), (Bin("b", {"cpu": 1}),), objective=Objective())
    converted = to_qubo(problem)
    assert converted.num_pairs == 0
    bits = np.zeros(converted.qubo.num_variables, dtype=np.int8)
    assert converted.decode(bits).tolist() == [-1]
    assert not converted.keeps_demands(bits)


def test_what_has_no_bits_is_refused():
    third = Assignment((Item("a", {"cpu": 1 / 3}),) * 1, (Bin("b", {"cpu": 0.34}),))
    with pytest.raises(SolverRefusalError, match="decimal fractions"):
        to_qubo(third)
    with pytest.raises(SolverRefusalError, match="fragmentation"):
        to_qubo(Assignment((), (), objective=Objective(fragmentation=1.0)))
    with pytest.raises(SolverRefusalError, match="penalty"):
        to_qubo(PROBLEMS["bins"], penalty=-1.0)
