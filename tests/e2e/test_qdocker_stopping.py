"""`qdocker stop` while commands wait for an engine that does not answer."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

from engines.qdocker_daemon import COMMAND_S, QDOCKER, daemon_with, own_folder, qdocker

CONFIG = """\
nodes:
  - {name: one, driver: simulated, cpus: 4, memory: 4096}
"""


def asked(listener):
    """Wait until somebody has asked something; the connection, which nobody answers."""
    while True:
        connection, _ = listener.accept()
        connection.settimeout(COMMAND_S)
        if connection.recv(1 << 16):
            return connection
        connection.close()  # it only looked whether anybody is there


def test_who_is_cut_off_is_told_that_the_daemon_ends():
    with own_folder() as folder, ExitStack() as stack:
        listeners = []
        for number in range(2):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(folder / f"{number}.sock"))
            listener.listen()
            listener.settimeout(COMMAND_S)
            listeners.append(listener)
        variables = stack.enter_context(daemon_with(CONFIG))
        waiting = []
        for number, listener in enumerate(listeners):
            url = f"unix://{folder}/{number}.sock"
            words = [*QDOCKER, "nodes", "add", f"n{number}", "--driver", "docker", "--url", url]
            waiting.append(subprocess.Popen(words, env=variables, stderr=subprocess.PIPE, text=True))
            stack.enter_context(asked(listener))
        ended = qdocker(variables, "stop")
        assert ended.returncode == 0, ended.stderr
        for process in waiting:
            _, told = process.communicate(timeout=COMMAND_S)
            assert process.returncode == 1
            assert told.startswith("error: QR550: the daemon ends: what was under way is broken off"), told
            assert "hint: qdocker start" in told
        log = (Path(variables["QUANTUM_DOCKER_HOME"]) / "qdocker.log").read_text()
        assert "Traceback" not in log, log
