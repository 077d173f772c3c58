"""The service while many requests wait for an engine."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

SERVER = r"""
import os, socket, sys, time
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.faces.http.server import answer_until_signal
from qrealm.fleet.containers.protocol import Endpoint

class Stuck:
    def __init__(self, lifecycle):
        self._lifecycle = lifecycle
    def __getattr__(self, name):
        return getattr(self._lifecycle, name)
    def stop(self, name, grace_s):
        os.write(1, b"waits\n")
        while not os.path.exists(sys.argv[1] + "/go"):
            time.sleep(0.05)
        return self._lifecycle.stop(name, grace_s)

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + "/socket")
listener.listen(128)
config = Config(nodes=(NodeEntry("one", Endpoint("simulated", "simulated://one")),))
with ContainerEngine(config, sys.argv[1] + "/home") as engine:
    engine.lifecycle = Stuck(engine.lifecycle)
    answer_until_signal(engine, listener, lambda: print("ready", flush=True))
"""
WAITING = 60
"""More than the 40 threads that a server has by default."""


def test_commands_that_wait_for_an_engine_leave_threads_for_the_others(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            transport = httpx.HTTPTransport(uds=f"{tmp_path}/socket")
            limits = httpx.Timeout(60.0)
            with httpx.Client(transport=transport, base_url="http://qdocker/v1", timeout=limits) as client:

                def stop(number: int) -> int:
                    return client.post(f"/containers/none{number}/stop", json={"grace_s": 1.0}).status_code

                with ThreadPoolExecutor(WAITING) as pool:
                    asked = [pool.submit(stop, number) for number in range(WAITING)]
                    for _ in range(WAITING - 20):
                        assert server.stdout.readline() == "waits\n"
                    try:
                        for path in ("/ping", "/nodes"):
                            assert client.get(path).status_code == 200
                    finally:
                        (tmp_path / "go").touch()
                    assert {task.result() for task in asked} == {404}
        finally:
            server.terminate()
