"""Teleportation of any one-qubit state: a Bell pair, two measurements, two corrections."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import NoisyRunOptions, check_options, check_whole
from qrealm.base import limits
from qrealm.base.errors import StateError
from qrealm.circuits import Circuit

_NORM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Teleportation:
    """A state that was sent from qubit 0 to qubit 2.

    Attributes:
        state: the amplitudes of |0> and |1> that were sent, with norm 1.
        fidelity: <state|rho|state> for the receiver's qubit, averaged exactly over the sender's outcomes.
        received_bloch: (<X>, <Y>, <Z>) of the receiver's qubit.
        counts: the sender's two bits, qubit 0's rightmost, and how often each pair was measured.
        circuit: what was run.
        execution_time: seconds.
    """

    state: tuple[complex, complex]
    fidelity: float
    received_bloch: tuple[float, float, float]
    counts: dict[str, int]
    circuit: Circuit
    execution_time: float


def teleportation_circuit(state: Sequence[complex] | NDArray[np.complex128] = (1, 0)) -> Circuit:
    """Sends `state` from qubit 0 to qubit 2; classical bits 0 and 1 hold the sender's outcomes.

    Args:
        state: amplitudes of |0> and |1>, of norm 1; a global phase is dropped.

    Raises:
        StateError: not two finite numbers of norm 1.
    """
    alpha, beta = _checked(state)
    circuit = Circuit(3, 2, name="teleportation")
    turn = cmath.phase(beta) - cmath.phase(alpha) if abs(alpha) and abs(beta) else 0.0
    circuit.u(2 * math.atan2(abs(beta), abs(alpha)), turn, 0.0, 0)
    circuit.h(1).cx(1, 2)
    circuit.cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    return circuit


def run_teleportation(
    state: Sequence[complex] | NDArray[np.complex128] = (1, 0),
    *,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> Teleportation:
    """Teleport a state and compare what arrives with what was sent.

    Args:
        state: amplitudes of |0> and |1>, of norm 1.
        shots: how often the sender's outcomes are drawn, at least 1; the fidelity does not depend on it.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        StateError: not two finite numbers of norm 1.
        RequestError: as `qrealm.run`.
    """
    check_options(run_teleportation, options, NoisyRunOptions)
    begun = perf_counter()
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    alpha, beta = _checked(state)
    circuit = teleportation_circuit(state)
    exact = run_noisy(circuit, 0, observables={axis: f"{axis}2" for axis in "XYZ"}, **options)
    received = tuple(exact.expectation_values[axis] for axis in "XYZ")
    cross = 2 * alpha.conjugate() * beta
    sent = (cross.real, cross.imag, abs(alpha) ** 2 - abs(beta) ** 2)
    fidelity = (1 + sum(a * b for a, b in zip(sent, received, strict=True))) / 2
    counts = run_noisy(circuit, shots, seed, **options).counts
    bloch = (received[0], received[1], received[2])
    return Teleportation((alpha, beta), fidelity, bloch, counts, circuit, perf_counter() - begun)


def _checked(state: Sequence[complex] | NDArray[np.complex128]) -> tuple[complex, complex]:
    """Two amplitudes, normalised to rounding."""
    rule = "the rule is two amplitudes, those of |0> and |1>, of norm 1"
    try:
        amplitudes = [complex(value) for value in state]
    except (TypeError, ValueError):
        raise StateError(f"teleportation got the state {state!r:.60}; {rule}") from None
    norm = math.hypot(*(abs(value) for value in amplitudes))
    if len(amplitudes) != 2 or not abs(norm - 1) <= _NORM_TOLERANCE:  # written so that NaN fails too
        raise StateError(
            f"teleportation got {len(amplitudes)} amplitudes of norm {norm:.6g}; {rule}",
            hint="divide by numpy.linalg.norm(state)",
        )
    return amplitudes[0] / norm, amplitudes[1] / norm
