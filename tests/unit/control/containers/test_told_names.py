"""Refusals that say what was asked, of whom, and which way leads out; and what is said twice of what is done
twice."""

from __future__ import annotations

import re

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.errors import (
    ConfigError,
    EngineRefusalError,
    NoRoomError,
    NoSuchContainerError,
    RegisterError,
)
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec

SHOP = """\
name: shop
containers:
  - {name: zeta, image: x}
  - {name: alpha, image: x}
  - {name: mid, image: x}
"""


@pytest.fixture
def two(home):
    for name in ("web", "shop"):
        home.engine.lifecycle.create(request(name))
    return home.engine


@pytest.mark.parametrize(
    ("gate", "names", "message", "hint"),
    [
        (
            "shop",
            ["web", "CX"],
            "apply-gate got 'shop' as the gate, which is none, and 'CX' as a container; the rule is a",
            "qdocker apply-gate web CX shop",
        ),
        ("CX", ["web"], "gate CX takes two containers, the control first; it got web", "web CX NAME2"),
        ("h", ["web", "shop"], "gate H takes one container; it got web and shop", "qdocker apply-gate web H"),
        ("X", [], "gate X takes one container; it got none", "qdocker apply-gate NAME X"),
        ("FOO", ["web", "shop"], "there is no gate called 'FOO'", "there are ID, X, Y"),
    ],
)
def test_gates_and_containers_that_do_not_fit(two, gate, names, message, hint):
    with pytest.raises(RegisterError, match=re.escape(message)) as told:
        two.circuits.apply_gate(gate, names)
    assert hint in told.value.hint


def test_a_contradiction_names_the_relations(two):
    two.lifecycle.create(request("log"))
    two.circuits.entangle("web", "shop", "spread")
    with pytest.raises(RegisterError, match="otherwise: container 'shop' follows container 'web': spread"):
        two.circuits.entangle("web", "shop", "same")
    two.circuits.entangle("shop", "log", "opposite")
    with pytest.raises(RegisterError) as told:
        two.circuits.entangle("web", "log", "opposite")
    assert told.value.message.endswith(
        "container 'shop' follows container 'web': spread; container 'log' follows container 'shop': opposite"
    )
    assert told.value.hint == "to end what ties them: qdocker disentangle web shop log"


def test_a_contradiction_in_a_file_names_the_relations(home):
    text = f"{SHOP}entangle:\n  - between: [zeta, mid]\n  - between: [mid, zeta]\n    mode: opposite\n"
    with pytest.raises(RegisterError) as told:
        home.engine.clusters.create(text, "shop.yaml")
    assert "shop.yaml:8: entangle[1].between: mid and zeta: " in told.value.message
    assert told.value.message.endswith("say otherwise: container 'mid' follows container 'zeta': same")


def test_what_is_not_there_is_told_with_where_to_look(home):
    with pytest.raises(NoSuchContainerError, match="there is no container 'nope'") as told:
        home.engine.views.inspect("nope")
    assert told.value.hint == "qdocker ps -a lists them"
    with pytest.raises(NoSuchContainerError, match="there is no node 'nope'") as told:
        home.engine.nodes.drain("nope")
    assert told.value.hint == "qdocker nodes ls lists them"
    home.engine.lifecycle.create(request("web"))
    with pytest.raises(NoSuchContainerError) as told:
        home.engine.views.inspect("wob")
    assert told.value.hint == "did you mean 'web'?"


def test_a_full_house_is_told_with_what_was_asked(tmp_path):
    with Home(tmp_path, max_containers=2) as home:
        home.engine.lifecycle.create(request("web"))
        with pytest.raises(
            NoRoomError, match="with 3 more there would be 4 containers; the configuration allows 2"
        ):
            home.engine.clusters.create(SHOP)
        home.engine.lifecycle.create(request("api"))
        with pytest.raises(
            NoRoomError, match="with 'log' there would be 3 containers; the configuration allows 2"
        ):
            home.engine.lifecycle.create(request("log"))


def test_a_cluster_is_told_in_the_order_of_its_file_each_time(home):
    made = home.engine.clusters.create(SHOP)
    assert [each.container.name for each in made.created] == ["zeta", "alpha", "mid"]
    assert home.engine.clusters.create(SHOP).existing == ("zeta", "alpha", "mid")


def test_a_name_that_no_engine_takes_is_told_with_its_line(home):
    with pytest.raises(ConfigError, match="a name has two or more letters") as told:
        home.engine.clusters.create("name: dup\ncontainers: [{name: a, image: nginx}]", "dup.yaml")
    assert (told.value.file, told.value.line, told.value.key) == ("dup.yaml", 2, "containers[0].name")
    assert home.engine.views.containers() == ()


def test_a_node_that_is_added_again_as_it_is_is_no_event(home):
    def added():
        return [name for action, name in home.events("node") if action == "add"]

    before = added()
    endpoint = Endpoint("simulated", "simulated://nz?cpus=4&memory_mib=4096")
    home.engine.nodes.add("nz", endpoint, {"zone": "west"}, cpus=2.0)
    home.clock.advance(1.0)
    home.engine.nodes.add("nz", endpoint, {"zone": "west"}, cpus=2.0)
    home.engine.nodes.add("nz", endpoint)
    assert added() == [*before, "nz"]
    home.engine.nodes.add("nz", endpoint, cpus=3.0)
    assert added() == [*before, "nz", "nz"]


def test_a_command_in_a_simulated_container_is_refused_by_the_names_that_people_know(home):
    home.engine.lifecycle.create(request("web", probability=1.0, node="na"))
    home.engine.lifecycle.run("web")
    with pytest.raises(EngineRefusalError, match="container 'web' on node 'na': ") as told:
        home.engine.lifecycle.execute("web", ExecSpec(("ls",)))
    engine_id = home.engine.views.inspect("web").facts.engine_id
    assert engine_id[:12] not in told.value.message
    assert "run 'ls': the container is simulated" in told.value.message
