"""The `qdocker` command about relations: shown, ended, and odds that they override."""

from __future__ import annotations

import json

import pytest


def make(qdocker, **chances):
    for name, chance in chances.items():
        assert qdocker("create", "--quantum-probability", str(chance), "busybox", name).returncode == 0


def relations(qdocker, name):
    """All but how likely they hold now, which is looked at."""
    found = json.loads(qdocker("inspect", "-f", "{{json .Quantum.Relations}}", name).stdout)
    for each in found:
        holds = each.pop("Holds")
        assert holds is None if each["Spent"] else 0.0 <= holds <= 1.0
    return found


def test_a_relation_is_shown_spent_and_ended(qdocker):
    make(qdocker, web=0.5, cache=0.5)
    assert relations(qdocker, "web") == []
    assert qdocker("entangle", "web", "cache", "--mode", "opposite").returncode == 0
    told = {"With": "cache", "Mode": "opposite", "Follows": False, "Spent": False}
    assert relations(qdocker, "web") == [told]
    refused = qdocker("entangle", "web", "cache")
    assert refused.returncode == 1
    assert "qdocker disentangle web cache" in refused.stderr
    assert qdocker("measure", "web").returncode == 0
    assert relations(qdocker, "web") == [{**told, "Spent": True}]
    ended = qdocker("disentangle", "web", "cache")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "web and cache have no relation any more: it was opposite, which was spent\n"
    assert relations(qdocker, "cache") == []
    again = qdocker("disentangle", "web", "cache")
    assert (again.returncode, again.stdout) == (0, "web and cache have no relation to each other\n")
    events = qdocker("events", "--no-follow", "--since", "1h", "--format", "json").stdout.splitlines()
    assert sum(json.loads(each)["action"] == "disentangle" for each in events) == 1
    assert qdocker("disentangle", "web").returncode == 1
    assert qdocker("disentangle", "web", "nobody").returncode == 1


def test_what_others_say_already_is_told_as_such(qdocker):
    make(qdocker, ax=0.2, ay=0.9, az=0.6)
    assert qdocker("entangle", "ax", "ay").returncode == 0
    assert qdocker("entangle", "ax", "az", "--mode", "opposite").returncode == 0
    told = qdocker("entangle", "ay", "az", "--mode", "spread")
    assert told.stdout.startswith("ay and az are related so already, through ax: nothing new is declared\n")
    # Decay alone makes other outcomes possible: they may be too few to be listed.
    assert told.stderr in ("", "joint outcomes that are not listed have less than 0.005 %\n")
    report = json.loads(qdocker("entangle", "ay", "az", "--mode", "spread", "--format", "json").stdout)
    assert (report["declared"], report["through"], report["note"]) == (False, ["ax"], "")
    assert [each["With"] for each in relations(qdocker, "ay")] == ["ax"]
    turned = qdocker("entangle", "ay", "ax")
    assert turned.stdout.startswith("ay and ax are related so already: nothing new is declared\n")
    assert "ay follows ax: same; to declare it another way, end that first" in turned.stderr
    again = qdocker("entangle", "ax", "ay")
    assert again.stdout.splitlines()[0] in (
        "ax and ay were entangled so before: same",
        "ax and ay are entangled: same",
    )


def test_odds_that_are_not_as_declared_are_told(qdocker, tmp_path):
    make(qdocker, web=0.8, cache=0.2)
    told = qdocker("entangle", "web", "cache").stderr
    assert "cache: running with 80 % instead of its declared 20 %" in told
    assert "web, cache share a register as before" in qdocker("disentangle", "web", "cache").stderr
    file = tmp_path / "pair.yaml"
    file.write_text(
        "name: pair\n"
        "containers:\n"
        "  - {name: one, image: busybox, quantum_probability: 0.8}\n"
        "  - {name: two, image: busybox, quantum_probability: 0.2}\n"
        "entangle:\n"
        "  - {between: [one, two], mode: same}\n"
    )
    told = qdocker("create-cluster", str(file)).stderr
    assert "two: running with 80 % instead of its declared 20 %" in told


def test_a_redundant_line_of_a_cluster_is_told_as_such(qdocker, tmp_path):
    file = tmp_path / "three.yaml"
    file.write_text(
        "name: three\n"
        "containers:\n"
        "  - {name: one, image: busybox, quantum_probability: 0.2}\n"
        "  - {name: two, image: busybox, quantum_probability: 0.9}\n"
        "  - {name: six, image: busybox, quantum_probability: 0.6}\n"
        "entangle:\n"
        "  - {between: [one, two, six], mode: same}\n"
        "  - {between: [two, six], mode: same}\n"
    )
    told = qdocker("create-cluster", str(file)).stderr.splitlines()
    assert "one and six are entangled: same" in told
    assert "two and six are related so already, through one: nothing new is declared" in told
    assert qdocker("maintenance", "--renew").returncode == 0
    chances = json.loads(qdocker("inspect", "-f", "{{json .Quantum.Probabilities}}", "one").stdout)
    assert chances["running"] == pytest.approx(0.2)
    told = {"With": "one", "Mode": "same", "Follows": True, "Spent": False}
    assert (relations(qdocker, "two"), relations(qdocker, "six")) == ([told], [told])
