"""Where the `qdocker` command behaves as Docker's does: what is typed by habit works."""

from __future__ import annotations

import json
import re


def test_templates_are_taken_where_docker_takes_them(qdocker):
    words = ["-l", "org.tier=web", "-p", "8080:80", "--memory", "256m", "--health-cmd", "true"]
    assert qdocker("create", *words, "nginx:1.27", "web").returncode == 0

    def inspected(template: str) -> str:
        done = qdocker("inspect", "-f", template, "web")
        assert (done.returncode, done.stderr) == (0, ""), template
        return str(done.stdout)

    assert inspected("{{.HostConfig.Memory}}") == f"{256 << 20}\n"
    assert inspected('{{index .Config.Labels "org.tier"}}') == "web\n"
    assert inspected(
        "{{range $p, $c := .HostConfig.PortBindings}}{{$p}}={{(index $c 0).HostPort}}{{end}}"
    ) == ("80/tcp=8080\n")
    assert inspected('{{if eq .State.Status "created"}}{{.State.ExitCode}}{{end}}') == "0\n"
    assert json.loads(inspected("{{json .Config.Healthcheck}}"))["Interval"] == 30_000_000_000
    assert qdocker("inspect", "--format", "json", "web").stdout.count("\n") == 1
    assert json.loads(qdocker("inspect", "web").stdout)[0]["Name"] == "web"
    table = qdocker(
        "ps", "-a", "--format", r'table {{.Names}}\t{{.Label "org.tier"}}\t{{upper .Image}}'
    ).stdout
    assert [line.split() for line in table.splitlines()] == [
        ["NAMES", "tier", "IMAGE"],
        ["web", "web", "NGINX:1.27"],
    ]
    for template in ("{{.Nope}}", "{{bogus .Names}}", "{{if .Names}}"):
        refused = qdocker("ps", "--format", template)
        assert (refused.returncode, refused.stdout) == (1, ""), template
        assert "--format got" in refused.stderr


def test_nodes_are_filtered_and_shown_whole(qdocker):
    label = "zone=" + "far-away-" * 6
    assert qdocker("nodes", "add", "three", "--driver", "simulated", "-l", label).returncode == 0
    assert qdocker("nodes", "ls", "-q", "--filter", "label=zone").stdout == "three\n"
    assert qdocker("nodes", "ls", "-q", "--filter", "name=^t", "--filter", "driver=simulated").stdout == (
        "two\nthree\n"
    )
    assert qdocker("nodes", "ls", "-q", "--filter", "status=lost").stdout == ""
    assert qdocker("nodes", "ls", "--filter", "state=lost").returncode == 1
    assert label not in qdocker("nodes", "ls").stdout
    assert label in qdocker("nodes", "ls", "--no-trunc").stdout
    assert "REASON" in qdocker("nodes", "ls").stdout.splitlines()[0]


def test_whole_ids_of_messages(qdocker):
    for name in ("web", "cache"):
        assert qdocker("create", "busybox", name).returncode == 0
    assert qdocker("entangle", "web", "cache").returncode == 0
    (identity,) = qdocker("send-message", "web", "cache", "hello").stdout.split()
    assert len(identity) == 32
    listed = qdocker("messages", "cache").stdout
    assert identity[:12] in listed
    assert identity not in listed
    assert identity in qdocker("messages", "--no-trunc", "cache").stdout
    assert qdocker("messages", "-q", "cache").stdout == f"{identity}\n"


def test_ports_are_those_of_what_runs(qdocker):
    assert qdocker("create", "--quantum-probability", "1", "-p", "8080:80", "nginx", "web").returncode == 0
    assert qdocker("ps", "-a", "--format", "{{.Ports}}").stdout == "\n"
    assert re.search("started", qdocker("run", "web").stdout)
    assert qdocker("ps", "-a", "--format", "{{.Ports}}").stdout == "0.0.0.0:8080->80/tcp\n"


def test_removing_by_force_is_safe_to_repeat(qdocker):
    assert qdocker("create", "busybox", "web").returncode == 0
    assert qdocker("rm", "gone").returncode == 1
    done = qdocker("rm", "--force", "gone", "web")
    assert (done.returncode, done.stdout) == (0, "web\n")
    assert done.stderr == "there is no container 'gone'\n"
    assert qdocker("rm", "-f", "web").returncode == 0


def test_a_cluster_that_is_there_is_named_again(qdocker, tmp_path):
    (tmp_path / "two.yaml").write_text(
        "name: two\nservices:\n  web: {image: nginx}\n  cache: {image: redis}\n"
    )
    first = qdocker("create-cluster", "two.yaml")
    assert first.returncode == 0, first.stderr
    again = qdocker("create-cluster", "two.yaml")
    assert again.returncode == 0
    assert sorted(again.stdout.split()) == sorted(first.stdout.split())
    assert "was there already" in again.stderr


def test_what_stays_is_said_once_and_is_a_warning_only_where_it_had_to_go(qdocker):
    assert qdocker("create", "--node", "one", "-v", "data:/data", "busybox", "keeper").returncode == 0
    stayed = qdocker("load-balance", "keeper")
    assert stayed.returncode == 0
    assert re.search(r"^keeper stays", stayed.stderr, re.MULTILINE)
    assert "stays: stays" not in stayed.stderr
    assert "warning:" not in stayed.stderr
    drained = qdocker("nodes", "drain", "one")
    assert drained.returncode == 1
    assert re.search(r"^warning: keeper stays", drained.stderr, re.MULTILINE)


def test_an_unknown_driver_is_told_which_there_are(qdocker):
    done = qdocker("nodes", "add", "x", "--driver", "banana")
    assert "there is no driver 'banana'; there are docker, podman, swarm, simulated" in done.stderr
    assert "swarm: one node of a Docker swarm" in done.stderr
