"""Random assignments with every kind of demand and wish, and the best answer by trying all of them."""

from __future__ import annotations

import itertools
import math

import numpy as np

from qrealm.optimize import Assignment, Bin, Item, Objective, apart, spread, together
from qrealm.optimize.problems.evaluate import evaluate, violations


def random_assignment(
    seed,
    *,
    num_items=6,
    num_bins=3,
    rules=True,
    may_leave_out=None,
    objective=None,
    room=1.6,
    placement_cost=True,
):
    """A problem of mixed kind; the seed decides what is in it unless it is given."""
    rng = np.random.default_rng(seed)
    resources = ["cpu", "memory"][: int(rng.integers(1, 3))]
    zones = ["x", "y", "z"]
    names = [f"i{k}" for k in range(num_items)]
    bins = []
    sizes = rng.integers(1, 8, (num_items, len(resources)))
    mean = sizes.sum(axis=0) * room / num_bins
    for b in range(num_bins):
        capacity = {r: float(max(1, round(mean[k] * rng.uniform(0.6, 1.4)))) for k, r in enumerate(resources)}
        labels = {"zone": str(rng.choice(zones))} if b == 0 or rng.random() < 0.9 else {}
        bins.append(Bin(f"b{b}", capacity, labels, cost=float(rng.integers(0, 6))))
    items = []
    for k in range(num_items):
        allowed = None
        if rng.random() < 0.2:
            chosen = rng.choice(num_bins, size=max(1, num_bins - 1), replace=False)
            allowed = tuple(f"b{b}" for b in sorted(chosen))
        items.append(
            Item(
                names[k],
                {r: float(sizes[k, at]) for at, r in enumerate(resources)},
                weight=float(rng.integers(1, 9)),
                priority=int(rng.integers(0, 2)),
                allowed=allowed,
                current=f"b{rng.integers(num_bins)}" if rng.random() < 0.4 else None,
                move_cost=float(rng.integers(0, 3)),
            )
        )
    parts = rng.integers(0, 4, 5) * (rng.random(5) < 0.6)
    own = Objective(*(float(x) for x in parts)) if objective is None else objective
    return Assignment(
        tuple(items),
        tuple(bins),
        _rules(rng, names) if rules else (),
        own,
        bool(rng.random() < 0.4) if may_leave_out is None else may_leave_out,
        rng.integers(0, 9, (num_items, num_bins)).astype(float)
        if placement_cost and rng.random() < 0.5
        else None,
    )


def _rules(rng, names):
    rules = []
    for make in (together, apart, spread):
        if len(names) < 3 or rng.random() < 0.4:
            continue
        members = tuple(str(x) for x in rng.choice(names, size=3, replace=False))
        over = "zone" if make is spread or rng.random() < 0.5 else "bin"
        # Two demands of random rules contradict each other too often.
        weight = None if rng.random() < 0.4 and make is not together else float(rng.integers(1, 5))
        rules.append(make(*members, over=over, weight=weight))
    return tuple(rules)


def best_by_trying_all(problem):
    """The least value of an answer that keeps all demands; inf when there is none."""
    choices = range(-1 if problem.may_leave_out else 0, len(problem.bins))
    best = math.inf
    for answer in itertools.product(choices, repeat=len(problem.items)):
        bins = np.array(answer, dtype=np.int32)
        if not violations(problem, bins):
            best = min(best, evaluate(problem, bins).value)
    return best
