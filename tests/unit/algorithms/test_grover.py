"""Grover's search against sin^2((2k + 1) asin sqrt(M/N))."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm import algorithms
from qrealm.algorithms.grover import (
    grover_circuit,
    grover_oracle,
    optimal_iterations,
    run_grover,
    success_probability,
)
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from reference.dense import DenseSimulator


def statevector(circuit):
    """The reference simulator's state."""
    return DenseSimulator.run(circuit.packed()).state


def test_oracle_flips_exactly_the_marked_signs():
    marked = grover_oracle(3, ["101", 0])
    state = np.ones(8) / math.sqrt(8)
    after = statevector(Circuit(3).h(range(3)).compose(marked))
    state[[5, 0]] *= -1
    assert np.abs(after - state).max() < 1e-12


@pytest.mark.parametrize(
    "n, marked", [(1, [1]), (2, [2]), (3, [0]), (5, [7, 30]), (8, [200]), (8, list(range(40)))]
)
@pytest.mark.parametrize("iterations", [None, 0, 1, 3])
def test_probability_is_the_closed_form(n, marked, iterations):
    found = run_grover(n, marked, iterations, shots=1, seed=1)
    theory = math.sin((2 * found.iterations + 1) * math.asin(math.sqrt(len(marked) / 2**n))) ** 2
    assert found.probability == pytest.approx(theory, abs=1e-12)
    assert success_probability(n, len(marked), found.iterations) == pytest.approx(theory, abs=1e-12)
    if iterations is not None:
        assert found.iterations == iterations


def test_circuit_is_the_state_of_the_theory_sign_included():
    state = statevector(grover_circuit(4, 9, 2))
    angle = 5 * math.asin(1 / 4)
    expected = np.full(16, math.cos(angle) / math.sqrt(15))
    expected[9] = math.sin(angle)
    assert np.abs(state - expected).max() < 1e-12


@pytest.mark.parametrize("n, marked", [(2, 1), (3, 1), (6, 1), (10, 1), (10, 3), (4, 8), (4, 16)])
def test_default_iterations_are_the_best(n, marked):
    chosen = optimal_iterations(n, marked)
    rivals = [chosen - 1, chosen + 1] if chosen else [1]
    best = success_probability(n, marked, chosen)
    assert all(best >= success_probability(n, marked, rival) - 1e-12 for rival in rivals)


def test_finds_the_item_and_says_so():
    found = run_grover(10, 777, shots=500, seed=5)
    assert (found.found_item, found.found_bitstring, found.success) == (777, "1100001001", True)
    assert found.iterations == 25
    assert found.execution_time > 0
    # 5 standard deviations of the binomial
    spread = 5 * math.sqrt(500 * found.probability * (1 - found.probability))
    assert abs(found.counts["1100001001"] - 500 * found.probability) <= spread
    assert run_grover(10, "1100001001", shots=500, seed=5).counts == found.counts
    assert not run_grover(4, 3, 6, shots=300, seed=1).success  # turned too far: 13 theta is near pi


@pytest.mark.slow
def test_twenty_qubits():
    found = run_grover(20, 654_321, shots=100, seed=1)
    assert found.found_item == 654_321
    assert found.iterations == 804
    assert found.probability == pytest.approx(success_probability(20, 1, 804), abs=1e-9)


@pytest.mark.parametrize(
    "n, marked, fault",
    [
        (3, 8, "marked_item is 8"),
        (3, "01", "3 characters"),
        (3, "01x", "3 characters"),
        (3, [], "empty"),
        (3, 1.5, "must be an integer"),
        (0, 0, "num_qubits"),
        (3, [1, -1], "marked_item is -1"),
    ],
)
def test_refuses(n, marked, fault):
    with pytest.raises(RequestError, match=fault):
        run_grover(n, marked)


def test_tells_how_many_iterations_it_would_take():
    with pytest.raises(RequestError, match=r"1 of 2\^50 items needs 26,353,589 iterations"):
        run_grover(50, 3)


@pytest.mark.parametrize(
    "algorithm, arguments",
    [
        (algorithms.run_grover, (3, 1)),
        (algorithms.run_qft, (3,)),
        (algorithms.run_phase_estimation, (Circuit(1).p(1, 0), 3)),
        (algorithms.run_amplitude_estimation, (Circuit(1).h(0), 0)),
        (algorithms.run_iterative_amplitude_estimation, (Circuit(1).h(0), 0)),
        (algorithms.run_vqe, ("Z0 + X0",)),
        (algorithms.run_qaoa, ("Z0 Z1",)),
        (algorithms.run_shor, (15,)),
        (algorithms.run_teleportation, ()),
        (algorithms.run_ghz, (3,)),
        (algorithms.run_w, (3,)),
        (algorithms.run_quantum_volume, (2,)),
    ],
)
def test_unknown_options_are_told_by_every_algorithm(algorithm, arguments):
    with pytest.raises(RequestError, match=rf"{algorithm.__name__} got foo; .*seed.*, precision.*backend"):
        algorithm(*arguments, foo=2)
