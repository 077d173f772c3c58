"""What `qdocker create` refuses of a container, and what it and `create-cluster` tell of one that is made."""

from __future__ import annotations

import json

CLUSTER = """\
services:
  api: {image: busybox, ports: ["8081:80"], network_mode: none}
"""
REFUSED = [
    (["-p", "1.2.3:80:80"], "--publish got '1.2.3:80:80': '1.2.3' is no address of a host"),
    (["--tmpfs", "/a", "--tmpfs", "/a/"], "another volume is at '/a' already"),
    (["-v", "x:/a", "--tmpfs", "/a"], "another volume is at '/a' already"),
    (["--tmpfs", "/a:size=1k,size=2k"], "the option 'size' stands twice"),
    (["--health-cmd", "true", "--health-interval", "25h"], "its interval must be from 1 ms to 86,400 s"),
    (["--health-cmd", "true", "--health-retries", "0"], "its number of retries must be from 1"),
    (["--hostname", "a_b"], "the hostname of 'web' wrong"),
    (["--cap-add", "NO_SUCH"], "--cap-add got 'NO_SUCH', which is no capability"),
    (["--label", "io.qrealm.engine=x"], "is qrealm's own"),
    (["--network", "container:x"], "sharing the network of another container is not supported"),
    (["--workdir", "srv"], "'srv' is no absolute path"),
]


def test_a_container_that_cannot_be_is_refused_in_words(qdocker):
    for words, told in REFUSED:
        done = qdocker("create", *words, "busybox", "web")
        assert done.returncode == 125, words
        assert told in done.stderr, words
        assert done.stderr.count("error:") == 1, words
    assert qdocker("ps", "-aq").stdout == ""


def test_empty_words_are_none_as_in_docker(qdocker):
    empty = ("--user", "", "--workdir", "", "--network", "")
    usual = ("--health-cmd", "true", "--health-interval", "0s")
    assert qdocker("create", *empty, *usual, "busybox", "web").returncode == 0


def test_ports_that_are_not_published_are_told(qdocker, tmp_path):
    done = qdocker("create", "-p", "8080:80", "--network", "host", "busybox", "web")
    assert done.returncode == 0
    assert len(done.stdout.strip()) == 64
    told = "the ports of web are not published: its network is 'host'"
    assert done.stderr.splitlines()[-1] == f"warning: {told}"
    assert "warning" not in qdocker("create", "-p", "8080:80", "busybox", "other").stderr
    (tmp_path / "shop.yaml").write_text(CLUSTER)
    done = qdocker("create-cluster", "--format", "json", "shop.yaml")
    assert json.loads(done.stdout)["note"] == "the ports of api are not published: its network is 'none'"
