"""From values at several strengths of noise to the value without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError

Model = Literal["linear", "quadratic", "richardson", "exponential"]
MODELS: tuple[Model, ...] = ("linear", "quadratic", "richardson", "exponential")
_POLYNOMIALS = {"linear": 1, "quadratic": 2}


class Extrapolation(NamedTuple):
    """The value at zero noise, its standard error, and how strongly it weighs each measured value."""

    value: float
    standard_error: float
    weights: tuple[float, ...]


def extrapolate(
    factors: Sequence[float], values: Sequence[float], errors: Sequence[float], model: Model
) -> Extrapolation:
    """The fitted value at factor 0.

    Args:
        factors: strengths of the noise, different from each other.
        values, errors: measured there, and their standard errors.
        model: ``"linear"`` and ``"quadratic"`` fit a polynomial by least squares; ``"richardson"`` is the
            polynomial through all points (K. Temme, S. Bravyi and J. Gambetta, arXiv:1612.02058);
            ``"exponential"`` fits b e^{-c x}, the decay towards 0 of a Pauli observable under Pauli noise
            (S. Endo, S. Benjamin and Y. Li, arXiv:1712.09271).

    Raises:
        RequestError: an unknown model, too few points, equal factors, or values of both signs for the
            exponential.
    """
    if model not in MODELS:
        raise RequestError(f"model is {model!r:.60}; it must be one of {', '.join(MODELS)}")
    x, y, spread = (np.asarray(each, dtype=np.float64) for each in (factors, values, errors))
    needed = {"linear": 2, "quadratic": 3, "richardson": 2, "exponential": 2}[model]
    if len(x) < needed or len(set(x.tolist())) != len(x) or len(y) != len(x):
        raise RequestError(
            f"the {model} extrapolation got the factors {x.tolist()} and {len(y)} values; the rule is at "
            f"least {needed} different factors and one value for each"
        )
    if model != "exponential":
        weights = _weights_at_zero(x, _POLYNOMIALS.get(model, len(x) - 1))
        return Extrapolation(
            float(weights @ y), float(np.sqrt((weights**2 * spread**2).sum())), tuple(weights.tolist())
        )
    if not ((y > 0).all() or (y < 0).all()):
        raise RequestError(
            f"the exponential extrapolation got values of both signs or 0: {y.tolist()}",
            hint="take more shots, smaller factors, or the linear model",
        )
    # ln|y| = ln|b| - c x, each point weighted by how well its logarithm is known.
    known = np.abs(y) / np.maximum(spread, 1e-12 * np.abs(y))
    weights = _weights_at_zero(x, 1, known)
    value = float(np.sign(y[0]) * np.exp(weights @ np.log(np.abs(y))))
    slopes = value * weights / y
    return Extrapolation(
        value, float(np.sqrt((slopes**2 * spread**2).sum())), tuple(float(slope) for slope in slopes)
    )


def _weights_at_zero(
    x: NDArray[np.float64], degree: int, known: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """What each value counts in the least-squares polynomial's value at 0."""
    powers = np.vander(x, degree + 1, increasing=True)
    scale = np.ones(len(x)) if known is None else known / known.max()
    solved = np.linalg.pinv(powers * scale[:, None]) * scale[None, :]
    return np.asarray(solved[0], dtype=np.float64)
