"""The shape of a solver: a card that says what it takes, options of its own, and a search that is advanced
in slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from qrealm.optimize.problems import Problem

Word = Literal["classical", "quantum-inspired", "quantum (simulated)"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An answer that keeps all demands, and its value."""

    answer: np.ndarray
    value: float


class Search(Protocol):
    """One solver at work on one problem.

    What it does depends on problem, options and seed alone, and not on how its work is sliced: so the same
    work gives the same answer. A search is used by one thread at a time, and lets others run while a kernel
    works.
    """

    @property
    def best(self) -> Candidate | None:
        """The best answer so far; None while there is none."""

    @property
    def bound(self) -> float:
        """No answer can cost less; -inf when it proves nothing."""

    @property
    def work(self) -> int:
        """Units of work done so far."""

    @property
    def done(self) -> bool:
        """Whether more work cannot change anything."""

    def advance(self, work: int, seconds_left: float) -> None:
        """Do so many units of work more, or a few less. One that cannot be sliced does all, and keeps to
        the seconds."""


@runtime_checkable
class Cancellable(Protocol):
    """A search that is not sliced can be ended from another thread; `advance` then returns soon."""

    def cancel(self) -> None:
        """End it; again and again does no harm."""


def _takes_all(problem: object) -> str:
    del problem
    return ""


@dataclass(frozen=True, slots=True)
class SolverCard:
    """What is known about a solver without loading it.

    Attributes:
        name: what users call it by.
        takes: kinds of problems, by class name. The portfolio converts a MaxCut or a Qubo for one that
            takes Ising.
        word: what kind of thing it is, in honest words.
        help: one line.
        unit: what it counts as work.
        sliced: whether it can be advanced in small slices.
        seeded: whether another seed makes it do something else.
        exact: whether, given time, it proves its answer optimal.
        refusal: why it cannot take a problem, empty when it can.
        package, extra: what it needs beyond the base install, and the extra that brings it.
    """

    name: str
    takes: tuple[str, ...]
    word: Word
    help: str
    unit: str
    sliced: bool = True
    seeded: bool = True
    exact: bool = False
    refusal: Callable[[Any], str] = _takes_all
    package: str = ""
    extra: str = ""


class Start(Protocol):
    """How a solver's file begins a search: `start` in ``qrealm.optimize.solvers.<name>``."""

    def __call__(self, problem: Any, options: Any, *, seed: int, hint: np.ndarray | None) -> Search:
        """Begin. `hint` is an answer to improve on, where there is one. Raises SolverRefusalError,
        InfeasibleError."""


ProblemOf = Callable[[Problem], Problem]
