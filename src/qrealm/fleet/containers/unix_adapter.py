"""How the SDK reaches a Unix socket: through one pool, and without what it leaves open when nobody answers.

Its own adapter holds a socket that could not connect only in a local variable: it is closed when Python
collects it, with a ResourceWarning in whatever runs then. Knocking first is not enough, an engine may end in
between.
"""

from __future__ import annotations

import queue
import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):  # type: ignore[misc]  # the SDK is not typed
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # whoever called closes what is here
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    def _new_conn(self) -> _Connection:
        return _Connection(self.base_url, self.socket_path, self.timeout)

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
    """

    def __init__(self, socket_url: str, timeout: float) -> None:
        super().__init__(socket_url, timeout)
        self._pool = _Pool(socket_url, self.socket_path, timeout, maxsize=self.max_pool_size)

    def get_connection(self, url: str, proxies: Any = None) -> _Pool:  # noqa: ARG002 - one place, no way round
        return self._pool

    def close(self) -> None:
        super().close()
        self._pool.close()
