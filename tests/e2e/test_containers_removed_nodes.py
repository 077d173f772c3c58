"""Nodes of the configuration that are removed, as the command tells of them."""

from __future__ import annotations

import json

from engines.qdocker_daemon import environment_of, own_folder, qdocker

NODES = """
nodes:
  - {name: n1, driver: simulated}
  - {name: n2, driver: simulated}
"""


def names(variables):
    listed = qdocker(variables, "nodes", "ls", "--format", "json").stdout.splitlines()
    return [json.loads(line)["Name"] for line in listed]


def test_a_removed_node_stays_removed_and_each_is_told():
    with own_folder() as folder:
        variables = environment_of(folder / "h")
        path = folder / "c.yaml"
        path.write_text(NODES)
        try:
            first = qdocker(variables, "start", "--config", str(path))
            assert (first.returncode, "removed" in first.stderr) == (0, False), first.stderr
            removed = qdocker(variables, "nodes", "rm", "n2")
            assert removed.stdout == "n2\n"
            assert "the configuration names n2, and later starts leave it out" in removed.stderr
            qdocker(variables, "stop")
            again = qdocker(variables, "start")
            assert (again.returncode, "n2" in again.stderr) == (0, False), again.stderr
            assert names(variables) == ["n1"]
            qdocker(variables, "stop")
            given = qdocker(variables, "start", "--config", str(path))
            assert "warning: node n2 was removed with nodes rm and stays out" in given.stderr
            assert names(variables) == ["n1"]
            added = qdocker(variables, "nodes", "add", "n3", "--driver", "simulated")
            assert added.returncode == 0, added.stderr
            assert qdocker(variables, "nodes", "rm", "n3").stderr == ""
            qdocker(variables, "stop")
            path.write_text(NODES.replace("n2,", "n2, cpus: 2,"))
            assert "n2" not in qdocker(variables, "start", "--config", str(path)).stderr
            assert names(variables) == ["n1", "n2"]
        finally:
            qdocker(variables, "stop")
