"""Connections to each node's engine, made when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.guarding import GuardedDriver
from qrealm.control.containers.values import NodeRecord
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import ContainerDriver, Endpoint

CALL_TIMEOUT_S = 60.0
"""For calls that do work: making, starting, stopping. A stop waits its own grace besides."""

CLOSE_S = 3.0
"""How long the end of all waits for connections to be closed."""

Use = Literal["work", "look", "ping"]
"""What a connection is for: each has its own, so that one that is stuck or given up takes no other along."""


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

    def of(
        self, node: NodeRecord | Endpoint, timeout_s: float = CALL_TIMEOUT_S, use: Use = "work"
    ) -> ContainerDriver:
        """The driver of a node. Calls for another use than work end after `timeout_s`, come what may.

        Raises:
            EngineUnavailableError: the node has been given up, and this is not to ping it.
            MissingExtraError: the driver's package is not installed.
        """
        endpoint = node.endpoint if isinstance(node, NodeRecord) else node
        key = (endpoint, use, timeout_s)
        name = f"{endpoint.driver} at {endpoint.url or 'its own address'}"
        with self._lock:
            if use != "ping" and endpoint in self._barred:
                raise EngineUnavailableError(
                    f"{name} does not answer", hint="qdocker nodes ls shows the nodes"
                )
            driver = self._drivers.get(key)
            if driver is None:
                made = self._connect(endpoint, timeout_s)  # speaks to nobody yet
                driver = self._drivers[key] = GuardedDriver(made, name, None if use == "work" else timeout_s)
        return driver

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
        """Close all connections."""
        with self._lock:
            dropped = list(self._drivers.values())
            self._drivers.clear()
        for thread in [driver.give_up() for driver in dropped]:
            thread.join(CLOSE_S)
