"""Gates and entanglements that take long: nobody waits for them, and what changed meanwhile counts."""

from __future__ import annotations

import threading
import time

import pytest
from tests.unit.control.containers.homes import Home

from engines.nodes import WAIT_S, wait_until
from engines.turns import Turns
from qrealm.base.errors import NoSuchContainerError, QrealmError, TooLargeError
from qrealm.control.containers import circuits as circuits_module
from qrealm.simulate.sparse_density_simulators import SparseSimulator


class Halt:
    """Holds up the first computation until it is let go."""

    def __init__(self, monkeypatch):
        self.begun, self.go_on, self.calls = threading.Event(), threading.Event(), 0
        compute = SparseSimulator.evolve

        def evolve(simulator, density, steps):
            self.calls += 1
            if self.calls == 1:
                self.begun.set()
                assert self.go_on.wait(WAIT_S)
            return compute(simulator, density, steps)

        monkeypatch.setattr(SparseSimulator, "evolve", evolve)


@pytest.fixture
def three(tmp_path):
    with Home(tmp_path) as home:
        for name in ("one", "two", "other"):
            home.create(name, probability=0.2)
        yield home


def beside(call, *arguments):
    """Run something in a thread; what it returns or raises is in the list."""
    found = []

    def work():
        try:
            found.append(call(*arguments))
        except QrealmError as problem:
            found.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, found


@pytest.mark.parametrize("what", ["gate", "entangle"])
def test_others_go_on_while_one_computes(three, monkeypatch, what):
    halt = Halt(monkeypatch)
    circuits = three.engine.circuits
    call = (circuits.apply_gate, "X", ["one"]) if what == "gate" else (circuits.entangle, "one", "two")
    thread, found = beside(*call)
    assert halt.begun.wait(WAIT_S)
    assert len(three.engine.views.containers()) == 3
    circuits.apply_gate("X", ["other"])
    circuits.measure("other")
    three.create("late")
    assert not found
    halt.go_on.set()
    thread.join(WAIT_S)
    assert circuits.probabilities("one")["running"] == pytest.approx(0.8 if what == "gate" else 0.2)
    assert circuits.group("one") == (("one",) if what == "gate" else ("one", "two"))


@pytest.mark.parametrize("what", ["gate", "entangle"])
def test_what_was_measured_meanwhile_is_what_counts(three, monkeypatch, what):
    halt = Halt(monkeypatch)
    circuits = three.engine.circuits
    call = (circuits.apply_gate, "X", ["one"]) if what == "gate" else (circuits.entangle, "one", "two")
    thread, found = beside(*call)
    assert halt.begun.wait(WAIT_S)
    state = circuits.measure("one").state
    halt.go_on.set()
    thread.join(WAIT_S)
    same = what == "entangle"
    assert found
    assert circuits.probabilities("one")[state] == pytest.approx(1.0 if same else 0.0, abs=1e-9)
    if same:
        assert circuits.measure("two").state == state


@pytest.mark.parametrize("what", ["gate", "entangle"])
def test_one_that_others_overtake_again_and_again_gets_its_turn(three, monkeypatch, what):
    """Somebody measures a member whenever it has been computed: the third time he has to wait."""
    circuits = three.engine.circuits
    monkeypatch.setattr(three.store._database, "_write_lock", turns := Turns())
    name = "apply_gate" if what == "gate" else "entangle"
    compute = getattr(circuits_module, name)
    overtaken, waiting = [], []

    def overtake(*arguments):
        result = compute(*arguments)
        assert len(overtaken) < 6, "it never gets done"
        three.clock.advance(1.0)
        thread, found = beside(circuits.measure, "one")
        wait_until(lambda: not thread.is_alive() or turns.waiting > 0)
        overtaken.append(not thread.is_alive())
        waiting.append((thread, found))
        return result

    monkeypatch.setattr(circuits_module, name, overtake)
    if what == "gate":
        circuits.apply_gate("X", ["one"])
    else:
        circuits.entangle("one", "two")
    assert overtaken == [True, True, False]
    thread, found = waiting[-1]
    thread.join(WAIT_S)
    outcomes = found[0].outcomes
    if what == "gate":
        # The gate has turned what the second measurement left.
        assert outcomes["one"] != waiting[1][1][0].state
    else:
        assert outcomes["one"] == outcomes["two"]


def test_a_container_that_goes_meanwhile_is_told(three, monkeypatch):
    halt = Halt(monkeypatch)
    thread, found = beside(three.engine.circuits.apply_gate, "X", ["one"])
    assert halt.begun.wait(WAIT_S)
    three.engine.lifecycle.remove("one")
    halt.go_on.set()
    thread.join(WAIT_S)
    assert isinstance(found[0], NoSuchContainerError)


def test_a_gate_that_cannot_be_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    """Sixteen that follow one another, four turned and decayed: the fifth took seconds to be refused."""
    with Home(tmp_path, decoherence_time_ms=1000.0) as home:
        names = [f"a{number:02}" for number in range(16)]
        for name in names:
            home.create(name, cpus=0.1, memory_mib=16)
        for name in names[1:]:
            home.engine.circuits.entangle("a00", name)
        for name in names[:4]:
            home.engine.circuits.apply_gate("RY", [name], 0.5)
        home.clock.advance(0.5)
        asked = []
        monkeypatch.setattr(SparseSimulator, "evolve", lambda *_: asked.append(1))
        started = time.thread_time()
        with pytest.raises(TooLargeError, match="the rule is at most 2,097,152") as problem:
            home.engine.circuits.apply_gate("RY", ["a04"], 0.5)
        assert time.thread_time() - started < 0.5
        assert asked == []
        assert "GiB" not in problem.value.message


@pytest.mark.parametrize("states", [1449, 1500, 5000, 65536])
def test_a_container_of_too_many_states_is_refused_with_the_rule(tmp_path, states):
    with Home(tmp_path) as home:
        with pytest.raises(TooLargeError, match="the rule is at most 2,097,152") as problem:
            home.create("many", states=tuple(f"s{number}" for number in range(states)))
        assert "fewer states" in problem.value.hint
        assert home.engine.views.containers() == ()
