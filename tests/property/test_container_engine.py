"""Random sequences of commands to the container engine, against a model of what they mean.

The model has what there is, where, what runs, and the exact joint state of every group; see `container_model`
and `container_quantum`. After every command all of it must be what the engine has.

QREALM_PROPERTY_EXAMPLES is how many sequences are run: for many of them give pytest `--timeout 0`, too. The
slow tests run longer ones; QREALM_PROPERTY_SEED is the first of the seeds by which these are drawn.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.property.container_model import NAMES, PORT, STATES, Container, Model, index_of, names, nodes
from tests.property.node_commands import NodeCommands
from tests.property.register_commands import RegisterCommands
from tests.unit.control.containers.homes import request

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
)
from qrealm.control.containers.values import MODES

CHANCES = (0.0, 0.2, 0.5, 0.9, 1.0)


class Commands(RegisterCommands, NodeCommands, Model, RuleBasedStateMachine):
    """Every rule does a command, and says of the answer what the model knows."""

    @initialize(
        t2_s=st.sampled_from((1.0, 20.0, 3.6e6)),
        ratio=st.sampled_from((1.0, 10.0)),
        limit=st.sampled_from((4, 6, 8)),
        states=st.sampled_from((2, 2, 3, 4)),
        chances=st.lists(st.sampled_from(CHANCES), min_size=2, max_size=5),
        modes=st.lists(st.sampled_from(MODES), max_size=3),
    )
    def first(self, t2_s, ratio, limit, states, chances, modes):
        self.begin(t2_s, ratio, limit)
        for name, chance in zip(NAMES, chances, strict=False):
            self.create(name, states, chance, 1.0, None, None)
        for number, mode in enumerate(modes, 1):
            self.entangle(0, number, mode, like=False)

    def teardown(self):
        self.end()

    @rule(
        name=st.sampled_from(NAMES),
        states=st.sampled_from((2, 2, 3, 4)),
        chance=st.sampled_from(CHANCES),
        weight=st.sampled_from((0.0, 1.0, 3.0)),
        port=st.sampled_from((None, None, PORT)),
        node=st.one_of(st.none(), st.none(), nodes),
    )
    def create(self, name, states, chance, weight, port, node):
        refusal: type[Exception] | None = None
        if name in self.containers:
            refusal = NameTakenError
        elif node is not None and node not in self.nodes:
            refusal = NoSuchContainerError
        elif not any(self.takes(each, port) for each in self.nodes if node in (None, each)):
            refusal = NoRoomError
        asked = request(
            name, probability=chance, states=STATES[:states], weight=weight, host_port=port, node=node
        )
        report = self.refused(refusal, lambda: self.engine.lifecycle.create(asked))
        if report is not None:
            self.containers[name] = Container(states, chance, weight, port)
            self.quantum.create(name, states, chance)
            self.placed()
            assert node in (None, report.container.node)

    @rule(number=names, force=st.booleans())
    def run(self, number, force):
        name = self.named(number)
        refusal = self.unknown(name)
        if refusal is None and self.containers[name].node is None:
            refusal = NoRoomError
        report = self.refused(refusal, lambda: self.engine.lifecycle.run(name, force=force))
        if report is None:
            return
        self.collapse(report.measured)
        known, first = self.containers[name], index_of(report.measured.state) == 0
        was, known.runs = known.runs, first or force
        assert (report.was_running, report.forced) == (was, force and not first)
        assert report.started is (known.runs and not was)
        assert report.stopped is (was and not known.runs)

    @rule(number=names)
    def stop(self, number):
        name = self.named(number)
        if self.refused(self.unknown(name), lambda: self.engine.lifecycle.stop(name)) is not None:
            self.containers[name].runs = False

    @rule(number=names, force=st.booleans())
    def remove(self, number, force):
        name = self.named(number)
        refusal = self.unknown(name)
        if refusal is None and not force:
            refusal = self.refuses_removal(name)
        if self.refused(refusal, lambda: self.engine.lifecycle.remove(name, force=force)) is not None:
            self.forget(name)

    def refuses_removal(self, name):
        known = self.containers[name]
        if not known.runs:
            return None
        if known.node is not None:
            return EngineRefusalError
        lost = {each for each, node in self.nodes.items() if node.state == "lost"}
        return EngineUnavailableError if lost & known.been else None

    @invariant()
    def it_is_as_the_model_says(self):
        self.check()


def tried(examples, steps, start=None):
    """Run so many sequences. To have a failure made smaller, which takes minutes, add `Stage.shrink`."""
    machine = Commands if start is None else seed(start)(type("Commands", (Commands,), {}))
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=start is None,
        phases=(Stage.generate,),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_commands():
    tried(int(os.environ.get("QREALM_PROPERTY_EXAMPLES", "30")), 25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("start", range(4))
def test_many_commands(start):
    first = int(os.environ.get("QREALM_PROPERTY_SEED", "0"))
    tried(40, 50, first + start)
