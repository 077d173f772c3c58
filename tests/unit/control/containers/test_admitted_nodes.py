"""Which engines become nodes, and what becomes of what is under way on them meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Stuck, configured, endpoint, looked_at, views

from qrealm.base.errors import EngineUnavailableError, RequestError
from qrealm.control.containers.admitting import same_engine
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.values import NodeState, Phase
from qrealm.fleet.containers.protocol import Endpoint

WAIT_S = 60.0


@contextmanager
def pulling(home, name):
    """A node fetches an image until the end; how it ended is in the list, and the event says that it has."""
    released = home.faults.stuck[name, "pull"] = Stuck()
    told, ended = [], threading.Event()

    def pull():
        try:
            home.engine._ctx.drivers.of(home.store.nodes.get(name)).pull("img:1")
        except EngineUnavailableError as problem:
            told.append(problem.message)
        ended.set()

    thread = threading.Thread(target=pull)
    thread.start()
    try:
        assert released.entered.wait(WAIT_S)
        yield told, ended
    finally:
        home.faults.stuck.clear()
        released.set()
        thread.join(WAIT_S)


def test_what_is_under_way_on_a_node_goes_on_when_it_is_added_again_as_it_is(home):
    with pulling(home, "na") as (told, _):
        home.engine.nodes.add("na", home.endpoints["na"], {"zone": "west"})
    assert told == ["na was stuck at pull"]


def test_a_node_that_is_added_again_with_other_certificates_gets_other_connections(home):
    with pulling(home, "na") as (told, ended):
        home.engine.nodes.add("na", replace(home.endpoints["na"], tls_ca="new.pem"))
        assert ended.wait(WAIT_S)
    assert ["broken off" in how for how in told] == [True]


def test_what_is_under_way_goes_on_when_the_node_cannot_be_added_again(home):
    with pulling(home, "na") as (told, _):
        home.faults.arm(1, only=("facts",))
        with pytest.raises(EngineUnavailableError, match="broke off at facts"):
            home.engine.nodes.add("na", home.endpoints["na"])
    assert told == ["na was stuck at pull"]


def test_what_is_under_way_on_a_node_that_is_removed_breaks_off(home):
    with pulling(home, "na") as (told, ended):
        home.engine.nodes.remove("na")
        assert ended.wait(WAIT_S)
    assert ["broken off" in how for how in told] == [True]


def test_of_two_names_for_an_engine_that_is_away_the_first_is_taken_in(tmp_path):
    """Neither was, as each was the other."""
    with Home(tmp_path, ("na",)) as home:
        nb = endpoint(home.path, "nb")
        home.faults.away.add("nb")
        entries = (NodeEntry("n1", nb), NodeEntry("n2", replace(nb, tls_ca="x.pem")))
        for _ in range(2):
            configured(home, NodeEntry("na", home.endpoints["na"]), *entries)
            assert {name: view.record.state for name, view in views(home).items()} == {
                "na": NodeState.READY,
                "n1": NodeState.LOST,
            }
            (told,) = home.engine.notices
            assert "'n2' cannot be taken in: node 'n1' is that engine" in told
        home.faults.away.clear()
        looked_at(home)
        assert views(home)["n1"].record.state is NodeState.READY


def test_two_empty_nodes_exchange_their_engines(home):
    """The first of them was told that the other is its engine, and was no node until the start after."""
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    configured(home, NodeEntry("na", nb), NodeEntry("nb", na, cpus=2.0))
    assert home.engine.notices == ()
    assert {name: (view.record.cpus, view.record.endpoint) for name, view in views(home).items()} == {
        "na": (4.0, nb),
        "nb": (2.0, na),
    }
    assert {view.record.state for view in views(home).values()} == {NodeState.READY}
    home.endpoints.update(na=nb, nb=na)
    assert home.create("web", node="na").node == "na"
    home.check()


def test_an_engine_that_is_another_node_by_another_address_is_refused_when_it_answers(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        na = home.endpoints["na"]
        home.create("web", node="na")
        home.faults.away.add("na")
        configured(home, NodeEntry("na", na), NodeEntry("nc", replace(na, url=na.url + "0")))
        assert set(views(home)) == {"na", "nc"}, "nothing tells yet that they are one"
        home.faults.away.clear()
        looked_at(home)
        found = views(home)
        assert (found["na"].record.state, found["nc"].record.state) == (NodeState.READY, NodeState.LOST)
        assert "node 'na' is that engine, which has the container 'web'" in found["nc"].error
        assert found["na"].error == ""


def test_a_refused_start_leaves_nothing_of_its_configuration(tmp_path):
    with Home(tmp_path, ("na", "nb", "nc")) as home:
        home.create("web", node="nb")
        home.engine.nodes.remove("nc")
        before = home.config
        na, nc = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nc"))
        stood = home.store.nodes.get("na")
        with pytest.raises(RequestError, match="its containers are on"):
            configured(
                home,
                replace(na, labels={"zone": "west"}, cpus=1.0, memory_bytes=1 << 29),
                NodeEntry("nb", endpoint(home.path, "other")),
                replace(nc, cpus=1.0),
            )
        configured(home, *before.nodes)
        assert home.store.nodes.get("na") == stood
        assert home.engine.nodes.left_out() == ("nc",), "nor was said anew what had been removed"
        assert ("configure", "na") not in home.events("node")


def test_a_simulated_node_whose_url_is_none_any_more_stays_as_it_was(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        na = home.endpoints["na"] = replace(home.endpoints["na"], driver="simulated")
        home.create("web", node="na")
        home.store.nodes.save(replace(home.store.nodes.get("na"), endpoint=na))
        stood = home.store.nodes.get("na")
        for url in ("simulated://na?memory=7", "simulated://na/x?cpus=7"):
            configured(home, NodeEntry("na", replace(na, url=url), {"zone": "west"}))
            (told,) = home.engine.notices
            assert told.startswith(f"node 'na' stays as it was: {url!r} is no url of a simulated engine")
            assert home.store.nodes.get("na") == stood
        assert home.record("web").phase is Phase.READY
        home.check()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (Endpoint("docker"), Endpoint("docker", "unix:///var/run/docker.sock"), True),
        (Endpoint("docker", "tcp://Box:2376"), Endpoint("docker", "tcp://box:2376/", tls_ca="ca.pem"), True),
        (Endpoint("docker", "tcp://box:2376"), Endpoint("docker", "tcp://box:2377"), False),
        (Endpoint("docker", "ssh://ann@box"), Endpoint("docker", "ssh://bob@box"), False),
        (Endpoint("docker", "unix:///a/docker.sock"), Endpoint("podman", "unix:///a/docker.sock"), True),
        (Endpoint("docker", "unix:///a/x.sock"), Endpoint("docker", "unix:///a/../a/x.sock"), True),
        (Endpoint("docker"), Endpoint("podman"), False),
        (Endpoint("docker"), Endpoint("swarm", member="m1"), False),
        (Endpoint("swarm", member="m1"), Endpoint("swarm", "unix:///var/run/docker.sock", "m1"), True),
        (Endpoint("swarm", member="m1"), Endpoint("swarm", member="m2"), False),
        (Endpoint("simulated", "simulated://a?cpus=2"), Endpoint("simulated", "simulated://a"), True),
        (Endpoint("simulated", "simulated://a"), Endpoint("simulated", "simulated://b"), False),
    ],
)
def test_what_leads_to_one_engine(first, second, same):
    assert same_engine(first, second) is same
    assert same_engine(second, first) is same


def test_a_link_to_a_socket_leads_to_the_same_engine(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    by_link = Endpoint("docker", f"unix://{tmp_path}/link/engine.sock")
    assert same_engine(by_link, Endpoint("docker", f"unix://{tmp_path}/engine.sock"))
