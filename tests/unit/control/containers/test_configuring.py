"""A start with another configuration: what it waits for, and that all of that holds or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.unit.control.containers.homes import Home, Node, configured, endpoint, looked_at, stuck, views

from qrealm.base.errors import EngineUnavailableError, RequestError
from qrealm.control.containers import configuring
from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.removing import Removing
from qrealm.control.containers.values import NodeState, Phase
from qrealm.control.store.record_tables import Nodes


def entries_of(home):
    return [NodeEntry(name, where) for name, where in home.endpoints.items()]


def test_a_start_does_not_wait_for_what_is_made_on_a_new_node(tmp_path):
    with Home(tmp_path, ("na",)) as home:
        home.create("web", node="na")
        home.lose("na")
        assert home.record("web").phase is Phase.WAITING
        home.endpoints["nc"] = endpoint(home.path, "nc")
        with stuck(home, ("nc", "pull"), ("nc", "create")) as making:
            configured(home, *entries_of(home))
            assert views(home)["nc"].record.state is NodeState.READY
            assert not making.entered.is_set()
        looked_at(home)
        assert home.record("web").node == "nc"
        home.check()


@pytest.mark.parametrize("call", ["ping", "facts"])
def test_a_start_does_not_wait_for_a_new_node_that_does_not_say_what_it_is(tmp_path, monkeypatch, call):
    monkeypatch.setattr(configuring, "LOOK_S", 0.1)
    with Home(tmp_path, ("na",), node_lost_after_s=1000.0) as home:
        home.endpoints["nc"] = endpoint(home.path, "nc")
        with stuck(home, ("nc", call)):
            configured(home, *entries_of(home))
            found = views(home)["nc"]
            assert found.record.state is NodeState.LOST
            assert "no answer within 0.1 s" in found.error
        looked_at(home)
        assert (views(home)["nc"].record.state, views(home)["nc"].error) == (NodeState.READY, "")


def test_a_start_does_not_wait_for_ever_for_the_engine_of_this_machine(tmp_path, monkeypatch):
    home = Home(tmp_path, ())
    home.endpoints["local"] = endpoint(home.path, "here")
    monkeypatch.setattr(configuring, "detect", lambda: home.endpoints["local"])
    monkeypatch.setattr(configuring, "LOCAL_S", 0.1)
    with (
        stuck(home, ("here", "facts")),
        pytest.raises(EngineUnavailableError, match=r"no answer within 0.1 s"),
    ):
        home.open()
    monkeypatch.undo()
    monkeypatch.setattr(configuring, "detect", lambda: home.endpoints["local"])
    with home:
        assert views(home)["local"].record.state is NodeState.READY
        assert home.events("node") == [("add", "local")]


def test_what_is_known_of_an_engine_goes_with_it_to_another_name(home):
    """The closed one took containers again, and nothing said so."""
    home.engine.nodes.add("na", home.endpoints["na"], {"zone": "west"}, cpus=2.0)
    home.engine.nodes.drain("na")
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    home.endpoints.update(na=nb, nb=na)
    configured(home, *entries_of(home))
    found = {name: view.record for name, view in views(home).items()}
    assert (found["nb"].state, found["nb"].labels, found["nb"].cpus) == (
        NodeState.DRAINING,
        {"zone": "west"},
        2.0,
    )
    assert (found["na"].state, found["na"].labels, found["na"].cpus) == (NodeState.READY, {}, 4.0)
    assert ("configure", "nb") in home.events("node")
    assert home.create("web").node == "na"


def test_an_engine_that_goes_to_a_new_name_stays_closed_and_what_is_said_anew_holds(home):
    home.engine.nodes.drain("na")
    other = endpoint(home.path, "other")
    home.endpoints.update(nc=home.endpoints["na"], na=other)
    na, nb, nc = (NodeEntry(name, home.endpoints[name]) for name in ("na", "nb", "nc"))
    configured(home, na, nb, replace(nc, labels={"zone": "east"}, cpus=1.0))
    found = {name: view.record for name, view in views(home).items()}
    assert {name: record.state for name, record in found.items()} == {
        "na": NodeState.READY,
        "nb": NodeState.READY,
        "nc": NodeState.DRAINING,
    }
    assert (found["nc"].labels, found["nc"].cpus) == ({"zone": "east"}, 1.0)


class CutOffError(BaseException):
    """Ends a command where it stands, as the end of its process does."""


def cut_off(*_):
    raise CutOffError


@pytest.mark.parametrize("to", ["nb", "nc"])
def test_a_removal_that_was_cut_off_goes_with_the_engine_to_another_name(home, monkeypatch, to):
    """The engine was closed for ever, or the other one was removed."""
    with monkeypatch.context() as patch:
        patch.setattr(Removing, "_dropped", cut_off)
        patch.setattr(Removing, "_open_again", lambda *_: None)
        with pytest.raises(CutOffError):
            home.engine.nodes.remove("na", force=True)
    na = home.endpoints["na"]
    home.endpoints["na"] = home.endpoints["nb"] if to == "nb" else endpoint(home.path, "other")
    home.endpoints[to] = na
    configured(home, *entries_of(home))
    assert home.engine.nodes._removing.begun() == [to]
    looked_at(home, 4)
    assert views(home).keys() == home.endpoints.keys() - {to}
    assert {view.record.state for view in views(home).values()} == {NodeState.READY}
    assert home.store.settings.all("removing-node:") == {}


def test_a_drain_that_was_cut_off_goes_with_the_engine_to_another_name(home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Balancing, "empty", cut_off)
        with pytest.raises(CutOffError):
            home.engine.nodes.drain("na")
    na, nb = home.endpoints["na"], home.endpoints["nb"]
    home.endpoints.update(na=nb, nb=na)
    configured(home, *entries_of(home))
    assert home.engine.nodes._draining.begun() == ["nb"]


class Kept:
    """What keeps a configuration, and what of the nodes is written down meanwhile."""

    def __init__(self, home):
        self.home = home
        self.steps = []

    @contextmanager
    def __call__(self):
        self.steps.append("kept")
        try:
            yield
        except BaseException:
            self.steps.append("given up")
            raise
        self.steps.append("written down")


def start(home, keep, *entries):
    home.close()
    home.config = replace(home.config, nodes=entries)
    home.open(keep=keep)


def test_a_configuration_is_kept_with_what_follows_from_it(home):
    kept = Kept(home)
    na, nb = entries_of(home)
    start(home, kept, replace(na, labels={"zone": "west"}), nb)
    assert kept.steps == ["kept", "written down"]
    assert home.store.nodes.get("na").labels == {"zone": "west"}


def test_a_refused_configuration_is_not_kept(home):
    home.create("web", node="nb")
    kept = Kept(home)
    na, nb = entries_of(home)
    with pytest.raises(RequestError, match="its containers are on"):
        start(home, kept, na, NodeEntry("nb", endpoint(home.path, "other")))
    assert kept.steps == []
    start(home, kept, na, nb)


@pytest.mark.parametrize("at", ["keeping", "writing down"])
def test_of_a_configuration_that_cannot_be_kept_nothing_holds(home, monkeypatch, at):
    def full(*_):
        raise OSError(28, "No space left on device")

    @contextmanager
    def keep():
        full()
        yield

    na, nb = entries_of(home)
    home.engine.nodes.remove("nb")
    stood = home.store.nodes.get("na")
    kept = Kept(home)
    other = (replace(na, labels={"zone": "west"}), replace(nb, cpus=1.0))
    if at == "writing down":
        monkeypatch.setattr(Nodes, "save", full)
    with pytest.raises(OSError, match="No space left"):
        start(home, keep if at == "keeping" else kept, *other)
    monkeypatch.undo()
    assert kept.steps == ([] if at == "keeping" else ["kept", "given up"])
    start(home, kept, na, nb)
    assert home.store.nodes.get("na") == stood
    assert home.engine.nodes.left_out() == ("nb",)


def test_whoever_is_cut_off_after_it_was_kept_goes_on_with_it(home, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    na, nb = entries_of(home)
    nc = NodeEntry("nc", endpoint(home.path, "nc"))
    home.endpoints["nc"] = nc.endpoint
    monkeypatch.setattr(configuring.Configuring, "_taken_in", cut_off)
    with pytest.raises(KeyboardInterrupt):
        start(home, Kept(home), replace(na, labels={"zone": "west"}), nb, nc)
    monkeypatch.undo()
    home.open()
    found = {name: view.record for name, view in views(home).items()}
    assert found["na"].labels == {"zone": "west"}
    assert {record.state for record in found.values()} == {NodeState.READY}
    assert ("add", "nc") in home.events("node")


def test_a_start_goes_on_when_a_node_answers_what_nobody_understands(tmp_path, monkeypatch, caplog):
    """Every start broke off."""
    with Home(tmp_path, ("na",)) as home:
        home.endpoints["nc"] = endpoint(home.path, "nc")
        real = Node.facts

        def facts(node):
            return {}["NCPU"] if node._host == "nc" else real(node)

        with monkeypatch.context() as patch:
            patch.setattr(Node, "facts", facts)
            for start in (lambda: configured(home, *entries_of(home)), home.reopen, lambda: looked_at(home)):
                start()
                found = views(home)["nc"]
                assert (found.record.state, found.error) == (NodeState.LOST, "nc: KeyError: 'NCPU'")
        traces = [
            each
            for each in caplog.records
            if each.exc_info and "nc cannot be asked what" in each.getMessage()
        ]
        assert len(traces) == 2, "one for each start"
        looked_at(home)
        assert (views(home)["nc"].record.state, views(home)["nc"].error) == (NodeState.READY, "")
