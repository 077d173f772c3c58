"""Sweeps that are planned once: the same as single runs, told and stopped in between."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qrealm
from qrealm.base import cancel
from qrealm.base.errors import CancelledRunError, ParameterError, QrealmWarning, RequestError, TooLargeError
from qrealm.circuits.noise import NoiseModel, depolarizing
from qrealm.simulate import rows
from qrealm.simulate.backends.mps.options import MPSOptions
from qrealm.simulate.run import expectations
from unit.simulate.cancelling import CancelledAtCheck

SUMS = {"E": "Z0 Z1 + 0.5 X2 - 0.25 Y0 Y3", "one": "Z3", "constant": "2.5 I"}


def layered(num_qubits: int, layers: int = 2) -> qrealm.Circuit:
    """RY and RZ on every qubit and CX along a line."""
    circuit = qrealm.Circuit(num_qubits)
    for layer in range(layers):
        for q in range(num_qubits):
            circuit.ry(qrealm.Parameter(f"y{layer}_{q}"), q).rz(2 * qrealm.Parameter(f"z{layer}_{q}"), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


def points(circuit: qrealm.Circuit, count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).uniform(-4, 4, (count, len(circuit.parameters)))
    found[count // 2] = 0.0  # where nothing is left of the plan
    return found


@pytest.mark.parametrize("num_qubits", [4, 10, 15])
def test_values_are_those_of_single_runs(num_qubits: int) -> None:
    circuit = layered(num_qubits)
    sets = points(circuit, 40)
    found = expectations(circuit, sets, SUMS)
    assert found.shape == (40, 3)
    for row, values in zip(sets[::7], found[::7], strict=True):
        single = qrealm.run(circuit, 0, parameters=row, observables=SUMS).expectation_values
        assert values == pytest.approx(list(single.values()), abs=1e-11)
    results = qrealm.sweep(circuit, sets, observables=SUMS)
    assert [list(each.expectation_values.values()) for each in results] == found.tolist()
    assert [list(each.expectation_values) for each in results[:1]] == [list(SUMS)]


def test_threads_and_forms_of_the_sets_change_nothing() -> None:
    circuit = layered(6)
    sets = points(circuit, 60)
    names = [parameter.name for parameter in circuit.parameters]
    want = expectations(circuit, sets, "Z0 Z1", threads=1)
    assert np.array_equal(expectations(circuit, sets, "Z0 Z1", threads=4), want)
    assert np.array_equal(expectations(circuit, sets.tolist(), "Z0 Z1"), want)
    mappings = [dict(zip(names, row, strict=True)) for row in sets]
    assert np.array_equal(expectations(circuit, mappings, "Z0 Z1"), want)
    single = expectations(circuit, sets, "Z0 Z1", precision="single")
    assert np.abs(single - want).max() < 1e-5
    assert not np.array_equal(single, want)


def test_equal_observables_have_a_column_each() -> None:
    circuit = layered(2, 1)
    found = expectations(circuit, points(circuit, 3), ["Z0", "Z1", "Z0"])
    assert found.shape == (3, 3)
    assert np.array_equal(found[:, 0], found[:, 2])
    assert not np.array_equal(found[:, 0], found[:, 1])


def test_counts_of_a_sweep_are_those_of_single_runs() -> None:
    circuit = layered(5, 1)
    circuit.add_register("c", 2)
    circuit.measure([3, 0], [0, 1])
    sets = points(circuit, 12)
    results = qrealm.sweep(circuit, sets, shots=500, seed=9)
    assert len({each.metadata["seed"] for each in results}) == 12
    for row, result in zip(sets, results, strict=True):
        seed = result.metadata["seed"]
        assert result.shots == sum(result.counts.values()) == 500
        assert result.counts == qrealm.run(circuit, 500, seed=seed, parameters=row).counts
        assert set(map(len, result.counts)) == {2}
    again = qrealm.sweep(circuit, sets, shots=500, seed=9, threads=3)
    assert [each.counts for each in again] == [each.counts for each in results]


def test_results_of_a_batch_tell_how_they_came_about() -> None:
    circuit = layered(3, 1)
    sets = points(circuit, 4)
    for asked in ({"observables": "Z0"}, {"shots": 10}):
        for row, result in zip(sets, qrealm.sweep(circuit, sets, seed=1, **asked), strict=True):
            facts = result.metadata
            assert facts["backend"] == "statevector"
            assert facts["seconds"] > 0
            single = qrealm.run(circuit, parameters=row, seed=facts["seed"], **{"shots": 0, **asked})
            assert facts["circuit_digest"] == single.metadata["circuit_digest"]
            assert facts["precision"] == single.metadata["precision"]


def test_progress_is_told_for_every_set_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_FIRST_ROWS", 3)
    circuit = layered(3, 1)
    for call in (
        lambda told: expectations(circuit, points(circuit, 50), "Z0", progress=told),
        lambda told: qrealm.sweep(circuit, points(circuit, 50), observables="Z0", progress=told),
        lambda told: qrealm.sweep(circuit, points(circuit, 50), shots=5, progress=told),
        lambda told: qrealm.sweep(circuit, points(circuit, 50), return_statevector=True, progress=told),
    ):
        seen: list[tuple[int, int]] = []
        call(lambda done, total, seen=seen: seen.append((done, total)))
        assert seen == [(index, 50) for index in range(1, 51)]


def test_a_cancelled_sweep_stops() -> None:
    circuit = layered(12, 4)
    sets = points(circuit, 200_000)
    token = CancelledAtCheck(5)
    with cancel.watching(token), pytest.raises(CancelledRunError):
        expectations(circuit, sets, "Z0 Z1")
    assert (token.checks, token.checks_after) == (5, 0)


def test_what_no_batch_can_run_is_run_set_by_set() -> None:
    theta = qrealm.Parameter("t")
    half_way = qrealm.Circuit(2, 1).rx(theta, 0).measure(0, 0)
    with half_way.if_(0):
        half_way.x(1)
    assert expectations(half_way, [[0.0], [math.pi]], "Z1")[:, 0] == pytest.approx([1, -1])
    turned = qrealm.Circuit(1).rv(theta, 0.0, 0.0, 0)
    assert expectations(turned, [[0.3], [0.9]], "Z0")[:, 0] == pytest.approx(np.cos([0.3, 0.9]))
    assert expectations(turned, [], "Z0").shape == (0, 1)


def test_large_states_are_run_one_after_another() -> None:
    """19 qubits in double precision: more than a thread's own share."""
    theta = qrealm.Parameter("t")
    circuit = qrealm.Circuit(19).h(range(19))
    for q in range(18):
        circuit.rzz(theta, q, q + 1)
    circuit.rx(0.4, range(19))
    found = expectations(circuit, [[0.1], [0.7], [0.0]], "X0 + Z3", backend="statevector")
    want = [
        qrealm.run(circuit, 0, parameters=[t], observables={"v": "X0 + Z3"}).expectation_values["v"]
        for t in (0.1, 0.7, 0.0)
    ]
    assert found[:, 0] == pytest.approx(want, abs=1e-11)


def test_what_is_refused() -> None:
    circuit = layered(2, 1)
    with pytest.raises(ParameterError, match="got 3 values"):
        expectations(circuit, np.zeros((2, 3)), "Z0")
    with pytest.raises(ParameterError, match="finite"):
        expectations(circuit, np.full((2, 4), np.nan), "Z0")
    with pytest.raises(RequestError, match="parameter sets"):
        expectations(circuit, None, "Z0")
    with pytest.raises(RequestError, match="empty"):
        expectations(circuit, np.zeros((2, 4)), {})
    wide = layered(40, 1)
    with pytest.raises(TooLargeError):
        expectations(wide, np.zeros((2, 80)), "Z0", backend="statevector")


def test_a_sweep_takes_the_backends_options():
    """A chain of bonds of 1 cannot hold a Bell pair: it says what it lost, in a sweep as in a run."""
    a = qrealm.Parameter("a")
    circuit = qrealm.Circuit(2).ry(a, 0).cx(0, 1)
    points = [[0.4], [1.2]]
    options = MPSOptions(bond_max=1)
    found = qrealm.sweep(circuit, points, observables="Z0", backend="mps", options=options)
    assert found[0].truncation_error == pytest.approx(np.sin(0.2) ** 2)
    assert found[1].truncation_error == pytest.approx(np.sin(0.6) ** 2)
    with pytest.warns(QrealmWarning, match=r"threw away 0\.03947 .*\(and 1 more\)"):
        values = qrealm.expectations(circuit, points, "Z0", backend="mps", options=options)
    assert values[:, 0] == pytest.approx([each.expectation_values["Z0"] for each in found])
    for call in (qrealm.sweep, qrealm.expectations):
        with pytest.raises(RequestError, match="the statevector backend has no options"):
            call(circuit, points, observables="Z0", backend="statevector", options=options)
        with pytest.raises(RequestError, match="leaves the choice to AUTO"):
            call(circuit, points, observables="Z0", options=options)


@pytest.mark.parametrize("asked", [{"observables": "Z0"}, {"amplitudes": ["0" * 45]}])
def test_a_sweep_on_a_backend_that_is_too_small_says_who_is_not(asked):
    a = qrealm.Parameter("a")
    circuit = qrealm.Circuit(45).ry(a, 0)
    for qubit in range(44):
        circuit.cx(qubit, qubit + 1)
    with pytest.raises(TooLargeError) as caught:
        qrealm.sweep(circuit, [[0.1], [0.2]], backend="statevector", **asked)
    assert caught.value.hint.startswith("these can: mps")


def test_expectations_take_noise():
    """<Z> of RY(a) after depolarizing by 0.2 is 0.8 cos a."""
    a = qrealm.Parameter("a")
    noise = NoiseModel().after_gates(depolarizing(0.2), "ry")
    points = np.array([[0.3], [1.1]])
    found = qrealm.expectations(qrealm.Circuit(1).ry(a, 0), points, "Z0", noise=noise)
    assert found[:, 0] == pytest.approx(0.8 * np.cos(points[:, 0]), abs=1e-6)


def test_accuracy_decides_a_sweep_as_it_does_a_run():
    """70 entangled qubits are for mps alone, which cannot be as accurate as 1e-15."""
    a = qrealm.Parameter("a")
    circuit = qrealm.Circuit(70).ry(a, range(70))
    for qubit in range(69):
        circuit.cx(qubit, qubit + 1)
    parity = " ".join(f"X{qubit}" for qubit in range(70))
    (found,) = qrealm.sweep(circuit, [[0.3]], shots=5, accuracy=1e-3)
    assert found.metadata["backend"] == "mps"
    for call in (
        lambda: qrealm.sweep(circuit, [[0.3]], shots=5, accuracy=1e-18),
        lambda: qrealm.expectations(circuit, [[0.3]], parity, accuracy=2.0),
    ):
        with pytest.raises(RequestError, match="accuracy"):
            call()
