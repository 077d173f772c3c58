"""A node or a container that cannot be, as an older qrealm imported it, is told, and stops nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.values import Phase, Wanted
from qrealm.fleet.containers.protocol import Endpoint, HealthCheck

BAD = {
    "no driver": Endpoint("zonk"),
    "no driver, and a url": Endpoint("zonk", "tcp://192.0.2.1:2375"),
    "a query": Endpoint("simulated", "simulated://alder?cpu=4"),
    "a scheme": Endpoint("docker", "foo://bar"),
    "a port": Endpoint("docker", "tcp://127.0.0.1:99999"),
    "an option for a host": Endpoint("docker", "ssh://-oX@h"),
    "no path": Endpoint("docker", "unix://"),
}


class Alone:
    """A home with real connections and the simulated node `other`."""

    def __init__(self, path):
        self.path = path
        entry = NodeEntry("other", Endpoint("simulated", "simulated://other?cpus=4&memory_mib=4096"))
        self.config = Config(nodes=(entry,), decoherence_time_ms=3.6e9, seed=1)
        self.engine = None

    def open(self):
        self.engine = ContainerEngine(self.config, self.path, drivers=DriverPool()).open(watch=False)
        return self.engine

    def close(self):
        if self.engine is not None:
            self.engine.close()
            self.engine = None


@pytest.fixture
def alone(tmp_path):
    found = Alone(tmp_path / "home")
    found.open()
    yield found
    found.close()


def spoil(alone, endpoint):
    """A node `bad` with the container `web` on it, in the store as no command writes it there."""
    engine = alone.engine
    engine.lifecycle.create(request("web", node="other"))
    engine.lifecycle.create(request("db", node="other"))
    store = engine._ctx.store
    with store.transaction():
        store.nodes.save(replace(store.nodes.get("other"), name="bad", endpoint=endpoint))
        store.containers.save(replace(store.containers.get("web"), node="bad"))


@pytest.mark.parametrize("endpoint", BAD.values(), ids=BAD)
def test_a_node_that_cannot_be_stops_nothing(alone, endpoint):
    spoil(alone, endpoint)
    found = alone.engine.upkeep.maintenance(renew=True)
    assert any("bad" in line for line in found.problems)
    assert "bad" in found.unreachable
    alone.close()
    engine = alone.open()
    assert engine.lifecycle.stop("db").wanted is Wanted.STOPPED
    with pytest.raises(EngineUnavailableError):
        engine.lifecycle.run("web")
    assert engine.lifecycle.remove("web", force=True) == "web"
    assert engine.nodes.remove("bad").name == "bad"
    assert engine.upkeep.maintenance().problems == ()
    assert {view.record.name for view in engine.nodes.all()} == {"other"}


@pytest.mark.parametrize("endpoint", BAD.values(), ids=BAD)
def test_a_node_that_cannot_be_goes_with_its_containers(alone, endpoint):
    spoil(alone, endpoint)
    assert alone.engine.nodes.remove("bad", force=True).name == "bad"
    assert [record.name for record in alone.engine._ctx.store.containers.all()] == ["db"]


@pytest.mark.parametrize(
    "health",
    [
        HealthCheck(("true",), interval_s=float("nan")),
        HealthCheck(("true",), timeout_s=float("inf")),
        HealthCheck(("true",), start_period_s=float("-inf")),
    ],
)
def test_a_container_that_cannot_be_made_stops_nothing(home, health, caplog):
    home.create("web", node="na")
    home.create("db", node="na")
    record = home.record("web")
    spoilt = replace(
        record, spec=replace(record.spec, health=health), phase=Phase.MAKING_AGAIN, engine_id=None
    )
    home.store.containers.save(spoilt)
    found = home.engine.upkeep.maintenance()
    assert [line for line in found.problems if line.startswith("web on na: ")]
    assert "Traceback" in caplog.text
    home.reopen()
    home.clock.advance(10.0)
    home.engine.watch.look()
    problems = [event for event in home.events("engine") if event == ("problem", "web")]
    assert len(problems) == 1
    assert home.engine.lifecycle.run("db").name == "db"
    assert home.engine.lifecycle.remove("web", force=True) == "web"
    assert home.engine.upkeep.maintenance().problems == ()


def test_a_node_whose_driver_fails_in_a_way_of_its_own_stops_nothing(tmp_path, caplog):
    def fail():
        raise ZeroDivisionError("of the driver")

    with Home(tmp_path) as home:
        home.create("web", node="na")
        around = home.faults.around

        def failing(host, name, call):
            return fail() if (host, name) == ("nb", "find") else around(host, name, call)

        home.faults.around = failing
        found = home.engine.upkeep.maintenance()
        assert found.unreachable == ("nb",)
        assert any("node nb: ZeroDivisionError: of the driver" in line for line in found.problems)
        assert "Traceback" in caplog.text
        home.reopen()
        assert home.record("web").phase is Phase.READY
        home.faults.around = around


def test_a_register_that_cannot_be_prepared_again_stops_nothing_else(home):
    web = home.create("web", node="na")
    home.create("db", node="na", probability=1.0)
    home.engine.lifecycle.run("db")
    register = home.store.registers.of(web.id)
    home.store.registers.save([replace(register, members=(replace(register.members[0], probability=7.0),))])
    driver = home.engine._ctx.drivers.of(home.store.nodes.get("na"))
    driver.remove(home.record("db").engine_id, force=True)
    found = home.engine.upkeep.maintenance(renew=True)
    assert found.prepared_again == ()
    assert [line for line in found.problems if line.startswith("no register was prepared again: ")]
    assert found.made_again == ("db",)
    home.reopen()
    assert home.engine.lifecycle.remove("web", force=True) == "web"
    assert home.engine.upkeep.maintenance(renew=True).prepared_again == ("db",)


def test_a_container_that_fails_in_a_way_of_its_own_is_maintained_last(home, caplog):
    for name in ("web", "db"):
        home.create(name, node="na", probability=1.0)
        home.engine.lifecycle.run(name)
    around, web = home.faults.around, home.record("web").engine_id

    def failing(host, name, call):
        found = around(host, name, call)
        if name == "inspect" and found.engine_id == web:
            raise ZeroDivisionError("of the driver")
        return found

    home.faults.around = failing
    found = home.engine.upkeep.maintenance()
    assert found.problems == ("web: ZeroDivisionError: of the driver",)
    assert "Traceback" in caplog.text
    home.faults.around = around
