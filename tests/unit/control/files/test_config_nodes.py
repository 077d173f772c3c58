"""Nodes of a configuration that can be none."""

from __future__ import annotations

import textwrap

import pytest

from engines.certificates import Authority
from qrealm.base.errors import ConfigError
from qrealm.control.containers.files import load_config


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
