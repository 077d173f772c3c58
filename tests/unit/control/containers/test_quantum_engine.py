"""`QuantumDockerEngine`, and placement by whom the user, the configuration or nobody names."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import threading

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.clock import ManualClock
from qrealm.base.errors import ConfigError, NoSuchContainerError, RequestError, StoreError
from qrealm.containers import Config, NodeEntry, QuantumDockerEngine
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.values import Wanted
from qrealm.fleet.containers.protocol import Endpoint

NODES = tuple(
    NodeEntry(name, Endpoint("simulated", f"simulated://{name}?cpus=4&memory_mib=4096"))
    for name in ("na", "nb")
)
CONFIG = Config(nodes=NODES, seed=7, decoherence_time_ms=3.6e9)


def engine_in(path, **settings):
    return QuantumDockerEngine(dataclasses.replace(CONFIG, **settings), path, ManualClock())


def test_it_is_closed_before_it_is_opened_and_after_it_is_closed(tmp_path):
    async def story():
        engine = engine_in(tmp_path)
        with pytest.raises(StoreError, match="not open") as problem:
            _ = engine.circuits
        assert "async with" in problem.value.hint
        assert await engine.open() is engine
        assert engine.parts.nodes.all()[0].record.name == "na"
        await engine.close()
        with pytest.raises(StoreError, match="not open"):
            await engine.get_engine_status()
        await engine.close()  # once more does no harm

    asyncio.run(story())


def test_what_it_made_is_there_when_it_is_opened_again(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            made = await engine.create(request("web", probability=1.0))
            assert made.container.node == made.decision.chosen
            report = await engine.run("web")
            assert (report.started, report.measured.state) == (True, "running")
        async with engine_in(tmp_path) as engine:
            status = await engine.get_engine_status()
            assert status["containers"] == {"total": 1, "max": 50, "running": 1, "waiting": 0}
            assert await engine.remove("web", force=True) == "web"
            with pytest.raises(NoSuchContainerError):
                await engine.measure("web")
            assert await engine.call(lambda parts: parts.views.containers()) == ()

    asyncio.run(story())


def test_groups_status_and_load_balancing(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            for name in ("one", "two", "three"):
                await engine.create(request(name, node="na"))
            report = await engine.entangle("one", "two", "opposite")
            assert report.probabilities == pytest.approx({"running,stopped": 0.5, "stopped,running": 0.5})
            resources = (await engine.get_engine_status())["resources"]
            assert resources["quantum_coherence"]["registers"] == pytest.approx({"one+two": 1, "three": 1})
            assert resources["quantum_coherence"]["sum_bits"] == pytest.approx(2)
            assert resources["resource_entanglement"]["pairs"] == pytest.approx({"one,two": 2})
            planned = await engine.quantum_load_balance(["one", "two"], dry_run=True)
            assert planned.dry_run
            balanced = await engine.quantum_load_balance(["one", "two"], "greedy")
            assert balanced.scheduler == "greedy"
            balanced = await engine.quantum_load_balance(["one", "two"])
            nodes = {view.record.name: view.record.node for view in engine.parts.views.containers()}
            assert nodes["one"] != nodes["two"]
            assert nodes["three"] == "na"
            outcomes = (await engine.measure("two")).outcomes
            assert outcomes["one"] != outcomes["two"]
            assert set(outcomes) == {"one", "two"}

    asyncio.run(story())


def open_engines():
    return sum(thread.name == "watch-nodes" for thread in threading.enumerate())


def held_up(monkeypatch, owner, name, *, after):
    """Have a method wait before or after its work, once; what tells that it does, and what lets it go on."""
    reached, go_on, real = threading.Event(), threading.Event(), getattr(owner, name)

    def method(self, *arguments, **options):
        first = not reached.is_set()
        found = real(self, *arguments, **options) if after or not first else None
        if first:
            reached.set()
            assert go_on.wait(60)
        return found if after or not first else real(self, *arguments, **options)

    monkeypatch.setattr(owner, name, method)
    return reached, go_on


@pytest.mark.parametrize(
    "when", ["before its thread begins", "while it opens", "when it has just opened", "when that is known"]
)
def test_an_opening_that_is_given_up_leaves_the_home_to_the_next(tmp_path, monkeypatch, when):
    before = open_engines()

    async def story():
        engine = engine_in(tmp_path)
        go_on = threading.Event()
        if when == "before its thread begins":
            engine._doors.submit(go_on.wait, 60)
        elif when == "while it opens":
            reached, go_on = held_up(monkeypatch, ContainerEngine, "open", after=False)
        elif when == "when it has just opened":
            reached, go_on = held_up(monkeypatch, QuantumDockerEngine, "_begin", after=True)
        opening = asyncio.create_task(engine.open())
        await asyncio.sleep(0)
        if when == "when that is known":
            engine._doors.submit(int).result(60)  # the loop stands still meanwhile
            assert engine.parts
        elif when != "before its thread begins":
            assert await asyncio.to_thread(reached.wait, 60)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        go_on.set()
        async with engine:  # waits for what was given up
            assert engine.parts.nodes.all()[0].record.name == "na"
        monkeypatch.undo()

    asyncio.run(story())
    asyncio.run(story())
    assert open_engines() == before


def test_an_opening_that_is_given_up_when_the_program_ends_is_closed(tmp_path):
    async def story():
        opening = asyncio.create_task(engine.open())
        await asyncio.sleep(0)
        opening.cancel()

    engine = engine_in(tmp_path)

    async def again():
        async with engine:
            return len(engine.parts.nodes.all())

    before = open_engines()
    asyncio.run(story())
    assert asyncio.run(again()) == 2
    assert open_engines() == before


def test_a_second_opening_says_that_it_is_open(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            with pytest.raises(StoreError, match="it is open already"):
                await engine.open()
            cancelled = asyncio.create_task(engine.open())
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await asyncio.wrap_future(engine._doors.submit(int))  # what is done about it has been done
            assert (await engine.get_engine_status())["nodes"]["ready"] == 2, "it has closed nothing"

    asyncio.run(story())


def test_a_command_that_is_cancelled_goes_on_to_its_end(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            making = asyncio.create_task(engine.create(request("web")))
            await asyncio.sleep(0)
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            for _ in range(1200):
                if await engine.call(lambda parts: parts.views.containers()):
                    break
                await asyncio.sleep(0.05)
            assert (await engine.inspect("web")).record.name == "web"

    asyncio.run(story())


def test_the_loop_goes_on_while_a_command_works(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            await engine.create(request("web", probability=0.2))
            held = asyncio.create_task(asyncio.to_thread(hold, engine.parts))
            await asyncio.to_thread(taken.wait, 60)
            waiting = [
                asyncio.create_task(work)
                for work in (engine.apply_gate("X", ["web"]), engine.measure("web"), engine.maintenance())
            ]
            ticks = 0
            while ticks < 20:
                await asyncio.sleep(0.01)
                ticks += 1
            assert not any(task.done() for task in waiting)
            free.set()
            await held
            return await asyncio.gather(*waiting)

    def hold(parts):
        """Nobody else may write meanwhile."""
        with parts._ctx.store.transaction():
            taken.set()
            assert free.wait(60)

    taken, free = threading.Event(), threading.Event()
    gate, measured, _ = asyncio.run(story())
    assert gate.names == ("web",)
    assert measured.outcomes["web"] in ("running", "stopped")


def test_what_else_can_be_awaited(tmp_path):
    async def story():
        async with engine_in(tmp_path) as engine:
            for name in ("one", "two"):
                await engine.create(request(name, probability=0.2, node="na"))
            await engine.apply_gate("X", ["one"])
            assert (await engine.inspect("one")).probabilities["running"] == pytest.approx(0.8)
            await engine.entangle("one", "two")
            assert len((await engine.disentangle(["one", "two"])).ended) == 1
            await engine.entangle("one", "two")
            sent = await engine.send_message("one", "two", "greeting", {"text": "hello"})
            (message,) = await engine.messages("two")
            assert (message.data, message.sender) == ({"text": "hello"}, sent.message.sender)
            assert await engine.messages("two", unread_only=True) == ()
            assert (await engine.why("one"))[0].chosen == "na"
            assert (await engine.rebalance(dry_run=True)).dry_run
            assert (await engine.maintenance(renew=True)).problems == ()
            await engine.run("one", force=True)
            assert (await engine.stop("one")).wanted is Wanted.STOPPED

    asyncio.run(story())


@pytest.mark.parametrize("settings", [{"scheduler": "greedy"}, {"enable_quantum_scheduling": False}])
def test_a_scheduler_that_is_named_decides_whatever_is_configured(tmp_path, settings):
    async def story():
        async with engine_in(tmp_path, **settings) as engine:
            named = dataclasses.replace(request("named"), scheduler="portfolio")
            report = await engine.create(named)
            assert report.decision.scheduler == report.container.scheduler == "portfolio"
            report = await engine.create(request("other"))
            assert report.decision.scheduler == report.container.scheduler == "greedy"
            assert (await engine.quantum_load_balance(["named"], "portfolio")).scheduler == "portfolio"
            assert (await engine.quantum_load_balance(["named"])).scheduler == "greedy"

    asyncio.run(story())


@pytest.mark.parametrize("command", ["load-balance", "rebalance"])
def test_a_decision_to_stay_is_kept_too(home, command):
    home.create("one", node="na")
    home.create("two", node="nb")
    balancing = home.engine.balancing

    def balance(dry_run):
        if command == "rebalance":
            return balancing.rebalance(dry_run=dry_run)
        return balancing.load_balance(["one", "two"], dry_run=dry_run)

    assert set(balance(True).kept) == {"one", "two"}
    assert [decision.action for decision in balancing.why("one")] == ["create"]
    assert set(balance(False).kept) == {"one", "two"}
    newest = balancing.why("one")[0]
    assert (newest.action, newest.chosen, newest.before) == (command, "na", "na")
    assert newest.reason


def test_a_drain_tells_no_objective(home):
    home.create("one", node="na")
    home.create("two", node="nb")
    report = home.engine.nodes.drain("na")
    assert [move.done for move in report.moves] == [True]
    assert (report.objective_before, report.objective_after) == (None, None)
    assert home.engine.balancing.rebalance(dry_run=True).objective_before is not None


def test_the_list_of_schedulers_says_who_brings_each(home):
    rows = {each.name: each for each in home.engine.balancing.schedulers()}
    assert {"portfolio", "greedy", "exact"} <= rows.keys()
    assert rows["portfolio"].origin == "qrealm"
    assert rows["portfolio"].problem == ""


def test_load_balancing_nobody_is_refused(tmp_path):
    with Home(tmp_path) as home, pytest.raises(RequestError, match="got no container"):
        home.engine.balancing.load_balance([])


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda engine: engine.apply_gate("RY", "aa1", 0.3), "'aa1' as containers; the rule is"),
        (lambda engine: engine.apply_gate("aa1", "RY", 0.3), "got 'aa1' as gate and 'RY' as containers"),
        (lambda engine: engine.apply_gate(["aa1"], "RY", 0.3), "the name of a gate, then a list of names"),
        (lambda engine: engine.quantum_load_balance("aa1"), "got 'aa1'; the rule is a list of names"),
        (lambda engine: engine.quantum_load_balance([1]), "the rule is a list of names"),
        (lambda engine: engine.measure(["aa1"]), "got ['aa1'] for a container; the rule is its name or id"),
        (lambda engine: engine.run(7), "got 7 for a container"),
        (lambda engine: engine.stop(None), "got None for a container"),
        (lambda engine: engine.remove(["aa1"], force=True), "got ['aa1'] for a container"),
        (lambda engine: engine.inspect(("aa1",)), "got ('aa1',) for a container"),
        (lambda engine: engine.why(["aa1"]), "got ['aa1'] for a container"),
        (lambda engine: engine.entangle(["aa1"], "bb"), "got ['aa1'] for a container"),
        (lambda engine: engine.send_message(["aa1"], "bb", "x", 1), "got ['aa1'] for a container"),
        (lambda engine: engine.messages(["aa1"]), "got ['aa1'] for a container"),
        (lambda engine: engine.create("web"), "create got 'web' as request; the rule is a CreateRequest"),
        (lambda engine: engine.create(None), "create got None as request; the rule is a CreateRequest"),
        (lambda engine: engine.run("aa1", force="no"), "run got 'no' as force; the rule is True or False"),
        (lambda engine: engine.remove("aa1", force="no"), "'no' as force; the rule is True or False"),
        (lambda engine: engine.remove("aa1", volumes=1), "1 as volumes; the rule is True or False"),
        (lambda engine: engine.stop("aa1", "x"), "stop got 'x' as grace_s; the rule is a number"),
        (lambda engine: engine.rebalance([1]), "got [1] as scheduler; the rule is text, or None"),
        (lambda engine: engine.rebalance(dry_run="no"), "rebalance got 'no' as dry_run; the rule is True or"),
        (
            lambda engine: engine.quantum_load_balance(["aa1"], dry_run="no"),
            "quantum_load_balance got 'no' as dry_run; the rule is True or False",
        ),
        (lambda engine: engine.quantum_load_balance(["aa1"], 7), "got 7 as scheduler; the rule is text, or"),
        (lambda engine: engine.messages("aa1", unread_only=0), "got 0 as unread_only; the rule is True or"),
        (lambda engine: engine.maintenance(renew="x"), "got 'x' as renew; the rule is True or False"),
    ],
)
def test_a_wrong_type_is_told_with_the_rule(tmp_path, ask, words):
    async def story():
        async with engine_in(tmp_path) as engine:
            await engine.create(request("aa1"))
            await engine.create(request("bb"))
            with pytest.raises(RequestError, match=re.escape(words)) as problem:
                await ask(engine)
            if "as gate" in words:
                assert problem.value.hint == 'as in apply_gate("RY", ["web"], angle=0.3)'

    asyncio.run(story())


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((3,), "QuantumDockerEngine got 3 as config; the rule is a Config, or None"),
        (("x",), "QuantumDockerEngine got 'x' as config; the rule is a Config, or None"),
        (({},), "QuantumDockerEngine got {} as config; the rule is a Config, or None"),
        ((CONFIG, 3), "QuantumDockerEngine got 3 as home; the rule is text, or a PathLike, or None"),
    ],
)
def test_an_engine_of_a_wrong_type_is_told_with_the_rule(arguments, words):
    with pytest.raises(RequestError, match=re.escape(words)):
        QuantumDockerEngine(*arguments)


@pytest.mark.parametrize(
    "name, words", [("nope", "there is no scheduler 'nope'"), ("cp_sat", "whole numbers")]
)
def test_a_configured_scheduler_that_cannot_be_is_told_when_it_opens(tmp_path, name, words):
    async def story():
        engine = engine_in(tmp_path, scheduler=name)
        with pytest.raises(ConfigError, match=words):
            await engine.open()
        async with engine_in(tmp_path, scheduler="exact"):
            pass  # and the home is free

    asyncio.run(story())
