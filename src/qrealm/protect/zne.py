"""Zero-noise extrapolation: run with the noise made larger, and extrapolate to none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise import NoiseModel
from qrealm.protect.extrapolation import Model, extrapolate
from qrealm.protect.folding import Folding, fold
from qrealm.protect.measuring import (
    Estimate,
    Question,
    Runner,
    answer,
    checked_count,
    observable_of,
    one_runner,
    plain,
    questions,
    readings,
)
from qrealm.protect.outcome import Mitigated
from qrealm.protect.readout import ReadoutCorrection
from qrealm.simulate.request import check_seed

FACTOR_MAX = 1000.0
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
    correction: ReadoutCorrection | None = None,
    **options: Any,
) -> Mitigated:
    """An expectation value extrapolated to zero noise.

    Args:
        circuit: gates, then measurements (which are left out); anything that `qrealm.read` takes.
        observable: a Hermitian Pauli sum.
        noise: what the circuit runs with; None when `runner` brings its own.
        factors: strengths of the noise, 1 among them. What folding reaches, counted in gates, is what is
            fitted; `details` has it.
        model, folding: see `extrapolate` and `fold`. A term whose decay cannot be told from 0 is extrapolated
            by a line; `details` says which.
        shots: in every measured basis, at every factor.
        seed: the same seed gives the same estimate.
        backend: for `qrealm.run`.
        runner: runs circuits elsewhere: (circuit, shots, seed) -> counts.
        correction: undoes the detector's errors in every basis.
        options: further ones for `qrealm.run`.

    Raises:
        RequestError: factors without 1, neither noise nor runner, or a circuit that decides half-way.
    """
    run_one = one_runner(noise, runner, backend, options)
    scales = _checked(factors)
    number = checked_count(shots, "shots")
    body = plain(circuit)
    asked, constant = questions(body, observable_of(observable, body))
    seeds = np.random.SeedSequence(check_seed(seed)).generate_state(max(1, len(asked)), np.uint64).tolist()
    zero, bare = [Estimate(constant, 0.0)], [Estimate(constant, 0.0)]
    told = []
    for question, each in zip(asked, seeds[: len(asked)], strict=True):
        folded = [fold(question.circuit, scale, folding, seed) for scale in scales]
        found = _extrapolated(question, folded, model, number, each, run_one, correction)
        zero.append(found.zero)
        bare.append(found.points[scales.index(1)])
        told.append(found.told)
    value, spread = _added(zero)
    plain_value, plain_spread = _added(bare)
    return Mitigated(
        value=value,
        standard_error=spread,
        unmitigated=plain_value,
        unmitigated_error=plain_spread,
        method=f"zero-noise extrapolation, {model}",
        shots=number * len(scales) * len(asked),
        overhead=_overhead(spread, plain_spread, len(scales)),
        details={"factors": scales, "folding": folding, "bases": told},
    )


class _Found(NamedTuple):
    """One measured basis: extrapolated, at each strength of noise, and in words."""

    zero: Estimate
    points: list[Estimate]
    told: dict[str, object]


def _extrapolated(
    question: Question,
    folded: Sequence[Circuit],
    model: Model,
    shots: int,
    seed: int,
    run_one: Runner,
    correction: ReadoutCorrection | None,
) -> _Found:
    """Every term is extrapolated by itself: under noise they decay at different rates."""
    reached = [_gates(circuit) / max(1, _gates(question.circuit)) for circuit in folded]
    seeds = np.random.SeedSequence(seed).generate_state(len(folded), np.uint64).tolist()
    taken = [run_one(circuit, shots, each) for circuit, each in zip(folded, seeds, strict=True)]
    read = [readings(question, counts, correction) for counts in taken]
    means = np.array([table @ shares for table, shares in read]).T  # (terms, factors)
    errors = np.array([np.sqrt(_variances(*each) / max(1, shots - 1)) for each in read]).T
    models = [_model_for(model, *row) for row in zip(means, errors, strict=True)]
    fits = [
        extrapolate(reached, mean, error, each)
        for mean, error, each in zip(means, errors, models, strict=True)
    ]
    slopes = np.array([fit.weights for fit in fits])
    variance = sum(
        float(_variances(slopes[:, [place]].T @ table, shares)[0]) / max(1, shots - 1)
        for place, (table, shares) in enumerate(read)
    )
    return _Found(
        Estimate(sum(fit.value for fit in fits), math.sqrt(variance)),
        [answer(question, counts, correction) for counts in taken],
        {"reached": reached, "values": means.tolist(), "standard_errors": errors.tolist(), "models": models},
    )


def _variances(table: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of each row over the shots."""
    means = table @ shares
    return np.asarray((table - means[:, None]) ** 2 @ shares)


def _model_for(model: Model, values: NDArray[np.float64], errors: NDArray[np.float64]) -> Model:
    """The model asked for; a line where a decay cannot be told from 0."""
    known = (np.abs(values) > 3 * errors).all() and len(set(np.sign(values).tolist())) == 1
    return "linear" if model == "exponential" and not known else model


def _gates(circuit: Circuit) -> int:
    return sum(isinstance(op, Gate) for op, _, _ in circuit)


def _added(parts: Sequence[Estimate]) -> tuple[float, float]:
    """Sum and standard error of independent estimates."""
    return sum(p.value for p in parts), math.sqrt(sum(p.standard_error**2 for p in parts))


def _checked(factors: Sequence[float]) -> list[float]:
    try:
        scales = [float(factor) for factor in factors]
    except (TypeError, ValueError):
        raise RequestError(f"factors are {factors!r:.60}; the rule is numbers from 1") from None
    if 1 not in scales or len(set(scales)) != len(scales) or not all(1 <= s <= FACTOR_MAX for s in scales):
        raise RequestError(
            f"factors are {scales}; the rule is different numbers from 1 to {FACTOR_MAX:g}, with 1, the "
            "circuit as it is, among them"
        )
    return scales


def _overhead(mitigated: float, bare: float, runs: int) -> float:
    """Shots that give the plain run's standard error, over its shots: errors fall as 1 / sqrt(shots)."""
    return runs * (mitigated / bare) ** 2 if bare > 0 else float(runs)
