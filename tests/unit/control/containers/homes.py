"""A container engine on simulated nodes that can be made to fail, and what must hold of it at every rest."""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from qrealm.base.clock import ManualClock
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.control.containers import lifecycle
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.labels import runs
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import NodeState, Phase, QuantumSpec, Wanted
from qrealm.control.containers.watch import RETRY_S
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerSpec,
    Endpoint,
    Limits,
    Mount,
    Port,
)
from qrealm.fleet.containers.simulated import SimulatedDriver

AT_REST = {Phase.READY, Phase.WAITING}
LOOKS = ("ping", "glance")
CALLS = ("facts", "has_image", "pull", "create", "start", "stop", "remove", "inspect", "find")
MEMORY_MIB = 4096
STUCK_S = 120.0


@dataclass
class Faults:
    """How nodes fail.

    Attributes:
        away: hosts that do not answer.
        at: number of the call, from 1, that fails; 0 for none.
        how: unavailable or refused, each "before" its effect or "after" it; "exit" ends the process.
        only: names of the calls that count.
        calls: how many have been made.
        failed: the call that did fail.
        stuck: by host and name of the call ("*" for every one) what it waits for before it breaks off.
    """

    away: set[str] = field(default_factory=set)
    at: int = 0
    how: str = "unavailable before"
    only: tuple[str, ...] = CALLS
    calls: int = 0
    failed: str = ""
    stuck: dict[tuple[str, str], threading.Event] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, at, how="unavailable before", only=CALLS):
        self.at, self.how, self.only, self.calls, self.failed = at, how, only, 0, ""

    def disarm(self):
        self.at = 0

    def around(self, host, name, call):
        """Make a call of a node, or fail instead of it or after it."""
        for key in ((host, name), (host, "*")):
            if (until := self.stuck.get(key)) is not None:
                until.wait(STUCK_S)
                raise EngineUnavailableError(f"{host} was stuck at {name}")
        if host in self.away:
            raise EngineUnavailableError(f"{host} does not answer")
        fails = False
        if self.at and name in self.only:
            with self.lock:
                self.calls += 1
                fails = self.calls == self.at
        if not fails:
            return call()
        self.failed = f"{name} on {host}"
        kind, _, when = self.how.partition(" ")
        if when == "after":
            call()
        if kind == "exit":
            os._exit(9)
        if kind == "refused":
            raise EngineRefusalError(f"{host} refuses {name}")
        raise EngineUnavailableError(f"{host} broke off at {name}")


class Node(SimulatedDriver):
    """A simulated engine that counts as a real one, so that it is watched, and that fails as it is told."""

    def __init__(self, endpoint, timeout_s, faults):
        super().__init__(endpoint, timeout_s)
        self.faults = faults


def _failing(name):
    real = getattr(SimulatedDriver, name)

    def call(self, *args, **kwargs):
        found = self.faults.around(self._host, name, lambda: real(self, *args, **kwargs))
        return replace(found, simulated=False) if name == "facts" else found

    return call


for _name in (*CALLS, *LOOKS):
    setattr(Node, _name, _failing(_name))


def endpoint(path, name, cpus=4, memory_mib=MEMORY_MIB):
    url = f"simulated://{name}?cpus={cpus}&memory_mib={memory_mib}"
    return Endpoint("docker", url, folder=str(path / "nodes"))


class Settings(Config):
    """A configuration with nodes that no other could have: see `Node`."""

    def __post_init__(self):
        nodes = self.nodes
        object.__setattr__(self, "nodes", ())
        super().__post_init__()
        object.__setattr__(self, "nodes", nodes)


class Home:
    """A home folder with nodes, and the engine on it while it is open.

    Args:
        path: the folder.
        nodes: names of the nodes.
        settings: of the configuration.
    """

    def __init__(self, path, nodes=("na", "nb"), cpus=4, memory_mib=MEMORY_MIB, **settings):
        self.path = path
        self.endpoints = {name: endpoint(path, name, cpus, memory_mib) for name in nodes}
        settings = {"seed": 7, "decoherence_time_ms": 3.6e9, "node_lost_after_s": 3.0} | settings
        entries = tuple(NodeEntry(name, where) for name, where in self.endpoints.items())
        self.config = Settings(nodes=entries, **settings)
        self.clock = ManualClock()
        self.faults = Faults()
        self.engine = None
        self._settle_s = lifecycle.SETTLE_S

    def open(self, **more):
        # Simulated containers do not end by themselves, so there is nothing to wait for.
        lifecycle.SETTLE_S = 0.0
        engine = ContainerEngine(
            self.config,
            self.path / "home",
            self.clock,
            DriverPool(lambda where, limit_s: Node(where, limit_s, self.faults)),
            **more,
        )
        self.engine = engine.open(watch=False)
        return self.engine

    def close(self):
        lifecycle.SETTLE_S = self._settle_s
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def reopen(self):
        self.close()
        return self.open()

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def store(self):
        return self.engine._ctx.store

    def record(self, name):
        return self.store.containers.get(name)

    def create(self, name, **options):
        return self.engine.lifecycle.create(request(name, **options)).container

    def there(self, name):
        """What a node has of this engine, asked past all faults."""
        driver = SimulatedDriver(self.endpoints[name])
        return driver.find({LABEL_ENGINE: self.store.engine_id})

    def runs(self, name):
        """Whether a container runs, as its node says."""
        record = self.record(name)
        return any(facts.engine_id == record.engine_id and runs(facts) for facts in self.there(record.node))

    def lose(self, *names):
        """Nodes stop answering, and the watch notices."""
        self.faults.away.update(names)
        self.engine.watch.look()
        self.clock.advance(self.config.node_lost_after_s + 1)
        self.engine.watch.look()

    def come_back(self, *names):
        self.faults.away.difference_update(names)
        self.engine.watch.look()

    def rounds(self, number):
        """So many rounds of the watch, each after everything that it tries again has become due."""
        for _ in range(number):
            self.clock.advance(RETRY_S)
            self.engine.watch.look()

    def events(self, kind=None):
        return [
            (event.action, event.name) for event in self.engine.views.events() if kind in (None, event.type)
        ]

    def check(self, also=()):
        """Everything that must hold whenever nothing is under way; `also` are phases that may occur too."""
        store = self.store
        assert store.check() == ()
        records = {record.id: record for record in store.containers.all()}
        nodes = {node.name: node for node in store.nodes.all()}
        assert {record.phase for record in records.values()} <= AT_REST | set(also), records
        copies = defaultdict(list)
        for name in self.endpoints:
            if name in nodes and name not in self.faults.away and nodes[name].state is not NodeState.LOST:
                for facts in self.there(name):
                    copies[facts.labels[LABEL_CONTAINER]].append((name, facts))
        assert copies.keys() <= records.keys(), "an engine has a container that no record names"
        for record in records.values():
            if record.phase is Phase.READY and record.node not in self.faults.away:
                ((node, facts),) = copies[record.id]
                assert (node, facts.engine_id) == (record.node, record.engine_id), record.name
                assert runs(facts) is (record.wanted is Wanted.RUNNING), record
                assert record.begun is None, record
            elif record.phase is Phase.WAITING:
                assert record.node is None
                assert not copies[record.id], record.name
        self._check_registers(records)
        for node in nodes.values():
            there = [record for record in records.values() if record.node == node.name]
            ports = [(p.host_port, p.protocol) for r in there for p in r.spec.ports if p.host_port]
            assert len(set(ports)) == len(ports), (node.name, ports)
            mine = [record.spec.limits for record in there]
            assert sum(each.memory_bytes for each in mine) <= node.memory_bytes
            assert sum(each.cpus for each in mine) <= node.cpus * self.config.cpu_overcommit + 1e-9

    def _check_registers(self, records):
        registers = self.store.registers.all()
        members = Counter(member.container for each in registers for member in each.members)
        assert members == Counter(records.keys())
        group = {m.container: number for number, each in enumerate(registers) for m in each.members}
        for relation in self.store.relations.all():
            assert {relation.first, relation.second} <= records.keys()
            assert relation.spent or group[relation.first] == group[relation.second]
        for register in registers:
            assert register.num_qubits <= self.config.num_qubits


class Stuck(threading.Event):
    """What a call waits for; `entered` is set when one has come to wait."""

    def __init__(self):
        super().__init__()
        self.entered = threading.Event()

    def wait(self, timeout=None):
        self.entered.set()
        return super().wait(timeout)


@contextmanager
def stuck(home, *keys):
    """Calls that do not come back until the end."""
    released = Stuck()
    home.faults.stuck.update(dict.fromkeys(keys, released))
    try:
        yield released
    finally:
        for key in keys:
            home.faults.stuck.pop(key, None)
        released.set()


class Rounds(threading.Event):
    """What the watch waits for between its rounds: the clock is moved on instead."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def wait(self, timeout=None):
        self.clock.advance(timeout)
        return super().wait(0.02)


def request(
    name,
    *,
    probability=0.5,
    states=("running", "stopped"),
    weight=1.0,
    cpus=1.0,
    memory_mib=256,
    image="img:1",
    node=None,
    pull="missing",
    volumes=(),
    host_port=None,
    cluster=None,
    grace_s=10.0,
):
    """A container to make, in as few words as possible."""
    spec = ContainerSpec(
        name,
        image,
        limits=Limits(cpus, memory_mib << 20),
        mounts=tuple(Mount(volume, "/data") for volume in volumes),
        ports=() if host_port is None else (Port(80, host_port),),
        stop_grace_s=grace_s,
    )
    quantum = QuantumSpec(states, probability, weight)
    return CreateRequest(spec, quantum, node=node, pull=pull, cluster=cluster)


def configured(home, *entries):
    """Start again with these nodes."""
    home.close()
    home.config = replace(home.config, nodes=entries)
    home.open()


def views(home):
    """The nodes that are listed, by name."""
    return {view.record.name: view for view in home.engine.nodes.all()}


def looked_at(home, rounds=3):
    """Rounds of the watch, each after a node that is silent counts as lost."""
    for _ in range(rounds):
        home.clock.advance(home.config.node_lost_after_s + 1)
        home.engine.watch.look()
