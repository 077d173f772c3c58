"""The trajectories backend: against density matrices by the definition, closed forms, and its own promises
about seeds."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

from qrealm.base import cancel
from qrealm.base.errors import BackendRefusalError, CancelledRunError, TooLargeError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.noise import (
    Channel,
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    coherent,
    depolarizing,
    mixed_unitary,
    phase_damping,
    thermal_relaxation,
)
from qrealm.simulate.backends.statevector.run import BACKEND as ENGINE
from qrealm.simulate.backends.trajectories import gather, planning
from qrealm.simulate.backends.trajectories.draws import moved_seed, uniforms
from qrealm.simulate.backends.trajectories.sites import behaviour
from qrealm.simulate.backends.trajectories.steps import CUTS_MAX, Stretch, script
from qrealm.simulate.backends.trajectories.walk import Group, Leaf, Walker, states_alive
from qrealm.simulate.plan.types import Precision
from qrealm.simulate.results import Result
from qrealm.simulate.run import run
from reference.density import DensitySimulator, spread, superoperator_of
from reference.ops import PAULIS
from unit.circuits.draws import random_unitary
from unit.simulate.backends.ensembles import ensemble
from unit.simulate.cancelling import CancelledAtCheck

SHOTS = 20_000
TURN = np.array([[math.cos(0.2), -math.sin(0.2)], [math.sin(0.2), math.cos(0.2)]])


def random_channel(rng: np.random.Generator, num_qubits: int) -> Channel:
    """Kraus operators from a random isometry."""
    size, count = 1 << num_qubits, 3
    columns = rng.normal(size=(size * count, size)) + 1j * rng.normal(size=(size * count, size))
    return Channel(np.linalg.qr(columns)[0].reshape(count, size, size), "random")


CHANNELS = {
    "depolarizing": depolarizing(0.1),
    "more than depolarized": depolarizing(1.2),
    "depolarizing, 2 qubits": depolarizing(0.15, 2),
    "depolarizing, 3 qubits": depolarizing(0.3, 3),
    "certain flip": bit_flip(1.0),
    "amplitude damping": amplitude_damping(0.2),
    "warm amplitude damping": amplitude_damping(0.2, 0.3),
    "strong damping": amplitude_damping(0.97),
    "full damping": amplitude_damping(1.0),
    "thermal, T2 < T1": thermal_relaxation(100, 70, 10, 0.1),
    "thermal, T2 > T1": thermal_relaxation(100, 150, 10),
    "coherent": coherent(TURN),
    "mixture": mixed_unitary([(0.3, np.eye(2)), (0.6, TURN), (0.1, np.diag([1, 1j]))]),
    "coherent and damping": coherent(TURN).then(amplitude_damping(0.2)),
    "damping of two": amplitude_damping(0.2).tensor(phase_damping(0.3)),
    "random, 1 qubit": random_channel(np.random.default_rng(1), 1),
    "random, 2 qubits": random_channel(np.random.default_rng(2), 2),
}


def noisy_circuit(channel: Channel, half_way: bool) -> Circuit:
    """Rotations and CX on three qubits, the channel after each, decisions among them."""
    rng = np.random.default_rng(5)
    circuit = Circuit(3, 4)
    for layer in range(3):
        for qubit in range(3):
            circuit.ry(rng.uniform(0, 6), qubit).rz(rng.uniform(0, 6), qubit)
        circuit.cx(layer % 2, layer % 2 + 1)
        circuit.append(channel, [(layer + place) % 3 for place in range(channel.num_qubits)])
        if half_way and layer == 0:
            circuit.measure(0, 3).append(ReadoutError.flips(0.1, 0.2), [3])
            with circuit.if_(3):
                circuit.h(1).append(channel, list(range(channel.num_qubits)))
            circuit.reset(2)
    return circuit.measure([0, 1, 2], [0, 1, 2])


def z_of(counts: dict[str, int], truth: dict[int, float]) -> np.ndarray:
    """Standard deviations between counts and probabilities, of each outcome."""
    shots = sum(counts.values())
    assert all(truth.get(int(key, 2), 0) > 0 for key in counts), "an impossible outcome"
    return np.array(
        [
            (counts.get(f"{key:04b}", 0) - shots * p) / max(1.0, math.sqrt(shots * p * (1 - p)))
            for key, p in truth.items()
        ]
    )


@pytest.mark.parametrize("half_way", [False, True], ids=["straight", "half-way"])
@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS.keys())
def test_counts_and_values_are_those_of_the_density_matrix(channel: Channel, half_way: bool) -> None:
    """Within five standard deviations each, and none of them all on one side: chi squared too."""
    circuit = noisy_circuit(channel, half_way)
    truth = {bits: float(np.trace(rho).real) for bits, rho in ensemble(circuit).items()}
    open_circuit = Circuit(3, 4)
    for op, qubits, args in circuit.instructions[:-3]:
        open_circuit.append(op, qubits, args) if hasattr(op, "targets") else _again(
            open_circuit, op, qubits, args
        )
    rho = DensitySimulator(3)
    rho.rho = np.sum(list(ensemble(open_circuit).values()), axis=0)
    want = {"a": rho.expectation({0: "Z"}), "b": rho.expectation({0: "X", 2: "Y"}) + 0.5}
    found = run(
        circuit, shots=SHOTS, seed=9, backend="trajectories", observables={"a": "Z0", "b": "X0 Y2 + 0.5"}
    )
    z = z_of(found.counts, truth)
    assert np.abs(z).max() < 5
    assert (z**2).sum() < len(z) + 5 * math.sqrt(2 * len(z))
    for name, value in want.items():
        error = found.standard_errors.get(name, 0.0)
        assert abs(found.expectation_values[name] - value) < 5 * error + 1e-5


def _again(circuit: Circuit, op: object, qubits: tuple[int, ...], args: tuple[object, ...]) -> None:
    """Append an instruction that is no gate as it is."""
    circuit._special_op((op, qubits, args))  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS.keys())
def test_quiet_operator_and_events_make_up_the_channel(channel: Channel) -> None:
    """The average over the shot's number is the channel, whatever the state."""
    found = behaviour(channel)
    size = 1 << channel.num_qubits
    quiet = np.eye(size) if found.quiet is None else found.quiet
    chance = math.exp(-found.hazard)
    total = np.zeros((size**2, size**2), dtype=complex)
    if found.depends:
        weight = 1 - chance if found.hazard < 50 else 1.0
        assert weight == pytest.approx(found.weight)
        total = superoperator_of(found.operators)
        if found.quiet_log_range:
            # What is quiet acts with its own probability: unscaled, it completes the Kraus operators.
            rest = np.eye(size) - sum(k.conj().T @ k for k in found.operators)
            scale = math.sqrt(np.trace(rest).real / np.trace(quiet.conj().T @ quiet).real)
            total = total + superoperator_of([scale * quiet])
        else:
            total = total + chance * superoperator_of([quiet])
    else:
        total = chance * superoperator_of([quiet])
        shares = np.diff(found.bounds, prepend=0.0)
        for share, choice in zip(shares, found.choices, strict=True):
            matrix = choice.matrix
            if matrix is None:
                matrix = np.eye(size, dtype=complex)
                for code, place in choice.paulis:
                    matrix = spread(PAULIS[OpCode(code).name], [place], channel.num_qubits) @ matrix
            total = total + (1 - chance) * share * superoperator_of([matrix])
    assert np.abs(total - superoperator_of(channel.kraus)).max() < 1e-6


def test_relaxation_faster_than_dephasing_has_a_quiet_identity() -> None:
    """T1 = T2 = T: nothing happens with probability e^(-t/T), whatever the state."""
    found = behaviour(thermal_relaxation(100, 100, 2))
    assert found.quiet is None
    assert found.hazard == pytest.approx(0.02)


def test_damping_alone_has_none() -> None:
    found = behaviour(amplitude_damping(0.1))
    assert found.quiet_log_range > 0
    assert found.hazard == pytest.approx(-math.log(0.9))


# ---- seeds ---------------------------------------------------------------------------------------


def deep_circuit(num_qubits: int = 10, half_way: bool = True) -> Circuit:
    noise = NoiseModel().after_gates(depolarizing(0.01, 2), "cx").after_gates(amplitude_damping(0.004), "ry")
    rng = np.random.default_rng(8)
    circuit = Circuit(num_qubits, num_qubits)
    for layer in range(8):
        for qubit in range(num_qubits):
            circuit.ry(rng.uniform(0, 6), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
        if half_way and layer == 3:
            circuit.measure(0, 0).reset(1)
    circuit.measure(range(num_qubits), range(num_qubits))
    return noise.apply(circuit)


def shots_of(circuit: Circuit, shots: int, seed: int, **options: object) -> Result:
    return run(circuit, shots=shots, seed=seed, backend="trajectories", **options)


@pytest.mark.parametrize("half_way", [False, True], ids=["straight", "half-way"])
def test_the_shots_of_a_short_run_are_those_of_a_long_one(half_way: bool) -> None:
    """So the long run's counts are never below the short one's."""
    circuit = deep_circuit(half_way=half_way)
    few, many = (shots_of(circuit, shots, 3).counts for shots in (60, 400))
    assert all(many.get(key, 0) >= count for key, count in few.items())
    assert sum(many.values()) == 400


def test_a_shot_does_not_depend_on_workers_threads_or_company(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = deep_circuit()
    observables = {"z": "Z0 Z3 + X1"}
    want = shots_of(circuit, 200, 3, threads=1, observables=observables)
    for threads in (2, 3, 8):
        found = shots_of(circuit, 200, 3, threads=threads, observables=observables)
        assert found.metadata["trajectories"]["workers"] == threads
        assert found.counts == want.counts
        assert found.expectation_values == want.expectation_values
        assert found.standard_errors == want.standard_errors
    original = planning._plan

    def only_small(*args: object) -> object:
        """As if memory sufficed for seven shots at a time."""
        plan = original(*args)
        return plan if args[3].batch <= 7 else planning.replace(plan, memory_bytes=1 << 60)

    monkeypatch.setattr(planning, "_plan", only_small)
    found = shots_of(circuit, 200, 3, observables=observables)
    assert want.counts != shots_of(circuit, 200, 4).counts
    assert any("6 shots are walked together" in why for why in found.metadata["reasons"])
    assert found.counts == want.counts
    assert found.expectation_values == want.expectation_values


def test_numbers_are_uniform_and_independent_of_company() -> None:
    indices = np.arange(100_000, dtype=np.uint64)
    numbers = uniforms(7, 1 << 40, indices)
    assert np.array_equal(uniforms(7, 1 << 40, indices[500:510]), numbers[500:510])
    # Five standard deviations of the mean, of a correlation, and of each of ten shares.
    assert abs(numbers.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 1e5)
    assert abs(np.corrcoef(numbers, uniforms(7, 1 + (1 << 40), indices))[0, 1]) < 5 / math.sqrt(1e5)
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 5 / math.sqrt(1e5)
    assert np.abs(np.histogram(numbers, 10, (0, 1))[0] - 1e4).max() < 5 * math.sqrt(1e5 * 0.09)


def test_a_moved_seed_is_the_same_stream_later() -> None:
    """The numbers are the kernel's own: see kernels/state/random.h."""
    state = ENGINE.start(8, Precision.SINGLE)
    state.apply(ENGINE.compile(Circuit(8).h(range(8)).packed(), Precision.SINGLE), 1)
    for seed in (0, 77, (1 << 64) - 1):
        whole = state.sample(300, seed, 1)
        assert np.array_equal(state.sample(100, moved_seed(seed, 200), 1), whole[200:])
        shots = np.array([0, 3, 4, 120, 299], dtype=np.uint64)
        assert np.array_equal(gather.sample_shots(state, shots, seed, 8, 1), whole[shots.astype(int)])
        words = (uniforms(seed, 0, np.arange(300, dtype=np.uint64)) * 256).astype(np.uint64)
        # The kernel walks the amplitudes in an order of its own, so only multiplicities compare.
        repeated = (
            np.bincount(words.astype(int), minlength=256),
            np.bincount(whole.astype(int), minlength=256),
        )
        assert np.array_equal(np.sort(repeated[0]), np.sort(repeated[1]))


# ---- what it saves and what it holds ---------------------------------------------------------------


def test_identical_histories_run_once() -> None:
    circuit = Circuit(2).h(0).append(bit_flip(0.3), [0]).cx(0, 1).append(bit_flip(0.2), [1])
    found = shots_of(circuit, 5000, 1)
    assert found.metadata["trajectories"]["distinct"] == 4
    assert found.metadata["branches"] == 4


def test_long_stretches_are_cut_and_the_pieces_make_the_whole() -> None:
    circuit = deep_circuit(half_way=False)
    for _ in range(4):
        circuit = _without_measurements(circuit).compose(_without_measurements(circuit))
    steps = script(circuit.num_qubits, circuit.segments()).steps
    assert isinstance(steps[0], Stretch)
    assert len(steps[0].cuts) == CUTS_MAX + 1
    assert sum(len(part) for part in steps[0].parts) == len(steps[0].packed)


def _without_measurements(circuit: Circuit) -> Circuit:
    bare = Circuit(circuit.num_qubits)
    for op, qubits, args in circuit.instructions:
        if getattr(op, "name", "") != "measure":
            bare._ops.append((op, qubits, args))
            bare._special += not hasattr(op, "targets")
    return bare


def test_states_alive_stay_within_the_plan() -> None:
    """With strong noise and many decisions, where every group parts again and again."""
    rng = np.random.default_rng(2)
    circuit = Circuit(4, 4)
    for _ in range(12):
        for qubit in range(4):
            circuit.ry(rng.uniform(0, 6), qubit).append(depolarizing(1.0), [qubit])
            circuit.append(amplitude_damping(0.3), [qubit])
        circuit.cx(0, 1).cx(2, 3).measure(int(rng.integers(4)), 0)
    circuit.measure(range(4), range(4))
    for shots in (1, 2, 7, 300):
        alive, most = 0, 0
        stack: list[object] = []
        steps = script(4, circuit.segments())
        walker = Walker(steps, ENGINE, Precision.SINGLE, 1, 1, lambda leaf: None)
        stack.append(walker.walk(walker.first(np.arange(shots, dtype=np.uint64))))
        while stack:
            piece = next(stack[-1], None)  # type: ignore[call-overload]
            if piece is None:
                stack.pop()
            else:
                stack.append(walker.walk(piece))
            alive = _states_held(stack)
            most = max(most, alive)
        assert most <= states_alive(shots, True)


def _states_held(stack: list[object]) -> int:
    """Different states that the frames of a walk refer to."""
    found = set()
    waiting = list(stack)
    while waiting:
        frame = waiting.pop()
        if frame is None:
            continue
        if getattr(frame, "gi_yieldfrom", None) is not None:
            waiting.append(frame.gi_yieldfrom)  # type: ignore[attr-defined]
        if frame.gi_frame is None:  # type: ignore[attr-defined]
            continue
        for value in frame.gi_frame.f_locals.values():  # type: ignore[attr-defined]
            if isinstance(value, Group | Leaf) and value.state is not None:
                found.add(id(value.state))
    return len(found)


def test_norms_do_not_run_away() -> None:
    """6000 sites of damping, which no single-precision number survives without being normalised."""
    circuit = Circuit(2)
    for _ in range(1500):
        circuit.ry(0.3, 0).ry(0.2, 1)
        for qubit in (0, 1):
            circuit.append(amplitude_damping(0.3), [qubit]).append(amplitude_damping(0.3), [qubit])
    found = shots_of(circuit, 10, 1, observables="Z0 + Z1")
    assert sum(found.counts.values()) == 10
    assert all(math.isfinite(value) for value in found.expectation_values.values())


def test_a_wide_preparation_and_one_qubit() -> None:
    rng = np.random.default_rng(4)
    amplitudes = rng.normal(size=128) + 1j * rng.normal(size=128)
    amplitudes /= np.linalg.norm(amplitudes)
    circuit = Circuit(8).initialize(amplitudes, range(7)).append(bit_flip(1.0), [0])
    found = shots_of(circuit, SHOTS, 1)
    truth = np.abs(amplitudes[np.arange(128) ^ 1]) ** 2
    share = np.zeros(128)
    for key, count in found.counts.items():
        share[int(key, 2)] = count
    assert (np.abs(share - SHOTS * truth) < 5 * np.sqrt(SHOTS * truth) + 1).all()
    one = shots_of(Circuit(1).x(0).append(amplitude_damping(0.25), [0]), SHOTS, 2)
    assert set(one.counts) == {"0", "1"}
    assert abs(one.counts["0"] - SHOTS / 4) < 5 * math.sqrt(SHOTS * 3 / 16)


# ---- values --------------------------------------------------------------------------------------


def test_values_of_a_decaying_qubit() -> None:
    """After time t a qubit in |1> has <Z> = 1 - 2 e^(-t/T1), and one in |+> has <X> = e^(-t/T2)."""
    circuit = Circuit(2).x(0).h(1)
    for qubit in (0, 1):
        for _ in range(10):
            circuit.append(thermal_relaxation(100, 140, 5), [qubit])
    found = shots_of(circuit, SHOTS, 5, observables={"z": "Z0", "x": "X1"})
    want = {"z": 1 - 2 * math.exp(-0.5), "x": math.exp(-50 / 140)}
    for name, value in want.items():
        assert 0 < found.standard_errors[name] < 0.02
        assert abs(found.expectation_values[name] - value) < 5 * found.standard_errors[name]


def test_standard_errors_tell_the_spread() -> None:
    """Over 60 seeds the values spread as their errors say, within five standard deviations of a spread."""
    circuit = deep_circuit(6)
    for sampled in (False, True):
        runs = [
            shots_of(circuit, 100, seed, observables={"a": "Z0 + 0.5 X1 X2"}, sampled=sampled)
            for seed in range(60)
        ]
        values = np.array([each.expectation_values["a"] for each in runs])
        told = math.sqrt(np.mean([each.standard_errors["a"] ** 2 for each in runs]))
        assert abs(values.std(ddof=1) / told - 1) < 5 / math.sqrt(2 * 59)


def test_sampled_values_go_through_the_detector() -> None:
    """<Z> read with errors e0, e1 on |0> is 1 - 2 e0; X is read by the same detector."""
    circuit = Circuit(2, 2).h(1).measure([0, 1], [1, 0])
    circuit.append(ReadoutError.flips(0.1, 0.3), [1]).append(ReadoutError.flips(0.05, 0.2), [0])
    found = shots_of(circuit, SHOTS, 3, observables={"z": "Z0", "x": "X1", "zx": "Z0 X1"}, sampled=True)
    want = {"z": 0.8, "x": 0.9, "zx": 0.72}
    for name, value in want.items():
        assert abs(found.expectation_values[name] - value) < 5 * found.standard_errors[name]
    assert found.counts["00"] > 0


def test_without_noise_values_are_exact() -> None:
    circuit = Circuit(3).ry(0.4, 0).cx(0, 1).rx(1.1, 2)
    found = run(
        circuit, shots=0, observables={"a": "Z0 Z1 + Y2", "b": PauliSum("Z0")}, backend="trajectories"
    )
    assert found.expectation_values["a"] == pytest.approx(1 - math.sin(1.1), abs=1e-12)
    assert found.expectation_values["b"] == pytest.approx(math.cos(0.4), abs=1e-12)
    assert found.standard_errors == {"a": 0.0, "b": 0.0}


# ---- refusals, memory, stopping ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"return_statevector": True}, "state vector of its own"),
        ({"amplitudes": ["00"]}, "amplitudes of its own"),
        ({"return_density_matrix": True}, "density matrix"),
        ({"shots": 0, "observables": "Z0"}, "give a number of shots"),
    ],
)
def test_it_says_why_it_cannot(options: dict[str, object], word: str) -> None:
    circuit = Circuit(2).h(0).append(depolarizing(0.1), [0])
    with pytest.raises(BackendRefusalError, match=word):
        run(circuit, **{"shots": 10, "backend": "trajectories", **options})


def test_too_large_is_said_before_anything_is_allocated() -> None:
    circuit = Circuit(48).h(0).append(depolarizing(0.1), [0])
    begun = time.thread_time()
    with pytest.raises(TooLargeError, match="48 qubits on the trajectories backend") as caught:
        shots_of(circuit, 10, 1)
    assert caught.value.needed_bytes >= 8 << 48
    assert time.thread_time() - begun < 5


def test_memory_decides_how_many_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning.limits, "MEMORY_UNCHECKED_BYTES", 0)
    circuit = deep_circuit(12)
    shot_bytes = planning.limits.SHOT_BYTES + planning.EVENT_BYTES
    state, base = 8 << 12, planning.CARD.overhead_bytes + 64 * shot_bytes
    want = shots_of(circuit, 64, 1, threads=4)
    for states in (60, 20, 10, 5, 1):
        room = int((base + states * state) / planning.limits.MEMORY_SHARE_MAX) + 1
        monkeypatch.setattr(planning, "memory_available_bytes", lambda room=room: room)
        found = shots_of(circuit, 64, 1, threads=4)
        assert found.metadata["memory_bytes"] <= base + states * state
        assert found.counts == want.counts
    monkeypatch.setattr(planning, "memory_available_bytes", lambda: base)
    with pytest.raises(TooLargeError):
        shots_of(circuit, 64, 1, threads=4)


def test_very_many_shots_are_walked_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = deep_circuit(4)
    want = shots_of(circuit, 500, 1).counts
    monkeypatch.setattr(planning, "SHOTS_TOGETHER_MAX", 64)
    assert shots_of(circuit, 500, 1).counts == want


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_stops_when_it_is_cancelled(threads: int) -> None:
    circuit = deep_circuit(16)
    token = CancelledAtCheck(5)
    before = set(threading.enumerate())
    with cancel.watching(token), pytest.raises(CancelledRunError):
        shots_of(circuit, 100_000, 1, threads=threads)
    assert (token.checks, token.checks_after) == (5, 0)
    assert set(threading.enumerate()) <= before, "no worker goes on"


def test_what_goes_wrong_in_a_worker_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("none left")

    monkeypatch.setattr(gather.Gathered, "visit", broken)
    with pytest.raises(Exception, match="none left"):
        shots_of(deep_circuit(), 100, 1, threads=3)


def test_unitaries_of_two_qubits_as_errors() -> None:
    """A mixture whose likeliest part is no identity, on two qubits in both orders."""
    one, two = (random_unitary(np.random.default_rng(seed), 2) for seed in (1, 2))
    circuit = Circuit(2, 2).h(0).append(mixed_unitary([(0.7, one), (0.3, two)]), [1, 0]).ry(0.3, 0)
    circuit.measure([0, 1], [0, 1])
    truth = {bits: float(np.trace(rho).real) for bits, rho in ensemble(circuit).items()}
    found = shots_of(circuit, SHOTS, 1)
    for key, p in truth.items():
        assert abs(found.counts.get(f"{key:02b}", 0) - SHOTS * p) < 5 * math.sqrt(SHOTS * p * (1 - p)) + 1
    assert found.metadata["trajectories"]["distinct"] == 2
