"""Ports of hosts: who has one keeps others off its node, whatever places them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.errors import NoRoomError, RequestError
from qrealm.control.containers.room import check_room
from qrealm.control.containers.values import Phase
from qrealm.fleet.containers.protocol import Port


def test_the_second_goes_to_the_other_node_and_the_third_is_refused(home):
    home.create("p1", node="na", host_port=9100)
    home.create("p2", host_port=9100)
    assert home.record("p2").node == "nb"
    (decision,) = home.engine.balancing.why("p2")
    assert decision.refused == {"na": "port 9100 is taken by p1"}
    with pytest.raises(NoRoomError, match="na: port 9100 is taken by p1; nb: port 9100 is taken by p2"):
        home.create("p3", host_port=9100)
    with pytest.raises(NoRoomError, match="na: port 9100 is taken by p1; nb: node na was asked for"):
        home.create("p3", node="na", host_port=9100)
    for name in ("p1", "p2"):
        assert home.engine.lifecycle.run(name, force=True).started


def test_a_removed_container_gives_its_port_back(home):
    for name in ("p1", "p2"):
        home.create(name, host_port=9100)
    was = home.record("p1").node
    home.engine.lifecycle.remove("p1", force=True)
    home.create("p3", host_port=9100)
    assert home.record("p3").node == was


def test_a_port_is_given_once_also_between_a_decision_and_its_writing(home):
    home.create("p1", node="na", host_port=9100)
    home.create("other", node="nb")
    ctx = home.engine._ctx
    late = replace(home.record("other"), spec=request("other", host_port=9100).spec)
    with ctx.store.transaction():
        with pytest.raises(NoRoomError, match="does not take 'other' any more: port 9100 is taken by p1"):
            check_room(ctx, late, "na")
        assert check_room(ctx, late, "nb").name == "nb"


def test_after_a_loss_a_container_waits_for_its_port(home):
    home.create("p1", node="na", host_port=9100)
    home.create("p2", node="nb", host_port=9100)
    home.lose("nb")
    assert home.record("p2").phase is Phase.WAITING
    assert "port 9100 is taken by p1" in home.engine.balancing.why("p2")[0].reason
    home.engine.lifecycle.remove("p1", force=True)
    home.engine.upkeep.maintenance()
    assert (home.record("p2").phase, home.record("p2").node) == (Phase.READY, "na")
    home.come_back("nb")


def test_a_drain_tells_of_the_port_that_keeps_a_container(home):
    home.create("p1", node="na", host_port=9100)
    home.create("p2", node="nb", host_port=9100)
    assert home.engine.nodes.drain("na").stays == {
        "p1": "no other node takes it; nb: port 9100 is taken by p2"
    }


def test_with_one_volume_and_one_port_it_is_the_port_that_is_named(tmp_path):
    with Home(tmp_path) as home:
        requests = [request(name, volumes=("data",), host_port=9100) for name in ("one", "two")]
        with pytest.raises(NoRoomError, match="both one and two publish port 9100") as caught:
            home.engine.lifecycle.reserve(requests)
        assert "different ports" in caught.value.hint
        home.check()


def with_ports(name, *ports, network=None):
    wanted = request(name)
    return replace(wanted, spec=replace(wanted.spec, ports=ports, network=network))


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ((Port(80, 9100), Port(81, 9100)), "9100:80 and 9100:81 are one port of the host"),
        (
            (Port(80, 9100), Port(81, 9100, host_ip="127.0.0.1")),
            "9100:80 and 127.0.0.1:9100:81 are one port of the host",
        ),
    ],
)
def test_one_container_cannot_have_a_port_twice(home, ports, told):
    with pytest.raises(RequestError, match=f"ports of 'web' wrong: {told}"):
        home.engine.lifecycle.create(with_ports("web", *ports))
    # Nothing is published there.
    home.engine.lifecycle.create(with_ports("web", *ports, network="none"))
    home.engine.lifecycle.remove("web")


def test_a_port_that_is_said_twice_is_one(home):
    ports = (Port(80, 9100), Port(80, 9100), Port(80), Port(80), Port(80, 9100, "udp"))
    home.engine.lifecycle.create(with_ports("web", *ports))
    assert home.record("web").spec.ports == (Port(80, 9100), Port(80), Port(80), Port(80, 9100, "udp"))
