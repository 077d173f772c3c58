"""`import-state` takes no state that could not have been made, and tells what of it could not be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.errors import NoRoomError, RequestError
from qrealm.fleet.containers.protocol import Port


def exported(home):
    """Of three containers, of which two are entangled and one publishes a port."""
    home.create("one", node="na", host_port=9100)
    home.create("two", node="na")
    home.create("three", node="nb", states=("a", "b", "c"))
    home.engine.circuits.entangle("one", "two", "opposite")
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    place = {each["name"]: number for number, each in enumerate(document["containers"])}
    return document, place


def refused(home, document, kind=RequestError):
    for name in ("one", "two", "three"):
        home.engine.lifecycle.remove(name, force=True)
    with pytest.raises(kind) as caught:
        home.engine.snapshots.import_(document)
    assert home.store.containers.all() == ()
    assert home.store.relations.all() == ()
    return caught.value.message


@pytest.mark.parametrize(
    ("part", "key", "value", "told"),
    [
        ("quantum", "probability", 7, "quantum_probability=7"),
        ("quantum", "probability", "nan", "quantum_probability=nan"),
        ("quantum", "weight", -1, "quantum_weight=-1"),
        ("quantum", "states", ["a", "a"], "the states a,a"),
        ("spec", "limits", {"cpus": 0.0, "memory_bytes": 1 << 28, "pids": 9}, "cpu=0"),
        ("spec", "name", "other", "its spec has another name"),
        (
            "spec",
            "ports",
            [{"container_port": 80, "host_port": 1}, {"container_port": 81, "host_port": 1}],
            "the ports of two wrong: 1:80 and 1:81 are one port of the host",
        ),
    ],
)
def test_a_container_that_cannot_be_is_refused_with_its_place(home, part, key, value, told):
    document, place = exported(home)
    document["containers"][place["two"]][part][key] = value
    message = refused(home, document)
    assert f"containers[{place['two']}] (two): " in message
    assert told in message.replace("'", "")


def test_relations_that_cannot_be(home):
    document, place = exported(home)
    ids = {name: document["containers"][number]["id"] for name, number in place.items()}
    (tie,) = document["relations"]
    spoilt = json.loads(json.dumps(document))
    spoilt["relations"][0] |= {"first": ids["one"], "second": ids["one"]}
    assert "relations[0]: one with itself" in refused(home, spoilt)
    home.engine.snapshots.import_(document)
    spoilt["relations"] = [{**tie, "second": ids["three"], "spent": True}]
    assert "relations[0]: containers with 2 and 3 states" in refused(home, spoilt)
    home.engine.snapshots.import_(document)
    spoilt["relations"] = [{**tie, "shift": 2}]
    assert "relations[0]: the shift 2; it must be from 0 to 1" in refused(home, spoilt)


def test_two_with_one_port_on_one_node(home):
    document, place = exported(home)
    ports = document["containers"][place["one"]]["spec"]["ports"]
    document["containers"][place["two"]]["spec"]["ports"] = ports
    assert "on node 'na': port 9100 is taken by" in refused(home, document, NoRoomError)
    document["containers"][place["two"]]["node"] = "nb"
    wanted = request("other", node="nb")
    home.engine.lifecycle.create(
        replace(wanted, spec=replace(wanted.spec, ports=(Port(80, 9100, "tcp", "10.0.0.1"),)))
    )
    with pytest.raises(NoRoomError, match=r"\(two\) on node 'nb': port 9100 is taken by other"):
        home.engine.snapshots.import_(document)
    home.engine.lifecycle.remove("other")


def test_a_group_that_the_configuration_does_not_allow(home, tmp_path):
    document, _ = exported(home)
    with Home(tmp_path / "small", num_qubits=1) as other:
        for node in document["nodes"]:
            node["endpoint"]["folder"] = str(tmp_path / "small" / "nodes")
        document["containers"] = [each for each in document["containers"] if each["name"] != "three"]
        kept = {each["id"] for each in document["containers"]}
        document["registers"] = [
            text
            for register, text in zip(home.store.registers.all(), document["registers"], strict=True)
            if kept >= {member.container for member in register.members}
        ]
        document["identities"] = {}
        with pytest.raises(RequestError, match="a group of 2 qubits, registers") as caught:
            other.engine.snapshots.import_(document)
        assert "num_qubits" in caught.value.hint
