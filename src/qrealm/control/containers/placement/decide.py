"""From a snapshot to a plan: where containers go, and for each why.

Where everything that may move is looked at together, a scheduler decides. After a loss, when a node is
emptied, and when something waits, time matters more: then one container after the other goes to the best
node, by `qrealm.optimize.placing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import CancelledRunError, InfeasibleError, InternalError, NoRoomError, QrealmError
from qrealm.control.containers.placement.gains import Gain, gains_of
from qrealm.control.containers.placement.ports import port_rules_elsewhere
from qrealm.control.containers.placement.pruning import pruned
from qrealm.control.containers.placement.reasons import (
    REPLACEMENT,
    kept_reason,
    lack_in_words,
    moved_reason,
    no_room,
    placed_reason,
    waiting_reason,
)
from qrealm.control.containers.placement.schedulers import PORTFOLIO, ask, scheduler_named
from qrealm.control.containers.placement.snapshot import PlacementProblem, Snapshot, problem_of
from qrealm.control.containers.placement.standing import Prices, Standing
from qrealm.control.containers.placement.turns import Found, carried_out, in_turns
from qrealm.control.containers.values import CandidateRecord, DecisionRecord, NodeState
from qrealm.fleet.containers.host_ports import published
from qrealm.optimize import Assignment, Cluster, Item, Placer, Rule
from qrealm.optimize.problems.evaluate import Score, evaluate, load_of, violations

IntArray = NDArray[np.int32]

SECONDS_DEFAULT = 1.0
# So many nodes a decision remembers.
CANDIDATES_MAX = 16
PART_MIN = 1e-12


class Action(StrEnum):
    """Why something is decided."""

    CREATE = "create"
    CREATE_CLUSTER = "create-cluster"
    LOAD_BALANCE = "load-balance"
    REBALANCE = "rebalance"
    NODE_LOST = "node lost"
    DRAIN = "drain"
    WAITING = "start after waiting"


WITHOUT_SCHEDULER = frozenset({Action.NODE_LOST, Action.DRAIN, Action.WAITING})


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """A container that goes to a node; `source` is None where it has none yet or waited, and may be lost."""

    container: str
    source: str | None
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and why.

    Attributes:
        moves: placements and moves, those first whose target has room at once.
        kept: names of the containers that were looked at and stay.
        waiting: names of those that no node takes.
        decisions: one for each container that was looked at.
        objective_before, objective_after: value of the objective, move costs left out.
        move_costs: what the moves cost in the objective.
        bound: smallest value of objective and move costs together that is proven possible; None when
            nothing is known.
        scheduler, solver: who decided, and what found it.
        seconds: what all of it took.
        loads: of every node afterwards the share of its cpus (with the overcommitment) and memory in use,
            and its share of all load.
    """

    moves: tuple[PlannedMove, ...]
    kept: tuple[str, ...]
    waiting: tuple[str, ...]
    decisions: tuple[DecisionRecord, ...]
    objective_before: float
    objective_after: float
    move_costs: float
    bound: float | None
    scheduler: str
    solver: str
    seconds: float
    loads: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """An answer and how it came about."""

    problem: PlacementProblem
    answer: IntArray
    closed: frozenset[str]
    action: Action
    scheduler: str
    bound: float | None
    solver: str
    started: float
    now: float


def decide(
    snapshot: Snapshot,
    scheduler: str = PORTFOLIO,
    *,
    action: Action | str,
    now: float,
    seconds: float = SECONDS_DEFAULT,
    seed: int = 0,
) -> Plan:
    """Where the containers in `snapshot.moving` go.

    New ones are placed; those that have a node move only where that lowers the objective by more than it
    costs. `node lost` and `start after waiting` place those without a node that answers, `drain` those on
    nodes that are draining: these may end up waiting (or staying), and no scheduler is asked.

    Args:
        scheduler: name of who decides.
        action: see `Action`; recorded with each decision.
        now: seconds since 1970 UTC; recorded likewise.
        seconds: what the search may take. It ends at once when its answer is proven to be the best.
        seed: the same seed gives the same search; where the clock cuts it, answers may differ.

    Raises:
        NoRoomError: a new container fits nowhere; nothing is placed then.
        NoSuchContainerError: a container is pinned to a node that is not there.
        RequestError: there is no such scheduler.
        RunError: the scheduler broke, or its answer breaks a demand.
    """
    kind, started = Action(action), perf_counter()
    if kind in WITHOUT_SCHEDULER:
        return _plan(_placed_again(snapshot, kind, seed, started, now))
    chosen = scheduler_named(scheduler)
    problem = problem_of(snapshot)
    assignment = problem.assignment
    if not problem.movable:
        bound, solver, answer = None, "", assignment.arrays.current.copy()
    else:
        _check_room(problem)
        try:
            found = ask(chosen, assignment, seconds=seconds, seed=seed)
        except InfeasibleError as nothing:
            raise _crowded(problem, scheduler, nothing) from nothing
        bound = found.bound

        def elsewhere(narrowed: Assignment) -> Found | None:
            left = seconds - (perf_counter() - started)
            try:
                other = ask(chosen, narrowed, seconds=left, seed=seed) if left > 0 else None
            except CancelledRunError:
                raise
            except QrealmError:
                return None  # what is there is good enough
            return None if other is None else (narrowed.answer(other.placement), other.solver)

        first = (pruned(assignment, assignment.answer(found.placement)), found.solver)
        answer, solver = carried_out(assignment, first, elsewhere)
    return _plan(_Outcome(problem, answer, frozenset(), kind, scheduler, bound, solver, started, now))


def _placed_again(snapshot: Snapshot, action: Action, seed: int, started: float, now: float) -> _Outcome:
    """One container after the other, the largest first; where not all find room, the heaviest first."""
    problem = problem_of(snapshot, may_wait=True)
    assignment = problem.assignment
    closed = frozenset(n.name for n in snapshot.nodes if n.state is NodeState.DRAINING)
    homes = {item.name: item.current for item in assignment.items}
    leaving = closed if action is Action.DRAIN else frozenset()
    free = [name for name in problem.movable if homes[name] is None or homes[name] in leaving]
    coming = [replace(item, current=None) for item in assignment.items if item.name in set(free)]
    # Who shares a port at home from of old may stay there so, and comes to no other node with it.
    rules = assignment.rules + port_rules_elsewhere(problem.specs[name] for name in free)
    placer = _arrived(assignment, rules, coming, closed, seed, largest_first=True)
    if any(placer.where(item.name) is None for item in coming):
        by_weight = sorted(coming, key=lambda item: (-item.weight, -item.demand["memory"]))
        placer = _arrived(assignment, rules, by_weight, closed, seed, largest_first=False)
    where = {name: homes[name] for name in homes} | {name: placer.where(name) or homes[name] for name in free}
    narrowed = replace(problem, movable=tuple(free))
    answer = assignment.answer(where)
    if broken := violations(assignment, answer):
        raise InternalError(f"containers placed again break a demand: {broken[0].text}")
    return _Outcome(narrowed, answer, leaving, action, REPLACEMENT, None, "placer", started, now)


def _arrived(
    assignment: Assignment,
    rules: tuple[Rule, ...],
    coming: list[Item],
    closed: frozenset[str],
    seed: int,
    *,
    largest_first: bool,
) -> Placer:
    """A cluster of what stays, into which the others have come."""
    names = {item.name for item in coming}
    bins = {place.name for place in assignment.bins}
    cluster = Cluster(
        assignment.bins,
        tuple(item for item in assignment.items if item.name not in names and item.current is not None),
        rules=rules,
        objective=assignment.objective,
        closed=closed & bins,
        seed=seed,
    )
    placer = Placer(cluster)
    placer.arrive(coming, largest_first=largest_first, evict=False)
    return placer


# What does not fit.


def _check_room(problem: PlacementProblem) -> None:
    """Raises NoRoomError for a new container that no node takes even if it comes alone."""
    standing = _without_new(problem)
    for name in problem.movable:
        item = problem.assignment.items[standing.index(name)]
        prices = standing.prices(name)
        if item.current is None and not (prices.fits & _is_allowed(problem, standing, name)).any():
            raise no_room(item, _refused(problem, standing, name, prices), with_others=False)


def _crowded(problem: PlacementProblem, scheduler: str, nothing: InfeasibleError) -> NoRoomError:
    """The error about several containers that do not fit together: names the first that is left over when
    the largest go first."""
    standing = _without_new(problem)
    capacity = problem.assignment.arrays.capacity.mean(axis=0)
    coming = [name for name in problem.movable if standing.answer[standing.index(name)] < 0]
    sizes = {
        name: float((problem.assignment.arrays.demand[standing.index(name)] / capacity).max())
        for name in coming
    }
    for name in sorted(coming, key=lambda name: -sizes[name]):
        prices = standing.prices(name)
        usable = np.flatnonzero(prices.fits & _is_allowed(problem, standing, name))
        if not len(usable):
            item = problem.assignment.items[standing.index(name)]
            return no_room(item, _refused(problem, standing, name, prices), with_others=True)
        standing.put(name, int(usable[np.argmin(prices.change[usable])]))
    return NoRoomError(
        f"the scheduler {scheduler!r} found no placement of {', '.join(coming) or 'the containers'}: "
        f"{nothing.message}",
        hint=f"choose another with --scheduler, such as {PORTFOLIO}, or add a node (qdocker nodes add)",
    )


def _without_new(problem: PlacementProblem) -> Standing:
    return Standing(problem.assignment, problem.assignment.arrays.current)


def _is_allowed(problem: PlacementProblem, standing: Standing, name: str) -> NDArray[np.bool_]:
    """Which nodes it may go to, room left aside."""
    arrays = problem.assignment.arrays
    row: NDArray[np.bool_] = arrays.allowed[arrays.allowed_set[standing.index(name)]]
    return row


def _refused(
    problem: PlacementProblem,
    standing: Standing,
    name: str,
    prices: Prices,
    closed: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """The nodes that do not take a container and why, those first that lack least."""
    capacity = problem.assignment.arrays.capacity
    columns = {resource: k for k, resource in enumerate(problem.assignment.arrays.resources)}
    fixed = problem.refusals[name]
    home = problem.before[name]
    short: list[tuple[float, str, str]] = []
    barred: dict[str, str] = {}
    for number, place in enumerate(problem.assignment.bins):
        lacks = {resource: float(lack[number]) for resource, lack in prices.lacks.items() if lack[number] > 0}
        if place.name in fixed:
            continue
        # Where both are from of old they may stay: no rule bars that, and it is no place to come to.
        shared = place.name != home and bool(published(problem.specs[name]))
        holder = problem.port_holder(name, standing.held(number)) if shared else ""
        if prices.barred[number] or holder:
            barred[place.name] = holder or problem.port_holder(name, standing.held(number))
            continue
        if not lacks:
            continue
        share = max(x / max(capacity[number, columns[r]], PART_MIN) for r, x in lacks.items())
        allowed = float(capacity[number, columns["cpus"]])
        short.append((share, place.name, lack_in_words(lacks, allowed)))
    found = {node: why for _, node, why in sorted(short)} | barred | dict(fixed)
    for node in sorted(closed):
        found.setdefault(node, "closed (draining)")
    return found


# The plan.


def _plan(outcome: _Outcome) -> Plan:
    """Everything about an answer: moves, reasons, figures."""
    problem, answer = outcome.problem, outcome.answer
    assignment = problem.assignment
    standing = Standing(assignment, answer)
    before = evaluate(assignment, assignment.arrays.current)
    after = evaluate(assignment, answer)
    value = _without_moves(after) + after.moves
    # Of what was decided without a scheduler no gain is told: it had to go.
    asked = outcome.action not in WITHOUT_SCHEDULER
    gains = {name: each for each in gains_of(assignment, answer) for name in each.members} if asked else {}
    decisions = [_decision(outcome, standing, name, value, gains) for name in problem.movable]
    seconds = perf_counter() - outcome.started
    decisions = [replace(decision, seconds=seconds) for decision in decisions]
    moving = [d for d in decisions if d.chosen is not None and d.chosen != d.before]
    return Plan(
        moves=_in_order(
            assignment, answer, [PlannedMove(d.container, d.before, str(d.chosen), d.reason) for d in moving]
        ),
        kept=tuple(d.container for d in decisions if d.chosen is not None and d.chosen == d.before),
        waiting=tuple(d.container for d in decisions if d.chosen is None),
        decisions=tuple(decisions),
        objective_before=_without_moves(before),
        objective_after=_without_moves(after),
        move_costs=after.moves,
        bound=outcome.bound,
        scheduler=outcome.scheduler,
        solver=outcome.solver,
        seconds=seconds,
        loads=_loads(assignment, answer),
    )


def _without_moves(score: Score) -> float:
    """The objective without move costs and without what leaving out would cost where that is possible."""
    return score.value - score.moves - score.left_out


def _decision(
    outcome: _Outcome, standing: Standing, name: str, value: float, gains: Mapping[str, Gain]
) -> DecisionRecord:
    problem = outcome.problem
    names = [place.name for place in problem.assignment.bins]
    number = int(outcome.answer[standing.index(name)])
    chosen = names[number] if number >= 0 else None
    before = problem.before[name]
    prices = standing.prices(name)
    refused = _refused(problem, standing, name, prices, outcome.closed - {chosen})
    candidates = _candidates(names, prices, refused, number, before)
    record = DecisionRecord(
        id=0,
        at=outcome.now,
        container=name,
        action=outcome.action.value,
        scheduler=outcome.scheduler,
        chosen=chosen,
        before=before,
        candidates=candidates[:CANDIDATES_MAX],
        refused=refused,
        reason="",
        objective=value,
        bound=outcome.bound,
        solver=outcome.solver,
    )
    return replace(record, reason=_reason(outcome, record, candidates, gains))


def _candidates(
    names: list[str], prices: Prices, refused: Mapping[str, str], chosen: int, before: str | None
) -> tuple[CandidateRecord, ...]:
    """The nodes that take it, the chosen one first, then by rising cost; of equal ones that where it was."""
    changes = prices.change.tolist()
    usable = [number for number, node in enumerate(names) if node not in refused or number == chosen]
    usable.sort(key=lambda number: (number != chosen, changes[number], names[number] != before, number))
    return tuple(
        CandidateRecord(
            names[number],
            changes[number],
            {part: float(c[number]) for part, c in prices.parts.items() if abs(c[number]) > PART_MIN},
        )
        for number in (usable if chosen >= 0 else [])
    )


def _reason(
    outcome: _Outcome,
    record: DecisionRecord,
    candidates: tuple[CandidateRecord, ...],
    gains: Mapping[str, Gain],
) -> str:
    if record.chosen is None:
        return waiting_reason(record.refused)
    name = record.container
    elsewhere = int(np.count_nonzero(outcome.answer != outcome.problem.assignment.arrays.current))
    if record.chosen == record.before:
        return kept_reason(candidates, with_others=elsewhere > 0)
    homes = {item.name: item.current for item in outcome.problem.assignment.items}
    home = homes[name]
    why_now = moved = ""
    if home is None or home in outcome.closed:
        why_now = f"node {record.before} is {'lost' if home is None else 'draining'}" if record.before else ""
    else:
        moved = moved_reason(name, home, record.chosen, gains[name])
        if home not in outcome.problem.refusals[name]:
            return moved
        why_now = f"it may not stay on {home}: {record.refused[home]}"
        moved = f"; {'' if moved.startswith('moving') else 'it '}{moved}"
    return placed_reason(candidates, outcome.scheduler, why_now, with_others=elsewhere > 1) + moved


def _in_order(assignment: Assignment, answer: IntArray, moves: list[PlannedMove]) -> tuple[PlannedMove, ...]:
    """Those first whose target has room at once; then those that never find any, all the same."""
    turns, stuck = in_turns(assignment, answer)
    place = {assignment.items[item].name: number for number, item in enumerate((*turns, *stuck))}
    return tuple(sorted(moves, key=lambda move: place[move.container]))


def _loads(assignment: Assignment, answer: IntArray) -> dict[str, dict[str, float]]:
    load = load_of(assignment, answer)
    arrays = assignment.arrays
    found: dict[str, dict[str, float]] = {}
    for number, place in enumerate(assignment.bins):
        found[place.name] = {}
        for column, resource in enumerate(arrays.resources):
            whole = load[:, column].sum() if resource == "load" else arrays.capacity[number, column]
            found[place.name][resource] = float(load[number, column] / whole) if whole > 0 else 0.0
    return found
