"""Schedulers by name: built in, registered, and brought by an installed distribution."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from dataclasses import dataclass, replace

import pytest
from tests.unit.control.placement.building import NOW, container, ids, node

from qrealm.base.errors import RequestError, RunError
from qrealm.control.containers.placement import (
    Policy,
    SchedulerAnswer,
    Snapshot,
    assignment_of,
    decide,
    default_scheduler,
    register_scheduler,
    scheduler_named,
    schedulers,
    unregister_scheduler,
)
from qrealm.control.containers.placement.schedulers import fault_of_scheduler, uneven
from qrealm.optimize.problems.evaluate import evaluate, violations

MODULE = '''
"""A scheduler of another package."""
from qrealm.control.containers.placement import SchedulerAnswer

class LastNode:
    name = "last-node"
    help = "every container to the last node that it may go to"

    def place(self, problem, *, seconds, seed):
        last = problem.bins[-1].name
        return SchedulerAnswer({i.name: (i.allowed or (last,))[-1] for i in problem.items}, solver="last")

ready_made = LastNode()

class Wrong(LastNode):
    name = "wrong"

    def place(self, problem, *, seconds, seed):
        found = super().place(problem, seconds=seconds, seed=seed)
        return SchedulerAnswer(found.placement, bound=float("nan"))

class Unhelpful:
    name = "unhelpful"

raise_on_use = property(lambda self: 1 / 0)
'''


def snapshot_of(count=3, nodes=3):
    containers = tuple(container(f"c{k}") for k in range(count))
    places = tuple(node(f"n{k}") for k in range(nodes))
    return Snapshot(places, containers, moving=frozenset(c.id for c in containers))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution with these entry points, as pip would lay it out."""

    def lay_out(*points, name="acme-schedulers"):
        module = f"{name.replace('-', '_')}_module"
        (tmp_path / f"{module}.py").write_text(MODULE)
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [point.replace("MODULE", module) for point in points]
        (info / "entry_points.txt").write_text("[qrealm.schedulers]\n" + "\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return lay_out


def test_a_distribution_brings_a_scheduler(install):
    install("last-node = MODULE:LastNode")
    info = next(each for each in schedulers() if each.name == "last-node")
    assert info.origin == "acme-schedulers 1.2"
    assert info.help == "every container to the last node that it may go to"
    assert info.problem == ""
    plan = decide(snapshot_of(), "last-node", action="create", now=NOW)
    assert {move.target for move in plan.moves} == {"n2"}
    assert all(d.scheduler == "last-node" and d.solver == "last" for d in plan.decisions)
    # It is told that another node would have been cheaper.
    assert plan.decisions[0].runner_up_cost < 0
    assert "though n0 would cost" in plan.decisions[0].reason


def test_an_object_will_do_for_a_class(install):
    install("last-node = MODULE:ready_made")
    assert scheduler_named("last-node").name == "last-node"


@pytest.mark.parametrize(
    "point, fault",
    [
        ("gone = MODULE:NotThere", "AttributeError"),
        ("gone = no_such_module_here:Thing", "ModuleNotFoundError"),
        ("gone = MODULE:Unhelpful", "has no help"),
        ("gone = MODULE:LastNode", "calls itself 'last-node'"),
    ],
)
def test_a_broken_distribution_is_named(install, point, fault):
    install(point)
    with pytest.raises(RunError, match=fault) as caught:
        scheduler_named("gone")
    assert "'gone' of acme-schedulers 1.2" in caught.value.message
    assert "pip uninstall acme-schedulers" in caught.value.hint
    # Listing goes on with the others, and tells.
    rows = {info.name: info for info in schedulers()}
    assert fault in rows["gone"].problem
    assert rows["portfolio"].problem == ""


def test_an_unknown_name_lists_the_known_ones(install):
    install("last-node = MODULE:LastNode")
    with pytest.raises(
        RequestError, match=r"no scheduler 'fastest'; there are portfolio, greedy, .*last-node"
    ):
        scheduler_named("fastest")


def test_built_in_names_cannot_be_taken(install, caplog):
    install("greedy = MODULE:LastNode")
    assert scheduler_named("greedy").help.startswith("the classical baseline")
    assert "is not used: another scheduler has this name" in caplog.text
    ours, dropped = (info for info in schedulers() if info.name == "greedy")
    assert (ours.origin, ours.problem) == ("qrealm", "")
    assert dropped.origin == "acme-schedulers 1.2"
    assert "not used" in dropped.problem
    with pytest.raises(RequestError, match="built-in"):
        register_scheduler(Answering("portfolio", lambda problem: {}))


def test_the_classical_baseline_is_the_default_where_quantum_scheduling_is_off():
    assert default_scheduler("exact", enabled=True) == "exact"
    assert default_scheduler("exact", enabled=False) == "greedy"


@dataclass
class Answering:
    name: str
    answer: object
    help: str = "answers as it is told"

    def place(self, problem, *, seconds, seed):
        return self.answer(problem)


@pytest.fixture
def registered():
    names = []

    def register(answer):
        register_scheduler(Answering("told", answer))
        names.append("told")
        return "told"

    yield register
    if names:
        unregister_scheduler("told")


def everything_to(target):
    """An answer that has what is new on one node."""
    return lambda problem: SchedulerAnswer(
        {item.name: target if item.current is None else item.current for item in problem.items}
    )


@pytest.mark.parametrize(
    "answer, fault",
    [
        (lambda problem: 1 / 0, "ZeroDivisionError"),
        (lambda problem: {"c0": "n0"}, "must be a SchedulerAnswer"),
        (lambda problem: SchedulerAnswer({}), "it lacks c0, c1, c2"),
        (lambda problem: SchedulerAnswer(None), "no placement"),
        (lambda problem: SchedulerAnswer({key: ["n0"] for key in ("c0", "c1", "c2")}), "no placement"),
        (everything_to("nowhere"), "unknown bins nowhere"),
        (everything_to(None), r"broke a demand \(left out\)"),
        (everything_to("tiny"), r"broke a demand \(capacity\): bin 'tiny' has 100 of memory"),
        (everything_to("closed"), r"broke a demand \(allowed\): item 'c0' may not go to bin 'closed'"),
    ],
)
def test_a_wrong_answer_is_refused_by_the_rule_that_it_breaks(registered, answer, fault):
    from qrealm.control.containers.values import NodeState

    containers = (*(container(f"c{k}") for k in range(3)), container("old", "closed"))
    places = (node("n0"), node("tiny", memory=100), node("closed", state=NodeState.DRAINING))
    snapshot = Snapshot(places, containers, moving=ids("c0", "c1", "c2"))
    with pytest.raises(RunError, match=fault) as caught:
        decide(snapshot, registered(answer), action="create-cluster", now=NOW)
    assert "'told'" in caught.value.message


def interrupted(problem):
    raise KeyboardInterrupt


def to_first(problem, **answer):
    return SchedulerAnswer({item.name: problem.bins[0].name for item in problem.items}, **answer)


@pytest.mark.parametrize(
    "answer, fault",
    [
        (lambda problem: to_first(problem, bound=math.nan), "the bound nan; it must be a finite number"),
        (lambda problem: to_first(problem, bound=-math.inf), "the bound -inf; it must be a finite number"),
        (lambda problem: to_first(problem, bound="low"), "the bound 'low'; it must be a finite number"),
        (lambda problem: to_first(problem, bound=True), "the bound True; it must be a finite number"),
        (lambda problem: to_first(problem, bound=1e9), "the bound 1e[+]09; its own placement has the value"),
        (lambda problem: to_first(problem, solver=3), "the solver 3; it must be a text"),
        (lambda problem: sys.exit(4), "broke: SystemExit: 4"),
        (interrupted, "broke: KeyboardInterrupt"),
    ],
)
def test_what_an_answer_says_besides_its_placement_is_checked_too(registered, answer, fault):
    with pytest.raises(RunError, match=fault) as caught:
        decide(snapshot_of(), registered(answer), action="create", now=NOW)
    assert "'told'" in caught.value.message


def test_a_bound_up_to_the_value_is_taken(registered):
    value = evaluate(
        problem := assignment_of(snapshot_of()), problem.answer(to_first(problem).placement)
    ).value
    answer = registered(lambda problem: to_first(problem, bound=int(value) - 1, solver="first"))
    plan = decide(snapshot_of(), answer, action="create", now=NOW)
    assert (plan.bound, plan.solver) == (int(value) - 1, "first")


def test_what_a_distribution_answers_wrongly_names_it(install):
    install("wrong = MODULE:Wrong")
    with pytest.raises(
        RunError, match=r"the scheduler 'wrong' of acme-schedulers 1\.2 answered with the bound nan"
    ):
        decide(snapshot_of(), "wrong", action="create", now=NOW)


def test_what_is_no_scheduler_is_not_registered():
    with pytest.raises(RequestError, match="has no name"):
        register_scheduler(object())
    with pytest.raises(RequestError, match="has no help"):
        register_scheduler(Answering("told", None, help=""))
    with pytest.raises(RequestError, match="no scheduler 'told' was registered"):
        unregister_scheduler("told")


def test_a_registered_one_is_listed_and_forgotten(registered):
    registered(everything_to("n0"))
    assert [info.origin for info in schedulers() if info.name == "told"] == ["this process"]
    unregister_scheduler("told")
    assert "told" not in {info.name for info in schedulers()}
    registered(everything_to("n1"))


@pytest.mark.parametrize("name", ["portfolio", "greedy", "placement_annealing", "exact"])
def test_every_built_in_scheduler_keeps_the_demands(name):
    problem = assignment_of(snapshot_of(count=9, nodes=4))
    answer = scheduler_named(name).place(problem, seconds=1.0, seed=3)
    assert violations(problem, problem.answer(answer.placement)) == []
    value = evaluate(problem, problem.answer(answer.placement)).value
    assert answer.bound is None or answer.bound <= value + 1e-9


def test_the_greedy_baseline_is_worse_than_the_portfolio_where_wishes_count():
    """Greedy packing does not look at wishes, so it pays for one that the portfolio keeps."""
    from tests.unit.control.placement.building import relation

    containers = tuple(container(f"c{k}", memory=512 * (k + 1)) for k in range(4))
    relations = (relation("c0", "c1", "same"), relation("c2", "c3", "same"))
    snapshot = Snapshot(
        (node("n0"), node("n1")), containers, relations, moving=frozenset(c.id for c in containers)
    )
    best = decide(snapshot, "portfolio", action="create-cluster", now=NOW)
    base = decide(snapshot, "greedy", action="create-cluster", now=NOW)
    assert best.objective_after < base.objective_after


def test_one_that_counts_in_whole_numbers_says_what_it_needs():
    snapshot = snapshot_of()
    with pytest.raises(RequestError, match="enable_quantum_load_balancing: true asks for") as caught:
        decide(snapshot, "cp_sat", action="create", now=NOW)
    assert "enable_quantum_load_balancing: false" in caught.value.hint
    rows = {info.name: info for info in schedulers()}
    assert rows["cp_sat"].help.endswith("; needs enable_quantum_load_balancing: false")
    assert uneven("cp_sat")
    for name in ("portfolio", "greedy", "exact", "qaoa", "placement_annealing", "unknown"):
        assert not uneven(name)
        assert name not in rows or "needs enable" not in rows[name].help


def test_one_that_counts_in_whole_numbers_fills_few_nodes():
    pytest.importorskip("ortools")
    snapshot = replace(snapshot_of(), policy=Policy(balance=False))
    plan = decide(snapshot, "cp_sat", action="create", now=NOW)
    assert len({move.target for move in plan.moves}) == 1


def test_what_a_built_in_one_lacks_is_listed(monkeypatch):
    there = importlib.util.find_spec
    module = importlib.import_module("qrealm.control.containers.placement.schedulers")
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "ortools" else there(name))
    assert fault_of_scheduler("cp_sat") == "it needs ortools: pip install 'qrealm[exact]'"
    rows = {info.name: info for info in schedulers()}
    assert rows["cp_sat"].problem == fault_of_scheduler("cp_sat")
    assert rows["exact"].problem == ""


def test_the_fault_of_one_that_is_not_there_or_broken(install):
    assert fault_of_scheduler("portfolio") == ""
    assert "there is no scheduler 'gone'" in fault_of_scheduler("gone")
    install("gone = MODULE:NotThere")
    assert "'gone' of acme-schedulers 1.2 cannot be loaded" in fault_of_scheduler("gone")
