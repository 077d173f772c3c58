"""One contract for every simulator that may move a register: all come to the same state."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from qrealm.base.errors import MissingExtraError, RegisterError
from qrealm.control.containers import registers as rg
from qrealm.control.containers.values import Member, Relation
from qrealm.simulate.sparse_density import to_dense
from qrealm.simulate.sparse_density_simulators import DENSE_QUBITS_MAX

PACKAGES = {"qrealm": (), "cirq": ("cirq",), "qiskit": ("qiskit", "qiskit_aer")}


def simulator_named(name):
    for package in PACKAGES[name]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    return rg.find_simulator(name)


@pytest.mark.parametrize("name", rg.SIMULATORS)
def test_every_simulator_comes_to_the_same_register(name):
    def story(simulator):
        a, b = (rg.prepare(Member(each, 3, 0.2), 0.0, simulator) for each in "ab")
        a = rg.apply_gate([a], "ry", [("a", 1)], 0.4, 0.0, 16, simulator)
        found = rg.entangle([a, b], (), "a", "b", "spread", 0.0, 16, simulator)
        group = rg.decayed(found.register, 0.3, 2.0, 1.0, simulator)
        c = rg.prepare(Member("c", 2, 0.5), 0.3, simulator)
        group = rg.apply_gate([group, c], "cx", [("b", 1), ("c", 0)], None, 0.3, 16, simulator)
        group = rg.apply_gate([group], "s", [("c", None)], None, 0.3, 16, simulator)
        return rg.decayed(group, 0.5, 2.0, 1.0, simulator)

    found, ours = story(simulator_named(name)), story(rg.find_simulator("qrealm"))
    assert found.members == ours.members
    np.testing.assert_allclose(to_dense(found.density), to_dense(ours.density), atol=1e-12)


@pytest.mark.parametrize("name", ["cirq", "qiskit"])
def test_the_framework_itself_computes(name, monkeypatch):
    """With its simulator out of order, no register comes."""
    simulator = simulator_named(name)
    if name == "cirq":
        import cirq

        monkeypatch.setattr(cirq.DensityMatrixSimulator, "simulate", lambda *_, **__: 1 / 0)
    else:
        import qiskit_aer

        monkeypatch.setattr(qiskit_aer.AerSimulator, "run", lambda *_, **__: 1 / 0)
    fresh = rg.prepare(Member("a", 2, 0.5), 0.0, simulator)
    with pytest.raises(ZeroDivisionError):
        rg.decayed(fresh, 0.1, 2.0, 1.0, simulator)


@pytest.mark.parametrize("name", ["cirq", "qiskit"])
def test_containers_of_many_states_take_no_million_operators(name):
    """A relaxation of ten qubits has over a million Kraus operators. With ours the same comes at once."""
    simulator, ours = simulator_named(name), rg.find_simulator("qrealm")
    register = rg.prepare(Member("a", 300, 0.5), 0.0, simulator)
    found = rg.decayed(register, 0.1, 2.0, 1.0, simulator)
    same = rg.decayed(register, 0.1, 2.0, 1.0, ours)
    np.testing.assert_allclose(found.density.values, same.density.values, atol=1e-14)


@pytest.mark.parametrize("name", ["cirq", "qiskit"])
def test_dense_simulators_say_how_far_they_go(name):
    simulator = simulator_named(name)
    with pytest.raises(RegisterError, match=f"up to {DENSE_QUBITS_MAX}") as problem:
        rg.prepare(Member("a", 2**DENSE_QUBITS_MAX + 1, 0.5), 0.0, simulator)
    assert '"qrealm"' in problem.value.hint


@pytest.mark.parametrize("name", ["cirq", "qiskit"])
def test_a_register_over_their_limit_is_moved_by_ours(name):
    """It was made while another backend was chosen; groups do not become larger than the limit anew."""
    simulator, ours = simulator_named(name), rg.find_simulator("qrealm")
    members = [Member(f"m{number:02}", 2, 0.2) for number in range(DENSE_QUBITS_MAX + 1)]
    relations = [Relation("m00", member.container, "same") for member in members[1:]]
    fresh = rg.prepare_group(members, relations, 0.0)
    found = rg.apply_gate(
        [rg.decayed(fresh, 0.3, 2.0, 1.0, simulator)], "ry", [("m03", 0)], 0.4, 0.3, 16, simulator
    )
    same = rg.apply_gate([rg.decayed(fresh, 0.3, 2.0, 1.0, ours)], "ry", [("m03", 0)], 0.4, 0.3, 16, ours)
    np.testing.assert_array_equal(found.density.values, same.density.values)
    assert rg.simulator_of(simulator, DENSE_QUBITS_MAX) == name
    assert rg.simulator_of(simulator, DENSE_QUBITS_MAX + 1) == "qrealm"
    one = rg.prepare(Member("one", 2, 0.5), 0.3, simulator)
    with pytest.raises(RegisterError, match=f"a group may have {DENSE_QUBITS_MAX} with .*{name}") as problem:
        rg.apply_gate([found, one], "cx", [("m00", 0), ("one", 0)], None, 0.3, 16, simulator)
    assert "simulation_backend" in problem.value.hint
    small = [rg.prepare(Member(each, 2, 0.5), 0.3, simulator) for each in "ab"]
    with pytest.raises(RegisterError, match=r"1 \+ 1 = 2 qubits; a group may have 1") as problem:
        rg.entangle(small, (), "a", "b", "same", 0.3, 1, simulator)
    assert "num_qubits" in problem.value.hint


def test_unknown_simulator():
    with pytest.raises(RegisterError, match="one of qrealm, cirq, qiskit"):
        rg.find_simulator("braket")


@pytest.mark.parametrize("name, package, extra", [("cirq", "cirq", "cirq"), ("qiskit", "qiskit_aer", "aer")])
def test_a_missing_package_names_its_extra(name, package, extra, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda each, *rest: None if each == package else found(each, *rest)
    )
    monkeypatch.delitem(sys.modules, package, raising=False)
    rg.find_simulator.cache_clear()
    with pytest.raises(MissingExtraError) as problem:
        rg.find_simulator(name)
    assert problem.value.hint == f'pip install "qrealm[{extra}]"'
