"""Which solvers `auto` runs side by side: those that win on the scoreboard for a kind of problem, and one for
the bound."""

from __future__ import annotations

from qrealm.optimize.portfolio import Entry
from qrealm.optimize.problems import Assignment, Ising, Problem
from qrealm.optimize.solvers import SOLVERS, adapt, refusal_of
from qrealm.optimize.solvers.packing import PackingOptions

# Greedy descent decides about 100,000 spins a second: beyond this its share of the clock is too short.
GREEDY_SPINS_MAX = 20_000
# Up to here an exact solver has a chance to prove something in seconds.
EXACT_PLACES_MAX = 20_000
EXACT_COUPLINGS_MAX = 400
# Two temperatures at which annealing ends: which is better differs between sets of instances.
PACKING = (None, PackingOptions(hottest=0.01, coldest=0.0002))


def entries_for(problem: Problem, threads: int) -> list[Entry]:
    """The portfolio, in the order in which its entries get threads, without those that refuse the problem."""
    if isinstance(problem, Assignment):
        wanted = [Entry("greedy", first=True), *_for_assignment(problem, threads)]
    else:
        wanted = _for_spins(problem, threads)
    return [entry for entry in wanted if not refusal_of(problem, SOLVERS[entry.solver])]


def _for_assignment(problem: Assignment, threads: int) -> list[Entry]:
    if not refusal_of(problem, SOLVERS["packing"]):
        return [Entry("packing", PACKING[number % 2]) for number in range(threads)]
    exact = len(problem.items) * len(problem.bins) <= EXACT_PLACES_MAX
    copies = max(1, threads - 1) if exact else threads
    return [Entry("placement_annealing")] * copies + [Entry("exact")] * exact


def _for_spins(problem: Problem, threads: int) -> list[Entry]:
    adapted = adapt(problem, SOLVERS["annealing"])
    assert adapted is not None
    assert isinstance(adapted.problem, Ising)
    ising = adapted.problem
    searchers = ("tempering", "annealing")
    entries = [Entry(searchers[number % 2]) for number in range(max(2, threads))]
    entries.append(Entry("semidefinite", share=0.2))
    if ising.linear.any():
        entries.append(Entry("tabu", share=0.3))
    if ising.num_variables <= GREEDY_SPINS_MAX:
        entries.insert(0, Entry("greedy", first=True))
    if len(ising.couplings.values) <= EXACT_COUPLINGS_MAX:
        entries.append(Entry("exact"))
    return entries
