"""What commands say of relations: how fast they fade and which could not be relied on. Of what is simulated,
and of what goes with a node."""

from __future__ import annotations

import json

import pytest

from qrealm.faces.qdocker import (
    container_commands,
    placement_commands,
    quantum_commands,
    state_commands,
)
from qrealm.faces.qdocker.quantum_commands import fading_lines, warn_of_weak

WEAK = {"first": "web", "second": "mirror", "mode": "same", "holds": 0.6199, "decayed": True}


def entangled(t2_ms=1000.0, t1_ms=10_000.0, **shares):
    return {
        "first": "Web", "second": "mirror", "mode": "same", "group": ["Web", "mirror"], "num_qubits": 2,
        "already": False, "probabilities": {"running,running": 0.5, "stopped,stopped": 0.5, **shares},
        "note": "", "overridden": {}, "declared": True, "through": [],
        "decoherence_time_ms": t2_ms, "relaxation_time_ms": t1_ms,
    }  # fmt: skip


def answering(monkeypatch, module, found):
    class Client:
        def post(self, path, body=None):
            return found

        def lines(self, method, path, body):
            return [{"result": found}]

    monkeypatch.setattr(module, "Client", Client)


def test_entangle_tells_how_fast_it_fades(monkeypatch, capsys):
    answering(monkeypatch, quantum_commands, entangled())
    quantum_commands.entangle("Web", "mirror")
    told = capsys.readouterr().err
    assert told.count("note: relations fade with T2 1 s, T1 10 s (decoherence_time_ms, ") == 1
    assert "qdocker maintenance renews" in told


def test_a_cluster_with_relations_tells_it_once(monkeypatch, capsys, tmp_path):
    made = {"created": [], "existing": [], "overridden": {}, "note": ""}
    (tmp_path / "file.yaml").write_text("name: x\n")
    for relations, times in (([entangled(), entangled()], 1), ([], 0)):
        answering(monkeypatch, state_commands, {**made, "entangled": relations})
        state_commands.create_cluster(str(tmp_path / "file.yaml"), quiet=True)
        assert capsys.readouterr().err.count("note: relations fade") == times


@pytest.mark.parametrize(
    ("t2", "t1", "told"),
    [
        (59_999.0, 6e5, True),
        (60_000.0, 60_000.0, False),
        (3.6e6, 3.6e7, False),
        ("inf", "inf", False),
    ],
)
def test_what_lasts_a_minute_is_not_spoken_of(t2, t1, told):
    assert bool(fading_lines([entangled(t2, t1)])) is told


def test_the_table_has_names_as_they_are_and_says_that_some_outcomes_are_left_out(monkeypatch, capsys):
    answering(monkeypatch, quantum_commands, entangled(**{"running,stopped": 0.00004}))
    quantum_commands.entangle("Web", "mirror")
    out, err = capsys.readouterr()
    assert out.splitlines()[2:] == [
        "Web,mirror        PROBABILITY",
        "running,running   50.00%",
        "stopped,stopped   50.00%",
    ]
    assert "joint outcomes that are not listed have less than 0.005 %\n" in err


@pytest.mark.parametrize("shares", [{}, {"running,stopped": 0.00006}])
def test_where_no_outcome_is_left_out_nothing_is_said_of_it(monkeypatch, capsys, shares):
    answering(monkeypatch, quantum_commands, entangled(**shares))
    quantum_commands.entangle("Web", "mirror")
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5 + len(shares)
    assert "not listed" not in err


@pytest.mark.parametrize(
    ("holds", "told"),
    [
        *((number / 100, f"{number / 100:.2f}") for number in range(90)),
        (0.1 + 0.2 + 0.28, "0.58"),
        (0.58 - 1e-15, "0.58"),
        (0.58 + 1e-15, "0.58"),
        (0.5799, "0.57"),
        (0.8999, "0.89"),
        (0.0, "0.00"),
    ],
)
def test_what_a_relation_held_with_is_rounded_down(capsys, holds, told):
    warn_of_weak([{**WEAK, "holds": holds}])
    assert f" held with {told} before" in capsys.readouterr().err


@pytest.mark.parametrize(("decayed", "why"), [(True, "(decoherence)"), (False, "(gates, or decoherence)")])
def test_a_weak_relation_is_a_warning(capsys, decayed, why):
    warn_of_weak([{**WEAK, "decayed": decayed}])
    told = "web and mirror are declared `same` and held with 0.61 before this measurement"
    assert capsys.readouterr().err == f"warning: {told} {why}\n"


def test_many_weak_relations_are_counted(capsys):
    warn_of_weak([WEAK] * 5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[3:] == ["warning: 2 more relations held with less than 0.9; --format json has all"]


@pytest.mark.parametrize("words", [{}, {"quiet": True}, {"output": "json"}])
def test_measure_warns_and_has_it_in_json(monkeypatch, capsys, words):
    found = {"name": "web", "state": "running", "outcomes": {"web": "running", "mirror": "stopped"},
             "probability": 0.19, "weak": [WEAK]}  # fmt: skip
    answering(monkeypatch, quantum_commands, found)
    quantum_commands.measure("web", **words)
    out, err = capsys.readouterr()
    assert "held with 0.61 before this measurement (decoherence)" in err
    if words.get("output"):
        assert json.loads(out)["weak"] == [WEAK]


def test_what_goes_with_a_node_is_named(monkeypatch, capsys):
    class Client:
        def delete(self, path, query):
            removed, incomplete = ["one", "web"], {"shop": ["two", "six"]}
            return {"name": "na", "removed": removed, "incomplete": incomplete, "configured": False}

    monkeypatch.setattr(placement_commands, "Client", Client)
    assert placement_commands.nodes_rm(["na"], force=True) == 0
    out, err = capsys.readouterr()
    assert out == "na\n"
    one, web, shop = err.splitlines()
    assert one == "container one was removed with node na"
    assert web == "container web was removed with node na"
    assert shop.startswith("warning: cluster shop is incomplete: what is left of it is two, six; ")


def test_stop_container_says_what_is_simulated(monkeypatch, capsys):
    for simulated, told in ((True, "web is simulated: nothing really ran\n"), (False, "")):
        answering(monkeypatch, container_commands, {"name": "web", "simulated": simulated})
        assert container_commands.stop_container(["web"]) == 0
        assert capsys.readouterr() == ("web\n", told)
