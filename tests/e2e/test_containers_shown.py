"""What `qdocker` shows of a container on a real engine that only the engine knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from engines.docker_engine import docker_engine, why_no_docker
from engines.image import COMMAND, IMAGE
from engines.qdocker_daemon import daemon_on
from engines.qdocker_daemon import qdocker as command

pytestmark = pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))
SMALL = ("--cpu", "0.1", "--memory", "32", "--pull", "never")


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with ExitStack() as held:
        engine = held.enter_context(docker_engine())
        yield held.enter_context(daemon_on(engine.url))


@pytest.fixture
def qdocker(variables: dict[str, str]) -> Iterator[Callable[..., str]]:
    def run(*words: str) -> str:
        done = command(variables, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    run("rm", "--force", "web")


def test_the_images_own_command(qdocker):
    qdocker("create", *SMALL, IMAGE, "web")
    (row,) = qdocker("ps", "-a", "--no-trunc", "--format", "json").splitlines()
    assert json.loads(row)["Command"] == f'"sh -c {COMMAND}"'
    (shown,) = json.loads(qdocker("inspect", "web"))
    assert (shown["Config"]["Cmd"], shown["Config"]["Entrypoint"]) == (["sh", "-c", COMMAND], None)


def test_a_name_of_the_host_and_a_folder_in_memory(qdocker):
    folder = "/var/cache:size=1m,mode=0700"
    qdocker("create", *SMALL, "--hostname", "cell", "--tmpfs", folder, IMAGE, "web")
    qdocker("run", "--force", "web")
    assert qdocker("exec", "web", "cat", "/etc/hostname") == "cell\n"
    mounted = qdocker("exec", "web", "cat", "/proc/mounts")
    (line,) = (each for each in mounted.splitlines() if " /var/cache " in each)
    assert line.startswith("tmpfs ")
    assert "size=1024k" in line
    assert "mode=700" in line
    (shown,) = json.loads(qdocker("inspect", "web"))
    assert shown["Config"]["Hostname"] == "cell"
    assert [each["Destination"] for each in shown["Mounts"]] == ["/var/cache"]
