"""Work on nodes that the watch hands over, so that nothing that is stuck keeps it from looking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from qrealm.base.errors import QrealmError
from qrealm.control.containers.context import log

AT_ONCE = 8
"""Pieces of work on one node at the same time. Each node has its own, so that one whose engine is slow takes
none from the others."""


class Mending:
    """Does pieces of work, each known by its node and a key; one that is under way is not begun again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._under_way: dict[tuple[str, Hashable], Future[None]] = {}
        self._closed = False

    def submit(self, node: str, key: Hashable, work: Callable[[], object]) -> Future[None] | None:
        """Have work done, unless the same is under way.

        Returns:
            What tells when it has been done, or that it will not be; None when nothing is begun any more.
        """
        known = (node, key)

        def carry_out() -> None:
            try:
                work()
            except QrealmError as problem:
                log.warning("on node %s: %s", node, problem)
            except Exception:  # noqa: BLE001 - the next piece of work must be done, whatever this one met
                log.exception("work on node %s broke off", node)
            finally:
                with self._lock:
                    self._under_way.pop(known, None)

        with self._lock:
            if self._closed:
                return None
            if known in self._under_way:
                return self._under_way[known]
            pool = self._pools.get(node)
            if pool is None:
                pool = self._pools[node] = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"mend-{node}")
            future = self._under_way[known] = pool.submit(carry_out)
            return future

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is under way, what began meanwhile included; whether that came to be."""
        while True:
            with self._lock:
                futures = list(self._under_way.values())
            if not futures:
                return True
            if wait(futures, timeout_s).not_done:
                return False

    def stop(self) -> None:
        """Begin nothing more. Whoever waits for what has not begun is let go."""
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            given_up = {known: each for known, each in self._under_way.items() if each.cancelled()}
            for known in given_up:
                del self._under_way[known]
        for future in given_up.values():
            # The pool's threads will not get to see them, and would have told who waits.
            future.set_running_or_notify_cancel()

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self.stop()
        for pool in self._pools.values():
            pool.shutdown(wait=True)
