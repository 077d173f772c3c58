"""The spin solvers of other projects, beside which ours are measured: one generator each.

A generator yields the energy of the best answer of each of its calls until it is told to stop; the caller
keeps the clock. Building a peer's own model of the problem comes before its first yield, of inf, and is not
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qrealm.optimize import Ising

Attempts = Iterator[float]
Peer = Callable[[Ising, int], Attempts]

SWEEPS = (30, 100, 300, 1000, 3000, 10000)
READS = (1, 10)
SEEDS = 2**31


def _terms(ising: Ising) -> tuple[dict[int, float], dict[tuple[int, int], float]]:
    pairs = ising.couplings
    ends = zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True)
    return dict(enumerate(ising.linear.tolist())), dict(zip(ends, pairs.values.tolist(), strict=True))


def _dwave(name: str, **settings: Any) -> Peer:
    def attempts(ising: Ising, seed: int) -> Attempts:
        import dimod
        from dwave import samplers

        model = dimod.BinaryQuadraticModel.from_ising(*_terms(ising), ising.offset)
        sampler = getattr(samplers, name)()
        yield np.inf
        while True:
            seed += 1
            yield float(sampler.sample(model, seed=seed % SEEDS, **settings).record.energy.min())

    return attempts


def dwave_annealing(sweeps: int, reads: int) -> Peer:
    """dwave-samplers' simulated annealing, its own range of temperatures."""
    return _dwave("SimulatedAnnealingSampler", num_sweeps=sweeps, num_reads=reads)


def dwave_tabu(milliseconds: int) -> Peer:
    """dwave-samplers' tabu search, in calls of so many milliseconds."""
    return _dwave("TabuSampler", timeout=milliseconds, num_reads=1)


def openjij_sampler(kind: str, sweeps: int) -> Peer:
    """OpenJij's simulated annealing (SASampler) or simulated quantum annealing (SQASampler)."""

    def attempts(ising: Ising, seed: int) -> Attempts:
        import openjij

        sampler = getattr(openjij, kind)()
        terms = _terms(ising)
        yield np.inf
        while True:
            seed += 1
            found = sampler.sample_ising(*terms, num_sweeps=sweeps, num_reads=1, seed=seed % SEEDS)
            yield float(np.min(found.energies)) + ising.offset

    return attempts


def simulated_bifurcation(mode: str, steps: int) -> Peer:
    """The package simulated-bifurcation, 128 agents, dense matrices in torch on one thread."""

    def attempts(ising: Ising, seed: int) -> Attempts:
        import simulated_bifurcation as package
        import torch

        torch.set_num_threads(1)
        size, pairs = ising.num_variables, ising.couplings
        matrix = np.zeros((size, size), dtype=np.float32)
        matrix[pairs.rows, pairs.cols] = pairs.values
        quadratic, linear = torch.from_numpy(matrix), torch.from_numpy(ising.linear.astype(np.float32))
        torch.manual_seed(seed)
        yield np.inf
        while True:
            spins, _ = package.minimize(
                quadratic, linear, domain="spin", agents=128, max_steps=steps, mode=mode, verbose=False
            )
            yield ising.energy(spins.numpy().round().astype(np.int8))

    return attempts


def peers() -> dict[str, Peer]:
    """Every peer with every choice of its settings, by name; what is before the first blank is the peer."""
    found: dict[str, Peer] = {
        f"dwave-annealing sweeps={sweeps} reads={reads}": dwave_annealing(sweeps, reads)
        for sweeps in SWEEPS
        for reads in READS
    }
    found |= {f"dwave-tabu ms={ms}": dwave_tabu(ms) for ms in (20, 200)}
    found |= {f"openjij-annealing sweeps={s}": openjij_sampler("SASampler", s) for s in (100, 1000)}
    found |= {f"openjij-quantum sweeps={s}": openjij_sampler("SQASampler", s) for s in (100, 1000)}
    found |= {
        f"simulated-bifurcation {mode} steps={steps}": simulated_bifurcation(mode, steps)
        for mode in ("ballistic", "discrete")
        for steps in (300, 2000)
    }
    return found
