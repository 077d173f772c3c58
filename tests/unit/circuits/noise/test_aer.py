"""Noise models of Qiskit Aer: read, and run beside Aer itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from qrealm.base.errors import ChannelError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel
from qrealm.simulate.run import run

aer = pytest.importorskip("qiskit_aer")
noise = pytest.importorskip("qiskit_aer.noise")


def rich_model():
    """Errors for all, errors of certain qubits that replace them, reset, measurement, readout."""
    model = noise.NoiseModel()
    model.add_all_qubit_quantum_error(noise.depolarizing_error(0.05, 1), ["h", "x"])
    model.add_quantum_error(noise.amplitude_damping_error(0.3), ["h"], [1])
    model.add_all_qubit_quantum_error(noise.depolarizing_error(0.1, 2), ["cx"])
    relax = noise.thermal_relaxation_error(100, 120, 30).tensor(noise.thermal_relaxation_error(80, 50, 30))
    model.add_quantum_error(relax, ["cx"], [1, 2])
    model.add_all_qubit_quantum_error(noise.pauli_error([("X", 0.2), ("I", 0.8)]), "reset")
    model.add_quantum_error(noise.pauli_error([("XZ", 0.2), ("IY", 0.1), ("II", 0.7)]), ["cx"], [2, 0])
    return model


def circuit() -> Circuit:
    """Every error of the model acts at least once."""
    made = Circuit(3).h(0).h(1).cx(0, 1).cx(1, 2).x(2).cx(2, 0).reset(1).h(1).ry(0.4, 0).cx(0, 1)
    return made.h(2)


def aer_density(model, made: Circuit) -> np.ndarray:
    """ρ by Aer."""
    theirs = made.to_qiskit()
    theirs.save_density_matrix()
    simulator = aer.AerSimulator(method="density_matrix", noise_model=model)
    # Optimisation of circuits is Qiskit's transpiler's; nothing here is transpiled.
    return np.asarray(simulator.run(theirs).result().data()["density_matrix"])


def test_states_are_aers() -> None:
    model = rich_model()
    mine = run(circuit(), 0, noise=NoiseModel.from_aer(model), return_density_matrix=True)
    assert np.abs(mine.density_matrix - aer_density(model, circuit())).max() < 1e-12


def test_errors_of_certain_qubits_replace_those_for_all() -> None:
    found = NoiseModel.from_aer(rich_model())
    first, second = (found.apply(Circuit(3).h(qubit)).instructions[1][2][0] for qubit in (0, 1))
    assert first.paulis is not None
    assert second.paulis is None


def test_counts_are_aers() -> None:
    """Measurement and readout errors: every count within five standard errors of the difference."""
    model = rich_model()
    model.add_all_qubit_quantum_error(noise.pauli_error([("X", 0.1), ("I", 0.9)]), "measure")
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [1])
    model.add_all_qubit_readout_error([[0.95, 0.05], [0.1, 0.9]])
    made = circuit().measure_all()
    shots = 200_000
    theirs = aer.AerSimulator(method="density_matrix", noise_model=model, seed_simulator=3).run(
        made.to_qiskit(), shots=shots
    )
    want = theirs.result().get_counts()
    found = run(made, shots, seed=5, noise=NoiseModel.from_aer(model), backend="density_matrix").counts
    for key in {*want, *found}:
        a, b = want.get(key, 0), found.get(key, 0)
        assert abs(a - b) < 5 * np.sqrt(a + b + 1)


def test_a_measurement_error_acts_before_the_measurement() -> None:
    model = noise.NoiseModel()
    model.add_all_qubit_quantum_error(noise.pauli_error([("X", 1.0)]), "measure")
    made = Circuit(1).measure_all()
    theirs = aer.AerSimulator(noise_model=model).run(made.to_qiskit(), shots=10).result().get_counts()
    assert run(made, 10, noise=NoiseModel.from_aer(model)).counts == theirs == {"1": 10}


def test_readout_of_several_bits_has_a_row_for_each_true_value() -> None:
    """Aer itself never applies these to circuits of Qiskit, whose measurements have one qubit each."""
    model = noise.NoiseModel()
    turned = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])  # true 0 is read as 1
    model.add_readout_error(turned, [2, 0])
    found = NoiseModel.from_aer(model)
    assert run(Circuit(3), 10, noise=found).counts == {"100": 10}
    assert run(Circuit(3).x(2), 10, noise=found).counts == {"001": 10}


def test_a_model_of_a_backend_is_read() -> None:
    """Aer puts relaxation during delays into it."""
    providers = pytest.importorskip("qiskit.providers.fake_provider")
    model = noise.NoiseModel.from_backend(providers.GenericBackendV2(3, seed=1))
    made = Circuit(3).sx(0).cx(0, 1).rz(0.3, 1).cx(1, 2).x(0)
    found = NoiseModel.from_aer(model)
    mine = run(made, 0, noise=found, return_density_matrix=True).density_matrix
    assert np.abs(mine - aer_density(model, made)).max() < 1e-12
    assert pickle.loads(pickle.dumps(found)) == found


def test_what_cannot_be_read() -> None:
    model = noise.NoiseModel()
    model.add_all_qubit_quantum_error(noise.depolarizing_error(0.1, 1), ["kraus"])
    with pytest.raises(ChannelError, match="an error on 'kraus', which is no gate here"):
        NoiseModel.from_aer(model)
    with pytest.raises(ChannelError, match="got a dict"):
        NoiseModel.from_aer({})
    both = noise.NoiseModel()
    flip = noise.pauli_error([("X", 0.1), ("I", 0.9)])
    both.add_all_qubit_quantum_error(flip, "reset")
    both.add_quantum_error(flip, "reset", [1])
    with pytest.raises(ChannelError, match="for all qubits and for the qubits"):
        NoiseModel.from_aer(both)
    passes = noise.NoiseModel()
    passes._custom_noise_passes.append(noise.RelaxationNoisePass([1e-4], [1e-4], 1e-9))
    with pytest.raises(ChannelError, match="passes of its own"):
        NoiseModel.from_aer(passes)
