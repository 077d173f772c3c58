"""A lock that tells whether somebody waits for it."""

from __future__ import annotations

import threading


class Turns:
    """Takes the place of a `threading.RLock`.

    Attributes:
        waiting: how many wait for it.
        taken: how often somebody got it who was ready to wait.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._counting = threading.Lock()
        self.waiting = self.taken = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As RLock's."""
        got = self._lock.acquire(blocking=False)
        if not blocking:
            return got
        if not got:
            self._count(1)
            got = self._lock.acquire(timeout=timeout)
            self._count(-1)
        self.taken += got
        return got

    def _count(self, more: int) -> None:
        with self._counting:
            self.waiting += more

    def release(self) -> None:
        """As RLock's."""
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
