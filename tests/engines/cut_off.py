"""A program that opens a container engine, carries out one command, and ends with SIGKILL in the middle of
it: right before or right after its driver's call of a name. See `main`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from engines.nodes import engine_of, request
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.engine import ContainerEngine
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import ContainerDriver, Endpoint


def ending(moment: str, call: str, driver: ContainerDriver) -> ContainerDriver:
    """The driver, whose call ends the process."""
    whole = getattr(driver, call)

    def end(*values: Any, **options: Any) -> None:
        if moment == "after":
            whole(*values, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(driver, call, end)
    return driver


def carry_out(engine: ContainerEngine, command: str, name: str) -> None:
    """One of the commands."""
    if command in ("create", "create-run"):
        engine.lifecycle.create(request(name))
    if command in ("run", "create-run"):
        engine.lifecycle.run(name)
    elif command == "stop":
        engine.lifecycle.stop(name)
    elif command == "remove":
        engine.lifecycle.remove(name)
    elif command == "drain":
        engine.nodes.drain(name)


def main(home: str, nodes: str, moment: str, call: str, command: str, name: str) -> None:
    """Open the engine in `home` with nodes such as ``one=unix:///x,two=unix:///y``, and do it."""

    def connected(endpoint: Endpoint, timeout_s: float) -> ContainerDriver:
        return ending(moment, call, connect(endpoint, timeout_s))

    urls = dict(word.split("=", 1) for word in nodes.split(","))
    with engine_of(urls, Path(home), drivers=DriverPool(connected)) as engine:
        carry_out(engine, command, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
