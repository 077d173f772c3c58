"""The `qdocker` command with its daemon on simulated nodes; a Docker engine, and a container engine on it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.docker_engine import docker_engine
from engines.eyes import clean
from engines.nodes import engine_of
from engines.qdocker_daemon import QDOCKER, environment_of, own_folder
from qrealm.control.containers.engine import ContainerEngine

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
    with own_folder() as folder:
        yield folder / "h"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**environment_of(home), "COLUMNS": "120"}


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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a Docker engine that the tests of a module share."""
    with docker_engine() as started:
        yield started.url


@pytest.fixture
def clean_url(url: str) -> Iterator[str]:
    """The same, with nothing left on it afterwards."""
    try:
        yield url
    finally:
        clean([url])


@pytest.fixture
def engine(clean_url: str, tmp_path: Path) -> Iterator[ContainerEngine]:
    """A container engine whose one node is that Docker engine."""
    with engine_of({"one": clean_url}, tmp_path / "home") as opened:
        yield opened
