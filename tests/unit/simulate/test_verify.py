"""`verify` itself: that it finds what is wrong, and says what it did not look at."""

from __future__ import annotations

import json

import pytest

from qrealm.base.errors import ParameterError, RequestError, UnknownBackendError
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.gate_rows import GATES
from qrealm.simulate import verify as module
from qrealm.simulate.backends import BACKENDS
from qrealm.simulate.run import run
from qrealm.simulate.verify import FALSE_ALARM, verify
from qrealm.simulate.verify_circuits import standard


def bell():
    return Circuit(2).h(0).cx(0, 1).t(1)


def test_the_standard_set_has_every_gate():
    used = {op.name for case in standard(4) for op, _, _ in case.circuit}
    assert used >= set(GATES)
    assert used >= {"measure", "reset", "if", "channel", "readout"}


def test_a_right_backend_passes_and_repeats():
    calls = []
    report = verify(["statevector"], qubits=14, seed=3, progress=lambda *args: calls.append(args))
    assert report.passed
    assert report.failures == ()
    assert {row.measure for row in report.rows if row.passed} == {"amplitudes", "values", "chi-squared"}
    again = verify("statevector", qubits=14, seed=3)
    assert [row.deviation for row in report.rows] == [row.deviation for row in again.rows]
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1] == len(standard(14))
    assert json.loads(json.dumps(report.to_dict()))["passed"] is True


@pytest.mark.parametrize("angle, caught", [(1e-6, "amplitudes"), (0.4, "chi-squared")])
def test_a_gate_that_is_off_is_found(monkeypatch, angle, caught):
    def wrong(circuit, *args, **kwargs):
        return run(circuit.copy().rx(angle, 0), *args, **kwargs)

    monkeypatch.setattr(module, "run", wrong)
    report = verify(["statevector"], circuits=[bell()], seed=1)
    assert not report.passed
    assert caught in {row.measure for row in report.failures}


def test_a_lost_global_phase_is_found_except_where_there_is_none(monkeypatch):
    def turned(circuit, *args, **kwargs):
        return run(circuit.copy().gphase(0.5), *args, **kwargs)

    monkeypatch.setattr(module, "run", turned)
    assert {row.measure for row in verify(["statevector"], circuits=[bell()], seed=1).failures} == {
        "amplitudes"
    }
    pytest.importorskip("stim")
    report = verify(["stabilizer"], circuits=[Circuit(2).h(0).cx(0, 1).s(1)], seed=1)
    assert report.passed
    assert report.rows[0].note == "up to a global phase"


def test_wrong_noise_is_found_by_counts(monkeypatch):
    def wrong(circuit, *args, **kwargs):
        return run(circuit.copy().x(0), *args, **kwargs)

    monkeypatch.setattr(module, "run", wrong)
    report = verify(["density_matrix"], qubits=4, seed=1)
    assert {row.circuit for row in report.failures} >= {"noise: pauli errors", "noise: damping"}


def test_outcomes_that_cannot_be_have_no_probability():
    assert module._chi_squared([0, 3], [90, 10], {0: 1.0})[0] == 0.0
    assert module._chi_squared([0], [100], {0: 1.0})[0] == 1.0


def test_rare_outcomes_are_counted_together():
    shares = {0: 0.5, 1: 0.499, 2: 0.0005, 3: 0.0005}
    fine, _ = module._chi_squared([0, 1, 2], [500, 499, 1], shares)
    assert fine > 0.9
    # Two rare outcomes are expected once in all; seen forty times they are wrong together.
    odd, _ = module._chi_squared([0, 1, 2, 3], [480, 480, 20, 20], shares)
    assert odd < fine


def test_each_test_has_its_share_of_the_false_alarms():
    report = verify(["statevector"], qubits=4, seed=1)
    tests = [row for row in report.rows if row.measure == "chi-squared" and row.deviation is not None]
    assert {row.limit for row in tests} == {FALSE_ALARM / len(tests)}


def test_what_a_backend_cannot_do_is_told_and_no_failure():
    report = verify(["statevector"], qubits=4, seed=1)
    (row,) = [row for row in report.rows if row.circuit == "noise: damping"]
    assert row.passed is None
    assert "the circuit has noise" in row.note
    assert report.passed


def test_missing_packages_are_told_with_their_command(monkeypatch):
    monkeypatch.setattr(module, "missing_package", lambda card: card.packages[0] if card.packages else "")
    report = verify(["cirq"], circuits=[bell()], seed=1)
    assert [row.note for row in report.rows] == ['it needs cirq: pip install "qrealm[cirq]"']
    assert not report.passed


def test_circuits_of_ones_own():
    half_way = Circuit(1, 1).h(0).measure(0, 0)
    with half_way.if_(0):
        half_way.x(0)
    source = 'OPENQASM 2.0;include "qelib1.inc";qreg q[1];creg c[1];h q[0];measure q[0]->c[0];'
    report = verify(["statevector"], circuits={"a": bell(), "b": half_way, "c": source}, seed=1)
    assert report.passed
    assert {row.circuit for row in report.rows} == {"a", "b", "c"}
    assert verify(["statevector"], circuits=bell(), seed=1).passed


def test_wrong_requests_are_told():
    with pytest.raises(UnknownBackendError):
        verify(["abacus"])
    for words, arguments in (
        ("'auto'", {"backends": ["auto"]}),
        ("at least 100", {"shots": 10}),
        ("4 to 62", {"qubits": 100}),
        ("at most 12", {"circuits": [Circuit(20)]}),
        ("at most 6", {"circuits": [Circuit(8, 1).measure(0, 0).x(0)]}),
    ):
        with pytest.raises(RequestError, match=words):
            verify(**arguments)


def test_every_backend_is_asked_when_none_is_named(monkeypatch):
    monkeypatch.setattr(module, "missing_package", lambda card: "nothing")
    report = verify(circuits=[bell()], seed=1)
    assert {row.backend for row in report.rows} == {name.value for name in BACKENDS}


def test_circuits_of_one_name_are_kept_apart_and_open_ones_named():
    report = verify(["statevector"], circuits=[Circuit(1, name="a").x(0), Circuit(1, name="a").h(0)], seed=1)
    assert {row.circuit for row in report.rows} == {"a", "a (1)"}
    with pytest.raises(ParameterError, match="circuit 'mine' with the open parameters"):
        verify(["statevector"], circuits={"mine": Circuit(1).rx(Parameter("t"), 0)})
