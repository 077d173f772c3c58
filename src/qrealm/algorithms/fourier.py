"""The quantum Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import QUBITS_MAX, NoisyRunOptions, check_options, check_whole
from qrealm.base import limits
from qrealm.base.errors import BackendRefusalError, InternalError, TooLargeError
from qrealm.circuits import Circuit

DENSITY_QUBITS_MAX = 10
"""Beyond this a density matrix is larger than what anyone looks at: 16 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class FourierTransform:
    """The Fourier transform of a basis state.

    Attributes:
        num_qubits: n.
        input_value: x, the basis state that was transformed.
        inverse: whether it was the inverse transform.
        state: amplitudes, shape (2^n,); e^(2 pi i x y / 2^n) / sqrt(2^n) at index y, or its complex conjugate
            for the inverse. Read-only. None with noise.
        density_matrix: with noise, the mixed state, shape (2^n, 2^n), where `DENSITY_QUBITS_MAX` allows it;
            else None. Read-only.
        fidelity: <state|density_matrix|state> with the exact state; 1 without noise, None where the density
            matrix is.
        counts: outcomes of measuring all qubits; empty without shots.
        circuit: what was run.
        execution_time: seconds.
    """

    num_qubits: int
    input_value: int
    inverse: bool
    state: NDArray[np.complex128] | NDArray[np.complex64] | None
    density_matrix: NDArray[np.complex128] | NDArray[np.complex64] | None
    fidelity: float | None
    counts: dict[str, int]
    circuit: Circuit
    execution_time: float

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """Exact probability of each basis state, shape (2^n,), before the detector; None where neither state
        nor density matrix is known."""
        if self.state is not None:
            return np.abs(self.state.astype(np.complex128)) ** 2
        if self.density_matrix is not None:
            return np.real(np.diagonal(self.density_matrix)).astype(np.float64)
        return None

    @property
    def phases(self) -> NDArray[np.float64] | None:
        """Phase of each amplitude in radians, from -pi to pi, shape (2^n,); None with noise."""
        return None if self.state is None else np.angle(self.state).astype(np.float64)


def qft_circuit(num_qubits: int, *, inverse: bool = False, swaps: bool = True) -> Circuit:
    """|x> becomes the sum over y of e^(2 pi i x y / 2^n) |y> / sqrt(2^n).

    Args:
        num_qubits: n; qubit 0 is the least significant bit of x and y.
        inverse: the inverse transform.
        swaps: False leaves out the swaps that put the result's bits in order: bit q of y is then on qubit
            n - 1 - q (for the inverse, of x).

    Raises:
        RequestError: `num_qubits` is not an integer from 1 to 4096.
    """
    count = check_whole("num_qubits", num_qubits, 1, QUBITS_MAX)
    circuit = Circuit(count, name="QFT")
    for target in reversed(range(count)):
        circuit.h(target)
        for control in reversed(range(target)):
            circuit.cp(math.pi / (1 << (target - control)), control, target)
    if swaps:
        for low in range(count // 2):
            circuit.swap(low, count - 1 - low)
    if not inverse:
        return circuit
    undone = circuit.inverse()
    undone.name = "inverse QFT"
    return undone


def run_qft(
    num_qubits: int,
    input_value: int = 0,
    *,
    inverse: bool = False,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> FourierTransform:
    """Transform the basis state `input_value`; the result has amplitudes, probabilities and phases.

    Args:
        num_qubits: n; the result holds 2^n amplitudes.
        input_value: from 0 to 2^n - 1.
        inverse: the inverse transform.
        shots: samples of all qubits; 0 for amplitudes only, or with noise the density matrix.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: a value is out of range.
        TooLargeError: the state does not fit in memory.
    """
    check_options(run_qft, options, NoisyRunOptions)
    begun = perf_counter()
    transform = qft_circuit(num_qubits, inverse=inverse)
    value = check_whole("input_value", input_value, 0, (1 << num_qubits) - 1)
    circuit = Circuit(num_qubits, name=transform.name)
    ones = [qubit for qubit in range(num_qubits) if value >> qubit & 1]
    circuit.x(ones).compose(transform)
    if options.get("noise") is not None:
        counts, rho = _mixed(circuit, shots, seed, options)
        fidelity = None if rho is None else _fidelity(rho, value, inverse)
        spent = perf_counter() - begun
        return FourierTransform(num_qubits, value, inverse, None, rho, fidelity, counts, circuit, spent)
    result = run_noisy(circuit, shots, seed, return_statevector=True, **options)
    state = result.statevector
    if state is None:
        raise InternalError("a run with return_statevector=True kept no state")
    spent = perf_counter() - begun
    return FourierTransform(num_qubits, value, inverse, state, None, 1.0, result.counts, circuit, spent)


def _fidelity(rho: NDArray[np.complex128] | NDArray[np.complex64], value: int, inverse: bool) -> float:
    """<state|rho|state> with the exact transform of a basis state."""
    size = len(rho)
    ideal = np.exp((-2j if inverse else 2j) * math.pi * (value * np.arange(size) % size) / size)
    return float(np.vdot(ideal, rho @ ideal).real) / size


def _mixed(
    circuit: Circuit, shots: int, seed: int | None, options: NoisyRunOptions
) -> tuple[dict[str, int], NDArray[np.complex128] | NDArray[np.complex64] | None]:
    """(counts, density matrix of the circuit's qubits where it can be had)."""
    size = 1 << circuit.num_qubits
    if circuit.num_qubits > DENSITY_QUBITS_MAX:
        return run_noisy(circuit, shots, seed, **options).counts, None
    try:
        result = run_noisy(circuit, shots, seed, return_density_matrix=True, **options)
    except (BackendRefusalError, TooLargeError):
        if not shots:
            raise
        return run_noisy(circuit, shots, seed, **options).counts, None
    rho = result.density_matrix
    if rho is None:
        raise InternalError("a run with return_density_matrix=True kept none")
    if len(rho) > size:  # a device's further qubits
        rho = np.einsum("aiaj->ij", rho.reshape(len(rho) // size, size, -1, size))
        rho.setflags(write=False)
    return result.counts, rho
