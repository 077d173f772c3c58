"""A line on the terminal that says how far an optimization is."""

from __future__ import annotations

import sys
from typing import TextIO

_BAR_WIDTH = 24
_LINE_WIDTH = 78


class ProgressLine:
    """Rewrites one line of standard error: a bar, evaluations done, the value now and the best one.

    Args:
        total: evaluations at which the bar is full; None for no bar, where nobody knows their number.
        stream: where to write; standard error when None.
    """

    def __init__(self, total: int | None, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._done = 0

    def update(self, value: float, best: float) -> None:
        """One evaluation more."""
        self._done += 1
        text = f"evaluation {self._done}: {value:.8g}, best {best:.8g}"
        if self._total is not None:
            filled = min(_BAR_WIDTH, _BAR_WIDTH * self._done // self._total)
            text = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {text}"
        self._stream.write("\r" + text.ljust(_LINE_WIDTH))
        self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._done:
            self._stream.write("\n")
            self._stream.flush()
