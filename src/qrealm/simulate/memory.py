"""Memory of runs: large ones that go on at the same time share what there is; a refused allocation is told in
words."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

from qrealm.base import cancel
from qrealm.base.errors import ResourceError
from qrealm.simulate.plan.choose import fits

_LOOK_AGAIN_SECONDS = 0.05
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class Planned(Protocol):
    """What a run is carried out by: a plan, or more that comes with one."""

    @property
    def memory_bytes(self) -> int:
        """Peak memory of the run."""


_Planned = TypeVar("_Planned", bound=Planned)


class Reservation:
    """Memory that one run may take: from its plan until the `with` block ends.

    Args:
        size_bytes: peak memory of the run; 0 for a run too small to count.
    """

    __slots__ = ("__weakref__", "size_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def __enter__(self) -> None:
        """The memory is held already."""

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.size_bytes = 0


NOTHING_RESERVED = Reservation(0)
"""Of runs that are planned without asking the machine."""


class MemoryLedger:
    """Who holds how much memory in this process. Safe to use from any thread.

    What the operating system calls available includes memory that another run was promised and has not
    touched yet. So a run is planned with all the memory that there would be without the others, and begins
    once the others leave enough of it. A run that fits alone therefore waits and is never refused for
    another's sake, and its plan does not depend on what else goes on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Weak: a run that dies between its plan and its `with` block holds nothing.
        self._held: weakref.WeakSet[Reservation] = weakref.WeakSet()
        self._alone_bytes = 0

    def alone_bytes(self, available: Callable[[], int]) -> int:
        """Bytes that a run could have if it were alone in this process: what runs are planned with."""
        with self._lock:
            return self._alone(available(), sum(each.size_bytes for each in self._held))

    def _alone(self, now_bytes: int, held_bytes: int) -> int:
        if not held_bytes:
            self._alone_bytes = now_bytes
        return min(self._alone_bytes, now_bytes + held_bytes)

    def reserve(
        self, plan_for: Callable[[int], _Planned], available: Callable[[], int]
    ) -> tuple[_Planned, Reservation]:
        """Plan a run and reserve its memory, waiting while others hold too much.

        Args:
            plan_for: the plan with so many bytes available; raises TooLargeError when it does not fit.
            available: bytes that can be allocated now, by the operating system.

        Raises:
            TooLargeError: it does not fit even alone.
            CancelledRunError: the run was cancelled while it waited.
        """
        while True:
            with self._lock:
                held_bytes = sum(each.size_bytes for each in self._held)
                alone_bytes = self._alone(available(), held_bytes)
                plan = plan_for(alone_bytes)
                if not held_bytes or fits(held_bytes + plan.memory_bytes, alone_bytes):
                    reservation = Reservation(plan.memory_bytes)
                    self._held.add(reservation)
                    return plan, reservation
            cancel.check()
            _pause.wait(_LOOK_AGAIN_SECONDS)


_pause = threading.Event()  # never set: waiting for it lets signals through
LEDGER = MemoryLedger()


def refusal_told(body: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Turn a MemoryError of `body` into a ResourceError.

    The plan fitted, yet the operating system said no: something else took the memory, or a limit is set.
    """

    @functools.wraps(body)
    def told(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        try:
            return body(*args, **kwargs)
        except MemoryError as problem:
            raise ResourceError(
                f"the operating system refused the memory of the run: {problem!s}",
                hint="end other programs, raise the limit (ulimit -v), or use single precision",
            ) from problem

    return told
