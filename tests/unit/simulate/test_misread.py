"""Readout errors in estimates of observables: every backend has the same detector, or refuses by name."""

from __future__ import annotations

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import BackendRefusalError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, ReadoutError
from qrealm.simulate.backends import BACKENDS

SAMPLING = ("statevector", "density_matrix", "trajectories", "stabilizer", "mps", "gpu", "auto")
"""Backends that estimate observables from samples."""


def sampled(circuit: Circuit, observables: str, backend: str, noise: NoiseModel | None = None):
    """(estimate, standard error) from 40,000 shots."""
    for package in () if backend == "auto" else BACKENDS[backend].card.packages:
        pytest.importorskip(package)
    found = qrealm.run(
        circuit, shots=40_000, seed=3, observables=observables, sampled=True, noise=noise, backend=backend
    )
    (value,), (error,) = found.expectation_values.values(), found.standard_errors.values()
    return value, error


@pytest.mark.parametrize("backend", SAMPLING)
@pytest.mark.parametrize(
    ("observable", "want"),
    [("Z0 Z1", 0.5 * (0.8 * 0.8 + 0.6 * 0.6)), ("X0 X1", 0.5), ("Z1", 0.1)],
)
def test_a_bell_pair_read_by_a_faulty_detector(backend: str, observable: str, want: float):
    """0 is read as 1 with probability a = 0.1, 1 as 0 with b = 0.2: the mean of Z is 1 - 2 a or 2 b - 1,
    0.8 or -0.6. In a basis where both outcomes agree half the time each, ZZ (and XX, whose pairs agree too)
    is (0.8^2 + 0.6^2) / 2. Five standard errors."""
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.2))
    found, error = sampled(Circuit(2).h(0).cx(0, 1), observable, backend, noise)
    assert found == pytest.approx(want, abs=5 * error)


@pytest.mark.parametrize("backend", SAMPLING)
def test_a_correlated_fault_depends_on_the_neighbour(backend: str):
    """Bit 0 is flipped with probability 0.4 where bit 1 is 1, and never else: <Z0> = 0.2. Five standard
    errors."""
    fault = ReadoutError([[1, 0, 0.0, 0], [0, 1, 0, 0], [0, 0, 0.6, 0.4], [0, 0, 0.4, 0.6]])
    circuit = Circuit(2, 2).x(1).measure([0, 1], [0, 1])
    circuit.append(fault, [0, 1])
    found, error = sampled(circuit, "Z0", backend)
    assert found == pytest.approx(0.2, abs=5 * error)


@pytest.mark.parametrize("backend", ["mps", "stabilizer"])
def test_wide_registers_are_read_by_it_too(backend: str):
    """70 qubits, all in 1, bits crosswise: the mean of Z69 is 2 b - 1, that of Z0 Z69 its square."""
    circuit = Circuit(70, 70).x(range(70)).measure(range(70), range(69, -1, -1))
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.2))
    for observable, want in (("Z69", -0.6), ("Z0 Z69", 0.36)):
        found, error = sampled(circuit, observable, backend, noise)
        assert found == pytest.approx(want, abs=5 * error)


@pytest.mark.parametrize("backend", sorted(set(map(str, BACKENDS)) - set(SAMPLING)))
def test_the_others_refuse_by_name(backend: str):
    for package in BACKENDS[backend].card.packages:
        pytest.importorskip(package)
    with pytest.raises(BackendRefusalError, match=f"the {backend} backend.*sampled"):
        sampled(Circuit(2).h(0), "Z0", backend)


def test_auto_reads_what_it_gives_to_mps():
    """40 qubits in a chain, too wide for a state vector: flips of 0.1 and 0.2 take <Z0> to 0.7 <Z0> + 0.1."""
    circuit = Circuit(40).ry(0.3, range(40))
    for qubit in range(39):
        circuit.cx(qubit, qubit + 1)
    circuit.ry(0.2, range(40)).measure_all()
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.2))
    exact = qrealm.run(circuit, shots=0, observables="Z0", backend="mps").expectation_values["Z0"]
    found, error = sampled(circuit, "Z0", "auto", noise)
    assert found == pytest.approx(0.7 * exact + 0.1, abs=5 * error)
    assert np.abs(exact - found) > 0.1
