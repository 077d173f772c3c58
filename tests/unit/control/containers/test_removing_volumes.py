"""With which containers their volumes without a name go: where somebody said so, and where nobody has used
them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from tests.unit.control.containers.homes import Node
from tests.unit.control.containers.test_clusters import SHOP

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.control.containers.values import Phase
from qrealm.faces.http.containers import container_app
from qrealm.faces.http.streams import Leaving
from qrealm.fleet.containers.protocol import Mount
from qrealm.fleet.containers.simulated import SimulatedDriver


@pytest.fixture
def told(monkeypatch):
    """By name of a container whether its node was told to remove its volumes, too: at the last removal that
    got through."""
    real, told = Node.remove, {}

    def remove(self, engine_id, *, force=False, volumes=False):
        name = SimulatedDriver.inspect(self, engine_id).name
        real(self, engine_id, force=force, volumes=volumes)
        told[name] = volumes

    monkeypatch.setattr(Node, "remove", remove)
    return told


def running(home, *names, **options):
    for name in names:
        home.create(name, probability=1.0, **options)
        home.engine.lifecycle.run(name)


def test_they_stay_unless_somebody_says_so(home, told):
    running(home, "aa", "bb", "cc", node="na")
    home.create("dd", node="na")
    home.engine.lifecycle.remove("aa", force=True)
    home.engine.lifecycle.remove("bb", force=True, volumes=True)
    home.engine.lifecycle.remove("dd")
    assert told == {"aa": False, "bb": True, "dd": False}
    home.engine.nodes.remove("na", force=True)
    assert told["cc"] is False


@pytest.mark.parametrize("volumes", [False, True])
def test_of_a_cluster(home, told, volumes):
    home.engine.clusters.create(SHOP)
    home.engine.clusters.remove("shop", volumes=volumes)
    assert told == dict.fromkeys(("front", "back", "cache"), volumes)


@pytest.mark.parametrize("volumes", [False, True])
def test_over_http(home, told, volumes):
    home.engine.clusters.create(SHOP)
    running(home, "web")
    query = {"force": True, "volumes": volumes}

    async def ask():
        transport = httpx.ASGITransport(container_app(home.engine, Leaving()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qdocker") as client:
            for path in ("containers/web", "clusters/shop"):
                assert (await client.delete(f"/v1/{path}", params=query)).status_code == 200

    asyncio.run(ask())
    assert told == dict.fromkeys(("web", "front", "back", "cache"), volumes)


@pytest.mark.parametrize("volumes", [False, True])
def test_a_node_that_was_away_is_told_the_same_later(home, told, volumes):
    running(home, "web", node="na")
    home.lose("na", "nb")
    home.engine.lifecycle.remove("web", force=True, volumes=volumes)
    assert told == {}
    home.come_back("na", "nb")
    assert told == {"web": volumes}


def test_the_last_removal_decides(home, told):
    home.create("web", node="na")
    home.faults.arm(1, only=("remove",))
    with pytest.raises(EngineUnavailableError):
        home.engine.lifecycle.remove("web", volumes=True)
    assert (home.record("web").phase, told) == (Phase.REMOVING, {})
    home.faults.disarm()
    home.engine.lifecycle.remove("web")
    assert told == {"web": False}


def test_one_that_was_cut_off_is_finished_as_it_was_told(home, told):
    running(home, "web", "db", node="na")
    for name in ("web", "db"):
        home.engine.lifecycle.stop(name)
        home.faults.arm(1, only=("remove",))
        with pytest.raises(EngineUnavailableError):
            home.engine.lifecycle.remove(name, volumes=name == "web")
    home.faults.disarm()
    home.reopen()
    home.engine.upkeep.maintenance()
    assert told == {"web": True, "db": False}
    home.check()


def test_an_old_copy_leaves_what_it_has_used(home, told):
    running(home, "web", node="na")
    home.create("idle", node="na")
    home.lose("na")
    assert home.record("web").node == home.record("idle").node == "nb"
    home.come_back("na")
    assert told == {"web": False, "idle": True}


def test_what_could_not_be_made_leaves_nothing(home, told):
    home.faults.arm(1, "unavailable after", only=("create",))
    with pytest.raises(EngineUnavailableError):
        home.create("web")
    home.faults.disarm()
    home.engine.upkeep.maintenance()
    assert told == {"web": True}
    assert not any(SimulatedDriver(where).find({}) for where in home.endpoints.values())


def test_a_new_copy_that_does_not_start_leaves_no_volumes_of_its_image(home, told):
    """Those that it mounts by name no driver removes."""
    running(home, "web", node="na")
    record = home.record("web")
    spec = replace(record.spec, mounts=(Mount("kept", "/data"),))
    home.engine._ctx.change(record.id, spec=spec, phase=Phase.MAKING_AGAIN)
    home.faults.arm(1, "refused before", only=("start",))
    with pytest.raises(EngineRefusalError):
        home.engine.balancing._moves.make_again_now("web")
    home.faults.disarm()
    assert told == {"web": True}
    home.engine.balancing._moves.make_again_now("web")
    assert home.runs("web")
