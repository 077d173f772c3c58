"""Circuits written to PennyLane: the same unitary, phase included, there and back; the same outcomes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import ParameterError, WriteError
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.noise import Channel, amplitude_damping
from qrealm.simulate.run import run
from reference.random_circuits import replayable
from unit.circuits.draws import random_circuit, random_unitary
from unit.circuits.matrix_of import matrix_of

qml = pytest.importorskip("pennylane")

from qrealm.faces.providers.pennylane import QrealmDevice  # noqa: E402


def unitary_of(tape, count: int) -> np.ndarray:
    """PennyLane's own unitary, in our order of qubits."""
    return np.asarray(qml.matrix(tape, wire_order=range(count - 1, -1, -1)))


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_there_and_back(seed: int) -> None:
    circuit = random_circuit(seed, 5, 25)
    with replayable(seed):
        tape = circuit.to_pennylane()
        assert np.allclose(unitary_of(tape, 5), matrix_of(circuit), atol=1e-9)
        assert np.allclose(matrix_of(read(tape)), matrix_of(circuit), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in GATES if name != "unitary"])
def test_every_gate(name: str) -> None:
    gate = GATES[name]
    count = max(1, gate.num_qubits)
    circuit = Circuit(count).append(
        name, range(gate.num_qubits), [0.3 * (i + 1) for i in range(gate.num_params)]
    )
    assert np.allclose(unitary_of(circuit.to_pennylane(), count), matrix_of(circuit), atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_pennylanes_random_layers_here_and_back(seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(0, 6, (2, 4, 3))
    source = qml.tape.QuantumScript(
        qml.StronglyEntanglingLayers.compute_decomposition(
            weights, wires=range(4), ranges=(1, 2), imprimitive=qml.CZ
        )
    )
    back = read(source).to_pennylane()
    assert np.allclose(unitary_of(back, 4), unitary_of(source, 4), atol=1e-9)


def test_initial_states() -> None:
    rng = np.random.default_rng(1)
    state = rng.normal(size=4) + 1j * rng.normal(size=4)
    circuit = Circuit(4).initialize(state / np.linalg.norm(state), [2, 0]).initialize("10", [1, 3]).h(1)
    tape = circuit.to_pennylane().copy(measurements=[qml.state()])
    device = qml.device("default.qubit", wires=range(4))
    tapes, together = device.preprocess_transforms(device.setup_execution_config())((tape,))
    (vector,) = together(device.execute(tapes))
    ours = run(circuit, 0, return_statevector=True).statevector
    assert np.allclose(np.reshape(vector, (2,) * 4).transpose(3, 2, 1, 0).ravel(), ours)


def dynamic() -> Circuit:
    circuit = Circuit(4, 0)
    a, b = circuit.add_register("a", 2), circuit.add_register("b", 2)
    circuit.h(0).ry(0.7, 1).measure([0, 1], a.clbits)
    circuit.if_(a, 2, Circuit(4).x(2).barrier(), Circuit(4).ry(0.4, 2).h(3))
    circuit.measure([2], [b.clbits[1]]).reset(2).initialize("1", 2)
    circuit.if_([a.clbits[0], b.clbits[1]], 2, Circuit(4).x(3), Circuit(4).h(3))
    circuit.if_(b.clbits[0], 1, Circuit(4).x(3), Circuit(4).ry(0.2, 3))  # never measured: always the second
    with circuit.if_(b.clbits[1], 0):
        circuit.if_(a.clbits[0], 1, Circuit(4).y(3), Circuit(4).z(3))
    return circuit


@pytest.mark.parametrize("device", ["ours", "theirs"])
def test_measurements_and_conditions_have_the_same_outcomes(device: str) -> None:
    circuit = dynamic()
    exact = run(circuit, 0, observables=["Z3", "Z2", "X3 Z2", "Z0 Z1"]).expectation_values
    measured = [qml.expval(each) for each in (qml.Z(3), qml.Z(2), qml.X(3) @ qml.Z(2), qml.Z(0) @ qml.Z(1))]
    made = QrealmDevice() if device == "ours" else qml.device("default.qubit")
    tape = circuit.to_pennylane().copy(measurements=measured)
    pipeline = made.preprocess_transforms(made.setup_execution_config(circuit=tape))
    tapes, together = pipeline((tape,))
    (values,) = together(made.execute(tapes))
    assert np.allclose(values, list(exact.values()), atol=1e-9)


def test_with_shots_the_device_runs_the_tape_as_it_is() -> None:
    circuit, shots = dynamic(), 8000
    exact = run(circuit, 0, observables=["Z3", "Z2"]).expectation_values
    tape = circuit.to_pennylane().copy(measurements=[qml.expval(qml.Z(3)), qml.expval(qml.Z(2))], shots=shots)
    made = QrealmDevice(seed=5)
    pipeline = made.preprocess_transforms(made.setup_execution_config(circuit=tape))
    tapes, together = pipeline((tape,))
    (values,) = together(made.execute(tapes))
    assert np.allclose(values, list(exact.values()), atol=5 / math.sqrt(shots))


def test_channels_keep_their_effect() -> None:
    pair = Channel([math.sqrt(0.7) * np.eye(4), math.sqrt(0.3) * random_unitary(np.random.default_rng(2), 2)])
    circuit = Circuit(3).h(0).cx(0, 1).append(amplitude_damping(0.3), [1]).append(pair, [2, 0]).ry(0.3, 2)
    tape = circuit.to_pennylane().copy(measurements=[qml.density_matrix([2, 1, 0])])
    (theirs,) = qml.device("default.mixed", wires=3).execute([tape])
    ours = run(circuit, 0, return_density_matrix=True).density_matrix
    assert np.allclose(theirs, ours, atol=1e-9)


def test_idle_qubits_are_kept() -> None:
    assert read(Circuit(3).x(1).to_pennylane()).num_qubits == 3


def measures_under_a_condition() -> Circuit:
    circuit = Circuit(1, 1).measure(0)
    circuit.if_(0, 1, Circuit(1, 1).measure(0))
    return circuit


def test_what_cannot_be_written() -> None:
    with pytest.raises(ParameterError, match="open"):
        Circuit(1).rx(Parameter("a"), 0).to_pennylane()
    with pytest.raises(WriteError, match="measure"):
        measures_under_a_condition().to_pennylane()
    with pytest.raises(WriteError, match="used before"):
        Circuit(1).h(0).initialize([0.6, 0.8], 0).to_pennylane()
