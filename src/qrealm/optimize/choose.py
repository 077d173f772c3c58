"""Which solvers `auto` runs side by side: the ones that win on the scoreboard for this kind of problem."""

from __future__ import annotations

from qrealm.optimize.portfolio import Entry
from qrealm.optimize.problems import Problem
from qrealm.optimize.solvers import SOLVERS, refusal_of

GREEDY = Entry("greedy", first=True)


def entries_for(problem: Problem, threads: int) -> list[Entry]:
    """The portfolio, in the order in which its entries get threads."""
    del threads
    return [GREEDY] if not refusal_of(problem, SOLVERS["greedy"]) else []
