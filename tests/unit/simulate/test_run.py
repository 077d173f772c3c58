"""`qrealm.run` and `sweep` on circuits whose measurements come last."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qrealm
from qrealm.base import limits
from qrealm.base.errors import (
    ObservableError,
    ParameterError,
    QubitError,
    RequestError,
    TooLargeError,
    UnknownBackendError,
)
from qrealm.simulate import execute as execute_module
from qrealm.simulate.layered import layered_circuit
from reference.dense import DenseSimulator


def bell() -> qrealm.Circuit:
    return qrealm.Circuit(2).h(0).cx(0, 1)


def random_circuit(num_qubits: int, seed: int = 5) -> qrealm.Circuit:
    return layered_circuit(num_qubits, 3, seed=seed)


def test_counts_of_an_entangled_pair():
    result = qrealm.run(bell(), shots=4000, seed=1)
    assert set(result.counts) == {"00", "11"}
    assert sum(result.counts.values()) == 4000 == result.shots
    assert abs(result.counts["00"] - 2000) < 5 * math.sqrt(1000)


@pytest.mark.parametrize("precision, tolerance", [("single", 1e-5), ("double", 1e-11)])
def test_the_state_agrees_with_the_reference(precision, tolerance):
    circuit = random_circuit(6)
    result = qrealm.run(circuit, shots=0, precision=precision, return_statevector=True)
    expected = DenseSimulator.run(circuit.packed()).state
    assert result.statevector.dtype == (np.complex64 if precision == "single" else np.complex128)
    assert np.abs(result.statevector - expected).max() < tolerance
    assert result.counts == {}


def test_samples_follow_the_probabilities():
    circuit = random_circuit(4)
    shots = 20000
    weights = DenseSimulator.run(circuit.packed()).probabilities()
    for arguments in ({}, {"return_statevector": True}):  # two ways to sample
        result = qrealm.run(circuit, shots=shots, seed=3, **arguments)
        for index, weight in enumerate(weights):
            drawn = result.counts.get(format(index, "04b"), 0)
            assert abs(drawn - shots * weight) < 6 * math.sqrt(shots * weight * (1 - weight)) + 1


@pytest.mark.parametrize("precision", ["single", "double"])
def test_the_same_seed_gives_the_same_counts_whatever_the_threads(precision):
    circuit = random_circuit(9)
    runs = [
        qrealm.run(circuit, shots=500, seed=11, precision=precision, threads=threads).counts
        for threads in (1, 2, 3)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert qrealm.run(circuit, shots=500, seed=12, precision=precision).counts != runs[0]


def test_a_seed_from_the_system_is_recorded_and_repeats_the_run():
    circuit = random_circuit(6)
    first = qrealm.run(circuit, shots=300)
    assert first.metadata["seed_was_given"] is False
    again = qrealm.run(circuit, shots=300, seed=first.metadata["seed"])
    assert again.counts == first.counts
    assert again.metadata["seed_was_given"] is True


def test_precision_is_chosen_by_what_is_asked():
    assert qrealm.run(bell()).metadata["precision"] == "single"
    assert qrealm.run(bell(), return_statevector=True).metadata["precision"] == "double"
    assert qrealm.run(bell(), observables="Z0").metadata["precision"] == "double"
    assert qrealm.run(bell(), amplitudes=["00"]).metadata["precision"] == "double"
    assert qrealm.run(bell(), observables="Z0", sampled=True).metadata["precision"] == "single"
    assert qrealm.run(bell(), amplitudes=["00"], precision="single").metadata["precision"] == "single"


def test_bit_order_and_partial_measurement():
    circuit = qrealm.Circuit(3).x(0)
    assert qrealm.run(circuit, shots=5).counts == {"001": 5}
    assert qrealm.run(circuit, shots=5, bit_order="big").counts == {"100": 5}
    partial = qrealm.Circuit(3, 2).x(2).h(1).measure([2, 0], [0, 1])
    assert qrealm.run(partial, shots=5).counts == {"01": 5}
    crossed = qrealm.Circuit(2, 2).x(0).measure([0, 1], [1, 0])
    assert qrealm.run(crossed, shots=5).counts == {"10": 5}


def test_registers_are_printed_as_qiskit_prints_them():
    circuit = qrealm.Circuit(3)
    circuit.add_register("a", 1)
    circuit.add_register("b", 2)
    circuit.x(0).x(2).measure([0, 1, 2], [0, 1, 2])
    assert qrealm.run(circuit, shots=3).counts == {"10 1": 3}
    assert qrealm.run(circuit, shots=3, bit_order="big").counts == {"1 01": 3}


def test_unwritten_classical_bits_are_zero_and_may_be_many():
    circuit = qrealm.Circuit(1, 70).x(0).measure(0, 69)
    assert qrealm.run(circuit, shots=2).counts == {"1" + "0" * 69: 2}


def test_classical_bits_without_measurement_do_not_count():
    assert qrealm.run(qrealm.Circuit(2, 5).x(1), shots=2).counts == {"10": 2}


def test_amplitudes_of_chosen_bit_strings():
    result = qrealm.run(qrealm.Circuit(2).x(0).s(0), shots=0, amplitudes=["01", "10"])
    assert result.amplitudes() == {"01": pytest.approx(1j), "10": 0}
    assert result.amplitudes(["01"]) == {"01": pytest.approx(1j)}
    with pytest.raises(RequestError, match="kept no amplitude of '00'"):
        result.amplitudes(["00"])
    big = qrealm.run(qrealm.Circuit(2).x(0), shots=0, amplitudes="10", bit_order="big")
    assert big.amplitudes() == {"10": 1}


@pytest.mark.parametrize("num_qubits", [2, 7])  # within one matrix, and beyond
def test_an_initial_state(num_qubits):
    rng = np.random.default_rng(2)
    amplitudes = rng.normal(size=2**num_qubits) + 1j * rng.normal(size=2**num_qubits)
    amplitudes /= np.linalg.norm(amplitudes)
    circuit = qrealm.Circuit(num_qubits).h(1).cx(1, 0)
    result = qrealm.run(circuit, shots=10, initial_state=amplitudes, return_statevector=True)
    reference = DenseSimulator(num_qubits)
    reference.state = amplitudes.copy()
    reference.apply(circuit.packed())
    assert np.allclose(result.statevector, reference.state, atol=1e-12)
    assert sum(result.counts.values()) == 10


def test_an_initial_bit_string_keeps_registers_and_the_circuit():
    circuit = qrealm.Circuit(2)
    circuit.add_register("out", 2)
    circuit.measure([0, 1], [0, 1])
    assert qrealm.run(circuit, shots=4, initial_state="10").counts == {"10": 4}
    assert qrealm.run(circuit, shots=4).counts == {"00": 4}
    with pytest.raises(RequestError, match="initial_state has 3 entries"):
        qrealm.run(circuit, initial_state="101")


def test_parameters_are_bound_by_name_or_order():
    a, b = qrealm.Parameter("a"), qrealm.Parameter("b")
    circuit = qrealm.Circuit(2).rx(a, 0).rx(b, 1)
    assert qrealm.run(circuit, shots=3, parameters={"a": math.pi, "b": 0}).counts == {"01": 3}
    assert qrealm.run(circuit, shots=3, parameters=[0, math.pi]).counts == {"10": 3}
    with pytest.raises(ParameterError, match="not bound"):
        qrealm.run(circuit)
    with pytest.raises(ParameterError):
        qrealm.run(circuit, parameters=[1.0])


def test_anything_that_read_takes():
    gates = {"num_qubits": 2, "gates": [{"type": "H", "qubits": [0]}, {"type": "CX", "qubits": [0, 1]}]}
    assert set(qrealm.run(gates, shots=100, seed=1).counts) == {"00", "11"}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"shots": -1}, "shots is -1"),
        ({"shots": 1.5}, "must be an integer"),
        ({"shots": 2**41}, "2\\^40"),
        ({"shots": 0}, "asks for nothing"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "2\\^64 - 1"),
        ({"seed": "x"}, "must be an integer"),
        ({"precision": "half"}, "'single', 'double' or 'auto'"),
        ({"precision": []}, "'single', 'double' or 'auto'"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": "two"}, "must be an integer"),
        ({"bit_order": "middle"}, "'little'"),
        ({"amplitudes": ["0"]}, "exactly 2 characters"),
        ({"amplitudes": ["0a"]}, "exactly 2 characters"),
        ({"observables": []}, "observables is empty"),
        ({"sampled": True}, "needs observables"),
    ],
)
def test_impossible_options_are_refused(arguments, words):
    with pytest.raises(RequestError, match=words):
        qrealm.run(bell(), **arguments)


def test_an_unknown_backend_names_those_that_exist():
    with pytest.raises(UnknownBackendError, match="QR301") as caught:
        qrealm.run(bell(), backend="abacus")
    assert "statevector" in caught.value.hint
    assert qrealm.run(bell(), backend=qrealm.QuantumBackend.STATEVECTOR).shots == limits.SHOTS_DEFAULT


def test_an_observable_beyond_the_circuit_is_refused():
    with pytest.raises(ObservableError, match="acts on qubit 5"):
        qrealm.run(bell(), observables="Z5")


def test_a_circuit_without_qubits_is_refused():
    with pytest.raises(QubitError, match="at least one qubit"):
        qrealm.run(qrealm.Circuit(0))


def test_too_many_qubits_to_number():
    with pytest.raises(QubitError, match="up to 62 qubits"):
        qrealm.run(qrealm.Circuit(63).h(0), backend="statevector")
    with pytest.raises(QubitError, match="up to 62 qubits"):
        qrealm.run(qrealm.Circuit(63).h(0).measure(0).h(0), backend="statevector")


def test_what_does_not_fit_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(execute_module, "memory_available_bytes", lambda: 2 * 1024**3)
    circuit = random_circuit(30)
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(circuit, shots=10, backend="statevector")
    assert "needs 8.03 GiB of memory; 1.9 GiB are available" in caught.value.message
    assert "use at most 27 qubits here in single precision (26 in double)" in caught.value.hint
    small = random_circuit(27)
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(small, shots=0, return_statevector=True, precision="double", backend="statevector")
    assert 'precision="single"' not in caught.value.hint  # that would not fit either, with the copy
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(small, shots=10, precision="double", backend="statevector")
    assert 'use precision="single": it needs 1.03 GiB and fits' in caught.value.hint


def test_a_wide_circuit_that_comes_apart_runs():
    result = qrealm.run(qrealm.Circuit(60).x(59).h(0).cx(0, 1), shots=50, seed=2)
    assert set(result.counts) == {"1" + "0" * 59, "1" + "0" * 57 + "11"}


def test_a_sweep_equals_single_runs():
    a = qrealm.Parameter("a")
    circuit = qrealm.Circuit(2).ry(a, 0).cx(0, 1)
    seen = []
    points = np.linspace(0, math.pi, 5)
    results = qrealm.sweep(
        circuit,
        points[:, None],
        observables=["Z0", "Z0 Z1"],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [each.expectation_values["Z0"] for each in results] == pytest.approx(np.cos(points).tolist())
    assert [each.expectation_values["Z0 Z1"] for each in results] == pytest.approx([1] * 5)
    assert seen == [(index, 5) for index in range(1, 6)]
    sampled = qrealm.sweep(circuit, [{"a": 0.5}, {"a": 0.5}], shots=1000, seed=4)
    assert sampled[0].counts != sampled[1].counts  # each set has its own seed
    repeated = qrealm.run(circuit, shots=1000, seed=sampled[1].metadata["seed"], parameters={"a": 0.5})
    assert repeated.counts == sampled[1].counts


def test_a_sweep_over_a_circuit_that_branches():
    a = qrealm.Parameter("a")
    circuit = qrealm.Circuit(2, 1).rx(a, 0).measure(0, 0)
    with circuit.if_(0):
        circuit.x(1)
    results = qrealm.sweep(circuit, [[0.0], [math.pi]], observables="Z1")
    assert [each.expectation_values["Z1"] for each in results] == pytest.approx([1, -1])


def test_a_sweep_refuses_wrong_sets():
    circuit = qrealm.Circuit(1).rx(qrealm.Parameter("a"), 0)
    with pytest.raises(ParameterError):
        qrealm.sweep(circuit, [{"b": 1.0}], shots=1)
    with pytest.raises(ParameterError):
        qrealm.sweep(circuit, [[1.0, 2.0]], shots=1)
    with pytest.raises(ParameterError):
        qrealm.sweep(circuit, [[1.0], [1.0, 2.0]], shots=1)
    with pytest.raises(ParameterError, match="different parameters"):
        qrealm.sweep(circuit, [{"a": 1.0}, {"b": 1.0}], shots=1)
    assert qrealm.sweep(circuit, [], shots=1) == []
