"""Operations of the container engine that tests cut off in the middle, each with the state it begins in."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.unit.control.containers.homes import Home

from qrealm.fleet.containers.simulated import SimulatedDriver

RUNNING = {"web": True, "db": True, "cache": False}
"""What every operation begins with, and whether it runs."""

CLUSTER = """
name: shop
containers:
  - {name: front, image: "img:1"}
  - {name: back, image: "img:1"}
entangle:
  - {between: [front, back], mode: same}
"""


def begin(home):
    home.open()
    home.create("web", probability=1.0, node="na")
    home.create("db", probability=1.0, node="nb", host_port=5432)
    home.create("cache", node="na")
    home.engine.lifecycle.run("web")
    home.engine.lifecycle.run("db")
    home.engine.circuits.entangle("web", "cache", "same")


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        run: does it.
        before: what else is done before it begins.
        subject: names of the containers that it may remove, start or stop.
        made: names of containers that it makes: all of them or none.
        runs: name of the container that it has run: it must do in the end what was measured of it.
    """

    run: object
    before: object = lambda home: None
    subject: frozenset = frozenset()
    made: frozenset = frozenset()
    runs: str = ""


def _measured_away(home):
    """The next run of web stops it."""
    home.engine.circuits.measure("web")
    home.engine.circuits.apply_gate("X", ["web"])


def _mended(home):
    """Somebody removed a container behind our back; opening would mend that, too."""
    record = home.record("web")
    SimulatedDriver(home.endpoints[record.node]).remove(record.engine_id, force=True)
    home.engine.upkeep.maintenance()


def _exported(home):
    (home.path / "state.json").write_text(json.dumps(home.engine.snapshots.export()))
    for name in RUNNING:
        home.engine.lifecycle.remove(name, force=True)


def _import(home):
    home.engine.snapshots.import_(json.loads((home.path / "state.json").read_text()))


OPERATIONS = {
    "create": Operation(lambda home: home.create("new"), made=frozenset({"new"})),
    "run": Operation(
        lambda home: home.engine.lifecycle.run("cache"), subject=frozenset({"cache"}), runs="cache"
    ),
    "run that stops": Operation(
        lambda home: home.engine.lifecycle.run("web"),
        _measured_away,
        subject=frozenset({"web"}),
        runs="web",
    ),
    "stop": Operation(lambda home: home.engine.lifecycle.stop("db"), subject=frozenset({"db"})),
    "remove": Operation(lambda home: home.engine.lifecycle.remove("cache"), subject=frozenset({"cache"})),
    "remove by force": Operation(
        lambda home: home.engine.lifecycle.remove("web", force=True), subject=frozenset({"web"})
    ),
    "drain": Operation(lambda home: home.engine.nodes.drain("nb")),
    "drain the other": Operation(lambda home: home.engine.nodes.drain("na")),
    "cluster": Operation(
        lambda home: home.engine.clusters.create(CLUSTER, "shop.yaml"), made=frozenset({"front", "back"})
    ),
    "lose": Operation(lambda home: home.lose("na")),
    "return": Operation(lambda home: home.come_back("na"), lambda home: home.lose("na")),
    "maintenance": Operation(_mended),
    "remove a node": Operation(
        lambda home: home.engine.nodes.remove("nb", force=True), subject=frozenset({"db"})
    ),
    "import": Operation(_import, _exported, subject=frozenset(RUNNING)),
    "measure": Operation(lambda home: home.engine.circuits.measure("web")),
    "entangle": Operation(lambda home: home.engine.circuits.entangle("cache", "db", "opposite")),
}


class Template:
    """A home in which an operation is about to begin, as often as one likes, always at the same place."""

    def __init__(self, path, operation):
        self.path = Path(path)
        self.operation = operation
        self._kept = self.path.with_name(f"{self.path.name}-kept")
        home = Home(self.path)
        begin(home)
        operation.before(home)
        self._clock_at = home.clock.now()
        self._away = set(home.faults.away)
        home.close()
        shutil.copytree(self.path, self._kept)

    def home(self):
        """A fresh one, closed."""
        shutil.rmtree(self.path)
        shutil.copytree(self._kept, self.path)
        return self.again()

    def again(self):
        """The same as it was left, closed."""
        home = Home(self.path)
        home.clock.advance(self._clock_at - home.clock.now())
        home.faults.away = set(self._away)
        return home


def check_kept(home, operation):
    """What must hold after an operation that was cut off, once the engine has been mended."""
    home.check()
    names = {record.name for record in home.store.containers.all()}
    assert operation.subject | names >= RUNNING.keys()
    assert names <= RUNNING.keys() | operation.made
    assert operation.made <= names or operation.made.isdisjoint(names)
    for name in RUNNING.keys() - operation.subject:
        assert home.runs(name) is RUNNING[name], name

