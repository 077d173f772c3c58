"""Where the containers of a cluster go: decided together, before anything is made."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.control.containers.homes import Home, Node
from tests.unit.control.containers.test_clusters import names

from qrealm.base.errors import CancelledRunError, NoRoomError
from qrealm.control.containers.values import MODES

CHAINS = """
name: chains
containers:
  - {name: aa, image: "img:1", quantum_probability: 0.9, quantum_weight: 5}
  - {name: bb, image: "img:1", quantum_probability: 0.1, quantum_weight: 5}
  - {name: cc, image: "img:1", quantum_probability: 0.5}
  - {name: dd, image: "img:1", quantum_probability: 0.5}
entangle:
  - {between: [aa, bb], mode: opposite}
  - {between: [bb, cc], mode: same}
"""


def family(seed):
    """A cluster that nobody chose, of two to six containers."""
    rng = random.Random(seed)
    members = [f"c{number}" for number in range(rng.randint(2, 6))]
    lines = ["name: family", "containers:"]
    for name in members:
        limits = f"{{cpu: {rng.choice([0.5, 1])}, memory: {rng.choice([100, 300, 600])}}}"
        chance, weight = rng.choice([0.1, 0.5, 0.9]), rng.choice([0.5, 1, 5])
        lines.append(
            f'  - {{name: {name}, image: "img:1", quantum_probability: {chance}, quantum_weight: {weight}, '
            f"resource_requirements: {limits}}}"
        )
    rng.shuffle(members)
    lines.append("entangle:")
    while len(members) > 1:
        between, members = members[:3], members[3:]
        lines.append(f"  - {{between: [{', '.join(between)}], mode: {rng.choice(MODES)}}}")
    return "\n".join(lines)


EXAMPLES = Path(__file__).parents[4] / "examples" / "qdocker"
CLUSTERS = {
    "chains": CHAINS,
    **{name: (EXAMPLES / f"{name}.yaml").read_text() for name in ("canary", "chaos", "compose")},
    **{f"family {seed}": family(seed) for seed in range(12)},
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_is_placed_so_that_nothing_is_left_to_move(tmp_path, name):
    with Home(tmp_path, ("na", "nb", "nc")) as home:
        report = home.engine.clusters.create(CLUSTERS[name], "cluster.yaml", environ={})
        places = {each.container.name: each.container.node for each in report.created}
        if name == "chaos":
            assert len(set(places.values())) == 1
        if name == "compose":
            assert len({places[f"web-{number}"] for number in (1, 2, 3)}) == 3
        for each in report.created:
            (why,) = home.engine.balancing.why(each.container.name)
            assert (why.action, why.chosen, why) == ("create-cluster", each.container.node, each.decision)
        balanced = home.engine.balancing.rebalance()
        assert (balanced.moves, dict(balanced.stays)) == ((), {})
        home.check()


@pytest.mark.parametrize("sizes", [(1500, 4000), (4000, 1500)])
def test_whether_a_cluster_fits_does_not_depend_on_the_order_of_its_lines(tmp_path, sizes):
    home = Home(tmp_path)
    large, small = home.config.nodes
    home.config = replace(home.config, nodes=(large, replace(small, memory_bytes=2048 << 20)))
    lines = [
        f'  - {{name: c{size}, image: "img:1", resource_requirements: {{memory: {size}}}}}' for size in sizes
    ]
    with home:
        home.engine.clusters.create("\n".join(["name: two", "containers:", *lines]))
        assert {name: home.record(name).node for name in ("c1500", "c4000")} == {"c1500": "nb", "c4000": "na"}
        home.check()


def test_a_cluster_without_room_is_refused_before_anything_is_made(home):
    lines = [f'  - {{name: c{k}, image: "img:1", resource_requirements: {{memory: 3000}}}}' for k in range(3)]
    home.faults.arm(1, only=("create", "pull", "remove"))
    with pytest.raises(NoRoomError, match="cluster 'three' was not made: no node takes container 'c"):
        home.engine.clusters.create("\n".join(["name: three", "containers:", *lines]))
    assert home.faults.calls == 0
    assert names(home) == set()
    assert home.store.settings.all("making:") == {}


def test_what_is_missing_of_a_cluster_joins_the_rest_by_its_relations(tmp_path):
    with Home(tmp_path, ("na", "nb", "nc")) as home:
        home.engine.clusters.create(CLUSTERS["chaos"])
        stays = {name: home.record(name).node for name in ("front", "database")}
        home.engine.lifecycle.remove("cache")
        report = home.engine.clusters.create(CLUSTERS["chaos"])
        assert [each.container.name for each in report.created] == ["cache"]
        assert {home.record(name).node for name in ("front", "cache", "database")} == set(stays.values())
        assert set(home.engine.circuits.group("cache")) == {"front", "cache", "database"}
        assert home.engine.balancing.rebalance().moves == ()


def test_a_cluster_is_made_several_at_a_time_and_given_up_with_the_first_that_fails(home, monkeypatch):
    monkeypatch.setattr(Node, "has_image", lambda *_: False)
    lines = [f'  - {{name: c{k}, image: "img:{k}"}}' for k in range(6)]
    text = "\n".join(["name: six", "containers:", *lines])
    together = threading.Barrier(4, timeout=60.0)
    told = []

    def meet(name, step):
        # Four wait for each other here: one after the other they would wait for ever.
        if name not in told:
            told.append(name)
            if len(told) <= 4:
                together.wait()

    home.engine.clusters.create(text, progress=meet)
    assert set(told) == {f"c{k}" for k in range(6)}
    home.engine.clusters.remove("six")

    def fail(name, step):
        if name == "c2":
            raise CancelledRunError("whoever asked is gone")

    with pytest.raises(CancelledRunError, match="whoever asked is gone"):
        home.engine.clusters.create(text.replace("img", "other"), progress=fail)
    assert names(home) == set()
    assert not any(home.there(node) for node in home.endpoints)


def test_a_container_that_follows_counts_with_the_chance_that_it_will_have(home):
    # bb follows aa, so it runs in one of ten cases, not in nine: it weighs as much as cc, and dd as aa.
    text = """
name: follows
containers:
  - {name: aa, image: "img:1", quantum_probability: 0.1, quantum_weight: 10}
  - {name: bb, image: "img:1", quantum_probability: 0.9, quantum_weight: 10}
  - {name: cc, image: "img:1", quantum_probability: 0.9, quantum_weight: 10}
entangle:
  - {between: [aa, bb], mode: same}
"""
    home.engine.clusters.create(text)
    assert home.engine.circuits.probabilities("bb")["running"] == pytest.approx(0.1)
    assert home.record("aa").node == home.record("bb").node != home.record("cc").node


def test_containers_that_share_a_volume_are_made_on_one_node(home):
    text = """
services:
  one: {image: "img:1", volumes: ["pages:/srv"]}
  two: {image: "img:1", volumes: ["pages:/srv"]}
  three: {image: "img:1"}
volumes: {pages: }
name: pages
"""
    home.engine.clusters.create(text, "compose.yaml")
    assert home.record("one").node == home.record("two").node != home.record("three").node
    home.engine.clusters.remove("pages")
    big = text.replace('"pages:/srv"]', '"pages:/srv"], mem_limit: 3000m')
    with pytest.raises(NoRoomError, match=r"no node takes one and two together, which share the volume"):
        home.engine.clusters.create(big, "compose.yaml")
    assert names(home) == set()
