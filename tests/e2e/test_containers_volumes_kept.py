"""What containers keep in volumes that their images declare, when they are removed or another daemon takes
them over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engines.docker_engine import docker_engine
from engines.eyes import clean, docker, inspect, states, why_no_eyes
from engines.image import KEEPING, KEEPING_CHANGES, KEPT, load_image
from engines.network_promises import raw
from engines.nodes import engine_of, request
from qrealm.base.errors import EngineRefusalError, RequestError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.reports import CreateRequest
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint, ExecSpec

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))


@pytest.fixture(scope="module")
def keeping() -> Iterator[str]:
    """Url of an engine that has the image with a volume, and is a swarm of one node."""
    with docker_engine(bridge=True) as engine:
        load_image(engine.url, KEEPING, KEEPING_CHANGES)
        with raw(engine.url) as client:
            client.init_swarm(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
        yield engine.url


@pytest.fixture
def url(keeping: str) -> Iterator[str]:
    yield keeping
    clean([keeping])


def wanted(name: str) -> CreateRequest:
    plain = request(name)
    return replace(plain, spec=replace(plain.spec, image=KEEPING))


def said(engine: ContainerEngine, name: str, *command: str) -> str:
    run = engine.lifecycle.execute(name, ExecSpec(command))
    told = b"".join(piece.data for piece in run.output()).decode()
    assert run.exit_code() == 0, told
    return told


def make(engine: ContainerEngine, name: str) -> None:
    engine.lifecycle.create(wanted(name))
    engine.lifecycle.run(name, force=True)
    said(engine, name, "sh", "-c", f"echo precious of {name} > {KEPT}/x")


def volume_of(url: str, name: str) -> str:
    """The name of the one volume that a container has."""
    (mount,) = inspect(url, name)["Mounts"]
    return str(mount["Name"])


def volumes(url: str) -> set[str]:
    return set(docker(url, "volume", "ls", "-q").split())


def test_a_removal_leaves_it_unless_it_is_told(url: str, tmp_path: Path) -> None:
    with engine_of({"one": url}, tmp_path / "home") as engine:
        names = ("db", "store", "front")
        for name in names:
            make(engine, name)
        had = {name: volume_of(url, name) for name in names}
        engine.lifecycle.remove("db", force=True)
        engine.lifecycle.remove("store", force=True, volumes=True)
        assert volumes(url) == {had["db"], had["front"]}
        engine.nodes.remove("one", force=True)
        assert (states(url), volumes(url)) == ({}, {had["db"], had["front"]})


@pytest.mark.parametrize("wish", [False, True])
def test_a_removal_that_was_cut_off_is_finished_as_it_was_told(
    url: str, tmp_path: Path, wish: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_of({"one": url}, tmp_path / "home") as engine:
        make(engine, "db")
        had = volume_of(url, "db")
        with monkeypatch.context() as patch:
            driver = type(engine._ctx.drivers.of(engine._ctx.store.nodes.get("one")))

            def ended(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(driver, "remove", ended)
            with pytest.raises(KeyboardInterrupt):
                engine.lifecycle.remove("db", force=True, volumes=wish)
        assert states(url) == {"db": "running"}
    with engine_of({"one": url}, tmp_path / "home") as engine:
        engine.upkeep.maintenance()
        assert states(url) == {}
        assert volumes(url) == (set() if wish else {had})


def test_what_could_not_be_made_leaves_no_volume(url: str, tmp_path: Path) -> None:
    file = (
        "name: shop\ncontainers:\n"
        f"  - {{name: store, image: '{KEEPING}'}}\n"
        "  - {name: back, image: 'registry.invalid/nothing:1'}\n"
    )
    with engine_of({"one": url}, tmp_path / "home") as engine:
        with pytest.raises(Exception, match=r"registry\.invalid"):
            engine.clusters.create(file)
        assert (states(url), volumes(url)) == ({}, set())


def test_who_takes_a_container_over_goes_on_with_its_data(url: str, tmp_path: Path) -> None:
    with engine_of({"one": url}, tmp_path / "first") as first:
        make(first, "db")
        first.lifecycle.create(wanted("idle"))
        document = json.loads(json.dumps(first.snapshots.export()))
    had = {name: volume_of(url, name) for name in ("db", "idle")}
    before = inspect(url, "db")["Id"]
    with engine_of({"one": url}, tmp_path / "second") as second:
        found = second.snapshots.import_(document, take_over=True)
        assert (found["taken_over"], found["problems"]) == (["db", "idle"], [])
        assert found["volumes_kept"] == [
            f"{name}:{KEPT} is the volume {had[name]} of node one" for name in ("db", "idle")
        ]
        assert inspect(url, "db")["Id"] != before
        assert said(second, "db", "cat", f"{KEPT}/x") == "precious of db\n"
        assert volumes(url) == set(had.values())
        # Once more, by a third: what is mounted by its name stays what it is.
        document = json.loads(json.dumps(second.snapshots.export()))
    with engine_of({"one": url}, tmp_path / "third") as third:
        found = third.snapshots.import_(document, take_over=True)
        assert (found["volumes_kept"], found["problems"]) == ([], [])
        assert said(third, "db", "cat", f"{KEPT}/x") == "precious of db\n"
        third.lifecycle.remove("db", force=True, volumes=True)
        assert had["db"] in volumes(url), "it has a name now"


def test_a_take_over_is_refused_where_data_cannot_stay(url: str, tmp_path: Path) -> None:
    with raw(url) as client:
        member = client.info()["Name"]
    endpoint = Endpoint("swarm", url, member=member)
    nodes = (NodeEntry("one", endpoint),)
    with engine_of({}, tmp_path / "first", nodes=nodes) as first:
        plain = wanted("db")
        first.lifecycle.create(replace(plain, spec=replace(plain.spec, network=None)))
        first.lifecycle.run("db", force=True)
        said(first, "db", "touch", f"{KEPT}/x")
        document = json.loads(json.dumps(first.snapshots.export()))
    with (
        closing(connect(endpoint)) as driver,
        engine_of({}, tmp_path / "second", nodes=nodes) as second,
    ):
        (before,) = driver.find({})
        with pytest.raises(RequestError, match="--lose-volumes without --take-over"):
            second.snapshots.import_(document, lose_volumes=True)
        with pytest.raises(EngineRefusalError, match=f"container 'db' on node 'one': {KEPT}") as caught:
            second.snapshots.import_(document, take_over=True)
        assert "--lose-volumes" in str(caught.value.hint)
        assert second.views.containers() == ()
        assert driver.inspect(before.engine_id) == before, "it runs on, and has its data"
        found = second.snapshots.import_(document, take_over=True, lose_volumes=True)
        assert (found["taken_over"], found["volumes_kept"], found["problems"]) == (["db"], [], [])
        (after,) = driver.find({})
        assert after.engine_id != before.engine_id
        assert said(second, "db", "ls", KEPT) == ""
        second.lifecycle.remove("db", force=True)
