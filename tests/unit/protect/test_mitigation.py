"""Mitigated values are nearer to the exact ones than plain noisy values, at the cost that is stated."""

from __future__ import annotations

import math

import pytest

import qrealm
from qrealm.base.errors import ChannelError, RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import (
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    depolarizing,
    pauli_channel,
    thermal_relaxation,
)
from qrealm.protect import (
    ReadoutCorrection,
    probabilistic_error_cancellation,
    readout_corrected,
    zero_noise_extrapolation,
)

OBSERVABLE = "Z0 Z1 Z2 + X1 X2 - 0.5"


def circuit() -> Circuit:
    """Three qubits, no symmetry."""
    made = Circuit(3).h(0).cx(0, 1).ry(0.4, 1).cx(1, 2).rx(0.9, 2).ry(0.3, 0).cx(2, 0)
    return made.rz(0.4, 1).cx(0, 1)


def exact(observable: str = OBSERVABLE) -> float:
    return qrealm.run(circuit(), shots=0, observables={"": observable}).expectation_values[""]


MODELS = {
    "depolarizing": NoiseModel()
    .after_gates(depolarizing(0.03, 2), "cx")
    .after_gates(depolarizing(0.004), "ry"),
    "pauli": NoiseModel().after_gates(pauli_channel({"ZI": 0.02, "XX": 0.01}), "cx"),
    "damping": NoiseModel().after_gates(amplitude_damping(0.03), "cx"),
    "relaxation": NoiseModel().after_gates(thermal_relaxation(50_000, 60_000, 1500), "cx"),
}


@pytest.mark.parametrize("name", MODELS)
def test_cancellation_removes_the_bias(name):
    """The mean is unbiased: within five standard errors, where the plain value is far outside."""
    found = probabilistic_error_cancellation(
        circuit(), OBSERVABLE, MODELS[name], circuits=600, shots_per_circuit=60, shots=20_000, seed=3
    )
    assert abs(found.value - exact()) < 5 * found.standard_error
    assert abs(found.value - exact()) < abs(found.unmitigated - exact())
    assert abs(found.unmitigated - exact()) > 5 * found.unmitigated_error
    assert found.overhead == pytest.approx(found.details["gamma"] ** 2)
    assert found.overhead > 1
    assert found.shots == 2 * (20_000 + 600 * 60)


def test_cancellation_costs_the_product_of_its_channels():
    """One CX with p = 0.06 on two qubits: gamma is (1 + 7/8 p) / (1 - p), from the eigenvalue 1 - p of the
    fifteen other Paulis."""
    p = 0.06
    noise = NoiseModel().after_gates(depolarizing(p, 2), "cx")
    found = probabilistic_error_cancellation(
        Circuit(2).h(0).cx(0, 1), "Z0 Z1", noise, circuits=200, shots_per_circuit=20, seed=1
    )
    assert found.details["gamma"] == pytest.approx((1 + 7 / 8 * p) / (1 - p))
    assert found.details["distinct_circuits"] <= 16


def test_the_stated_error_is_the_real_one():
    """Spread of estimates over 30 seeds, each within the statistics of a spread (4 standard deviations)."""
    noise = MODELS["depolarizing"]
    runs = [
        probabilistic_error_cancellation(
            circuit(), "Z0 Z1 Z2", noise, circuits=60, shots_per_circuit=20, seed=seed
        )
        for seed in range(30)
    ]
    mean = sum(run.value for run in runs) / 30
    spread = math.sqrt(sum((run.value - mean) ** 2 for run in runs) / 29)
    stated = sum(run.standard_error for run in runs) / 30
    # The error adds the spread within circuits to that among them, so it may be too large by sqrt(2).
    assert spread * (1 - 4 / math.sqrt(58)) < stated < spread * math.sqrt(2) * (1 + 4 / math.sqrt(58))


@pytest.mark.parametrize("model", ["linear", "quadratic", "richardson", "exponential"])
def test_extrapolation_reduces_the_error(model):
    noise = MODELS["depolarizing"]
    observable = "Z0 Z1 Z2"
    found = zero_noise_extrapolation(circuit(), observable, noise, model=model, shots=200_000, seed=5)
    assert abs(found.value - exact(observable)) < 0.4 * abs(found.unmitigated - exact(observable))
    assert found.shots == 3 * 200_000
    assert found.overhead > 3
    assert found.details["factors"] == [1.0, 3.0, 5.0]


def test_the_same_seed_gives_the_same_estimate():
    noise = MODELS["depolarizing"]
    first, second = (zero_noise_extrapolation(circuit(), "Z0", noise, shots=500, seed=2) for _ in range(2))
    assert first == second
    first, second = (
        probabilistic_error_cancellation(circuit(), "Z0", noise, circuits=20, shots_per_circuit=5, seed=2)
        for _ in range(2)
    )
    assert first == second


def noisy_read() -> NoiseModel:
    """Noisy gates and a faulty detector."""
    gates = NoiseModel().after_gates(depolarizing(0.03, 2), "cx").after_gates(depolarizing(0.004), "ry")
    return gates.readout(ReadoutError.flips(0.05, 0.1))


def test_methods_work_on_top_of_each_other():
    """Gates and detector are mitigated together; each alone leaves the other's error."""
    noise = noisy_read()
    observable = "Z0 Z1 Z2 + X1 X2"

    def runner(made, shots, seed):
        return qrealm.run(made, shots=shots, seed=seed, noise=noise).counts

    correction, _ = ReadoutCorrection.calibrate(3, runner, shots=200_000, seed=9)
    plain = readout_corrected(circuit(), observable, noise, correction=correction, shots=100_000, seed=4)
    through = {"shots": 0, "observables": {"": observable}, "noise": MODELS["depolarizing"]}
    gates_alone = qrealm.run(circuit(), **through).expectation_values[""]
    assert plain.value == pytest.approx(gates_alone, abs=0.02)
    for found in (
        zero_noise_extrapolation(
            circuit(), observable, runner=runner, correction=correction, shots=100_000, seed=4
        ),
        probabilistic_error_cancellation(
            circuit(), observable, noise, runner=runner, correction=correction, circuits=500, seed=4
        ),
    ):
        assert abs(found.value - exact(observable)) < 0.4 * abs(plain.value - exact(observable))
        assert abs(found.value - exact(observable)) < 0.2 * abs(found.unmitigated - exact(observable))


def test_constants_and_turned_axes_are_extrapolated_rightly():
    """A constant does not decay, and the gates that turn an axis are noisy too."""
    noise = NoiseModel().after_gates(depolarizing(0.1, 2), "cx")
    bell = Circuit(2).ry(0.7, 0).cx(0, 1)
    truth = -3 + math.cos(0.7) + math.cos(0.7) + 0.5 * math.sin(0.7)
    found = zero_noise_extrapolation(bell, "-3 I + Z0 + Z1 + 0.5 X0 X1", noise, shots=100_000, seed=1)
    assert found.value == pytest.approx(truth, abs=5 * found.standard_error)
    assert zero_noise_extrapolation(bell, "2 I", noise).value == 2
    turned = zero_noise_extrapolation(
        Circuit(1).h(0), "X0", NoiseModel().after_gates(depolarizing(0.05), "h"), shots=100_000, seed=1
    )
    assert turned.value == pytest.approx(1, abs=5 * turned.standard_error)
    nothing = zero_noise_extrapolation(Circuit(2).h(0).cx(0, 1), "Z0", noise, shots=2000, seed=3)
    assert nothing.value == pytest.approx(0, abs=5 * nothing.standard_error)
    assert nothing.details["bases"][0]["models"] == ["linear"]


def test_what_folding_reaches_is_what_is_fitted():
    """One gate of three folds to 5/3, not to 1.5."""
    made = Circuit(2).h(0).cx(0, 1).ry(0.4, 1)
    noise = NoiseModel().after_gates(depolarizing(0.05, 2), "cx")
    found = zero_noise_extrapolation(made, "Z0 Z1", noise, factors=(1, 1.5, 3), model="linear", shots=1000)
    assert found.details["bases"][0]["reached"] == pytest.approx([1, 5 / 3, 3])
    with pytest.raises(RequestError, match="different factors"):
        zero_noise_extrapolation(made, "Z0 Z1", noise, factors=(1, 1.1), shots=1000)


def test_a_short_calibration_is_in_the_standard_error():
    """Pulls of 40 estimates with 300 calibration shots have a spread of 1, within 4 of its own errors."""
    noise = NoiseModel().readout(ReadoutError.flips(0.05, 0.1))
    ghz = Circuit(3).h(0).cx(0, 1).cx(1, 2)
    pulls = []
    for seed in range(40):
        found = readout_corrected(ghz, "Z0 Z1 + Z1 Z2", noise, shots=20_000, calibration_shots=300, seed=seed)
        pulls.append((found.value - 2) / found.standard_error)
    spread = math.sqrt(sum(pull**2 for pull in pulls) / 40)
    assert spread == pytest.approx(1, abs=4 / math.sqrt(80) + 0.1)


def test_what_cannot_be_mitigated_is_refused():
    with pytest.raises(ChannelError, match="cannot be undone"):
        probabilistic_error_cancellation(
            circuit(), "Z0", NoiseModel().after_gates(amplitude_damping(1.0), "cx"), circuits=10
        )
    with pytest.raises(RequestError, match="an integer from 2"):
        probabilistic_error_cancellation(circuit(), "Z0", MODELS["pauli"], circuits=1)
    with pytest.raises(RequestError, match="among them"):
        zero_noise_extrapolation(circuit(), "Z0", MODELS["pauli"], factors=[2, 3])
    own = Circuit(1).h(0)
    own.append(depolarizing(0.1), [0])
    with pytest.raises(RequestError, match="noise of its own"):
        probabilistic_error_cancellation(own, "Z0", MODELS["pauli"])
    with pytest.raises(RequestError, match="gates and then measurements"):
        zero_noise_extrapolation(Circuit(1).h(0).measure(0).h(0), "Z0", MODELS["pauli"])
