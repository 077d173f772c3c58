"""Labels: what is sealed in them comes back, tells nothing to others, and nobody else can make it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.errors import StoreError
from qrealm.control.containers.engine import DATABASE, LABELS_KEY
from qrealm.control.containers.json_codec import to_json
from qrealm.control.containers.labels import LABEL_SEALED, Seals, starts_again
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import Phase, QuantumSpec
from qrealm.control.security import close_box
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerFacts,
    ContainerState,
    Mount,
    Restart,
)
from qrealm.fleet.containers.simulated import SimulatedDriver

SECRET = "correct horse battery staple"
PLAIN = {"container", "created", "engine", "name", "sealed"}
FORGED = "f" * 64


@pytest.fixture
def driver(home):
    """Of node nb; what no record names goes at the end, past the engine."""
    driver = SimulatedDriver(home.endpoints["nb"])
    yield driver
    known = {record.engine_id for record in home.store.containers.all()}
    for facts in driver.find({}):
        if facts.engine_id not in known:
            driver.remove(facts.engine_id, force=True)


def secret_request(name, variables=1, **more):
    asked = request(name, cluster="shop", **more)
    environment = {f"VARIABLE_{n}": f"{SECRET} {n}" for n in range(variables)}
    spec = replace(asked.spec, environment=environment, labels={"team": "ops"}, command=("serve", SECRET))
    return CreateRequest(spec, asked.quantum, node=asked.node, cluster=asked.cluster)


def forged_labels(home, container_id):
    """As good as anybody can make them who knows everything but the key."""
    spec = replace(request("evil").spec, cap_add=("ALL",), network="host", mounts=(Mount("/", "/host"),))
    record = replace(home.store.containers.all()[0], id=container_id, name="evil", spec=spec)
    labels = Seals(home.store.engine_id, bytes(32)).labelled(record).labels
    # Before labels were sealed, these were believed.
    quantum = to_json(QuantumSpec())
    plain = {"io.qrealm.spec": json.dumps(to_json(spec)), "io.qrealm.quantum": json.dumps(quantum)}
    return {**labels, **plain}


@contextmanager
def forged(home, driver, container_id, name="evil"):
    """A container that runs on node nb with labels that somebody else made; must be as it was at the end."""
    engine_id = driver.create(replace(request(name).spec, labels=forged_labels(home, container_id)))
    driver.start(engine_id)
    before = driver.inspect(engine_id)
    yield engine_id
    assert driver.inspect(engine_id) == before
    driver.remove(engine_id, force=True)


def facts_of(home, name):
    record = home.record(name)
    return SimulatedDriver(home.endpoints[record.node]).inspect(record.engine_id)


def test_labels_are_few_and_have_no_secrets(home):
    home.engine.lifecycle.create(secret_request("web"))
    labels = facts_of(home, "web").labels
    assert {name.removeprefix("io.qrealm.") for name in labels} == PLAIN | {"cluster", "team"}
    assert (labels["team"], labels["io.qrealm.cluster"], labels["io.qrealm.name"]) == ("ops", "shop", "web")
    for word in (*SECRET.split(), "VARIABLE", "serve"):
        assert word not in json.dumps(labels)


def test_a_record_comes_back_whole(home):
    made = home.engine.lifecycle.create(secret_request("web", 100, probability=0.25)).container
    found = home.engine._ctx.seals.record_from(facts_of(home, "web"), made.node)
    assert found == replace(made, measured=None)


def test_two_containers_of_one_specification_have_different_seals(home):
    record = home.create("web")
    seals = home.engine._ctx.seals
    assert seals.labelled(record).labels[LABEL_SEALED] != seals.labelled(record).labels[LABEL_SEALED]


def test_a_seal_is_good_for_its_container_and_its_engine_alone(home):
    home.create("web")
    seals = home.engine._ctx.seals
    facts = facts_of(home, "web")
    assert seals.ours(facts)
    changes = [{LABEL_CONTAINER: FORGED}, {LABEL_SEALED: ""}, {LABEL_SEALED: facts.labels[LABEL_SEALED][:-4]}]
    for change in changes:
        assert not seals.ours(replace(facts, labels={**facts.labels, **change}))
    assert not replace(seals, engine_id="0" * 16).ours(facts)
    assert not replace(seals, key=bytes(32)).ours(facts)
    # Whoever has the record needs no label.
    assert replace(seals, key=bytes(32)).ours(facts, home.record("web"))


def test_the_key_is_not_in_what_is_shown_or_exported(home):
    home.create("web")
    seals = home.engine._ctx.seals
    kept = (home.path / "home" / LABELS_KEY).read_text().strip()
    assert kept == seals.key.hex()
    exported = json.dumps(home.engine.snapshots.export())
    assert kept not in exported
    assert "labels.key" not in exported
    assert kept not in repr(seals)


WITHOUT_SPEC = '{"name": "web", "spec": 1, "quantum": {}, "created_at": 1, "cluster": null, "scheduler": ""}'


@pytest.mark.parametrize("told", ["{", "[]", "{}", WITHOUT_SPEC])
def test_what_opens_and_makes_no_sense_is_told_and_left_alone(home, driver, told):
    """A seal of ours, from a version of qrealm that wrote something else."""
    home.create("web", node="na")
    seals = home.engine._ctx.seals
    labels = {LABEL_ENGINE: seals.engine_id, LABEL_CONTAINER: FORGED}
    labels[LABEL_SEALED] = close_box(seals.key, told.encode(), seals._vouched(FORGED))
    engine_id = driver.create(replace(request("odd").spec, labels=labels))
    assert seals.ours(driver.inspect(engine_id))
    report = home.engine.upkeep.maintenance()
    assert report.adopted == ()
    (line,) = report.problems
    assert "odd on nb: its labels cannot be read" in line
    driver.remove(engine_id)


def test_a_forged_container_is_not_adopted(home, driver):
    home.create("web", node="na")
    with forged(home, driver, FORGED):
        report = home.engine.upkeep.maintenance()
        assert report.adopted == ()
        assert [line for line in report.problems if "evil on nb" in line and "seal" in line]
        assert [record.name for record in home.store.containers.all()] == ["web"]
        home.reopen()
        assert [record.name for record in home.store.containers.all()] == ["web"]


def test_what_is_forged_is_not_made_again_by_a_drain_or_a_loss(home, driver):
    home.create("web", node="na")
    with forged(home, driver, FORGED):
        home.engine.upkeep.maintenance()
        home.engine.nodes.drain("nb")
        home.lose("nb")
        assert [facts.name for facts in home.there("na")] == ["web"]
        home.come_back("nb")
        home.engine.nodes.activate("nb")


@pytest.mark.parametrize("node", ["na", "nb"])
def test_one_with_the_id_of_ours_is_left_alone_and_ours_goes_on(home, driver, node):
    record = home.create("web", node=node, probability=1.0)
    home.engine.lifecycle.run("web")
    with forged(home, driver, record.id):
        report = home.engine.upkeep.maintenance()
        assert (report.adopted, report.removed) == ((), ())
        assert [line for line in report.problems if "evil on nb" in line]
        assert home.record("web").engine_id == record.engine_id
        assert home.runs("web")
        home.engine.balancing.load_balance(["web"])
        home.engine.lifecycle.remove("web", force=True)
        home.engine.upkeep.maintenance()


def test_a_container_that_was_removed_does_not_vouch_for_a_forged_one(home, driver):
    record = home.create("web", node="na")
    home.create("other", node="na")
    home.engine.lifecycle.remove("web")
    with forged(home, driver, record.id):
        assert home.engine.upkeep.maintenance().removed == ()


def test_a_lost_container_is_not_taken_back_from_a_forger(home, driver):
    """It waits for a node; one with its id on a node that comes back is not it."""
    record = home.create("web", node="na", memory_mib=3000)
    home.create("big", node="nb", memory_mib=3000)
    home.lose("na")
    assert home.record("web").phase is Phase.WAITING
    with forged(home, driver, record.id):
        home.engine.upkeep.maintenance()
        assert home.record("web").phase is Phase.WAITING
        home.come_back("na")
        assert home.record("web").node == "na"


def test_one_that_is_made_again_beside_a_forged_one(home, driver):
    record = home.create("web", node="na")
    with forged(home, driver, record.id):
        home.lose("na")
        assert home.record("web").node == "nb"
        home.come_back("na")


def test_a_copy_of_ours_with_labels_and_all_is_a_stale_copy(home):
    """A seal can be copied together with its id: what it speaks of is ours all the same."""
    record = home.create("web", node="na")
    copy = SimulatedDriver(home.endpoints["nb"])
    engine_id = copy.create(replace(home.engine._ctx.seals.labelled(record), name="copy"))
    assert home.engine.upkeep.maintenance().removed == (f"web ({engine_id[:12]})",)
    assert home.record("web").engine_id == record.engine_id


def lose_database(home):
    home.close()
    for path in (home.path / "home").glob(f"{DATABASE}*"):
        path.unlink()


def test_two_that_open_and_no_record_are_told_and_none_is_taken(home, driver):
    record = home.create("web", node="nb")
    driver.create(replace(home.engine._ctx.seals.labelled(record), name="copy"))
    lose_database(home)
    home.open()
    assert home.store.containers.all() == ()
    (line,) = home.engine.upkeep.maintenance().problems
    assert "web" in line
    assert "copy" in line
    driver.remove(next(f for f in driver.find({}) if f.name == "copy").engine_id)
    assert home.engine.upkeep.maintenance().adopted == ("web",)
    home.engine.lifecycle.remove("web")


def test_adopted_with_everything_that_was_sealed_when_only_the_database_is_lost(home):
    made = home.engine.lifecycle.create(secret_request("web", 100)).container
    lose_database(home)
    home.open()
    assert home.record("web") == made


def test_a_lost_key_with_the_database_there(home):
    """Containers are known by their ids; what is made from then on has the new key's seal."""
    record = home.create("web", node="na", probability=1.0)
    home.create("gone", node="nb")
    home.engine.lifecycle.run("web")
    key = home.engine._ctx.seals.key
    home.close()
    (home.path / "home" / LABELS_KEY).unlink()
    home.open()
    assert home.engine._ctx.seals.key != key
    report = home.engine.upkeep.maintenance()
    assert (report.problems, report.adopted, report.removed, report.made_again) == ((), (), (), ())
    assert home.record("web").engine_id == record.engine_id
    home.engine.lifecycle.remove("gone", force=True)
    assert home.there("nb") == []
    home.engine.nodes.drain("na")
    assert home.record("web").node == "nb"
    assert home.runs("web")
    assert home.there("na") == []
    assert home.engine._ctx.seals.ours(facts_of(home, "web"))


def test_a_lost_key_and_a_node_that_comes_back(home, driver):
    """What was made again elsewhere cannot be told from a forged one any more: it is told, and left alone."""
    home.create("web", node="nb")
    home.close()
    (home.path / "home" / LABELS_KEY).unlink()
    home.open()
    home.lose("nb")
    assert home.record("web").node == "na"
    home.come_back("nb")
    report = home.engine.upkeep.maintenance()
    assert report.removed == ()
    assert [line for line in report.problems if "web on nb" in line]
    (left,) = driver.find({})
    driver.remove(left.engine_id)


def test_key_and_database_lost(home, driver):
    home.create("web", node="nb")
    lose_database(home)
    (home.path / "home" / LABELS_KEY).unlink()
    home.open()
    assert home.store.containers.all() == ()
    (line,) = home.engine.upkeep.maintenance().problems
    assert "web on nb" in line
    assert len(driver.find({})) == 1
    driver.remove(driver.find({})[0].engine_id)


def test_a_broken_key_opens_nothing_and_holds_no_database(home):
    home.close()
    key = home.path / "home" / LABELS_KEY
    good = key.read_text()
    key.write_text("nonsense")
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        home.open()
    key.write_text(good)
    home.open()


def test_an_import_replaces_the_containers_of_the_other_engine(tmp_path):
    """Their seals are the other engine's, so they are known by the ids in the document."""
    with Home(tmp_path) as home:
        record = home.create("web", node="na", probability=1.0)
        home.engine.lifecycle.run("web")
        document = json.loads(json.dumps(home.engine.snapshots.export()))
    other = Home(tmp_path / "other")
    other.endpoints, other.config = home.endpoints, home.config
    with other:
        spec = replace(request("stranger").spec, labels={LABEL_CONTAINER: record.id})
        stranger = SimulatedDriver(other.endpoints["na"]).create(spec)
        found = other.engine.snapshots.import_(document, take_over=True)
        assert (found["made_again"], found["problems"]) == (["web"], [])
        names = {facts.name: facts for facts in SimulatedDriver(other.endpoints["na"]).find({})}
        assert names.keys() == {"web", "stranger"}
        assert names["stranger"].engine_id == stranger
        assert names["web"].engine_id != record.engine_id
        assert other.runs("web")
        other.check()


@pytest.mark.parametrize(
    "restart, ended_before, state, ended, again",
    [
        ("always", None, "running", 20.0, True),
        ("always", 10.0, "running", 20.0, True),
        ("always", 10.0, "running", 10.0, False),  # that was the end before this start
        ("always", None, "running", None, False),
        ("on-failure", 10.0, "restarting", 20.0, True),
        ("on-failure", 10.0, "exited", 20.0, False),
        ("no", 10.0, "running", 20.0, False),
    ],
)
def test_who_is_started_again_by_its_engine(restart, ended_before, state, ended, again):
    before = ContainerFacts("id", "web", "busybox", ContainerState.EXITED, finished_at=ended_before)
    facts = replace(before, state=ContainerState(state), finished_at=ended)
    assert starts_again(Restart(restart), before, facts) is again
