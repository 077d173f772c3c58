"""The `qdocker` command in a home of its own, with a daemon or none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

QDOCKER = (sys.executable, "-m", "qrealm.faces.qdocker")
COMMAND_S = 90.0
"""For one command, however slow the machine is."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder with a short path: pytest's own may be too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="qdocker") as folder:
        yield Path(folder)


def environment_of(home: Path) -> dict[str, str]:
    """Variables for commands with this home, and with no setting of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTUM_DOCKER")}
    return {**kept, "QUANTUM_DOCKER_HOME": str(home), "PYTHONUTF8": "1"}


def qdocker(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QDOCKER, *words], env=environment, text=True, capture_output=True, timeout=COMMAND_S, check=False
    )


@contextmanager
def daemon_with(config: str) -> Iterator[dict[str, str]]:
    """Variables for the commands of a daemon that has begun with this configuration; it ends afterwards."""
    with own_folder() as folder:
        variables = environment_of(folder / "h")
        (folder / "config.yaml").write_text(config)
        try:
            done = qdocker(variables, "start", "--config", str(folder / "config.yaml"))
            assert done.returncode == 0, done.stderr
            yield variables
        finally:
            qdocker(variables, "stop")


def daemon_on(url: str) -> AbstractContextManager[dict[str, str]]:
    """The same with one node, `east`, which is a Docker engine."""
    return daemon_with(f"nodes:\n  - {{name: east, driver: docker, url: '{url}'}}\n")
