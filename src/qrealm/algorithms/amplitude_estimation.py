"""Amplitude estimation: with phase estimation (G. Brassard et al., quant-ph/0005055), and iterative, without
it (D. Grinko et al., arXiv:1912.05559)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import (
    NoisyRunOptions,
    check_gates_only,
    check_options,
    check_share,
    check_whole,
)
from qrealm.algorithms.phase_estimation import (
    COUNTING_QUBITS_MAX,
    outcome_probability,
    phase_estimation_circuit,
)
from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate.request import check_seed, draw_seed

Objective = int | Iterable[int]
"""The qubit, or qubits, that are all 1 in a good state."""

GROWTH_MIN = 2.0
"""IQAE takes a larger power only when it at least doubles the frequency (the paper's r)."""

OUTCOMES_FITTED = 16
"""Outcomes, the most frequent ones, around which the likelihood is searched: the right one is among them."""

POINTS_PER_STEP = 32
"""Likelihoods computed between two grid points before the best is refined."""


@dataclass(frozen=True, slots=True)
class AmplitudeEstimate:
    """The probability a that all objective qubits of A|0...0> are 1.

    Attributes:
        estimate: of a.
        confidence_interval: (low, high), which holds a with at least `confidence`.
        confidence: as asked for.
        method: ``"canonical"`` or ``"iterative"``.
        oracle_calls: uses of the Grover operator, summed over all shots; drawing from A directly would need
            about 1/width^2 shots for the same interval.
        powers: of the Grover operator: in canonical 2^k for each counting qubit, in iterative one a round.
        counts: canonical: outcomes of the counting qubits; iterative: empty.
        execution_time: seconds.
    """

    estimate: float
    confidence_interval: tuple[float, float]
    confidence: float
    method: str
    oracle_calls: int
    powers: tuple[int, ...]
    counts: dict[str, int]
    execution_time: float


def grover_operator(preparation: Circuit, objective: Objective) -> Circuit:
    """Q = A (2|0><0| - 1) A† S, with S the sign flip of good states; its eigenphases are +-2 asin sqrt(a).

    Args:
        preparation: A, a circuit of gates.
        objective: the qubit, or qubits, that are all 1 in a good state.

    Raises:
        RequestError: A is no circuit of gates, or the objective is not among its qubits.
    """
    prepared = check_gates_only("the preparation", preparation)
    wires = _checked_objective(prepared, objective)
    size = prepared.num_qubits
    circuit = Circuit(size, name="Grover operator")
    _flip_ones(circuit, wires)
    circuit.compose(prepared.inverse())
    circuit.x(range(size))
    _flip_ones(circuit, range(size))
    circuit.x(range(size)).compose(prepared)
    return circuit.gphase(math.pi)


def run_amplitude_estimation(
    preparation: Circuit,
    objective: Objective,
    num_counting_qubits: int = 6,
    *,
    confidence: float = 0.95,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> AmplitudeEstimate:
    """Canonical amplitude estimation: phase estimation of the Grover operator, then maximum likelihood.

    An outcome y stands for a = sin^2(pi y / 2^m). All outcomes together are fitted with the distribution
    that phase estimation has for each a; the interval spans every a whose likelihood is at least
    1 - `confidence` times the largest.

    Args:
        preparation: A, a circuit of gates.
        objective: the qubit, or qubits, that are all 1 in a good state.
        num_counting_qubits: m; a shot uses the Grover operator 2^m - 1 times.
        confidence: of the interval.
        shots: samples, at least 1.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: A is no circuit of gates, or an option is out of range.
        TooLargeError: it does not fit in memory.
    """
    check_options(run_amplitude_estimation, options, NoisyRunOptions)
    begun = perf_counter()
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    bits = check_whole("num_counting_qubits", num_counting_qubits, 1, COUNTING_QUBITS_MAX)
    level = check_share("confidence", confidence, 0, 1)
    operator = grover_operator(preparation, objective)
    circuit = phase_estimation_circuit(operator, bits, preparation)
    counts = run_noisy(circuit, shots, seed, **options).counts
    estimate, interval = _most_likely(counts, bits, level)
    calls = shots * ((1 << bits) - 1)
    powers = tuple(1 << k for k in range(bits))
    spent = perf_counter() - begun
    return AmplitudeEstimate(estimate, interval, level, "canonical", calls, powers, counts, spent)


def run_iterative_amplitude_estimation(
    preparation: Circuit,
    objective: Objective,
    accuracy: float = 0.01,
    *,
    confidence: float = 0.95,
    shots: int = 100,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> AmplitudeEstimate:
    """Iterative amplitude estimation (IQAE): Grover powers chosen so that each narrows the interval.

    No counting qubits and no Fourier transform. Intervals of single rounds are Clopper-Pearson's, at a level
    that makes all of them together hold with `confidence`.

    Args:
        preparation: A, a circuit of gates.
        objective: the qubit, or qubits, that are all 1 in a good state.
        accuracy: half of the interval's width at the end, above 0 and below 0.5.
        confidence: of the interval.
        shots: samples in each round, at least 1.
        seed: the same seed gives the same rounds.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: A is no circuit of gates, or an option is out of range.
        TooLargeError: it does not fit in memory.
    """
    check_options(run_iterative_amplitude_estimation, options, NoisyRunOptions)
    begun = perf_counter()
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    epsilon = check_share("accuracy", accuracy, 0, 0.5)
    level = check_share("confidence", confidence, 0, 1)
    search = _IterativeSearch(preparation, objective, epsilon, 1 - level, shots, seed, options)
    interval = search.run()
    return AmplitudeEstimate(
        estimate=sum(interval) / 2,
        confidence_interval=interval,
        confidence=level,
        method="iterative",
        oracle_calls=shots * sum(search.powers),
        powers=tuple(search.powers),
        counts={},
        execution_time=perf_counter() - begun,
    )


class _IterativeSearch:
    """Algorithm 1 of arXiv:1912.05559. Angles are in turns: a = sin^2(2 pi theta), theta from 0 to 1/4."""

    def __init__(
        self,
        preparation: Circuit,
        objective: Objective,
        epsilon: float,
        alpha: float,
        shots: int,
        seed: int | None,
        options: NoisyRunOptions,
    ) -> None:
        self._preparation = check_gates_only("the preparation", preparation)
        self._wires = _checked_objective(preparation, objective)
        self._operator = grover_operator(preparation, self._wires)
        self._epsilon = epsilon
        rounds_max = math.ceil(math.log2(math.pi / (8 * epsilon))) if epsilon < math.pi / 8 else 0
        self._alpha = alpha / max(1, rounds_max)
        self._shots = shots
        self._seeds = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
        self._options = options
        self.powers: list[int] = []

    def run(self) -> tuple[float, float]:
        """The final interval of a."""
        low, high, power, upper = 0.0, 0.25, 0, True
        hits = tried = turns = 0
        while not self.powers or high - low > self._epsilon / math.pi:
            before = power
            power, upper = _next_power(power, low, high, upper)
            if power != before:
                hits = tried = 0  # samples of the same power are put together
                # Both ends lie in one half turn of factor * theta. Taken once for a power: an end that is a
                # whole turn would not survive being divided and multiplied again.
                turns = math.floor((4 * power + 2) * low)
            hits += self._sample(power)
            tried += self._shots
            at_least, at_most = _clopper_pearson(hits, tried, self._alpha)
            first, last = (math.acos(1 - 2 * share) / (2 * math.pi) for share in (at_least, at_most))
            if not upper:
                first, last = 1 - last, 1 - first
            factor = 4 * power + 2
            low, high = (turns + first) / factor, (turns + last) / factor
        return math.sin(2 * math.pi * low) ** 2, math.sin(2 * math.pi * high) ** 2

    def _sample(self, power: int) -> int:
        """How many of the shots find a good state after Q^power A."""
        circuit = Circuit(self._preparation.num_qubits, len(self._wires)).compose(
            self._preparation, clbits=range(self._preparation.num_clbits)
        )
        circuit.compose(self._operator.power(power))
        circuit.measure(self._wires, range(len(self._wires)))
        seed = int(self._seeds.integers(1 << 63))
        self.powers.append(power)
        return run_noisy(circuit, self._shots, seed, **self._options).counts.get("1" * len(self._wires), 0)


def _next_power(power: int, low: float, high: float, upper: bool) -> tuple[int, bool]:
    """Algorithm 2 (FindNextK): the largest power whose whole interval lies in one half plane."""
    width = high - low
    largest = math.floor(1 / (2 * width))
    factor = largest - (largest - 2) % 4  # 4k + 2
    while factor >= GROWTH_MIN * (4 * power + 2):
        first, last = (factor * low) % 1, (factor * high) % 1
        if first <= last <= 0.5:
            return (factor - 2) // 4, True
        if 0.5 <= first <= last:
            return (factor - 2) // 4, False
        factor -= 4
    return power, upper


def _clopper_pearson(hits: int, tried: int, alpha: float) -> tuple[float, float]:
    """The interval of a probability that misses it with at most `alpha`."""
    from scipy.stats import beta

    low = float(beta.ppf(alpha / 2, hits, tried - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - alpha / 2, hits + 1, tried - hits)) if hits < tried else 1.0
    return low, high


def _most_likely(counts: dict[str, int], bits: int, confidence: float) -> tuple[float, tuple[float, float]]:
    """Maximum likelihood estimate of a from phase-estimation outcomes, with its likelihood interval.

    Near a grid point the likelihood has a peak on either side of it, so Wilks' theorem does not hold: the
    level is that of a choice between two values (a wrong one is 1/alpha times likelier with at most alpha).
    """
    from scipy.optimize import brentq, minimize_scalar

    size = 1 << bits
    seen = np.array([int(text, 2) for text in counts])
    draws = np.array(list(counts.values()))

    def losses(turns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Minus the logarithm of the likelihood for each phase."""
        phases = np.atleast_1d(turns)[:, None]
        # A|0> is an even mixture of the eigenstates of phase turns and -turns.
        chance = (outcome_probability(phases, seen, size) + outcome_probability(-phases, seen, size)) / 2
        return np.asarray(-(np.log(np.maximum(chance, 1e-300)) @ draws))

    def above(turns: float) -> float:
        return float(losses(np.asarray(turns))[0]) - allowed

    points = _points_near(seen[np.argsort(-draws, kind="stable")[:OUTCOMES_FITTED]], size)
    values = losses(points)
    middle = int(np.argmin(values))
    around = points[max(0, middle - 1)], points[min(len(points) - 1, middle + 1)]
    fitted = minimize_scalar(
        lambda turns: float(losses(np.asarray(turns))[0]),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-12},
    )
    better = fitted.fun < values[middle]
    turns = float(fitted.x) if better else float(points[middle])
    allowed = min(float(fitted.fun), float(values[middle])) - math.log1p(-confidence)
    inside = np.sort(np.append(points[values <= allowed], turns))
    low, high = float(inside[0]), float(inside[-1])
    below, beyond = points[points < low], points[points > high]
    if len(below):
        low = float(brentq(above, below[-1], low, xtol=1e-14))
    if len(beyond):
        high = float(brentq(above, high, beyond[0], xtol=1e-14))
    squares = [math.sin(math.pi * value) ** 2 for value in (turns, low, high)]
    return squares[0], (squares[1], squares[2])


def _points_near(outcomes: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Phases from 0 to 1/2, fine enough to see every peak, within three grid steps of the outcomes."""
    folded = np.minimum(outcomes, size - outcomes)
    steps = np.arange(-3 * POINTS_PER_STEP, 3 * POINTS_PER_STEP + 1)
    places = np.unique(folded[:, None] * POINTS_PER_STEP + steps)
    inside = places[(places >= 0) & (2 * places <= size * POINTS_PER_STEP)]
    return np.asarray(inside / (size * POINTS_PER_STEP), dtype=np.float64)


def _flip_ones(circuit: Circuit, wires: Iterable[int]) -> None:
    """Multiply by -1 where all of the qubits are 1."""
    *controls, target = wires
    if controls:
        circuit.mcz(controls, target)
    else:
        circuit.z(target)


def _checked_objective(preparation: Circuit, objective: Objective) -> tuple[int, ...]:
    """The objective's qubits."""
    several = list(objective) if isinstance(objective, Iterable) else [objective]
    wires = tuple(check_whole("objective", qubit, 0, preparation.num_qubits - 1) for qubit in several)
    if not wires or len(set(wires)) != len(wires):
        raise RequestError(f"objective is {list(wires)}; it must be at least one qubit, none twice")
    return wires
