"""Pictures of results: a histogram of counts, and times of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import MissingExtraError, RequestError
from qrealm.base.units import format_seconds

if TYPE_CHECKING:
    from qrealm.simulate.benchmark import BenchmarkRow

PICTURE_ENDINGS = (".png", ".svg", ".pdf")
_INK, _FAINT, _BAR = "#1f2430", "#d5d8de", "#3b6fb6"
_LABEL_CHARACTERS_MAX = 6  # longer bit strings are written upwards
_LABEL_CHARACTERS_SHOWN = 40
_CHARACTER_INCHES = 0.076  # of a monospaced letter of 9 points
_LEVEL_LABELS_MAX = 20
_SHARES_SHOWN_MAX = 16


def save_histogram(
    counts: Mapping[str, int], path: Path, *, shots: int, title: str = "", bars_max: int = 32
) -> Path:
    """Save a bar for each outcome, with its share of the shots; returns the path.

    The `bars_max` most frequent outcomes are shown in ascending order of their bit strings, the others
    together in one grey bar.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RequestError: an ending that is no picture format, `bars_max` below 1, or a folder that cannot be
            written.
    """
    if bars_max < 1:
        raise RequestError(f"bars_max is {bars_max}; it must be at least 1")
    figure_class = _figure_class("plotting counts")
    shown = sorted(sorted(counts, key=lambda key: (-counts[key], key))[:bars_max])
    heights = [counts[key] / shots for key in shown]
    width = max(4.5, min(16.0, 1.6 + 0.42 * len(shown)))
    labels = _short_labels(shown)
    longest = max(map(len, labels), default=0)
    upright = longest > _LABEL_CHARACTERS_MAX or len(shown) > _LEVEL_LABELS_MAX
    # Labels that are written upwards get room of their own, not that of the bars.
    below = max(0, longest - _LABEL_CHARACTERS_MAX) * _CHARACTER_INCHES if upright else 0.0
    figure = figure_class(figsize=(width, 4.2 + below), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.bar(range(len(shown)), heights, width=0.72, color=_BAR, zorder=2)
    if len(shown) <= _SHARES_SHOWN_MAX:
        axes.bar_label(bars, labels=_share_labels(heights), fontsize=8, padding=2, color=_INK)
    axes.set_xticks(range(len(shown)), labels, rotation=90 if upright else 0, fontsize=9, family="monospace")
    axes.set_xlim(-0.6, max(len(shown) - 0.4, 0.6))
    axes.set_ylim(0, max(heights, default=1.0) * 1.12 or 1.0)
    axes.set_xlabel("outcome")
    axes.set_ylabel(f"share of {shots:,} shots")
    if len(counts) > len(shown):
        # In words: as a bar it would dwarf the others.
        rest = 1.0 - sum(heights)
        axes.set_title(
            f"{len(counts) - len(shown):,} others: {rest:.1%}", loc="right", fontsize=9, color=_INK
        )
    finish_axes(axes, title)
    return save_figure(figure, path)


def _short_labels(outcomes: Sequence[str]) -> list[str]:
    """Outcomes for an axis: long ones without their middle, as long as they can be told apart."""
    kept = _LABEL_CHARACTERS_SHOWN // 2
    short = [
        each if len(each) <= _LABEL_CHARACTERS_SHOWN else f"{each[:kept]}…{each[-kept:]}" for each in outcomes
    ]
    return short if len(set(short)) == len(outcomes) else list(outcomes)


def _share_labels(shares: Sequence[float]) -> list[str]:
    """Shares with as many decimals each: three digits of the largest."""
    most = max(shares, default=0.0)
    decimals = 2 + max(0, math.ceil(-math.log10(most))) if most > 0 else 2
    return [f"{share:.{decimals}f}" for share in shares]


def save_benchmark(rows: Sequence[BenchmarkRow], path: Path, *, title: str = "") -> Path:
    """Save time against qubits, on a logarithmic axis, one line per backend and precision; returns the path.

    Raises:
        MissingExtraError, RequestError: as `save_histogram`.
    """
    figure_class = _figure_class("plotting a benchmark")
    figure = figure_class(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    series: dict[str, list[BenchmarkRow]] = {}
    for row in rows:
        series.setdefault(f"{row.backend}, {row.precision.value}", []).append(row)
    for name, points in series.items():
        points = sorted(points, key=lambda row: row.qubits)
        axes.plot(
            [row.qubits for row in points],
            [row.seconds for row in points],
            marker="o",
            linewidth=1.8,
            label=name,
            zorder=2,
        )
        for row in points:
            axes.annotate(
                format_seconds(row.seconds),
                (row.qubits, row.seconds),
                xytext=(-6, 6),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=_INK,
            )
    axes.set_yscale("log")
    axes.margins(x=0.15, y=0.15)
    axes.set_xticks(sorted({row.qubits for row in rows}))
    axes.set_xlabel("qubits")
    axes.set_ylabel("seconds per run")
    axes.legend(frameon=False, loc="upper left")
    finish_axes(axes, title)
    return save_figure(figure, path)


def check_picture(path: Path, what: str) -> None:
    """Make sure, before any work, that a picture can be drawn and its format is known.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RequestError: an ending that is no picture format.
    """
    _check_ending(path)
    _figure_class(what)


def _figure_class(what: str) -> Any:
    """matplotlib's Figure, used without pyplot: no window system, no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingExtraError(what, package="matplotlib", extra="plot") from problem
    return Figure


def finish_axes(axes: Any, title: str) -> None:
    """The look that all pictures share: a title at the left, two spines, a faint grid."""
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8, zorder=0)
    axes.tick_params(colors=_INK)


def _check_ending(path: Path) -> None:
    if path.suffix.lower() not in PICTURE_ENDINGS:
        raise RequestError(
            f"{path.name!r} has no picture's ending", hint="use one of " + ", ".join(PICTURE_ENDINGS)
        )


def save_figure(figure: Any, path: Path) -> Path:
    """Write the picture; returns the path. Raises RequestError."""
    _check_ending(path)
    try:
        figure.savefig(path, dpi=150)
    except OSError as problem:
        raise RequestError(
            f"the picture {str(path)!r} cannot be written: {problem.strerror or problem}"
        ) from problem
    return path
