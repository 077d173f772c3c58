"""Commands about nodes, clusters and whole engines, each with what the model says of its answer."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.property.container_model import EXTRA, NAMES, NODES, SLOTS, STATES, Container, Node, names, nodes
from tests.unit.control.containers.homes import Home, endpoint

from qrealm.base.errors import (
    ConfigError,
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    RegisterError,
    RequestError,
)
from qrealm.control.containers.values import MODES

CLUSTERS = ("duo", "trio")


class NodeCommands:
    """Rules of the state machine; `self` has the model."""

    @rule(node=nodes)
    def drain(self, node):
        known = self.nodes.get(node)
        refusal: type[Exception] | None = None
        if known is None:
            refusal = NoSuchContainerError
        elif known.state == "lost":
            refusal = EngineUnavailableError
        report = self.refused(refusal, lambda: self.engine.nodes.drain(node))
        if report is not None:
            known.state = "draining"
            assert not [move.error for move in report.moves if move.error]
            there = self.on(node)
            self.placed(there)
            assert set(report.stays) == set(self.on(node))
            for name in self.on(node):
                port = self.containers[name].port
                assert not any(self.takes(other, port) for other in self.nodes), name

    @rule(node=nodes)
    def activate(self, node):
        refusal = None if node in self.nodes else NoSuchContainerError
        if self.refused(refusal, lambda: self.engine.nodes.activate(node)) is not None:
            known = self.nodes[node]
            known.returns = "ready"
            known.state = "lost" if known.state == "lost" else "ready"
            self.placed(placing=True)

    @rule(node=nodes)
    def lose(self, node):
        away = self.home.faults.away
        # Whoever hears of nobody blames the network.
        assume(node in self.nodes and set(self.nodes) - away - {node})
        there = self.on(node)
        self.home.lose(node)
        known = self.nodes[node]
        if known.state != "lost":
            known.returns, known.state = known.state, "lost"
        self.placed(there, placing=bool(there))
        assert not self.on(node)

    @rule(node=nodes)
    def come_back(self, node):
        self.home.come_back(node)
        known = self.nodes.get(node)
        if known is not None and known.state == "lost":
            known.state = known.returns
            self.placed(placing=True)
        self.placed()

    @rule(node=nodes)
    def add_node(self, node):
        where = self.home.endpoints.setdefault(node, endpoint(self.home.path, node, SLOTS))
        away = node in self.home.faults.away
        refusal = EngineUnavailableError if away else None
        if self.refused(refusal, lambda: self.engine.nodes.add(node, where)) is not None:
            self.nodes.setdefault(node, Node())
            self.placed(placing=True)

    @rule(node=nodes, force=st.booleans())
    def remove_node(self, node, force):
        assume(len(self.nodes) > 1 and not (force and len(self.on(node)) > 1))
        there = self.on(node)
        refusal: type[Exception] | None = None
        if node not in self.nodes:
            refusal = NoSuchContainerError
        elif there and not force:
            refusal = EngineRefusalError
        if self.refused(refusal, lambda: self.engine.nodes.remove(node, force=force)) is not None:
            del self.nodes[node]
            self.forget(*there)

    @rule(seconds=st.sampled_from((0.1, 2.0, 30.0, 3600.0)), looks=st.booleans())
    def wait(self, seconds, looks):
        self.home.clock.advance(seconds)
        if looks:
            self.engine.watch.look()
            self.placed()

    # Balancing.

    @rule(dry_run=st.booleans())
    def rebalance(self, dry_run):
        every = [name for name, each in self.containers.items() if each.node is not None]
        self.balanced(self.engine.balancing.rebalance(dry_run=dry_run), every)

    @rule(numbers=st.lists(names, min_size=1, max_size=3), dry_run=st.booleans())
    def load_balance(self, numbers, dry_run):
        asked = [self.named(number) for number in numbers]
        # One that waits has no place that could be better.
        assume(all(name == "nobody" or self.containers[name].node is not None for name in asked))
        balancing = self.engine.balancing
        report = self.refused(self.unknown(*asked), lambda: balancing.load_balance(asked, dry_run=dry_run))
        if report is not None:
            self.balanced(report, asked)

    def balanced(self, report, movable):
        before = {name: each.node for name, each in self.containers.items()}
        assert all(move.done is not (report.dry_run or bool(move.error)) for move in report.moves)
        assert all(move.source == before[move.name] != move.target for move in report.moves)
        self.placed([] if report.dry_run else movable)
        assert not [move for move in report.moves if move.error], "each has room in its turn"
        moved = {move.name: move.target for move in report.moves if move.done}
        assert {name: each.node for name, each in self.containers.items()} == before | moved

    # Clusters.

    @rule(
        cluster=st.sampled_from(CLUSTERS),
        members=st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True),
        states=st.sampled_from(((2, 2, 2), (2, 2, 2), (3, 3, 3), (2, 2, 3))),
        chance=st.sampled_from((0.2, 0.5)),
        mode=st.sampled_from(MODES),
    )
    def create_cluster(self, cluster, members, states, chance, mode):
        wanted = {
            name: Container(count, chance, 1.0, cluster=cluster)
            for name, count in zip(members, states, strict=False)
        }
        fresh = {name: each for name, each in wanted.items() if name not in self.containers}
        ties = [(members[0], other) for other in members[1:] if {members[0], other} & fresh.keys()]
        refusal = self.refuses_cluster(wanted, fresh, ties, mode)
        text = json.dumps(cluster_file(cluster, wanted, members, mode))
        report = self.refused(
            refusal, lambda: self.engine.clusters.create(text), match="not made|equally many"
        )
        if report is not None:
            assert {made.container.name for made in report.created} == fresh.keys()
            assert set(report.existing) == wanted.keys() - fresh.keys()
            self.containers |= fresh
            self.placed()
            told = self.ties()
            self.declare(self.quantum, fresh, ties, mode, told)

    def declare(self, quantum, fresh, ties, mode, told):
        """Whether all of a cluster is possible, which then is there."""
        for name, each in fresh.items():
            quantum.create(name, each.states, each.chance)
        for one, other in ties:
            if quantum.refuses_entangling(one, other, mode):
                assert not told
                return False
            quantum.entangle(one, other, mode, told)
        return True

    def refuses_cluster(self, wanted, fresh, ties, mode):
        if len({each.states for each in wanted.values()}) > 1:
            return ConfigError
        for name, each in wanted.items():
            there = self.containers.get(name)
            if there is not None and there.cluster != each.cluster:
                return RequestError
            if there is not None and (there.states, there.chance) != (each.states, each.chance):
                return EngineRefusalError
        tried = copy.copy(self.quantum)
        tried.parts, tried.groups = dict(tried.parts), list(tried.groups)
        # What is spent does not keep a tie from being declared.
        tried.ties = [replace(tie) for tie in tried.ties if not tie.spent]
        if not self.declare(tried, fresh, ties, mode, []):
            return RegisterError
        return NoRoomError if len(fresh) > self.slots() else None

    @rule(cluster=st.sampled_from(CLUSTERS), force=st.booleans())
    def remove_cluster(self, cluster, force):
        members = [name for name, each in self.containers.items() if each.cluster == cluster]
        refusal: object = None
        if not force:
            kinds = {kind for name in members if (kind := self.refuses_removal(name))}
            refusal = tuple(kinds) or None if members else NoSuchContainerError
        removed = self.refused(refusal, lambda: self.engine.clusters.remove(cluster, force=force))
        if removed is not None:
            assert set(removed) == set(members)
            self.forget(*members)

    # The engine.

    @rule()
    def start_again(self):
        away = set(self.home.faults.away)
        self.home.close()
        self.home.faults.away = away
        self.home.open()

    @precondition(lambda self: self.containers)
    @rule()
    def import_where_it_is(self):
        document = self.engine.snapshots.export()
        with pytest.raises(NameTakenError):
            self.engine.snapshots.import_(document, take_over=True)

    @precondition(lambda self: not self.home.faults.away)
    @rule()
    def into_another_home(self):
        document = json.loads(json.dumps(self.engine.snapshots.export()))
        self.home.close()
        other = Home(self.path / f"number {self.homes}", NODES, SLOTS, **self.settings)
        self.homes += 1
        other.endpoints, other.config, other.clock = self.home.endpoints, self.home.config, self.home.clock
        self.home = other
        other.open()
        # Its own nodes are as its configuration says.
        extra = self.nodes.get(EXTRA)
        self.nodes = {name: Node() for name in NODES} | ({} if extra is None else {EXTRA: extra})
        snapshots = other.engine.snapshots
        if any(each.node is not None for each in self.containers.values()):
            with pytest.raises(NameTakenError):
                snapshots.import_(document)
        found = snapshots.import_(document, take_over=True)
        assert (found["containers"], found["problems"]) == (len(self.containers), [])


def cluster_file(name, wanted, members, mode):
    """Of a cluster in which all follow the first."""
    containers = [
        {
            "name": each,
            "image": "img:1",
            "quantum_probability": wanted[each].chance,
            "superposition_states": list(STATES[: wanted[each].states]),
            "resource_requirements": {"cpu": 1.0, "memory": 256},
        }
        for each in members
    ]
    return {"name": name, "containers": containers, "entangle": [{"between": members, "mode": mode}]}
