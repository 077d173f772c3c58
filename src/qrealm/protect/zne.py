"""Zero-noise extrapolation: run with the noise made larger, and extrapolate to none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.circuits import PauliSum
from qrealm.circuits.noise import NoiseModel
from qrealm.protect.extrapolation import Model, extrapolate
from qrealm.protect.folding import Folding, fold
from qrealm.protect.measuring import Runner, estimate, observable_of, plain, runner_for
from qrealm.protect.outcome import Mitigated

FACTORS_DEFAULT = (1.0, 3.0, 5.0)
"""Odd integers fold every gate alike; in between, which gates are folded once more is a matter of luck."""


def zero_noise_extrapolation(
    circuit: Any,
    observable: PauliSum | str,
    noise: NoiseModel | None = None,
    *,
    factors: Sequence[float] = FACTORS_DEFAULT,
    model: Model = "exponential",
    folding: Folding = "gates",
    shots: int = 10_000,
    seed: int = 0,
    backend: str | None = None,
    runner: Runner | None = None,
    **options: Any,
) -> Mitigated:
    """An expectation value extrapolated to zero noise.

    Args:
        circuit: gates, then measurements (which are left out); anything that `qrealm.read` takes.
        observable: a Hermitian Pauli sum.
        noise: what the circuit runs with; None when `runner` brings its own.
        factors: strengths of the noise, 1 among them.
        model, folding: see `extrapolate` and `fold`.
        shots: in every measured basis, at every factor.
        seed: the same seed gives the same estimate.
        backend: for `qrealm.run`.
        runner: runs circuits elsewhere: (circuit, shots, seed) -> counts.
        options: further ones for `qrealm.run`.

    Raises:
        RequestError: factors without 1, neither noise nor runner, or a circuit that decides half-way.
    """
    if 1 not in factors:
        raise RequestError(
            f"factors are {list(factors)}; the rule is that 1, the circuit as it is, is among them"
        )
    run_one = _runner(noise, runner, backend, options)
    body = plain(circuit)
    asked = observable_of(observable, body)
    seeds = np.random.SeedSequence(seed).generate_state(len(factors), np.uint64).tolist()
    points, taken = [], 0
    for factor, each in zip(factors, seeds, strict=True):
        found, used = estimate(fold(body, factor, folding, seed), asked, shots, each, run_one)
        points.append(found)
        taken += used
    values, errors = [p.value for p in points], [p.standard_error for p in points]
    zero = extrapolate(factors, values, errors, model)
    bare = points[list(factors).index(1)]
    return Mitigated(
        value=zero.value,
        standard_error=zero.standard_error,
        unmitigated=bare.value,
        unmitigated_error=bare.standard_error,
        method=f"zero-noise extrapolation, {model}",
        shots=taken,
        overhead=_overhead(zero.standard_error, bare.standard_error, len(factors)),
        details={
            "factors": list(factors),
            "values": values,
            "standard_errors": errors,
            "weights": list(zero.weights),
            "folding": folding,
        },
    )


def _overhead(mitigated: float, bare: float, runs: int) -> float:
    """Shots that give the plain run's standard error, over its shots: errors fall as 1 / sqrt(shots)."""
    return runs * (mitigated / bare) ** 2 if bare > 0 else float(runs)


def _runner(
    noise: NoiseModel | None, runner: Runner | None, backend: str | None, options: dict[str, Any]
) -> Runner:
    if (noise is None) == (runner is None):
        raise RequestError("mitigation needs either noise, to simulate with, or runner, to run elsewhere")
    return runner if runner is not None else runner_for(noise, backend, options)
