"""Circuits on Qiskit Aer, Cirq and lightning.qubit: conventions, conditions, noise, and what is refused."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import BackendRefusalError, RequestError, TooLargeError
from qrealm.base.units import GIB
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, ReadoutError, amplitude_damping, depolarizing
from qrealm.simulate.backends import BACKENDS, peers
from reference.dense import DenseSimulator

PACKAGES = {"qiskit": "qiskit_aer", "cirq": "cirq", "pennylane": "pennylane_lightning"}
HALF_WAY = ("qiskit", "cirq")


@pytest.fixture(params=list(PACKAGES))
def name(request):
    pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture(params=HALF_WAY)
def half_way(request):
    pytest.importorskip(PACKAGES[request.param])
    return request.param


def lopsided() -> Circuit:
    """No two qubits alike, a global phase, gates that frameworks name differently."""
    circuit = Circuit(4, global_phase=0.3)
    for qubit in range(4):
        circuit.u(0.3 + qubit, 0.7 * qubit, -0.2, qubit)
    circuit.append("rccx", [0, 2, 3]).append("xx_plus_yy", [1, 3], [0.4, 0.2]).iswap(0, 1)
    return circuit.append("ecr", [2, 0]).cp(0.9, 3, 1).sx(2)


@pytest.mark.parametrize("precision, tolerance", [("single", 1e-5), ("double", 1e-12)])
def test_states_amplitudes_and_values(name, precision, tolerance):
    circuit = lopsided()
    reference = DenseSimulator.run(circuit.packed())
    result = qrealm.run(
        circuit, 0, precision=precision, return_statevector=True, observables="Z0 X1 - 0.5 Y2 Y3 + 0.25",
        amplitudes=["0110"], backend=name,
    )  # fmt: skip
    assert np.abs(result.statevector - reference.state).max() < tolerance
    assert result.statevector.dtype == (np.complex64 if precision == "single" else np.complex128)
    assert abs(result.amplitudes()["0110"] - reference.state[6]) < tolerance
    want = reference.expectation({0: "Z", 1: "X"}) - 0.5 * reference.expectation({2: "Y", 3: "Y"}) + 0.25
    assert next(iter(result.expectation_values.values())) == pytest.approx(want, abs=10 * tolerance)


def test_final_readout_errors_act_once(name):
    circuit = Circuit(1, 1).x(0).measure(0, 0)
    circuit.append(ReadoutError([[0.9, 0.25], [0.1, 0.75]]), [0])
    shots = 20_000
    counts = qrealm.run(circuit, shots, seed=2, backend=name).counts
    # Five standard deviations of a binomial count.
    assert abs(counts["0"] - 0.25 * shots) < 5 * np.sqrt(shots * 0.25 * 0.75)


def test_bits_that_are_not_qubits_in_order(name):
    circuit = Circuit(3, 5).x(1).measure([1, 0], [4, 2])
    assert qrealm.run(circuit, 7, seed=1, backend=name).counts == {"10000": 7}


def test_teleportation_half_way(half_way):
    circuit = Circuit(3, 3).ry(0.7, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    circuit.measure(2, 2)
    shots = 4000
    counts = qrealm.run(circuit, shots, seed=4, backend=half_way).counts
    ones = sum(count for key, count in counts.items() if key[0] == "1")
    share = np.sin(0.35) ** 2
    # Five standard deviations of a binomial count.
    assert abs(ones - shots * share) < 5 * np.sqrt(shots * share * (1 - share))
    assert {key[1:] for key in counts} == {"00", "01", "10", "11"}


def test_a_bit_that_is_measured_twice_keeps_the_later_value(half_way):
    circuit = Circuit(2, 2).x(0).measure(0, 0).measure(0, 1)
    with circuit.if_(0):
        circuit.x(1)
    circuit.x(0).measure(0, 0)
    assert qrealm.run(circuit, 5, seed=4, backend=half_way).counts == {"10": 5}


def test_resets_without_measurements(half_way):
    circuit = Circuit(2).x(0).x(1).reset(0)
    assert qrealm.run(circuit, 5, seed=4, backend=half_way).counts == {"10": 5}


def test_conditions_on_bits_that_were_never_measured():
    circuit = Circuit(2, 3).x(0).measure(0, 0)
    with circuit.if_([0, 2], 1):
        circuit.x(1)
    with circuit.if_(2, 1):
        circuit.x(1)
    with circuit.if_(2, 0):
        circuit.h(1)
    twin, newest = peers.single_assignment(circuit)
    assert newest == {0: 0}
    assert twin.num_clbits == 1
    conditions = [args[0] for op, _, args in twin if op.name == "if"]
    assert [(each.clbits, each.value) for each in conditions] == [((0,), 1)]
    assert [op.name for op, _, _ in twin] == ["x", "measure", "if", "h"]


def test_thousands_of_measurements_are_renumbered_at_once():
    circuit = Circuit(1, 6000)
    for bit in range(6000):
        circuit.measure(0, 5999 - bit)
    started = time.thread_time()
    twin, newest = peers.single_assignment(circuit)
    assert time.thread_time() - started < 1.0
    assert [args[0] for _, _, args in twin] == list(range(6000))
    assert newest == {5999 - bit: bit for bit in range(6000)}


def test_aer_keeps_a_density_matrix_where_there_is_noise():
    pytest.importorskip("qiskit_aer")
    circuit = Circuit(2).x(0).h(1)
    circuit.append(amplitude_damping(0.3), [0])
    circuit.append(depolarizing(0.2, 2), [1, 0])
    found = qrealm.run(circuit, 0, observables={"z": "Z0", "x": "X1"}, backend="qiskit")
    # Depolarising by p keeps 1 - p of every Pauli value; damping leaves 0.7 in |1>.
    assert found.expectation_values["z"] == pytest.approx(0.8 * (0.3 - 0.7), abs=1e-12)
    assert found.expectation_values["x"] == pytest.approx(0.8, abs=1e-12)
    assert found.metadata["method"] == "density_matrix"
    rho = qrealm.run(circuit, 0, return_density_matrix=True, backend="qiskit").density_matrix
    assert np.trace(rho) == pytest.approx(1)
    assert np.trace(rho @ rho).real < 0.9


@pytest.mark.parametrize("backend", ["cirq", "pennylane"])
def test_pure_simulators_refuse_noise(backend):
    pytest.importorskip(PACKAGES[backend])
    circuit = Circuit(1).h(0)
    circuit.append(depolarizing(0.1), [0])
    with pytest.raises(BackendRefusalError, match="the circuit has noise") as caught:
        qrealm.run(circuit, 10, backend=backend)
    assert "qiskit" in caught.value.hint


def test_what_is_refused_is_told(name, monkeypatch):
    monkeypatch.setattr(peers, "memory_available_bytes", lambda: 4 * 1024**3)
    circuit = Circuit(1, 1).h(0).measure(0, 0).h(0)
    words = "decides something half-way" if name == "pennylane" else "only counts"
    with pytest.raises(BackendRefusalError, match=words):
        qrealm.run(circuit, 0, observables="Z0", backend=name)
    with pytest.raises(BackendRefusalError, match="sampled"):
        qrealm.run(Circuit(1).h(0), 10, observables="Z0", sampled=True, backend=name)
    with pytest.raises(RequestError, match="no options"):
        qrealm.run(Circuit(1).h(0), 10, backend=name, options={})
    with pytest.raises(TooLargeError, match=f"on the {name} backend needs"):
        qrealm.run(Circuit(30).h(range(30)), 0, observables="X0 X1", precision="double", backend=name)


def test_measurements_under_conditions_are_refused_by_cirq():
    pytest.importorskip("cirq")
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    with circuit.if_(0):
        circuit.measure(1, 1)
    with pytest.raises(BackendRefusalError, match="it measures inside a condition") as caught:
        qrealm.run(circuit, 10, backend="cirq")
    assert "these can: statevector" in caught.value.hint


def test_auto_never_takes_them():
    import qrealm.simulate.backends as backends

    for name in PACKAGES:
        assert not backends.BACKENDS[backends.QuantumBackend(name)].card.automatic


@pytest.mark.parametrize("name, arrays", [("qiskit", 2), ("pennylane", 1), ("cirq", 3)])
def test_a_refusal_of_memory_counts_every_array(monkeypatch, name, arrays):
    """With 1 GiB: so many states beside the first are in what it needs, and in how many qubits fit."""
    for package in BACKENDS[name].card.packages:
        pytest.importorskip(package)
    monkeypatch.setattr("qrealm.simulate.backends.peers.memory_available_bytes", lambda: GIB)
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(Circuit(28).h(0), shots=1, backend=name)
    assert 0 < caught.value.available_bytes <= GIB
    assert caught.value.needed_bytes == pytest.approx((1 + arrays) * 8 << 28, rel=0.01)
    largest = int(re.search(r"at most (\d+) qubits", caught.value.hint)[1])
    assert (1 + arrays) * 8 << largest <= GIB < (1 + arrays) * 8 << largest + 2
    assert qrealm.estimate(Circuit(4).h(0), backend=name).qubits_max < 40


def test_a_density_matrix_of_aer_counts_twice_the_bits(monkeypatch):
    pytest.importorskip("qiskit_aer")
    monkeypatch.setattr("qrealm.simulate.backends.peers.memory_available_bytes", lambda: GIB)
    noise = NoiseModel().after_gates(amplitude_damping(0.1))
    with pytest.raises(TooLargeError, match=r"needs 24,576 GiB of memory; 0\.9") as caught:
        qrealm.run(Circuit(20).h(0), shots=1, noise=noise, backend="qiskit")
    assert "at most 12 qubits here in single precision" in caught.value.hint


def test_noise_inside_a_condition_is_refused_by_the_card_with_those_that_can():
    pytest.importorskip("qiskit_aer")
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    with circuit.if_(0):
        circuit.append(depolarizing(0.1), [1])
    with pytest.raises(BackendRefusalError, match="it has noise inside a condition") as caught:
        qrealm.run(circuit, shots=5, backend="qiskit")
    named = caught.value.hint.removeprefix("these can: ").split(", ")
    assert "density_matrix" in named
    assert "statevector" not in named
    with pytest.raises(BackendRefusalError) as caught:
        qrealm.run(circuit, shots=5, backend="statevector")
    named = caught.value.hint.removeprefix("these can: ").split(", ")
    assert "qiskit" not in named
    for each in named:
        assert sum(qrealm.run(circuit, shots=5, backend=each).counts.values()) == 5
