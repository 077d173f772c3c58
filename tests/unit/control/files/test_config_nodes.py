"""Nodes of a configuration that can be none."""

from __future__ import annotations

import asyncio
import textwrap
from dataclasses import replace
from types import MappingProxyType

import pytest

from engines.certificates import Authority
from qrealm.base.errors import ConfigError
from qrealm.control.containers.engine import QuantumDockerEngine
from qrealm.control.containers.files import Config, NodeEntry, load_config
from qrealm.fleet.containers.protocol import Endpoint


def refusal(folder, text):
    path = folder / "config.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_config(path)
    assert told.value.file == str(path)
    return told.value


def with_tls(ca, cert, key):
    return f"""
        nodes:
          - name: b
            url: "tcp://h:2376"
            tls:
              ca: {ca}
              cert: {cert}
              key: {key}
        """


def test_certificates_must_be_there(tmp_path):
    """A path with a slip counted as a node that does not answer."""
    authority = Authority(tmp_path)
    ca, (cert, key) = authority.path, authority.issue("client")
    told = refusal(tmp_path, with_tls(tmp_path / "none.pem", cert, tmp_path))
    assert (told.line, told.key) == (6, "nodes[0].tls.ca")
    assert f"there is no file '{tmp_path}/none.pem'" in told.message
    assert f":8: nodes[0].tls.key: '{tmp_path}' cannot be read: Is a directory" in told.message
    kept = load_config(tmp_path / "config.yaml", certificates=False)
    assert kept.nodes[0].endpoint.tls_ca == str(tmp_path / "none.pem")
    told = refusal(tmp_path, with_tls(key, cert, key))
    assert (told.line, told.key) == (6, "nodes[0].tls.ca")
    assert "holds no certificates as PEM" in told.message
    told = refusal(tmp_path, with_tls(ca, cert, Authority(tmp_path).issue("other")[1]))
    assert (told.line, told.key) == (7, "nodes[0].tls.cert")
    assert "is not its key" in told.message


def test_a_node_of_a_swarm_names_its_member(tmp_path):
    """It was taken for one that does not answer yet, which it could never do."""
    told = refusal(
        tmp_path,
        """
        nodes:
          - {name: s1, driver: swarm, url: "unix:///run/x.sock", member: host-1}
          - name: s2
            driver: swarm
          - {name: d1, driver: docker, member: host-1}
        """,
    )
    assert (told.line, told.key) == (4, "nodes[1].member")
    assert "is one member of the swarm, and none is named" in told.message
    assert (
        ":6: nodes[2].member: only a node of the driver swarm has it; the driver is 'docker'" in told.message
    )
    assert "docker node ls" in told.hint


def test_a_url_that_no_simulated_engine_has(tmp_path):
    """It counted as a node that does not answer."""
    told = refusal(tmp_path, 'nodes: [{name: n1, driver: simulated, url: "simulated://n1?memory=7"}]')
    assert (told.line, told.key) == (1, "nodes[0].url")
    assert "is no url of a simulated engine; write simulated://NAME" in told.message


REMOTE = Endpoint("docker", "tcp://h:2376")
LOCAL = Endpoint("simulated")


@pytest.mark.parametrize(
    ("node", "key", "words"),
    [
        (NodeEntry("bad name!", LOCAL), "name", "'bad name!' must be letters, digits, '_', '.' and '-'"),
        (NodeEntry("", LOCAL), "name", "'' must be letters, digits"),
        (NodeEntry("n", LOCAL, {"": "x"}), "labels", "must not be empty"),
        (NodeEntry("n", LOCAL, cpus=-1.0), "cpus", "must be greater than 0; it is -1.0"),
        (NodeEntry("n", LOCAL, cpus=float("nan")), "cpus", "must be a finite number; it is nan"),
        (NodeEntry("n", LOCAL, cpus=float("inf")), "cpus", "must be a finite number; it is inf"),
        (NodeEntry("n", LOCAL, memory_bytes=0), "memory_bytes", "must be 1 or more; it is 0"),
        (NodeEntry("n", Endpoint("zonk")), "endpoint.driver", "there is no driver 'zonk': docker, podman,"),
        (NodeEntry("n", Endpoint("docker", "foo://")), "endpoint.url", "'foo://' is no url of an engine"),
        (NodeEntry("n", Endpoint("simulated", "simulated://x?cpus=-3")), "endpoint.url", "is no url of a"),
        (NodeEntry("n", Endpoint("swarm", "tcp://h:1")), "endpoint.member", "is one member of the swarm"),
        (NodeEntry("n", Endpoint("docker", member="x")), "endpoint.member", "only a node of the driver"),
        (NodeEntry("n", Endpoint("docker", tls_ca="/ca")), "endpoint.tls", "only a tcp:// url can have it"),
        (NodeEntry("n", replace(REMOTE, tls_key="/k")), "endpoint.tls", "a cert needs a key, and a key"),
        (NodeEntry("n", replace(REMOTE, tls_ca="ca")), "endpoint.tls_ca", "'ca' must be a whole path"),
        (NodeEntry("n", replace(LOCAL, folder="here")), "endpoint.folder", "'here' must be a whole path"),
    ],
)
def test_a_node_of_a_program_has_the_rules_of_the_file(node, key, words):
    with pytest.raises(ConfigError) as told:
        Config(nodes=(NodeEntry("first", LOCAL), node))
    assert told.value.key.startswith(f"nodes[1].{key}")
    assert words in told.value.message
    assert ("docker node ls" in told.value.hint) is (key == "endpoint.member")


def test_all_that_is_wrong_with_nodes_of_a_program_is_told():
    nodes = (NodeEntry("n", Endpoint("zonk")), NodeEntry("n", Endpoint("docker", "foo://")))
    with pytest.raises(ConfigError) as told:
        Config(nodes=nodes)
    assert [line.partition(": ")[0] for line in told.value.message.splitlines()] == [
        "nodes[0].endpoint.driver",
        "nodes[1].endpoint.url",
        "nodes[1].name",
    ]


def test_nodes_that_a_program_may_choose(tmp_path):
    nodes = (
        NodeEntry("one", replace(LOCAL, folder=str(tmp_path)), MappingProxyType({"zone": "a"}), 2, 1 << 30),
        NodeEntry("two", replace(REMOTE, tls_ca="/ca")),
        NodeEntry("three", Endpoint("swarm", member="host-3")),
    )
    assert Config(nodes=nodes).nodes == nodes
    assert Config(nodes=list(nodes)).nodes == list(nodes)


def test_certificates_of_a_program_must_be_there_when_it_opens(tmp_path):
    """As a scheduler: a configuration may be made before they are."""
    ca = str(tmp_path / "ca.pem")
    config = Config(nodes=(NodeEntry("n", replace(REMOTE, tls_ca=ca)),))
    engine = QuantumDockerEngine(config, tmp_path / "home")
    with pytest.raises(ConfigError, match=f"there is no file '{ca}'") as told:
        asyncio.run(engine.open())
    assert told.value.key == "nodes[0].endpoint.tls_ca"
