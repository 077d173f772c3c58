"""Ports in a network that publishes none: it is told, and the container is made all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import request

from qrealm.fleet.containers.protocol import Port

FILE = """\
services:
  web: {image: "x:1", ports: ["8080:80"], network_mode: host}
  api: {image: "x:1", ports: ["8081:80"], network_mode: none}
  box: {image: "x:1", ports: ["8082:80"], network_mode: bridge}
"""


@pytest.mark.parametrize(
    ("ports", "network", "note"),
    [
        ((Port(80, 8080),), "host", "the ports of web are not published: its network is 'host'"),
        ((Port(80),), "none", "the ports of web are not published: its network is 'none'"),
        ((), "host", ""),
        ((Port(80, 8080),), "bridge", ""),
        ((Port(80, 8080),), None, ""),
    ],
)
def test_it_is_told_when_the_container_is_made(home, ports, network, note):
    wanted = request("web")
    wanted = replace(wanted, spec=replace(wanted.spec, ports=ports, network=network))
    assert home.engine.lifecycle.create(wanted).note == note


def test_it_is_told_of_each_container_of_a_cluster(home):
    report = home.engine.clusters.create(FILE, "shop.yaml")
    assert report.note == (
        "the ports of web are not published: its network is 'host'; "
        "the ports of api are not published: its network is 'none'"
    )
    assert home.engine.clusters.create(FILE, "shop.yaml").note == ""
