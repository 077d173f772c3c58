"""Phase estimation: textbook (M. A. Nielsen and I. L. Chuang, section 5.2), and iterative with one control
qubit (M. Dobšíček et al., quant-ph/0610214). Both draw from the same distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.fourier import qft_circuit
from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import NoisyRunOptions, check_gates_only, check_options, check_whole
from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit

Unitary = Circuit | NDArray[np.complex128] | Sequence[Sequence[complex]]
"""A circuit of gates, or a matrix of shape (2^n, 2^n) with n up to 6."""

Preparation = Circuit | str | Sequence[complex] | NDArray[np.complex128] | None
"""A circuit, a bit string with qubit 0 rightmost, 2^n amplitudes, or None for |0...0>."""

COUNTING_QUBITS_MAX = 40
"""Beyond this the powers of the unitary, 2^m of them, outlast any machine."""

EXACT_QUBITS_MAX = 20
"""Largest circuit whose distribution is computed from its state beside the shots."""


@dataclass(frozen=True, slots=True, eq=False)
class PhaseEstimate:
    """The phase phi of U|psi> = e^(2 pi i phi)|psi>.

    Attributes:
        phase: phi in turns, from 0 to below 1: the outcome drawn most often, divided by 2^m.
        phase_radians: 2 pi phi.
        resolution: 2^-m, the distance between two outcomes in turns.
        num_counting_qubits: m, the number of bits.
        method: ``"textbook"`` or ``"iterative"``.
        counts: outcomes as bit strings of m bits and how often each was drawn.
        probabilities: exact, of the outcomes 0 to 2^m - 1, shape (2^m,); None for the iterative method,
            with noise, and above 20 qubits.
        circuit: what was run.
        execution_time: seconds.
    """

    phase: float
    phase_radians: float
    resolution: float
    num_counting_qubits: int
    method: str
    counts: dict[str, int]
    probabilities: NDArray[np.float64] | None
    circuit: Circuit
    execution_time: float


def outcome_distribution(phase: float, num_counting_qubits: int) -> NDArray[np.float64]:
    """Probability of each outcome y for an eigenstate of phase phi (turns), in closed form, shape (2^m,).

    sin^2(pi M (phi - y/M)) / (M sin(pi (phi - y/M)))^2 with M = 2^m (Nielsen and Chuang, section 5.2.1).
    """
    size = 1 << num_counting_qubits
    return outcome_probability(np.asarray(phase), np.arange(size), size)


def outcome_probability(
    phases: NDArray[np.float64], outcomes: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """`outcome_distribution` of arrays, which broadcast; `size` is 2^m."""
    off = phases - outcomes / size
    off = off - np.round(off)
    # np.sinc(x) is sin(pi x)/(pi x): no division by zero where the phase is a grid point.
    return np.asarray((np.sinc(size * off) / np.sinc(off)) ** 2, dtype=np.float64)


def phase_estimation_circuit(
    unitary: Unitary, num_counting_qubits: int, eigenstate: Preparation = None
) -> Circuit:
    """The textbook circuit: counting qubits 0 to m - 1, then the unitary's own, m classical bits.

    Args:
        unitary: a circuit of gates, or a matrix on up to 6 qubits.
        num_counting_qubits: m; the phase comes with m bits.
        eigenstate: how the unitary's qubits start; a superposition gives each eigenphase with its weight.

    Raises:
        RequestError: a circuit that is not of gates or has open parameters, or sizes that do not fit.
        MatrixError, StateError: the matrix is not unitary, the state has the wrong length or norm.
    """
    bits = check_whole("num_counting_qubits", num_counting_qubits, 1, COUNTING_QUBITS_MAX)
    size, controlled_power = _controlled_powers(unitary)
    system = range(bits, bits + size)
    circuit = Circuit(bits + size, bits, name="phase estimation")
    _prepare(circuit, eigenstate, system)
    circuit.h(range(bits))
    for exponent in range(bits):
        circuit.compose(controlled_power(exponent), [exponent, *system])
    circuit.compose(qft_circuit(bits, inverse=True), range(bits))
    return circuit.measure(range(bits), range(bits))


def iterative_phase_estimation_circuit(
    unitary: Unitary, num_counting_qubits: int, eigenstate: Preparation = None
) -> Circuit:
    """The same with a single control, qubit 0, measured m times; the unitary's qubits follow it.

    Arguments and errors as `phase_estimation_circuit`.
    """
    bits = check_whole("num_counting_qubits", num_counting_qubits, 1, COUNTING_QUBITS_MAX)
    size, controlled_power = _controlled_powers(unitary)
    start = Circuit(1 + size, bits, name="iterative phase estimation")
    _prepare(start, eigenstate, range(1, 1 + size))
    return semiclassical_phase_circuit(start, bits, controlled_power)


def semiclassical_phase_circuit(
    start: Circuit, num_bits: int, controlled_power: Callable[[int], Circuit]
) -> Circuit:
    """Phase estimation whose Fourier transform is done bit by bit with measured results.

    Bit t of the outcome, the least significant first, comes from U^(2^(m-1-t)); the bits before it turn the
    control back by what they are known to add.

    Args:
        start: the system's preparation, on the control (qubit 0) and the system's qubits.
        num_bits: m.
        controlled_power: from k to the controlled U^(2^k), on as many qubits as `start`.
    """
    circuit = start.copy()
    for bit in range(num_bits):
        circuit.h(0).compose(controlled_power(num_bits - 1 - bit))
        for known in range(bit):
            with circuit.if_(known):
                circuit.p(-math.pi / (1 << (bit - known)), 0)
        circuit.h(0).measure(0, bit)
        if bit < num_bits - 1:
            with circuit.if_(bit):
                circuit.x(0)
    return circuit


def run_phase_estimation(
    unitary: Unitary,
    num_counting_qubits: int,
    eigenstate: Preparation = None,
    *,
    method: Literal["textbook", "iterative"] = "textbook",
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> PhaseEstimate:
    """Estimate the phase of a unitary's eigenstate.

    With probability 8/pi^2 = 0.81 a single shot gives one of the two outcomes next to the phase.

    Args:
        unitary: a circuit of gates, or a matrix on up to 6 qubits.
        num_counting_qubits: m; the phase comes with m bits.
        eigenstate: how the unitary's qubits start: a circuit, a bit string, amplitudes, or None for |0...0>.
        method: ``"textbook"``: m counting qubits; ``"iterative"``: a single one, measured m times.
        shots: samples, at least 1.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError, MatrixError, StateError: as `phase_estimation_circuit`.
        TooLargeError: it does not fit in memory.
    """
    check_options(run_phase_estimation, options, NoisyRunOptions)
    begun = perf_counter()
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    if method not in ("textbook", "iterative"):
        raise RequestError(f"method is {method!r:.60}; it must be 'textbook' or 'iterative'")
    textbook = method == "textbook"
    build = phase_estimation_circuit if textbook else iterative_phase_estimation_circuit
    circuit = build(unitary, num_counting_qubits, eigenstate)
    exact = textbook and circuit.num_qubits <= EXACT_QUBITS_MAX and options.get("noise") is None
    result = run_noisy(circuit, shots, seed, return_statevector=exact, **options)
    size = 1 << num_counting_qubits
    probabilities = None
    if result.statevector is not None and exact:
        weights = np.abs(result.statevector.astype(np.complex128)) ** 2
        probabilities = weights.reshape(-1, size).sum(axis=0)
    phase = int(result.most_frequent, 2) / size
    return PhaseEstimate(
        phase=phase,
        phase_radians=2 * math.pi * phase,
        resolution=1 / size,
        num_counting_qubits=num_counting_qubits,
        method=method,
        counts=result.counts,
        probabilities=probabilities,
        circuit=circuit,
        execution_time=perf_counter() - begun,
    )


def _controlled_powers(unitary: Unitary) -> tuple[int, Callable[[int], Circuit]]:
    """(qubits of U, from k to the controlled U^(2^k) with the control first)."""
    if isinstance(unitary, Circuit):
        controlled = check_gates_only("the unitary", unitary).control(1)
        return unitary.num_qubits, lambda exponent: controlled.power(1 << exponent)
    size = _matrix_qubits(unitary)
    base = Circuit(size).unitary(unitary, range(size))  # checks that it is unitary
    matrix: NDArray[np.complex128] = base.instructions[0][2][0].array

    def power(exponent: int) -> Circuit:
        squared = np.linalg.matrix_power(matrix, 1 << exponent)
        # Squaring doubles what rounding has taken off unitarity: the nearest unitary has none of it.
        left, _, right = np.linalg.svd(squared)
        return Circuit(1 + size).unitary(left @ right, range(1, 1 + size), controls=[0])

    return size, power


def _matrix_qubits(matrix: Any) -> int:
    try:
        rows = len(matrix)
    except TypeError:
        raise RequestError(
            f"the unitary is {matrix!r:.60}; it must be a qrealm Circuit or a square matrix"
        ) from None
    return max(1, rows.bit_length() - 1)


def _prepare(circuit: Circuit, eigenstate: Preparation, system: range) -> None:
    """Put the system's qubits into their first state."""
    if eigenstate is None:
        return
    if not isinstance(eigenstate, Circuit):
        circuit.initialize(eigenstate, system)
        return
    prepared = check_gates_only("the eigenstate's circuit", eigenstate)
    if prepared.num_qubits != len(system):
        raise RequestError(
            f"the eigenstate's circuit has {prepared.num_qubits} qubits; the unitary acts on {len(system)}"
        )
    circuit.compose(prepared, system)
