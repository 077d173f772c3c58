"""An engine that answers HTTP on a Unix socket, in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from engines.nodes import WAIT_S, wait_until
from qrealm.control.containers.engine import ContainerEngine
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving


@contextmanager
def served(engine: ContainerEngine, path: Path) -> Iterator[None]:
    """It answers on the socket at `path` meanwhile."""
    settings = uvicorn.Config(
        container_app(engine, Leaving()), uds=str(path), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
    assert not thread.is_alive()
