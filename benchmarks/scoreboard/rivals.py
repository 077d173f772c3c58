"""Other people's solvers, each called in its documented way until the time is over.

Every rival gets as many processes as ours get threads, each with its own seed; the best answer of all counts.
Each is called again and again with its default effort and new seeds.
"""

from __future__ import annotations

import importlib.util
import math
import time
from dataclasses import dataclass

from benchmarks.spin_peers import peers
from qrealm.optimize import Ising, MaxCut, Problem, Qubo


@dataclass(frozen=True, slots=True)
class Rival:
    """One of them: what the table calls it, what must be installed, and its settings in `spin_peers`."""

    name: str
    package: str
    settings: str

    def is_installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.package) is not None
        except ModuleNotFoundError:  # the parent of a dotted name is missing
            return False

    def run(self, problem: Problem, seconds: float, seed: int) -> float:
        """The smallest energy found in the time; the first call may take longer."""
        ising = ising_of(problem)
        assert ising is not None
        source = peers()[self.settings](ising, seed)
        next(source)
        ends, best, longest = time.perf_counter() + seconds, math.inf, 0.0
        while time.perf_counter() + longest < ends or best == math.inf:
            started = time.perf_counter()
            best = min(best, next(source))
            longest = max(longest, time.perf_counter() - started)
        return best


def ising_of(problem: Problem) -> Ising | None:
    """Its spins; None where there are none."""
    if isinstance(problem, Qubo | MaxCut):
        return problem.to_ising()
    return problem if isinstance(problem, Ising) else None


RIVALS = (
    Rival("dwave-samplers annealing", "dwave.samplers", "dwave-annealing sweeps=1000 reads=1"),
    Rival("dwave-samplers tabu", "dwave.samplers", "dwave-tabu ms=200"),
    Rival("openjij annealing", "openjij", "openjij-annealing sweeps=1000"),
    Rival("openjij quantum annealing", "openjij", "openjij-quantum sweeps=1000"),
    Rival(
        "simulated-bifurcation discrete", "simulated_bifurcation", "simulated-bifurcation discrete steps=2000"
    ),
)
