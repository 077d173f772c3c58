"""A start with another configuration while what waits for a node would have to be fetched first, on real
engines; and what those are told who wait meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from engines.docker_engine import docker_engines
from engines.eyes import states, why_no_eyes
from engines.nodes import wait_until
from engines.qdocker_daemon import COMMAND_S, QDOCKER, environment_of, own_folder, qdocker
from engines.registry import image_registry

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

HANG_S = 600.0
"""Before the first piece of an image; nobody waits for that."""
SETTINGS = "quantum_docker_config: {{decoherence_time_ms: 3.6e6, max_containers: {}}}\nnodes:\n"
NODE = "  - {{name: {}, driver: docker, url: '{}', labels: {{zone: {}}}}}\n"


def listed(variables: dict[str, str], *words: str) -> dict[str, dict[str, str]]:
    """Rows of a listing by name."""
    lines = qdocker(variables, *words, "--format", "json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return {row.get("Name") or row["Names"]: row for row in rows}


def test_a_start_waits_for_no_image_and_all_of_its_configuration_holds() -> None:
    with docker_engines(2) as machines, image_registry() as registry, own_folder() as folder:
        first, second = folder / "c1.yaml", folder / "c2.yaml"
        first.write_text(SETTINGS.format(50) + NODE.format("na", machines[0].url, "old"))
        second.write_text(
            SETTINGS.format(20)
            + NODE.format("na", machines[0].url, "new")
            + NODE.format("nb", machines[1].url, "new")
        )
        variables = environment_of(folder / "h")
        pid = int((Path(machines[0].folder) / "pid").read_text())
        try:
            begun = qdocker(variables, "start", "--config", str(first))
            assert begun.returncode == 0, begun.stderr
            made = qdocker(variables, "create", "--network", "none", registry.image, "web")
            assert made.returncode == 0, made.stderr
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: listed(variables, "ps", "-a")["web"]["State"] == "waiting")
            assert qdocker(variables, "stop").returncode == 0
            registry.pause_s = HANG_S
            begun = qdocker(variables, "start", "--config", str(second))
            assert begun.returncode == 0, begun.stderr
            assert (folder / "h" / "config.yaml").read_text() == second.read_text()
            nodes = listed(variables, "nodes", "ls")
            assert {name: row["Labels"] for name, row in nodes.items()} == {
                "na": "zone=new",
                "nb": "zone=new",
            }
            assert nodes["nb"]["Status"] == "Ready"
            wait_until(lambda: listed(variables, "ps", "-a")["web"]["Status"] == "Being made again")
            removing = subprocess.Popen(
                [*QDOCKER, "rm", "-f", made.stdout.strip()[:12]],
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert removing.stderr is not None
            assert removing.stderr.readline().startswith("web: waiting for making it again, which began ")
            registry.calm()  # the pull breaks off
            told, problems = removing.communicate(timeout=COMMAND_S)
            assert (removing.returncode, told) == (0, "web\n"), problems
            assert states(machines[1].url) == {}
        finally:
            os.kill(pid, signal.SIGCONT)
            qdocker(variables, "stop")
