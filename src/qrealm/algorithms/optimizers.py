"""Classical optimizers: SciPy's, and Adam and SPSA of our own, behind one call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError

FloatArray = NDArray[np.float64]
Value = Callable[[FloatArray], float]
ValueAndGradient = Callable[[FloatArray], tuple[float, FloatArray]]

GRADIENT_OPTIMIZERS = ("L-BFGS-B", "SLSQP", "Adam")
"""They follow the adjoint gradient, which is exact."""

SAMPLING_OPTIMIZERS = ("COBYLA", "Nelder-Mead", "SPSA")
"""They need values only, so these may come from shots."""

OPTIMIZERS = GRADIENT_OPTIMIZERS + SAMPLING_OPTIMIZERS

ADAM_LEARNING_RATE = 0.1
"""Radians that a parameter moves at first: a turn is 6.28."""

_ADAM_MEAN, _ADAM_SQUARE, _ADAM_FLOOR = 0.9, 0.999, 1e-8  # Kingma and Ba, arXiv:1412.6980, algorithm 1
_SPSA_STEP_POWER, _SPSA_SHIFT_POWER = (
    0.602,
    0.101,
)  # Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817 (1998)
_SPSA_SHIFT = 0.2
_SPSA_CALIBRATIONS = 25
_SPSA_FIRST_STEP = 2 * math.pi / 10  # Kandala et al., Nature 549, 242 (2017), supplement


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """Where an optimizer stopped.

    Attributes:
        point: the parameters, shape (P,).
        iterations: its own count.
        converged: whether it met its tolerance before the limit; never for SPSA, which has none.
        message: why it stopped.
    """

    point: FloatArray
    iterations: int
    converged: bool
    message: str


def check_optimizer(name: str, shots: int, learning_rate: float | None) -> str:
    """An optimizer's name in its own spelling, fit for exact or sampled values. Raises RequestError."""
    found = next((each for each in OPTIMIZERS if each.lower() == str(name).lower()), None)
    if found is None:
        raise RequestError(f"optimizer is {name!r:.60}; it must be one of {', '.join(OPTIMIZERS)}")
    if shots and found in GRADIENT_OPTIMIZERS:
        raise RequestError(
            f"{found} follows exact gradients, which shots={shots} does not give",
            hint=f"shots=0, or one of {', '.join(SAMPLING_OPTIMIZERS)}",
        )
    if learning_rate is not None:
        if found not in ("Adam", "SPSA"):
            raise RequestError(f"{found} has no learning rate", hint="leave it out, or use Adam or SPSA")
        if not 0 < learning_rate < math.inf:
            raise RequestError(f"learning_rate is {learning_rate!r:.60}; it must be positive and finite")
    return found


def minimize(
    name: str,
    value: Value,
    value_and_gradient: ValueAndGradient,
    start: FloatArray,
    *,
    iterations_max: int,
    tolerance: float,
    learning_rate: float | None,
    generator: np.random.Generator,
) -> Minimum:
    """Go downhill from `start`.

    Args:
        name: as `check_optimizer` returns it.
        value: the function; used by the optimizers without gradient.
        value_and_gradient: the function and its derivatives; used by the others.
        start: shape (P,).
        iterations_max: for COBYLA evaluations, since it counts nothing else.
        tolerance: SciPy's `tol`; for Adam the largest derivative at which it stops; SPSA has none.
        learning_rate: of Adam and SPSA; None for their own choice.
        generator: SPSA's directions.
    """
    if name == "Adam":
        return _adam(value_and_gradient, start, iterations_max, tolerance, learning_rate)
    if name == "SPSA":
        return _spsa(value, start, iterations_max, learning_rate, generator)
    from scipy.optimize import minimize as scipy_minimize

    derived = name in GRADIENT_OPTIMIZERS
    function: Any = value_and_gradient if derived else value
    options: dict[str, Any] = {"maxiter": iterations_max}
    if name == "L-BFGS-B":
        options["maxfun"] = 1_000_000_000  # iterations_max is the limit, not a second one
    if name == "Nelder-Mead":
        options["maxfev"] = 1_000_000_000
    found = scipy_minimize(function, start, jac=derived or None, method=name, tol=tolerance, options=options)
    iterations = int(getattr(found, "nit", found.nfev))
    return Minimum(np.asarray(found.x, dtype=np.float64), iterations, bool(found.success), str(found.message))


def _adam(
    function: ValueAndGradient,
    start: FloatArray,
    iterations_max: int,
    tolerance: float,
    learning_rate: float | None,
) -> Minimum:
    """Adam (D. P. Kingma and J. Ba, arXiv:1412.6980)."""
    rate = ADAM_LEARNING_RATE if learning_rate is None else learning_rate
    point = start.copy()
    mean, square = np.zeros_like(point), np.zeros_like(point)
    for iteration in range(1, iterations_max + 1):
        _, slope = function(point)
        if np.abs(slope).max(initial=0.0) <= tolerance:
            return Minimum(point, iteration, True, f"every derivative is at most {tolerance:g}")
        mean = _ADAM_MEAN * mean + (1 - _ADAM_MEAN) * slope
        square = _ADAM_SQUARE * square + (1 - _ADAM_SQUARE) * slope**2
        upright = mean / (1 - _ADAM_MEAN**iteration)
        scale = np.sqrt(square / (1 - _ADAM_SQUARE**iteration)) + _ADAM_FLOOR
        point = point - rate * upright / scale
    return Minimum(point, iterations_max, False, "the limit of iterations is reached")


def _spsa(
    function: Value,
    start: FloatArray,
    iterations_max: int,
    learning_rate: float | None,
    generator: np.random.Generator,
) -> Minimum:
    """Simultaneous perturbation: two values an iteration, however many parameters there are."""

    def slope(point: FloatArray, shift: float) -> tuple[float, FloatArray]:
        direction = generator.choice([-1.0, 1.0], size=len(point))
        difference = function(point + shift * direction) - function(point - shift * direction)
        return difference / (2 * shift), direction

    settle = iterations_max / 10  # Spall's A: a tenth of the iterations
    rate = learning_rate
    if rate is None:
        sizes = [abs(slope(start, _SPSA_SHIFT)[0]) for _ in range(_SPSA_CALIBRATIONS)]
        typical = sum(sizes) / len(sizes)
        rate = _SPSA_FIRST_STEP / typical if typical > 1e-10 else _SPSA_FIRST_STEP
    point = start.copy()
    for iteration in range(1, iterations_max + 1):
        size, direction = slope(point, _SPSA_SHIFT / iteration**_SPSA_SHIFT_POWER)
        step = rate * ((1 + settle) / (iteration + settle)) ** _SPSA_STEP_POWER
        point = point - step * size * direction
    message = f"all {iterations_max} iterations are done; SPSA has no tolerance that would tell convergence"
    return Minimum(point, iterations_max, False, message)
