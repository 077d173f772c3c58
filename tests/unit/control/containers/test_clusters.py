"""Clusters, registers, exported states and views: all of it on nodes that answer."""

from __future__ import annotations

import copy
import json
import math

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import (
    EngineRefusalError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    RegisterError,
    RequestError,
)

SHOP = """
name: shop
containers:
  - {name: front, image: "img:1", quantum_probability: 0.2}
  - {name: back, image: "img:1", quantum_probability: 0.2}
  - {name: cache, image: "img:1"}
entangle:
  - {between: [front, back], mode: same}
  - {between: [front, cache], mode: opposite}
"""


def names(home):
    return {record.name for record in home.store.containers.all()}


def test_a_cluster_is_made_whole_and_making_it_again_changes_nothing(home):
    report = home.engine.clusters.create(SHOP, "shop.yaml")
    assert [each.container.name for each in report.created] == ["front", "back", "cache"]
    assert len(report.entangled) == 2
    assert set(home.engine.circuits.group("back")) == {"front", "back", "cache"}
    home.engine.circuits.measure("front")
    again = home.engine.clusters.create(SHOP, "shop.yaml")
    assert (again.created, again.entangled) == ((), ())
    assert set(again.existing) == {"back", "cache", "front"}
    # What was measured meanwhile stays so.
    assert home.engine.circuits.group("front") == ("front",)
    assert home.engine.clusters.names() == {"shop": tuple(r.name for r in home.store.containers.all())}


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('name: cache, image: "img:1"', 'name: cache, image: "No Image"', Exception),
        ("between: [front, cache], mode: opposite", "between: [back, front], mode: opposite", RegisterError),
        ('name: cache, image: "img:1"', 'name: cache, image: "img:1", node: nowhere', NoSuchContainerError),
        (
            'name: cache, image: "img:1"',
            'name: cache, image: "img:1", resource_requirements: {memory: 5000}',
            NoRoomError,
        ),
    ],
)
def test_a_cluster_that_fails_leaves_nothing(home, old, new, error):
    home.create("other")
    assert old in SHOP
    with pytest.raises(error, match="shop"):
        home.engine.clusters.create(SHOP.replace(old, new), "shop.yaml")
    assert names(home) == {"other"}
    assert sum(len(home.there(node)) for node in home.endpoints) == 1
    assert home.store.settings.all("making:") == {}


def test_a_cluster_that_fails_leaves_what_was_there_of_it(home):
    home.engine.clusters.create(SHOP, "shop.yaml")
    home.engine.lifecycle.remove("cache")
    with pytest.raises(NoRoomError):
        home.engine.clusters.create(
            SHOP.replace(
                'name: cache, image: "img:1"',
                'name: cache, image: "img:1", resource_requirements: {memory: 5000}',
            )
        )
    assert names(home) == {"front", "back"}
    assert set(home.engine.circuits.group("front")) == {"front", "back"}


def test_strangers_and_other_lines_stand_in_the_way(home):
    home.create("front")
    with pytest.raises(RequestError, match="not of this cluster") as caught:
        home.engine.clusters.create(SHOP)
    assert "container_name: shop-front" in caught.value.hint
    home.engine.lifecycle.remove("front")
    home.engine.clusters.create(SHOP)
    with pytest.raises(EngineRefusalError, match="says something else"):
        home.engine.clusters.create(SHOP.replace("0.2", "0.3"))
    assert names(home) == {"front", "back", "cache"}


def test_a_cluster_is_removed_whole_or_not_at_all(home):
    home.engine.clusters.create(SHOP)
    home.engine.lifecycle.run("back", force=True)
    with pytest.raises(EngineRefusalError, match="back"):
        home.engine.clusters.remove("shop")
    assert names(home) == {"front", "back", "cache"}
    assert set(home.engine.clusters.remove("shop", force=True)) == {"front", "back", "cache"}
    assert names(home) == set()
    with pytest.raises(NoSuchContainerError, match="no cluster"):
        home.engine.clusters.remove("shop")


def moved(document, path):
    """The document with its nodes' files in another folder."""
    document = json.loads(json.dumps(document))
    for node in document["nodes"]:
        node["endpoint"]["folder"] = str(path / "nodes")
    return document


def test_an_exported_state_is_taken_over_elsewhere(home, tmp_path):
    home.engine.clusters.create(SHOP)
    home.create("solo", probability=1.0)
    home.engine.lifecycle.run("solo")
    home.engine.balancing.load_balance(["solo"])
    home.engine.circuits.apply_gate("RY", ["front"], 0.4)
    home.engine.messages.send("front", "back", "greeting", {"x": 1})
    document = moved(home.engine.snapshots.export(), tmp_path / "two")
    with Home(tmp_path / "two") as other:
        found = other.engine.snapshots.import_(document)
        assert (found["containers"], found["messages"], found["problems"]) == (4, 1, [])
        other.check()
        for name in names(home):
            expected = home.engine.circuits.probabilities(name)
            assert other.engine.circuits.probabilities(name) == pytest.approx(expected, abs=1e-12)
            assert other.record(name).id == home.record(name).id
        assert set(other.engine.circuits.group("front")) == {"front", "back", "cache"}
        assert other.runs("solo")
        (message,) = other.engine.messages.read("back")
        assert message.data == {"x": 1}
        kept = [(d.container, d.action) for d in home.store.decisions.all()]
        assert [(d.container, d.action) for d in other.store.decisions.all()] == kept


def test_the_same_engine_finds_its_containers_where_they_are(home):
    before = home.create("web", probability=1.0)
    home.engine.lifecycle.run("web")
    document = home.engine.snapshots.export()
    home.store.containers.delete(before.id)
    home.engine.snapshots.import_(document)
    assert home.record("web").engine_id == before.engine_id
    assert home.runs("web")
    with pytest.raises(NameTakenError, match="web"):
        home.engine.snapshots.import_(document)


def _without_registers(document):
    document["registers"] = []


def _doubled(document):
    document["containers"].append(document["containers"][0])


def _without_nodes(document):
    document["nodes"] = []


def _torn(document):
    document["registers"][0] = document["registers"][0][:40]


def _no_base64(document):
    document["registers"][0] = "%%%"


def _loose_relation(document):
    document["relations"][0]["second"] = "0" * 64


def _other_states(document):
    document["containers"][0]["quantum"]["states"] = ["a", "b", "c"]


def _newer(document):
    document["version"] = 99


def _strange(document):
    document["format"] = "something else"


def _without_part(document):
    del document["messages"]


@pytest.mark.parametrize(
    "spoil",
    [
        _without_registers,
        _doubled,
        _without_nodes,
        _torn,
        _no_base64,
        _loose_relation,
        _other_states,
        _newer,
        _strange,
        _without_part,
    ],
)
def test_what_is_no_exported_state_is_refused_whole(home, tmp_path, spoil):
    home.engine.clusters.create(SHOP)
    document = moved(home.engine.snapshots.export(), tmp_path / "two")
    spoil(document)
    with Home(tmp_path / "two") as other:
        with pytest.raises(RequestError):
            other.engine.snapshots.import_(copy.deepcopy(document))
        assert names(other) == set()
        other.check()


@pytest.mark.parametrize("nothing", [None, [], "text", {}, 3])
def test_documents_of_no_kind(home, nothing):
    with pytest.raises(RequestError):
        home.engine.snapshots.import_(nothing)


def entropy(*chances):
    return -sum(p * math.log2(p) for p in chances if p > 0)


def test_status_says_what_its_definitions_say(home):
    home.create("aa", probability=0.2)
    home.create("bb", probability=0.2)
    home.create("cc", probability=0.5)
    home.engine.circuits.entangle("aa", "bb", "same")
    resources = home.engine.views.status()["resources"]
    # Pure states: the relative entropy of coherence is the entropy of the outcomes, and the mutual
    # information of the two halves of sqrt(.2)|00> + sqrt(.8)|11> is twice that.
    pair = entropy(0.2, 0.8)
    assert resources["quantum_coherence"]["registers"] == pytest.approx({"aa+bb": pair, "cc": 1.0})
    assert resources["quantum_coherence"]["sum_bits"] == pytest.approx(pair + 1.0)
    assert resources["resource_entanglement"]["pairs"] == pytest.approx({"aa,bb": 2 * pair})
    assert resources["qubits"] == 3
    assert resources["cpus"] == 8.0
    json.dumps(home.engine.views.status())


def test_decay_follows_the_clock_and_maintenance_prepares_groups_again(tmp_path):
    with Home(tmp_path, decoherence_time_ms=1000.0, relaxation_time_ms=1000.0) as home:
        home.create("aa")
        home.create("bb")
        home.create("cc")
        home.engine.circuits.entangle("aa", "bb", "opposite")
        # T1 = T2 towards the declared distribution, here 1/2: the purity of a qubit falls as (1 + e^-2t) / 2.
        home.clock.advance(0.1)
        assert home.engine.views.inspect("cc").purity == pytest.approx((1 + math.exp(-0.2)) / 2)
        assert home.engine.upkeep.maintenance().prepared_again == ()
        home.clock.advance(5.0)
        assert set(home.engine.upkeep.maintenance().prepared_again) == {"aa", "bb", "cc"}
        outcomes = home.engine.circuits.measure("aa").outcomes
        assert outcomes["aa"] != outcomes["bb"]


def test_events_in_their_order_and_from_where_one_left_off(home):
    home.create("web")
    home.engine.lifecycle.remove("web")
    events = list(home.engine.views.events())
    assert [event.id for event in events] == sorted(event.id for event in events)
    assert [event.action for event in events[-2:]] == ["create", "destroy"]
    assert list(home.engine.views.events(after_id=events[-2].id)) == events[-1:]
    follow = home.engine.views.events(after_id=events[-1].id, follow=True)
    home.create("again")
    assert next(each for each in follow if each is not None).name == "again"
    follow.close()


def test_three_and_more_follow_one_leader_in_every_mode(home):
    for name in ("aa", "bb", "cc", "dd"):
        home.create(name, states=("red", "green", "blue"), probability=0.5)
    entangle = home.engine.circuits.entangle
    entangle("aa", "bb", "same")
    entangle("aa", "cc", "spread")
    report = entangle("cc", "dd", "spread")
    assert report.num_qubits == 8
    assert entangle("aa", "bb", "same").already
    with pytest.raises(RegisterError):
        entangle("aa", "bb", "opposite")
    chances = home.engine.circuits.probabilities("aa")
    assert chances == pytest.approx({"red": 0.5, "green": 0.25, "blue": 0.25})
    outcomes = home.engine.circuits.measure("dd").outcomes
    assert outcomes["aa"] == outcomes["bb"]
    assert len({outcomes["aa"], outcomes["cc"], outcomes["dd"]}) == 3


def test_too_many_qubits_for_a_group(tmp_path):
    with Home(tmp_path, num_qubits=2) as home:
        for name in ("aa", "bb", "cc"):
            home.create(name)
        home.engine.circuits.entangle("aa", "bb")
        with pytest.raises(RegisterError, match="3 qubits"):
            home.engine.circuits.entangle("bb", "cc")
        assert set(home.engine.circuits.group("aa")) == {"aa", "bb"}
        home.check()


def test_an_index_that_stands_for_no_state_is_named_so(home):
    home.create("tri", states=("red", "green", "blue"), probability=1.0)
    home.engine.circuits.apply_gate("X", ["tri"], qubit=None)
    assert home.engine.circuits.probabilities("tri")["undeclared:3"] == pytest.approx(1.0)
    report = home.engine.lifecycle.run("tri")
    assert (report.measured.state, report.started) == ("undeclared:3", False)


def test_gates_do_what_they_do_to_a_register(home):
    home.create("aa", probability=1.0)
    home.create("bb", probability=1.0)
    gate = home.engine.circuits.apply_gate
    angle = 0.7
    assert gate("ry", ["aa"], angle).probabilities["aa"]["running"] == pytest.approx(math.cos(angle / 2) ** 2)
    gate("CX", ["aa", "bb"])
    assert set(home.engine.circuits.group("bb")) == {"aa", "bb"}
    assert home.engine.circuits.probabilities("bb") == pytest.approx(home.engine.circuits.probabilities("aa"))
    for bad in (("RY", ["aa"], None), ("X", ["aa"], 1.0), ("CX", ["aa"], None), ("nothing", ["aa"], None)):
        with pytest.raises(RegisterError):
            gate(*bad)


def test_removing_by_force_what_is_not_there_is_done_already(home):
    home.engine.clusters.create(SHOP)
    assert len(home.engine.clusters.remove("shop", force=True)) == 3
    assert home.engine.clusters.remove("shop", force=True) == ()
    actions = [event.action for event in home.engine.views.events() if event.type == "cluster"]
    assert actions == ["create", "remove"]
    with pytest.raises(NoSuchContainerError) as problem:
        home.engine.clusters.remove("shop")
    assert problem.value.hint == (
        'there is no cluster; to list them: qdocker ps -a --format "{{.Names}} {{.Cluster}}"'
    )


def test_removing_by_force_passes_over_what_another_command_has_removed(home, monkeypatch):
    home.engine.clusters.create(SHOP)
    seen = home.engine.clusters.names()
    home.engine.lifecycle.remove("back")
    monkeypatch.setattr(home.engine.clusters, "names", lambda: seen)
    assert set(home.engine.clusters.remove("shop", force=True)) == {"front", "cache"}
    with pytest.raises(NoSuchContainerError):
        home.engine.clusters.remove("shop")


def test_who_finds_whom_by_name_is_told_with_the_nodes(home):
    text = SHOP.replace('"img:1"', '"img:1", node: na').replace(
        'cache, image: "img:1", node: na', 'cache, image: "img:1", node: nb'
    )
    note = home.engine.clusters.create(text).note
    assert note == (
        "the cluster is on 2 engines, and a container finds only those on its own by name: "
        "back, front on na; cache on nb"
    )
