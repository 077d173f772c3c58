"""Relations as they are told and ended, and declared odds that are not in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qrealm.base.errors import NoSuchContainerError, RegisterError, RequestError
from qrealm.control.containers.reports import EndedRelation, OverriddenOdds, RelationView

EXAMPLES = Path(__file__).parents[4] / "examples" / "qdocker"


def make(home, *names, **more):
    for name in names:
        home.create(name, **more)
    return home.engine.circuits


def actions(home):
    return [(event.action, event.name) for event in home.engine.views.events() if event.type == "register"]


def relations(home, name):
    """All but how likely they hold now."""
    return tuple(replace(each, holds=None) for each in home.engine.views.inspect(name).relations)


def test_inspect_tells_relations_also_when_they_are_spent(home):
    circuits = make(home, "one", "two", "three")
    assert relations(home, "one") == ()
    circuits.entangle("one", "two", "opposite")
    circuits.entangle("two", "three")
    assert relations(home, "one") == (RelationView("two", "opposite", follows=False, spent=False),)
    assert set(relations(home, "two")) == {
        RelationView("one", "opposite", follows=True, spent=False),
        RelationView("three", "same", follows=False, spent=False),
    }
    circuits.measure("three")
    assert relations(home, "one") == (RelationView("two", "opposite", follows=False, spent=True),)
    assert circuits.group("one") == ("one",)


def test_a_relation_that_is_ended_is_renewed_no_more(home):
    circuits = make(home, "one", "two")
    circuits.entangle("one", "two", "opposite")
    report = circuits.disentangle(["one", "two"])
    assert report.ended == (EndedRelation("one", "two", "opposite", spent=False),)
    assert report.joint == (("one", "two"),)
    # The register is what it was.
    outcomes = circuits.measure("one").outcomes
    assert outcomes["one"] != outcomes["two"]
    home.engine.upkeep.maintenance(renew=True)
    assert circuits.group("one") == ("one",)
    assert home.store.relations.all() == ()
    again = circuits.disentangle(["two", "one"])
    assert (again.ended, again.joint) == ((), ())
    assert actions(home).count(("disentangle", "one")) == 1
    assert [each for each in actions(home) if each[0] == "disentangle"] == [("disentangle", "one")]


def test_a_renewal_before_any_measurement_parts_them_too(home):
    circuits = make(home, "one", "two")
    circuits.entangle("one", "two")
    circuits.disentangle(["one", "two"])
    assert set(circuits.group("one")) == {"one", "two"}
    home.engine.upkeep.maintenance(renew=True)
    assert (circuits.group("one"), circuits.group("two")) == (("one",), ("two",))


def test_a_spent_relation_is_ended_too(home):
    circuits = make(home, "one", "two")
    circuits.entangle("one", "two")
    circuits.measure("one")
    assert circuits.disentangle(["one", "two"]).ended[0].spent
    home.engine.upkeep.maintenance(renew=True)
    assert circuits.group("one") == ("one",)


@pytest.mark.parametrize("spent", [False, True])
def test_what_is_tied_through_another_is_refused_and_says_who(home, spent):
    circuits = make(home, "one", "between", "two", "other")
    circuits.entangle("one", "between")
    circuits.entangle("between", "two")
    circuits.entangle("two", "other")
    if spent:
        circuits.measure("one")
    with pytest.raises(RegisterError, match=r"'one' and 'two' are tied .* through 'between'") as told:
        circuits.disentangle(["one", "two"])
    assert told.value.hint.endswith("qdocker disentangle one two between")
    assert len(home.store.relations.all()) == 3
    report = circuits.disentangle(["one", "two", "between"])
    assert {(each.first, each.second) for each in report.ended} == {("one", "between"), ("between", "two")}
    assert [each.other for each in relations(home, "two")] == ["other"]


@pytest.mark.parametrize(
    "names, error, words",
    [
        (["one"], RegisterError, "got 'one'; it takes two or more"),
        ([], RegisterError, "got no container"),
        (["one", "two", "one"], RegisterError, "got 'one' twice"),
        (["one", "none"], NoSuchContainerError, "'none'"),
        ("one", RequestError, "the rule is a list of names"),
    ],
)
def test_what_cannot_be_disentangled(home, names, error, words):
    circuits = make(home, "one", "two")
    with pytest.raises(error, match=words):
        circuits.disentangle(names)


def test_a_contradiction_names_the_command_that_ends_what_ties_them(home):
    circuits = make(home, "one", "two")
    circuits.entangle("one", "two")
    with pytest.raises(RegisterError, match="otherwise") as told:
        circuits.entangle("one", "two", "opposite")
    assert told.value.hint == "to end what ties them: qdocker disentangle one two"
    circuits.disentangle(["one", "two"])
    report = circuits.entangle("one", "two", "opposite")
    assert report.probabilities == pytest.approx({"running,stopped": 0.5, "stopped,running": 0.5})
    assert [each.mode for each in home.store.relations.all()] == ["opposite"]


def test_the_command_of_a_contradiction_names_those_between_too(home):
    circuits = make(home, "one", "two", "between")
    circuits.entangle("one", "between")
    circuits.entangle("between", "two")
    with pytest.raises(RegisterError, match="otherwise") as told:
        circuits.entangle("one", "two", "opposite")
    command = "to end what ties them: qdocker disentangle "
    assert told.value.hint.startswith(command)
    circuits.disentangle(told.value.hint.removeprefix(command).split())
    assert home.store.relations.all() == ()
    circuits.entangle("one", "two", "opposite")


def test_entangling_tells_whose_declared_odds_it_has_replaced(home):
    circuits = make(home, "one", probability=0.8)
    make(home, "two", "three", probability=0.2)
    report = circuits.entangle("one", "two")
    assert report.overridden == {"two": OverriddenOdds("running", 0.2, pytest.approx(0.8))}
    assert circuits.entangle("one", "two").overridden == {}, "nothing was done"
    # The mirrored odds are those that it declares.
    assert circuits.entangle("one", "three", "opposite").overridden == {}
    # What hangs on the second follows too.
    make(home, "four", probability=0.3)
    assert circuits.entangle("four", "one").overridden == {
        "one": OverriddenOdds("running", 0.8, pytest.approx(0.3)),
        "two": OverriddenOdds("running", 0.2, pytest.approx(0.3)),
        "three": OverriddenOdds("running", 0.2, pytest.approx(0.7)),
    }


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_what_others_say_already_is_told_as_such(home, seconds):
    """Whether the state keeps it still or is mended: nothing new is declared."""
    circuits = make(home, "ax", "ay", "az")
    circuits.entangle("ax", "ay")
    circuits.entangle("ax", "az", "opposite")
    declared = home.store.relations.all()
    home.clock.advance(seconds)
    report = circuits.entangle("ay", "az", "spread")
    assert report.already is (seconds == 0.0)
    assert (report.declared, report.through, report.note) == (False, ("ax",), "")
    assert home.store.relations.all() == declared
    again = circuits.entangle("ax", "az", "opposite")
    assert (again.declared, again.through) == (True, ())


def test_the_same_in_other_words_is_told_as_it_is_declared(home):
    circuits = make(home, "one", "two")
    first = circuits.entangle("one", "two", "opposite")
    assert (first.declared, first.through) == (True, ())
    declared = home.store.relations.all()
    for names, mode in ((("two", "one"), "opposite"), (("one", "two"), "spread")):
        report = circuits.entangle(*names, mode)
        assert (report.declared, report.through, report.already) == (False, (), True)
        assert report.note.startswith("two follows one: opposite; to declare it another way, end that first")
        assert report.note.endswith(f": qdocker disentangle {names[0]} {names[1]}")
    assert home.store.relations.all() == declared


def test_a_spread_that_leaves_two_alike_stays_a_spread(home):
    """Of three containers that are dealt over two states, two have the same."""
    circuits = make(home, "one", "two", "three")
    circuits.entangle("one", "two", "spread")
    told = circuits.entangle("one", "three", "spread")
    assert told.probabilities == pytest.approx({"running,running": 0.5, "stopped,stopped": 0.5})
    report = circuits.entangle("one", "three", "same")
    assert not report.declared
    assert report.note.startswith("three follows one: spread; ")


def test_what_a_gate_or_a_measurement_has_made_is_not_laid_to_an_entanglement(home):
    circuits = make(home, "one", "two", "three", probability=0.2)
    circuits.apply_gate("X", ["one"])
    assert circuits.entangle("one", "two").overridden.keys() == {"two"}
    assert circuits.entangle("one", "three").overridden.keys() == {"three"}


PAIR = """
name: pair
containers:
  - {name: one, image: "img:1", quantum_probability: 0.8}
  - {name: two, image: "img:1", quantum_probability: 0.2}
  - {name: three, image: "img:1", quantum_probability: 0.8}
entangle:
  - {between: [one, two, three], mode: same}
"""


def test_a_cluster_tells_whose_declared_odds_are_not_in_force(home):
    report = home.engine.clusters.create(PAIR, "pair.yaml")
    assert report.overridden == {"two": OverriddenOdds("running", 0.2, pytest.approx(0.8))}
    assert home.engine.clusters.create(PAIR, "pair.yaml").overridden == {}


@pytest.mark.parametrize("name", ["canary", "chaos", "compose"])
def test_the_examples_declare_what_holds(home, name):
    path = EXAMPLES / f"{name}.yaml"
    report = home.engine.clusters.create(path.read_text(), str(path))
    assert report.entangled
    assert report.overridden == {}


def cluster_of(count, more=""):
    rows = "".join(f'  - {{name: c{n:02}, image: "img:1"}}\n' for n in range(count))
    names = ", ".join(f"c{n:02}" for n in range(count))
    return f"name: many\ncontainers:\n{rows}entangle:\n  - {{between: [{names}]}}\n{more}"


def test_a_group_that_is_too_large_is_told_with_file_line_and_key(home):
    words = r"many.yaml:21: entangle\[0\].between: c00 and c16: .* 16 \+ 1 = 17 qubits"
    with pytest.raises(RegisterError, match=words) as told:
        home.engine.clusters.create(cluster_of(17), "many.yaml")
    assert "raise num_qubits" in told.value.hint
    assert "groups first" not in told.value.hint
    assert home.store.containers.all() == ()


def test_lines_that_contradict_each_other_are_told_with_the_second(home):
    text = cluster_of(3, "  - {between: [c01, c02], mode: opposite}\n")
    with pytest.raises(RegisterError, match=r"many.yaml:8: entangle\[1\].between: c01 and c02: ") as told:
        home.engine.clusters.create(text, "many.yaml")
    assert "another line" in told.value.hint


STATES = ("x", "y", "z")


@pytest.mark.parametrize(
    "declared", [[("aa", "bb"), ("aa", "cc")], [("aa", "bb"), ("bb", "cc")], [("bb", "cc"), ("aa", "bb")]]
)
@pytest.mark.parametrize("again", [0, 1])
def test_what_is_spread_stays_dealt_evenly_when_part_of_it_is_spent(home, declared, again):
    """What is declared in parts is dealt anew when all of it comes into force again."""
    circuits = make(home, "aa", "bb", "cc", states=STATES)
    for pair in declared:
        circuits.entangle(*pair, "spread")
    circuits.measure("aa")
    circuits.entangle(*declared[again], "spread")
    home.engine.upkeep.maintenance(renew=True)
    outcomes = circuits.measure("bb").outcomes
    assert sorted(outcomes.values()) == list(STATES)


def test_what_is_spent_has_no_say_in_what_is_spread_now(home):
    circuits = make(home, "aa", "bb", "cc")
    circuits.entangle("aa", "bb", "spread")
    circuits.measure("aa")
    circuits.apply_gate("H", ["aa"])
    shares = circuits.entangle("aa", "cc", "spread").probabilities
    assert set(shares) == {"running,stopped", "stopped,running"}


def test_what_a_new_relation_takes_the_place_of_is_told(home):
    circuits = make(home, "one", "two", node="na")
    circuits.entangle("one", "two")
    circuits.measure("one")
    assert circuits.entangle("one", "two").note == ""
    circuits.measure("one")
    report = circuits.entangle("two", "one", "opposite")
    assert report.note.startswith("this takes the place of what was spent: two followed one: same")
    assert [(each.mode, each.spent) for each in home.store.relations.all()] == [("opposite", False)]
    circuits.measure("one")
    report = circuits.entangle("two", "one")
    assert report.note.startswith("this takes the place of what was spent: one followed two: opposite")
