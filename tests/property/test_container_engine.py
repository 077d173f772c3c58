"""Random sequences of commands to the container engine, against a small model of what they mean."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    RegisterError,
)
from qrealm.control.containers.values import NodeState, Phase

NODES = ("na", "nb", "nc")
NAMES = ("aa", "bb", "cc", "dd", "ee")
MEMORY = Path("/dev/shm")


class Model:
    """One container as the model knows it.

    Attributes:
        chance: of its first state; None where the model does not know.
        runs: whether it is to run.
        ties: by name of others in its group: whether they always show the same (True) or the opposite.
    """

    def __init__(self, chance):
        self.declared = chance
        self.chance = chance
        self.runs = False
        self.ties = {}


class Commands(RuleBasedStateMachine):
    """Every rule does a command, and says of the answer what the model knows."""

    names = Bundle("names")

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="qrealm-", dir=MEMORY if MEMORY.is_dir() else None))
        self.home = Home(self.path / "first", NODES)
        self.home.open()
        self.model = {}
        self.moves_to = 1

    def teardown(self):
        self.home.close()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def engine(self):
        return self.home.engine

    def waits(self, name):
        return self.home.record(name).phase is Phase.WAITING

    def collapse(self, outcomes):
        """A measurement fixes a group, and its ties are used up."""
        for name, state in outcomes.items():
            one = self.model[name]
            for other, alike in one.ties.items():
                assert other in outcomes
                assert (state == outcomes[other]) is alike, (name, other, outcomes)
        for name, state in outcomes.items():
            self.model[name].chance = 1.0 if state == "running" else 0.0
            self.model[name].ties = {}

    def taken(self, port):
        """The nodes where a container has a port of the host."""
        wanting = [
            r for r in self.home.store.containers.all() if any(p.host_port == port for p in r.spec.ports)
        ]
        return {record.node for record in wanting}

    @rule(
        target=names,
        name=st.sampled_from(NAMES),
        chance=st.sampled_from((0.0, 0.2, 0.5, 1.0)),
        port=st.sampled_from((None, None, 7000)),
    )
    def create(self, name, chance, port):
        ready = {node.name for node in self.home.store.nodes.all() if node.state is NodeState.READY}
        if name in self.model:
            with pytest.raises(NameTakenError):
                self.home.create(name, probability=chance)
        elif not ready:
            with pytest.raises(NoRoomError):
                self.home.create(name, probability=chance, host_port=port)
        elif port is not None and ready <= self.taken(port):
            with pytest.raises(NoRoomError, match=f"port {port} is taken by"):
                self.home.create(name, probability=chance, host_port=port)
        else:
            try:
                self.home.create(name, probability=chance, host_port=port)
            except EngineUnavailableError:
                assert self.home.faults.away
            else:
                self.model[name] = Model(chance)
        return name

    @rule(name=names, force=st.booleans())
    def run(self, name, force):
        assume(name in self.model)
        if self.waits(name):
            with pytest.raises(NoRoomError):
                self.engine.lifecycle.run(name, force=force)
            return
        model, was = self.model[name], self.model[name].runs
        report = self.engine.lifecycle.run(name, force=force)
        if model.chance in (0.0, 1.0):
            assert (report.measured.state == "running") is (model.chance == 1.0)
        self.collapse(report.measured.outcomes)
        model.runs = force or report.measured.state == "running"
        assert (report.was_running, report.started, report.stopped) == (
            was,
            model.runs and not was,
            was and not model.runs,
        )

    @rule(name=names)
    def stop(self, name):
        assume(name in self.model and not self.waits(name))
        self.engine.lifecycle.stop(name)
        self.model[name].runs = False

    @rule(name=names)
    def measure(self, name):
        assume(name in self.model)
        report = self.engine.circuits.measure(name)
        assert 0.0 < report.probability <= 1.0 + 1e-9
        self.collapse(report.outcomes)

    @rule(one=names, other=names, alike=st.booleans())
    def entangle(self, one, other, alike):
        assume(one in self.model and other in self.model)
        mode = "same" if alike else "opposite"
        first, second = self.model[one], self.model[other]
        if one == other:
            with pytest.raises(RegisterError):
                self.engine.circuits.entangle(one, other, mode)
            return
        if first.ties.get(other, alike) is not alike:
            with pytest.raises(RegisterError, match="otherwise"):
                self.engine.circuits.entangle(one, other, mode)
            return
        report = self.engine.circuits.entangle(one, other, mode)
        assert {one, other} <= set(report.group)
        if other in first.ties:
            return
        left = {one: True, **first.ties}
        right = {other: alike, **{name: each is alike for name, each in second.ties.items()}}
        for name, sign in right.items():
            # The leader keeps its probability, and the followers take it over.
            follower = self.model[name]
            follower.chance = None if first.chance is None else (first.chance if sign else 1 - first.chance)
        everyone = {**left, **right}
        for name, sign in everyone.items():
            self.model[name].ties = {o: s is sign for o, s in everyone.items() if o != name}

    @rule(one=names, other=names)
    def disentangle(self, one, other):
        assume(one in self.model and other in self.model and one != other)
        circuits, ids = self.engine.circuits, {self.home.record(name).id for name in (one, other)}
        try:
            circuits.disentangle([one, other])
        except RegisterError:
            assert not any({each.first, each.second} == ids for each in self.home.store.relations.all()), (
                "two are tied once: directly or through others"
            )
            circuits.disentangle(sorted(self.model))
        assert not any({each.first, each.second} == ids for each in self.home.store.relations.all())
        # The register is what it was until it is measured.
        self.unknown({one, *self.model[one].ties})
        self.unknown({other, *self.model[other].ties})

    @rule(name=names, gate=st.sampled_from(("X", "Z", "H")))
    def gate(self, name, gate):
        assume(name in self.model)
        model = self.model[name]
        self.engine.circuits.apply_gate(gate, [name])
        if gate == "X":
            model.chance = None if model.chance is None else 1.0 - model.chance
            for other in model.ties:
                self.model[other].ties[name] = not self.model[other].ties[name]
            # The relation stays declared as it was, so what is asked of it next is not modelled.
            self.unknown({name, *model.ties})
        elif gate == "H":
            self.unknown({name, *model.ties})
            model.chance = None

    def unknown(self, group):
        """The model knows chances of these at most: measuring takes them apart again."""
        if len(group) > 1:
            outcomes = self.engine.circuits.measure(min(group)).outcomes
            assert set(outcomes) >= group
            for name in outcomes:
                self.model[name].ties = {}
            self.collapse(outcomes)

    @rule(name=consumes(names), force=st.booleans())
    def remove(self, name, force):
        assume(name in self.model)
        if self.model[name].runs and not force and not self.waits(name):
            with pytest.raises(EngineRefusalError):
                self.engine.lifecycle.remove(name)
            return
        self.engine.lifecycle.remove(name, force=force)
        for other in self.model[name].ties:
            del self.model[other].ties[name]
        del self.model[name]

    @rule(node=st.sampled_from(NODES))
    def drain(self, node):
        assume(self.home.store.nodes.get(node).state is not NodeState.LOST)
        self.engine.nodes.drain(node)

    @rule(node=st.sampled_from(NODES))
    def activate(self, node):
        self.engine.nodes.activate(node)

    @precondition(lambda self: len(self.home.faults.away) < len(NODES) - 1)
    @rule(node=st.sampled_from(NODES))
    def lose(self, node):
        self.home.lose(node)
        assert self.home.store.nodes.get(node).state is NodeState.LOST
        assert all(record.node != node for record in self.home.store.containers.all())

    @rule(node=st.sampled_from(NODES))
    def come_back(self, node):
        self.home.come_back(node)

    @rule()
    def maintenance(self):
        report = self.engine.upkeep.maintenance()
        assert not report.problems
        assert not report.adopted

    @rule(seconds=st.sampled_from((0.1, 10.0, 3600.0)))
    def wait(self, seconds):
        self.home.clock.advance(seconds)
        self.engine.watch.look()

    @rule(dry_run=st.booleans())
    def rebalance(self, dry_run):
        before = {record.name: record.node for record in self.home.store.containers.all()}
        report = self.engine.balancing.rebalance(dry_run=dry_run)
        assert not [move.error for move in report.moves if move.error]
        after = {record.name: record.node for record in self.home.store.containers.all()}
        moved = {} if dry_run else {move.name: move.target for move in report.moves}
        assert after == before | moved

    @rule()
    def start_again(self):
        away = set(self.home.faults.away)
        clock = self.home.clock
        self.home.close()
        self.home.clock, self.home.faults.away = clock, away
        self.home.open()

    @precondition(lambda self: not self.home.faults.away)
    @rule()
    def into_another_home(self):
        document = json.loads(json.dumps(self.engine.snapshots.export()))
        before = {name: self.engine.circuits.probabilities(name) for name in self.model}
        clock = self.home.clock
        self.home.close()
        other = Home(self.path / f"number {self.moves_to}", NODES)
        self.moves_to += 1
        other.endpoints, other.config, other.clock = self.home.endpoints, self.home.config, clock
        self.home = other
        other.open()
        found = other.engine.snapshots.import_(document, take_over=True)
        assert (found["containers"], found["problems"]) == (len(before), [])
        for name, chances in before.items():
            assert self.engine.circuits.probabilities(name) == pytest.approx(chances, abs=1e-9)

    @invariant()
    def nothing_is_out_of_order(self):
        self.home.check()

    @invariant()
    def it_is_as_the_model_says(self):
        views = {view.record.name: view for view in self.engine.views.containers()}
        assert views.keys() == self.model.keys()
        for name, model in self.model.items():
            view = views[name]
            if model.chance is not None:
                # An hour of a decoherence time of 1000 hours is a relaxation of less than one in 10,000.
                assert view.probabilities["running"] == pytest.approx(model.chance, abs=RELAXED), name
            assert set(view.group) >= {name, *model.ties}
            if view.record.phase is Phase.READY:
                assert self.home.runs(name) is model.runs, name


RELAXED = 0.02

Commands.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    # To make a failure smaller takes minutes: take `Stage.shrink` in to do it.
    phases=(Stage.generate,),
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestCommands = Commands.TestCase
