"""What there is, as the model of the property test has it: containers and where they are, nodes, messages;
and what the commands of all groups of the test share."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from tests.property.container_quantum import CLOSE, Quantum
from tests.property.container_relations import Tie
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers.values import Phase, Wanted

NODES = ("na", "nb", "nc")
EXTRA = "nd"
NAMES = ("aa", "bb", "cc", "dd", "ee", "ff", "gg")
STATES = ("running", "stopped", "third", "fourth")
SLOTS = 3
"""Containers that a node takes: all have the same limits."""

PORT = 7000
MEMORY = Path("/dev/shm")

names = st.integers(0, 40)
"""Which of the containers that there are; the last number means one that is not there."""

nodes = st.sampled_from((*NODES, EXTRA))


@dataclass
class Container:
    """One container as the model knows it; `node` None while it waits, `been` where it ever was."""

    states: int
    chance: float
    weight: float
    port: int | None = None
    cluster: str | None = None
    node: str | None = None
    runs: bool = False
    been: set[str] = field(default_factory=set)


@dataclass
class Node:
    """One node: ready, draining or lost, and what a lost one returns as."""

    state: str = "ready"
    returns: str = "ready"


class Model:
    """What the engine is compared with."""

    def begin(self, t2_s, ratio, limit):
        self.path = Path(tempfile.mkdtemp(prefix="qrealm-", dir=MEMORY if MEMORY.is_dir() else None))
        self.settings = {
            "decoherence_time_ms": t2_s * 1000,
            "relaxation_time_ms": t2_s * ratio * 1000,
            "num_qubits": limit,
            "cpu_overcommit": 1.0,
        }
        self.home = Home(self.path / "first", NODES, SLOTS, **self.settings)
        self.home.open()
        self.quantum = Quantum(self.home.clock, t2_s * ratio, t2_s, limit)
        self.containers = {}
        self.nodes = {name: Node() for name in NODES}
        self.messages = {}
        self.homes = 1

    def end(self):
        if hasattr(self, "home"):
            self.home.close()
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def engine(self):
        return self.home.engine

    def named(self, number):
        known = sorted(self.containers)
        return known[number % len(known)] if known and number < 40 else "nobody"

    def like(self, name, number):
        """One of the containers with as many states as this one, itself perhaps."""
        states = self.containers[name].states
        alike = sorted(each for each, known in self.containers.items() if known.states == states)
        return alike[number % len(alike)]

    def refused(self, kind, command, match=None):
        """Do a command that the model refuses with this kind of error; None is none. What it answers."""
        if kind is None:
            return command()
        with pytest.raises(kind, match=match):
            command()
        return None

    def unknown(self, *asked):
        """The error for a container that is not there, if one of these is not."""
        return None if all(name in self.containers for name in asked) else NoSuchContainerError

    # Places.

    def ready(self):
        return [name for name, node in self.nodes.items() if node.state == "ready"]

    def on(self, node):
        return [name for name, each in self.containers.items() if each.node == node]

    def slots(self):
        return sum(SLOTS - len(self.on(node)) for node in self.ready())

    def takes(self, node, port):
        there = self.on(node)
        ports = [self.containers[name].port for name in there]
        return (
            self.nodes[node].state == "ready" and len(there) < SLOTS and (port is None or port not in ports)
        )

    def placed(self, movable=(), *, placing=False):
        """Take over where containers are, once they are found to be where they may: those that wait and the
        movable ones may have moved, to a node that is ready. With `placing`, whoever waits fits nowhere."""
        records = {record.name: record for record in self.home.store.containers.all()}
        assert records.keys() == self.containers.keys()
        for name, each in self.containers.items():
            told = records[name].node
            if told != each.node:
                assert each.node is None or name in movable, name
                if told is not None:
                    assert self.nodes[told].state == "ready", (name, told)
                    each.been.add(told)
                each.node = told
        for node in self.nodes:
            there = self.on(node)
            ports = [port for name in there if (port := self.containers[name].port) is not None]
            assert len(there) <= SLOTS
            assert len(set(ports)) == len(ports)
        if placing:
            for name, each in self.containers.items():
                free = [node for node in self.nodes if self.takes(node, each.port)]
                assert each.node is not None or not free, (name, free)

    # Registers.

    def ties(self):
        """The relations that the engine has."""
        records = {record.id: record for record in self.home.store.containers.all()}
        return [
            Tie(
                records[each.first].name,
                records[each.second].name,
                each.mode,
                each.shift,
                each.spent,
                len(records[each.first].quantum.states),
            )
            for each in self.home.store.relations.all()
        ]

    def collapse(self, report):
        """A measurement has told this of a group."""
        indices = {name: index_of(state) for name, state in report.outcomes.items()}
        assert report.outcomes[report.name] == report.state
        self.quantum.check_weak(report.name, report.weak)
        self.quantum.collapse(report.name, indices, report.probability)

    def forget(self, *gone):
        """Containers were removed."""
        for name in gone:
            del self.containers[name]
            self.messages.pop(name, None)
        self.quantum.remove(gone, self.ties())

    def check(self):
        """The engine has what the model has."""
        self.home.check()
        self.check_registers()
        self.check_messages()
        views = {view.record.name: view for view in self.engine.views.containers()}
        assert views.keys() == self.containers.keys()
        for name, each in self.containers.items():
            view = views[name]
            assert (view.record.node, view.record.cluster) == (each.node, each.cluster)
            assert view.record.phase is (Phase.WAITING if each.node is None else Phase.READY), name
            assert view.record.wanted is (Wanted.RUNNING if each.runs else Wanted.STOPPED), name
            if each.node is not None:
                assert self.home.runs(name) is each.runs, name
            odds = self.quantum.now(self.quantum.group(name)).odds(name)
            for index, share in enumerate(odds):
                state = state_of(each.states, index)
                assert view.probabilities.get(state, 0.0) == pytest.approx(share, abs=CLOSE), (name, state)
        told = {node.name: (node.state.value, node.returns_as.value) for node in self.home.store.nodes.all()}
        assert told.keys() == self.nodes.keys()
        for name, node in self.nodes.items():
            assert told[name][0] == node.state, name
            assert node.state != "lost" or told[name][1] == node.returns, name

    def check_messages(self):
        """Nothing is marked as read by that."""
        for name in self.containers:
            found = self.engine.messages.read(name, mark=False) if self.messages.get(name) else ()
            assert not any(message.damaged for message in found)
            told = [[each.sender, each.data, each.read_before] for each in found]
            assert told == self.messages.get(name, []), name
        assert len(self.home.store.messages.all()) == sum(map(len, self.messages.values()))

    def check_registers(self):
        names = {record.id: record.name for record in self.home.store.containers.all()}
        registers = self.engine.circuits.registers()
        assert len(registers) == len(self.quantum.groups)
        for register in registers:
            order = [names[member.container] for member in register.members]
            group = self.quantum.now(self.quantum.group(order[0]))
            assert set(group.names) == set(order)
            density = register.density
            matrix = np.zeros((2**register.num_qubits,) * 2, dtype=np.complex128)
            matrix[density.rows, density.cols] = density.values
            assert np.abs(matrix - group.matrix(order)).max() < CLOSE, order
        assert sorted(map(str, self.ties())) == sorted(map(str, self.quantum.ties))


def state_of(states, index):
    return STATES[index] if index < states else f"undeclared:{index}"


def index_of(state):
    return STATES.index(state) if state in STATES else int(state.partition(":")[2])
