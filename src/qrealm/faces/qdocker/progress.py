"""Progress of a pull: bars on a terminal, else a line for each step that is new."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from qrealm.faces.qdocker.terminal import tell


class Steps(Protocol):
    """Is told each step."""

    def step(self, step: Mapping[str, Any]) -> None: ...


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Steps]:
    """Show what is told on stderr until the block ends."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Silent:
    def step(self, step: Mapping[str, Any]) -> None:
        """Say nothing."""


class _Lines:
    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def step(self, step: Mapping[str, Any]) -> None:
        """A line when a layer's status changes; bytes alone make none."""
        layer, status = step["layer"], step["status"]
        if self._last.get(layer) != status:
            self._last[layer] = status
            tell(f"{layer}: {status}" if layer else status)


class _Bars:
    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def step(self, step: Mapping[str, Any]) -> None:
        """Move a layer's bar; what is about the whole image is a line above the bars."""
        layer, status = step["layer"], step["status"]
        if not layer:
            self._bars.console.print(status, highlight=False, markup=False)
            return
        if layer not in self._tasks:
            self._tasks[layer] = self._bars.add_task("", total=None)
        task = self._tasks[layer]
        done, total = step["bytes_done"], step["bytes_total"]
        self._bars.update(task, description=f"{layer} {status}")
        if done is not None:
            self._bars.update(task, completed=done, total=total)
