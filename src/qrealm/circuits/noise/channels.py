"""The usual channels by their rates. Every function checks its numbers and names the wrong channel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np

from qrealm.base.errors import ChannelError
from qrealm.circuits.gates import Matrix
from qrealm.circuits.noise.channel import CHANNEL_QUBITS_MAX, Channel, pauli_matrix


def pauli_channel(probabilities: Mapping[str, float], name: str = "pauli") -> Channel:
    """Pauli strings at random; letter i acts on qubit i. What is missing to 1 is the identity's.

    Raises:
        ChannelError: a string of other letters or another length, or probabilities that exceed 1.
    """
    lengths = {len(label) if isinstance(label, str) else 0 for label in probabilities}
    if len(lengths) != 1 or 0 in lengths or any(set(label) - set("IXYZ") for label in probabilities):
        raise ChannelError(
            f"the channel {name!r} got the Pauli strings {list(probabilities)}; the rule is strings of "
            "I, X, Y and Z, all of one length"
        )
    for label, probability in probabilities.items():
        _probability(probability, f"the probability of {label}", name)
    identity = "I" * lengths.pop()
    rest = 1.0 - sum(value for label, value in probabilities.items() if label != identity)
    if rest < -1e-9 or (identity in probabilities and abs(probabilities[identity] - rest) > 1e-9):
        raise ChannelError(
            f"the channel {name!r} got probabilities that add up to "
            f"{sum(probabilities.values()):.9g}; the rule is at most 1, and 1 with {identity} among them"
        )
    terms = {**probabilities, identity: max(0.0, rest)}
    return Channel([math.sqrt(p) * pauli_matrix(label) for label, p in terms.items() if p > 0], name)


def depolarizing(probability: float, num_qubits: int = 1) -> Channel:
    """ρ becomes (1 - p) ρ + p 1/2^n: with probability p the qubits are replaced by the maximally mixed state.

    A non-identity Pauli then acts with probability p (4^n - 1) / 4^n, so p may go up to 4^n / (4^n - 1).
    """
    name = "depolarizing"
    if num_qubits not in range(1, CHANNEL_QUBITS_MAX + 1):
        raise ChannelError(
            f"the channel {name!r} got {num_qubits!r} qubits; the rule is 1 to {CHANNEL_QUBITS_MAX}"
        )
    size = 4**num_qubits
    _probability(probability, "the probability", name, most=size / (size - 1))
    labels = ["".join(letters) for letters in product("IXYZ", repeat=num_qubits)][1:]
    return pauli_channel(dict.fromkeys(labels, probability / size), name)


def bit_flip(probability: float) -> Channel:
    """X with a probability."""
    return pauli_channel({"X": _probability(probability, "the probability", "bit_flip")}, "bit_flip")


def phase_flip(probability: float) -> Channel:
    """Z with a probability."""
    return pauli_channel({"Z": _probability(probability, "the probability", "phase_flip")}, "phase_flip")


def amplitude_damping(gamma: float, excited_population: float = 0.0) -> Channel:
    """Decay from |1> to |0> with probability gamma; with a warm bath also back.

    Args:
        gamma: probability of the decay.
        excited_population: share of |1> in thermal equilibrium, 0 for a cold bath.
    """
    name = "amplitude_damping"
    g = _probability(gamma, "gamma", name)
    hot = _probability(excited_population, "excited_population", name)
    down, up = math.sqrt(1 - hot), math.sqrt(hot)
    keep, jump = math.sqrt(1 - g), math.sqrt(g)
    operators = [
        down * np.diag([1, keep]),
        down * np.array([[0, jump], [0, 0]]),
        up * np.diag([keep, 1]),
        up * np.array([[0, 0], [jump, 0]]),
    ]
    return Channel(operators, name)


def phase_damping(lam: float) -> Channel:
    """Coherences shrink by sqrt(1 - lam); populations stay."""
    value = _probability(lam, "lambda", "phase_damping")
    flip = (1 - math.sqrt(1 - value)) / 2
    return pauli_channel({"Z": flip}, "phase_damping")


def thermal_relaxation(
    t1_ns: float, t2_ns: float, time_ns: float, excited_population: float = 0.0
) -> Channel:
    """Relaxation and dephasing of a qubit that waits.

    Args:
        t1_ns: relaxation time in nanoseconds; math.inf for none.
        t2_ns: coherence time in nanoseconds, at most 2 t1_ns; math.inf for none.
        time_ns: how long it waits, in nanoseconds.
        excited_population: share of |1> in thermal equilibrium.

    Raises:
        ChannelError: a time that is not positive, or T2 > 2 T1.
    """
    name = "thermal_relaxation"
    for value, what in ((t1_ns, "T1"), (t2_ns, "T2")):
        if not value > 0:
            raise ChannelError(f"the channel {name!r} got {what} = {value!r} ns; the rule is above 0")
    if not (time_ns >= 0 and math.isfinite(time_ns)):
        raise ChannelError(f"the channel {name!r} got the time {time_ns!r} ns; the rule is 0 or more")
    if t2_ns > 2 * t1_ns * (1 + 1e-12):
        raise ChannelError(
            f"the channel {name!r} got T2 = {t2_ns:g} ns and T1 = {t1_ns:g} ns; the rule is T2 <= 2 T1",
            hint="relaxation alone already dephases at the rate 1 / (2 T1)",
        )
    hot = _probability(excited_population, "excited_population", name)
    keep = math.exp(-time_ns / t1_ns)
    coherence = math.exp(-time_ns / t2_ns)
    # Damping alone leaves a coherence of sqrt(keep); pure dephasing brings it down to exp(-t / T2).
    lam = 1.0 - min(1.0, coherence**2 / keep) if keep > 0 else 0.0
    both = amplitude_damping(1.0 - keep, hot).then(phase_damping(lam))
    return Channel(both.kraus, name)


def mixed_unitary(choices: Iterable[tuple[float, Any]], name: str = "mixed_unitary") -> Channel:
    """One of several unitaries at random: (probability, matrix) pairs whose probabilities add up to 1."""
    operators = []
    for probability, matrix in choices:
        value = _probability(probability, "a probability", name)
        operators.append(math.sqrt(value) * Matrix(matrix).array)
    return Channel(operators, name)


def coherent(matrix: Any, name: str = "coherent") -> Channel:
    """The same unitary error every time."""
    return mixed_unitary([(1.0, matrix)], name)


def zz_phase(angle: float) -> Channel:
    """exp(-i angle/2 Z Z) on two qubits: what an interaction that cannot be turned off does in a while.

    Args:
        angle: radians; 2 pi times the coupling's frequency times the time.
    """
    if not math.isfinite(angle):
        raise ChannelError(f"the channel 'zz_phase' got the angle {angle!r}; the rule is a finite number")
    signs = np.array([1, -1, -1, 1])
    return coherent(np.diag(np.exp(-0.5j * angle * signs)), "zz_phase")


def _probability(value: float, what: str, name: str, most: float = 1.0) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ChannelError(
            f"the channel {name!r} got {value!r:.60} for {what}; the rule is a number"
        ) from None
    if not 0.0 <= number <= most:
        raise ChannelError(f"the channel {name!r} got {number:g} for {what}; the rule is 0 to {most:g}")
    return number
