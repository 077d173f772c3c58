"""After a silence of all nodes, or of a swarm's manager, the first that answers says nothing of the rest."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.control.containers.homes import Home

from qrealm.base.errors import EngineUnavailableError, NodeDownError
from qrealm.control.containers.settling import MANAGER_SETTLES_S, Settling
from qrealm.control.containers.values import NodeState, Phase

NODES = ("na", "nb")
SILENT = EngineUnavailableError("no answer")
DOWN = NodeDownError("the swarm says that it is down")


def test_what_was_unreachable_with_all_others_stays_where_it_is(tmp_path):
    with Home(tmp_path, NODES) as home:
        before = home.create("web", node="nb")
        home.lose(*NODES)
        assert home.record("web").phase is Phase.WAITING
        home.come_back("na")
        home.clock.advance(home.config.node_lost_after_s - 1)
        home.engine.upkeep.maintenance()
        assert home.record("web").phase is Phase.WAITING, "its node has had two seconds since"
        home.come_back("nb")
        after = home.record("web")
        assert (after.node, after.engine_id, after.phase) == ("nb", before.engine_id, Phase.READY)
        home.check()


def test_what_does_not_come_back_with_the_others_is_placed_again(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="nb")
        home.lose(*NODES)
        home.come_back("na")
        home.clock.advance(home.config.node_lost_after_s + 3)
        home.engine.watch.look()
        assert (home.record("web").node, home.record("web").phase) == ("na", Phase.READY)
        home.come_back("nb")
        home.check()


def test_one_that_is_silent_alone_gets_no_time(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="nb")
        home.engine.watch.look()
        home.lose("nb")
        assert home.record("web").node == "na"
        home.come_back("nb")
        home.check()


def test_what_is_not_of_a_node_that_may_come_is_placed_at_once(tmp_path):
    with Home(tmp_path, ("na", "nb", "nc"), cpus=2) as home:
        for name, node in (("web", "na"), ("db", "nb"), ("job", "nc")):
            home.create(name, node=node)
        home.lose("nc")
        assert home.record("job").node in ("na", "nb")
        home.lose("na", "nb")
        home.come_back("na")
        home.engine.nodes.remove("nc", force=True)
        home.engine.upkeep.maintenance()
        phases = {name: home.record(name).phase for name in ("web", "db", "job")}
        assert phases["web"] is Phase.READY
        assert phases["db"] is Phase.WAITING
        home.come_back("nb")
        assert {home.record(name).phase for name in phases} == {Phase.READY}
        home.check()


def test_a_node_that_misses_probes_hides_no_loss(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.create("web", node="nb")
        home.engine.watch.look()
        home.faults.away.add("nb")
        waited_s = 0.0
        while home.record("web").node == "nb":
            # In every fourth round, and then in two of four, nobody answers.
            number = round(waited_s / 0.75)
            (home.faults.away.add if number % 4 in (2, 3) else home.faults.away.discard)("na")
            home.clock.advance(0.75)
            home.engine.watch.look()
            waited_s += 0.75
            assert waited_s < 4 * home.config.node_lost_after_s
        home.faults.away.clear()
        home.engine.watch.look()
        home.check()


def of_a_swarm(tmp_path):
    """Three members of a swarm, and a node that is none."""
    with Home(tmp_path, ("na", "nb", "nc", "nd")) as home:
        known = home.store.nodes.all()
    manager = "tcp://manager:2376"
    members = [
        replace(node, endpoint=replace(node.endpoint, url=manager, member=node.name)) for node in known[:3]
    ]
    nodes = [*members, known[3]]
    settling = Settling(network_s=3.0)

    def heard(now, **problems):
        settling.heard(nodes, dict.fromkeys(("na", "nb", "nc", "nd")) | problems, now)

    return settling, heard


def test_members_have_time_to_find_their_manager(tmp_path):
    settling, heard = of_a_swarm(tmp_path)
    # A manager that is met for the first time may have begun just now.
    heard(0.0, nb=SILENT)
    assert settling.may_come("nb", MANAGER_SETTLES_S - 0.1)
    assert not settling.may_come("nb", MANAGER_SETTLES_S)
    assert not settling.may_come("nd", 0.0)

    heard(28.5)
    for now in (29.0, 30.0):
        heard(now, na=SILENT, nb=SILENT, nc=SILENT)
    assert not settling.may_come("nb", 30.0), "the silence has not ended"
    heard(40.0, nb=SILENT, nc=SILENT)
    assert settling.may_come("nb", 49.9)
    assert settling.may_come("nc", 49.9)
    assert not settling.may_come("nd", 40.0)
    heard(41.0, nc=SILENT)
    assert not settling.may_come("nb", 41.0), "it has come"
    assert settling.may_come("nc", 49.9)


def test_one_round_is_no_silence(tmp_path):
    settling, heard = of_a_swarm(tmp_path)
    heard(19.5)
    heard(20.0, na=SILENT, nb=SILENT, nc=SILENT)
    heard(21.0, nb=SILENT)
    assert not settling.may_come("nb", 21.0)


def test_time_is_given_once_for_each_silence(tmp_path):
    settling, heard = of_a_swarm(tmp_path)
    heard(19.5)
    for round_ in range(20):
        began = 20.0 + 4 * round_
        heard(began, na=SILENT, nb=SILENT, nc=SILENT)
        heard(began + 1, na=SILENT, nb=SILENT, nc=SILENT)
        heard(began + 2, nb=SILENT, nc=SILENT)
        assert settling.may_come("nb", began + 2) is (round_ in (0, 1, 2))


def test_who_says_that_a_member_is_down_is_there(tmp_path):
    settling, heard = of_a_swarm(tmp_path)
    heard(19.5)
    for now in (20.0, 21.0):
        heard(now, na=SILENT, nb=SILENT, nc=SILENT)
    heard(22.0, na=SILENT, nb=DOWN, nc=SILENT)
    assert settling.may_come("nc", 31.9)


def test_a_new_node_of_an_old_name_has_no_past(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.engine.watch.look()
        home.lose("nb")
        home.clock.advance(100.0)
        home.engine.nodes.remove("nb")
        home.faults.away.discard("nb")
        home.engine.nodes.add("nb", home.endpoints["nb"])
        home.faults.away.add("nb")
        for _ in range(2):
            home.engine.watch.look()
        assert home.store.nodes.get("nb").state is NodeState.READY
        home.clock.advance(home.config.node_lost_after_s)
        home.engine.watch.look()
        assert home.store.nodes.get("nb").state is NodeState.LOST
        home.faults.away.clear()
        home.engine.watch.look()


def test_a_drained_node_is_drained_when_all_come_back(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.engine.nodes.drain("nb")
        home.lose(*NODES)
        home.come_back(*NODES)
        assert [home.store.nodes.get(name).state for name in NODES] == [NodeState.READY, NodeState.DRAINING]
