"""The benchmarks measure what they say: fixed circuits, right answers, verdicts that follow from figures."""

from __future__ import annotations

import hashlib
import subprocess

import numpy as np
import pytest
from benchmarks import measure
from benchmarks.case_process import RUNS_PER_TURN_MAX, Answer, Request, run_case
from benchmarks.cases import FAMILIES, GATE_NAMES, Case
from benchmarks.check import KERNEL_FORM, largest_error, reference_amplitudes
from benchmarks.goals import RatioGoal, at_most, judge_ratios, load_goals, ratio
from benchmarks.machine import describe_machine
from benchmarks.page import BEGIN, END, figures, replace_figures
from benchmarks.peers import OURS, PEERS, Peer
from benchmarks.report import format_seconds
from benchmarks.results import Results, read_results, write_results
from benchmarks.single import program_text, small_case

# Figures of different days compare only if the gates are the same: a changed digest is a new benchmark.
DIGESTS = {
    "qft": (70, "bb172696b3825079"),
    "qv": (550, "462a58d03233245b"),
    "rqc": (197, "4c48f97a064e371d"),
    "qaoa": (110, "94f877bd83d8c18c"),
    "hea": (174, "27f7a075efd0937b"),
    "ghz": (10, "c0c0514af4f89ca4"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_circuits_never_change(family):
    gates = [(gate.name, gate.qubits, gate.params) for gate in Case.build(family, 10).gates]
    assert (len(gates), hashlib.sha256(repr(gates).encode()).hexdigest()[:16]) == DIGESTS[family]
    assert {name for name, _, _ in gates} <= set(GATE_NAMES) == set(KERNEL_FORM)


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_normalised(family):
    state = reference_amplitudes(Case.build(family, 6))
    assert np.linalg.norm(state) == pytest.approx(1)


def test_ghz_case_is_the_ghz_state():
    state = reference_amplitudes(Case.build("ghz", 5))
    assert np.flatnonzero(np.abs(state) > 1e-12).tolist() == [0, 31]


def test_error_sees_a_wrong_amplitude_and_forgives_a_phase_only_if_told():
    state = reference_amplitudes(Case.build("qv", 4))
    turned = np.exp(0.4j) * state
    assert largest_error(state, turned, any_phase=True) < 1e-14
    assert largest_error(state, turned, any_phase=False) > 0.01
    wrong = state.copy()
    wrong[3] += 0.1
    assert largest_error(state, wrong, any_phase=True) > 0.05
    with pytest.raises(ValueError, match="shape"):
        largest_error(state, state[:8], any_phase=True)


TIMES = {
    "qrealm-c64": 1.0,
    "qrealm-c128": 3.0,
    "qsim-f2": 4.0,
    "aer-c64": 5.0,
    "qulacs-f2": 2.0,
    "aer-c128": 9.0,
}


def test_ratio_is_against_the_fastest_of_the_same_precision_or_of_all():
    assert ratio(TIMES, "single", "same precision") == 4.0
    assert ratio(TIMES, "single", "any precision") == 2.0
    assert ratio(TIMES, "double", "same precision") == pytest.approx(2 / 3)
    assert ratio({"qrealm-c64": 1.0}, "single", "any precision") is None


def test_verdicts():
    goal = RatioGoal(
        20, "single", "same precision", geometric_mean=3.0, smallest=2.5, families={"qft": 4.0, "qv": 1.0}
    )
    seconds = {"qft": TIMES, "ghz": {"qrealm-c64": 1.0, "aer-c64": 2.0}}
    met = {verdict.what.split(": ")[1]: verdict.met for verdict in judge_ratios(goal, seconds)}
    # √(4·2) = 2.83 misses 3; the smallest, 2, misses 2.5; qv was not measured and has no verdict.
    assert met == {"qft": True, "geometric mean of 2": False, "smallest (ghz)": False}
    assert judge_ratios(goal, {}) == []
    assert at_most("time", 15, 14.9, "s").met
    assert not at_most("time", 15, 15.1, "s").met


def test_the_goals_file_reads():
    goals = load_goals()
    assert {goal.qubits for goal in goals.ratios} == {10, 15, 20, 24, 25}
    assert set(goals.ratios[0].families) == set(FAMILIES)


class FixedAdapter:
    """Answers with a state that the test chose."""

    def __init__(self, state):
        self.state = state
        self.runs = 0

    def run(self):
        self.runs += 1

    def amplitudes(self):
        return self.state


def test_a_wrong_answer_is_never_timed(monkeypatch):
    case = Case.build("qaoa", 4)
    right = FixedAdapter(reference_amplitudes(case))
    wrong = FixedAdapter(np.roll(right.state, 1))
    monkeypatch.setitem(
        PEERS, "aer-c128", Peer("aer-c128", "double", "qiskit-aer", lambda case, threads: right)
    )
    monkeypatch.setitem(
        PEERS, "qulacs-f0", Peer("qulacs-f0", "double", "qulacs", lambda case, threads: wrong)
    )
    answer = run_case(Request("qaoa", 4, ("aer-c128", "qulacs-f0"), threads=1, repeats=3))
    # One run to warm up, one to choose the runs in a turn, one untimed before each of three turns.
    assert len(answer.seconds["aer-c128"]) == 3 * RUNS_PER_TURN_MAX
    assert right.runs == 2 + 3 + len(answer.seconds["aer-c128"])
    assert "qulacs-f0" not in answer.seconds
    assert "wrong answer" in answer.failures["qulacs-f0"]
    assert wrong.runs == 0


@pytest.mark.parametrize("name", OURS.values())
def test_qrealm_itself_answers_right(name):
    answer = run_case(Request("rqc", 5, (name,), threads=2, repeats=1))
    assert answer.failures == {}
    assert answer.medians()[name] > 0


def test_a_process_that_dies_is_reported(monkeypatch):
    def die(*arguments, threads):
        raise subprocess.CalledProcessError(-11, arguments)

    monkeypatch.setattr(measure, "run_module", die)
    answer = measure.measure_case(Request("ghz", 3, ("aer-c64", "qulacs-f0"), threads=1, repeats=1))
    assert answer.failures == dict.fromkeys(("aer-c64", "qulacs-f0"), "the measuring process ended with -11")
    assert answer.num_gates == 3


def test_medians():
    answer = Answer("qft", 3, 9, seconds={"aer-c64": [3.0, 1.0, 2.0]})
    assert answer.medians() == {"aer-c64": 2.0}


@pytest.mark.parametrize("seconds, text", [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.2e-5, "42 µs")])
def test_times_have_the_unit_that_reads_best(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("form, version", [("OpenQASM 2", "2.0"), ("OpenQASM 3", "3.0")])
def test_program_text_has_as_many_gates_as_it_says(form, version):
    text = program_text(form, 30)
    assert text.startswith(f"OPENQASM {version};")
    gates = [line for line in text.splitlines() if line.startswith(("h ", "t ", "r", "cx "))]
    assert len(gates) == len(small_case(20, 30).gates) == 30


def test_a_results_file_holds_everything(tmp_path):
    answer = Answer("qft", 6, 9, seconds={"aer-c64": [2.0], "qrealm-c64": [0.5]})
    results = Results("2026-01-02T03:04:05", "make bench", describe_machine(), 2, answers=[answer])
    results.verdicts = [at_most("time", 1, 2, "s")]
    write_results(results, tmp_path / "made" / "results.json")
    assert read_results(tmp_path / "made" / "results.json") == results


def test_the_page_shows_medians_ratios_and_missed_goals():
    answer = Answer("qft", 6, 9, seconds={"aer-c64": [2.0], "qrealm-c64": [0.5]})
    results = Results("2026-01-02T03:04:05", "make bench", describe_machine(), 2, answers=[answer])
    results.verdicts = [at_most("time", 1, 2, "s")]
    text = "\n\n".join(figures(results))
    assert "| aer-c64 | 2 s |" in text
    assert "| qrealm-c64: ratio, same precision | 4.00 |" in text
    assert "| time | at most 1 s | 2 s | **missed** |" in text
    page = f"above\n{BEGIN}\nold\n{END}\nbelow"
    assert replace_figures(page, "new") == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow"
    with pytest.raises(ValueError, match="marks"):
        replace_figures("no marks", "new")
