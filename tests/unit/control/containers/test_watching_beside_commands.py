"""Commands remove nodes and containers while the watch is in the middle of a round."""

from __future__ import annotations

import threading

from tests.unit.control.containers.homes import Home

from engines.nodes import WAIT_S, wait_until
from engines.turns import Turns
from qrealm.base.errors import EngineUnavailableError
from qrealm.control.containers.settling import Settling
from qrealm.control.containers.values import NodeRecord, NodeState
from qrealm.control.containers.watch import RETRY_S, _Try
from qrealm.fleet.containers.protocol import Endpoint

SILENT = EngineUnavailableError("no answer")
NODES = [
    NodeRecord(name, Endpoint("docker", f"unix:///{name}"), name, 1.0, 1 << 30, NodeState.READY, False)
    for name in ("na", "nb")
]


def test_a_node_that_is_removed_in_the_middle_of_a_round_breaks_it_not():
    settling = Settling(network_s=3.0)
    settling._lock = turns = Turns()
    removing = threading.Thread(target=settling.forget, args=("nb",))

    class Problems(dict):
        def __getitem__(self, name):
            if removing.ident is None:
                removing.start()
                # It comes in between, where it may.
                wait_until(lambda: turns.waiting > 0 or not removing.is_alive())
            return super().__getitem__(name)

    settling.heard(NODES, Problems(na=SILENT, nb=SILENT), 20.0)
    removing.join(WAIT_S)
    assert not removing.is_alive()


def test_a_node_that_gets_the_name_of_a_silent_one_has_no_part_in_its_silence():
    for forgotten in (False, True):
        settling = Settling(network_s=3.0)
        settling.heard(NODES, {"na": None, "nb": None}, 19.0)
        for now in (20.0, 21.0):
            settling.heard(NODES, {"na": SILENT, "nb": SILENT}, now)
        if forgotten:
            settling.forget("nb")
        settling.heard(NODES, {"na": None, "nb": SILENT}, 22.0)
        assert settling.may_come("nb", 22.0) is not forgotten


def test_a_try_that_succeeds_in_the_middle_of_a_round_breaks_it_not(tmp_path):
    class Tries(dict):
        def keys(self):
            found = set(super().keys())
            self.clear()  # what another thread does when it has made the container
            return found

    with Home(tmp_path, ("na", "nb")) as home:
        home.create("web", node="na")
        watch = home.engine.watch
        watch._tries = Tries({"gone": _Try(5.0, 0.0)})
        home.clock.advance(RETRY_S)
        watch.look()
        assert watch._tries == {}
        home.check()
