"""The `qdocker` command with its daemon on simulated nodes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

QDOCKER = [sys.executable, "-m", "qrealm.faces.qdocker"]
CONFIG = """\
quantum_docker_config:
  decoherence_time_ms: 3600000.0
  seed: 11
nodes:
  - {name: one, driver: simulated, cpus: 8, memory: 8192}
  - {name: two, driver: simulated, cpus: 8, memory: 8192}
"""
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's own folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="qdocker") as folder:
        yield Path(folder) / "h"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTUM_DOCKER")}
    return {**kept, "QUANTUM_DOCKER_HOME": str(home), "COLUMNS": "120", "PYTHONUTF8": "1"}


@pytest.fixture
def bare(environment: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    """Runs the command; no daemon is started before, and none lives afterwards."""

    def run(*words: str, text: str = "", **variables: str) -> Done:
        return subprocess.run(
            [*QDOCKER, *words], cwd=tmp_path, env={**environment, **variables}, input=text, text=True,
            encoding="utf-8", capture_output=True, timeout=90, check=False,
        )  # fmt: skip

    yield run
    assert run("stop").returncode == 0


@pytest.fixture
def qdocker(bare: Run, tmp_path: Path) -> Run:
    (tmp_path / "config.yaml").write_text(CONFIG)
    started = bare("start", "--config", "config.yaml")
    assert started.returncode == 0, started.stderr
    return bare
