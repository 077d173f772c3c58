"""What a placement costs, and which demands it breaks: the definition, computed slowly and in full.

Solvers keep the same numbers up to date move by move; tests hold them against this. n items, m bins, d
resources; a bin is *in use* when it holds an item; use u_br = amount taken / capacity (0 where there is no
capacity).

    bins            number of bins in use
    cost            costs of the bins in use + placement costs of the items placed
    balance         mean over the resources of the variance over all m bins of u_br
    fragmentation   sum over bins in use of (largest - smallest free share of a resource) / m: what one
                    resource's shortage strands of another
    moves           sum of the move costs of the items that are placed elsewhere than now
    rules           sum over the rules with a weight of weight · amount
    left_out        sum of the left-out prices of the items without a bin
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems.arrays import BIN, IntArray, RuleArrays
from qrealm.optimize.problems.assignment import Assignment, Rule

# Sums of demands that are decimal fractions miss their capacity by rounding: this share of it is forgiven.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """The parts of a placement's value, each already times its weight in the objective; `value` is their
    sum."""

    bins: float
    cost: float
    balance: float
    fragmentation: float
    moves: float
    rules: float
    left_out: float

    @property
    def value(self) -> float:
        """What solvers make small."""
        return sum(float(getattr(self, part.name)) for part in fields(self))


@dataclass(frozen=True, slots=True)
class Violation:
    """One demand that a placement breaks.

    Attributes:
        kind: ``"capacity"``, ``"allowed"``, ``"left out"``, ``"together"``, ``"apart"`` or ``"spread"``.
        text: which, by names and numbers.
    """

    kind: str
    text: str


def amount_of(rule: RuleArrays, answer: IntArray) -> int:
    """By how much a placement misses a rule; 0 when it keeps it. See `Rule`."""
    bins = answer[rule.items]
    counts = np.bincount(rule.domains[bins[bins >= 0]], minlength=rule.num_domains)
    if rule.rule.kind == "together":
        return max(0, int(np.count_nonzero(counts)) - 1)
    if rule.rule.kind == "apart":
        return int(np.sum(np.maximum(counts - 1, 0)))
    return max(0, int(counts.max(initial=0) - (counts.min() if len(counts) else 0)) - rule.rule.skew)


def check_answer(problem: Assignment, answer: object) -> IntArray:
    """An answer as int32 of shape (items,). Raises ProblemError for another shape or a bin that is not
    there."""
    bins = np.asarray(answer)
    if bins.shape != (len(problem.items),) or bins.dtype.kind not in "iu":
        raise ProblemError(
            f"an answer has shape {bins.shape}; it must be one bin index for each of "
            f"{len(problem.items)} items"
        )
    if len(bins) and (bins.min() < -1 or bins.max() >= len(problem.bins)):
        raise ProblemError(
            f"an answer speaks of bin {int(bins.max())}; there are {len(problem.bins)}, from 0, and -1 "
            "for none"
        )
    return bins.astype(np.int32)


def load_of(problem: Assignment, answer: IntArray) -> np.ndarray:
    """Amount of each resource taken in each bin, shape (m, d)."""
    arrays = problem.arrays
    load = np.zeros_like(arrays.capacity)
    placed = answer >= 0
    np.add.at(load, answer[placed], arrays.demand[placed])
    return load


def evaluate(problem: Assignment, answer: object) -> Score:
    """The value of a placement, part by part. Demands are not looked at: see `violations`."""
    bins = check_answer(problem, answer)
    arrays, objective = problem.arrays, problem.objective
    load = load_of(problem, bins)
    placed = bins >= 0
    in_use = np.zeros(len(problem.bins), dtype=bool)
    in_use[bins[placed]] = True
    share = np.divide(load, arrays.capacity, out=np.zeros_like(load), where=arrays.capacity > 0)
    cost = float(arrays.bin_cost[in_use].sum())
    if problem.placement_cost is not None:
        cost += float(problem.placement_cost[np.flatnonzero(placed), bins[placed]].sum())
    # An item that is left out has not moved: its price is that of leaving it out.
    moved = placed & (arrays.current >= 0) & (bins != arrays.current)
    stranded = (
        float((share[in_use].max(axis=1, initial=0.0) - share[in_use].min(axis=1, initial=1.0)).sum())
        if in_use.any() and share.shape[1]
        else 0.0
    )
    return Score(
        bins=objective.bins * int(in_use.sum()),
        cost=objective.cost * cost,
        balance=objective.balance * (float(share.var(axis=0).mean()) if share.size else 0.0),
        fragmentation=objective.fragmentation * stranded / max(1, len(problem.bins)),
        moves=objective.moves * float(arrays.move_price[moved].sum()),
        rules=sum(
            rule.rule.weight * amount_of(rule, bins) for rule in arrays.rules if rule.rule.weight is not None
        ),
        left_out=float(arrays.left_out_price[~placed].sum()),
    )


def violations(problem: Assignment, answer: object) -> list[Violation]:
    """Every demand that a placement breaks; empty when it may be used. Plain loops over names, on purpose."""
    bins = check_answer(problem, answer).tolist()
    found: list[Violation] = []
    held: dict[int, Counter[str]] = {}
    for item, number in zip(problem.items, bins, strict=True):
        if number < 0:
            if not problem.may_leave_out:
                found.append(Violation("left out", f"item {item.name!r} has no bin"))
            continue
        place = problem.bins[number]
        load = held.setdefault(number, Counter())
        for resource, amount in item.demand.items():
            load[resource] += amount  # type: ignore[assignment]  # amounts are floats
        lacking = [f"{k}={v}" for k, v in item.needs.items() if place.labels.get(k) != v]
        if lacking:
            found.append(
                Violation(
                    "allowed", f"item {item.name!r} needs {', '.join(lacking)}; bin {place.name!r} lacks it"
                )
            )
        if item.allowed is not None and place.name not in item.allowed:
            found.append(Violation("allowed", f"item {item.name!r} may not go to bin {place.name!r}"))
    for number, load in sorted(held.items()):
        place = problem.bins[number]
        for resource, amount in load.items():
            room = place.capacity.get(resource, 0.0)
            if amount > room * (1 + TOLERANCE):
                text = f"bin {place.name!r} has {room:g} of {resource} and would give {amount:g}"
                found.append(Violation("capacity", text))
    names = {item.name: number for item, number in zip(problem.items, bins, strict=True)}
    for rule in problem.rules:
        amount = _missed(problem, rule, names) if rule.weight is None else 0
        if amount:
            text = f"items {', '.join(rule.items[:5])} miss their rule over {rule.over} by {amount}"
            found.append(Violation(rule.kind, text))
    return found


def _missed(problem: Assignment, rule: Rule, bins: dict[str, int]) -> int:
    """The amount of a rule by names alone: nothing here is shared with what solvers read."""
    counts: dict[tuple[str, str], int] = {}
    domain_of: list[tuple[str, str]] = []
    for place in problem.bins:
        shared = rule.over != BIN and rule.over in place.labels
        domain_of.append(("label", place.labels[rule.over]) if shared else ("bin", place.name))
        counts[domain_of[-1]] = 0
    for name in rule.items:
        if bins[name] >= 0:
            counts[domain_of[bins[name]]] += 1
    held = [count for count in counts.values() if count]
    if rule.kind == "together":
        return max(0, len(held) - 1)
    if rule.kind == "apart":
        return sum(count - 1 for count in held)
    return max(0, max(counts.values()) - min(counts.values()) - rule.skew) if counts else 0
