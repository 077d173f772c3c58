"""What counts as load: the whole weight of what runs or is to, of the rest what its next `run` may start."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.control.containers.values import Phase


def loads(home):
    """By node what `nodes ls` shows, which is what a placement counts."""
    shown = {view.record.name: view.load for view in home.engine.nodes.all()}
    assert all(home.engine.nodes.view(view.record).load == view.load for view in home.engine.nodes.all())
    return shown


def shares(home):
    """By node the share of all load that a placement sees, as a rebalance that does nothing tells it."""
    report = home.engine.balancing.rebalance(dry_run=True)
    assert report.moves == ()
    return {node: share["load"] for node, share in report.loads.items()}


@pytest.fixture
def fading(tmp_path):
    """A home in which a register relaxes within seconds."""
    with Home(tmp_path, decoherence_time_ms=1000.0) as opened:
        yield opened


def test_what_was_forced_to_run_counts_whole(home):
    home.create("web", node="na", weight=3.0, probability=0.0)
    assert loads(home) == {"na": 0.0, "nb": 0.0}
    report = home.engine.lifecycle.run("web", force=True)
    assert report.forced
    assert home.record("web").measured.state == "stopped"
    assert loads(home) == {"na": 3.0, "nb": 0.0}
    # Measured again it stays stopped, and is stopped.
    home.engine.lifecycle.run("web")
    assert loads(home) == {"na": 0.0, "nb": 0.0}


def test_what_was_stopped_counts_as_likely_as_its_next_run_starts_it(fading):
    fading.create("web", node="na", weight=2.0, probability=0.25)
    assert loads(fading)["na"] == pytest.approx(0.5)
    while not fading.engine.lifecycle.run("web").started:
        fading.clock.advance(600.0)
    assert loads(fading)["na"] == 2.0
    fading.engine.lifecycle.stop("web")
    # Its register still says that it runs, and the next run would measure that.
    assert loads(fading)["na"] == pytest.approx(2.0)
    fading.clock.advance(600.0)
    assert loads(fading)["na"] == pytest.approx(0.5)


def test_what_runs_counts_whole_however_its_register_fades(fading):
    fading.create("web", node="na", weight=2.0, probability=0.25)
    fading.create("other", node="nb", weight=2.0, probability=1.0)
    while not fading.engine.lifecycle.run("web").started:
        fading.clock.advance(600.0)
    for _ in range(3):
        fading.clock.advance(30.0)
        assert loads(fading)["na"] == 2.0
        assert shares(fading) == {"na": 0.5, "nb": 0.5}
    assert fading.engine.views.inspect("web").probabilities["running"] == pytest.approx(0.25, abs=1e-3)


def test_what_is_started_again_after_a_loss_counts_whole_at_once(home):
    home.create("web", node="na", weight=3.0, probability=0.0)
    home.create("idle", node="na", weight=5.0, probability=0.0)
    home.engine.lifecycle.run("web", force=True)
    home.faults.arm(1, "unavailable before", ("create",))
    home.lose("na")
    home.faults.disarm()
    # One of them could not be made again yet.
    assert Phase.MAKING_AGAIN in {home.record(name).phase for name in ("web", "idle")}
    assert loads(home) == {"na": 0.0, "nb": 3.0}
    home.rounds(3)
    assert home.runs("web")
    assert loads(home) == {"na": 0.0, "nb": 3.0}


def test_what_ended_by_itself_counts_as_likely_as_it_starts_again(home):
    home.create("web", node="na", weight=3.0, probability=0.0)
    home.engine.lifecycle.run("web", force=True)
    record = home.record("web")
    home.engine._ctx.drivers.of(home.store.nodes.get("na")).stop(record.engine_id, 0.0)
    for _ in range(2):
        home.engine.watch.look()
        home.clock.advance(home.config.node_lost_after_s + 1)
    home.engine.watch.look()
    assert loads(home)["na"] == 0.0


def test_a_rebalance_goes_by_what_runs_and_is_content_with_it(tmp_path):
    """Four of the same odds on one node, of which one pair runs: the pair is parted, and it stays so."""
    with Home(tmp_path, decoherence_time_ms=1000.0, move_cost=0.2) as home:
        for number in range(4):
            home.create(f"c{number}", node="na" if number < 2 else "nb", weight=4.0, probability=0.02)
        for name in ("c0", "c1"):
            home.engine.lifecycle.run(name, force=True)
        assert loads(home)["na"] == 8.0
        assert loads(home)["nb"] == pytest.approx(4.0 * 0.04)
        report = home.engine.balancing.rebalance()
        assert report.objective_after < report.objective_before
        assert {move.name for move in report.moves} & {"c0", "c1"}
        assert len({home.record(name).node for name in ("c0", "c1")}) == 2
        assert all(home.runs(name) for name in ("c0", "c1"))
        for _ in range(4):
            home.clock.advance(20.0)
            assert home.engine.balancing.rebalance().moves == ()
        # Who stops is no load, and what is left stays until that pays.
        home.engine.lifecycle.stop("c0")
        home.clock.advance(600.0)
        home.engine.balancing.rebalance()
        assert home.engine.balancing.rebalance().moves == ()
        home.check()
