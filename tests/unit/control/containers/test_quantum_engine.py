"""`QuantumDockerEngine`, and placement by whom the user, the configuration or nobody names."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from tests.unit.control.containers.homes import Home, request

from qrealm.base.clock import ManualClock
from qrealm.base.errors import NoSuchContainerError, RequestError, StoreError
from qrealm.containers import Config, NodeEntry, QuantumDockerEngine
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
