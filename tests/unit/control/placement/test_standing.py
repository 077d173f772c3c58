"""Prices of one container on every node are differences of the definition, and a lack is a violation."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.control.containers.placement.standing import PART_OF, Standing
from qrealm.optimize import Assignment, Bin, Item, Objective, apart, together
from qrealm.optimize.problems.evaluate import evaluate, violations


def random_problem(rng, objective):
    count, nodes = int(rng.integers(2, 8)), int(rng.integers(1, 6))
    names = [f"c{k}" for k in range(count)]
    bins = [Bin(f"n{k}", {"cpus": float(rng.integers(0, 5)), "memory": 10.0}) for k in range(nodes)]
    items = [
        Item(
            name,
            {"cpus": float(rng.integers(0, 3)), "memory": float(rng.integers(0, 6))},
            current=f"n{rng.integers(nodes)}" if rng.random() < 0.6 else None,
            move_cost=float(rng.random()),
        )
        for name in names
    ]
    rules = []
    for kind in (together, apart, apart):
        members = rng.permutation(names)[: rng.integers(2, count + 1)].tolist()
        rules.append(kind(*members, weight=float(rng.random() * 3)))
    rules.append(apart(*rng.permutation(names)[:2].tolist()))
    return Assignment(items, bins, rules, objective, may_leave_out=True)


@pytest.mark.parametrize("objective", [Objective(balance=7.0), Objective(bins=2.0, moves=3.0)])
@pytest.mark.parametrize("seed", range(40))
def test_prices_are_differences_of_the_definition(seed, objective):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, objective)
    answer = rng.integers(-1, len(problem.bins), len(problem.items)).astype(np.int32)
    standing = Standing(problem, answer)
    for number, item in enumerate(problem.items):
        prices = standing.prices(item.name)
        without = answer.copy()
        without[number] = -1
        for node in range(len(problem.bins)):
            there = answer.copy()
            there[number] = node
            new, old = evaluate(problem, there), evaluate(problem, without)
            expected = (new.value - new.left_out) - (old.value - old.left_out)
            assert prices.change[node] == pytest.approx(expected, abs=1e-12)
            wishes = [prices.parts[part][node] for part in PART_OF.values() if part in prices.parts]
            assert sum(wishes) == pytest.approx(new.rules - old.rules)
            full = [v for v in violations(problem, there) if f"bin 'n{node}'" in v.text]
            barred = [v for v in violations(problem, there) if v.kind == "apart"]
            before = [v for v in violations(problem, without) if v.kind == "apart"]
            assert prices.barred[node] == (len(barred) > len(before))
            assert prices.fits[node] == (not full and not prices.barred[node])


def test_putting_an_item_elsewhere_is_the_same_as_beginning_there():
    rng = np.random.default_rng(5)
    problem = random_problem(rng, Objective(balance=1.0))
    answer = np.zeros(len(problem.items), dtype=np.int32)
    standing = Standing(problem, answer)
    standing.put("c0", -1)
    standing.put("c1", len(problem.bins) - 1)
    answer[0], answer[1] = -1, len(problem.bins) - 1
    other = Standing(problem, answer)
    for item in problem.items:
        one, same = standing.prices(item.name), other.prices(item.name)
        assert one.change == pytest.approx(same.change)
        assert one.lacks["memory"] == pytest.approx(same.lacks["memory"])
