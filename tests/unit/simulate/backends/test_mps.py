"""The MPS backend through `qrealm.run`: exact against the dense reference and closed forms, honest about what
it drops."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from qrealm.base import cancel
from qrealm.base.errors import BackendRefusalError, CancelledRunError, RequestError, TooLargeError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.noise import channels
from qrealm.simulate.backends.mps import room
from qrealm.simulate.backends.mps.options import MPSOptions
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.run import run
from reference.dense import DenseSimulator
from reference.random_circuits import random_unitary
from unit.simulate.cancelling import CancelledAtCheck

EXACT = MPSOptions(truncation=0.0)


def brickwork(num_qubits: int, layers: int, seed: int = 1) -> Circuit:
    """Random two-qubit unitaries on neighbours."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.unitary(random_unitary(rng, 2), [qubit, qubit + 1])
    return circuit


def ghz(num_qubits: int) -> Circuit:
    """(|0...0> + |1...1>) / sqrt 2."""
    circuit = Circuit(num_qubits).h(0)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def reference(circuit: Circuit) -> np.ndarray:
    return DenseSimulator.run(circuit.packed()).state


# ---- exact ---------------------------------------------------------------------------------------


def test_a_thousand_qubit_ghz_state_costs_two_rows() -> None:
    started = time.process_time()
    result = run(ghz(1000), shots=1000, seed=1, backend="mps")
    assert time.process_time() - started < 10
    assert set(result.counts) == {"0" * 1000, "1" * 1000}
    assert abs(result.counts["0" * 1000] - 500) < 5 * math.sqrt(250)
    assert result.metadata["bond_max_reached"] == 2
    assert result.truncation_error < 1e-12


def test_every_qubit_that_a_circuit_may_have() -> None:
    observables = {"ends": "Z0 Z4095", "one": "X5", "far": PauliSum("X4000 X4001")}
    found = run(ghz(4096), shots=0, observables=observables, backend="mps").expectation_values
    assert found["ends"] == pytest.approx(1, abs=1e-10)
    assert found["one"] == pytest.approx(0, abs=1e-10)
    assert found["far"] == pytest.approx(0, abs=1e-10)


def test_the_state_vector_and_amplitudes_are_the_references() -> None:
    circuit = brickwork(10, 8)
    truth = reference(circuit)
    result = run(
        circuit,
        shots=0,
        return_statevector=True,
        amplitudes=["0" * 10, "1" * 10],
        backend="mps",
        options=EXACT,
    )
    assert np.abs(result.statevector - truth).max() < 1e-11
    found = run(
        circuit, shots=0, amplitudes=["0" * 10, "0110010011"], backend="mps", options=EXACT
    ).amplitudes()
    assert found["0110010011"] == pytest.approx(truth[0b0110010011], abs=1e-11)
    assert result.truncation_error < 1e-12
    assert result.metadata["bonds"] == [2, 4, 8, 16, 32, 16, 8, 4, 2]


def test_single_precision_is_right_to_about_a_millionth() -> None:
    circuit = brickwork(10, 8)
    result = run(circuit, shots=0, return_statevector=True, precision="single", backend="mps")
    assert result.statevector.dtype == np.complex64
    assert np.abs(result.statevector - reference(circuit)).max() < 2e-5


def test_the_default_truncation_leaves_amplitudes_right_to_a_millionth() -> None:
    circuit = Circuit(12)
    for layer in range(6):
        for qubit in range(12):
            circuit.rx(0.3, qubit)
        for qubit in range(11):
            circuit.rzz(0.05 * (layer + 1), qubit, qubit + 1)
    result = run(circuit, shots=0, return_statevector=True, backend="mps")
    assert 0 < result.truncation_error < 1e-9
    assert np.abs(result.statevector - reference(circuit)).max() < 1e-5


def test_values_of_sixty_qubits_against_a_product_state() -> None:
    """RY(a) on every qubit: <Z> = cos a, <X> = sin a, and products of them."""
    circuit = Circuit(60)
    angles = np.linspace(0.1, 3, 60)
    for qubit, angle in enumerate(angles):
        circuit.ry(float(angle), qubit)
    observables = {
        "all": PauliSum([(" ".join(f"{'XZ'[q % 2]}{q}" for q in range(0, 60, 7)), 2.0)]),
        "sum": " + ".join(f"Z{q}" for q in range(60)),
        "constant": "3 - Y5",
    }
    found = run(circuit, shots=0, observables=observables, backend="mps").expectation_values
    product = 2 * np.prod([np.sin(angles[q]) if q % 2 == 0 else np.cos(angles[q]) for q in range(0, 60, 7)])
    assert found["all"] == pytest.approx(product, abs=1e-10)
    assert found["sum"] == pytest.approx(np.cos(angles).sum(), abs=1e-10)
    assert found["constant"] == pytest.approx(3, abs=1e-10)


def test_values_of_many_terms_are_the_references() -> None:
    circuit = brickwork(8, 6)
    circuit.cx(0, 7).cp(0.3, 6, 1)
    dense = DenseSimulator.run(circuit.packed())
    rng = np.random.default_rng(4)
    words = ["".join(rng.choice(list("IXYZ"), 8)) for _ in range(60)]
    observables = {word: PauliSum([(word, 1.0)]) for word in words}
    found = run(circuit, shots=0, observables=observables, backend="mps", options=EXACT).expectation_values
    for word in words:
        want = dense.expectation({q: p for q, p in enumerate(reversed(word)) if p != "I"})
        assert found[word] == pytest.approx(want, abs=1e-10)


def test_transverse_field_ising_energy_is_conserved_by_its_own_evolution() -> None:
    """Second-order Trotter steps of H = -sum ZZ - g sum X keep <H> to the order of the step squared; started
    in |0...0> it is -(n - 1)."""
    count, field, step = 30, 0.8, 0.01
    circuit = Circuit(count)
    for _ in range(20):
        circuit.rx(-field * step, range(count))
        for first in (0, 1):
            for qubit in range(first, count - 1, 2):
                circuit.rzz(-2 * step, qubit, qubit + 1)
        circuit.rx(-field * step, range(count))
    terms = [(f"Z{q} Z{q + 1}", -1.0) for q in range(count - 1)] + [(f"X{q}", -field) for q in range(count)]
    result = run(circuit, shots=0, observables={"H": PauliSum(terms)}, backend="mps")
    assert result.expectation_values["H"] == pytest.approx(-(count - 1), abs=count * step**2)
    moved = run(circuit, shots=0, observables={"X": "X10"}, backend="mps").expectation_values["X"]
    assert abs(moved) > 0.01  # it does evolve


def test_initial_bit_strings_and_states() -> None:
    text = "10" * 40
    assert run(Circuit(80).x(0), shots=5, seed=1, initial_state=text, backend="mps").counts == {
        "10" * 39 + "11": 5
    }
    rng = np.random.default_rng(2)
    state = rng.normal(size=512) + 1j * rng.normal(size=512)
    state /= np.linalg.norm(state)
    circuit = Circuit(9).h(3).cx(3, 8)
    found = run(
        circuit, shots=0, initial_state=state, return_statevector=True, backend="mps", options=EXACT
    ).statevector
    dense = DenseSimulator(9)
    dense.state = state.copy()
    dense.apply(circuit.packed())
    assert np.abs(found - dense.state).max() < 1e-11


# ---- samples -------------------------------------------------------------------------------------


def test_only_measured_qubits_are_counted_and_far_bits_keep_their_place() -> None:
    circuit = Circuit(100, 90).x(70).x(3)
    circuit.measure([70, 3, 50], [80, 1, 40])
    assert run(circuit, shots=7, seed=1, backend="mps").outcomes == ([(1 << 80) | 2], [7])


def test_counts_do_not_depend_on_threads_when_rows_are_cut() -> None:
    circuit = brickwork(16, 8)
    one, two = (run(circuit, shots=60_000, seed=9, threads=t, backend="mps") for t in (1, 3))
    assert one.outcomes == two.outcomes
    assert sum(one.outcomes[1]) == 60_000


def test_samples_of_a_random_state_have_its_cross_entropy() -> None:
    """The mean of p(x) over samples x is sum p^2; five standard deviations of that mean."""
    circuit = brickwork(14, 12)
    weights = np.abs(reference(circuit)) ** 2
    shots = 40_000
    values, draws = run(circuit, shots=shots, seed=3, backend="mps").outcomes
    mean = float(weights[values] @ np.array(draws)) / shots
    spread = math.sqrt((weights**3).sum() - (weights**2).sum() ** 2) / math.sqrt(shots)
    assert abs(mean - (weights**2).sum()) < 5 * spread


def test_sampled_observables_on_more_than_sixty_four_qubits() -> None:
    result = run(
        ghz(100),
        shots=2000,
        seed=1,
        observables={"zz": "Z0 Z99", "x": "X70", "mixed": "0.5 Z3 Z80 + Y1 + 1"},
        sampled=True,
        backend="mps",
    )
    values, errors = result.expectation_values, result.standard_errors
    assert values["zz"] == 1
    assert errors["zz"] == 0
    assert abs(values["x"]) < 5 * errors["x"]
    assert abs(values["mixed"] - 1.5) < 5 * errors["mixed"]
    assert result.sampled_expectation("Z0 Z99").value == 1


# ---- half-way ------------------------------------------------------------------------------------


def test_teleportation_in_a_wide_register() -> None:
    circuit = Circuit(90, 90).ry(0.7, 0)
    circuit.h(1).cx(1, 89).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(89)
    with circuit.if_(0):
        circuit.z(89)
    result = run(circuit, shots=0, observables="Z89", backend="mps")
    assert result.expectation_values["Z89"] == pytest.approx(math.cos(0.7), abs=1e-10)
    assert result.metadata["branches"] == 4
    circuit.measure(89, 89)
    shots = 4000
    ones = run(circuit, shots=shots, seed=2, backend="mps").marginal([89]).get("1", 0)
    want = math.sin(0.35) ** 2
    assert abs(ones / shots - want) < 5 * math.sqrt(want * (1 - want) / shots)


def test_measurements_and_resets_half_way_are_the_state_vectors() -> None:
    circuit = Circuit(5, 7)
    for qubit in range(5):
        circuit.ry(0.4 + 0.3 * qubit, qubit)
    circuit.cx(0, 4).measure([0, 2, 3, 4], [0, 2, 3, 4]).reset(1).h(2).cx(2, 1)
    with circuit.if_([0, 4], 3):
        circuit.ry(0.9, 1)
    circuit.measure([1, 2], [5, 6])
    exact = {"a": "Z1 Z2", "b": "X1 + Y3"}
    found = run(circuit, shots=0, observables=exact, backend="mps")
    want = run(circuit, shots=0, observables=exact, backend="statevector")
    for name in exact:
        assert found.expectation_values[name] == pytest.approx(want.expectation_values[name], abs=1e-9)
    shots = 20_000
    counts = run(circuit, shots=shots, seed=1, backend="mps").counts
    other = run(circuit, shots=shots, seed=1, backend="statevector").counts
    for key in {*counts, *other}:  # both are samples: the variances of the two shares add up
        a, b = counts.get(key, 0) / shots, other.get(key, 0) / shots
        assert abs(a - b) < 5 * math.sqrt((a + b) / shots) + 2 / shots


def test_a_preparation_too_wide_for_one_matrix_half_way() -> None:
    rng = np.random.default_rng(5)
    state = rng.normal(size=256) + 1j * rng.normal(size=256)
    state /= np.linalg.norm(state)
    circuit = Circuit(10, 1).h(9).measure(9, 0).reset(9).initialize(state, [8, 0, 5, 2, 7, 1, 3, 6])
    found = run(circuit, shots=1, seed=1, return_statevector=True, backend="mps", options=EXACT).statevector
    want = run(circuit, shots=1, seed=1, return_statevector=True, backend="statevector").statevector
    assert abs(abs(np.vdot(found, want)) - 1) < 1e-10


# ---- truncation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bond", [4, 8, 16])
def test_the_fidelity_estimate_is_the_fidelity(bond: int) -> None:
    """arXiv:2002.07730: the product of 1 - w estimates the fidelity; on random circuits within a few
    percent of its logarithm, here 20 %."""
    circuit = brickwork(12, 12, seed=bond)
    result = run(circuit, shots=0, return_statevector=True, backend="mps", options=MPSOptions(bond_max=bond))
    fidelity = abs(np.vdot(reference(circuit), result.statevector)) ** 2
    estimate = result.metadata["fidelity_estimate"]
    assert np.linalg.norm(result.statevector) == pytest.approx(1, abs=1e-10)
    assert 0 < fidelity < 0.9999
    assert math.log(estimate) == pytest.approx(math.log(fidelity), rel=0.2)
    assert result.truncation_error == pytest.approx(1 - estimate)
    assert result.metadata["bond_max_reached"] == bond
    assert result.metadata["discarded_weight"] >= result.truncation_error


def test_larger_truncation_makes_smaller_bonds_and_larger_errors() -> None:
    circuit = brickwork(12, 6)
    errors, bonds = [], []
    for share in (0.0, 1e-4, 1e-2):
        told = run(circuit, shots=1, seed=1, backend="mps", options=MPSOptions(truncation=share)).metadata
        errors.append(told["truncation_error"])
        bonds.append(sum(told["bonds"]))
        assert told["discarded_weight"] <= share * told["splits"] + 1e-9
    assert errors == sorted(errors)
    assert bonds == sorted(bonds, reverse=True)
    assert bonds[0] > bonds[2]


def test_aer_drops_as_much() -> None:
    """The same circuit and bond in Qiskit Aer: infidelities of the same size."""
    pytest.importorskip("qiskit_aer")
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit, bond = brickwork(12, 10), 12
    other = QuantumCircuit(12)
    for _, qubits, (matrix,) in circuit:
        other.unitary(np.array(matrix.array), list(qubits))  # a copy: Aer may write to it
    other.save_statevector()
    simulator = AerSimulator(method="matrix_product_state", matrix_product_state_max_bond_dimension=bond)
    theirs = np.asarray(simulator.run(other).result().get_statevector(other))
    ours = run(
        circuit, shots=0, return_statevector=True, backend="mps", options=MPSOptions(bond_max=bond)
    ).statevector
    truth = reference(circuit)
    lost = [1 - abs(np.vdot(truth, state / np.linalg.norm(state))) ** 2 for state in (ours, theirs)]
    assert lost[0] < 1.2 * lost[1]
    assert lost[0] > 0.2 * lost[1]


# ---- refusals, limits, stopping ------------------------------------------------------------------


def test_what_it_cannot_do_is_said() -> None:
    noisy = Circuit(3).h(0).append(channels.depolarizing(0.1), [0])
    with pytest.raises(BackendRefusalError, match="noise"):
        run(noisy, shots=10, backend="mps")
    with pytest.raises(BackendRefusalError, match="density matrix"):
        run(Circuit(3).h(0), shots=0, return_density_matrix=True, backend="mps")
    with pytest.raises(BackendRefusalError, match="state vector of 100 qubits"):
        run(ghz(100), shots=0, return_statevector=True, backend="mps")
    with pytest.raises(TooLargeError):
        run(ghz(50), shots=0, return_statevector=True, backend="mps")
    half_way = Circuit(2, 1).h(0).measure(0, 0).x(0)
    with pytest.raises(BackendRefusalError, match="measurements all come last"):
        run(half_way, shots=10, observables="Z0", sampled=True, backend="mps")


@pytest.mark.parametrize(
    "wrong", [{"bond_max": 0}, {"bond_max": 2.5}, {"truncation": 1}, {"truncation": "x"}]
)
def test_options_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="it must be"):
        MPSOptions(**wrong)


def test_bonds_that_outgrow_the_memory_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory_available_bytes", lambda: 400 * 2**20)
    monkeypatch.setattr(room.limits, "MEMORY_UNCHECKED_BYTES", 2**20)
    circuit = brickwork(30, 24)
    with pytest.raises(TooLargeError, match="bonds have grown to") as caught:
        run(circuit, shots=1, seed=1, backend="mps")
    assert "bond_max" in caught.value.hint
    kept = run(circuit, shots=1, seed=1, backend="mps", options=MPSOptions(bond_max=16))
    assert kept.truncation_error > 0.1


def test_a_run_can_be_cancelled() -> None:
    token = CancelledAtCheck(20)
    circuit = brickwork(40, 40)
    with cancel.watching(token), pytest.raises(CancelledRunError):
        run(circuit, shots=1000, backend="mps", options=MPSOptions(bond_max=100))
    assert (token.checks, token.checks_after) == (20, 0)


def test_traits_tell_how_far_gates_reach() -> None:
    assert traits(Circuit(9).cx(0, 8).ccx(1, 4, 2).h(3)).reach == 11


def test_the_plan_bounds_the_bonds() -> None:
    result = run(ghz(500), shots=1, seed=1, backend="mps")
    assert result.metadata["memory_bytes"] < 64 * 2**20
    assert max(result.metadata["bonds"]) == 2
