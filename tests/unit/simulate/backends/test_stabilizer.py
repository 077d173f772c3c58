"""The stabilizer backend: against the dense reference, density matrices by the definition and closed forms,
and on thousands of qubits."""

from __future__ import annotations

import math
import time
from itertools import product

import numpy as np
import pytest

from qrealm.base import cancel
from qrealm.base.errors import BackendRefusalError, CancelledRunError, TooLargeError
from qrealm.circuits import Circuit
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.gates import Gate, Matrix
from qrealm.circuits.noise import (
    Channel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    depolarizing,
    pauli_channel,
    phase_flip,
)
from qrealm.simulate.backends.stabilizer import run as engine
from qrealm.simulate.backends.stabilizer import shots as sampling
from qrealm.simulate.plan.traits import is_clifford, traits
from qrealm.simulate.run import run
from reference.dense import DenseSimulator, full_matrix, unpack
from reference.density import DensitySimulator
from unit.simulate.backends.ensembles import ensemble
from unit.simulate.cancelling import CancelledAtCheck

pytest.importorskip("stim")

SHOTS = 20_000
ONE = "h s sdg x y z sx sxdg sy sydg".split()
TWO = "cx cz cy swap iswap".split()


def random_clifford(num_qubits: int, depth: int, seed: int) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(depth):
        for qubit in range(num_qubits):
            circuit.append(str(rng.choice(ONE)), [qubit])
        for pair in rng.permutation(num_qubits)[: num_qubits // 2 * 2].reshape(-1, 2).tolist():
            circuit.append(str(rng.choice(TWO)), pair)
    return circuit


def all_paulis(num_qubits: int) -> list[str]:
    """Every Pauli string but the identity, as text."""
    found = []
    for letters in product("IXYZ", repeat=num_qubits):
        text = " ".join(f"{letter}{qubit}" for qubit, letter in enumerate(letters) if letter != "I")
        found += [text] if text else []
    return found


def is_close(count: int, p: float, shots: int = SHOTS) -> bool:
    """Whether a count is within five standard deviations of what a probability says."""
    return abs(count - shots * p) <= 5 * math.sqrt(max(0.0, shots * p * (1 - p))) + 1e-6


def as_dict(text: str) -> dict[int, str]:
    return {int(part[1:]): part[0] for part in text.split()}


def clifford_uses(gate: Gate) -> list[tuple[float, ...]]:
    """Parameters in quarter turns for which a gate of the table is Clifford."""
    quarters = product(range(4), repeat=gate.num_params)
    params = [tuple(number * math.pi / 2 for number in each) for each in quarters]
    return [each for each in params if is_clifford(gate, each, gate.num_qubits)]


GATE_USES = [
    (gate, params)
    for gate in GATES.values()
    if gate.name != "unitary" and 1 <= gate.num_qubits <= 2
    for params in clifford_uses(gate)
]


@pytest.mark.parametrize(
    ("gate", "params"), GATE_USES, ids=[f"{g.name}{[round(v, 2) for v in p]}" for g, p in GATE_USES]
)
def test_every_clifford_gate_of_the_table(gate: Gate, params: tuple[float, ...]) -> None:
    """On a state without symmetry, both ways round, by every Pauli string of three qubits."""
    wires = [(2, 0), (0, 2)] if gate.num_qubits == 2 else [(1,)]
    for qubits in wires:
        circuit = random_clifford(3, 3, 5).append(gate, qubits, params).cx(1, 2)
        reference = DenseSimulator.run(circuit.packed())
        strings = all_paulis(3)
        found = run(circuit, shots=0, observables=strings, backend="stabilizer").expectation_values
        for text in strings:
            assert found[text] == pytest.approx(reference.expectation(as_dict(text)), abs=1e-9)


def test_there_are_gates_to_test() -> None:
    assert len({gate.name for gate, _ in GATE_USES}) > 30
    assert len(GATE_USES) > 100


def test_matrices_that_are_clifford() -> None:
    rng = np.random.default_rng(3)
    for seed in range(20):
        whole = np.eye(4, dtype=complex)
        for op in unpack(random_clifford(2, 3, seed).packed()):
            whole = full_matrix(op, 2) @ whole
        matrix = whole * np.exp(1j * rng.uniform(0, 6))
        circuit = random_clifford(3, 2, 50 + seed).append("unitary", [2, 0], [Matrix(matrix)])
        reference = DenseSimulator.run(circuit.packed())
        strings = all_paulis(3)
        found = run(circuit, shots=0, observables=strings, backend="stabilizer").expectation_values
        for text in strings:
            assert found[text] == pytest.approx(reference.expectation(as_dict(text)), abs=1e-9)


# ---- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_state_vector_and_amplitudes_up_to_a_phase(seed: int) -> None:
    circuit = random_clifford(6, 1 + seed, seed)
    truth = DenseSimulator.run(circuit.packed()).state
    strings = [f"{index:06b}" for index in range(64)]
    found = run(circuit, shots=0, return_statevector=True, amplitudes=strings, backend="stabilizer")
    assert abs(np.vdot(truth, found.statevector)) == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(found.statevector) == pytest.approx(1, abs=1e-12)
    listed = np.array([found.amplitudes()[text] for text in strings])
    assert np.abs(listed - found.statevector).max() < 1e-12
    lowest = np.flatnonzero(np.abs(truth) > 1e-9)[0]
    assert found.statevector[lowest].real > 0
    assert found.statevector[lowest].imag == pytest.approx(0, abs=1e-12)
    assert "global phase" in found.metadata["warnings"][0]


def test_amplitudes_of_many_qubits() -> None:
    count = 1500
    circuit = Circuit(count).h(0).s(0).s(0)
    for qubit in range(count - 1):
        circuit.cx(qubit, qubit + 1)
    asked = ["0" * count, "1" * count, "01" * (count // 2)]
    found = run(circuit, shots=0, amplitudes=asked, backend="stabilizer").amplitudes()
    assert found[asked[0]] == pytest.approx(2**-0.5)
    assert found[asked[1]] == pytest.approx(-(2**-0.5))
    assert found[asked[2]] == 0


# ---- shots ---------------------------------------------------------------------------------------

PAULI_CHANNELS = {
    "flip": bit_flip(0.2),
    "phase": phase_flip(0.3),
    "certain": bit_flip(1.0),
    "depolarizing": depolarizing(0.2),
    "more than depolarized": depolarizing(1.3),
    "uneven": pauli_channel({"X": 0.1, "Y": 0.05, "Z": 0.2}),
    "depolarizing, 2 qubits": depolarizing(0.3, 2),
    "uneven, 2 qubits": pauli_channel({"XY": 0.1, "ZI": 0.2, "IY": 0.05, "ZZ": 0.1}),
    "3 qubits": pauli_channel({"XYZ": 0.2, "IIX": 0.1, "ZZI": 0.3}),
}


def noisy(channel: Channel) -> Circuit:
    circuit = random_clifford(3, 2, 3)
    for start in range(2):
        circuit.append(channel, [(start + place * 2) % 3 for place in range(channel.num_qubits)])
        circuit.h(start).cx(start, 2)
    return circuit


@pytest.mark.parametrize("channel", PAULI_CHANNELS.values(), ids=PAULI_CHANNELS.keys())
def test_noise_in_counts_and_exact_values(channel: Channel) -> None:
    circuit = noisy(channel)
    rho = DensitySimulator(3)
    rho.rho = next(iter(ensemble(circuit).values()))
    strings = all_paulis(3)
    found = run(circuit, shots=SHOTS, seed=4, observables=strings, backend="stabilizer")
    for text in strings:
        assert found.expectation_values[text] == pytest.approx(rho.expectation(as_dict(text)), abs=1e-9)
    for index, p in enumerate(rho.probabilities()):
        assert is_close(found.counts.get(f"{index:03b}", 0), p)


def decided(body: str) -> Circuit:
    """Measurements half-way, a reset, a reading that errs, conditions of several kinds."""
    circuit = Circuit(3, 5).h(0).cx(0, 1).h(2).append(depolarizing(0.1), [1])
    circuit.measure(0, 3)
    if body == "paulis":
        with circuit.if_(3, 0):
            circuit.x(1).z(2)
        other = Circuit(3).y(0)
        circuit.if_(3, 1, Circuit(3).x(2).append(GATES["id"], [0]), other)
        with circuit.if_(4):  # nothing was measured into it
            circuit.x(0)
    elif body == "cliffords":
        with circuit.if_(3):
            circuit.h(1).append(bit_flip(0.3), [1]).measure(2, 4)
        with circuit.if_([3, 4], 3):
            circuit.x(0)
    elif body == "misread":
        circuit.append(ReadoutError.flips(0.2, 0.3), [3])
        with circuit.if_(3):
            circuit.x(1)
    circuit.reset(0).h(0).cx(0, 2).initialize("01", [1, 2]).cx(1, 0)
    return circuit


@pytest.mark.parametrize("body", ["plain", "paulis", "cliffords", "misread"])
def test_decisions_half_way(body: str) -> None:
    circuit = decided(body).measure([0, 1, 2], [0, 1, 2])
    truth = {bits: float(np.trace(rho).real) for bits, rho in ensemble_of_bits(circuit).items()}
    found = run(circuit, shots=SHOTS, seed=4, backend="stabilizer")
    assert found.metadata["shots_walked_one_by_one"] is (body in ("cliffords", "misread"))
    assert {int(key, 2) for key in found.counts} <= set(truth)
    for bits, p in truth.items():
        assert is_close(found.counts.get(f"{bits:05b}", 0), p)


def ensemble_of_bits(circuit: Circuit) -> dict[int, np.ndarray]:
    """`ensemble`, bit strings in `initialize` written as a reset and flips."""
    plain = Circuit(circuit.num_qubits, circuit.num_clbits)
    for op, qubits, args in circuit.instructions:
        if op.name == "initialize":
            plain.reset(qubits)
            plain.x([q for q, bit in zip(qubits, reversed(args[0].bits), strict=True) if bit == "1"])
        else:
            plain._ops.append((op, qubits, args))
    return ensemble(plain)


@pytest.mark.parametrize("body", ["plain", "paulis", "cliffords"])
def test_values_after_decisions_half_way(body: str) -> None:
    """Exact without conditions, averages over shots with them."""
    circuit = decided(body)
    rho = DensitySimulator(3)
    rho.rho = np.sum(list(ensemble_of_bits(circuit).values()), axis=0)
    strings = all_paulis(3)
    found = run(circuit, shots=2000, seed=4, observables=strings, backend="stabilizer")
    for text in strings:
        error = found.standard_errors.get(text, 0.0)
        assert (error == 0) or body != "plain"
        want = rho.expectation(as_dict(text))
        assert abs(found.expectation_values[text] - want) <= 5 * error + 1e-9


def test_a_measurement_half_way_dephases_and_a_final_one_does_not() -> None:
    half_way = Circuit(2, 2).h(0).measure(0, 0).h(1).measure(1, 1).reset(1)
    final = Circuit(2, 2).h(0).measure(0, 0).h(1).measure(1, 1)
    for circuit, want in ((half_way, 0.0), (final, 1.0)):
        found = run(circuit, shots=0, observables="X0", backend="stabilizer")
        assert found.expectation_values["X0"] == want


def test_a_circuit_that_measures_nothing_but_resets() -> None:
    circuit = Circuit(3).x(0).h(1).reset(1).x(2)
    assert run(circuit, shots=10, backend="stabilizer").counts == {"101": 10}
    with_bits = Circuit(2, 3).x(1)
    assert run(with_bits, shots=10, backend="stabilizer").counts == run(with_bits, shots=10).counts


def test_teleportation_through_feedback() -> None:
    circuit = Circuit(3, 3).h(0).s(0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    circuit.sdg(2).h(2).measure(2, 2)
    counts = run(circuit, shots=1000, backend="stabilizer", seed=1).counts
    assert all(key[0] == "0" for key in counts)
    assert len(counts) == 4


def test_readout_errors_at_the_end_are_in_counts_and_sampled_values() -> None:
    circuit = Circuit(2, 2).h(1).measure([0, 1], [1, 0])
    circuit.append(ReadoutError.flips(0.1, 0.3), [1]).append(ReadoutError.flips(0.05, 0.2), [0])
    observables = {"z": "Z0", "x": "X1", "zx": "Z0 X1", "constant": "3"}
    found = run(circuit, shots=SHOTS, seed=3, observables=observables, sampled=True, backend="stabilizer")
    for name, value in {"z": 0.8, "x": 0.9, "zx": 0.72, "constant": 3.0}.items():
        assert abs(found.expectation_values[name] - value) <= 5 * found.standard_errors[name]
    ones = sum(count for key, count in found.counts.items() if key[0] == "1")
    assert is_close(ones, 0.1)


def test_sampled_values_of_hundreds_of_qubits() -> None:
    count = 300
    circuit = Circuit(count).h(0)
    for qubit in range(count - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.append(bit_flip(0.1), [7])
    whole = " ".join(f"X{qubit}" for qubit in range(count))
    turned = " ".join(["Y0", "Y1", *(f"X{qubit}" for qubit in range(2, count))])
    observables = {"xx": whole, "yy": turned, "z": "Z3 Z7 + 0.5 Z0 Z299", "none": "Z5"}
    found = run(circuit, shots=SHOTS, seed=3, observables=observables, sampled=True, backend="stabilizer")
    for name, value in {"xx": 1.0, "yy": -1.0, "z": 0.8 + 0.5, "none": 0.0}.items():
        assert abs(found.expectation_values[name] - value) <= 5 * found.standard_errors[name]


# ---- width ---------------------------------------------------------------------------------------


def test_two_thousand_qubits() -> None:
    count = 2000
    circuit = Circuit(count).h(0)
    for qubit in range(count - 1):
        circuit.cx(qubit, qubit + 1)
    begun = time.process_time()
    found = run(circuit, shots=10_000, seed=1)
    assert time.process_time() - begun < 40
    assert found.metadata["backend"] == "stabilizer"  # found out without being asked
    assert set(found.counts) == {"0" * count, "1" * count}
    assert is_close(found.counts["0" * count], 0.5, 10_000)
    exact = run(circuit, shots=0, observables=["Z0 Z1999", "Z0", "Z3 Z4 + X0"], backend="stabilizer")
    assert list(exact.expectation_values.values()) == [1.0, 0.0, 1.0]


def test_a_thousand_noisy_qubits_decay_as_they_should() -> None:
    """A string that depolarizing noise meets k times with probability p is left with (1 - p)^k."""
    count, depth, p = 1000, 50, 0.01
    rng = np.random.default_rng(1)
    circuit = Circuit(count)
    noise = depolarizing(p)
    for _ in range(depth):
        for qubit in range(count):
            circuit.append(str(rng.choice(["x", "y", "z", "s"])), [qubit]).append(noise, [qubit])
        for qubit in range(0, count - 1, 2):
            circuit.swap(qubit, qubit + 1)
    found = run(circuit, shots=0, observables=["Z0 Z999", "X0 Z999", "Z4"], backend="stabilizer")
    values = found.expectation_values
    assert abs(values["Z0 Z999"]) == pytest.approx((1 - p) ** (2 * depth), rel=1e-9)
    assert values["X0 Z999"] == 0
    assert abs(values["Z4"]) == pytest.approx((1 - p) ** depth, rel=1e-9)
    counts = run(circuit, shots=2000, seed=1, backend="stabilizer").counts
    ones = sum(count for key, count in counts.items() if key[-5] == "1")
    assert is_close(ones, (1 - values["Z4"]) / 2, 2000)
    assert all(len(key) == count for key in counts)


def test_traits_of_wide_circuits_are_quick() -> None:
    circuit = random_clifford(1000, 20, 1)
    begun = time.thread_time()
    facts = traits(circuit, [frozenset([qubit]) for qubit in range(200)])
    assert time.thread_time() - begun < 5
    assert facts.non_clifford is None


@pytest.mark.parametrize("width", [1, 7, 8, 9, 63, 64, 65, 130])
def test_rows_are_counted_at_every_width(width: int) -> None:
    rng = np.random.default_rng(width)
    rows = (rng.random((500, width)) < 0.5) & (rng.random((500, 1)) < 0.7)
    outcomes, draws = sampling.count_rows(rows)
    truth: dict[int, int] = {}
    for row in rows:
        key = sum(int(bit) << place for place, bit in enumerate(row))
        truth[key] = truth.get(key, 0) + 1
    assert [int(each) for each in outcomes] == sorted(truth)
    assert draws.tolist() == [truth[key] for key in sorted(truth)]


@pytest.mark.parametrize("width", [5, 80])
def test_chunks_add_up(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = Circuit(width).h(range(3)).x(width - 1)
    monkeypatch.setattr(sampling, "CHUNK_BYTES", 70 * width)
    counts = run(circuit, shots=1000, seed=1, backend="stabilizer").counts
    assert sum(counts.values()) == 1000
    assert len(counts) == 8
    assert list(counts) == sorted(counts)


# ---- seeds, refusals, stopping -------------------------------------------------------------------


@pytest.mark.parametrize("body", ["paulis", "cliffords"])
def test_the_seed_decides(body: str) -> None:
    circuit = decided(body).measure([0, 1, 2], [0, 1, 2])
    first, again, other = (
        run(circuit, shots=200, seed=seed, backend="stabilizer", observables="Z0 + X2") for seed in (5, 5, 6)
    )
    assert first.counts == again.counts
    assert first.expectation_values == again.expectation_values
    assert first.counts != other.counts
    assert first.metadata["stim"]
    assert "same version of stim" in first.metadata["seed_holds_for"]


def test_walked_shots_of_a_short_run_are_those_of_a_long_one() -> None:
    circuit = decided("cliffords").measure([0, 1, 2], [0, 1, 2])
    few, many = (run(circuit, shots=n, seed=5, backend="stabilizer").counts for n in (40, 200))
    assert all(many.get(key, 0) >= count for key, count in few.items())


CONDITIONAL = Circuit(2, 2).h(0).measure(0, 0)
with CONDITIONAL.if_(0):
    CONDITIONAL.x(1)


@pytest.mark.parametrize(
    ("circuit", "options", "words"),
    [
        (Circuit(4).t(3), {}, r"t on qubit 3 is no Clifford gate"),
        (Circuit(2).rx(0.3, 1), {}, r"rx\(0.3\) on qubit 1 is no Clifford gate"),
        (Circuit(3).ccx(0, 1, 2), {}, r"ccx on qubits \[0, 1, 2\] is no Clifford gate"),
        (
            Circuit(2).append(amplitude_damping(0.1), [1]),
            {},
            r"the channel 'amplitude_damping' on qubit 1 is no mixture of Pauli errors",
        ),
        (Circuit(2).initialize([0.6, 0.8], [1]), {}, "amplitudes on qubit 1"),
        (Circuit(2).h(0), {"return_density_matrix": True}, "not a density matrix"),
        (Circuit(2).h(0).append(bit_flip(0.1), [0]), {"return_statevector": True}, "no single pure state"),
        (Circuit(40).h(0), {"return_statevector": True}, "up to 30 qubits"),
        (CONDITIONAL, {"sampled": True, "observables": "Z0"}, "without conditions"),
        (CONDITIONAL, {"shots": 0, "observables": "Z0"}, "give a number of shots"),
    ],
)
def test_it_says_why_it_cannot(circuit: Circuit, options: dict[str, object], words: str) -> None:
    with pytest.raises(BackendRefusalError, match=words):
        run(circuit, **{"shots": 10, "backend": "stabilizer", **options})


def test_too_much_is_said_before_anything_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "memory_available_bytes", lambda: 1 << 30)
    circuit = random_clifford(200, 1, 1)
    with pytest.raises(TooLargeError, match="shots of 200 bits") as caught:
        run(circuit, shots=1 << 30, backend="stabilizer")
    assert caught.value.needed_bytes > 1 << 30


def test_a_walk_stops_when_it_is_cancelled() -> None:
    circuit = decided("cliffords").measure([0, 1, 2], [0, 1, 2])
    token = CancelledAtCheck(10)
    with cancel.watching(token), pytest.raises(CancelledRunError):
        run(circuit, shots=10_000_000, backend="stabilizer")
    assert (token.checks, token.checks_after) == (10, 0)
