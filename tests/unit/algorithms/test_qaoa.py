"""QAOA: the ring of disagrees in closed form, small problems against trying everything."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qrealm.algorithms.cost_functions import maxcut_hamiltonian, qubo_hamiltonian
from qrealm.algorithms.qaoa import _quick_gradient, interpolated, qaoa_circuit, run_maxcut, run_qaoa
from qrealm.algorithms.spectrum import diagonal_values
from qrealm.base.errors import ObservableError, ParameterError, RequestError
from qrealm.circuits import PauliSum
from qrealm.simulate.gradient import gradient
from reference.dense import DenseSimulator

RING = [(v, (v + 1) % 8) for v in range(8)]
COMPLETE = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_ring_of_disagrees(layers):
    """(2p + 1)/(2p + 2) of all edges: E. Farhi et al., arXiv:1411.4028, section 4."""
    found = run_maxcut(RING, layers, seed=1)
    assert found.expected_cost / 8 == pytest.approx((2 * layers + 1) / (2 * layers + 2), abs=1e-6)
    assert found.approximation_ratio == pytest.approx(found.expected_cost / 8)
    assert found.best_cost == found.optimal_cost == 8
    assert found.best_bitstring in ("01010101", "10101010")
    for number, cost in enumerate(found.layer_costs, 1):
        assert cost / 8 == pytest.approx((2 * number + 1) / (2 * number + 2), abs=1e-6)
    assert len(found.layer_costs) == len(found.gammas) == len(found.betas) == layers
    ends = [*found.layer_starts[1:], len(found.history)]
    for start, end, cost in zip(found.layer_starts, ends, found.layer_costs, strict=True):
        assert max(found.history[start:end]) == pytest.approx(cost)


def test_one_edge_in_closed_form():
    """<C> = (1 + sin(gamma) sin(4 beta))/2 for the cut of a single edge, up to the sign of gamma."""
    circuit = qaoa_circuit(maxcut_hamiltonian([(0, 1)]))
    cut = maxcut_hamiltonian([(0, 1)])
    for gamma, beta in [(0.3, 0.2), (1.1, -0.4)]:
        bound = circuit.bind({"gamma_0": gamma, "beta_0": beta})
        state = DenseSimulator.run(bound.packed()).state
        value = float(np.abs(state) ** 2 @ diagonal_values(cut))
        assert abs(value - 0.5) == pytest.approx(abs(math.sin(gamma) * math.sin(4 * beta)) / 2, abs=1e-12)


def test_circuit_is_its_definition_for_terms_of_every_width():
    cost = PauliSum("0.7 Z0 - 0.4 Z0 Z2 + 0.9 Z0 Z1 Z2 + 0.3 Z0 Z1 Z2 Z3 + 5")
    gamma, beta = 0.37, 0.81
    state = np.full(16, 0.25) * np.exp(-1j * gamma * (diagonal_values(cost) - 5))
    mixer = np.array([[math.cos(beta), -1j * math.sin(beta)], [-1j * math.sin(beta), math.cos(beta)]])
    whole = np.eye(1)
    for _ in range(4):
        whole = np.kron(whole, mixer)
    bound = qaoa_circuit(cost).bind({"gamma_0": gamma, "beta_0": beta})
    assert np.abs(DenseSimulator.run(bound.packed()).state - whole @ state).max() < 1e-12


def test_results_belong_together():
    found = run_maxcut(COMPLETE, 2, seed=4, shots=300)
    cost = maxcut_hamiltonian(COMPLETE)
    state = DenseSimulator.run(found.circuit.packed()).state
    assert np.abs(state) ** 2 @ diagonal_values(cost) == pytest.approx(found.expected_cost, abs=1e-9)
    values = diagonal_values(cost)
    assert found.best_cost == max(values[int(text, 2)] for text in found.counts)
    assert found.optimal_cost == values.max() == 4
    assert sum(found.counts.values()) == 300
    assert found.history[-1] <= found.expected_cost + 1e-9
    assert max(found.history) == pytest.approx(found.expected_cost)
    again = run_maxcut(COMPLETE, 2, seed=4, shots=300)
    assert (again.gammas, again.counts) == (found.gammas, found.counts)


def test_minimizes_by_default():
    found = run_qaoa("Z0 Z1 + 0.5 Z0", 3, seed=2)
    assert found.optimal_cost == -1.5
    assert found.best_bitstring == "01"
    assert found.expected_cost < -1.4
    assert found.approximation_ratio == pytest.approx((1.5 - found.expected_cost) / 3)


def test_strategies_and_starts():
    interp = run_maxcut(RING, 3, seed=1, starts=4)
    random = run_maxcut(RING, 3, seed=1, starts=4, strategy="random")
    assert len(random.layer_costs) == 1
    assert interp.expected_cost >= random.expected_cost - 1e-6
    more = run_maxcut(RING, 1, seed=1, starts=12)
    fewer = run_maxcut(RING, 1, seed=1, starts=1)
    assert more.evaluations > fewer.evaluations
    angles = (interp.gammas, interp.betas)
    again = run_maxcut(RING, 3, seed=1, initial_angles=angles)
    assert again.history[0] == pytest.approx(interp.expected_cost)
    assert again.evaluations < random.evaluations


def test_interpolation():
    """Zhou et al., arXiv:1812.01041, appendix B, written out for two layers."""
    assert interpolated(np.array([0.4, 1.0])) == pytest.approx([0.4, 0.7, 1.0])
    assert interpolated(np.array([0.3])) == pytest.approx([0.3, 0.3])
    ramp = interpolated(np.array([1.0, 2.0, 3.0]))
    assert ramp == pytest.approx([1, 1 / 3 + 4 / 3, 4 / 3 + 1, 3])


def test_callback_sees_the_cost_itself(capsys):
    seen = []
    found = run_maxcut(
        RING,
        2,
        seed=1,
        starts=2,
        progress=True,
        callback=lambda number, angles, cost: seen.append((number, cost)),
    )
    assert [number for number, _ in seen] == list(range(1, found.evaluations + 1))
    assert max(cost for _, cost in seen) == pytest.approx(found.expected_cost)
    assert capsys.readouterr().err.count("\r") == found.evaluations


def test_qubo_is_the_quadratic_form():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(4, 4))
    values = diagonal_values(qubo_hamiltonian(matrix, offset=1.5))
    for index, bits in enumerate(itertools.product([0, 1], repeat=4)):
        x = np.array(bits[::-1])
        assert values[index] == pytest.approx(x @ matrix @ x + 1.5, abs=1e-12)
    found = run_qaoa(qubo_hamiltonian(matrix), 3, seed=1)
    assert found.best_cost == pytest.approx(diagonal_values(qubo_hamiltonian(matrix)).min())


def test_graphs_in_every_form():
    weights = np.zeros((3, 3))
    weights[0, 1] = weights[1, 0] = 2.0
    weights[1, 2] = weights[2, 1] = 0.5
    edges = maxcut_hamiltonian([(0, 1, 2.0), (1, 2, 0.5)])
    assert maxcut_hamiltonian(weights) == edges
    assert diagonal_values(edges).tolist() == [0, 2, 2.5, 0.5, 0.5, 2.5, 2, 0]
    networkx = pytest.importorskip("networkx")
    graph = networkx.Graph()
    graph.add_edge(0, 1, weight=2.0)
    graph.add_edge(1, 2, weight=0.5)
    assert maxcut_hamiltonian(graph) == edges


@pytest.mark.parametrize(
    "graph, fault",
    [
        ([], "no edges"),
        ([(0, 0)], "without loops"),
        ([(0, -1)], "a vertex is -1"),
        ([(0, 1, math.inf)], "finite"),
        ([(0, "b")], "must be an integer"),
        ([3], "an edge is 3"),
        ("ab", "the graph is"),
        (7, "the graph is"),
        (np.ones((2, 3)), "shape"),
        (np.array([[0, 1], [2, 0]]), "symmetric"),
        (np.eye(2), "loop"),
    ],
)
def test_refuses_graphs(graph, fault):
    with pytest.raises(RequestError, match=fault):
        maxcut_hamiltonian(graph)


@pytest.mark.parametrize(
    "change, error, fault",
    [
        ({"cost": "X0"}, RequestError, "not diagonal"),
        ({"cost": "3"}, ObservableError, "constant"),
        ({"layers": 0}, RequestError, "layers"),
        ({"strategy": "best"}, RequestError, "strategy"),
        ({"shots": 0}, RequestError, "shots"),
        ({"initial_angles": ([1.0], [1.0, 2.0])}, ParameterError, "1 finite"),
        ({"initial_angles": 3}, ParameterError, "gammas, betas"),
        ({"initial_angles": ([math.nan], [0.0])}, ParameterError, "finite"),
    ],
)
def test_refuses(change, error, fault):
    with pytest.raises(error, match=fault):
        run_qaoa(**{"cost": "Z0 Z1", **change})


def test_maxcut_always_maximizes():
    with pytest.raises(RequestError, match="always maximizes"):
        run_maxcut(RING, maximize=False)


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    path = run_maxcut(RING, 2, seed=1).plot(tmp_path / "qaoa.svg", title="ring")
    assert "<svg" in path.read_text()[:500]


def test_kernel_of_all_costs_equals_the_circuit_gate_by_gate():
    cost = PauliSum("0.7 Z0 Z3 - 1.2 Z1 Z2 + 0.4 Z2 Z4 + 0.3 Z1 - Z4 + 2.5 I")
    point = np.array([0.3, -0.6, 0.9, 1.4, -0.2, 0.1])
    quick = _quick_gradient(cost, {})
    value, slopes = quick(point)
    found = gradient(qaoa_circuit(cost, 3), cost, point.tolist())
    assert value == pytest.approx(found.value, abs=1e-12)
    np.testing.assert_allclose(slopes, found.derivatives, atol=1e-11)
    assert _quick_gradient(PauliSum("Z0 Z1 Z2"), {}) is None
    assert _quick_gradient(cost, {"backend": "state_vector"}) is None
    assert _quick_gradient(PauliSum("Z0 Z26"), {}) is None
