"""Convergence plots of variational algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.simulate.pictures import check_picture

_INK, _FAINT, _LINE, _GOAL = "#1f2430", "#d5d8de", "#3b6fb6", "#c0504d"
_MARKERS_MAX = 60


def save_convergence(
    history: Sequence[float],
    path: Path,
    *,
    value_name: str,
    reference: float | None = None,
    title: str = "",
) -> Path:
    """Save a value against the number of its evaluation; returns the path.

    With a reference there is a second picture below: the distance to it on a logarithmic axis.

    Args:
        history: at least one value.
        path: png, svg or pdf.
        value_name: what the vertical axis is called.
        reference: the value that it should come to.
        title: text above the axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RequestError: no values, an ending that is no picture format, or a folder that cannot be written.
    """
    if not history:
        raise RequestError("there is nothing to plot: the history is empty")
    check_picture(path, "plotting convergence")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6 if reference is None else 5.4), layout="constrained")
    rows = 1 if reference is None else 2
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3, 2][:rows])[:, 0]
    numbers = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= _MARKERS_MAX else ""
    axes = panels[0]
    axes.plot(numbers, history, color=_LINE, linewidth=1.6, marker=marker, markersize=3.5, zorder=3)
    axes.set_ylabel(value_name)
    if reference is not None:
        axes.axhline(reference, color=_GOAL, linewidth=1.2, linestyle="--", zorder=2)
        axes.annotate(
            f"exact {reference:.6g}",
            (1, reference),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 4 if history[0] >= reference else -4),
            textcoords="offset points",
            ha="right",
            va="bottom" if history[0] >= reference else "top",
            color=_GOAL,
            fontsize=9,
        )
        axes.margins(y=0.12)
        distance = np.abs(np.asarray(history) - reference)
        shown = np.where(distance > 0, distance, np.nan)  # a logarithm has no place for an exact hit
        panels[1].plot(numbers, shown, color=_LINE, linewidth=1.6, marker=marker, markersize=3.5, zorder=3)
        panels[1].set_yscale("log")
        panels[1].set_ylabel("distance to exact")
    panels[-1].set_xlabel("evaluation")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=_INK)
    for panel in panels:
        _finish(panel)
    try:
        figure.savefig(path, dpi=150)
    except OSError as problem:
        raise RequestError(
            f"the picture {str(path)!r} cannot be written: {problem.strerror or problem}"
        ) from problem
    return path


def _finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8, zorder=0)
    axes.tick_params(colors=_INK)
