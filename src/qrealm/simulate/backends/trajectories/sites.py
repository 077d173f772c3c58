"""What a channel does to one shot: mostly nothing of note, sometimes an event.

Every channel is split into a *quiet* operator, which acts on the shots that meet no event, and events of a
bounded probability that does not depend on the state. So the shots with an event are known before anything
runs. Where the event itself depends on the state, its Kraus operator is picked when the shot arrives there.

* A mixture of unitaries: the likeliest unitary is quiet, the others are events.
* Any other channel whose Choi matrix C leaves p |U>><<U| with C - p |U>><<U| >= 0 for a unitary U: U is quiet
  with probability p, and the rest of C, which is (1 - p) times a channel, is the event. The largest p is
  1 / <<U| C^-1 |U>> on the range of C. Thermal relaxation with T2 < 2 T1 is of this kind, with U = 1.
* The rest, such as amplitude damping alone: the heaviest Kraus operator K is quiet although it is no unitary,
  and the shot's number decides for another one with probability at most the largest eigenvalue of 1 - K†K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.noise.channel import CHANNEL_TOLERANCE, Channel, pauli_matrix

Operator = NDArray[np.complex128]

HAZARD_MAX = 50.0
"""-ln of the probability of no event: e^-50 is below the rounding of a probability, so beyond it an event is
certain."""

EVENTS_WORTH = 2.0
"""How many times more events a unitary quiet operator may bring: one that is not unitary is work at every
site of every run, and its state drifts from norm 1."""

_PAULI_CODES = {"X": int(OpCode.X), "Y": int(OpCode.Y), "Z": int(OpCode.Z)}


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """What an event puts into the circuit.

    Attributes:
        paulis: (operation code, position among the channel's qubits); used when `matrix` is None.
        matrix: shape (2^k, 2^k), on all of the channel's qubits.
    """

    paulis: tuple[tuple[int, int], ...] = ()
    matrix: Operator | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """One channel, split.

    Attributes:
        quiet: what acts where there is no event; None for nothing.
        quiet_log_range: how far ln of the norm may drift when `quiet` acts; 0 for a unitary.
        hazard: -ln of the probability of no event, at most `HAZARD_MAX`.
        choices: what an event may put in, when it does not depend on the state.
        bounds: float64, shape (len(choices),): upper bounds of the shot's number in [0, 1) for each.
        operators: Kraus operators of an event that depends on the state; empty when none does.
        effects: float64, shape (len(operators), 4^k): row i times the values of all Pauli strings, as
            `pauli_labels` orders them, is the probability of operator i.
        weight: what their probabilities are compared with: the shot's number in [0, 1) times this. Where the
            number is above all of them, `quiet` acts.
    """

    quiet: Operator | None
    quiet_log_range: float
    hazard: float
    choices: tuple[Insertion, ...] = ()
    bounds: NDArray[np.float64] | None = None
    operators: tuple[Operator, ...] = ()
    effects: NDArray[np.float64] | None = None
    weight: float = 1.0

    @property
    def depends(self) -> bool:
        """Whether the event depends on the state."""
        return bool(self.operators)


@lru_cache(maxsize=1024)
def behaviour(channel: Channel) -> Behaviour:
    """How a channel acts on one shot."""
    return _of_mixture(channel) if channel.mixture is not None else _of_kraus(channel)


@lru_cache(maxsize=8)
def pauli_labels(num_qubits: int) -> tuple[str, ...]:
    """All Pauli strings; letter i acts on qubit i. The first is the identity."""
    return tuple("".join(letters) for letters in product("IXYZ", repeat=num_qubits))


def hazard_of(probability: float) -> float:
    """-ln(1 - probability), at most `HAZARD_MAX`."""
    left = 1.0 - probability
    return min(HAZARD_MAX, -math.log(left)) if left > 0 else HAZARD_MAX


def _of_mixture(channel: Channel) -> Behaviour:
    assert channel.mixture is not None
    paulis = channel.paulis
    if paulis is not None:
        terms = [(p, Insertion(_pauli_ops(label))) for label, p in paulis.items()]
        unitaries = [pauli_matrix(label) for label in paulis]
    else:
        terms = [(p, Insertion(matrix=np.ascontiguousarray(u))) for p, u in channel.mixture]
        unitaries = [u for _, u in channel.mixture]
    likeliest = max(range(len(terms)), key=lambda index: terms[index][0])
    total = sum(p for p, _ in terms)
    events = [term for index, term in enumerate(terms) if index != likeliest and term[0] > 0]
    probability = sum(p for p, _ in events) / total
    quiet = None if _is_phase(unitaries[likeliest]) else np.ascontiguousarray(unitaries[likeliest])
    bounds = np.cumsum([p for p, _ in events])
    if len(bounds):
        bounds /= bounds[-1]
    return Behaviour(
        quiet,
        0.0,
        hazard_of(probability) if events else 0.0,
        tuple(insertion for _, insertion in events),
        bounds,
    )


def _of_kraus(channel: Channel) -> Behaviour:
    choi = channel.choi()
    canonical = Channel.from_choi(choi, channel.name).kraus
    heaviest = int(np.argmax([np.linalg.norm(operator) for operator in canonical]))
    main = canonical[heaviest]
    others = [operator for index, operator in enumerate(canonical) if index != heaviest]
    size = main.shape[0]
    bound = float(np.linalg.eigvalsh(np.eye(size) - main.conj().T @ main)[-1])
    found = _unitary_part(choi, main)
    if found is not None and 1 - found[0] <= EVENTS_WORTH * bound:
        probability, unitary, rest = found
        quiet = None if _is_phase(unitary) else unitary
        return Behaviour(
            quiet,
            0.0,
            hazard_of(1 - probability),
            operators=rest,
            effects=_effects(rest),
            weight=1 - probability,
        )
    values = np.linalg.svd(main, compute_uv=False)
    low, high = max(float(values[-1]), 1e-6 * float(values[0])), float(values[0])
    # Scaled so that the norm drifts as far up as down.
    scaled = np.ascontiguousarray(main / math.sqrt(low * high))
    return Behaviour(
        scaled,
        math.log(high / low) / 2,
        hazard_of(bound),
        operators=tuple(others),
        effects=_effects(others),
        weight=min(1.0, bound),
    )


def _unitary_part(choi: Operator, main: Operator) -> tuple[float, Operator, tuple[Operator, ...]] | None:
    """(probability, unitary, Kraus operators of the rest) of the channel's largest unitary part, None when it
    has none. The unitary is the one nearest to the heaviest Kraus operator."""
    left, _, right = np.linalg.svd(main)
    unitary = left @ right
    corner = unitary.flat[int(np.argmax(np.abs(unitary)))]
    if _is_phase(unitary):
        unitary = unitary * (abs(corner) / corner)
    vector = unitary.T.reshape(-1)
    values, vectors = np.linalg.eigh(choi)
    kept = values > CHANNEL_TOLERANCE**2
    parts = vectors[:, kept].conj().T @ vector
    if abs(np.vdot(parts, parts).real - np.vdot(vector, vector).real) > CHANNEL_TOLERANCE:
        return None
    probability = 1.0 / float((np.abs(parts) ** 2 / values[kept]).sum())
    if not CHANNEL_TOLERANCE < probability < 1.0:
        return None
    rest = choi - probability * np.outer(vector, vector.conj())
    values, vectors = np.linalg.eigh(rest)
    if values[0] < -CHANNEL_TOLERANCE:
        return None
    size = len(main)
    operators = [
        np.array(
            (vectors[:, index] * math.sqrt(values[index])).reshape(size, size).T, np.complex128, order="C"
        )
        for index in np.flatnonzero(values > 1e-14)
    ]
    return probability, np.ascontiguousarray(unitary), tuple(operators)


def _effects(operators: Sequence[Operator]) -> NDArray[np.float64]:
    """See `Behaviour.effects`: tr(K ρ K†) with ρ = sum of <P> P / 2^k."""
    size = len(operators[0])
    labels = pauli_labels(size.bit_length() - 1)
    rows = [
        [np.trace(k.conj().T @ k @ pauli_matrix(label)).real / size for label in labels] for k in operators
    ]
    return np.array(rows, dtype=np.float64)


def _pauli_ops(label: str) -> tuple[tuple[int, int], ...]:
    return tuple((_PAULI_CODES[letter], place) for place, letter in enumerate(label) if letter != "I")


def _is_phase(unitary: Operator) -> bool:
    return float(np.abs(unitary - unitary[0, 0] * np.eye(len(unitary))).max()) < CHANNEL_TOLERANCE
