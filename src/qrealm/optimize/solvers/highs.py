"""HiGHS in a process of its own, so that Ctrl-C, time limits and other threads get through."""

from __future__ import annotations

import math
import pickle
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from qrealm.base.errors import RunError
from qrealm.optimize.linear_model import LinearModel

CHILD = Path(__file__).with_name("highs_child.py")
# HiGHS looks at its clock now and then only; after so much more of its time it is ended from outside.
GRACE_SHARE = 0.05
GRACE_SECONDS_MIN = 0.05
GRACE_SECONDS_MAX = 2.0
OPTIMAL, LIMIT, INFEASIBLE = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class HighsAnswer:
    """What came of a model.

    Attributes:
        values: of the columns; None when no answer was found.
        bound: no answer costs less, the model's offset included.
        status: OPTIMAL, LIMIT or INFEASIBLE.
    """

    values: np.ndarray | None
    bound: float
    status: int


class HighsProcess:
    """Solves one model after the other, from one thread; `cancel` comes from any."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def open(self) -> None:
        """Start the process, so that it loads while a model is built."""
        with self._lock:
            if not self._cancelled:
                self._start()

    def cancel(self) -> None:
        """End the process."""
        with self._lock:
            self._cancelled = True
            self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:  # what was not written yet has nobody to read it
                        continue

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # A session of its own: Ctrl-C in a terminal is for us, and we end it.
            self._child = subprocess.Popen(
                [sys.executable, "-I", str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self._child

    def solve(self, model: LinearModel, seconds: float, seconds_max: float | None = None) -> HighsAnswer:
        """The best answer in so many seconds, starting the process included; a cancelled one has no answer.

        Args:
            seconds: what HiGHS is told.
            seconds_max: it is ended a little after this; `seconds` when None.
        """
        end = time.monotonic() + seconds
        if not len(model.cost):
            fits = all(row.low <= 0 <= row.high for row in model.rows)
            return HighsAnswer(np.zeros(0) if fits else None, model.offset, OPTIMAL if fits else INFEASIBLE)
        most = seconds if seconds_max is None else seconds_max
        grace = min(GRACE_SECONDS_MAX, max(GRACE_SECONDS_MIN, GRACE_SHARE * most))
        request = _request(model, end)
        reply = self._ask(
            request, end - seconds + most + grace - time.monotonic() if math.isfinite(end) else end
        )
        if reply is None:
            return HighsAnswer(None, -math.inf, LIMIT)
        if reply["status"] not in (OPTIMAL, LIMIT, INFEASIBLE):
            raise RunError(f"HiGHS could not solve the model: {reply['message']}")
        bound = -math.inf if reply["bound"] is None else float(reply["bound"]) + model.offset
        return HighsAnswer(reply["values"], bound, reply["status"])

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        with self._lock:
            if self._cancelled:
                return None
            child = self._start()
        timer = threading.Timer(min(max(0.0, seconds), threading.TIMEOUT_MAX), child.kill)
        timer.daemon = True
        timer.start()
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            data = pickle.dumps(request)
            child.stdin.write(struct.pack("<Q", len(data)) + data)
            child.stdin.flush()
            reply = _read(child.stdout)
        except (OSError, ValueError):  # ended by `cancel` or the timer
            reply = None
        finally:
            timer.cancel()
        if reply is None:
            with self._lock:
                self._end()
        return reply


def _read(pipe: IO[bytes]) -> dict[str, Any] | None:
    head = pipe.read(8)
    if len(head) < 8:
        return None
    size = struct.unpack("<Q", head)[0]
    data = pipe.read(size)
    return pickle.loads(data) if len(data) == size else None


def _request(model: LinearModel, end: float) -> dict[str, Any]:
    starts = np.zeros(len(model.rows) + 1, dtype=np.int64)
    np.cumsum([len(row.columns) for row in model.rows], out=starts[1:])
    return {
        "cost": model.cost,
        "low": model.low,
        "high": model.high,
        "whole": model.whole,
        "starts": starts,
        "columns": np.concatenate([row.columns for row in model.rows] or [np.zeros(0, dtype=np.int64)]),
        "coefficients": np.concatenate([row.coefficients for row in model.rows] or [np.zeros(0)]),
        "row_low": np.array([row.low for row in model.rows]),
        "row_high": np.array([row.high for row in model.rows]),
        "end": end,
    }
