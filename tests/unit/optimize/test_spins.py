"""Spin solvers: right energies, the optimum where all answers can be tried, the same whatever the slices."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import ProblemError, SyntaxReadError
from qrealm.optimize import Ising, MaxCut, Qubo, solve
from qrealm.optimize.formats.gset import read_gset, write_gset
from qrealm.optimize.solvers import begin
from qrealm.optimize.solvers.annealing import AnnealingOptions
from qrealm.optimize.solvers.spin_arrays import packed_weights, whole_weights

SOLVERS = ("annealing",)
WORK = {"annealing": 400}


def random_ising(seed, spins=12, density=0.5, weights=(-3, -2, -1, 1, 2, 3), fields=(-1, 0, 2), unit=1.0):
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(spins) for j in range(i) if rng.random() < density]
    terms = {pair: unit * float(rng.choice(weights)) for pair in pairs}
    return Ising.build(unit * rng.choice(fields, spins), terms, offset=0.25, name=f"random {seed}")


def lowest_energy(problem):
    count = problem.num_variables
    spins = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
    pairs = problem.couplings
    energies = spins @ problem.linear + (spins[:, pairs.rows] * spins[:, pairs.cols]) @ pairs.values
    return float(energies.min()) + problem.offset


def searched(problem, solver, *, slices, seed=7, options=None):
    search, _ = begin(problem, solver, seed=seed, options=options)
    for work in slices:
        search.advance(work, 60.0)
    assert search.best is not None
    assert search.work == sum(slices)
    return search


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(4))
def test_finds_the_optimum_of_small_problems(solver, seed):
    problem = random_ising(seed)
    best = searched(problem, solver, slices=[WORK[solver]]).best
    assert set(np.unique(best.answer)) <= {-1, 1}
    assert best.value == problem.energy(best.answer)
    assert best.value == pytest.approx(lowest_energy(problem), abs=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_same_work_gives_the_same_answer_whatever_the_slices(solver):
    problem = random_ising(5, spins=60, density=0.2)
    work = WORK[solver]
    whole = searched(problem, solver, slices=[work]).best
    pieces = searched(problem, solver, slices=[1, work // 3, 7, work - work // 3 - 8]).best
    assert np.array_equal(whole.answer, pieces.answer)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "problem", [Ising.build([], {}), Ising.build([0.0, 0.0], {}), Ising.build([2.0], {})]
)
def test_next_to_nothing_is_solved(solver, problem):
    result = solve(problem, solver=solver, seconds=0.2, seed=1, threads=1)
    assert result.value == pytest.approx(-2.0 if problem.num_variables == 1 else 0.0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_takes_cuts_and_bits(solver):
    ring = MaxCut.build(6, [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0])
    assert solve(ring, solver=solver, seconds=5, seed=1, threads=1, target=-6).cut == 6
    qubo = Qubo.build(3, {(0, 0): -1, (1, 1): -1, (0, 1): 3, (2, 2): 1})
    assert solve(qubo, solver=solver, seconds=5, seed=1, threads=1, target=-1).value == -1


@pytest.mark.parametrize("field, value", [("hot", -1.0), ("first_sweeps", 0), ("growth", np.inf)])
def test_options_out_of_range_are_refused(field, value):
    with pytest.raises(ProblemError, match=f"annealing got {field}="):
        begin(random_ising(1), "annealing", seed=1, options=AnnealingOptions(**{field: value}))


def test_whole_weights_keep_every_weight():
    problem = random_ising(3, unit=0.35)
    whole = whole_weights(problem, 63)
    assert np.allclose(whole.weights * whole.unit, problem.neighbours[2], atol=1e-9)
    assert np.allclose(whole.fields * whole.unit, problem.linear, atol=1e-9)
    assert whole_weights(Ising.build([np.pi, np.e], {(0, 1): 1.0}), 63) is None
    assert packed_weights(Ising.build([1.0, 64.0], {(0, 1): 1.0})) is None


def test_a_graph_written_is_the_graph_read():
    graph = MaxCut.build(5, [0, 3, 1], [4, 2, 0], [1.0, -2.5, 1 / 3])
    back = read_gset(write_gset(graph), "name")
    assert back.num_nodes == 5
    assert np.array_equal(back.edges.rows, graph.edges.rows)
    assert np.array_equal(back.edges.cols, graph.edges.cols)
    assert np.array_equal(back.edges.values, graph.edges.values)
    assert read_gset("2 1\n1 2\n").edges.values.tolist() == [1.0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("3\n", "where the numbers of nodes and edges"),
        ("3 x\n", "where the numbers of nodes and edges"),
        ("3 2\n1 2 1\n", "promises 2 edges; there are 1"),
        ("3 1\n1 4 1\n", "two nodes of 1 to 3"),
        ("3 1\n1 2 nan\n", "two nodes of 1 to 3"),
        ("3 1\n1\n", "two nodes of 1 to 3"),
    ],
)
def test_broken_graphs_are_refused_with_their_line(text, message):
    with pytest.raises(SyntaxReadError, match=message):
        read_gset(text)
