"""Who decides where containers go: schedulers by name, built in or brought by another package.

A package brings one with an entry point of the group ``qrealm.schedulers``; it is loaded when it is used.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import numpy as np

from qrealm.base.errors import ProblemError, QrealmError, RequestError, RunError
from qrealm.control.containers.placement.exhaustive import (
    PLACEMENTS_MAX,
    best_placement,
    count_placements,
)
from qrealm.optimize import Assignment, Bin, Item, Objective, solve
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import AUTO, SOLVERS

log = logging.getLogger("qrealm.containers")

GROUP = "qrealm.schedulers"
PORTFOLIO = "portfolio"
GREEDY = "greedy"
# As many on every machine: the number of threads is part of what makes a search repeat.
THREADS = 2
BOUND_ROUNDING = 1e-6
"""Share of a placement's value by which a bound may exceed it: solvers that count in whole numbers round."""

UNEVEN = (
    "counts in whole numbers and cannot weigh how evenly nodes are loaded, which "
    "enable_quantum_load_balancing: true asks for"
)
_EVEN_HINT = (
    f"choose another with --scheduler, such as {PORTFOLIO}; or set enable_quantum_load_balancing: false in "
    "the configuration and start the daemon again"
)
# The smallest problem in which nodes are to be balanced.
_EVEN = Assignment((Item("x", {"r": 1.0}),), (Bin("b", {"r": 1.0}),), objective=Objective(balance=1.0))


@dataclass(frozen=True, slots=True)
class SchedulerAnswer:
    """Where a scheduler wants everything.

    Attributes:
        placement: for every item of the problem the name of its bin.
        bound: the smallest value of the objective that is proven possible; a finite number, not above the
            value of the placement; None when nothing is.
        solver: what found the placement; may be empty.
    """

    placement: Mapping[str, str | None]
    bound: float | None = None
    solver: str = ""


@runtime_checkable
class Scheduler(Protocol):
    """An algorithm that places containers. `name` and `help` may be plain attributes."""

    @property
    def name(self) -> str:
        """What users call it by."""
        ...

    @property
    def help(self) -> str:
        """One line about it."""
        ...

    def place(self, problem: Assignment, *, seconds: float, seed: int) -> SchedulerAnswer:
        """Find a bin for every item.

        Items have demands (``cpus``, ``memory`` in MiB, ``load``), the bins that they are `allowed`, and the
        bin where they are now (`current`) with what leaving it costs (`move_cost`). Rules have weights.
        What is to be made small is `qrealm.optimize.problems.evaluate.evaluate(problem, answer).value`.

        Args:
            seconds: wall-clock time that it should keep to.
            seed: the same seed should give the same answer.

        Raises:
            InfeasibleError: there is no placement of all items.
        """
        ...


@dataclass(frozen=True, slots=True)
class SchedulerInfo:
    """One row of the list of schedulers.

    Attributes:
        origin: ``"qrealm"``, ``"this process"``, or the distribution that brings it.
        problem: why it cannot be used; empty when it can.
    """

    name: str
    help: str
    origin: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Tries every placement where there are few; else several solvers side by side, with a proven bound."""

    name: str = PORTFOLIO
    help: str = "the best that several solvers find in the time, with a proven bound"

    def place(self, problem: Assignment, *, seconds: float, seed: int) -> SchedulerAnswer:
        """See `Scheduler.place`."""
        if count_placements(problem) <= PLACEMENTS_MAX:
            answer, value = best_placement(problem)
            return SchedulerAnswer(problem.placement(answer), value, "all placements tried")
        return _solved(problem, AUTO, seconds, seed)


@dataclass(frozen=True, slots=True)
class BySolver:
    """One solver of `qrealm.optimize` alone.

    Attributes:
        balances: whether it can weigh how evenly nodes are loaded.
    """

    name: str
    help: str
    balances: bool = True

    def place(self, problem: Assignment, *, seconds: float, seed: int) -> SchedulerAnswer:
        """See `Scheduler.place`."""
        if problem.objective.balance and not self.balances:
            raise RequestError(f"the scheduler {self.name!r} {UNEVEN}", hint=_EVEN_HINT)
        return _solved(problem, self.name, seconds, seed)


def _solved(problem: Assignment, solver: str, seconds: float, seed: int) -> SchedulerAnswer:
    result = solve(problem, solver=solver, seconds=seconds, seed=seed, threads=THREADS)
    bound = result.bound if np.isfinite(result.bound) else None
    return SchedulerAnswer(result.placement, bound, result.solver)


def uneven(name: str) -> bool:
    """Whether a scheduler is built in and cannot balance the nodes."""
    known = _REGISTRY.built_in.get(name)
    return isinstance(known, BySolver) and not known.balances


def _built_in() -> dict[str, Scheduler]:
    rows: list[Scheduler] = [
        Portfolio(),
        BySolver(GREEDY, "the classical baseline: the largest first, each where it fits best"),
    ]
    # `packing` knows equal bins only, which nodes with different containers on them are not.
    for card in SOLVERS.values():
        if "Assignment" in card.takes and card.name not in (GREEDY, "packing"):
            even = not card.refusal(_EVEN)
            needs = "" if even else "; needs enable_quantum_load_balancing: false"
            rows.append(BySolver(card.name, f"{card.help} ({card.word}){needs}", even))
    return {row.name: row for row in rows}


@dataclass(slots=True)
class _Registry:
    """Schedulers by name: built in, and registered in this process."""

    built_in: dict[str, Scheduler] = field(default_factory=_built_in)
    registered: dict[str, Scheduler] = field(default_factory=dict)


_REGISTRY = _Registry()


def register_scheduler(scheduler: Scheduler) -> None:
    """Make a scheduler known in this process under its name; one of the same name that was registered
    before is replaced.

    Raises:
        RequestError: it is no `Scheduler`, or has the name of one that is built in.
    """
    fault = _fault_of(scheduler)
    if fault:
        raise RequestError(f"register_scheduler got {scheduler!r:.80}, which {fault}", hint=_SHAPE)
    if scheduler.name in _REGISTRY.built_in:
        raise RequestError(f"the name {scheduler.name!r} is that of a built-in scheduler; choose another")
    _REGISTRY.registered[scheduler.name] = scheduler


def unregister_scheduler(name: str) -> None:
    """Forget one that was registered in this process. Raises RequestError when there is none."""
    if _REGISTRY.registered.pop(name, None) is None:
        raise RequestError(f"no scheduler {name!r} was registered in this process")


def default_scheduler(configured: str, *, enabled: bool) -> str:
    """Who decides where the user names nobody: the configured one, and the classical baseline where
    ``enable_quantum_scheduling`` is false."""
    return configured if enabled else GREEDY


def scheduler_named(name: str) -> Scheduler:
    """The scheduler of this name; that of another package is loaded now.

    Raises:
        RequestError: there is none of this name.
        RunError: the package that brings it is broken; the message names it.
    """
    known = _REGISTRY.built_in.get(name) or _REGISTRY.registered.get(name)
    points = _entry_points()
    if known is not None:
        if name in points:
            log.warning("the scheduler %r of %s is not used: %s", name, _origin(points[name]), _TAKEN)
        return known
    if name not in points:
        raise RequestError(f"there is no scheduler {name!r}; there are {', '.join(scheduler_names())}")
    return _load(points[name])


def scheduler_names() -> tuple[str, ...]:
    """All names that there are; nothing is loaded, so one may turn out to be broken."""
    return tuple(dict.fromkeys([*_REGISTRY.built_in, *_REGISTRY.registered, *_entry_points()]))


def fault_of_scheduler(name: str) -> str:
    """Why a scheduler cannot be used; empty when it can. That of another package is loaded."""
    try:
        known = scheduler_named(name)
    except QrealmError as problem:
        return problem.message
    return _lacks(known)


def _lacks(scheduler: Scheduler) -> str:
    """The package that a built-in one needs and that is not there; empty when none is missing."""
    card = SOLVERS.get(scheduler.name) if isinstance(scheduler, BySolver) else None
    if card is None or not card.package or find_spec(card.package) is not None:
        return ""
    return f"it needs {card.package}: pip install 'qrealm[{card.extra}]'"


def schedulers() -> tuple[SchedulerInfo, ...]:
    """All that there are: built in, registered in this process, brought by other packages. One that cannot
    be loaded is listed with the reason."""
    found = [SchedulerInfo(s.name, s.help, "qrealm", _lacks(s)) for s in _REGISTRY.built_in.values()]
    found += [SchedulerInfo(s.name, s.help, "this process") for s in _REGISTRY.registered.values()]
    taken = {info.name for info in found}
    for name, point in _entry_points().items():
        if name in taken:
            found.append(SchedulerInfo(name, "", _origin(point), f"not used: {_TAKEN}"))
            continue
        try:
            found.append(SchedulerInfo(name, _load(point).help, _origin(point)))
        except RunError as broken:
            found.append(SchedulerInfo(name, "", _origin(point), broken.message))
    return tuple(found)


def ask(scheduler: Scheduler, problem: Assignment, *, seconds: float, seed: int) -> SchedulerAnswer:
    """A scheduler's answer, checked.

    Raises:
        InfeasibleError: it found no placement of all items.
        RunError: it broke, its answer breaks a demand, or says what cannot be; the message names both.
    """
    try:
        answer = scheduler.place(problem, seconds=seconds, seed=seed)
    except QrealmError:
        raise
    except BaseException as failure:
        # Of any kind: whoever calls exit() in there shall not end the daemon.
        raise RunError(
            f"{_who(scheduler)} broke: {type(failure).__name__}: {failure}",
            hint=_ANOTHER,
        ) from failure
    if not isinstance(answer, SchedulerAnswer):
        raise RunError(
            f"{_who(scheduler)} answered {answer!r:.80}; it must be a SchedulerAnswer",
            hint=_ANOTHER,
        )
    try:
        placement = problem.answer(answer.placement)
        found = violations(problem, placement)
    except (ProblemError, AttributeError, TypeError, KeyError) as strange:
        said = strange.message if isinstance(strange, QrealmError) else str(strange)
        raise RunError(f"{_who(scheduler)} answered with no placement: {said}", hint=_ANOTHER) from strange
    if found:
        raise RunError(
            f"{_who(scheduler)} broke a demand ({found[0].kind}): {found[0].text}",
            hint=_ANOTHER,
        )
    fault = _strange_in(answer, evaluate(problem, placement).value)
    if fault:
        raise RunError(f"{_who(scheduler)} answered with {fault}", hint=_ANOTHER)
    return answer


def _strange_in(answer: SchedulerAnswer, value: float) -> str:
    """What is wrong with an answer besides its placement, which has this value; empty where nothing is."""
    if not isinstance(answer.solver, str):
        return f"the solver {answer.solver!r:.80}; it must be a text"
    bound = answer.bound
    if bound is None:
        return ""
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
        return f"the bound {bound!r:.80}; it must be a finite number, or None"
    if bound > value + BOUND_ROUNDING * max(1.0, abs(value)):
        return f"the bound {bound:.9g}; its own placement has the value {value:.9g}, which is less"
    return ""


_TAKEN = "another scheduler has this name already; give the entry point another one"
_SHAPE = "it needs name and help (text) and place(problem, *, seconds, seed); see docs/schedulers.md"
_ANOTHER = f"choose another with --scheduler, such as {PORTFOLIO}; nothing was placed"


def _fault_of(scheduler: Any) -> str:
    """What it lacks to be a scheduler; empty when it is one."""
    for attribute in ("name", "help"):
        value = getattr(scheduler, attribute, None)
        if not isinstance(value, str) or not value:
            return f"has no {attribute}"
    return "" if callable(getattr(scheduler, "place", None)) else "has no method place"


def _who(scheduler: Scheduler) -> str:
    """A scheduler by name, and the distribution that brings it where one does."""
    point = _entry_points().get(scheduler.name)
    ours = scheduler.name in _REGISTRY.built_in or scheduler.name in _REGISTRY.registered
    return f"the scheduler {scheduler.name!r}" + ("" if ours or point is None else f" of {_origin(point)}")


def _entry_points() -> dict[str, EntryPoint]:
    """By name; the first of a name on the path counts, as for imports."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _load(point: EntryPoint) -> Scheduler:
    who = f"the scheduler {point.name!r} of {_origin(point)}"
    hint = "mend or remove that package: pip uninstall " + (point.dist.name if point.dist else point.value)
    try:
        loaded: Any = point.load()
        scheduler = loaded() if isinstance(loaded, type) else loaded
    except BaseException as failure:
        raise RunError(
            f"{who} cannot be loaded from {point.value}: {type(failure).__name__}: {failure}", hint=hint
        ) from failure
    fault = _fault_of(scheduler)
    if not fault and scheduler.name != point.name:
        fault = f"calls itself {scheduler.name!r}"
    if fault:
        raise RunError(f"{who} is no scheduler: {point.value} {fault}", hint=hint)
    return scheduler  # type: ignore[no-any-return]  # checked just now


__all__ = [
    "GREEDY",
    "GROUP",
    "PORTFOLIO",
    "Scheduler",
    "SchedulerAnswer",
    "SchedulerInfo",
    "ask",
    "default_scheduler",
    "fault_of_scheduler",
    "register_scheduler",
    "scheduler_named",
    "scheduler_names",
    "schedulers",
    "uneven",
    "unregister_scheduler",
]
