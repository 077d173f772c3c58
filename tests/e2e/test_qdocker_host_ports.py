"""Ports of hosts by the `qdocker` command: one container of a node has each."""

from __future__ import annotations

import json

COPIES = "services: {web: {image: nginx, scale: %d, ports: ['9000:80']}}\n"
PINNED = """\
name: pair
containers:
  - {name: aa, image: nginx, ports: ["9000:80"], node: one}
  - {name: bb, image: nginx, ports: ["9000:80"], node: one}
"""


def nodes_of(qdocker):
    listed = qdocker("ps", "-a", "--format", "json").stdout.splitlines()
    return {row["Names"]: row["Node"] for row in map(json.loads, listed)}


def test_copies_of_a_service_with_a_port_go_to_a_node_each(qdocker, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(COPIES % 3)
    refused = qdocker("create-cluster", "compose.yaml")
    assert refused.returncode == 1
    assert "one: port 9000 is taken by web-" in refused.stderr
    assert "two: port 9000 is taken by web-" in refused.stderr
    assert "hint: publish another port" in refused.stderr
    assert nodes_of(qdocker) == {}
    file.write_text(COPIES % 2)
    assert qdocker("create-cluster", "compose.yaml").returncode == 0
    assert sorted(nodes_of(qdocker)) == ["web-1", "web-2"]
    assert sorted(nodes_of(qdocker).values()) == ["one", "two"]
    for name in ("web-1", "web-2"):
        assert qdocker("run", "--force", name).returncode == 0


def test_two_with_one_port_on_one_node_are_refused(qdocker, tmp_path):
    (tmp_path / "pair.yaml").write_text(PINNED)
    refused = qdocker("create-cluster", "pair.yaml")
    assert refused.returncode == 1
    assert "one: port 9000 is taken by bb; two: node one was asked for" in refused.stderr
    assert nodes_of(qdocker) == {}
    assert qdocker("create", "--node", "one", "-p", "9000:80", "nginx", "aa").returncode == 0
    assert qdocker("create", "-p", "9000:80", "nginx", "bb").returncode == 0
    assert nodes_of(qdocker) == {"aa": "one", "bb": "two"}
    assert "port 9000 is taken by aa" in qdocker("why", "bb").stdout
