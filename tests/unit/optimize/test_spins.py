"""Spin solvers: right energies, the optimum where all answers can be tried, the same whatever the slices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest
from qrealm._solvers import LaneCopies, PackedCopies

from qrealm.base.errors import ProblemError, SolverRefusalError, SyntaxReadError
from qrealm.optimize import Ising, MaxCut, Qubo, solve
from qrealm.optimize.formats.bqm import from_dimod, read_bqm
from qrealm.optimize.formats.gset import read_gset, write_gset
from qrealm.optimize.solvers import begin
from qrealm.optimize.solvers.annealing import AnnealingOptions
from qrealm.optimize.solvers.bifurcation import BifurcationOptions
from qrealm.optimize.solvers.spin_arrays import packed_weights, whole_weights
from qrealm.optimize.solvers.tabu import TabuOptions
from qrealm.optimize.solvers.tempering import TemperingOptions
from qrealm.optimize.spin_bounds import cycle_bound, round_up, semidefinite_bound

WORK = {"annealing": 400, "tempering": 400, "bifurcation": 1600, "tabu": 20000, "quantum_annealing": 1000}
SOLVERS = tuple(WORK)
# The options that choose another kernel.
OTHER_KERNELS = {
    "annealing": AnnealingOptions(packed=False),
    "tempering": TemperingOptions(packed=False),
    "bifurcation": BifurcationOptions(kind="ballistic"),
}
CASES = [(solver, None) for solver in SOLVERS] + list(OTHER_KERNELS.items())


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
    assert search.best.value == problem.energy(search.best.answer)
    return search


@pytest.mark.parametrize("solver, options", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_finds_the_optimum_of_small_problems(solver, options, seed):
    problem = random_ising(seed)
    best = searched(problem, solver, slices=[WORK[solver]], options=options).best
    assert set(np.unique(best.answer)) <= {-1, 1}
    assert best.value == problem.energy(best.answer)
    assert best.value == pytest.approx(lowest_energy(problem), abs=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_takes_weights_of_any_size(solver):
    problem = random_ising(11, weights=(-np.pi, 1e-3, 2.5, 700.0), fields=(0.0, np.e))
    best = searched(problem, solver, slices=[WORK[solver]]).best
    assert best.value == pytest.approx(lowest_energy(problem), rel=1e-9)


@pytest.mark.parametrize("solver, options", CASES)
def test_the_same_work_gives_the_same_answer_whatever_the_slices(solver, options):
    problem = random_ising(5, spins=60, density=0.2)
    work = WORK[solver]
    whole = searched(problem, solver, slices=[work], options=options).best
    pieces = searched(problem, solver, slices=[1, work // 3, 7, work - work // 3 - 8], options=options).best
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


@pytest.mark.parametrize(
    "solver, options, message",
    [
        ("tempering", TemperingOptions(rungs=24), "a power of 2 from 2 to 64"),
        ("tempering", TemperingOptions(rungs=64, packed=False), "a power of 2 from 2 to 32"),
        ("bifurcation", BifurcationOptions(kind="magic"), "one of in turn, ballistic, discrete"),
        ("tabu", TabuOptions(elite=1), "elite=1"),
        ("tabu", AnnealingOptions(), "it takes TabuOptions"),
    ],
)
def test_options_without_sense_are_refused(solver, options, message):
    with pytest.raises(ProblemError, match=message):
        begin(random_ising(1), solver, seed=1, options=options)


def test_packed_is_refused_where_weights_cannot_be_counted():
    with pytest.raises(SolverRefusalError, match="small multiples of one number"):
        begin(Ising.build([np.pi, 1.0], {}), "annealing", seed=1, options=AnnealingOptions(packed=True))


def test_tabu_begins_at_its_hint():
    problem = random_ising(2, spins=200, density=0.05)
    good = searched(problem, "annealing", slices=[2000]).best
    search, _ = begin(problem, "tabu", seed=3, hint=good.answer)
    search.advance(1, 60.0)
    assert search.best.value <= good.value


def test_tabu_keeps_its_changes_right():
    problem = random_ising(4, spins=80, density=0.2, fields=(0.3, -0.7))
    search = searched(problem, "tabu", slices=[5000])
    assert search.kernel.starts > 1
    assert search.kernel.change_error() < 1e-4


# Statistics of the copies.


def boltzmann(problem, temperature):
    count = problem.num_variables
    spins = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
    energies = np.array([problem.energy(row) for row in spins]) - problem.offset
    weights = np.exp(-(energies - energies.min()) / temperature)
    return spins, energies, weights / weights.sum()


def packed_copies(problem, seed=1):
    whole = packed_weights(problem)
    starts, neighbours, _ = problem.neighbours
    return PackedCopies(starts, neighbours, whole.weights, whole.fields, seed), whole.unit


def lane_copies(problem, seed=1):
    starts, neighbours, weights = problem.neighbours
    return LaneCopies(starts, neighbours, weights, problem.linear, seed)


def code_of(spins):
    return int(((1 - spins) // 2) @ (1 << np.arange(len(spins))))


@pytest.mark.parametrize(
    "temperature, weights", [(0.7, (1,)), (2.0, (1,)), (3.0, (-3, -1, 2)), (9.0, (-3, -1, 2))]
)
def test_packed_copies_are_distributed_as_boltzmann_says(temperature, weights):
    problem = random_ising(8, spins=6, density=0.7, weights=weights, fields=(-1, 0, 1))
    _, _, expected = boltzmann(problem, temperature)
    copies, unit = packed_copies(problem)
    counts = np.zeros(64)
    rounds = 60
    for _ in range(rounds):
        for _ in range(15):
            copies.sweep([temperature / unit])
        for copy in range(512):
            counts[code_of(copies.read(copy))] += 1
    total = rounds * 512
    deviation = np.sqrt(total * expected * (1 - expected)) + 1
    # Draws 15 sweeps apart, and thresholds that copies share in a table, are nearly independent: 8 standard
    # deviations.
    assert np.all(np.abs(counts - total * expected) < 8 * deviation)


def test_each_packed_copy_may_have_its_own_temperature():
    problem = random_ising(8, spins=6, density=0.7, weights=(1,), fields=(0, 1))
    copies, unit = packed_copies(problem)
    temperatures = np.where(np.arange(512) % 2, 4.0, 1.0)
    sums = np.zeros(512)
    for _ in range(400):
        copies.sweep(list(temperatures / unit))
        sums += copies.energies() * unit
    for temperature in (1.0, 4.0):
        _, energies, weights = boltzmann(problem, temperature)
        mean, variance = energies @ weights, energies**2 @ weights - (energies @ weights) ** 2
        found = sums[temperatures == temperature].mean() / 400
        # 256 copies, 400 sweeps of which one in ten is independent: 6 standard deviations.
        assert abs(found - mean) < 6 * np.sqrt(variance / (256 * 40))


def test_packed_energies_are_those_of_the_problem():
    problem = random_ising(9, spins=70, density=0.1, weights=(-31, -5, 1, 12), fields=(-7, 0, 12), unit=0.5)
    copies, unit = packed_copies(problem)
    for _ in range(3):
        copies.sweep([20.0])
    energies = copies.energies() * unit + problem.offset
    answers = [copies.read(copy) for copy in range(0, 512, 37)]
    assert np.allclose(energies[::37], [problem.energy(spins) for spins in answers], rtol=1e-12)
    lowest, where = copies.lowest()
    assert lowest == copies.energies().min() == copies.energies()[where]


def test_packed_copies_change_places():
    problem = random_ising(9, spins=20)
    copies, _ = packed_copies(problem)
    before = np.array([copies.read(copy) for copy in range(512)])
    copies.exchange([1 << 3, 0, 0, 0, 0, 0, 0, (1 << 62) | 1])
    after = np.array([copies.read(copy) for copy in range(512)])
    moved = [(3, 4), (448, 449), (510, 511)]
    for first, second in moved:
        before[[first, second]] = before[[second, first]]
    assert np.array_equal(before, after)


@pytest.mark.parametrize("temperature", [0.7, 3.0])
def test_lanes_are_distributed_as_boltzmann_says(temperature):
    problem = random_ising(8, spins=5, density=0.8, weights=(0.4, -1.1, 1.7), fields=(-0.3, 0.9))
    _, _, expected = boltzmann(problem, temperature)
    copies = lane_copies(problem)
    counts = np.zeros(32)
    rounds = 500
    for _ in range(rounds):
        for _ in range(12):
            copies.sweep(temperature)
        for lane in range(32):
            counts[code_of(copies.read(lane))] += 1
    total = rounds * 32
    deviation = np.sqrt(total * expected * (1 - expected)) + 1
    assert np.all(np.abs(counts - total * expected) < 6 * deviation)
    assert copies.field_error() < 1e-4


def test_slices_follow_the_quantum_system():
    """Mean energy of the diagonal part of two spins in a transverse field, against the exact density
    matrix of the same 32 Trotter slices."""
    problem = Ising.build([0.5, -0.2], {(0, 1): 0.8})
    temperature, field = 1.0, 0.9
    _, energies, _ = boltzmann(problem, 1.0)
    slice_beta = 1 / (32 * temperature)
    ring = -0.5 * np.log(np.tanh(field * slice_beta))
    flip = np.array([[np.cosh(field * slice_beta), np.sinh(field * slice_beta)]] * 2)
    flip[1] = flip[1, ::-1]
    step = np.kron(flip, flip) * np.exp(-slice_beta * energies)
    density = np.linalg.matrix_power(step, 32)
    expected = np.diag(density) @ energies / np.trace(density)
    copies = lane_copies(problem)
    rounds = 30000
    means = np.empty(rounds)
    for k in range(rounds):
        copies.sweep_path(slice_beta, ring)
        means[k] = copies.energies().mean()
    blocks = means.reshape(30, -1).mean(axis=1)
    # 30 blocks of 1,000 sweeps: 5 standard errors.
    assert abs(blocks.mean() - expected) < 5 * blocks.std() / np.sqrt(30) + 1e-3


# Bounds.


@pytest.mark.parametrize("seed", range(12))
def test_bounds_are_never_above_the_optimum(seed):
    weights = [(-3, -2, -1, 1, 2, 3), (1,), (-1, 1), (0.3, -np.pi, 1e-4)][seed % 4]
    problem = random_ising(seed, spins=11, density=0.4, weights=weights, fields=((0,), (-1, 0, 2))[seed % 2])
    lowest = lowest_energy(problem)
    assert cycle_bound(problem) <= lowest + 1e-9
    rng = np.random.default_rng(seed)
    assert semidefinite_bound(problem, rng.normal(size=12) * 3) <= lowest + 1e-9
    search = searched(problem, "semidefinite", slices=[7, 200])
    assert search.bound <= lowest + 1e-9
    assert search.bound >= cycle_bound(problem)
    assert search.best.value >= lowest - 1e-9
    # The relaxation's own value, less what its dual misses.
    assert search.bound >= search.kernel.value() + problem.offset - 0.05 * abs(lowest)


def test_bounds_are_tight_where_that_is_known():
    ring = MaxCut.build(5, [0, 1, 2, 3, 4], [1, 2, 3, 4, 0]).to_ising()
    assert cycle_bound(ring) == -4
    # The relaxation cuts 5 (5 + sqrt(5)) / 8 = 4.52 of a ring of five: rounded to what can be, 4.
    lengths = searched(ring, "semidefinite", slices=[100]).kernel.lengths()
    assert semidefinite_bound(ring, lengths) == -4
    scaled = Ising(ring.linear, ring.couplings, offset=np.pi)
    assert round_up(scaled, -1e9) == pytest.approx(np.pi - 2.5)
    tree = random_ising(3, spins=2, density=1.0, fields=(0,))
    assert cycle_bound(tree) == lowest_energy(tree)
    whole = MaxCut.build(4, [0, 0, 0, 1, 1, 2], [1, 2, 3, 2, 3, 3], [1.1, 1.2, 1.3, 1.4, 1.5, np.e])
    assert cycle_bound(whole.to_ising()) <= lowest_energy(whole.to_ising())


def test_the_gap_closes_by_bound_and_answer():
    ring = MaxCut.build(9, np.arange(9), (np.arange(9) + 1) % 9)
    result = solve(ring, solver="semidefinite", seconds=10, seed=2, threads=1)
    assert result.is_optimal
    assert result.cut == 8


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


# dimod's models, as dimod 0.12 writes them.

SPIN_JSON = (
    '{"type": "BinaryQuadraticModel", "version": {"bqm_schema": "3.0.0"}, "use_bytes": false, '
    '"index_type": "int32", "bias_type": "float64", "num_variables": 2, "num_interactions": 1, '
    '"variable_labels": ["a", "b"], "variable_type": "SPIN", "offset": 0.25, "info": {}, '
    '"linear_biases": [1.0, -2.0], "quadratic_biases": [0.5], "quadratic_head": [0], "quadratic_tail": [1]}'
)


@dataclass
class Model:
    """What `from_dimod` reads of a dimod.BinaryQuadraticModel."""

    vartype: object
    linear: dict[object, float]
    quadratic: dict[tuple[object, object], float]
    offset: float


class Vartype(Enum):
    SPIN = 1
    BINARY = 2


def test_a_model_in_json_keeps_its_energies():
    problem = read_bqm(SPIN_JSON, "a.bqm")
    assert isinstance(problem, Ising)
    for a, b in [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
        assert problem.energy([a, b]) == a - 2 * b + 0.5 * a * b + 0.25
    bits = read_bqm(
        SPIN_JSON.replace("SPIN", "BINARY").replace('"a", "b"', "1, 0").replace('"num_variables": 2, ', "")
    )
    assert isinstance(bits, Qubo)
    assert bits.energy([1, 0]) == -2.0 + 0.25  # variable 0 is the one labelled 0, the second
    assert bits.energy([1, 1]) == -0.5 + 0.25


def test_a_model_in_coo_text_keeps_its_energies():
    problem = read_bqm("# vartype=BINARY\n0 0 1.5\n0 2 -3\n\n2 2 0.5\n")
    assert isinstance(problem, Qubo)
    assert problem.num_variables == 3
    assert problem.energy([1, 0, 1]) == -1.0


@pytest.mark.parametrize("kind", list(Vartype))
def test_a_model_object_keeps_its_energies(kind):
    model = Model(kind, {"x": 1.0, ("y", 1): 2.0, 7: -1.0}, {("x", 7): 3.0, (7, ("y", 1)): -1.0}, 0.5)
    problem = from_dimod(model)
    low, high = (-1, 1) if kind is Vartype.SPIN else (0, 1)
    for x in (low, high):
        for y in (low, high):
            for z in (low, high):
                assert problem.energy([x, y, z]) == x + 2 * y - z + 3 * x * z - y * z + 0.5


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"type": ', "line 1"),
        ('{"type": "Other"}', "must be BinaryQuadraticModel"),
        (SPIN_JSON.replace("false", "true"), "biases are bytes"),
        (SPIN_JSON.replace('"offset": 0.25, ', ""), "no BinaryQuadraticModel as dimod writes it"),
        (SPIN_JSON.replace("[0.5]", "[0.5, 1]"), "no BinaryQuadraticModel as dimod writes it"),
        ("0 1 2\n", "what the variables are"),
        ("# vartype=SPIN\n0 x 2\n", "two variables and a bias"),
        ("# vartype=SPIN\n0 1 inf\n", "two variables and a bias"),
    ],
)
def test_broken_models_are_refused(text, message):
    with pytest.raises(SyntaxReadError, match=message):
        read_bqm(text)


def test_what_is_no_model_is_refused():
    with pytest.raises(ProblemError, match="from_dimod got a list"):
        from_dimod([1, 2])
    with pytest.raises(ProblemError, match="SPIN and BINARY"):
        read_bqm(SPIN_JSON.replace("SPIN", "INTEGER"))
