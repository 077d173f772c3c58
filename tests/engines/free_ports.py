"""Ports of this host for servers that tests start later."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

# The kernel gives ports from 32768 on to everybody who connects, and one of those may be gone a moment later.
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """A port that nobody listens at."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
