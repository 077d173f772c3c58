"""What `qdocker start` says of the nodes that it starts with."""

from __future__ import annotations

import pytest

from qrealm.faces.qdocker.daemon_commands import _warn_of


def node(name, state="ready", error="", simulated=False, url=""):
    endpoint = {"driver": "simulated" if simulated else "docker", "url": url}
    record = {"name": name, "state": state, "simulated": simulated, "endpoint": endpoint}
    return {"record": record, "error": error}


@pytest.mark.parametrize(
    ("error", "told"),
    [("", "it is taken in when it answers"), ("n1 is it", "n1 is it; it is taken in once that is over")],
)
def test_a_lost_node_is_not_said_to_be_silent_unless_it_is(capsys, error, told):
    """One that answered was said not to answer."""
    _warn_of([node("n1"), node("n9", "lost", error)])
    assert capsys.readouterr().err == f"warning: node n9 is lost: {told}\n"


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ([node("local", simulated=True, url="simulated://local")], False),
        ([node("local", simulated=True)], True),
        ([node("alder", simulated=True, url="simulated://alder?cpus=4"), node("b", simulated=True)], True),
        ([node("alder", simulated=True), node("east", "lost")], True),
        ([node("local", simulated=True, url="simulated://local"), node("alder", simulated=True)], False),
    ],
)
def test_who_asked_for_simulation_is_not_told_to_start_an_engine(capsys, nodes, asked):
    """That nothing runs is told all the same."""
    _warn_of(nodes)
    told = capsys.readouterr().err
    assert "is simulated: containers there are nothing but records\n" in told
    assert ("hint: start Docker or Podman" in told) is not asked


def test_nodes_that_are_well_are_not_spoken_of(capsys):
    _warn_of([node("n1"), node("n2", "draining")])
    assert capsys.readouterr().err == ""
