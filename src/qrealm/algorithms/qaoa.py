"""The quantum approximate optimization algorithm (E. Farhi et al., arXiv:1411.4028), with the interpolated
warm starts of L. Zhou et al. (arXiv:1812.01041)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from qrealm.algorithms.cost_functions import maxcut_hamiltonian
from qrealm.algorithms.energy import Callback, EnergyFunction
from qrealm.algorithms.noisy_runs import run_noisy, under_noise
from qrealm.algorithms.optimizers import FloatArray, minimize
from qrealm.algorithms.options import NoisyRunOptions, RunOptions, check_options, check_share, check_whole
from qrealm.algorithms.progress import ProgressLine
from qrealm.algorithms.spectrum import (
    QUBITS_EXACT_MAX,
    as_hamiltonian,
    diagonal_values,
    is_diagonal,
)
from qrealm.base import limits
from qrealm.base.errors import BackendRefusalError, ParameterError, RequestError, TooLargeError
from qrealm.base.machine import cores_default
from qrealm.circuits import Circuit, Parameter, PauliSum
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.qaoa import QUBITS_MAX, IsingStates, Precision, fits_in_memory
from qrealm.optimize.solvers.variational import interpolated
from qrealm.simulate.request import check_precision, check_seed, check_threads, draw_seed

if TYPE_CHECKING:
    from qrealm.algorithms.options import NoiseSource

Strategy = Literal["interp", "random"]

LAYERS_MAX = 1000
STARTS_MAX = 100_000
ITERATIONS_MAX = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class QaoaResult:
    """The best angles and what they give.

    Attributes:
        best_bitstring: of the samples, the one with the best cost; qubit 0 rightmost.
        best_cost: its cost.
        expected_cost: mean of the cost in the final state; exact, or with noise on more qubits than a density
            matrix can have, an average over trajectories.
        standard_error: of the expected cost; 0 where it is exact.
        optimal_cost: the best cost of all bit strings, by trying them; None above 20 qubits.
        approximation_ratio: (expected - worst)/(optimal - worst), 1 at best; for cuts with positive weights
            the expected over the largest cut. None above 20 qubits.
        gammas, betas: angles of the cost and the mixer in each layer, in radians.
        layer_costs: expected cost after the optimization of 1, 2, ... layers; only the last one unless the
            strategy was ``"interp"``.
        history: expected cost at each evaluation on the way that led to the result.
        layer_starts: positions in `history` at which the optimization of each number of layers began.
        evaluations: of all ways together.
        counts: samples of the final state.
        circuit: the circuit with its angles, without noise.
        execution_time: seconds.
    """

    best_bitstring: str
    best_cost: float
    expected_cost: float
    standard_error: float
    optimal_cost: float | None
    approximation_ratio: float | None
    gammas: tuple[float, ...]
    betas: tuple[float, ...]
    layer_costs: tuple[float, ...]
    history: tuple[float, ...]
    layer_starts: tuple[int, ...]
    evaluations: int
    counts: dict[str, int]
    circuit: Circuit
    execution_time: float

    def plot(self, path: str | Path, *, title: str = "") -> Path:
        """Save the expected cost against the evaluations, with the optimal cost where it is known, and where
        each number p of layers begins.

        Raises:
            MissingExtraError: matplotlib is not installed; it comes with ``pip install "qrealm[plot]"``.
            RequestError: the file's ending is no picture format.
        """
        from qrealm.algorithms.pictures import save_convergence

        first = len(self.gammas) - len(self.layer_costs) + 1
        return save_convergence(
            self.history,
            Path(path),
            value_name="expected cost",
            reference=self.optimal_cost,
            sections={f"p = {first + index}": start + 1 for index, start in enumerate(self.layer_starts)},
            title=title,
        )


@dataclass(slots=True)
class _Search:
    """What the local optimizations of one run share.

    Attributes:
        noise: None for pure states, whose energies have gradients.
        shots: trajectories of each energy; 0 for exact ones.
    """

    hamiltonian: PauliSum
    sign: float
    tolerance: float
    iterations_max: int
    generator: np.random.Generator
    options: RunOptions
    callback: Callback | None
    line: ProgressLine | None
    noise: NoiseSource | None = None
    shots: int = 0
    evaluations: int = 0
    derived: Callable[[FloatArray], tuple[float, FloatArray]] | None = None

    def __post_init__(self) -> None:
        if self.noise is None:
            self.derived = _quick_gradient(self.hamiltonian, self.options)

    def function(self, layers: int) -> EnergyFunction:
        """The cost as a function of the angles."""
        return EnergyFunction(
            under_noise(qaoa_circuit(self.hamiltonian, layers), self.noise),
            self.hamiltonian,
            shots=self.shots,
            sampled=False,
            generator=self.generator,
            options=self.options,
            callback=self.callback,
            progress=self.line,
            sign=self.sign,
            evaluations_before=self.evaluations,
            derived=self.derived,
        )

    def descend(self, layers: int, start: FloatArray) -> tuple[float, FloatArray, list[float]]:
        """(lowest value, its angles, history) of one local optimization."""
        function = self.function(layers)
        # COBYLA begins with steps of 1: here an eighth of what angles are drawn from.
        units = np.ones(2 * layers) if self.noise is None else np.tile(self.spans, layers) / 4
        found = minimize(
            "L-BFGS-B" if self.noise is None else "COBYLA",
            lambda point: function.value(point * units),
            function.value_and_gradient,
            start / units,
            iterations_max=self.iterations_max,
            tolerance=self.tolerance,
            learning_rate=None,
            generator=self.generator,
        )
        self.evaluations += len(function.history)
        if self.shots:  # the lowest of many sampled values is lucky, not low
            point = found.point * units
            return function.estimate(point)[0], point, function.history
        return function.best_value, function.best_point, function.history

    @property
    def spans(self) -> tuple[float, float]:
        """How far from 0 random starts go: (gamma, beta)."""
        coefficients = [abs(value) for name, value in self.hamiltonian.terms if name != "I"]
        return math.pi / (2 * max(coefficients)), math.pi / 4  # one period of a cost with this coefficient

    def best_of(self, layers: int, starts: int) -> tuple[float, FloatArray, list[float]]:
        """The best of several random starts."""
        gamma, beta = self.spans
        found = []
        for _ in range(starts):
            start = np.empty(2 * layers)
            start[0::2] = self.generator.uniform(-gamma, gamma, layers)
            start[1::2] = self.generator.uniform(-beta, beta, layers)
            found.append(self.descend(layers, start))
        return min(found, key=lambda each: each[0])


def qaoa_circuit(cost: PauliSum | str, layers: int = 1) -> Circuit:
    """exp(-i beta sum X) exp(-i gamma cost) for each layer, on an even superposition.

    Parameters gamma_0, beta_0, gamma_1, ... are open. Descending angles minimize the cost.

    Raises:
        ObservableError: the cost cannot be read, is not Hermitian, or is a constant.
        RequestError: the cost is not diagonal, or the number of layers is out of range.
    """
    hamiltonian = _diagonal(cost)
    depth = check_whole("layers", layers, 1, LAYERS_MAX)
    count = hamiltonian.num_qubits
    terms = [
        ([int(word[1:]) for word in name.split()], value.real)
        for name, value in hamiltonian.terms
        if name != "I"
    ]
    circuit = Circuit(count, name="QAOA").h(range(count))
    for layer in range(depth):
        gamma, beta = Parameter(f"gamma_{layer}"), Parameter(f"beta_{layer}")
        for qubits, weight in terms:
            _append_rotation(circuit, qubits, 2 * weight * gamma)
        circuit.rx(2 * beta, range(count))
    return circuit


def run_qaoa(
    cost: PauliSum | str,
    layers: int = 1,
    *,
    maximize: bool = False,
    strategy: Strategy = "interp",
    starts: int = 8,
    initial_angles: tuple[Sequence[float], Sequence[float]] | None = None,
    iterations_max: int = 1000,
    tolerance: float = 1e-9,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
    **options: Unpack[NoisyRunOptions],
) -> QaoaResult:
    """Look for a bit string with a low (or high) cost.

    Angles follow the exact adjoint gradient (L-BFGS-B). With noise the costs are those of the noisy state,
    and the angles follow values alone (COBYLA).

    Args:
        cost: a diagonal Pauli sum or its text; `maxcut_hamiltonian` and `qubo_hamiltonian` make some.
        layers: p.
        maximize: look for a high cost instead.
        strategy: ``"interp"``: one layer from random starts, then each layer more from the interpolated
            angles before it; ``"random"``: all layers at once from random starts.
        starts: random starts.
        initial_angles: (gammas, betas) to start from instead; strategy and starts then play no part.
        iterations_max: of each local optimization.
        tolerance: SciPy's `tol`; for COBYLA in units of 1/4 of what random angles are drawn from.
        shots: samples of the final state, at least 1; with noise on more qubits than a density matrix can
            have, also trajectories of each cost.
        seed: of starts and samples.
        callback: called with (number of the evaluation, angles gamma_0, beta_0, ..., expected cost).
        progress: write a line to standard error while it runs.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        ObservableError, RequestError: as `qaoa_circuit`, or another wrong option.
        ParameterError: the initial angles are not `layers` finite numbers each.
        TooLargeError: the state does not fit in memory.
    """
    check_options(run_qaoa, options, NoisyRunOptions)
    begun = perf_counter()
    wanted = _diagonal(cost)
    sign = -1.0 if maximize else 1.0
    depth = check_whole("layers", layers, 1, LAYERS_MAX)
    check_whole("starts", starts, 1, STARTS_MAX)
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    check_whole("iterations_max", iterations_max, 1, ITERATIONS_MAX)
    check_share("tolerance", tolerance, 0, math.inf)
    if strategy not in ("interp", "random"):
        raise RequestError(f"strategy is {strategy!r:.60}; it must be 'interp' or 'random'")
    generator = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
    line = ProgressLine(None) if progress else None
    lowered = wanted * sign
    noise = options.pop("noise", None)
    search = _Search(lowered, sign, tolerance, iterations_max, generator, options, callback, line, noise)
    if noise is not None and not _exact_fits(search, depth):
        search.shots = shots
    try:
        angles, levels, ways = _optimized(search, depth, strategy, starts, initial_angles)
    finally:
        if line is not None:
            line.close()
    names = [parameter.name for parameter in qaoa_circuit(lowered, depth).parameters]
    circuit = qaoa_circuit(lowered, depth).bind(dict(zip(names, angles.tolist(), strict=True)))
    seed = int(generator.integers(1 << 63))
    counts = run_noisy(circuit, shots, seed, noise=noise, **options).counts
    texts = list(counts)
    drawn = diagonal_values(wanted, np.array([int(text, 2) for text in texts], dtype=np.uint64))
    place = int(np.argmin(sign * drawn))
    lowest, error = search.function(depth).estimate(angles) if search.shots else (levels[-1], 0.0)
    expected = sign * lowest
    optimal, ratio = _judged(wanted, sign, expected)
    return QaoaResult(
        best_bitstring=texts[place],
        best_cost=float(drawn[place]),
        expected_cost=expected,
        standard_error=error,
        optimal_cost=optimal,
        approximation_ratio=ratio,
        gammas=tuple(angles[0::2].tolist()),
        betas=tuple(angles[1::2].tolist()),
        layer_costs=tuple(sign * value for value in levels),
        history=tuple(sign * value for way in ways for value in way),
        layer_starts=tuple(itertools.accumulate((len(way) for way in ways[:-1]), initial=0)),
        evaluations=search.evaluations,
        counts=counts,
        circuit=circuit,
        execution_time=perf_counter() - begun,
    )


def run_maxcut(graph: Any, layers: int = 1, **arguments: Any) -> QaoaResult:
    """Look for a large cut of a graph: `run_qaoa` of its `maxcut_hamiltonian`, maximized.

    Args:
        graph: as for `maxcut_hamiltonian`. Costs of the result are weights of cuts.
        layers: p.
        arguments: all others of `run_qaoa` but `maximize`.

    Raises:
        RequestError: as `maxcut_hamiltonian` and `run_qaoa`.
    """
    if "maximize" in arguments:
        raise RequestError("run_maxcut always maximizes; leave maximize out")
    return run_qaoa(maxcut_hamiltonian(graph), layers, maximize=True, **arguments)


def _optimized(
    search: _Search, layers: int, strategy: str, starts: int, initial: Any
) -> tuple[FloatArray, list[float], list[list[float]]]:
    """(angles, value after each level, history of the way that won in each level)."""
    if initial is not None:
        value, angles, history = search.descend(layers, _checked_angles(initial, layers))
        return angles, [value], [history]
    if strategy == "random":
        value, angles, history = search.best_of(layers, starts)
        return angles, [value], [history]
    value, angles, history = search.best_of(1, starts)
    levels, ways = [value], [history]
    for depth in range(2, layers + 1):
        start = np.empty(2 * depth)
        start[0::2], start[1::2] = interpolated(angles[0::2]), interpolated(angles[1::2])
        value, angles, history = search.descend(depth, start)
        levels.append(value)
        ways.append(history)
    return angles, levels, ways


def _quick_gradient(
    cost: PauliSum, options: RunOptions
) -> Callable[[FloatArray], tuple[float, FloatArray]] | None:
    """Value and derivatives by gamma_0, beta_0, ... from a kernel that computes all costs once; None for
    costs with products of three or more, named backends, and states that the kernel cannot hold."""
    terms = [
        ([int(word[1:]) for word in name.split()], value.real) for name, value in cost.terms if name != "I"
    ]
    asked = check_precision(options.get("precision", "double"))
    precision: Precision = "auto" if asked is None else "single" if asked == "single" else "double"
    if (
        options.get("backend") not in (None, "auto")
        or cost.num_qubits > QUBITS_MAX
        or any(len(qubits) > 2 for qubits, _ in terms)
        or not fits_in_memory(cost.num_qubits, precision)
    ):
        return None
    fields = np.zeros(cost.num_qubits)
    for qubits, value in terms:
        if len(qubits) == 1:
            fields[qubits[0]] += value
    pairs = {(qubits[0], qubits[1]): value for qubits, value in terms if len(qubits) == 2}
    offset = sum(value.real for name, value in cost.terms if name == "I")
    problem = Ising.build(fields, pairs, offset=offset)
    threads = check_threads(options.get("threads")) or (cores_default() if cost.num_qubits >= 16 else 1)
    state = IsingStates(problem, precision=precision, threads=threads).state

    def derived(point: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = state.gradient(point[0::2].copy(), point[1::2].copy())
        return float(value) + problem.offset, np.ascontiguousarray(slopes.reshape(2, -1).T).ravel()

    return derived


def _exact_fits(search: _Search, layers: int) -> bool:
    """Whether a density matrix can hold the noisy state."""
    try:
        search.function(layers).estimate(np.full(2 * layers, 0.1))
    except (BackendRefusalError, TooLargeError):
        return False
    return True


def _judged(cost: PauliSum, sign: float, expected: float) -> tuple[float | None, float | None]:
    """(optimal cost, approximation ratio), where all bit strings can be tried."""
    if cost.num_qubits > QUBITS_EXACT_MAX:
        return None, None
    values = diagonal_values(cost)
    best, worst = (values.min(), values.max()) if sign > 0 else (values.max(), values.min())
    return float(best), float((expected - worst) / (best - worst))


def _diagonal(cost: PauliSum | str) -> PauliSum:
    hamiltonian = as_hamiltonian(cost)
    if not is_diagonal(hamiltonian):
        raise RequestError(f"the cost {hamiltonian!s:.80} is not diagonal; the rule is terms of I and Z only")
    return hamiltonian


def _append_rotation(circuit: Circuit, qubits: Sequence[int], angle: Any) -> None:
    """exp(-i angle/2 Z...Z)."""
    if len(qubits) == 1:
        circuit.rz(angle, qubits[0])
        return
    *others, low, high = qubits
    for qubit in others:
        circuit.cx(qubit, low)
    circuit.rzz(angle, low, high)
    for qubit in reversed(others):
        circuit.cx(qubit, low)


def _checked_angles(initial: Any, layers: int) -> FloatArray:
    rule = f"initial_angles must be (gammas, betas) with {layers} finite numbers each"
    try:
        gammas, betas = (np.array(each, dtype=np.float64) for each in initial)
    except (TypeError, ValueError):
        raise ParameterError(f"{rule}; got {initial!r:.60}") from None
    if gammas.shape != (layers,) or betas.shape != (layers,):
        raise ParameterError(f"{rule}; got the shapes {gammas.shape} and {betas.shape}")
    angles = np.stack([gammas, betas], axis=1).ravel()
    if not np.isfinite(angles).all():
        raise ParameterError(rule)
    return angles
