"""States that are imported while another engine still has the containers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Node
from tests.unit.control.containers.test_clusters import SHOP, names

from qrealm.base.errors import EngineRefusalError, NameTakenError
from qrealm.fleet.containers.protocol import LABEL_ENGINE, Mount
from qrealm.fleet.containers.simulated import SimulatedDriver


def second_home(home, path):
    """Another home with the same nodes."""
    other = Home(path)
    other.endpoints, other.config = home.endpoints, home.config
    return other


def test_what_another_engine_has_is_not_taken_from_it(home, tmp_path):
    home.engine.clusters.create(SHOP)
    home.engine.lifecycle.run("front", force=True)
    before = {name: sorted(home.there(name), key=str) for name in home.endpoints}
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    with second_home(home, tmp_path / "two") as other:
        told = f"container 'front' is on node '{home.record('front').node}' and belongs to the engine "
        with pytest.raises(NameTakenError, match=told + home.store.engine_id) as caught:
            other.engine.snapshots.import_(document)
        assert all(f"container '{name}'" in caught.value.message for name in ("front", "back", "cache"))
        assert "--take-over" in caught.value.hint
        assert names(other) == set()
        other.engine.upkeep.maintenance()
        other.check()
    assert {name: sorted(home.there(name), key=str) for name in home.endpoints} == before
    home.check()


def test_a_take_over_makes_each_again_where_it_is_as_it_is_now(home, tmp_path):
    home.create("web", node="na")
    home.create("idle", node="nb")
    home.engine.lifecycle.run("web", force=True)
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    # Since then the one has been stopped, and the other moved and started.
    home.engine.lifecycle.stop("web")
    home.engine.nodes.drain("nb")
    home.engine.lifecycle.run("idle", force=True)
    ids = {name: home.record(name).id for name in ("web", "idle")}
    there = {facts.engine_id for name in home.endpoints for facts in home.there(name)}
    home.close()
    with second_home(home, tmp_path / "two") as other:
        found = other.engine.snapshots.import_(document, take_over=True)
        assert (found["taken_over"], found["problems"]) == (["idle", "web"], [])
        assert {name: other.record(name).id for name in ids} == ids
        assert {other.record(name).node for name in ids} == {"na"}
        assert (other.runs("web"), other.runs("idle")) == (False, True)
        assert there.isdisjoint(facts.engine_id for name in other.endpoints for facts in other.there(name))
        assert not any(
            SimulatedDriver(where).find({LABEL_ENGINE: document["engine_id"]})
            for where in other.endpoints.values()
        )
        other.check()


def test_a_take_over_that_is_cut_off_goes_on(home, tmp_path):
    home.create("web", node="na")
    home.engine.lifecycle.run("web", force=True)
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.close()
    for number, call in enumerate(("stop", "remove", "create", "start")):
        with second_home(home, tmp_path / f"home {number}") as other:
            other.faults.arm(1, "unavailable before", (call,))
            found = other.engine.snapshots.import_(document, take_over=True)
            assert (found["made_again"], len(found["problems"])) == ([], 1), call
            assert other.faults.failed == f"{call} on na"
            other.faults.disarm()
            other.engine.upkeep.maintenance()
            assert other.runs("web")
            other.check()
            document = json.loads(json.dumps(other.engine.snapshots.export()))


def test_a_third_engine_s_containers_are_not_taken_over(home, tmp_path):
    home.create("web", node="na")
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.close()
    with second_home(home, tmp_path / "two") as second:
        second.engine.snapshots.import_(document, take_over=True)
        owner = second.store.engine_id
        with second_home(home, tmp_path / "three") as third:
            with pytest.raises(NameTakenError, match=f"belongs to the engine {owner}"):
                third.engine.snapshots.import_(document, take_over=True)
            assert names(third) == set()
        second.check()


GIVEN = "0123456789abcdef" * 4
"""As an engine calls a volume to which nobody gave a name."""


def telling(monkeypatch, owner, **more):
    """Have nodes say more of the containers that an engine of qrealm has."""
    find = Node.find

    def told(self, labels):
        return [
            replace(facts, **more) if facts.labels[LABEL_ENGINE] == owner else facts
            for facts in find(self, labels)
        ]

    monkeypatch.setattr(Node, "find", told)


def test_a_take_over_is_refused_where_volumes_cannot_be_seen(home, tmp_path, monkeypatch):
    home.create("web", node="na")
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.close()
    telling(monkeypatch, document["engine_id"], volumes_known=False)
    with second_home(home, tmp_path / "two") as other:
        there = "container 'web' on node 'na': what it keeps .* cannot be seen from this manager"
        with pytest.raises(EngineRefusalError, match=there) as caught:
            other.engine.snapshots.import_(document, take_over=True)
        assert "--lose-volumes" in caught.value.hint
        assert names(other) == set()
        assert SimulatedDriver(other.endpoints["na"]).find({LABEL_ENGINE: document["engine_id"]})
        found = other.engine.snapshots.import_(document, take_over=True, lose_volumes=True)
        assert (found["taken_over"], found["problems"]) == (["web"], [])
        other.check()


def test_a_cluster_file_still_says_the_same_of_what_was_taken_over(home, tmp_path, monkeypatch):
    home.engine.clusters.create(SHOP)
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.close()
    telling(monkeypatch, document["engine_id"], volumes=("/data",), volume_names={"/data": GIVEN})
    with second_home(home, tmp_path / "two") as other:
        found = other.engine.snapshots.import_(document, take_over=True)
        assert (found["taken_over"], found["problems"]) == (["back", "cache", "front"], [])
        before = other.store.containers.all()
        assert {record.spec.mounts for record in before} == {(Mount(GIVEN, "/data"),)}
        again = other.engine.clusters.create(SHOP)
        assert (again.created, set(again.existing)) == ((), {"back", "cache", "front"})
        assert other.store.containers.all() == before
        # What the file does say otherwise is refused, and the way on keeps the data.
        mounting = SHOP.replace('front, image: "img:1"', 'front, image: "img:1", volumes: ["mine:/data"]')
        with pytest.raises(EngineRefusalError, match="now says something else"):
            other.engine.clusters.create(mounting)
        with pytest.raises(EngineRefusalError, match="now says something else") as caught:
            other.engine.clusters.create(SHOP.replace('front, image: "img:1"', 'front, image: "img:2"'))
        assert f"mount {GIVEN}:/data" in caught.value.hint
        assert other.store.containers.all() == before
        other.check()
