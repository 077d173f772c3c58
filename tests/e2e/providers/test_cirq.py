"""`QrealmSampler` and `QrealmSimulator` beside Cirq's own simulator, which is the oracle here.

Sampled values are compared within 5 standard deviations, with fixed seeds.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import (
    BackendRefusalError,
    ObservableError,
    ParameterError,
    RequestError,
    UnknownBackendError,
    UnsupportedError,
)
from reference.random_circuits import replayable

cirq = pytest.importorskip("cirq")
sympy = pytest.importorskip("sympy")

from qrealm.faces.providers.cirq import QrealmSampler, QrealmSimulator  # noqa: E402

SHOTS = 4000


def theirs(**options):
    return cirq.Simulator(dtype=np.complex128, **options)


def histogram(result, key: str) -> dict[int, int]:
    """How often each value of a key's instances, all bits in a row, came."""
    records = result.records[key]
    flat = records.reshape(len(records), -1).astype(int)
    values = flat @ (1 << np.arange(flat.shape[1])[::-1])
    return {int(v): int(n) for v, n in zip(*np.unique(values, return_counts=True), strict=True)}


def assert_same_distribution(ours, others, shots: int) -> None:
    """Each outcome's share agrees within 5 standard deviations of the difference of two shares."""
    for value in {*ours, *others}:
        a, b = ours.get(value, 0) / shots, others.get(value, 0) / shots
        mean = (a + b) / 2
        assert abs(a - b) <= 5 * math.sqrt(max(mean * (1 - mean), 1 / shots) * 2 / shots), (value, a, b)


# ---- states ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_final_states_of_random_circuits(seed: int) -> None:
    qubits = cirq.LineQubit.range(5)
    circuit = cirq.testing.random_circuit(qubits, 12, 0.8, random_state=seed)
    with replayable(seed):
        ours = QrealmSimulator().simulate(circuit, qubit_order=qubits)
        other = theirs().simulate(circuit, qubit_order=qubits)
        assert np.allclose(ours.final_state_vector, other.final_state_vector, atol=1e-9)
        assert ours.qubit_map == other.qubit_map
        assert np.allclose(ours.density_matrix_of(qubits[:2]), other.density_matrix_of(qubits[:2]))


def test_qubit_order_and_qubits_without_gates() -> None:
    a, b, c, d = cirq.LineQubit.range(4)
    circuit = cirq.Circuit(cirq.X(a), cirq.CNOT(a, b) ** 0.3, cirq.rx(0.2)(c))
    for order in ([a, b, c], [c, a, b], [d, b, c, a]):
        ours = QrealmSimulator().final_state_vector(circuit, qubit_order=order)
        assert np.allclose(ours, theirs().simulate(circuit, qubit_order=order).final_state_vector)


@pytest.mark.parametrize("kind", ["index", "amplitudes", "tensor", "product"])
def test_initial_states(kind: str) -> None:
    qubits = cirq.LineQubit.range(3)
    circuit = cirq.Circuit(cirq.H(qubits[0]), cirq.CNOT(*qubits[:2]), cirq.T(qubits[2]))
    rng = np.random.default_rng(5)
    amplitudes = rng.normal(size=8) + 1j * rng.normal(size=8)
    amplitudes /= np.linalg.norm(amplitudes)
    start = {
        "index": 5,
        "amplitudes": amplitudes,
        "tensor": amplitudes.reshape(2, 2, 2),
        "product": cirq.KET_PLUS(qubits[0]) * cirq.KET_ONE(qubits[1]) * cirq.KET_IMAG(qubits[2]),
    }[kind]
    ours = QrealmSimulator().simulate(circuit, qubit_order=qubits, initial_state=start)
    other = theirs().simulate(circuit, qubit_order=qubits, initial_state=start)
    assert np.allclose(ours.final_state_vector, other.final_state_vector)


def test_single_precision() -> None:
    circuit = cirq.testing.random_circuit(4, 8, 0.8, random_state=1)
    state = QrealmSimulator(precision="single").final_state_vector(circuit)
    assert state.dtype == np.complex64
    assert np.allclose(state, theirs().simulate(circuit).final_state_vector, atol=1e-5)


def test_sweeps_with_open_symbols_and_with_symbols_that_qrealm_cannot_read() -> None:
    a, b = cirq.LineQubit.range(2)
    t, pi = sympy.Symbol("t"), sympy.Symbol("pi")  # to qrealm's reader, pi is a number
    readable = cirq.Circuit(cirq.rx(2 * t + 0.1)(a), cirq.CNOT(a, b) ** t, cirq.Y(b) ** (t / 3))
    unreadable = cirq.Circuit(cirq.rx(pi)(a), cirq.X(b) ** pi)
    for circuit, sweep in (
        (readable, cirq.Linspace("t", -1, 2, 7)),
        (unreadable, cirq.Points("pi", [0.3, 1.2])),
        (readable, [{"t": 0.5}, {"t": sympy.Symbol("s"), "s": 0.25}]),
    ):
        ours = QrealmSimulator().simulate_sweep(circuit, sweep)
        others = theirs().simulate_sweep(circuit, sweep)
        assert len(ours) == len(others)
        for one, other in zip(ours, others, strict=True):
            assert one.params == other.params
            assert np.allclose(one.final_state_vector, other.final_state_vector)


def test_expectation_values_of_sweeps() -> None:
    a, b = cirq.LineQubit.range(2)
    t = sympy.Symbol("t")
    circuit = cirq.Circuit(cirq.ry(t)(a), cirq.ISWAP(a, b) ** 0.5)
    observables = [cirq.Z(a) * cirq.X(b) + 0.5 * cirq.Y(b) - 2, cirq.X(a)]
    sweep = cirq.Linspace("t", 0, 3, 4)
    ours = QrealmSimulator().simulate_expectation_values_sweep(circuit, observables, sweep)
    others = theirs().simulate_expectation_values_sweep(circuit, observables, sweep)
    assert np.allclose(ours, others, atol=1e-9)
    assert isinstance(ours[0][0], float)
    started = QrealmSimulator().simulate_expectation_values(circuit, cirq.Z(a), {"t": 0.4}, initial_state=3)
    assert np.allclose(
        started, theirs().simulate_expectation_values(circuit, cirq.Z(a), {"t": 0.4}, initial_state=3)
    )


def test_amplitudes() -> None:
    circuit = cirq.testing.random_circuit(4, 8, 0.8, random_state=3)
    wanted = [0, 7, 9, 7]
    ours = QrealmSimulator().compute_amplitudes(circuit, wanted)
    assert np.allclose(ours, theirs().compute_amplitudes(circuit, wanted))


def test_sampled_expectation_values() -> None:
    a = cirq.LineQubit(0)
    circuit = cirq.Circuit(cirq.ry(0.7)(a))
    ((value,),) = QrealmSampler(seed=3).sample_expectation_values(circuit, [cirq.Z(a)], num_samples=SHOTS)
    assert abs(value - math.cos(0.7)) < 5 * math.sin(0.7) / math.sqrt(SHOTS)


# ---- samples -----------------------------------------------------------------------------------------


def teleport_like():
    a, b, c = cirq.LineQubit.range(3)
    return cirq.Circuit(
        cirq.ry(0.8)(a),
        cirq.measure(a, key="m"),
        cirq.X(b).with_classical_controls("m"),
        cirq.H(a),
        cirq.measure(a, key="m"),
        cirq.ry(1.1)(c).with_classical_controls(sympy.Symbol("m") < 1),
        cirq.measure(c, b, a, key="out", invert_mask=(False, True)),
    )


def bitmask_conditions():
    a, b, c, d = cirq.LineQubit.range(4)
    return cirq.Circuit(
        cirq.H.on_each(a, b),
        cirq.ry(0.4)(c),
        cirq.measure(a, b, c, key="m", invert_mask=(True, False, False)),
        cirq.X(d).with_classical_controls(cirq.BitMaskKeyCondition("m", bitmask=6, target_value=2)),
        cirq.H(d).with_classical_controls("m", cirq.BitMaskKeyCondition.create_equal_mask("m", 1)),
        cirq.reset(a),
        cirq.measure(d, key="d"),
        cirq.measure(a, key="a"),
    )


def several_keys_of_conditions():
    a, b, c = cirq.LineQubit.range(3)
    x, y = sympy.symbols("x y")
    return cirq.Circuit(
        cirq.H(a),
        cirq.ry(1.0)(b),
        cirq.measure(a, key="x"),
        cirq.measure(b, key="y"),
        cirq.X(c).with_classical_controls(sympy.Eq(x + y, 1)),
        cirq.measure(c, key="z"),
        cirq.H(a),
        cirq.measure(a, key="x"),
        cirq.Y(c).with_classical_controls(cirq.KeyCondition(cirq.MeasurementKey("x"), 0)),
        cirq.measure(c, key="z"),
    )


def subcircuits():
    a, b = cirq.LineQubit.range(2)
    inner = cirq.FrozenCircuit(cirq.ry(0.6)(a), cirq.CNOT(a, b), cirq.measure(b, key="k"), cirq.reset(b))
    return cirq.Circuit(
        cirq.CircuitOperation(inner, repetitions=3, use_repetition_ids=False),
        cirq.PauliMeasurementGate([cirq.X], key="p").on(a),
    )


@pytest.mark.parametrize(
    "program", [teleport_like, bitmask_conditions, several_keys_of_conditions, subcircuits]
)
def test_records_have_cirqs_distribution(program) -> None:
    circuit = program()
    ours = QrealmSampler(seed=11).run(circuit, repetitions=SHOTS)
    others = theirs(seed=5).run(circuit, repetitions=SHOTS)
    assert {key: r.shape for key, r in ours.records.items()} == {
        key: r.shape for key, r in others.records.items()
    }
    for key in others.records:
        assert_same_distribution(histogram(ours, key), histogram(others, key), SHOTS)
    # Keys are correlated the same way, too.
    joined = [
        np.concatenate([r.records[key].reshape(SHOTS, -1) for key in sorted(others.records)], axis=1)
        for r in (ours, others)
    ]
    tables = []
    for bits in joined:
        values = bits.astype(int) @ (1 << np.arange(bits.shape[1]))
        tables.append(dict(zip(*np.unique(values, return_counts=True), strict=True)))
    assert_same_distribution(*tables, SHOTS)


def test_confusion_maps_act_on_records() -> None:
    a, b = cirq.LineQubit.range(2)
    confusion = {(0,): np.array([[0.8, 0.2], [0.1, 0.9]]), (1,): np.array([[1.0, 0.0], [0.3, 0.7]])}
    circuit = cirq.Circuit(
        cirq.H(a), cirq.CNOT(a, b), cirq.measure(a, b, key="m", confusion_map=confusion, invert_mask=(True,))
    )
    ours = QrealmSampler(seed=2).run(circuit, repetitions=SHOTS)
    others = theirs(seed=3).run(circuit, repetitions=SHOTS)
    assert_same_distribution(histogram(ours, "m"), histogram(others, "m"), SHOTS)


def test_resets_are_drawn_too() -> None:
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(cirq.ry(1.0)(a), cirq.CNOT(a, b), cirq.reset(a))
    simulator = QrealmSimulator(seed=1)
    states = [np.abs(simulator.final_state_vector(circuit)) for _ in range(30)]
    assert {tuple(np.flatnonzero(state > 0.5)) for state in states} == {(0b00,), (0b01,)}


def test_more_than_64_measured_bits() -> None:
    qubits = cirq.LineQubit.range(3)
    circuit = cirq.Circuit()
    for turn in range(30):
        circuit.append([cirq.X(qubits[turn % 3]), cirq.measure(*qubits, key="m")])
    ours = QrealmSampler().run(circuit, repetitions=3)
    others = cirq.Simulator().run(circuit, repetitions=3)
    assert ours.records["m"].shape == (3, 30, 3)
    assert np.array_equal(ours.records["m"], others.records["m"])


def test_simulating_with_measurements_collapses_the_state() -> None:
    a, b, c = cirq.LineQubit.range(3)
    circuit = cirq.Circuit(
        cirq.H(a), cirq.CNOT(a, b), cirq.measure(a, key="m", invert_mask=(True,)), cirq.H(c),
        cirq.X(c).with_classical_controls("m"), cirq.ry(0.3)(b), cirq.measure(c, key="z"),
    )  # fmt: skip
    simulator = QrealmSimulator(seed=4)
    seen = set()
    for _ in range(20):
        result = simulator.simulate(circuit)
        m, z = int(result.measurements["m"][0]), int(result.measurements["z"][0])
        seen.add((m, z))
        collapsed = 1 - m
        expected = np.kron(
            np.kron(np.eye(2)[collapsed], cirq.unitary(cirq.ry(0.3))[:, collapsed]), np.eye(2)[z]
        )
        overlap = abs(np.vdot(expected, result.final_state_vector))
        assert overlap == pytest.approx(1, abs=1e-9)
    assert len(seen) == 4


def test_expectations_are_averaged_over_measurements_half_way() -> None:
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(
        cirq.ry(0.9)(a), cirq.measure(a, key="m"), cirq.X(b).with_classical_controls("m"), cirq.H(a)
    )
    (value,) = QrealmSimulator().simulate_expectation_values(circuit, cirq.Z(b))
    assert value == pytest.approx(math.cos(0.9), abs=1e-12)


def test_seeds_repeat_and_threads_do_not_matter() -> None:
    circuit = teleport_like()
    runs = [QrealmSampler(seed=9, threads=n).run(circuit, repetitions=50) for n in (1, 2)]
    assert runs[0] == runs[1]
    sampler = QrealmSampler(seed=9)
    assert sampler.run(circuit, repetitions=50) == runs[0]
    assert sampler.run(circuit, repetitions=50) != runs[0]


def test_no_repetitions_and_sweeps_of_samples() -> None:
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(cirq.X(a) ** sympy.Symbol("t"), cirq.measure(a, b, key="m"))
    empty = QrealmSampler().run(circuit, {"t": 1}, repetitions=0)
    assert empty.records["m"].shape == (0, 1, 2)
    results = QrealmSampler().run_sweep(circuit, cirq.Points("t", [0, 1]), repetitions=10)
    assert [r.measurements["m"][:, 0].sum() for r in results] == [0, 10]
    assert results[1].histogram(key="m") == {0b10: 10}


def noisy():
    a, b, c = cirq.LineQubit.range(3)
    return cirq.Circuit(
        cirq.ry(0.8)(a), cirq.CNOT(a, b), cirq.amplitude_damp(0.3)(b), cirq.depolarize(0.1, 2)(b, c),
        cirq.H(c),
        cirq.asymmetric_depolarize(0.1, 0.05, 0.2)(a), cirq.phase_damp(0.4)(c),
        cirq.KrausChannel([np.kron(np.eye(2), k) for k in cirq.kraus(cirq.amplitude_damp(0.5))])(c, a),
        cirq.X(b).with_probability(0.25), cirq.ISWAP(a, c) ** 0.3,
    )  # fmt: skip


def test_channels() -> None:
    a, b, c = cirq.LineQubit.range(3)
    observables = [cirq.Z(a), cirq.X(c) * cirq.Z(b), cirq.Y(a) * cirq.Y(c) - cirq.Z(c)]
    exact = cirq.DensityMatrixSimulator(dtype=np.complex128)
    ours = QrealmSimulator().simulate_expectation_values(noisy(), observables)
    assert np.allclose(ours, exact.simulate_expectation_values(noisy(), observables), atol=1e-9)
    measured = noisy() + cirq.measure(c, a, b, key="m")
    probabilities = np.real(np.diag(exact.simulate(noisy(), qubit_order=[c, a, b]).final_density_matrix))
    counts = histogram(QrealmSampler(seed=6).run(measured, repetitions=SHOTS), "m")
    for value, p in enumerate(probabilities):
        assert abs(counts.get(value, 0) / SHOTS - p) <= 5 * math.sqrt(max(p * (1 - p), 1 / SHOTS) / SHOTS)


def test_wide_prepared_states() -> None:
    qubits = cirq.LineQubit.range(7)
    state = np.random.default_rng(3).normal(size=128) + 0j
    state /= np.linalg.norm(state)
    circuit = cirq.Circuit(cirq.H(qubits[2]), cirq.StatePreparationChannel(state)(*qubits), cirq.X(qubits[0]))
    ours = QrealmSimulator(seed=1).final_state_vector(circuit)
    assert np.allclose(np.abs(ours), np.abs(np.roll(state, 64)), atol=1e-9)


def test_a_circuit_without_qubits_has_one_amplitude() -> None:
    simulator = QrealmSimulator()
    assert np.array_equal(simulator.final_state_vector(cirq.Circuit()), [1])
    phases = cirq.Circuit(cirq.global_phase_operation(1j), cirq.global_phase_operation(-1))
    assert np.allclose(simulator.final_state_vector(phases), [-1j], atol=1e-12)
    assert np.allclose(simulator.final_state_vector(phases, initial_state=[1j]), [1], atol=1e-12)
    with pytest.raises(RequestError, match="one number of norm 1"):
        simulator.simulate(cirq.Circuit(), initial_state=[2])


def test_noise_models_are_put_in() -> None:
    a, b = cirq.LineQubit.range(2)
    bell = cirq.Circuit(cirq.H(a), cirq.CNOT(a, b))
    noise = cirq.depolarize(0.1)
    simulator = QrealmSimulator(noise=noise, seed=1)
    zz = cirq.Z(a) * cirq.Z(b)
    oracle = cirq.DensityMatrixSimulator(noise=noise, dtype=np.complex128)
    wanted = np.real(oracle.simulate_expectation_values(bell, zz))
    assert 0.1 < abs(wanted[0]) < 0.9
    assert simulator.simulate_expectation_values(bell, zz) == pytest.approx(wanted, abs=1e-9)
    read = bell + cirq.measure(a, b, key="m")
    xx = cirq.X(a) * cirq.X(b)
    assert simulator.simulate_expectation_values(
        read, [zz, xx], permit_terminal_measurements=True
    ) == pytest.approx(simulator.simulate_expectation_values(bell, [zz, xx]), abs=1e-12)
    shots = 20_000
    counts = simulator.run(read, repetitions=shots).histogram(key="m")
    equal, share = (counts[0] + counts[3]) / shots, (1 + wanted[0]) / 2
    assert abs(equal - share) < 5 * math.sqrt(share * (1 - share) / shots)  # standard deviations


# ---- what is refused ---------------------------------------------------------------------------------


def test_mistakes_are_told() -> None:
    a, b = cirq.LineQubit.range(2)
    sampler, simulator = QrealmSampler(), QrealmSimulator()
    with pytest.raises(RequestError, match="no measurements"):
        sampler.run(cirq.Circuit(cirq.X(a)))
    with pytest.raises(RequestError, match="precision"):
        QrealmSampler(precision="half")
    for kind in (QrealmSampler, QrealmSimulator):
        with pytest.raises(UnknownBackendError, match="nope"):
            kind(backend="nope")
    with pytest.raises(TypeError, match=r"(?i)noise"):
        QrealmSampler(noise="much")
    with pytest.raises(RequestError, match="seed"):
        QrealmSampler(seed=-1)
    with pytest.raises(ParameterError, match="'t'"):
        simulator.simulate(cirq.Circuit(cirq.rx(sympy.Symbol("t"))(a)))
    with pytest.raises(BackendRefusalError, match="noise"):
        simulator.simulate(cirq.Circuit(cirq.depolarize(0.1)(a)))
    with pytest.raises(UnsupportedError, match="measured 0 times"):
        sampler.run(cirq.Circuit(cirq.X(a).with_classical_controls("b"), cirq.measure(a)))
    with pytest.raises(UnsupportedError, match="qudits"):
        simulator.simulate(cirq.Circuit(cirq.IdentityGate(qid_shape=(3,))(cirq.LineQid(0, 3))))
    loop = cirq.CircuitOperation(
        cirq.FrozenCircuit(cirq.H(a), cirq.measure(a, key="m")),
        repeat_until=cirq.KeyCondition(cirq.MeasurementKey("m")),
        use_repetition_ids=False,
    )
    with pytest.raises(UnsupportedError, match="repeats until"):
        sampler.run(cirq.Circuit(loop))
    with pytest.raises(RequestError, match="terminal measurements"):
        simulator.simulate_expectation_values(cirq.Circuit(cirq.X(a), cirq.measure(a)), cirq.Z(a))
    with pytest.raises(ObservableError, match="q\\(1\\)"):
        simulator.simulate_expectation_values(cirq.Circuit(cirq.X(a)), cirq.Z(b))
    with pytest.raises(ObservableError, match="Hermitian"):
        simulator.simulate_expectation_values(cirq.Circuit(cirq.X(a)), 1j * cirq.Z(a))
    with pytest.raises(RequestError, match="initial_state"):
        simulator.simulate(cirq.Circuit(cirq.X(a)), initial_state=2)
    with pytest.raises(RequestError, match="amplitudes"):
        simulator.compute_amplitudes(cirq.Circuit(cirq.X(a)), [2])
