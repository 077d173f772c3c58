"""Pictures of how solving went."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from qrealm.simulate.pictures import check_picture, finish_axes, save_figure

if TYPE_CHECKING:
    from qrealm.optimize.result import Improvement, OptimizeResult

__all__ = ["check_picture", "plot_history"]

_VALUE, _BOUND = "#3b6fb6", "#c0504d"
_SECONDS_MIN = 1e-4


def plot_history(result: OptimizeResult, path: Path, *, title: str = "") -> Path:
    """Save the best value and the proven bound against seconds; a mark's colour says who found a value.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RequestError: an ending that is no picture format, or a folder that cannot be written.
    """
    check_picture(path, "plotting a search")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    found = [step for step in result.history if math.isfinite(step.value)]
    proven = [step for step in result.history if math.isfinite(step.bound)]
    end = max(result.seconds, 2 * _SECONDS_MIN)
    values = [step.value for step in found]
    axes.step(
        [*_seconds(found), end], [*values, result.value], where="post", color=_VALUE, linewidth=1.8, zorder=2
    )
    better = [step for before, step in zip([None, *found], found, strict=False) if _improves(before, step)]
    for solver in dict.fromkeys(step.solver for step in better):
        own = [step for step in better if step.solver == solver]
        axes.plot(_seconds(own), [step.value for step in own], "o", markersize=5, label=solver, zorder=3)
    if proven:
        bounds = [step.bound for step in proven]
        line = [*bounds, result.bound]
        axes.step(
            [*_seconds(proven), end], line, where="post", color=_BOUND, linestyle="--", label="proven bound"
        )
    axes.set_xscale("log")
    axes.margins(y=0.12)
    axes.set_xlabel("seconds")
    axes.set_ylabel("value, to be made small")
    axes.legend(frameon=False)
    gap = f"gap {result.gap:.2%}" if math.isfinite(result.gap) else "gap unknown"
    finish_axes(axes, f"{title}: {gap}" if title else gap)
    return save_figure(figure, path)


def _improves(before: Improvement | None, step: Improvement) -> bool:
    """Whether the value got better, and not the bound alone."""
    return before is None or step.value < before.value


def _seconds(steps: list[Improvement]) -> list[float]:
    return [max(step.seconds, _SECONDS_MIN) for step in steps]
