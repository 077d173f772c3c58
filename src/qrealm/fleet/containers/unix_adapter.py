"""How the SDK reaches a Unix socket, without what it leaves open when nobody answers there.

Its own adapter holds a socket that could not connect only in a local variable: it is closed when Python
collects it, with a ResourceWarning in whatever runs then. Knocking first is not enough, an engine may end in
between.
"""

from __future__ import annotations

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


class UnixAdapter(UnixHTTPAdapter):  # type: ignore[misc]
    """The SDK's adapter for ``http+unix://`` urls, to be mounted in place of its own."""

    def get_connection(self, url: str, proxies: Any = None) -> _Pool:  # noqa: ARG002 - none on this way
        with self.pools.lock:
            pool: _Pool | None = self.pools.get(url)
            if pool is None:
                pool = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[url] = pool
        return pool
