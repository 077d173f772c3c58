"""The quantum approximate optimization algorithm (E. Farhi et al., arXiv:1411.4028), simulated exactly.

Spins: the cost of every bit string is computed once, and the angles of all layers follow the adjoint
gradient. Assignments: the quantum alternating operator ansatz (S. Hadfield et al., arXiv:1709.03489) with an
XY ring mixer between the bins of each item, which keeps to placements; see `qrealm.optimize.solvers.one_hot`.
Layers are added one by one, each from the interpolated angles before it; then again from random angles.

Answers are measured: the best of the samples, improved by nothing else. The bound is no merit of the
algorithm: whoever simulates it has listed all costs, and knows the least. A quantum computer would not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from qrealm.base.errors import ProblemError, SolverRefusalError
from qrealm.base.machine import memory_limits
from qrealm.optimize.problems import Assignment, Ising
from qrealm.optimize.solvers.one_hot import OneHotTable, build_table, count_states
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard
from qrealm.optimize.solvers.variational import (
    FloatArray,
    Script,
    VariationalSearch,
    descend,
    interpolated,
)

QUBITS_MAX = 26
STATES_MAX = 2**22
LAYERS_MAX = 1000
SHOTS_MAX = 10_000_000
QUBITS_DOUBLE_MAX = 22  # beyond, amplitudes are in single precision unless asked for otherwise
LEVELS_MAX = 4096
_ONE_HOT_BYTES = 128  # per state: two states, levels, and the sums that the costs are made of

Precision = Literal["auto", "double", "single"]


def state_bytes(num_qubits: int, precision: Precision = "auto") -> int:
    """Memory of a search: the state, the one that the gradient takes back with it, and the costs. Without
    fields it is half."""
    single = precision == "single" or (precision == "auto" and num_qubits > QUBITS_DOUBLE_MAX)
    return int((4 * (4 if single else 8) + 10) << max(num_qubits, 5))


def _refusal(problem: Assignment | Ising) -> str:
    if isinstance(problem, Assignment):
        states = count_states(problem)
        if states > STATES_MAX:
            return (
                f"qaoa takes up to {STATES_MAX} placements (bins to the power of items); this problem has "
                f"{float(states) if states < 2**1000 else math.inf:.3g}"
            )
        needed = states * _ONE_HOT_BYTES
    else:
        if problem.num_variables > QUBITS_MAX:
            return f"qaoa simulates up to {QUBITS_MAX} qubits; this problem has {problem.num_variables}"
        needed = state_bytes(problem.num_variables)
    return _too_large(needed)


def fits_in_memory(num_qubits: int, precision: Precision = "auto") -> bool:
    """Whether `IsingStates` of so many qubits can be held now."""
    return state_bytes(num_qubits, precision) <= memory_limits()[1]


def _too_large(needed: int) -> str:
    available = memory_limits()[1]
    if needed <= available:
        return ""
    return f"qaoa needs {needed / 2**30:.3g} GiB for its states; {available / 2**30:.3g} GiB are available"


CARD = SolverCard(
    name="qaoa",
    takes=("Assignment", "Ising"),
    word="quantum (simulated)",
    help="QAOA with adjoint gradients; the best of its samples, improved by nothing else",
    unit="values with gradient",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class QaoaOptions:
    """How it searches.

    Attributes:
        layers: most layers p.
        shots: samples of the state at the start and end of each descent.
        iterations_max: of each descent.
        tolerance: a descent ends when a step gains less than this share of the value.
        precision: of the amplitudes; ``"auto"`` is double up to 22 qubits, then single. Assignments are
            always in double.
        threads: of one evaluation; the portfolio's threads run searches side by side.
    """

    layers: int = 4
    shots: int = 1024
    iterations_max: int = 100
    tolerance: float = 1e-6
    precision: Precision = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        for name, most in (("layers", LAYERS_MAX), ("shots", SHOTS_MAX), ("iterations_max", 10**7)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise ProblemError(f"qaoa got {name}={value!r}; it must be a whole number from 1 to {most}")
        if not isinstance(self.threads, int) or not 1 <= self.threads <= 1024:
            raise ProblemError(f"qaoa got threads={self.threads!r}; it must be from 1 to 1024")
        if not 0 <= self.tolerance < math.inf:
            raise ProblemError(f"qaoa got tolerance={self.tolerance!r}; it must be finite and not negative")
        if self.precision not in ("auto", "double", "single"):
            raise ProblemError(f"qaoa got precision={self.precision!r}; it must be auto, double or single")


def start(
    problem: Assignment | Ising, options: QaoaOptions | None, *, seed: int, hint: np.ndarray | None
) -> Search:
    """Begin from the even superposition; hints are not used.

    Raises:
        InfeasibleError: an Assignment has no placement that keeps all demands.
        SolverRefusalError: the states do not fit in memory.
    """
    del hint
    chosen = options or QaoaOptions()
    states: IsingStates | OneHotStates
    if isinstance(problem, Ising):
        reason = _too_large(state_bytes(problem.num_variables, chosen.precision))
        if reason:
            raise SolverRefusalError(reason, hint="precision='single' takes half")
        states = IsingStates(problem, precision=chosen.precision, threads=chosen.threads)
    else:
        states = OneHotStates(problem)
    generator = np.random.default_rng([seed, 0])

    def script(measure: Callable[[FloatArray], None]) -> Script:
        return _script(chosen, generator, measure)

    return VariationalSearch(states, script, shots=chosen.shots, seed=seed)


def _script(
    options: QaoaOptions, generator: np.random.Generator, measure: Callable[[FloatArray], None]
) -> Script:
    """One layer from fixed angles, then more and more layers; again from random angles, without end.

    Angles are gammas times the scale of the costs, then betas.
    """
    first = [np.array([0.5, sign * math.pi / 8]) for sign in (-1, 1)]
    measure(first[0])
    while True:
        found = []
        for point in first:
            found.append((yield from _descent(point, options)))
        _, angles = min(found, key=lambda each: each[0])
        measure(angles)
        for layers in range(2, options.layers + 1):
            gammas, betas = angles[: layers - 1], angles[layers - 1 :]
            point = np.concatenate([interpolated(gammas), interpolated(betas)])
            _, angles = yield from _descent(point, options)
            measure(angles)
        first = [np.array([generator.uniform(0, 2), generator.uniform(-1, 1) * math.pi / 4])]


def _descent(
    point: FloatArray, options: QaoaOptions
) -> Generator[FloatArray, tuple[float, FloatArray], tuple[float, FloatArray]]:
    return descend(point, iterations_max=options.iterations_max, tolerance=options.tolerance)


class _Scaled:
    """Angles in units in which one layer's gammas and betas matter alike."""

    def __init__(self, kernel: Any, scale: float) -> None:
        self._kernel, self.scale = kernel, scale

    def split(self, angles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(gammas, betas) in radians, of the kernel's mixer and costs."""
        layers = len(angles) // 2
        return angles[:layers] / self.scale, np.ascontiguousarray(angles[layers:])

    def gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """See `States`."""
        value, slopes = self._kernel.gradient(*self.split(angles))
        slopes[: len(angles) // 2] /= self.scale
        return float(value), slopes

    def drawn(self, angles: FloatArray, shots: int, seed: int) -> np.ndarray:
        """Different states that were measured, uint64."""
        return np.unique(self._kernel.sample(*self.split(angles), shots, seed))


class IsingStates(_Scaled):
    """States of an Ising problem's qubits; without fields, half of them: those with the last spin +1.

    Args:
        precision, threads: see `QaoaOptions`.

    Attributes:
        diagonal: the kernel's energies of all bit strings, without the offset.
        state: the kernel's state: ``gradient(gammas, betas)``, ``sample``, ``amplitudes``.
    """

    def __init__(self, problem: Ising, *, precision: Precision = "auto", threads: int = 1) -> None:
        from qrealm import _solvers

        self._problem = problem
        pairs = problem.couplings
        fields, mirrored = np.ascontiguousarray(problem.linear, dtype=np.float64), not problem.linear.any()
        rows, cols, values = pairs.rows, pairs.cols, np.ascontiguousarray(pairs.values, dtype=np.float64)
        if mirrored and len(fields):
            # All spins can be turned over: the last one is fixed at +1, and half the states are kept.
            to_last = cols == len(fields) - 1
            fields = fields[:-1].copy()
            fields[rows[to_last]] = values[to_last]
            rows, cols, values = rows[~to_last], cols[~to_last], values[~to_last]
        unit = level_unit(np.concatenate([2 * fields, 2 * values]))
        self.diagonal = _solvers.QaoaDiagonal(fields, rows, cols, values, unit)
        single = precision == "single" or (precision == "auto" and problem.num_variables > QUBITS_DOUBLE_MAX)
        kind = _solvers.QaoaStateSingle if single else _solvers.QaoaState
        self.state = kind(self.diagonal, threads, mirrored)
        squares = float((problem.linear**2).sum() + 2 * (pairs.values**2).sum())
        super().__init__(self.state, math.sqrt(squares / max(1, problem.num_variables)) or 1.0)
        size = np.abs(problem.linear).sum() + np.abs(pairs.values).sum() + abs(problem.offset)
        rounding = 1e-12 * float(size)
        self.bound = float(self.diagonal.lowest) + problem.offset - rounding

    def gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """See `States`."""
        value, slopes = super().gradient(angles)
        return value + self._problem.offset, slopes

    def sample(self, angles: FloatArray, shots: int, seed: int) -> Candidate | None:
        """See `States`."""
        drawn = self.drawn(angles, shots, seed)
        state = int(drawn[int(np.argmin(self.diagonal.at(drawn)))])
        bits = (state >> np.arange(self._problem.num_variables)) & 1
        spins = (1 - 2 * bits).astype(np.int8)
        return Candidate(spins, self._problem.energy(spins))


class OneHotStates(_Scaled):
    """Placements of an Assignment.

    Attributes:
        table: options and costs of all placements.
        state: the kernel's, over the table's states.
    """

    def __init__(self, problem: Assignment) -> None:
        from qrealm import _solvers

        self.table: OneHotTable = build_table(problem)
        costs, levels = np.unique(self.table.penalized(), return_inverse=True)
        sizes = np.array([len(options) for options in self.table.options], dtype=np.int32)
        self.state = _solvers.QaoaOneHotState(sizes, levels.astype(np.uint32), costs)
        spread = float(np.std(costs[levels]))
        super().__init__(self.state, spread / math.sqrt(max(1, len(sizes))) or 1.0)
        self.bound = self.table.lowest - 1e-12 * float(np.abs(costs).max())

    def sample(self, angles: FloatArray, shots: int, seed: int) -> Candidate | None:
        """See `States`; None when all that was measured breaks a demand."""
        drawn = self.drawn(angles, shots, seed)
        kept = drawn[self.table.feasible[drawn]]
        if not len(kept):
            return None
        state = int(kept[int(np.argmin(self.table.values[kept]))])
        return Candidate(self.table.answer(state), float(self.table.values[state]))


def level_unit(differences: FloatArray) -> float:
    """A number of which all these are whole multiples, if it is not too small beside them; else 0."""
    unit = 0.0
    sizes = np.unique(np.abs(differences))
    smallest = float(sizes.max(initial=0.0)) / LEVELS_MAX
    for value in sizes.tolist():
        rest = value
        while rest > 0:
            unit, rest = rest, (math.fmod(unit, rest) if unit else 0.0)
            # What is a whole multiple but for rounding leaves nearly nothing, or nearly the unit.
            if rest < 1e-9 * unit or unit - rest < 1e-9 * unit:
                rest = 0.0
            if unit < smallest:
                return 0.0
    return unit
