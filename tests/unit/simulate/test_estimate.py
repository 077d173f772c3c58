"""Estimates, the measured rates behind them, and the benchmark."""

from __future__ import annotations

import json
import math
import time

import pytest

import qrealm
from qrealm.base import cache_folder
from qrealm.base.errors import RequestError, TooLargeError
from qrealm.simulate import calibrate, pictures
from qrealm.simulate import estimate as estimate_module
from qrealm.simulate.backends import QuantumBackend, loaded
from qrealm.simulate.layered import layered_circuit
from qrealm.simulate.plan.types import Precision, Rates, Work

RATES = Rates(1e-6, 1e-7, 1e10, 1e11, 1e-8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(cache_folder.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(calibrate, "_kept", {})


@pytest.fixture
def known_rates(monkeypatch):
    monkeypatch.setattr(estimate_module, "rates", lambda *_: RATES)


@pytest.mark.usefixtures("known_rates")
def test_an_estimate_tells_memory_time_and_fit():
    circuit = layered_circuit(20)
    found = qrealm.estimate(circuit)
    assert (found.num_qubits, found.gates, found.backend) == (20, 590, "statevector")
    assert found.depth == circuit.depth()
    assert found.precision is Precision.SINGLE
    assert found.fits
    assert 8 * 2**20 <= found.memory_bytes < 64 * 2**20
    assert 1e-5 < found.seconds < 10
    assert qrealm.estimate(circuit, "double").memory_bytes > found.memory_bytes
    assert qrealm.estimate(circuit, return_statevector=True).precision is Precision.DOUBLE


@pytest.mark.usefixtures("known_rates")
def test_what_does_not_fit_is_estimated_too(monkeypatch):
    monkeypatch.setattr(estimate_module, "memory_available_bytes", lambda: 2**30)
    found = qrealm.estimate(layered_circuit(32, 2), backend="statevector")
    assert not found.fits
    assert found.memory_bytes > 32 * 2**30
    assert found.qubits_max == 26
    assert found.seconds > 0
    vast = qrealm.estimate(layered_circuit(45, 2), backend="statevector")
    assert not vast.fits
    assert vast.seconds > 2**48 * 2 / RATES.bytes_per_second


@pytest.mark.usefixtures("known_rates")
def test_a_circuit_that_branches_gets_an_upper_bound():
    circuit = qrealm.Circuit(3, 3).h(0).measure(0, 0)
    with circuit.if_(0):
        circuit.h(1)
    circuit.reset(0).h(2).measure([1, 2], [1, 2])
    found = qrealm.estimate(circuit, shots=100)
    assert any("at most 4 outcomes" in reason for reason in found.reasons)
    with pytest.raises(RequestError):
        qrealm.estimate(circuit, shots=-1)


def test_rates_are_measured_once_and_kept(monkeypatch):
    backend = loaded(QuantumBackend.STATEVECTOR)
    calls = []
    monkeypatch.setattr(calibrate, "measure", lambda *args: calls.append(args) or RATES)
    assert calibrate.rates(backend, Precision.SINGLE, 1) == RATES
    assert calibrate.rates(backend, Precision.SINGLE, 1) == RATES
    monkeypatch.setattr(calibrate, "_kept", {})  # another process
    assert calibrate.rates(backend, Precision.SINGLE, 1) == RATES
    assert len(calls) == 1
    assert calibrate.rates(backend, Precision.SINGLE, 2) == RATES
    assert len(calls) == 2


def test_a_damaged_file_is_measured_again(monkeypatch, tmp_path):
    backend = loaded(QuantumBackend.STATEVECTOR)
    monkeypatch.setattr(calibrate, "measure", lambda *_: RATES)
    calibrate.rates(backend, Precision.SINGLE, 1)
    (file,) = (tmp_path / "cache").iterdir()
    for damage in ("{", "[]", json.dumps({"format": 1, "run_seconds": -1})):
        file.write_text(damage)
        monkeypatch.setattr(calibrate, "_kept", {})
        assert calibrate.rates(backend, Precision.SINGLE, 1) == RATES
    assert json.loads(file.read_text())["gate_seconds"] == RATES.gate_seconds


def test_a_cache_that_cannot_be_kept_is_passed_over(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("", str(tmp_path / "file" / "below")):
        monkeypatch.setenv(cache_folder.FOLDER_VARIABLE, place)
        cache_folder.save("x", {"a": 1})
        assert cache_folder.load("x") is None


def test_a_missing_rate_survives_the_file():
    cache_folder.save("r", {"bytes_per_second": math.inf})
    assert cache_folder.load("r") == {"bytes_per_second": math.inf}


class _Recorded:
    """A backend whose runs take exactly what a cost model says: the measurement must find the model again."""

    card = loaded(QuantumBackend.STATEVECTOR).card

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.now = 0.0

    def compile(self, packed, precision):
        self.packed = packed
        self.gates = len(packed.codes)
        return self

    def work(self, shots):
        size = 1 << self.packed.num_qubits
        # Traffic grows slower than arithmetic, as in stages that do many gates per pass.
        return Work(size, 1, int(size * math.sqrt(self.gates)), size * self.gates, self.gates, shots)

    def counts(self, shots, seed, threads):
        self.now += self.card.seconds(self.work(shots), self.rates)


def test_the_measurement_finds_the_rates():
    truth = Rates(1e-5, 1e-6, 1e9, 1e10, 1e-7)
    recorded = _Recorded(truth)
    found = calibrate.measure(recorded, Precision.SINGLE, 1, clock=lambda: recorded.now)
    assert found.bytes_per_second == pytest.approx(truth.bytes_per_second, rel=0.1)
    assert found.flops_per_second == pytest.approx(truth.flops_per_second, rel=0.1)
    assert found.shot_seconds == pytest.approx(truth.shot_seconds, rel=0.1)
    assert found.gate_seconds == pytest.approx(truth.gate_seconds, rel=0.1)


def test_the_benchmark_measures_each_width(tmp_path):
    seen = []
    rows = qrealm.benchmark([2, 6], layers=3, progress=seen.append)
    assert seen == rows
    assert [row.qubits for row in rows] == [2, 6]
    assert [row.gates for row in rows] == [15, 51]
    assert all(row.gates_per_second == pytest.approx(row.gates / row.seconds) for row in rows)
    assert {row.backend for row in rows} == {"statevector"}
    pytest.importorskip("matplotlib")
    assert pictures.save_benchmark(rows, tmp_path / "b.png", title="speed").stat().st_size > 1000


@pytest.mark.parametrize("arguments", [{"qubits": []}, {"qubits": [0]}, {"qubits": [3], "layers": 0}])
def test_an_empty_benchmark_is_refused(arguments):
    with pytest.raises(RequestError, match="at least 1"):
        qrealm.benchmark(**arguments)


def test_a_benchmark_too_large_is_refused():
    with pytest.raises(TooLargeError):
        qrealm.benchmark([40], layers=2, backend="statevector")


def test_a_benchmark_tells_what_is_to_come_and_refuses_what_takes_too_long():
    announced = []
    qrealm.benchmark([3, 4], layers=2, announce=announced.append, run_seconds_max=30.0)
    assert [each.num_qubits for each in announced] == [3, 4]
    started = time.thread_time()
    with pytest.raises(RequestError, match=r"40 qubits, where a run takes about .* at most 1(\.00)? s a run"):
        qrealm.benchmark([3, 40], announce=announced.append, run_seconds_max=1.0)
    assert time.thread_time() - started < 10
    assert len(announced) == 2, "nothing ran"


def test_an_estimate_tells_why_nothing_fits():
    """45 qubits, entangled by 30 layers: too wide for a state, too entangled for MPS in this accuracy."""
    found = qrealm.estimate(layered_circuit(45, 30), accuracy=1e-9)
    assert not found.fits
    assert {each.name for each in found.considered} >= {"statevector", "mps"}
    assert all(each.refused for each in found.considered)
