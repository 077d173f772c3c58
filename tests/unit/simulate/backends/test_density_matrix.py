"""The density-matrix backend against Kraus sums by the definition, and against closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qrealm.base import cancel
from qrealm.base.errors import BackendRefusalError, CancelledRunError, RequestError, TooLargeError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.noise import (
    Channel,
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    coherent,
    depolarizing,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)
from qrealm.simulate.backends.density_matrix import planning
from qrealm.simulate.backends.density_matrix.doubled import Doubler, recipe_of
from qrealm.simulate.run import run
from reference.density import DensitySimulator, superoperator_of
from unit.circuits.draws import random_circuit, random_unitary
from unit.simulate.backends.ensembles import ensemble, mixed

TOLERANCE = {"single": 2e-5, "double": 1e-12}


def random_channel(rng: np.random.Generator, num_qubits: int) -> Channel:
    """Kraus operators from a random isometry."""
    size, count = 1 << num_qubits, 3
    columns = rng.normal(size=(size * count, size)) + 1j * rng.normal(size=(size * count, size))
    isometry = np.linalg.qr(columns)[0]
    return Channel(isometry.reshape(count, size, size), "random")


CHANNELS = [
    depolarizing(0.3),
    depolarizing(1.2),
    depolarizing(0.2, 2),
    depolarizing(0.97, 2),
    depolarizing(0.1, 3),
    amplitude_damping(0.3, 0.1),
    phase_damping(0.4),
    phase_flip(0.2),
    bit_flip(1.0),
    thermal_relaxation(100.0, 120.0, 50.0, 0.2),
    pauli_channel({"XY": 0.1, "ZI": 0.2, "IZ": 0.05}),
    pauli_channel({"ZZ": 0.25}),
    amplitude_damping(0.2).tensor(phase_damping(0.3)),
    coherent(random_unitary(np.random.default_rng(4), 2)),
    random_channel(np.random.default_rng(5), 1),
    random_channel(np.random.default_rng(6), 2),
    random_channel(np.random.default_rng(7), 3),
]


def density(circuit: Circuit, precision: str = "double", **options: object) -> np.ndarray:
    """ρ by the backend."""
    result = run(
        circuit, 0, precision=precision, return_density_matrix=True, backend="density_matrix", **options
    )
    assert result.density_matrix is not None
    return result.density_matrix


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: f"{channel.name}-{channel.num_qubits}")
def test_a_channel_on_an_entangled_state(channel: Channel, precision: str) -> None:
    rng = np.random.default_rng(11)
    count = 4
    for _ in range(3):
        circuit = random_circuit(int(rng.integers(1000)), count, 12)
        wires = rng.permutation(count)[: channel.num_qubits].tolist()
        circuit.append(channel, wires).append(channel, wires[::-1])
        circuit.compose(random_circuit(int(rng.integers(1000)), count, 6))
        assert np.abs(density(circuit, precision) - mixed(circuit)).max() < TOLERANCE[precision]


@pytest.mark.parametrize("name", list(GATES))
def test_every_gate_acts_on_rows_and_columns(name: str) -> None:
    """Also under controls: the conjugate of each kernel operation is right."""
    gate = GATES[name]
    rng = np.random.default_rng(3)
    for controls in (0, 1):
        circuit = random_circuit(5, 6, 8)
        count = (2 if name == "unitary" else gate.num_qubits) + controls
        wires = rng.permutation(6).tolist()[:count]
        params = (
            [random_unitary(rng, 2)] if name == "unitary" else rng.uniform(-3, 3, gate.num_params).tolist()
        )
        circuit.append(gate, wires[controls:], params, controls=wires[:controls])
        circuit.append(amplitude_damping(0.1), [1])
        assert np.abs(density(circuit) - mixed(circuit)).max() < 1e-12


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("precision", ["single", "double"])
def test_random_noisy_circuits(seed: int, precision: str) -> None:
    """Gates of the whole table, channels, resets, preparations."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(5)
    for _ in range(4):
        circuit.compose(random_circuit(int(rng.integers(10_000)), 5, 8))
        channel = CHANNELS[rng.integers(len(CHANNELS))]
        circuit.append(channel, rng.permutation(5)[: channel.num_qubits].tolist())
        if rng.random() < 0.5:
            circuit.reset(int(rng.integers(5)))
        if rng.random() < 0.3:
            vector = rng.normal(size=4) + 1j * rng.normal(size=4)
            circuit.initialize(vector / np.linalg.norm(vector), rng.permutation(5)[:2].tolist())
    want = mixed(circuit)
    assert np.abs(density(circuit, precision) - want).max() < TOLERANCE[precision]
    result = run(
        circuit,
        0,
        observables={"a": "X0 Y3 - 0.5 Z1 Z2 + 2", "b": "Y0 Y1 Y2"},
        precision=precision,
        backend="density_matrix",
    )
    reference = DensitySimulator(5)
    reference.rho = want
    a = reference.expectation({0: "X", 3: "Y"}) - 0.5 * reference.expectation({1: "Z", 2: "Z"}) + 2
    assert result.expectation_values["a"] == pytest.approx(a, abs=10 * TOLERANCE[precision])
    b = reference.expectation(dict.fromkeys(range(3), "Y"))
    assert result.expectation_values["b"] == pytest.approx(b, abs=10 * TOLERANCE[precision])


def test_threads_change_nothing() -> None:
    circuit = random_circuit(8, 7, 60)
    for qubit in range(6):
        circuit.append(depolarizing(0.05, 2), [qubit, qubit + 1]).h(qubit)
    one, two = (density(circuit, threads=threads) for threads in (1, 2))
    assert np.array_equal(one, two)


def test_a_wide_preparation() -> None:
    rng = np.random.default_rng(2)
    vector = rng.normal(size=128) + 1j * rng.normal(size=128)
    vector /= np.linalg.norm(vector)
    circuit = Circuit(8).h(0).append(depolarizing(0.2), [0]).initialize(vector, [1, 2, 7, 4, 5, 3, 6])
    found = density(circuit)
    rest = np.einsum("aibi->ab", found.reshape(128, 2, 128, 2))  # qubit 0 traced out
    order = [1, 2, 7, 4, 5, 3, 6]
    index = np.arange(128)
    place = sum(((index >> (q - 1)) & 1) << position for position, q in enumerate(order))
    want = vector[place]
    assert np.abs(rest - np.outer(want, want.conj())).max() < 1e-12
    started = run(Circuit(7), 0, initial_state=vector, return_density_matrix=True, backend="density_matrix")
    assert np.abs(started.density_matrix - np.outer(vector, vector.conj())).max() < 1e-12


# ---- closed forms --------------------------------------------------------------------------------


def test_decay_follows_t1() -> None:
    """The excited population after m idle steps of 200 ns is exp(-200 m / T1)."""
    t1, step = 70_000.0, 200.0
    circuit = Circuit(1).x(0)
    for _ in range(50):
        circuit.append(thermal_relaxation(t1, 50_000.0, step), [0])
    found = run(circuit, 0, observables="Z0", backend="density_matrix").expectation_values["Z0"]
    assert (1 - found) / 2 == pytest.approx(math.exp(-50 * step / t1), abs=1e-12)


def test_ramsey_fringes_fall_with_t2() -> None:
    """<X> after a waiting time t at detuning w is cos(w t) exp(-t / T2)."""
    t2, step, detuning = 90_000.0, 500.0, 2e-5
    circuit = Circuit(1).h(0)
    for _ in range(40):
        circuit.rz(detuning * step, 0).append(thermal_relaxation(60_000.0, t2, step), [0])
    found = run(circuit, 0, observables=["X0", "Y0"], backend="density_matrix").expectation_values
    time = 40 * step
    assert found["X0"] == pytest.approx(math.cos(detuning * time) * math.exp(-time / t2), abs=1e-12)
    assert found["Y0"] == pytest.approx(math.sin(detuning * time) * math.exp(-time / t2), abs=1e-12)


def test_ghz_under_depolarising() -> None:
    """Every Pauli string that stabilises GHZ shrinks by 1 - p for each qubit that it acts on; the fidelity is
    the mean over the 2^n of them."""
    count, p = 5, 0.07
    circuit = Circuit(count).h(0)
    for qubit in range(count - 1):
        circuit.cx(qubit, qubit + 1)
    for qubit in range(count):
        circuit.append(depolarizing(p), [qubit])
    even = sum(math.comb(count, k) * (1 - p) ** k for k in range(0, count + 1, 2))
    want = (even + 2 ** (count - 1) * (1 - p) ** count) / 2**count
    found = density(circuit)
    fidelity = (found[0, 0] + found[-1, -1] + found[0, -1] + found[-1, 0]).real / 2
    assert fidelity == pytest.approx(want, abs=1e-12)


def test_many_depolarisations_keep_the_scale() -> None:
    """The factor that each leaves to later operations is brought back before numbers grow too large."""
    circuit = Circuit(2).h(0).cx(0, 1)
    for _ in range(400):
        circuit.append(depolarizing(0.3, 2), [0, 1])
    for precision, tolerance in (("single", 1e-5), ("double", 1e-13)):
        assert np.abs(density(circuit, precision) - np.eye(4) / 4).max() < tolerance
    assert run(circuit, 0, observables="Z0 + 3", backend="density_matrix").expectation_values[
        "Z0 + 3"
    ] == pytest.approx(3, abs=1e-12)


# ---- things decided half-way ---------------------------------------------------------------------


def teleportation_with_noise() -> Circuit:
    """Bits that are misread before the corrections look at them."""
    circuit = Circuit(3, 3).ry(0.7, 0).rz(0.3, 0).h(1).cx(1, 2).append(depolarizing(0.1, 2), [1, 2])
    circuit.cx(0, 1).h(0).append(amplitude_damping(0.2), [1]).measure([0, 1], [0, 1])
    circuit.append(ReadoutError.flips(0.1, 0.2), [0])
    correlated = np.array([[0.9, 0.05, 0.0, 0.1], [0.1, 0.9, 0.1, 0], [0, 0.05, 0.8, 0.1], [0, 0, 0.1, 0.8]])
    circuit.append(ReadoutError(correlated, "pair"), [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    circuit.if_([0, 1], 2, Circuit(3).h(2), Circuit(3).z(2))
    return circuit


def reused_qubit() -> Circuit:
    """Measured, reset by a condition, measured again into another bit, then into the first."""
    circuit = Circuit(2, 3).h(0).append(depolarizing(0.2), [0]).measure(0, 0)
    with circuit.if_(0):
        circuit.x(0)
    circuit.ry(0.9, 0).cx(0, 1).measure(0, 1).reset(0).ry(1.1, 0)
    with circuit.if_([0, 1], 2):
        circuit.rx(0.4, 1).measure(1, 2)
    circuit.append(amplitude_damping(0.3), [1]).measure(0, 0).h(0)
    return circuit


MADE_HALFWAY = {"teleportation": teleportation_with_noise, "reused": reused_qubit}


@pytest.mark.parametrize("name", MADE_HALFWAY)
def test_averages_over_outcomes_are_exact(name: str) -> None:
    circuit = MADE_HALFWAY[name]()
    want = mixed(circuit)
    assert np.abs(density(circuit) - want).max() < 1e-12
    reference = DensitySimulator(circuit.num_qubits)
    reference.rho = want
    last = circuit.num_qubits - 1
    for shots in (0, 100):
        found = run(circuit, shots, seed=1, observables=f"X{last}", backend="density_matrix")
        assert found.expectation_values[f"X{last}"] == pytest.approx(
            reference.expectation({last: "X"}), abs=1e-12
        )
        assert found.standard_errors[f"X{last}"] == 0


@pytest.mark.parametrize("name", MADE_HALFWAY)
def test_shots_follow_the_joint_distribution(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = MADE_HALFWAY[name]()
    shots = 40_000
    want = {bits: float(np.trace(rho).real) for bits, rho in ensemble(circuit).items()}
    result = run(circuit, shots, seed=9, backend="density_matrix")
    counts = dict(zip(*result.outcomes, strict=True))
    assert set(counts) <= set(want)
    for bits, share in want.items():
        # Five standard deviations of a binomial share.
        assert abs(counts.get(bits, 0) / shots - share) < 5 * math.sqrt(share / shots)
    again = run(circuit, shots, seed=9, threads=2, backend="density_matrix")
    assert again.counts == result.counts
    assert run(circuit, shots, seed=10, backend="density_matrix").counts != result.counts
    # Without copies to go on from, every branch is run again from the start.
    monkeypatch.setattr(planning.limits, "BRANCH_COPIES_MAX", 0)
    assert run(circuit, shots, seed=9, backend="density_matrix").counts == result.counts


def test_values_are_those_before_the_final_measurement() -> None:
    circuit = Circuit(2).h(0).measure(0, 0).h(1).measure(1, 1)
    circuit.h(0).measure([0, 1], [0, 1])
    found = run(circuit, 0, observables=["X0", "X1", "Z0"], backend="density_matrix").expectation_values
    assert found["X0"] == pytest.approx(0, abs=1e-12)
    assert found["X1"] == pytest.approx(0, abs=1e-12)  # it was measured before
    plain = Circuit(2).h([0, 1]).reset(0).h(0).measure([0, 1])
    assert run(plain, 0, observables="X0 X1", backend="density_matrix").expectation_values["X0 X1"] == (
        pytest.approx(1, abs=1e-12)
    )


def test_a_hundred_rounds_take_two_states() -> None:
    """A qubit measured and flipped back many times: bits that nobody looks at again are forgotten."""
    circuit = Circuit(2, 1).ry(1.0, 1)
    for _ in range(100):
        circuit.h(0).measure(0, 0)
        with circuit.if_(0):
            circuit.x(0).rz(0.1, 1)
    result = run(circuit, 0, observables=["Z0", "Z1"], backend="density_matrix")
    assert result.expectation_values["Z0"] == pytest.approx(1, abs=1e-11)
    assert result.expectation_values["Z1"] == pytest.approx(math.cos(1.0), abs=1e-11)
    assert result.metadata["plan"]["states"] == 2


def test_too_many_bits_at_once() -> None:
    circuit = Circuit(1, 14).ry(0.4, 0)
    for bit in range(14):
        circuit.append(amplitude_damping(0.1), [0]).ry(0.3, 0).measure(0, bit)
    for bit in range(14):
        with circuit.if_(bit):
            circuit.ry(0.1, 0)
    with pytest.raises(RequestError, match=r"2\^14 density matrices"):
        run(circuit, 0, observables="Z0", backend="density_matrix")
    truth = run(circuit.bind(), 4000, seed=3, observables="Z0", backend="density_matrix")
    exact = float(np.trace(mixed(circuit) @ np.diag([1, -1])).real)
    value, error = truth.expectation_values["Z0"], truth.standard_errors["Z0"]
    assert 0 < error < 0.02
    assert abs(value - exact) < 5 * error


# ---- readings ------------------------------------------------------------------------------------


def test_final_readout_errors() -> None:
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.3))
    shots = 50_000
    result = run(Circuit(2).x(0), shots, seed=4, noise=noise, backend="density_matrix")
    want = {"01": 0.7 * 0.9, "00": 0.3 * 0.9, "11": 0.7 * 0.1, "10": 0.3 * 0.1}
    for key, share in want.items():
        assert abs(result.counts[key] / shots - share) < 5 * math.sqrt(share / shots)


def test_sampled_observables_are_read_by_the_faulty_detector() -> None:
    """Flips with 0.1 and 0.3 turn <Z> into 0.6 <Z> + 0.2; <X> = 1 is read as <Z> = 1 after turning."""
    circuit = Circuit(3, 3).h(0).append(depolarizing(0.5), [1]).measure([0, 1], [2, 0])
    circuit.append(ReadoutError.flips(0.1, 0.3), [2])
    shots = 60_000
    result = run(
        circuit,
        shots,
        seed=8,
        observables=["X0", "Z0", "Z2", "X0 Z1"],
        sampled=True,
        backend="density_matrix",
    )
    want = {"X0": 0.8, "Z0": 0.2, "Z2": 1.0, "X0 Z1": 0.8 * 0.5}
    for name, value in want.items():
        error = result.standard_errors[name]
        assert abs(result.expectation_values[name] - value) <= 5 * error + 1e-12
        assert error < 0.01
    pair = np.kron([[0.9, 0.2], [0.1, 0.8]], np.eye(2))
    circuit = Circuit(1, 100).measure(0, 80).append(ReadoutError(pair), [3, 80])
    value = run(circuit, shots, seed=8, observables="Z0", sampled=True, backend="density_matrix")
    assert abs(value.expectation_values["Z0"] - 0.8) < 5 * value.standard_errors["Z0"]


def test_more_than_64_classical_bits() -> None:
    circuit = Circuit(2, 100).x(0).measure([0, 1], [99, 3])
    assert list(run(circuit, 10, backend="density_matrix").outcomes[0]) == [1 << 99]
    circuit = Circuit(2, 100).x(0).measure(0, 99).reset(0).h(0).measure(0, 70)
    found = run(circuit, 100, seed=1, backend="density_matrix").outcomes[0]
    assert set(found) == {1 << 99, 1 << 99 | 1 << 70}


# ---- plans and refusals --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"return_statevector": True}, {"amplitudes": ["00"]}])
def test_what_a_mixed_state_has_not(asked: dict[str, object]) -> None:
    with pytest.raises(BackendRefusalError, match="mixed state has no"):
        run(Circuit(2).h(0), 0, backend="density_matrix", **asked)


def test_sampled_needs_measurements_at_the_end() -> None:
    circuit = Circuit(1).h(0).measure(0).h(0)
    with pytest.raises(BackendRefusalError, match="all come last"):
        run(circuit, 10, observables="Z0", sampled=True, backend="density_matrix")


def test_too_large_is_told_before_anything_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = Circuit(14).h(range(14))
    monkeypatch.setattr(planning, "memory_available_bytes", lambda: 3 << 30)
    with pytest.raises(TooLargeError, match="14 qubits on the density_matrix backend") as problem:
        run(circuit, 0, observables="Z0", precision="double", backend="density_matrix")
    assert problem.value.needed_bytes > 4 << 30
    assert 'precision="single"' in problem.value.hint
    with pytest.raises(TooLargeError, match="20 qubits"):
        run(Circuit(20).h(0), 10, backend="density_matrix")


def test_single_precision_where_double_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "memory_available_bytes", lambda: 200 << 20)
    result = run(Circuit(12).h(0), 0, observables="X0", backend="density_matrix")
    assert result.metadata["precision"] == "single"
    assert result.expectation_values["X0"] == pytest.approx(1, abs=1e-6)
    assert result.metadata["reasons"][-1] == "single precision, because double does not fit in memory"


def test_the_plan_tells_its_memory() -> None:
    facts = run(Circuit(6).h(0), 0, return_density_matrix=True, backend="density_matrix").metadata
    assert facts["state_bytes"] == 16 * 4**6
    assert facts["memory_bytes"] >= 2 * 16 * 4**6


def test_a_run_can_be_cancelled() -> None:
    circuit = Circuit(8)
    for _ in range(3):
        for qubit in range(8):
            circuit.h(qubit).measure(qubit, qubit)
    token = cancel.CancelToken()
    token.cancel()
    with cancel.watching(token), pytest.raises(CancelledRunError):
        run(circuit, 1000, backend="density_matrix")


def test_superoperators_put_rows_first() -> None:
    channel = random_channel(np.random.default_rng(1), 2)
    assert np.abs(channel.superoperator() - superoperator_of(channel.kraus)).max() < 1e-14


def test_the_cheap_ways_are_found() -> None:
    """A depolarisation is one number, a product two superoperators on one qubit each."""
    assert recipe_of(depolarizing(0.2, 2)).shrink == pytest.approx(0.8)
    assert recipe_of(depolarizing(1.05, 2)).shrink == 0
    product = amplitude_damping(0.2).tensor(phase_damping(0.3))
    (where, first), (there, second) = recipe_of(product).parts
    assert (where, there) == ((0,), (1,))
    assert np.abs(first.array - amplitude_damping(0.2).superoperator()).max() < 1e-12
    assert np.abs(second.array - phase_damping(0.3).superoperator()).max() < 1e-12
    assert recipe_of(depolarizing(0.0)).parts == ()
    assert len(Doubler(2)) == 0


def test_statistics_are_those_of_pauli_sums() -> None:
    """All 16 strings on two qubits, against traces."""
    circuit = random_circuit(21, 2, 10).append(amplitude_damping(0.3), [0])
    rho = mixed(circuit)
    reference = DensitySimulator(2)
    reference.rho = rho
    for letters in itertools.product("IXYZ", repeat=2):
        string = {q: letter for q, letter in enumerate(letters) if letter != "I"}
        if not string:
            continue
        text = " ".join(f"{letter}{q}" for q, letter in string.items())
        found = run(circuit, 0, observables=PauliSum(text), backend="density_matrix").expectation_values
        assert next(iter(found.values())) == pytest.approx(reference.expectation(string), abs=1e-12)
