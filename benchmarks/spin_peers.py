"""The solvers of other projects that `python -m benchmarks.spins --peers` runs: one generator each.

A generator yields the cut after each of its calls until it is told to stop; the caller keeps the clock.
Building a peer's own model of the graph is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from qrealm.optimize import MaxCut

Attempts = Iterator[float]
Peer = Callable[[MaxCut, int], Attempts]

SWEEPS = (30, 100, 300, 1000, 3000, 10000)
READS = (1, 10)


def _terms(graph: MaxCut) -> dict[tuple[int, int], float]:
    ising = graph.to_ising()
    pairs = ising.couplings
    ends = zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True)
    return dict(zip(ends, pairs.values.tolist(), strict=True))


def dwave_annealing(sweeps: int, reads: int) -> Peer:
    """dwave-samplers' simulated annealing, its own range of temperatures."""

    def attempts(graph: MaxCut, seed: int) -> Attempts:
        import dimod
        from dwave.samplers import SimulatedAnnealingSampler

        model = dimod.BinaryQuadraticModel.from_ising(
            dict.fromkeys(range(graph.num_nodes), 0.0), _terms(graph), graph.to_ising().offset
        )
        sampler = SimulatedAnnealingSampler()
        yield 0.0
        while True:
            seed += 1
            found = sampler.sample(model, num_sweeps=sweeps, num_reads=reads, seed=seed)
            yield -float(found.record.energy.min())

    return attempts


def dwave_tabu(milliseconds: int) -> Peer:
    """dwave-samplers' tabu search, in calls of so many milliseconds."""

    def attempts(graph: MaxCut, seed: int) -> Attempts:
        import dimod
        from dwave.samplers import TabuSampler

        model = dimod.BinaryQuadraticModel.from_ising(
            dict.fromkeys(range(graph.num_nodes), 0.0), _terms(graph), graph.to_ising().offset
        )
        sampler = TabuSampler()
        yield 0.0
        while True:
            seed += 1
            found = sampler.sample(model, timeout=milliseconds, num_reads=1, seed=seed)
            yield -float(found.record.energy.min())

    return attempts


def openjij_sampler(kind: str, sweeps: int) -> Peer:
    """OpenJij's simulated annealing (SASampler) or simulated quantum annealing (SQASampler)."""

    def attempts(graph: MaxCut, seed: int) -> Attempts:
        import openjij

        sampler = getattr(openjij, kind)()
        terms, offset = _terms(graph), graph.to_ising().offset
        yield 0.0
        while True:
            seed += 1
            found = sampler.sample_ising({}, terms, num_sweeps=sweeps, num_reads=1, seed=seed)
            yield -(float(np.min(found.energies)) + offset)

    return attempts


def simulated_bifurcation(mode: str, steps: int) -> Peer:
    """The package simulated-bifurcation, 128 agents, dense matrices in torch on one thread."""

    def attempts(graph: MaxCut, seed: int) -> Attempts:
        import simulated_bifurcation as package
        import torch

        torch.set_num_threads(1)
        pairs = graph.to_ising().couplings
        matrix = torch.zeros(graph.num_nodes, graph.num_nodes)
        matrix[
            torch.from_numpy(pairs.rows.astype(np.int64)), torch.from_numpy(pairs.cols.astype(np.int64))
        ] = torch.from_numpy(pairs.values.astype(np.float32))
        torch.manual_seed(seed)
        yield 0.0
        while True:
            spins, _ = package.minimize(
                matrix, domain="spin", agents=128, max_steps=steps, mode=mode, verbose=False
            )
            yield graph.cut(spins.numpy().astype(np.int8))

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
