"""Workers that walk groups side by side: what one sends ahead, an idle one may take."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from qrealm.base import cancel
from qrealm.simulate.backends.trajectories.walk import Group

_LOOK_SECONDS = 0.05

Walk = Callable[[Group], Iterator[Group]]


def walk_all(walk: Walk, first: Group, workers: int) -> None:
    """Walk a group and everything that parts from it.

    Raises:
        CancelledRunError: the run was cancelled; KeyboardInterrupt passes too. No worker goes on after it.
    """
    if workers == 1:
        _depth_first(walk, first, lambda _: False)
    else:
        _Crew(walk, workers).walk(first)


def _depth_first(walk: Walk, first: Group, offer: Callable[[Group], bool]) -> None:
    """Walk a group; each piece that it sends ahead and `offer` does not take comes before the group goes
    on."""
    stack = [walk(first)]
    while stack:
        cancel.check()
        piece = next(stack[-1], None)
        if piece is None:
            stack.pop()
        elif not offer(piece):
            stack.append(walk(piece))


class _Crew:
    """Threads with one list of offered groups, never longer than there are idle threads."""

    def __init__(self, walk: Walk, workers: int) -> None:
        self._walk = walk
        self._workers = workers
        self._token = cancel.CancelToken()
        self._changed = threading.Condition()
        self._offered: deque[Group] = deque()
        self._idle = 0
        self._done = False
        self._problem: BaseException | None = None

    def walk(self, first: Group) -> None:
        self._offered.append(first)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        try:
            with self._changed:
                while not self._done:
                    self._changed.wait(_LOOK_SECONDS)
                    cancel.check()
        finally:
            self._stop()
            for thread in threads:
                thread.join()
        if self._problem is not None:
            raise self._problem

    def _stop(self) -> None:
        with self._changed:
            if not self._done:
                self._token.cancel()
                self._done = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            with cancel.watching(self._token):
                while (group := self._taken()) is not None:
                    _depth_first(self._walk, group, self._offer)
                    del group
        except BaseException as problem:  # noqa: BLE001  whatever it is, `walk` raises it
            with self._changed:
                if self._problem is None and not self._done:
                    self._problem = problem
            self._stop()

    def _offer(self, group: Group) -> bool:
        # Read without the lock: a stale number only decides who walks the group.
        if self._idle <= len(self._offered):
            return False
        with self._changed:
            if self._idle <= len(self._offered):
                return False
            self._offered.append(group)
            self._changed.notify()
            return True

    def _taken(self) -> Group | None:
        with self._changed:
            self._idle += 1
            while not self._offered:
                if self._done or self._idle == self._workers:
                    self._done = True
                    self._changed.notify_all()
                    return None
                self._changed.wait()
            self._idle -= 1
            return self._offered.popleft()
