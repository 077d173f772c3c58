"""Containers on a real Docker swarm that cannot be started, as `qdocker` shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from engines.image import IMAGE
from engines.nodes import wait_until
from engines.qdocker_daemon import daemon_with
from engines.qdocker_daemon import qdocker as command
from engines.swarm_nodes import swarm, why_no_swarm

pytestmark = pytest.mark.skipif(why_no_swarm() is not None, reason=str(why_no_swarm()))

CONFIG = """\
quantum_docker_config: {{decoherence_time_ms: 3600000.0, seed: 11}}
nodes:
  - {{name: n1, driver: swarm, url: "{url}", member: {first}}}
  - {{name: n2, driver: swarm, url: "{url}", member: {second}}}
"""


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with ExitStack() as held:
        first, second = held.enter_context(swarm(2))
        config = CONFIG.format(url=first.url, first=first.name, second=second.name)
        yield held.enter_context(daemon_with(config))


@pytest.fixture
def qdocker(variables: dict[str, str]) -> Iterator[Callable[..., str]]:
    def run(*words: str, code: int = 0) -> str:
        done = command(variables, *words)
        assert done.returncode == code, done.stderr
        return done.stdout

    yield run
    run("rm", "--force", "web")


@pytest.mark.parametrize("node", ["n1", "n2"])
@pytest.mark.parametrize("restart", ["no", "always"])
@pytest.mark.parametrize(("program", "code"), [("/no/such", 127), ("/bin/locked", 126)])
def test_what_could_not_be_started_is_created_with_its_error(qdocker, node, restart, program, code):
    small = ("--cpu", "0.1", "--memory", "32", "--restart", restart, "--pull", "never")
    qdocker("create", "--node", node, *small, IMAGE, "web", program)
    qdocker("run", "--force", "web", code=code)
    state = json.loads(qdocker("inspect", "-f", "{{json .State}}", "web"))
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("created", code, False)
    assert program in state["Error"]
    assert qdocker("ps", "-a", "--format", "{{.Status}}") == "Created\n"


def test_the_exit_code_of_what_was_stopped_is_not_told_as_0(qdocker):
    """A swarm forgets it, now at once and now later."""
    small = ("--cpu", "0.1", "--memory", "32", "--pull", "never")
    program = ("sh", "-c", "trap 'exit 3' TERM; echo ready; sleep 3600 & wait")
    qdocker("create", "--node", "n2", *small, IMAGE, "web", *program)
    qdocker("run", "--force", "web")
    wait_until(lambda: qdocker("logs", "web") == "ready\n")
    qdocker("stop-container", "web")
    state = json.loads(qdocker("inspect", "-f", "{{json .State}}", "web"))
    assert state["Status"] == "exited"
    assert state["ExitCode"] in (3, None)
    told = qdocker("ps", "-a", "--format", "{{.Status}}")
    assert told.startswith(("Exited (3)", "Exited (unknown)"))
    assert qdocker("ps", "-aq", "--filter", "exited=0") == ""
