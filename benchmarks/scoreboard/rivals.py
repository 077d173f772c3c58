"""Other people's solvers, each called in its documented way until the time is over.

Every rival gets as many processes as ours get threads, each with its own seed; the best answer of all counts.
One without a time limit is called again and again with its default effort and new seeds.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qrealm.optimize import Ising, MaxCut, Problem, Qubo


@dataclass(frozen=True, slots=True)
class Rival:
    """One of them.

    Attributes:
        package: what must be installed. run: from problem, seconds and seed to the smallest energy found, as
            computed by our own `energy` from the rival's answer.
    """

    name: str
    package: str
    run: Callable[[Problem, float, int], float]

    def is_installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.package) is not None
        except ModuleNotFoundError:  # the parent of a dotted name is missing
            return False


def ising_of(problem: Problem) -> Ising | None:
    """Its spins; None where there are none."""
    if isinstance(problem, Qubo | MaxCut):
        return problem.to_ising()
    return problem if isinstance(problem, Ising) else None


def _until(seconds: float, once: Callable[[int], float], seed: int) -> float:
    ends = time.perf_counter() + seconds
    best = np.inf
    longest = 0.0
    while time.perf_counter() + longest < ends or best == np.inf:
        started = time.perf_counter()
        best = min(best, once(seed))
        longest = max(longest, time.perf_counter() - started)
        seed += 1000
    return best


def _model(ising: Ising):  # type: ignore[no-untyped-def]  # dimod has no types
    import dimod

    couplings = ising.couplings
    pairs = zip(couplings.rows.tolist(), couplings.cols.tolist(), couplings.values.tolist(), strict=True)
    return dimod.BinaryQuadraticModel(
        dict(enumerate(ising.linear.tolist())), {(i, j): w for i, j, w in pairs}, ising.offset, "SPIN"
    )


def _spins(sample: dict[int, int], size: int) -> np.ndarray:
    return np.array([sample[k] for k in range(size)], dtype=np.int8)


def dwave_annealing(problem: Problem, seconds: float, seed: int) -> float:
    """dwave-samplers: 1,000 sweeps a read, its default."""
    from dwave.samplers import SimulatedAnnealingSampler

    ising = ising_of(problem)
    assert ising is not None
    model, sampler = _model(ising), SimulatedAnnealingSampler()

    def once(seed: int) -> float:
        found = sampler.sample(model, num_reads=1, num_sweeps=1000, seed=seed % 2**31)
        return ising.energy(_spins(dict(found.first.sample), ising.num_variables))

    return _until(seconds, once, seed)


def dwave_tabu(problem: Problem, seconds: float, seed: int) -> float:
    """dwave-samplers: one read for the whole time."""
    from dwave.samplers import TabuSampler

    ising = ising_of(problem)
    assert ising is not None
    found = TabuSampler().sample(_model(ising), num_reads=1, timeout=int(seconds * 1000), seed=seed % 2**31)
    return ising.energy(_spins(dict(found.first.sample), ising.num_variables))


def openjij_annealing(problem: Problem, seconds: float, seed: int) -> float:
    """OpenJij's SASampler, default sweeps."""
    import openjij

    ising = ising_of(problem)
    assert ising is not None
    model, sampler = _model(ising), openjij.SASampler()

    def once(seed: int) -> float:
        found = sampler.sample(model, num_reads=1, seed=seed % 2**31)
        return ising.energy(_spins(dict(found.first.sample), ising.num_variables))

    return _until(seconds, once, seed)


def bifurcation(problem: Problem, seconds: float, seed: int) -> float:
    """simulated-bifurcation, discrete mode, 128 agents, single precision, its own early stopping."""
    import simulated_bifurcation
    import torch

    ising = ising_of(problem)
    assert ising is not None
    torch.set_num_threads(1)
    size = ising.num_variables
    matrix = np.zeros((size, size), dtype=np.float32)
    matrix[ising.couplings.rows, ising.couplings.cols] = ising.couplings.values
    quadratic, linear = torch.from_numpy(matrix), torch.from_numpy(ising.linear.astype(np.float32))

    def once(seed: int) -> float:
        torch.manual_seed(seed)
        spins, _ = simulated_bifurcation.minimize(
            quadratic, linear, domain="spin", agents=128, mode="discrete", verbose=False
        )
        return ising.energy(np.asarray(spins).round().astype(np.int8))

    return _until(seconds, once, seed)


RIVALS = (
    Rival("dwave-samplers annealing", "dwave.samplers", dwave_annealing),
    Rival("dwave-samplers tabu", "dwave.samplers", dwave_tabu),
    Rival("openjij annealing", "openjij", openjij_annealing),
    Rival("simulated-bifurcation", "simulated_bifurcation", bifurcation),
)
