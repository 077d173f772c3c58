"""What solving a problem gives, and what can be seen while it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.optimize.problems import Assignment, MaxCut, Problem
from qrealm.optimize.problems.evaluate import Score, evaluate


@dataclass(frozen=True, slots=True)
class Improvement:
    """A moment at which the best value or the bound got better.

    Attributes:
        seconds: since the start.
        value: the best value then; inf while there is none.
        bound: the proven bound then; -inf while there is none.
        solver: who did it.
    """

    seconds: float
    value: float
    bound: float
    solver: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far solving is, told every fraction of a second."""

    seconds: float
    seconds_max: float
    value: float
    bound: float
    found_by: str

    @property
    def gap(self) -> float:
        """See `relative_gap`."""
        return relative_gap(self.value, self.bound)


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Contender:
    """One solver that took part.

    Attributes:
        solver: its name. seed: its own seed.
        value: its best value; inf when it found none. bound: what it proved; -inf when nothing.
        seconds: processor time it had. work: units of its own work it did, see its card.
        note: why it ended or did not take part; empty when there is nothing to say.
    """

    solver: str
    seed: int
    value: float
    bound: float
    seconds: float
    work: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class OptimizeResult:
    """The best answer found, and what is known about it.

    Attributes:
        problem: what was solved.
        answer: bin of each item (-1 for none), bits or spins, as the problem counts them.
        value: what it costs; smaller is better.
        bound: no answer can cost less. -inf when nothing was proven.
        solver: who found the answer; ``"quick"`` where spins or bits got so little time that no solver found
            one.
        seconds: wall-clock time used.
        seed, threads: repeat it: the same seed, threads and `work` give the same answer.
        history: when value and bound got better.
        contenders: every solver that took part, or why it did not.
    """

    problem: Problem
    answer: np.ndarray
    value: float
    bound: float
    solver: str
    seconds: float
    seed: int
    threads: int
    history: tuple[Improvement, ...] = ()
    contenders: tuple[Contender, ...] = ()
    interrupted: bool = False

    @property
    def gap(self) -> float:
        """See `relative_gap`."""
        return relative_gap(self.value, self.bound)

    @property
    def is_optimal(self) -> bool:
        """Whether the bound proves that no answer is better."""
        return self.value <= self.bound + 1e-9 * max(1.0, abs(self.value))

    @property
    def found_after_seconds(self) -> float:
        """When the answer was found."""
        return next((step.seconds for step in self.history if step.value <= self.value), math.nan)

    @property
    def work(self) -> dict[str, int]:
        """Units of work that each contender did: what `solve(work=...)` takes to repeat this result.

        Raises ProblemError where the answer is that of an exact solver that the clock cut: its steps cannot
        be counted, so it does not repeat.
        """
        from qrealm.optimize.solvers import SOLVERS

        finder = min(self.contenders, key=lambda c: c.value, default=None)
        if (
            finder is not None
            and finder.value < math.inf
            and not finder.work
            and not SOLVERS[finder.solver].sliced
        ):
            raise ProblemError(
                f"the answer is from {finder.solver}, which the clock cut: no count of work repeats it",
                hint="give it the time for its proof, or use solvers whose work can be sliced",
            )
        return {f"{c.solver}#{c.seed}": c.work for c in self.contenders if c.work}

    @property
    def cut(self) -> float:
        """Weight of the cut. Raises ProblemError where the problem is no MaxCut."""
        if not isinstance(self.problem, MaxCut):
            raise ProblemError(f"this result is of {type(self.problem).__name__}; only MaxCut has a cut")
        return self.problem.cut(self.answer)

    @property
    def score(self) -> Score:
        """The parts of the value. Raises ProblemError where the problem is no Assignment."""
        return evaluate(self._assignment(), self.answer)

    @property
    def placement(self) -> dict[str, str | None]:
        """Names of items to names of bins. Raises ProblemError where the problem is no Assignment."""
        return self._assignment().placement(self.answer)

    def _assignment(self) -> Assignment:
        if not isinstance(self.problem, Assignment):
            raise ProblemError(
                f"this result is of {type(self.problem).__name__}; only Assignment has a placement"
            )
        return self.problem

    def plot(self, path: str | Path, *, title: str = "") -> Path:
        """Save a picture of value and bound against time."""
        from qrealm.optimize.pictures import plot_history

        return plot_history(self, Path(path), title=title)


def relative_gap(value: float, bound: float) -> float:
    """(value - bound) / |value|: by how much better an answer might be, at most; inf while one of the two
    is missing."""
    if not (math.isfinite(value) and math.isfinite(bound)):
        return math.inf
    distance = max(0.0, value - bound)
    return 0.0 if distance <= 1e-12 * max(1.0, abs(value)) else distance / max(abs(value), 1e-300)
