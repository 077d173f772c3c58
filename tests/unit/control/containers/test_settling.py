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


def test_members_have_time_to_find_their_manager(tmp_path):
    with Home(tmp_path, ("na", "nb", "nc", "nd")) as home:
        known = home.store.nodes.all()
    members = [
        replace(node, endpoint=replace(node.endpoint, url="tcp://manager:2376", member=node.name))
        for node in known[:3]
    ]
    _, nb, nc = members
    alone = known[3]
    settling = Settling(network_s=3.0)

    def heard(now, **problems):
        everyone = dict.fromkeys(("na", "nb", "nc", "nd")) | problems
        settling.heard([*members, alone], everyone, now)

    # A manager that is met for the first time may have begun just now.
    heard(0.0, nb=SILENT)
    assert settling.may_come(nb, MANAGER_SETTLES_S - 0.1)
    assert not settling.may_come(nb, MANAGER_SETTLES_S)
    assert not settling.may_come(alone, 0.0)

    heard(20.0, nb=SILENT)
    assert not settling.may_come(nb, 20.0), "the manager has been there all the time"

    heard(30.0, na=SILENT, nb=SILENT, nc=SILENT)
    heard(40.0, nb=SILENT, nc=SILENT)
    assert settling.may_come(nb, 49.9)
    assert settling.may_come(nc, 49.9)
    assert not settling.may_come(alone, 40.0)

    # One who says that a member is down is there.
    heard(60.0, na=SILENT, nb=SILENT, nc=SILENT)
    heard(61.0, na=SILENT, nb=DOWN, nc=SILENT)
    heard(70.0, nb=SILENT, nc=SILENT)
    assert settling.may_come(nc, 70.9)
    assert not settling.may_come(nc, 71.0)


def test_a_drained_node_is_drained_when_all_come_back(tmp_path):
    with Home(tmp_path, NODES) as home:
        home.engine.nodes.drain("nb")
        home.lose(*NODES)
        home.come_back(*NODES)
        assert [home.store.nodes.get(name).state for name in NODES] == [NodeState.READY, NodeState.DRAINING]
