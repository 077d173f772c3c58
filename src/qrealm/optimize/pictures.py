"""Pictures of how solving went."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from qrealm.base.errors import MissingExtraError

if TYPE_CHECKING:
    from qrealm.optimize.result import OptimizeResult


def plot_history(result: OptimizeResult, path: Path, *, title: str = "") -> Path:
    """Best value and proven bound against seconds; the marks name who found each value."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingExtraError("a plot", package="matplotlib", extra="plot") from problem
    steps = [step for step in result.history if math.isfinite(step.value)]
    end = max(result.seconds, 1e-3)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    seconds = [max(step.seconds, 1e-4) for step in steps]
    values = [step.value for step in steps]
    axes.step([*seconds, end], [*values, result.value], where="post", color="tab:blue", label="best value")
    bounds = [step.bound for step in steps]
    if any(math.isfinite(bound) for bound in bounds):
        axes.step(
            [*seconds, end], [*bounds, result.bound], where="post", color="tab:grey", label="proven bound"
        )
    for solver in dict.fromkeys(step.solver for step in steps):
        own = [(max(step.seconds, 1e-4), step.value) for step in steps if step.solver == solver]
        axes.plot([x for x, _ in own], [y for _, y in own], "o", markersize=4, label=solver)
    axes.set_xscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("value")
    axes.set_title(title or f"value {result.value:g}, bound {result.bound:g}, gap {result.gap:.2%}")
    axes.legend()
    figure.savefig(path, dpi=120)
    return path
