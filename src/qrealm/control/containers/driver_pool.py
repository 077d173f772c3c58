"""Connections to each node's engine, made when they are first needed."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, cast

from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.guarding import GuardedDriver
from qrealm.control.containers.values import NodeRecord
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import ContainerDriver, Endpoint

CALL_TIMEOUT_S = 60.0
"""For calls that do work: making, starting, stopping. A stop waits its own grace besides."""

CLOSE_S = 3.0
"""How long the end of all waits for connections to be closed."""

_LOG = logging.getLogger("qrealm.containers")
_ID = re.compile("[0-9a-f]{64}")

Use = Literal["work", "look", "ping"]
"""What a connection is for: each has its own, so that one that is stuck or given up takes no other along."""


class _Told:
    """A driver whose calls are written into the log, each with its time to the answer."""

    def __init__(self, driver: ContainerDriver, node: Callable[[], str]) -> None:
        self._driver = driver
        self._node = node

    def __getattr__(self, call: str) -> Any:
        work = getattr(self._driver, call)

        def told(*given: Any, **named: Any) -> Any:
            began, outcome = time.perf_counter(), ""
            try:
                return work(*given, **named)
            except BaseException as problem:
                outcome = f" {type(problem).__name__}"
                raise
            finally:
                took_ms = (time.perf_counter() - began) * 1e3
                _LOG.debug("%s: %s%s%s %.1f ms", self._node(), call, _about(given), outcome, took_ms)

        return told


def _about(given: tuple[Any, ...]) -> str:
    """What a call is about: a container or an image, by its name or the beginning of its id. A specification
    may have secrets in it."""
    first = given[0] if given else None
    what = first if isinstance(first, str) else getattr(first, "name", None)
    if not isinstance(what, str):
        return ""
    return f" {what[:12] if _ID.fullmatch(what) else what}"


class DriverPool:
    """Drivers by endpoint and use. Safe to use from any thread.

    Args:
        connect: makes a driver for an endpoint with a time limit in seconds; tests of failing nodes give
            another.
    """

    def __init__(self, connect: Callable[[Endpoint, float], ContainerDriver] = connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._drivers: dict[tuple[Endpoint, Use, float], GuardedDriver] = {}
        self._barred: set[Endpoint] = set()
        self._nodes: dict[Endpoint, str] = {}
        self._closed = False

    def of(
        self, node: NodeRecord | Endpoint, timeout_s: float = CALL_TIMEOUT_S, use: Use = "work"
    ) -> ContainerDriver:
        """The driver of a node. Calls for another use than work end after `timeout_s`, come what may.

        Raises:
            EngineUnavailableError: the node has been given up, and this is not to ping it; or all is closed.
            MissingExtraError: the driver's package is not installed.
        """
        endpoint = node.endpoint if isinstance(node, NodeRecord) else node
        key = (endpoint, use, timeout_s)
        name = f"{endpoint.driver} at {endpoint.url or 'its own address'}"
        with self._lock:
            if self._closed:
                raise EngineUnavailableError(
                    f"{name} is not spoken to any more: the connections are closed",
                    hint="what was under way is finished or undone at the next start",
                )
            if isinstance(node, NodeRecord):
                self._nodes[endpoint] = f"{node.name} ({endpoint.driver})"
            if use != "ping" and endpoint in self._barred:
                raise EngineUnavailableError(
                    f"{name} does not answer", hint="qdocker nodes ls shows the nodes"
                )
            driver = self._drivers.get(key)
            if driver is None:
                made = self._connect(endpoint, timeout_s)  # speaks to nobody yet
                if use != "ping" and _LOG.isEnabledFor(logging.DEBUG):
                    made = cast(ContainerDriver, _Told(made, lambda: self._nodes.get(endpoint, name)))
                driver = self._drivers[key] = GuardedDriver(made, name, None if use == "work" else timeout_s)
        return driver

    @property
    def closed(self) -> bool:
        """Whether all is closed: that a call breaks off says nothing of its node then."""
        return self._closed

    def forget(self, endpoint: Endpoint, use: Use | None = None) -> None:
        """Close the connections to an endpoint, or those of one use; calls under way break off. The next use
        makes new ones."""
        with self._lock:
            keys = [key for key in self._drivers if key[0] == endpoint and use in (None, key[1])]
            dropped = [self._drivers.pop(key) for key in keys]
        for driver in dropped:
            driver.give_up()

    def bar(self, endpoint: Endpoint) -> None:
        """Give an endpoint up: calls under way break off, and new ones fail at once, but pings."""
        with self._lock:
            self._barred.add(endpoint)
        self.forget(endpoint)

    def allow(self, endpoint: Endpoint) -> None:
        """The opposite of `bar`."""
        with self._lock:
            self._barred.discard(endpoint)

    def close(self) -> None:
        """Close all connections for good: nothing that was broken off begins anew by another."""
        with self._lock:
            self._closed = True
            dropped = list(self._drivers.values())
            self._drivers.clear()
        until = time.monotonic() + CLOSE_S
        for thread in [driver.give_up() for driver in dropped]:
            thread.join(max(0.0, until - time.monotonic()))
