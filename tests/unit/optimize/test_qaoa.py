"""QAOA and VQE: energies and gradients against dense arithmetic and closed forms, mixers that keep to their
space, answers that are measured, clear refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from qrealm.base.errors import InfeasibleError, ProblemError, SolverRefusalError
from qrealm.optimize import (
    Assignment,
    Bin,
    Ising,
    Item,
    MaxCut,
    Objective,
    Qubo,
    apart,
    solve,
    spread,
    together,
)
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import begin, refusal_of
from qrealm.optimize.solvers import qaoa as qaoa_module
from qrealm.optimize.solvers.one_hot import build_table, count_states
from qrealm.optimize.solvers.qaoa import CARD, IsingStates, OneHotStates, QaoaOptions, level_unit, state_bytes
from qrealm.optimize.solvers.variational import descend, interpolated
from qrealm.optimize.solvers.vqe import CARD as VQE_CARD
from qrealm.optimize.solvers.vqe import AnsatzStates, VqeOptions


def random_ising(size, seed, whole=False):
    rng = np.random.default_rng(seed)
    rows, cols = np.triu_indices(size, 1)
    if whole:
        return Ising.from_parts(
            rng.integers(-2, 3, size), rows, cols, rng.integers(-3, 4, len(rows)), offset=0.5
        )
    return Ising.from_parts(rng.normal(size=size), rows, cols, rng.normal(size=len(rows)), offset=0.5)


def energies(problem):
    """Of all bit strings, by the definition."""
    size, pairs = problem.num_variables, problem.couplings
    spins = 1.0 - 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1)
    matrix = np.zeros((size, size))
    matrix[pairs.rows, pairs.cols] = pairs.values
    return spins @ problem.linear + np.sum((spins @ matrix) * spins, axis=1) + problem.offset


def dense_state(problem, gammas, betas):
    """The state by 2 x 2 matrices on one qubit after the other."""
    costs = energies(problem)
    index = np.arange(len(costs))
    state = np.full(len(costs), len(costs) ** -0.5, dtype=complex)
    for gamma, beta in zip(gammas, betas, strict=True):
        state = state * np.exp(-1j * gamma * costs)
        for qubit in range(problem.num_variables):
            state = math.cos(beta) * state - 1j * math.sin(beta) * state[index ^ (1 << qubit)]
    return state


def complex_of(amplitudes):
    return amplitudes.reshape(-1, 2) @ np.array([1, 1j])


def central_difference(function, point, step=1e-5):
    slopes = []
    for number in range(len(point)):
        shift = np.zeros(len(point))
        shift[number] = step
        slopes.append((function(point + shift) - function(point - shift)) / (2 * step))
    return np.array(slopes)


def small_assignment(may_leave_out=False, **objective):
    items = [
        Item("a", {"cpu": 2, "mem": 1}),
        Item("b", {"cpu": 3, "mem": 2}, needs={"disk": "ssd"}),
        Item("c", {"cpu": 1, "mem": 3}, current="n1", move_cost=0.4),
        Item("d", {"cpu": 2.5, "mem": 0.5}, weight=2.0),
    ]
    bins = [
        Bin("n0", {"cpu": 5, "mem": 4}, {"disk": "ssd", "zone": "x"}, cost=1.0),
        Bin("n1", {"cpu": 4, "mem": 5}, {"disk": "ssd", "zone": "y"}, cost=1.5),
        Bin("n2", {"cpu": 3, "mem": 3}, {"zone": "y"}, cost=0.5),
    ]
    rules = (
        apart("a", "b"),
        spread("a", "b", "c", over="zone", weight=0.3),
        together("c", "d", weight=0.7),
    )
    cost = np.arange(12.0).reshape(4, 3) / 10
    return Assignment(items, bins, rules, Objective(**objective), may_leave_out, cost)


ALL_PARTS = {"bins": 1.0, "cost": 0.5, "balance": 2.0, "fragmentation": 1.5}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5, 8, 13, 14])
def test_state_value_and_gradient_equal_dense_arithmetic(size, whole):
    problem = random_ising(size, size, whole)
    states = IsingStates(problem)
    assert size == 1 or (states.diagonal.num_levels > 0) == whole
    costs = energies(problem)
    indices = np.arange(2**size, dtype=np.uint64)
    np.testing.assert_allclose(states.diagonal.at(indices) + problem.offset, costs, atol=1e-10)
    rng = np.random.default_rng(3)
    # The second layer's beta is beyond 45 degrees, where the mixer is applied the other way round.
    gammas, betas = rng.uniform(-1, 1, 3), np.array([0.4, 1.3, -2.9])
    want = dense_state(problem, gammas, betas)
    got = complex_of(states.state.amplitudes(gammas, betas))
    # Qubits that small problems are filled up with stay in |+>: every copy is the same.
    got = got.reshape(-1, 2**size)
    assert abs(np.vdot(got[0], want)) * math.sqrt(len(got)) == pytest.approx(1, abs=1e-12)
    value, slopes = states.state.gradient(gammas, betas)
    assert value + problem.offset == pytest.approx(float(np.abs(want) ** 2 @ costs), abs=1e-9)
    if size <= 8:
        numeric = central_difference(
            lambda x: float(np.abs(dense_state(problem, x[:3], x[3:])) ** 2 @ costs),
            np.concatenate([gammas, betas]),
        )
        np.testing.assert_allclose(slopes, numeric, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 8, 14, 15])
def test_without_fields_half_the_state_is_enough(size):
    """The last spin is fixed; its mixer turns all others over."""
    full = random_ising(size, size + 50)
    pairs = full.couplings
    problem = Ising.from_parts(np.zeros(size), pairs.rows, pairs.cols, pairs.values, offset=0.25)
    gammas, betas = np.array([0.3, -0.2, 0.5]), np.array([0.4, 1.3, -2.9])
    costs = energies(problem)
    want = dense_state(problem, gammas, betas)
    states = IsingStates(problem)
    got = complex_of(states.state.amplitudes(gammas, betas)).reshape(-1, 2 ** (size - 1))
    kept = want[: 2 ** (size - 1)] * math.sqrt(2)
    assert abs(np.vdot(got[0], kept)) * math.sqrt(len(got)) == pytest.approx(1, abs=1e-12)
    value, slopes = states.state.gradient(gammas, betas)
    assert value + problem.offset == pytest.approx(float(np.abs(want) ** 2 @ costs), abs=1e-9)
    if size <= 8:
        numeric = central_difference(
            lambda x: float(np.abs(dense_state(problem, x[:3], x[3:])) ** 2 @ costs),
            np.concatenate([gammas, betas]),
        )
        np.testing.assert_allclose(slopes, numeric, atol=1e-5, rtol=1e-6)
    single, single_slopes = IsingStates(problem, precision="single", threads=2).state.gradient(gammas, betas)
    assert single == pytest.approx(value, abs=1e-4 * np.abs(costs).max())
    np.testing.assert_allclose(single_slopes, slopes, atol=1e-3 * np.abs(costs).max())
    assert states.bound <= costs.min() + 1e-12
    assert states.bound == pytest.approx(costs.min(), abs=1e-9)


def test_single_precision_and_threads():
    problem = random_ising(15, 2)
    gammas, betas = np.array([0.1, 0.2]), np.array([-0.5, 0.9])
    value, slopes = IsingStates(problem).state.gradient(gammas, betas)
    single, single_slopes = IsingStates(problem, precision="single").state.gradient(gammas, betas)
    size = np.abs(energies(problem)).max()
    assert single == pytest.approx(value, abs=1e-5 * size)
    np.testing.assert_allclose(single_slopes, slopes, atol=1e-4 * size)
    threaded = IsingStates(problem, threads=3).state.gradient(gammas, betas)
    assert threaded[0] == value
    assert threaded[1].tolist() == slopes.tolist()


def test_three_groups_of_qubits():
    """23 qubits are mixed in three groups. Two independent halves: energies add up."""
    halves = [random_ising(11, 1, whole=True), random_ising(12, 2, whole=True)]
    fields = np.concatenate([half.linear for half in halves])
    rows = np.concatenate([halves[0].couplings.rows, halves[1].couplings.rows + 11])
    cols = np.concatenate([halves[0].couplings.cols, halves[1].couplings.cols + 11])
    both = Ising.from_parts(
        fields, rows, cols, np.concatenate([half.couplings.values for half in halves]), offset=1.0
    )
    gammas, betas = np.array([0.2, -0.1]), np.array([-0.5, 1.2])
    value, slopes = IsingStates(both, precision="single", threads=2).state.gradient(gammas, betas)
    parts = [IsingStates(half).state.gradient(gammas, betas) for half in halves]
    assert value == pytest.approx(sum(part[0] for part in parts), abs=2e-3)
    np.testing.assert_allclose(slopes, sum(part[1] for part in parts), atol=2e-2)


@pytest.mark.parametrize("degree", [2, 3])
def test_one_layer_meets_the_closed_form_of_wang_hadfield_jiang_rieffel(degree):
    """arXiv:1706.02998, corollary 1: the mean cut of an edge of a regular graph without triangles."""
    if degree == 2:
        edges = [(k, (k + 1) % 12) for k in range(12)]
    else:  # the cube
        edges = [(a, a ^ (1 << k)) for a in range(8) for k in range(3) if not a >> k & 1]
    ends = np.array(edges)
    problem = MaxCut.build(int(ends.max()) + 1, ends[:, 0], ends[:, 1]).to_ising()
    states = IsingStates(problem)
    for gamma, beta in itertools.product((0.3, 1.1), (0.2, -0.5)):
        value, _ = states.state.gradient(np.array([gamma]), np.array([beta]))
        edge = 0.5 + 0.5 * math.sin(4 * beta) * math.sin(-gamma) * math.cos(gamma) ** (degree - 1)
        assert -(value + problem.offset) == pytest.approx(len(edges) * edge, abs=1e-10)


def test_one_layer_optimum_of_a_three_regular_graph():
    """E. Farhi et al., arXiv:1411.4028: 0.6924 of the edges where no short cycle is; the dodecahedron has
    none that matters."""
    ends = np.array(
        [edge for k in range(10) for edge in ((k, (k + 1) % 10), (k, k + 10), (k + 10, (k + 2) % 10 + 10))]
    )
    problem = MaxCut.build(20, ends[:, 0], ends[:, 1])
    search, _ = begin(problem, "qaoa", seed=1, options=QaoaOptions(layers=1, shots=1))
    search.bound = -math.inf
    search.advance(40, 60.0)
    assert min(search.history) / -30 == pytest.approx(0.5 + 1 / (3 * math.sqrt(3)), abs=1e-6)


def ring_mixer(sizes, beta):
    """exp(-i beta H) on all options, H moving one item at a time to a neighbour on its ring."""
    whole = np.eye(1)
    for size in sizes:
        hop = np.zeros((size, size))
        for k in range(size if size > 1 else 0):
            hop[k, (k + 1) % size] = hop[(k + 1) % size, k] = 1
        whole = np.kron(expm(-1j * beta * hop), whole)
    return whole


def test_one_hot_state_equals_dense_matrices_and_keeps_its_norm():
    problem = small_assignment(may_leave_out=True, **ALL_PARTS)
    states = OneHotStates(problem)
    sizes = [len(options) for options in states.table.options]
    assert sizes == [4, 3, 4, 4]
    costs = states.table.penalized()

    def dense(angles):
        state = np.full(len(costs), len(costs) ** -0.5, dtype=complex)
        for gamma, beta in angles.reshape(2, -1).T:
            state = ring_mixer(sizes, beta) @ (np.exp(-1j * gamma * costs) * state)
        return state

    angles = np.array([0.3, -0.7, 0.9, 0.4])
    got = complex_of(states.state.amplitudes(angles[:2], angles[2:]))
    assert np.linalg.norm(got) == pytest.approx(1, abs=1e-12)
    assert abs(np.vdot(got, dense(angles))) == pytest.approx(1, abs=1e-10)
    value, slopes = states.state.gradient(angles[:2], angles[2:])
    assert value == pytest.approx(float(np.abs(dense(angles)) ** 2 @ costs), abs=1e-10)
    numeric = central_difference(lambda x: float(np.abs(dense(x)) ** 2 @ costs), angles)
    np.testing.assert_allclose(slopes, numeric, atol=1e-6)


def test_ring_mixer_is_xy_gates_on_one_hot_qubits():
    """Three qubits, one excitation: the mixer of (XX + YY)/2 along a ring stays with one excitation and does
    what the reduced one does."""
    x, y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])

    def on(pair, gate):
        factors = [gate if qubit in pair else np.eye(2) for qubit in range(3)]
        return np.kron(factors[2], np.kron(factors[1], factors[0]))

    full = sum((on(pair, x) + on(pair, y)) / 2 for pair in ((0, 1), (1, 2), (2, 0)))
    moved = expm(-0.6j * full)
    one_hot = [1, 2, 4]
    np.testing.assert_allclose(moved[np.ix_(one_hot, one_hot)], ring_mixer([3], 0.6), atol=1e-12)
    others = [index for index in range(8) if index not in one_hot]
    assert np.abs(moved[np.ix_(others, one_hot)]).max() == 0


@pytest.mark.parametrize("may_leave_out", [False, True])
def test_table_equals_evaluate_and_the_validator(may_leave_out):
    problem = small_assignment(may_leave_out, **ALL_PARTS)
    table = build_table(problem)
    assert len(table.values) == count_states(problem)
    seen = set()
    for state in range(len(table.values)):
        answer = table.answer(state)
        seen.add(tuple(answer.tolist()))
        assert table.values[state] == pytest.approx(evaluate(problem, answer).value, abs=1e-12)
        assert table.feasible[state] == (not violations(problem, answer))
    assert len(seen) == len(table.values)
    highest = table.values[table.feasible].max()
    assert np.all(table.penalized()[~table.feasible] > highest)


@given(st.integers(2, 9), st.integers(0, 1000))
@settings(max_examples=20)
def test_finds_the_optimum_of_small_problems(size, seed):
    rng = np.random.default_rng(seed)
    problem = Qubo.from_matrix(rng.normal(size=(size, size)))
    bits = np.array(list(itertools.product((0, 1), repeat=size)))
    best = min(problem.energy(row) for row in bits)
    result = solve(problem, solver="qaoa", seconds=30, seed=seed, threads=1)
    assert result.value == pytest.approx(best, abs=1e-9)
    assert result.value == pytest.approx(problem.energy(result.answer), abs=1e-9)
    assert result.bound <= best + 1e-12
    assert result.is_optimal


def test_assignment_answers_are_feasible_and_optimal():
    problem = small_assignment(**ALL_PARTS)
    result = solve(problem, solver="qaoa", seconds=30, seed=1, threads=1)
    assert not violations(problem, result.answer)
    table = build_table(problem)
    assert result.value == pytest.approx(table.values[table.feasible].min())
    assert result.value == pytest.approx(evaluate(problem, result.answer).value)


def test_descents_lower_the_cost_and_layers_help():
    search, _ = begin(random_ising(10, 4), "qaoa", seed=1, options=QaoaOptions(layers=4, shots=1))
    search.bound = -math.inf  # go on after the optimum was sampled
    search.advance(150, 60.0)
    one, _ = begin(random_ising(10, 4), "qaoa", seed=1, options=QaoaOptions(layers=1, shots=1))
    one.bound = -math.inf
    one.advance(150, 60.0)
    assert min(search.history) < min(one.history) < search.history[0]


@pytest.mark.parametrize("name", ["qaoa", "vqe"])
def test_same_seed_and_work_give_the_same_whatever_the_slices(name):
    def run(slices):
        options = QaoaOptions(shots=2) if name == "qaoa" else VqeOptions(shots=2)
        search, _ = begin(random_ising(9, 5), name, seed=11, options=options)
        search.bound = -math.inf
        for work in slices:
            search.advance(work, 60.0)
        return search

    first, second = run([40]), run([1] * 7 + [13, 20])
    assert first.work == second.work == 40
    assert first.history == second.history
    assert first.best.answer.tolist() == second.best.answer.tolist()


def test_samples_follow_the_state():
    """Counts of 200,000 samples: chi square within five standard deviations of its mean."""
    problem = random_ising(5, 3)
    states = IsingStates(problem)
    gammas, betas = np.array([0.3]), np.array([-0.4])
    chances = np.abs(dense_state(problem, gammas, betas)) ** 2
    shots = 200_000
    counts = np.bincount(states.state.sample(gammas, betas, shots, 7).astype(int), minlength=32)
    chi = float((((counts - shots * chances) ** 2) / (shots * chances)).sum())
    assert abs(chi - 31) < 5 * math.sqrt(2 * 31)


def test_descend_reaches_the_minimum_of_a_valley():
    """Rosenbrock's function, minimum 0 at (1, 1)."""
    steps = descend(np.array([-1.2, 1.0]), iterations_max=200, tolerance=1e-14)
    point, evaluations = next(steps), 0
    while True:
        x, y = point
        evaluations += 1
        slopes = np.array([-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)])
        try:
            point = steps.send((100 * (y - x * x) ** 2 + (1 - x) ** 2, slopes))
        except StopIteration as end:
            value, best = end.value
            break
    assert value < 1e-12
    np.testing.assert_allclose(best, 1, atol=1e-5)
    assert evaluations < 120


def test_interpolation_of_angles():
    np.testing.assert_allclose(interpolated(np.array([1.0, 2.0])), [1.0, 1.5, 2.0])


def test_units_of_levels():
    assert level_unit(np.array([2.0, -3.0, 0.0])) == 1.0
    assert level_unit(np.array([0.1, 0.3, 0.7])) == pytest.approx(0.1)
    assert level_unit(np.array([1.0, math.pi])) == 0.0
    assert level_unit(np.zeros(3)) == 0.0


def test_vqe_gradient_equals_differences_and_it_finds_small_optima():
    problem = random_ising(6, 8)
    states = AnsatzStates(problem, VqeOptions(layers=1))
    point = np.random.default_rng(0).uniform(-3, 3, states.num_angles)
    _, slopes = states.gradient(point)
    numeric = central_difference(lambda x: states.gradient(x)[0], point)
    np.testing.assert_allclose(slopes, numeric, atol=1e-6)
    search, _ = begin(problem, "vqe", seed=2)
    search.advance(150, 60.0)
    assert search.best.value == pytest.approx(energies(problem).min())
    assert search.best.value <= min(search.history) + 1e-9


def test_refusals_name_the_limit(monkeypatch):
    large = Ising.build(np.ones(27), {})
    assert "26 qubits" in refusal_of(large, CARD)
    assert "22 qubits" in refusal_of(large, VQE_CARD)
    with pytest.raises(SolverRefusalError, match="26 qubits; this problem has 27"):
        begin(large, "qaoa", seed=1)
    wide = Assignment.packing(np.ones((20, 1)), [4.0])
    assert "placements" in refusal_of(wide, CARD)
    monkeypatch.setattr(qaoa_module, "memory_limits", lambda: (2**30, 2**30))
    assert state_bytes(26) > 2**30
    assert "GiB" in refusal_of(Ising.build(np.ones(26), {}), CARD)
    assert not refusal_of(Ising.build(np.ones(20), {}), CARD)
    assert "constant" in refusal_of(Ising.build(np.zeros(3), {}), VQE_CARD)
    for options in ({"layers": 0}, {"shots": 0}, {"precision": "half"}, {"tolerance": math.nan}):
        with pytest.raises(ProblemError):
            QaoaOptions(**options)
    with pytest.raises(ProblemError):
        VqeOptions(shots=0)


def test_infeasible_assignment_is_proven_so():
    items = [Item("a", {"cpu": 3}), Item("b", {"cpu": 3}), Item("c", {"cpu": 3})]
    problem = Assignment(items, [Bin("x", {"cpu": 5}), Bin("y", {"cpu": 5})])
    with pytest.raises(InfeasibleError) as told:
        begin(problem, "qaoa", seed=1)
    assert told.value.proven


def test_trivial_problems():
    for problem in (Ising.build(np.zeros(0), {}, offset=2.0), Ising.build(np.zeros(3), {}, offset=2.0)):
        result = solve(problem, solver="qaoa", seconds=5, seed=1, threads=1)
        assert result.value == 2.0
        assert result.is_optimal


def test_assignments_without_items_without_choice_and_without_allowed_bins():
    bins = [Bin("x", {"cpu": 5})]
    assert solve(Assignment([], bins), solver="qaoa", seconds=5, seed=1, threads=1).value == 0.0
    only = solve(Assignment([Item("a", {"cpu": 1})], bins), solver="qaoa", seconds=5, seed=1, threads=1)
    assert only.placement == {"a": "x"}
    unwanted = Assignment([Item("a", {"cpu": 1}, needs={"disk": "ssd"})], bins)
    with pytest.raises(InfeasibleError):
        begin(unwanted, "qaoa", seed=1)
    left_out = Assignment([Item("a", {"cpu": 9}, weight=3.0)], bins, may_leave_out=True)
    result = solve(left_out, solver="qaoa", seconds=5, seed=1, threads=1)
    assert result.placement == {"a": None}
    assert result.value == 3.0


def test_repeats_exactly_through_the_portfolio():
    problem = random_ising(11, 6)
    first = solve(problem, solver="qaoa", seconds=0.3, seed=5, threads=2, options=QaoaOptions(shots=1))
    again = solve(problem, solver="qaoa", seed=5, threads=2, options=QaoaOptions(shots=1), work=first.work)
    assert again.value == first.value
    assert again.answer.tolist() == first.answer.tolist()
