"""Plain mistakes of a caller are told in words, by an error that a job can carry."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import ParameterError, QubitError, RequestError
from qrealm.circuits.noise import NoiseModel, depolarizing
from qrealm.simulate.backends import BACKENDS

BELL = qrealm.Circuit(2).h(0).cx(0, 1)
A = qrealm.Parameter("a")
OPEN = qrealm.Circuit(2).ry(A, 0)
RV = qrealm.Circuit(1).rv(A, 0.1, 0.2, 0)


@pytest.mark.parametrize(
    "mistake, kind, words",
    [
        (lambda: qrealm.run(BELL, initial_state=5), RequestError, "initial_state is 5"),
        (lambda: qrealm.run(BELL, initial_state=np.array(1.0)), RequestError, "initial_state is array"),
        (lambda: qrealm.run(BELL, initial_state="101"), RequestError, "initial_state has 3 entries"),
        (lambda: qrealm.run(OPEN, parameters=0.3), ParameterError, "parameters got 0.3"),
        (lambda: qrealm.run(OPEN, parameters="x"), ParameterError, "parameters got 'x'"),
        (lambda: qrealm.run(BELL, amplitudes=5), RequestError, "amplitudes got 5"),
        (lambda: qrealm.run(BELL, amplitudes=[5]), RequestError, r"amplitudes got \[5\]"),
        (lambda: qrealm.run(BELL).marginal(0), RequestError, "marginal.. got 0"),
        (lambda: qrealm.run(BELL).marginal(["a"]), RequestError, "marginal.. got"),
        (lambda: qrealm.run(BELL).marginal([1.5]), RequestError, "sequence of qubits"),
        (lambda: qrealm.run(BELL).amplitudes(5), RequestError, "amplitudes got 5"),
        (lambda: qrealm.sweep(OPEN, [1.0, 2.0], shots=1), ParameterError, "sweep got 1.0"),
        (lambda: qrealm.sweep(OPEN, [1.0, 2.0]), ParameterError, "sweep got 1.0"),
        (lambda: qrealm.sweep(OPEN, np.linspace(0, 1, 3), shots=1), ParameterError, "sweep got"),
        (lambda: qrealm.sweep(OPEN, None), RequestError, "parameter sets None"),
        (lambda: qrealm.sweep(OPEN, {"a": [1, 2]}, shots=1), RequestError, "parameter sets"),
        (lambda: qrealm.benchmark(5), RequestError, "qubits=5"),
        (lambda: qrealm.benchmark(["a"]), RequestError, "sequence of widths"),
        (lambda: qrealm.benchmark([3], layers="x"), RequestError, "layers='x'"),
        (lambda: qrealm.gradient(OPEN, ["Z0", "X0"], [0.1]), RequestError, "2 observables"),
        (lambda: qrealm.gradient(OPEN, "Z0", [0.1], "a"), ParameterError, "gradient by 'a'"),
        (lambda: qrealm.gradient(OPEN, "Z0", [0.1], 5), ParameterError, "gradient by 5"),
        (lambda: qrealm.gradient(RV, "Z0", [0.1]), ParameterError, "gradient needs gates"),
        (lambda: qrealm.run(qrealm.Circuit(0)), QubitError, "at least one qubit"),
        (lambda: qrealm.estimate(qrealm.Circuit(0)), QubitError, "at least one qubit"),
        (lambda: qrealm.gradient(qrealm.Circuit(0), "1", []), QubitError, "at least one qubit"),
        (lambda: qrealm.run(BELL, shots=True), RequestError, "shots is True"),
        (lambda: qrealm.run(BELL, shots=np.bool_(True)), RequestError, "shots is .*True"),
        (lambda: qrealm.run(BELL, seed=True), RequestError, "seed is True"),
        (lambda: qrealm.run(BELL, threads=True), RequestError, "threads is True"),
        (lambda: qrealm.sweep(OPEN, [[0.1]], shots=1, seed=False), RequestError, "seed is False"),
        (
            lambda: qrealm.run(BELL, observables={1: "Z0", "1": "X0"}),
            RequestError,
            "two different observables are named '1'",
        ),
    ],
)
def test_a_plain_mistake_is_told_in_words(mistake, kind, words):
    with pytest.raises(kind, match=words):
        mistake()


@pytest.mark.parametrize("backend", [None, *sorted(map(str, BACKENDS))])
@pytest.mark.parametrize("wide", [False, True])
def test_open_parameters_are_refused_in_the_same_words_everywhere(backend, wide):
    for package in BACKENDS[backend].card.packages if backend else ():
        pytest.importorskip(package)
    circuit = qrealm.Circuit(30 if wide else 2).h(0).ry(A, 1)
    noise = NoiseModel().after_gates(depolarizing(0.1))
    asked = ({}, {"shots": 0, "observables": "Z0"}, {"noise": noise})
    for each in asked:
        with pytest.raises(ParameterError, match="not bound yet: a"):
            qrealm.run(circuit, backend=backend, **each)
        with pytest.raises(ParameterError, match="not bound yet: a"):
            qrealm.estimate(circuit, backend=backend, **each)


def test_a_gate_whose_form_depends_on_numbers_is_swept_all_the_same():
    results = qrealm.sweep(RV, [[0.3], {"a": 0.9}], observables="Z0")
    for result, value in zip(results, (0.3, 0.9), strict=True):
        alone = qrealm.run(RV, 0, parameters=[value], observables="Z0")
        assert result.expectation_values == alone.expectation_values
    with pytest.raises(ParameterError):
        qrealm.sweep(RV, [{"b": 1.0}], shots=1)


@pytest.mark.parametrize("angle", [A.sqrt(), A**0.5])
def test_a_slope_that_is_not_finite_is_named(angle):
    circuit = qrealm.Circuit(1).rx(angle, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ParameterError, match="finite"):
            qrealm.gradient(circuit, "Z0", [0.0])
        assert qrealm.gradient(circuit, "Z0", [4.0])["a"] == pytest.approx(-np.sin(2.0) / 4)


@pytest.mark.parametrize("extra", [{"return_statevector": True}, {"amplitudes": ["00"]}])
def test_sampled_is_honoured_beside_states(extra):
    circuit = qrealm.Circuit(2).ry(1.0, 0).cx(0, 1)
    result = qrealm.run(circuit, 500, 3, observables="Z0 + X0 X1", sampled=True, **extra)
    (value,), (error,) = result.expectation_values.values(), result.standard_errors.values()
    assert error > 0
    assert abs(value - (np.cos(1.0) + np.sin(1.0))) < 6 * error
    assert value == pytest.approx(
        qrealm.run(circuit, 500, 3, precision="double", observables="Z0 + X0 X1", sampled=True)
        .expectation_values["Z0 + X0 X1"]
    )  # fmt: skip
    assert sum(result.counts.values()) == 500
    for name in extra:
        assert result.statevector is not None if name == "return_statevector" else result.amplitudes()


def test_an_initial_bit_string_follows_the_bit_order():
    circuit = qrealm.Circuit(3)
    assert qrealm.run(circuit, 4, initial_state="100").counts == {"100": 4}
    assert qrealm.run(circuit, 4, initial_state="100", bit_order="big").counts == {"100": 4}
    found = qrealm.run(circuit, 0, initial_state="100", bit_order="big", return_statevector=True)
    assert found.statevector[1] == 1  # qubit 0 is leftmost


def test_a_state_cannot_be_written_to():
    import pickle

    dynamic = qrealm.Circuit(1, 1).x(0).measure(0, 0).x(0)
    for circuit in (BELL, dynamic):
        result = qrealm.run(circuit, 1, return_statevector=True)
        for each in (result, pickle.loads(pickle.dumps(result))):
            with pytest.raises(ValueError, match="read-only"):
                each.statevector[:] = 0


def test_an_observable_given_twice_counts_once():
    result = qrealm.run(BELL, 0, observables=["Z0 Z1", "Z0 Z1", "Z1 Z0"])
    assert list(result.expectation_values) == ["Z0 Z1", "Z1 Z0"]
