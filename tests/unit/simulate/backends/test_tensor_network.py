"""The tensor-network backend through `qrealm.run`: every operation against the dense reference, light cones,
slices, and what it refuses."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

pytest.importorskip("cotengra")

from qrealm.base.errors import BackendRefusalError, RequestError, ResourceError, TooLargeError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.noise import channels
from qrealm.simulate import memory
from qrealm.simulate.backends.mps.program import prepare
from qrealm.simulate.backends.tensor_network import paths
from qrealm.simulate.backends.tensor_network import run as tensor_network_run
from qrealm.simulate.backends.tensor_network.network import Network
from qrealm.simulate.backends.tensor_network.options import TensorNetworkOptions
from qrealm.simulate.backends.tensor_network.paths import Path
from qrealm.simulate.estimate import estimate
from qrealm.simulate.memory import MemoryLedger
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.run import run
from reference.dense import DenseSimulator
from reference.ops import OP_BY_CODE
from reference.random_circuits import CircuitBuilder, random_circuit, random_unitary

MANY = 1 << 40


def brickwork(num_qubits: int, layers: int, seed: int = 1) -> Circuit:
    """Random two-qubit unitaries on neighbours."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.unitary(random_unitary(rng, 2), [qubit, qubit + 1])
    return circuit


def contracted(problem: object, bytes_max: int = MANY) -> np.ndarray:
    dtype = np.dtype(np.complex128)
    return Path(problem, bytes_max, 16, 4, 1).contract(problem, dtype)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_random_circuits_of_all_operations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 8))
    circuit = random_circuit(rng, count, 25)
    dense = DenseSimulator.run(circuit)
    network = Network(prepare(circuit))
    for index in rng.integers(2**count, size=4).tolist():
        assert complex(contracted(network.amplitude(index))) == pytest.approx(dense.state[index], abs=1e-10)
    state = contracted(network.state(list(range(count)))).reshape(-1) * network.amplitude(0).factor
    overlap = np.vdot(dense.state, state)
    assert abs(overlap) == pytest.approx(1, abs=1e-10)
    for word in ["".join(rng.choice(list("IXYZ"), count)) for _ in range(4)]:
        letters = {q: "IXZY".index(letter) for q, letter in enumerate(word) if letter != "I"}
        want = dense.expectation({q: letter for q, letter in enumerate(word) if letter != "I"})
        found = complex(contracted(network.value(letters)))
        assert found.real == pytest.approx(want, abs=1e-9)
        assert abs(found.imag) < 1e-9


@pytest.mark.parametrize("code", list(OpCode), ids=lambda code: code.name)
@pytest.mark.parametrize("controls", [(), (3,), (0, 3)], ids=["none", "one", "two"])
def test_each_operation(code: OpCode, controls: tuple[int, ...]) -> None:
    rng = np.random.default_rng(code.value)
    builder = CircuitBuilder(5)
    for qubit in range(5):
        builder.add("U", [qubit], params=rng.uniform(0, 6, 3).tolist())
    if code is OpCode.MATRIX:
        builder.add_matrix(random_unitary(rng, 2), [4, 1], controls=controls)
    else:
        row = OP_BY_CODE[code.value]
        targets = [4, 1][: row.num_targets]
        builder.add(code.name, targets, params=rng.uniform(-3, 3, row.num_params).tolist(), controls=controls)
    circuit = builder.build()
    network, truth = Network(prepare(circuit)), DenseSimulator.run(circuit).state
    for index in (0, 5, 19, 31):
        assert complex(contracted(network.amplitude(index))) == pytest.approx(truth[index], abs=1e-11)


def test_a_run_gives_amplitudes_values_and_samples() -> None:
    circuit = brickwork(8, 6)
    dense = DenseSimulator.run(circuit.packed())
    result = run(
        circuit,
        shots=20_000,
        seed=3,
        amplitudes=["00000000", "01100101"],
        observables={"E": "Z0 Z7 + 0.5 X3 - 2 Y1 Z2 + 4"},
        return_statevector=True,
        backend="tensor_network",
    )
    assert result.amplitudes()["01100101"] == pytest.approx(dense.state[0b01100101], abs=1e-11)
    assert np.abs(result.statevector - dense.state).max() < 1e-11
    want = (
        dense.expectation({0: "Z", 7: "Z"})
        + 0.5 * dense.expectation({3: "X"})
        - 2 * dense.expectation({1: "Y", 2: "Z"})
        + 4
    )
    assert result.expectation_values["E"] == pytest.approx(want, abs=1e-10)
    shares = np.zeros(256)
    values, draws = result.outcomes
    shares[values] = np.array(draws) / 20_000
    truth = np.abs(dense.state) ** 2
    # Five standard deviations of each binomial share.
    assert (np.abs(shares - truth) < 5 * np.sqrt(truth / 20_000) + 1e-3).all()
    assert result.metadata["trials"] > 0
    assert result.truncation_error is None


def test_samples_of_qubits_that_few_gates_join() -> None:
    circuit = Circuit(100, 70)
    for qubit in range(0, 100, 2):
        circuit.h(qubit).cx(qubit, qubit + 1)
    circuit.measure([0, 1, 98, 99], [65, 2, 1, 0])
    values, draws = run(circuit, shots=4000, seed=1, backend="tensor_network").outcomes
    assert set(values) == {0, 3, (1 << 65) | 4, (1 << 65) | 7}
    assert all(abs(count - 1000) < 5 * math.sqrt(750) for count in draws)


def test_values_on_five_hundred_qubits_come_from_their_cones() -> None:
    """Magnetisation of a shallow circuit, the same at every site far from the ends, so that all cones share a
    path."""
    circuit = Circuit(500)
    for _ in range(2):
        circuit.rx(0.4, range(500))
        for first in (0, 1):
            for qubit in range(first, 499, 2):
                circuit.rzz(0.3, qubit, qubit + 1)
    circuit.rx(0.4, range(500))
    observables = {f"Z{q}": f"Z{q}" for q in range(100, 140, 2)}
    result = run(circuit, shots=0, observables=observables, backend="tensor_network")
    other = run(circuit, shots=0, observables=observables, backend="mps").expectation_values
    for name, value in result.expectation_values.items():
        assert value == pytest.approx(other[name], abs=1e-7)
    assert result.metadata["paths"] == 1


def test_amplitudes_of_a_lattice_share_a_path() -> None:
    """A 4 x 4 grid: four layers of gates along both directions."""
    rng = np.random.default_rng(7)
    circuit = Circuit(16)
    for _ in range(4):
        for qubit in range(16):
            circuit.ry(float(rng.uniform(0, 3)), qubit)
        for qubit in range(16):
            if qubit % 4 < 3:
                circuit.cp(float(rng.uniform(0, 1)), qubit, qubit + 1)
            if qubit < 12:
                circuit.cp(float(rng.uniform(0, 1)), qubit, qubit + 4)
    texts = ["".join(rng.choice(list("01"), 16)) for _ in range(5)]
    found = run(circuit, shots=0, amplitudes=texts, backend="tensor_network")
    other = run(circuit, shots=0, amplitudes=texts, backend="statevector").amplitudes()
    for text, value in found.amplitudes().items():
        assert value == pytest.approx(other[text], abs=1e-12)
    assert found.metadata["paths"] == 1


def test_slices_add_up_and_keep_the_memory() -> None:
    problem = Network(prepare(brickwork(14, 12).packed())).amplitude(12345)
    whole = Path(problem, MANY, 16, 4, 1)
    cut = Path(problem, whole.peak_bytes // 2, 16, 4, 1)
    dtype = np.dtype(np.complex128)
    assert whole.slices == 1
    assert cut.slices > 1
    assert cut.peak_bytes <= whole.peak_bytes // 2
    assert cut.flops >= whole.flops
    assert cut.contract(problem, dtype) == pytest.approx(whole.contract(problem, dtype), abs=1e-12)


def test_the_memory_of_the_options_is_kept() -> None:
    circuit = brickwork(24, 16)
    small = TensorNetworkOptions(memory_bytes=1 << 20, trials=16)
    text = ["0" * 24]
    one = run(circuit, shots=0, amplitudes=text, backend="tensor_network", options=small)
    two = run(circuit, shots=0, amplitudes=text, backend="tensor_network")
    assert one.metadata["state_bytes"] <= 1 << 20
    assert one.metadata["slices"] > two.metadata["slices"] == 1
    assert one.metadata["trials"] == 16
    assert one.amplitudes()[text[0]] == pytest.approx(two.amplitudes()[text[0]], abs=1e-12)


def test_seeds_and_threads_change_nothing() -> None:
    circuit = brickwork(10, 6)
    asked = {"shots": 500, "observables": {"a": "X0 Z9", "b": "Z4"}, "backend": "tensor_network"}
    first, again = run(circuit, seed=5, threads=1, **asked), run(circuit, seed=5, threads=3, **asked)
    assert first.outcomes == again.outcomes
    assert first.expectation_values == again.expectation_values
    assert first.outcomes != run(circuit, seed=6, **asked).outcomes


def test_more_trials_find_no_worse_paths() -> None:
    problem = Network(prepare(brickwork(20, 10).packed())).amplitude(0)
    few, many = (Path(problem, MANY, 16, trials, 1) for trials in (16, 96))
    assert many.flops <= few.flops
    assert many.trials == 96


def test_single_precision() -> None:
    circuit = brickwork(8, 5)
    truth = DenseSimulator.run(circuit.packed()).state[3]
    found = run(circuit, shots=0, amplitudes=["00000011"], precision="single", backend="tensor_network")
    assert found.amplitudes()["00000011"] == pytest.approx(truth, abs=1e-5)
    assert found.metadata["precision"] == "single"


def test_qubits_without_gates() -> None:
    circuit = Circuit(4).x(1)
    result = run(
        circuit,
        shots=0,
        amplitudes=["0010", "1010"],
        observables={"z": "Z0", "x": "X3", "both": PauliSum("Z1 Z2")},
        backend="tensor_network",
    )
    assert result.amplitudes() == {"0010": 1, "1010": 0}
    assert result.expectation_values == {"z": 1, "x": 0, "both": -1}
    nothing = run(Circuit(2), shots=3, seed=1, amplitudes=["00"], backend="tensor_network")
    assert nothing.counts == {"00": 3}
    assert nothing.amplitudes() == {"00": 1}


def test_what_it_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = brickwork(30, 4)
    with pytest.raises(BackendRefusalError, match="up to 20 qubits that are joined"):
        run(wide, shots=10, backend="tensor_network")
    with pytest.raises(BackendRefusalError, match="state vectors of up to 20"):
        run(wide, shots=0, return_statevector=True, backend="tensor_network")
    with pytest.raises(BackendRefusalError, match="half-way"):
        run(Circuit(2, 1).h(0).measure(0, 0).x(0), shots=10, backend="tensor_network")
    noisy = Circuit(1).append(channels.depolarizing(0.1), [0])
    with pytest.raises(BackendRefusalError, match="noise"):
        run(noisy, shots=0, observables="Z0", backend="tensor_network")
    with pytest.raises(BackendRefusalError, match="sampled"):
        run(Circuit(2).h(0), shots=9, observables="Z0", sampled=True, backend="tensor_network")
    state = np.ones(256) / 16
    with pytest.raises(BackendRefusalError, match="up to 6 qubits together") as caught:
        run(Circuit(8).x(0), shots=0, amplitudes=["0" * 8], initial_state=state, backend="tensor_network")
    assert "these can: statevector" in caught.value.hint
    wide = Circuit(70).initialize(state, range(8)).cx(7, 69)
    with pytest.raises(BackendRefusalError, match="prepares 8"):
        estimate(wide, shots=0, observables="Z0", backend="tensor_network")
    monkeypatch.setattr(paths, "SECONDS_MAX", 1e-6)
    with pytest.raises(ResourceError, match="operations on the best of"):
        run(brickwork(16, 8), shots=0, amplitudes=["0" * 16], backend="tensor_network")


def test_a_run_waits_for_anothers_memory_and_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.5 of 4 GiB are held and touched: the system has 30 MiB left, and alone there would be 4 GiB."""
    left = [4 << 30]
    monkeypatch.setattr(tensor_network_run, "memory_available_bytes", lambda: left[0])
    monkeypatch.setattr(tensor_network_run, "LEDGER", ledger := MemoryLedger())
    other = Plan("other", Precision.SINGLE, 1, 0, 3584 << 20, 0, ())
    _, held = ledger.reserve(lambda available: other, lambda: left[0])
    left[0] = 30 << 20

    waited: list[float] = []

    def end_at_the_second(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            left[0] = 4 << 30
            with held:
                pass

    monkeypatch.setattr(memory._pause, "wait", end_at_the_second)
    found = run(Circuit(3).ry(0.3, 0), shots=0, observables="Z0", backend="tensor_network")
    assert len(waited) == 2
    assert found.expectation_values["Z0"] == pytest.approx(math.cos(0.3), abs=1e-9)


def test_too_many_shots_are_refused_before_anything_is_made() -> None:
    with pytest.raises(TooLargeError, match="tensor_network"):
        run(Circuit(3).h(0), shots=1 << 38, backend="tensor_network")


@pytest.mark.parametrize(
    "wrong", [{"memory_bytes": 5}, {"trials": 0}, {"trials": "x"}, {"memory_bytes": 1.5}]
)
def test_options_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="it must be"):
        TensorNetworkOptions(**wrong)


def test_sixty_qubits_in_seconds() -> None:
    circuit = brickwork(60, 8)
    started = time.process_time()
    result = run(circuit, shots=0, amplitudes=["0" * 60, "1" * 60], backend="tensor_network")
    assert time.process_time() - started < 100
    other = run(circuit, shots=0, amplitudes=["0" * 60], backend="mps").amplitudes()["0" * 60]
    assert result.amplitudes()["0" * 60] == pytest.approx(other, abs=1e-12 + 1e-3 * abs(other))
