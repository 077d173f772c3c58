"""Services of a cluster reach each other by name, in a network that lives as long as they do: on real
engines, looked at with Docker's own command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.docker_engine import docker_engines
from engines.eyes import clean, docker, states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import HOUR_MS, engine_of, wait_until
from engines.swarm_nodes import swarm, why_no_swarm
from qrealm.base.errors import EngineRefusalError, QrealmError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

PAGE = "root:x:0:0::/:/bin/sh\n"
SERVE = "httpd -f -p 8080 -h /etc"
COMPOSE = f"""
name: shop
services:
  web: {{image: "{IMAGE}", x-quantum: {{probability: 1.0, node: one}}}}
  db: {{image: "{IMAGE}", command: {SERVE},
       container_name: store, x-quantum: {{probability: 1.0, node: one}}}}
  alone: {{image: "{IMAGE}", network_mode: none, x-quantum: {{node: one}}}}
"""


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with docker_engines(2) as engines:
        yield dict(zip(("one", "two"), (engine.url for engine in engines), strict=True))


@pytest.fixture
def engine(urls: dict[str, str], tmp_path: Path) -> Iterator[ContainerEngine]:
    try:
        with engine_of(urls, tmp_path / "home") as opened:
            yield opened
    finally:
        clean(urls.values())
        for url in urls.values():
            docker(url, "network", "prune", "-f")


def networks(url: str) -> set[str]:
    told = docker(url, "network", "ls", "--filter", "label=io.qrealm.network", "--format", "{{.Name}}")
    return set(told.split())


def page(engine: ContainerEngine, name: str, host: str) -> str:
    """What a container gets from another one's web server; empty when it does not reach it."""
    run = engine.lifecycle.execute(name, ExecSpec(("wget", "-q", "-O", "-", f"http://{host}:8080/passwd")))
    told = b"".join(piece.data for piece in run.output() if piece.stream == "stdout")
    run.exit_code()
    return told.decode()


def test_services_find_each_other_and_the_network_goes_with_them(engine, urls):
    report = engine.clusters.create(COMPOSE, "compose.yaml")
    assert report.note == ""
    assert networks(urls["one"]) == {"shop_default"}
    assert networks(urls["two"]) == set()
    for name in ("web", "store"):
        assert engine.lifecycle.run(name).started
    for host in ("db", "store"):
        wait_until(lambda host=host: page(engine, "web", host) == PAGE)
    assert docker(urls["one"], "inspect", "-f", "{{.HostConfig.NetworkMode}}", "alone").strip() == "none"
    again = engine.clusters.create(COMPOSE, "compose.yaml")
    assert again.created == ()
    engine.lifecycle.remove("web", force=True)
    assert networks(urls["one"]) == {"shop_default"}
    engine.clusters.remove("shop", force=True)
    assert networks(urls["one"]) == set()


def test_a_cluster_that_fails_leaves_no_network(engine, urls):
    text = COMPOSE.replace("  alone:", "  more: {image: registry.invalid/no:1}\n  alone:")
    with pytest.raises(QrealmError, match="'shop' was not made"):
        engine.clusters.create(text, "compose.yaml")
    assert states(urls["one"]) == {}
    assert networks(urls["one"]) == set()


def test_a_network_that_cannot_be_made_is_told_and_nothing_stays(engine, urls):
    docker(urls["one"], "network", "create", "shop_default")
    try:
        with pytest.raises(EngineRefusalError, match=r"not made.*network 'shop_default'") as caught:
            engine.clusters.create(COMPOSE, "compose.yaml")
        assert "docker network rm shop_default" in caught.value.hint
        assert states(urls["one"]) == {}
        assert "shop_default" in docker(urls["one"], "network", "ls", "--format", "{{.Name}}").split()
    finally:
        docker(urls["one"], "network", "rm", "shop_default")


def test_a_network_that_a_killed_daemon_left_goes_with_the_next_look(engine, urls):
    labels = {"io.qrealm.engine": engine._ctx.store.engine_id, "io.qrealm.network": "gone_default"}
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    docker(urls["one"], "network", "create", *words, "gone_default")
    docker(urls["one"], "network", "create", "--label", "io.qrealm.network=other", "another-daemons")
    assert engine.upkeep.maintenance().problems == ()
    assert networks(urls["one"]) == {"another-daemons"}
    docker(urls["one"], "network", "rm", "another-daemons")


def test_a_network_follows_what_moves(engine, urls):
    engine.clusters.create(COMPOSE, "compose.yaml")
    engine.lifecycle.remove("alone")
    for name in ("web", "store"):
        engine.lifecycle.run(name)
    assert len(engine.nodes.drain("one").moves) == 2
    assert (networks(urls["one"]), networks(urls["two"])) == (set(), {"shop_default"})
    wait_until(lambda: page(engine, "web", "db") == PAGE)
    engine.clusters.remove("shop", force=True)
    assert networks(urls["two"]) == set()


def test_a_cluster_on_two_engines_is_told_that_names_stay_on_one(engine, urls):
    text = COMPOSE.replace("store, x-quantum: {probability: 1.0, node: one", "store, x-quantum: {node: two")
    report = engine.clusters.create(text, "compose.yaml")
    assert "2 engines" in report.note
    assert "web" in report.note
    assert "store" in report.note
    assert (networks(urls["one"]), networks(urls["two"])) == ({"shop_default"}, {"shop_default"})
    engine.lifecycle.run("web")
    assert page(engine, "web", "store") == ""
    engine.clusters.remove("shop", force=True)
    assert (networks(urls["one"]), networks(urls["two"])) == (set(), set())


@pytest.mark.skipif(why_no_swarm() is not None, reason=str(why_no_swarm()))
def test_in_a_swarm_names_lead_from_member_to_member(tmp_path):
    with swarm(2) as members:
        url = members[0].url
        nodes = tuple(
            NodeEntry(name, Endpoint("swarm", url, member=member.name), {}, None, None)
            for name, member in zip(("one", "two"), members, strict=True)
        )
        config = Config(seed=11, decoherence_time_ms=HOUR_MS, nodes=nodes)
        with ContainerEngine(config, tmp_path / "home").open(watch=False) as engine:
            text = COMPOSE[: COMPOSE.index("  alone:")]
            text = text.replace("store, x-quantum: {probability: 1.0, node: one",
                                "store, x-quantum: {probability: 1.0, node: two")  # fmt: skip
            report = engine.clusters.create(text, "compose.yaml")
            assert report.note == ""
            assert networks(url) == {"shop_default"}
            for name in ("web", "store"):
                assert engine.lifecycle.run(name).started
            for host in ("db", "store"):
                wait_until(lambda host=host: page(engine, "web", host) == PAGE)
            engine.clusters.remove("shop", force=True)
            assert networks(url) == set()
