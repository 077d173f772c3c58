"""Convergence plots of variational algorithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    distance: bool = False,
    sections: Mapping[str, int] | None = None,
    title: str = "",
) -> Path:
    """Save a value against the number of its evaluation; returns the path.

    Args:
        history: at least one value.
        path: png, svg or pdf.
        value_name: what the vertical axis is called.
        reference: the value that it should come to, drawn as a line.
        distance: with a reference, draw the distance to it on a logarithmic axis below.
        sections: names of stretches of the history and the evaluation (from 1) that each begins with.
        title: text above the axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RequestError: no values, an ending that is no picture format, or a folder that cannot be written.
    """
    if not history:
        raise RequestError("there is nothing to plot: the history is empty")
    check_picture(path, "plotting convergence")
    from matplotlib.figure import Figure

    rows = 2 if distance and reference is not None else 1
    figure = Figure(figsize=(6.4, 3.6 if rows == 1 else 5.4), layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3, 2][:rows])[:, 0]
    axes = panels[0]
    _draw(axes, history)
    axes.set_ylabel(value_name)
    axes.margins(y=0.12)
    if reference is not None:
        axes.axhline(reference, color=_GOAL, linewidth=1.2, linestyle="--", zorder=2)
        _label(axes, f"exact {reference:.6g}", reference, _GOAL)
    for name, first in (sections or {}).items():
        axes.axvline(first, color=_INK, linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            name,
            (first, 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 3),
            textcoords="offset points",
            color=_INK,
            fontsize=8,
        )
    if rows == 2:
        gaps = np.abs(np.asarray(history) - reference)
        _draw(panels[1], np.where(gaps > 0, gaps, np.nan))  # a logarithm has no place for an exact hit
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


def _draw(axes: Any, values: Any) -> None:
    marker = "o" if len(values) <= _MARKERS_MAX else ""
    numbers = np.arange(1, len(values) + 1)
    axes.plot(numbers, values, color=_LINE, linewidth=1.6, marker=marker, markersize=3.5, zorder=3)


def _label(axes: Any, text: str, height: float, color: str) -> None:
    """Write at the right end of a horizontal line."""
    axes.annotate(
        text,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        color=color,
        fontsize=8,
        annotation_clip=False,
    )


def _finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8, zorder=0)
    axes.tick_params(colors=_INK)
