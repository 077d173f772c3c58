"""How the SDK reaches a Unix socket: through one pool, and without what it leaves open when nobody answers.

Its own adapter holds a socket that could not connect only in a local variable: it is closed when Python
collects it, with a ResourceWarning in whatever runs then. Knocking first is not enough, an engine may end in
between.

Adapters here can tell each socket to who may have to hang up before an answer has begun, also those of TCP.
"""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable
from typing import Any

from docker.errors import requests  # what the SDK's own calls run on
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):  # type: ignore[misc]  # the SDK is not typed
    noted: Callable[[Any], None] | None = None

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # whoever called closes what is here
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)
        if self.noted is not None:
            self.noted(self.sock)


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    noted: Callable[[Any], None] | None = None

    def _new_conn(self) -> _Connection:
        made = _Connection(self.base_url, self.socket_path, self.timeout)
        made.noted = self.noted
        return made

    def _put_conn(self, conn: _Connection | None) -> None:
        # Its own warns of each connection that finds no room: how many calls there are at once is no fault.
        pool = self.pool
        try:
            if pool is not None:
                pool.put(conn, block=False)
                return
        except queue.Full:
            pass
        if conn is not None:
            conn.close()


class UnixAdapter(UnixHTTPAdapter):  # type: ignore[misc]
    """The SDK's adapter for ``http+unix://`` urls, to be mounted in place of its own.

    All calls share one pool. The SDK has one for each url with its query, of which it closes the oldest while
    somebody may be about to use it.

    Args:
        noted: told each socket once it is connected.
    """

    def __init__(self, socket_url: str, timeout: float, noted: Callable[[Any], None] | None = None) -> None:
        super().__init__(socket_url, timeout)
        self._pool = _Pool(socket_url, self.socket_path, timeout, maxsize=self.max_pool_size)
        self._pool.noted = noted

    def get_connection(self, url: str, proxies: Any = None) -> _Pool:  # noqa: ARG002 - one place, no way round
        return self._pool

    def close(self) -> None:
        super().close()
        self._pool.close()


class TcpAdapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
    """An adapter for ``http://`` and ``https://``.

    Args:
        noted: told each socket once it is connected.
    """

    def __init__(self, noted: Callable[[Any], None]) -> None:
        self._noted = noted
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        kinds = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _noting(kind, self._noted) for scheme, kind in kinds.items()
        }


def _noting(kind: Any, noted: Callable[[Any], None]) -> type:
    """A kind of pool whose connections tell their sockets."""

    class Connection(kind.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            noted(self.sock)

    class Pool(kind):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool
