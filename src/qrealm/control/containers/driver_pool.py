"""One connection to each node's engine, made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from qrealm.control.containers.values import NodeRecord
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import ContainerDriver, Endpoint

CALL_TIMEOUT_S = 60.0
"""For calls that do work: making, starting, stopping. A stop waits its own grace besides."""


class DriverPool:
    """Drivers by endpoint. Safe to use from any thread.

    Args:
        connect: makes a driver for an endpoint with a time limit in seconds; tests of failing nodes give
            another.
    """

    def __init__(self, connect: Callable[[Endpoint, float], ContainerDriver] = connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._drivers: dict[tuple[Endpoint, float], ContainerDriver] = {}

    def of(self, node: NodeRecord | Endpoint, timeout_s: float = CALL_TIMEOUT_S) -> ContainerDriver:
        """The driver of a node.

        Raises:
            EngineUnavailableError: the endpoint cannot be reached.
            MissingExtraError: the driver's package is not installed.
        """
        endpoint = node.endpoint if isinstance(node, NodeRecord) else node
        key = (endpoint, timeout_s)
        with self._lock:
            driver = self._drivers.get(key)
        if driver is not None:
            return driver
        # Outside the lock: a host that does not answer must not hold up the others.
        driver = self._connect(endpoint, timeout_s)
        with self._lock:
            kept = self._drivers.setdefault(key, driver)
        if kept is not driver:
            driver.close()
        return kept

    def forget(self, endpoint: Endpoint) -> None:
        """Close the connections to an endpoint; the next use makes new ones."""
        with self._lock:
            keys = [key for key in self._drivers if key[0] == endpoint]
            dropped = [self._drivers.pop(key) for key in keys]
        for driver in dropped:
            driver.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            dropped = list(self._drivers.values())
            self._drivers.clear()
        for driver in dropped:
            driver.close()
