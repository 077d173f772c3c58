"""`SamplerV2` against Qiskit's own sampler, exact distributions, and the rules of pubs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorSampler
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.quantum_info import Statevector

from e2e.providers.qiskit_cases import (
    SIGMAS,
    ansatz,
    assert_drawn_from,
    several_registers,
    teleportation,
)
from engines.nodes import wait_until
from qrealm.base.errors import CancelledRunError, RequestError, UnknownBackendError, UnsupportedError
from qrealm.circuits.noise import NoiseModel, ReadoutError, depolarizing
from qrealm.faces.providers.qiskit import QrealmProvider, SamplerOptions, SamplerV2

SHOTS = 20_000


@pytest.mark.parametrize("seed", range(4))
def test_random_circuits_give_the_exact_distribution(seed: int) -> None:
    source = ansatz(seed, 4, 25)
    values = np.random.default_rng(seed).uniform(-3, 3, (3, 4))
    measured = source.measure_all(inplace=False)
    data = SamplerV2(seed=seed).run([(measured, values)], shots=SHOTS).result()[0].data.meas
    assert (data.shape, data.num_bits, data.num_shots) == ((3,), 4, SHOTS)
    for index in range(3):
        state = Statevector(source.assign_parameters(values[index]))
        assert_drawn_from(data.get_counts(index), state.probabilities_dict())


@pytest.mark.parametrize("seed", range(3))
def test_registers_and_shapes_are_those_of_qiskits_sampler(seed: int) -> None:
    circuit = several_registers(ansatz(seed, 4, 20))
    rng = np.random.default_rng(seed)
    values = BindingsArray(
        {("beta", "x", "alpha"): rng.uniform(-3, 3, (2, 3, 3)), "theta_1": np.ones((2, 3))}
    )
    ours = SamplerV2(seed=seed).run([(circuit, values, SHOTS)]).result()[0]
    theirs = StatevectorSampler(seed=seed).run([(circuit, values, SHOTS)]).result()[0]
    assert (
        ours.metadata["circuit_metadata"] == theirs.metadata["circuit_metadata"] == {"from": f"ansatz{seed}"}
    )
    assert list(ours.data.keys()) == list(theirs.data.keys()) == ["first", "empty", "rest"]
    for name in ours.data:
        mine, other = ours.data[name], theirs.data[name]
        assert (mine.shape, mine.num_bits, mine.array.shape) == (
            other.shape,
            other.num_bits,
            other.array.shape,
        )
        for index in np.ndindex(2, 3):
            left, right = mine.get_int_counts(index), other.get_int_counts(index)
            for key in left.keys() | right.keys():
                a, b = left.get(key, 0) / SHOTS, right.get(key, 0) / SHOTS
                # Two samples of the same share, whose variances add; the +1 covers outcomes never drawn.
                spread = np.sqrt((a * (1 - a) + b * (1 - b)) / SHOTS)
                assert abs(a - b) <= SIGMAS * (spread + 1 / SHOTS)
    joined = ours.data.first.get_int_counts((0, 0))
    assert set(joined) <= {0, 1}


def test_registers_keep_the_shots_together() -> None:
    """Qubit 0 and qubit 9 are equal in each shot, though they are read into different registers."""
    left, right = ClassicalRegister(9, "left"), ClassicalRegister(11, "right")
    circuit = QuantumCircuit(QuantumCircuit(10).qubits, left, right)
    circuit.h(0)
    circuit.cx(0, 9)
    circuit.h(5)
    circuit.measure(0, left[8])
    circuit.measure(9, right[0])
    circuit.measure(5, right[10])
    data = SamplerV2(seed=3).run([circuit], shots=400).result()[0].data
    ints = data.left.array[:, 0].astype(int) << 8 | data.left.array[:, 1]
    others = data.right.array[:, 0].astype(int) << 8 | data.right.array[:, 1]
    assert set(ints) == {0, 1 << 8}
    assert set(others) == {0, 1, 1 << 10, 1 | 1 << 10}
    assert np.array_equal(ints >> 8, others & 1)
    # Neighbouring shots are independent: as often alike as not, 399 pairs, five standard deviations.
    alike = int((np.diff(ints) == 0).sum())
    assert abs(alike - 399 / 2) < SIGMAS * np.sqrt(399) / 2


def test_more_classical_bits_than_a_word_has() -> None:
    circuit = QuantumCircuit(2, 150)
    circuit.x(1)
    circuit.measure(0, 3)
    circuit.measure(1, 149)
    data = SamplerV2().run([circuit], shots=10).result()[0].data.c
    assert data.num_bits == 150
    assert data.get_int_counts() == {1 << 149: 10}


def test_overlapping_registers_share_their_bits() -> None:
    low = ClassicalRegister(2, "low")
    both = ClassicalRegister(bits=[low[1], low[0]], name="swapped")
    circuit = QuantumCircuit(2)
    circuit.add_register(low, both)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    data = SamplerV2().run([circuit], shots=5).result()[0].data
    assert data.low.get_counts() == {"01": 5}
    assert data.swapped.get_counts() == {"10": 5}


def test_measurements_half_way_and_conditions() -> None:
    theta = Parameter("theta")
    points = np.array([[0.4], [2.0]])
    data = SamplerV2(seed=5).run([(teleportation(theta), points)], shots=SHOTS).result()[0].data
    for index, (point,) in enumerate(points):
        one = np.sin(point / 2) ** 2
        assert_drawn_from(data.out.get_counts(index), {"0": 1 - one, "1": one})
        assert_drawn_from(data.sent.get_counts(index), dict.fromkeys(("00", "01", "10", "11"), 0.25))


def test_switch_for_and_reset() -> None:
    circuit = QuantumCircuit(2, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.switch(circuit.clbits[0]) as case:
        with case(1), circuit.for_loop(range(3)):
            circuit.x(1)
        with case(case.DEFAULT):
            circuit.id(1)
    circuit.measure([0, 1], [1, 2])
    counts = SamplerV2(seed=1).run([circuit], shots=SHOTS).result()[0].data.c.get_counts()
    assert_drawn_from(counts, {"000": 0.5, "101": 0.5})


def test_transpiled_circuits() -> None:
    source = ansatz(11, 4, 20)
    values = [0.1, 0.2, 0.3, 0.4]
    circuit = transpile(source.measure_all(inplace=False), QrealmProvider().get_backend(), seed_transpiler=1)
    counts = SamplerV2(seed=2).run([(circuit, values)], shots=SHOTS).result()[0].data.meas.get_counts()
    assert_drawn_from(counts, Statevector(source.assign_parameters(values)).probabilities_dict())


def test_idle_qubits_of_a_wide_device() -> None:
    circuit = QuantumCircuit(150, 2)
    circuit.h(70)
    circuit.cx(70, 149)
    circuit.barrier()
    circuit.measure([149, 70], [0, 1])
    with circuit.if_test((0, 1)):
        circuit.x(3)
    counts = SamplerV2(seed=1).run([circuit], shots=SHOTS).result()[0].data.c.get_counts()
    assert_drawn_from(counts, {"00": 0.5, "11": 0.5})
    result = QrealmProvider().get_backend().run(circuit, seed_simulator=1, shots=SHOTS).result()
    assert_drawn_from(result.get_counts(), {"00": 0.5, "11": 0.5})


def test_a_faulty_detector() -> None:
    """The rules name qubits by number, so idle qubits are counted too."""
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.3), [3])
    theta = Parameter("theta")
    circuit = QuantumCircuit(5, 2)
    circuit.ry(theta, 3)
    circuit.x(4)
    circuit.measure([3, 4], [0, 1])
    points = np.array([[0.0], [1.0], [np.pi]])
    shares = [0.1 + 0.6 * np.sin(theta / 2) ** 2 for (theta,) in points]
    backend = QrealmProvider(noise=noise).get_backend()
    for sampler in (SamplerV2(seed=1, options={"noise": noise}), SamplerV2(backend, seed=1)):
        data = sampler.run([(circuit, points)], shots=SHOTS).result()[0].data.c
        for index, share in enumerate(shares):
            assert_drawn_from(data.get_counts(index), {"10": 1 - share, "11": share})
    binds = [{theta: points[:, 0]}]
    result = backend.run(circuit, parameter_binds=binds, shots=SHOTS, seed_simulator=1).result()
    for index, share in enumerate(shares):
        assert_drawn_from(result.get_counts(index), {"10": 1 - share, "11": share})
    with pytest.raises(RequestError, match="it must be a NoiseModel"):
        SamplerV2(options={"noise": 0.1}).run([(circuit, [0.3])])
    with pytest.raises(RequestError, match="it must be a NoiseModel"):
        backend.run(circuit, noise="much")


def test_noise_after_gates() -> None:
    """Depolarizing a flipped qubit by p leaves 1 - p / 2 of it flipped; idle qubits keep their numbers."""
    noise = NoiseModel().after_gates(depolarizing(0.3, 1), "x", [2])
    circuit = QuantumCircuit(4, 2)
    circuit.x([2, 3])
    circuit.measure([2, 3], [0, 1])
    wanted = {"11": 0.85, "10": 0.15}
    data = SamplerV2(seed=1, options={"noise": noise}).run([circuit], shots=SHOTS).result()[0].data.c
    assert_drawn_from(data.get_counts(), wanted)
    backend = QrealmProvider().get_backend()
    assert_drawn_from(
        backend.run(circuit, noise=noise, shots=SHOTS, seed_simulator=2).result().get_counts(), wanted
    )


def test_seeds() -> None:
    circuit = ansatz(0, 4, 20).measure_all(inplace=False)
    pubs = [(circuit, np.zeros((2, 4))), (circuit, np.zeros(4))]

    def arrays(sampler: SamplerV2) -> list[np.ndarray]:
        return [result.data.meas.array for result in sampler.run(pubs).result()]

    sampler = SamplerV2(seed=7)
    first, again = arrays(sampler), arrays(sampler)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], first[0][1]), "equal values have shots of their own"
    assert not np.array_equal(first[0][0], first[1])
    assert not np.array_equal(first[0], arrays(SamplerV2(seed=8))[0])
    assert not np.array_equal(arrays(SamplerV2())[0], arrays(SamplerV2())[0])
    drawn = SamplerV2(seed=np.random.default_rng(1))
    assert not np.array_equal(arrays(drawn)[0], arrays(drawn)[0])
    assert np.array_equal(
        arrays(SamplerV2(seed=np.random.default_rng(1)))[0],
        arrays(SamplerV2(seed=np.random.default_rng(1)))[0],
    )
    threads = [arrays(SamplerV2(options={"seed": 7, "threads": count}))[0] for count in (1, 2)]
    assert np.array_equal(*threads)


def test_shots_of_pub_run_and_options() -> None:
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    sampler = SamplerV2(default_shots=11)
    results = sampler.run([circuit, (circuit, None, 5)]).result()
    assert [each.data.meas.num_shots for each in results] == [11, 5]
    results = sampler.run([circuit, (circuit, None, 5)], shots=7).result()
    assert [each.metadata["shots"] for each in results] == [7, 5]
    sampler.options.default_shots = 3
    assert sampler.run([circuit]).result()[0].data.meas.num_shots == 3
    assert SamplerV2(options=SamplerOptions(default_shots=9)).options.default_shots == 9
    backend = QrealmProvider(shots=21).get_backend("statevector")
    found = SamplerV2(backend, seed=1).run([circuit]).result()[0]
    assert found.metadata["shots"] == 21
    assert found.metadata["backend"] == "statevector"


def test_circuits_that_measure_nothing() -> None:
    bare = QuantumCircuit(2)
    with pytest.warns(UserWarning, match="The 0-th pub's circuit has no output classical registers"):
        job = SamplerV2().run([bare])
    assert list(job.result()[0].data.keys()) == []
    idle = QuantumCircuit(2, 3)
    idle.h(0)
    assert SamplerV2().run([idle], shots=4).result()[0].data.c.get_counts() == {"000": 4}


def test_parameters_that_no_gate_has() -> None:
    """A parameter of a delay alone has no effect, and none at all leaves a shape of its own."""
    time, theta = Parameter("time"), Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(theta, 0)
    circuit.delay(time, 0)
    circuit.measure(0, 0)
    data = SamplerV2().run([(circuit, {"time": [1, 2], "theta": [0, np.pi]})], shots=6).result()[0].data.c
    assert [data.get_counts(index) for index in range(2)] == [{"0": 6}, {"1": 6}]
    plain = QuantumCircuit(1, 1)
    plain.h(0)
    plain.measure(0, 0)
    array = (
        SamplerV2(seed=1).run([(plain, BindingsArray({}, shape=(2, 2)))], shots=64).result()[0].data.c.array
    )
    assert array.shape == (2, 2, 64, 1)
    assert len({array[index].tobytes() for index in np.ndindex(2, 2)}) == 4
    assert SamplerV2().run([(circuit, np.zeros((0, 2)))]).result()[0].data.c.shape == (0,)


def test_what_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h(0)
    with pytest.raises(UnsupportedError, match="while_loop"):
        SamplerV2().run([circuit])
    with pytest.raises(UnknownBackendError, match="hal9000"):
        SamplerV2("hal9000")
    with pytest.raises(RequestError, match="resilience"):
        SamplerV2(options={"resilience": 1})
    with pytest.raises(RequestError, match="options is 5"):
        SamplerV2(options=5)
    with pytest.raises(RequestError, match="seed is -1"):
        SamplerV2(seed=-1).run([QuantumCircuit(1, 1)])
    with pytest.raises(ValueError, match="inconsistent with last dimension"):
        SamplerV2().run([(QuantumCircuit(1, 1), [0.3])])


def test_changing_the_circuit_afterwards_changes_nothing() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    job = SamplerV2().run([circuit], shots=8)
    circuit.x(0)
    circuit.measure(0, 0)
    assert job.result()[0].data.c.get_counts() == {"0": 8}


def test_cancelling_stops_a_run() -> None:
    circuit = QuantumCircuit(12, 60)
    for bit in range(60):
        circuit.h(range(12))
        circuit.measure(bit % 12, bit)
    job = SamplerV2().run([circuit], shots=2_000_000)
    wait_until(job.running)
    assert not job.in_final_state()
    assert job.cancel()
    with pytest.raises(CancelledRunError):
        job.result(timeout=60)
    assert job.cancelled()
    assert job.in_final_state()
    assert not job.done()
    assert not job.running()
    assert not job.cancel()
