"""What balancing and draining leave where it is, and why."""

from __future__ import annotations

from tests.unit.control.containers.homes import Home


def test_a_drain_names_what_stays_and_why(home):
    home.create("large", node="na", memory_mib=3000)
    home.create("small", node="na", memory_mib=1000)
    home.create("there", node="nb", memory_mib=2000)
    report = home.engine.nodes.drain("na")
    assert [(move.name, move.done) for move in report.moves] == [("small", True)]
    assert report.kept == ("large",)
    assert report.stays == {"large": "no other node takes it; nb: needs 1,904 MiB more memory"}
    home.engine.lifecycle.remove("there")
    home.faults.arm(1, "refused before", ("create",))
    report = home.engine.nodes.drain("na")
    assert report.stays == {"large": "nb refuses create"}
    home.faults.disarm()
    assert home.engine.nodes.drain("na").stays == {}


def test_the_only_node_is_drained_of_nothing(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        home.create("web")
        assert home.engine.nodes.drain("na").stays == {"web": "there is no other node"}
        home.check()


def test_what_a_drain_finds_half_made_stays(home):
    home.create("web", node="na")
    home.create("lost", node="nb")
    home.lose("nb")
    assert home.record("lost").node == "na"
    home.come_back("nb")
    home.faults.arm(1, "unavailable before", ("create",))
    # Its node has lost it, and cannot make it again now.
    record = home.record("lost")
    home.engine._ctx.drivers.of(home.store.nodes.get("na")).remove(record.engine_id, force=True)
    home.engine.upkeep.maintenance()
    home.faults.disarm()
    stays = home.engine.nodes.drain("na").stays
    assert stays == {"lost": "its phase is making again; try again in a moment"}
    home.engine.upkeep.maintenance()


def test_a_load_balance_tells_of_those_that_it_was_asked_about(home):
    home.create("web", node="na")
    home.create("other", node="nb")
    assert home.engine.balancing.load_balance(["web"]).stays == {
        "web": "stays on na: no other node is better"
    }
    assert home.engine.balancing.rebalance().stays == {}


def test_a_rebalance_tells_what_it_could_not_move(home):
    for number in range(4):
        home.create(f"c{number}", node="na", probability=1.0)
    home.faults.arm(1, "unavailable before", ("create",))
    report = home.engine.balancing.rebalance()
    home.faults.disarm()
    ((name, why),) = report.stays.items()
    assert (name, why) == (report.moves[0].name, "nb broke off at create")
